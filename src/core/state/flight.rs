//! Bindings on their way. None is lost: each leaves this table by an outcome, and where the outcome is
//! not known the pod is read again until it is.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Binding, Queued};
use crate::model::{Pod, PodUid, Time, Version};
use crate::placement::VolumeWrite;

/// The bindings whose outcome is not known yet.
#[derive(Debug, Default)]
pub(super) struct Flights {
    by_uid: HashMap<PodUid, Flight>,
    retries: BTreeSet<(Time, PodUid)>,
    /// Those that await volumes, for which no request is on its way.
    awaiting_volumes: BTreeSet<PodUid>,
    /// Those whose volumes are there, in the order in which they came to be.
    turns: VecDeque<PodUid>,
}

/// A binding on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    /// What is to be written.
    pub(super) binding: Binding,
    /// The pod with its history, in case it has to go back to the queue.
    pub(super) queued: Queued,
    /// What is awaited.
    pub(super) awaits: Awaits,
    /// How often the outcome could not be learnt, for the backoff.
    pub(super) failures: u32,
    /// What is written before the pod is bound, and the version that each made that is written.
    pub(super) volumes: Vec<(VolumeWrite, Option<Version>)>,
}

/// What a flight waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// The outcome of the binding.
    Outcome,
    /// What the pod looks like, because the binding may or may not have been written.
    ReadAfterUnknown,
    /// What the pod looks like, because the binding was in conflict with it.
    ReadAfterConflict,
    /// The time to read the pod again.
    RetryRead {
        /// When.
        at: Time,
        /// Whether the binding was in conflict.
        conflict: bool,
    },
    /// The time to write the binding again.
    RetryBind {
        /// When.
        at: Time,
    },
    /// That its claims are told which volumes or node they get.
    VolumesWritten {
        /// How long they may take then.
        timeout: Duration,
    },
    /// That its claims get their volumes.
    VolumesBound {
        /// How long it waits.
        until: Time,
    },
    /// Its turn to be bound.
    Turn,
    /// That backups go whose room it has.
    Room {
        /// How long it waits.
        until: Time,
    },
}

// === impl Flights ===

impl Flights {
    /// How many there are for which a request is on its way, or will be.
    pub(super) fn len(&self) -> usize {
        self.by_uid.len() - self.awaiting_volumes.len() - self.turns.len()
    }

    /// The flight of this pod.
    pub(super) fn get(&self, uid: &PodUid) -> Option<&Flight> {
        self.by_uid.get(uid)
    }

    /// The pods that await volumes.
    pub(super) fn awaiting_volumes(&self) -> Vec<PodUid> {
        self.awaiting_volumes.iter().cloned().collect()
    }

    /// Whether a pod waits for its turn.
    pub(super) fn has_turn(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Takes out the flight whose turn it is.
    pub(super) fn take_turn(&mut self) -> Option<Flight> {
        let uid = self.turns.front()?.clone();
        self.take(&uid)
    }

    /// Replaces what is known of a pod whose binding is on its way. Whether there is one.
    pub(super) fn update(&mut self, pod: &Arc<Pod>) -> bool {
        self.by_uid.get_mut(&pod.uid).map(|flight| flight.update(pod)).is_some()
    }

    /// Adds or replaces a flight.
    pub(super) fn put(&mut self, flight: Flight) {
        let uid = flight.binding.pod.uid.clone();
        self.take(&uid);
        if let Some(at) = flight.awaits.due() {
            self.retries.insert((at, uid.clone()));
        }
        match flight.awaits {
            Awaits::VolumesBound { .. } => _ = self.awaiting_volumes.insert(uid.clone()),
            Awaits::Turn => self.turns.push_back(uid.clone()),
            _ => (),
        }
        self.by_uid.insert(uid, flight);
    }

    /// Takes a flight out.
    pub(super) fn take(&mut self, uid: &PodUid) -> Option<Flight> {
        let flight = self.by_uid.remove(uid)?;
        if let Some(at) = flight.awaits.due() {
            self.retries.remove(&(at, uid.clone()));
        }
        match flight.awaits {
            Awaits::VolumesBound { .. } => _ = self.awaiting_volumes.remove(uid),
            Awaits::Turn => self.turns.retain(|turn| turn != uid),
            _ => (),
        }
        Some(flight)
    }

    /// Takes out a flight whose time to be retried has come.
    pub(super) fn take_due(&mut self, now: Time) -> Option<Flight> {
        let (_, uid) = self.retries.first().filter(|(at, _)| *at <= now)?.clone();
        self.take(&uid)
    }

    /// When the next flight is to be retried.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.retries.first().map(|(at, _)| *at)
    }
}

// === impl Flight ===

impl Flight {
    /// Replaces what is known of the pod, unless that is newer.
    pub(super) fn update(&mut self, pod: &Arc<Pod>) {
        if !pod.version.is_older_than(self.queued.pod.version) {
            self.queued.pod = pod.clone();
        }
    }
}

// === impl Awaits ===

impl Awaits {
    fn due(self) -> Option<Time> {
        match self {
            Self::RetryRead { at, .. }
            | Self::RetryBind { at }
            | Self::VolumesBound { until: at }
            | Self::Room { until: at } => Some(at),
            Self::Outcome
            | Self::ReadAfterUnknown
            | Self::ReadAfterConflict
            | Self::VolumesWritten { .. }
            | Self::Turn => None,
        }
    }

    /// Whether no request is on its way.
    pub(super) fn is_resting(self) -> bool {
        matches!(self, Self::VolumesBound { .. } | Self::Turn | Self::Room { .. })
    }
}
