//! What a Lease says.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// Who holds a Lease (upstream: `resourcelock.LeaderElectionRecord`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; nobody if empty.
    pub holder: String,
    /// For how long after a renewal others leave it to its holder, in whole seconds.
    pub duration: Duration,
    /// How often it has changed hands.
    pub transitions: i32,
    /// When its holder got it, by the holder's clock: for people to read.
    pub acquired: Option<Timestamp>,
    /// When it was last renewed, by the holder's clock: that it changes is what counts.
    pub renewed: Option<Timestamp>,
}
