//! Watching a scheduling cycle from outside: what it does, told as it happens, so that somebody who has a clock
//! can say how long it took.

use super::Point;
use crate::model::Name;

/// How an extension point ended (upstream: `framework.Code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointStatus {
    /// Well.
    Success,
    /// The pod fits nowhere; preemption may help.
    Unschedulable,
    /// The pod fits nowhere, and preemption does not help.
    UnschedulableAndUnresolvable,
    /// It could not be judged.
    Error,
    /// It has to wait for something, and is judged again then.
    Wait,
}

/// Is told how a cycle goes on. It must not change anything.
pub trait Observer {
    /// A cycle begins, for a pod of this profile.
    fn begin(&mut self, _profile: &Name) {}

    /// What was done since the last call was for this extension point. A cycle may come back to it.
    fn spent(&mut self, _point: Point) {}

    /// A plugin was asked so many times at this extension point.
    fn asked(&mut self, _plugin: &'static str, _point: Point, _times: usize) {}

    /// An extension point came to its end.
    fn ended(&mut self, _point: Point, _status: PointStatus) {}
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

// === impl PointStatus ===

impl PointStatus {
    /// The name, as metrics have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Unschedulable => "Unschedulable",
            Self::UnschedulableAndUnresolvable => "UnschedulableAndUnresolvable",
            Self::Error => "Error",
            Self::Wait => "Wait",
        }
    }
}
