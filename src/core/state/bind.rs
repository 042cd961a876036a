//! Outcomes of bindings (upstream: `handleBindingCycleError`, `handleSchedulingFailure`).

use std::sync::Arc;

use super::flight::{Awaits, Flight};
use super::{Action, Announcement, BindOutcome, PodRef, ReadOutcome, ReportReason, State};
use crate::model::{Pod, Time};
use crate::placement::ClusterEvent;

// === impl State ===

impl State {
    pub(super) fn apply_bind(&mut self, pod: &PodRef, outcome: BindOutcome, now: Time) {
        let Some(flight) = self.flights.take(&pod.uid) else { return };
        match outcome {
            BindOutcome::Bound => self.bound(flight),
            // The watch may tell that later, or not at all if it begins anew.
            BindOutcome::Gone => self.pod_gone(&flight.queued.pod, now),
            BindOutcome::Conflict => self.read_again(flight, Awaits::ReadAfterConflict),
            BindOutcome::Refused(message) => self.back_to_queue(flight, message, now),
            // The watch may have told meanwhile.
            BindOutcome::Unknown(_) if self.is_settled(&flight) => self.settle(flight),
            BindOutcome::Unknown(_) => self.read_again(flight, Awaits::ReadAfterUnknown),
        }
    }

    pub(super) fn apply_read(&mut self, pod: &PodRef, outcome: ReadOutcome, now: Time) {
        let Some(flight) = self.flights.take(&pod.uid) else { return };
        let conflict = flight.awaits == Awaits::ReadAfterConflict;
        match outcome {
            ReadOutcome::Failed => {
                let at = now + self.config.backoff.after(flight.failures + 1);
                let failures = flight.failures + 1;
                self.flights.put(Flight { awaits: Awaits::RetryRead { at, conflict }, failures, ..flight });
            }
            ReadOutcome::Gone => self.pod_gone(&flight.queued.pod, now),
            // Its successor is for the watch to tell of: a list that was made before it may be on its way.
            ReadOutcome::Found(found) if found.uid != pod.uid => self.pod_gone(&flight.queued.pod, now),
            ReadOutcome::Found(found) => self.found(flight, *found, conflict, now),
        }
    }

    /// The same pod is still there.
    fn found(&mut self, mut flight: Flight, found: Pod, conflict: bool, now: Time) {
        if found.node.is_some() || found.phase.is_terminal() || found.terminating {
            let ours = found.node.as_ref() == Some(&flight.binding.node);
            self.put_pod(found, now);
            if ours {
                self.bound(flight);
            }
            return;
        }
        flight.update(&Arc::new(found));
        if conflict || self.snapshot.nodes.find(flight.binding.node.as_str()).is_none() {
            let message = "the binding was in conflict with a change of the pod";
            self.back_to_queue(flight, message.to_owned(), now);
        } else {
            // The request may still be on its way to the server. So the room stays taken, and the same
            // binding is written again until the server says what became of it.
            let failures = flight.failures + 1;
            let at = now + self.config.backoff.after(failures);
            self.flights.put(Flight { awaits: Awaits::RetryBind { at }, failures, ..flight });
        }
    }

    /// A flight's time to be retried has come.
    pub(super) fn retry_flight(&mut self, flight: Flight, now: Time) {
        if self.is_settled(&flight) {
            self.settle(flight);
            return;
        }
        match flight.awaits {
            Awaits::RetryRead { conflict: true, .. } => self.read_again(flight, Awaits::ReadAfterConflict),
            Awaits::RetryRead { conflict: false, .. } => self.read_again(flight, Awaits::ReadAfterUnknown),
            Awaits::VolumesBound { .. } | Awaits::VolumesWritten { .. } => self.volumes_overdue(flight, now),
            Awaits::Room { .. } => {
                let message = "the backups whose room it was to have did not go in time";
                self.back_to_queue(flight, message.to_owned(), now);
            }
            Awaits::RetryBind { .. }
            | Awaits::Outcome
            | Awaits::ReadAfterUnknown
            | Awaits::ReadAfterConflict
            | Awaits::Turn => {
                self.actions.push_back(Action::Bind(flight.binding.clone()));
                self.flights.put(Flight { awaits: Awaits::Outcome, ..flight });
            }
        }
    }

    fn read_again(&mut self, flight: Flight, awaits: Awaits) {
        self.actions.push_back(Action::Read(flight.binding.pod.clone()));
        self.flights.put(Flight { awaits, ..flight });
    }

    fn bound(&mut self, flight: Flight) {
        self.actions.push_back(Action::Announce(Announcement {
            pod: flight.binding.pod,
            scheduler_name: flight.queued.pod.scheduler_name.clone(),
            node: flight.binding.node,
            attempts: flight.queued.attempts,
            first_tried: flight.queued.first_tried.unwrap_or(flight.queued.tried),
            tried: flight.queued.tried,
        }));
    }

    /// Nothing came of the binding; the pod is tried again after a while.
    pub(super) fn back_to_queue(&mut self, flight: Flight, message: String, now: Time) {
        self.revert_volumes(&flight, now);
        let Flight { binding, mut queued, .. } = flight;
        let assumed = self.cache.get(&binding.pod.key).filter(|placed| placed.pod.uid == binding.pod.uid);
        if assumed.is_none_or(|placed| placed.confirmed) {
            // It was bound, or deleted, meanwhile.
            return;
        }
        if let Some(freed) = self.cache.remove(&mut self.snapshot, &binding.pod.key) {
            self.cover_gone(&freed.pod, freed.slot, now);
        }
        self.wait_for_room_no_more(&binding.pod.uid, now);
        self.give_back_hold(&binding.pod.uid, now);
        queued.error_count += 1;
        self.report(&mut queued, ReportReason::SchedulerError, message);
        let pod = queued.pod.clone();
        self.queue.add_after_error(queued, self.config.backoff, now);
        self.wake(&ClusterEvent::PodFreed(&pod), now);
    }

    fn is_confirmed(&self, pod: &PodRef) -> bool {
        self.cache.get(&pod.key).is_some_and(|placed| placed.pod.uid == pod.uid && placed.confirmed)
    }

    /// Whether the watch has told what became of the pod.
    pub(super) fn is_settled(&self, flight: &Flight) -> bool {
        self.is_confirmed(&flight.binding.pod) || self.tombstones.has_pod(&flight.binding.pod.uid)
    }

    /// The watch has told what became of the pod: it may be bound as it was to be, or elsewhere, or be gone.
    pub(super) fn settle(&mut self, flight: Flight) {
        let placed = self.cache.get(&flight.binding.pod.key);
        let placed = placed.filter(|placed| placed.confirmed && placed.pod.uid == flight.binding.pod.uid);
        if placed.is_some_and(|placed| placed.pod.node.as_ref() == Some(&flight.binding.node)) {
            self.bound(flight);
        }
    }
}
