//! The election, as a pure machine: answers and times go in, requests and the standing come out.

use std::time::Duration;

use edge_core::model::Time;
use k8s_openapi::jiff::Timestamp;

use super::Record;

/// Where this replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds the Lease, by a renewal that was sent then.
    Leads {
        /// When the renewal was sent.
        since: Time,
    },
    /// Another holds it.
    Follows,
    /// The server could not be asked, or somebody was quicker.
    Unsettled,
}

/// Something to ask the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Read the Lease.
    Read,
    /// Make it.
    Create(Record),
    /// Write over the version last seen, without reading it first.
    Renew(Record),
    /// Write over the version just read.
    Take(Record),
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The Lease as it was read.
    Found(Record),
    /// There is none.
    Missing,
    /// It was written.
    Written,
    /// It wasn't, or nobody knows.
    Failed,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask this next.
    Ask(Request),
    /// The try is over.
    Rest(Standing),
}

/// What one replica knows of the Lease (upstream: `LeaderElector`).
#[derive(Clone, Debug)]
pub struct Election {
    identity: String,
    duration: Duration,
    observed: Option<Observed>,
}

#[derive(Clone, Debug)]
struct Observed {
    record: Record,
    /// For another's record when it was first seen; for our own when it was sent.
    at: Time,
}

// === impl Election ===

impl Election {
    /// A replica that has seen nothing yet. Of `duration` whole seconds count.
    pub fn new(identity: String, duration: Duration) -> Self {
        Self { identity, duration: Duration::from_secs(duration.as_secs()), observed: None }
    }

    /// Who holds the Lease, as far as was seen; empty if nobody.
    pub fn holder(&self) -> &str {
        self.observed.as_ref().map_or("", |observed| &observed.record.holder)
    }

    /// When the Lease that was seen runs out; none if nobody holds it.
    pub fn runs_out(&self) -> Option<Time> {
        let observed = self.observed.as_ref().filter(|observed| !observed.record.holder.is_empty())?;
        Some(observed.at + observed.record.duration)
    }

    /// Begins a try at `now`, which is `wall` by the clock on the wall.
    pub fn begin(&self, now: Time, wall: Timestamp) -> Step {
        match &self.observed {
            Some(observed) if self.is_held() && self.is_valid(now) => {
                Step::Ask(Request::Renew(self.renewal(&observed.record, wall)))
            }
            Some(_) | None => Step::Ask(Request::Read),
        }
    }

    /// Takes in the answer to `request`, which was sent at `sent`.
    pub fn answered(
        &mut self,
        request: Request,
        answer: Answer,
        sent: Time,
        now: Time,
        wall: Timestamp,
    ) -> Step {
        match (request, answer) {
            (Request::Read, Answer::Found(record)) => {
                self.observe(record, now);
                self.after_reading(now, wall)
            }
            (Request::Read, Answer::Missing) => Step::Ask(Request::Create(self.first(wall))),
            (Request::Create(record) | Request::Renew(record) | Request::Take(record), Answer::Written) => {
                self.observed = Some(Observed { record, at: sent });
                Step::Rest(Standing::Leads { since: sent })
            }
            // Somebody else may have written it, or ours was written after all: reading it tells.
            (Request::Renew(_), _) => Step::Ask(Request::Read),
            (Request::Read | Request::Create(_) | Request::Take(_), _) => Step::Rest(Standing::Unsettled),
        }
    }

    /// The record that gives the Lease up: whoever sees it may take it at once.
    pub fn released(&self, wall: Timestamp) -> Option<Record> {
        let observed = self.observed.as_ref().filter(|_| self.is_held())?;
        Some(Record {
            holder: String::new(),
            duration: Duration::from_secs(1),
            transitions: observed.record.transitions,
            acquired: Some(wall),
            renewed: Some(wall),
        })
    }

    fn after_reading(&self, now: Time, wall: Timestamp) -> Step {
        let Some(observed) = &self.observed else { return Step::Rest(Standing::Unsettled) };
        let record = if self.is_held() {
            self.renewal(&observed.record, wall)
        } else if !observed.record.holder.is_empty() && self.is_valid(now) {
            return Step::Rest(Standing::Follows);
        } else {
            Record { transitions: observed.record.transitions.saturating_add(1), ..self.first(wall) }
        };
        Step::Ask(Request::Take(record))
    }

    /// A record counts from when it was first seen, so one that hasn't changed is as old as before.
    fn observe(&mut self, record: Record, now: Time) {
        if self.observed.as_ref().is_none_or(|observed| observed.record != record) {
            self.observed = Some(Observed { record, at: now });
        }
    }

    fn is_held(&self) -> bool {
        self.holder() == self.identity
    }

    fn is_valid(&self, now: Time) -> bool {
        self.runs_out().is_some_and(|at| now < at)
    }

    fn first(&self, wall: Timestamp) -> Record {
        Record {
            holder: self.identity.clone(),
            duration: self.duration,
            transitions: 0,
            acquired: Some(wall),
            renewed: Some(wall),
        }
    }

    fn renewal(&self, held: &Record, wall: Timestamp) -> Record {
        Record { acquired: held.acquired, transitions: held.transitions, ..self.first(wall) }
    }
}
