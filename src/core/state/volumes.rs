//! Between deciding and binding: the volumes of a pod's claims (upstream: `plugins/volumebinding`, its PreBind).
//!
//! ```text
//!  decided ──► written ──────────► bound, its turn ──► the pod is bound
//!                │ not written        │ undone, or not in time
//!                └────────────────────┴──► back to the queue
//! ```
//!
//! What was decided about volumes is assumed at once, so that no other pod takes them. What could not be
//! written is assumed no longer; what was written stays assumed until the watch tells of it.

use super::flight::{Awaits, Flight};
use super::{Action, Binding, PodRef, Queued, State, VolumesOutcome, WriteVolumes};
use crate::model::{PodUid, Time};
use crate::placement::{ClusterEvent, StorageEvent, VolumePlan, check_bound};

// === impl State ===

impl State {
    /// Sends what is to be written before the pod can be bound. As it may take a while, others are told where it
    /// will go (upstream: `NominatedNodeNameForExpectation`).
    pub(super) fn write_volumes(&mut self, mut queued: Queued, binding: Binding, plan: VolumePlan) {
        let VolumePlan { writes, timeout } = plan;
        for write in &writes {
            write.assume(&mut self.snapshot.volumes);
        }
        let pod = binding.pod.clone();
        if queued.nomination_told || queued.pod.nominated_node.as_ref() != Some(&binding.node) {
            queued.nomination_told = true;
            self.actions.push_back(Action::Nominate(pod.clone(), Some(binding.node.clone())));
        }
        self.actions.push_back(Action::WriteVolumes(WriteVolumes { pod, writes: writes.clone() }));
        let volumes = writes.into_iter().map(|write| (write, None)).collect();
        let awaits = Awaits::VolumesWritten { timeout };
        self.flights.put(Flight { binding, queued, awaits, failures: 0, volumes });
    }

    pub(super) fn apply_volumes(&mut self, pod: &PodRef, outcome: VolumesOutcome, now: Time) {
        let Some(mut flight) = self.flights.take(&pod.uid) else { return };
        let Awaits::VolumesWritten { timeout } = flight.awaits else {
            self.flights.put(flight);
            return;
        };
        let VolumesOutcome { written, failed } = outcome;
        for ((_, version), now_written) in flight.volumes.iter_mut().zip(written) {
            *version = Some(now_written);
        }
        match failed {
            Some(message) => self.give_up_volumes(flight, &message, now),
            None if self.is_settled(&flight) => self.settle(flight),
            None => {
                let uid = flight.binding.pod.uid.clone();
                self.flights.put(Flight { awaits: Awaits::VolumesBound { until: now + timeout }, ..flight });
                self.check_volumes_of(&uid, now);
            }
        }
    }

    /// Looks whether claims got their volumes that pods wait for.
    pub(super) fn check_volumes(&mut self, now: Time) {
        for uid in self.flights.awaiting_volumes() {
            self.check_volumes_of(&uid, now);
        }
    }

    fn check_volumes_of(&mut self, uid: &PodUid, now: Time) {
        let Some(flight) = self.flights.get(uid) else { return };
        let name = flight.binding.node.as_str();
        let is_bound = match self.snapshot.nodes.find(name) {
            Some(node) => check_bound(&self.snapshot.volumes, &flight.volumes, node.node),
            None => Err(format!("failed to get node {name:?}: node {name:?} not found")),
        };
        match is_bound {
            Ok(false) => (),
            Ok(true) => {
                if let Some(flight) = self.flights.take(uid) {
                    self.flights.put(Flight { awaits: Awaits::Turn, ..flight });
                }
            }
            Err(why) => {
                if let Some(flight) = self.flights.take(uid) {
                    self.give_up_volumes(flight, &format!("binding volumes: {why}"), now);
                }
            }
        }
    }

    /// The pod's claims did not get their volumes in time.
    pub(super) fn volumes_overdue(&mut self, flight: Flight, now: Time) {
        self.give_up_volumes(flight, "binding volumes: context deadline exceeded", now);
    }

    /// The pod's volumes are there, and it is its turn to be bound.
    pub(super) fn bind_next_in_turn(&mut self) -> bool {
        let Some(flight) = self.flights.take_turn() else { return false };
        self.actions.push_back(Action::Bind(flight.binding.clone()));
        self.flights.put(Flight { awaits: Awaits::Outcome, volumes: Vec::new(), ..flight });
        true
    }

    /// The watch told what became of a pod that waits for its volumes.
    pub(super) fn drop_resting_flight(&mut self, uid: &PodUid) {
        if self.flights.get(uid).is_some_and(|flight| flight.awaits.is_resting()) {
            self.flights.take(uid);
        }
    }

    fn give_up_volumes(&mut self, flight: Flight, why: &str, now: Time) {
        let message = format!("running PreBind plugin \"VolumeBinding\": {why}");
        self.back_to_queue(flight, message, now);
    }

    /// What was not written is assumed no longer, and volumes may be free again.
    pub(super) fn revert_volumes(&mut self, flight: &Flight, now: Time) {
        let not_written = flight.volumes.iter().filter(|(_, version)| version.is_none());
        for (write, _) in not_written {
            if let Some((assumed, is)) = write.revert(&mut self.snapshot.volumes) {
                let event = StorageEvent::VolumeChanged { old: Some(&assumed), new: &is };
                self.wake(&ClusterEvent::Storage(event), now);
            }
        }
    }
}

#[cfg(test)]
mod chaos;
#[cfg(test)]
mod tests;
