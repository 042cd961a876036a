//! What comes in.

use super::{
    CoverWrite, EvictOutcome, Eviction, Fence, HandoverTaint, HealthNews, LessReserve, Preemption,
    RelocateOutcome, Relocation, StorageChange,
};
use crate::delay::{DelayRow, Report};
use crate::model::{
    DisruptionBudget, Namespace, Node, Pod, PodKey, PodSelector, PodUid, SelectorKind, Version,
};

/// Something that happened outside.
#[derive(Clone, Debug)]
pub enum Event {
    /// The watch of pods said something. Pods of every scheduler count.
    Pods(Change<Pod>),
    /// The watch of nodes said something.
    Nodes(Change<Node>),
    /// The watch of namespaces said something.
    Namespaces(Change<Namespace>),
    /// A watch of storage said something.
    Storage(StorageChange),
    /// The watch of objects of this kind, which select pods, said something.
    Selectors(SelectorKind, Change<PodSelector>),
    /// Delays that were asked for, or that changed. Each row replaces what was known from its node.
    Delays(Vec<DelayRow>),
    /// What nodes measured. Each report replaces what the same source said of its node; one without rows and without
    /// an interval says that there is nothing any more.
    Measured(Vec<Report>),
    /// Writing what a pod's claims need came to an end.
    Volumes(PodRef, VolumesOutcome),
    /// A binding came to an end.
    Bind(PodRef, BindOutcome),
    /// A pod was read again.
    Read(PodRef, ReadOutcome),
    /// Pods were taken away, as far as that went.
    Preempted(Preemption, PreemptOutcome),
    /// Somebody has looked for a cover that takes less.
    LessReserve(Box<LessReserve>),
    /// Making a backup came to an end.
    BackupMade(PodKey, CoverOutcome),
    /// Taking a backup away came to an end.
    BackupTaken(PodRef, CoverOutcome),
    /// Setting the taint of a handover, or taking it away, came to an end.
    NodeTainted(HandoverTaint, CoverOutcome),
    /// Setting the taint `out-of-service`, or taking it away, came to an end.
    NodeFenced(Fence, CoverOutcome),
    /// Writing where a pod's backup is came to an end.
    CoverWritten(CoverWrite, CoverOutcome),
    /// The watch of PodDisruptionBudgets said something.
    DisruptionBudgets(Change<DisruptionBudget>),
    /// Something was told of how nodes are.
    Health(HealthNews),
    /// A pod was taken off a failed node, or not.
    Evicted(Eviction, EvictOutcome),
    /// A pod was evicted so that it is made anew elsewhere, or not.
    Relocated(Relocation, RelocateOutcome),
    /// Whether this replica is the one that binds. One that isn't takes everything else in, so that it can
    /// go on at once. Until it is told, it is.
    Leads(bool),
}

/// A change in the set of objects of one kind.
#[derive(Clone, Debug)]
pub enum Change<T> {
    /// All objects there are: what is not listed is gone.
    Reset(Vec<T>),
    /// An object is new or different.
    Put(Box<T>),
    /// An object is gone; its last state.
    Gone(Box<T>),
}

/// One pod, and no later one of the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodRef {
    /// Namespace and name.
    pub key: PodKey,
    /// UID.
    pub uid: PodUid,
}

/// How a binding ended. The variants are named by what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindOutcome {
    /// The server wrote it.
    Bound,
    /// The pod is not there any more.
    Gone,
    /// The pod is not as it was thought to be: bound already, another one, or being deleted.
    Conflict,
    /// The server will not write it, and says why.
    Refused(String),
    /// Nobody knows whether it was written: a time-out, a broken connection, a server error.
    Unknown(String),
}

/// How writing what a pod's claims need ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumesOutcome {
    /// The version that each write made, of those that were done, which are the first ones.
    pub written: Vec<Version>,
    /// Why the next one was not done, or may not have been; none if all were.
    pub failed: Option<String>,
}

/// How a preemption ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreemptOutcome {
    /// The victims that the server has begun to delete. Those that were gone already are not among them.
    pub deleted: Vec<PodRef>,
    /// Whether there are victims that were not deleted, or of which nobody knows.
    pub failed: bool,
}

/// How a write about backups ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoverOutcome {
    /// It is done: what was to be made is there, what was to go is gone, what was to be written is, or its pod is gone.
    Done,
    /// The server will not do it, and says why.
    Refused(String),
    /// Nobody knows whether it was done.
    Unknown(String),
}

/// How reading a pod ended.
#[derive(Clone, Debug)]
pub enum ReadOutcome {
    /// This is the pod.
    Found(Box<Pod>),
    /// There is none.
    Gone,
    /// It could not be read.
    Failed,
}

// === impl PodRef ===

impl PodRef {
    /// This pod.
    pub fn of(pod: &Pod) -> Self {
        Self { key: pod.key.clone(), uid: pod.uid.clone() }
    }
}

// === impl VolumesOutcome ===

impl VolumesOutcome {
    /// Nothing was written, for this reason.
    pub fn failed(why: &str) -> Self {
        Self { written: Vec::new(), failed: Some(why.to_owned()) }
    }
}
