//! What goes out.

use super::{Evicted, Eviction, Fence, HandoverTaint, MoveNotice, NodeNotice, PodRef, Relocation};
use crate::delay::{DelayConstraint, Turn};
use crate::model::{Delay, Name, NodeName, NonZeroRequest, Owner, Pod, PodKey, Resources, Time};
use crate::placement::{BACKUP_LABEL, VolumeWrite};

/// The value of the PriorityClass of backups.
const BACKUP_PRIORITY: i32 = 1_000_000_000;

/// Something to do outside. `Bind`, `WriteVolumes`, `Read`, `Preempt`, `Evict`, `Relocate`, `Knock`, `CreateBackup`,
/// `DeleteBackup`, `TaintNode`, `FenceNode` and `WriteCover` are answered by one event each, whatever happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bind a pod; answered by [`super::Event::Bind`].
    Bind(Binding),
    /// Write what a pod's claims need before it can be bound; answered by [`super::Event::Volumes`].
    WriteVolumes(WriteVolumes),
    /// Read a pod again; answered by [`super::Event::Read`].
    Read(PodRef),
    /// Tell the pod's owner why it waits.
    Report(Report),
    /// Tell that a pod was bound.
    Announce(Announcement),
    /// Tell that a delay constraint of a placed pod is broken, or kept again.
    AnnounceDelay(DelayTurn),
    /// Take pods away for another one; answered by [`super::Event::Preempted`].
    Preempt(Preemption),
    /// Tell that a pod was taken away.
    AnnouncePreempted(Preempted),
    /// Write which node the pod is nominated to (`status.nominatedNodeName`), after all that was to be
    /// written of its status before.
    Nominate(PodRef, Option<NodeName>),
    /// Take a pod off a failed node; answered by [`super::Event::Evicted`].
    Evict(Eviction),
    /// Tell that a pod was taken off a failed node.
    AnnounceEvicted(Evicted),
    /// Evict a pod, as far as its budgets allow that, so that it is made anew elsewhere; answered by
    /// [`super::Event::Relocated`].
    Relocate(Relocation),
    /// Tell that a pod is moved, or why it is not.
    AnnounceMove(MoveNotice),
    /// Ask a node, over another transport than the agents', whether it is there; answered by
    /// [`super::HealthNews::Knocked`].
    Knock(NodeName),
    /// Tell what happened to a node.
    TellNode(NodeNotice),
    /// These are the nodes whose delays are in use from now on, all of them. The source sends the rows of
    /// those that are new, at once and even if it knows nothing of them, and every row that changes. New is
    /// what the action before did not have, so the source must see each of them: one that a row is missing
    /// from says that the row was forgotten and, if it comes back with the next, has to be sent again.
    UseDelays(Vec<NodeName>),
    /// Make a backup; answered by [`super::Event::BackupMade`].
    CreateBackup(BackupPod),
    /// Take a backup away; answered by [`super::Event::BackupTaken`].
    DeleteBackup(PodRef),
    /// Set the taint of a handover on a node, or take it away; answered by [`super::Event::NodeTainted`].
    TaintNode(HandoverTaint),
    /// Set the taint `out-of-service` on a node, or take it away; answered by [`super::Event::NodeFenced`].
    FenceNode(Fence),
    /// Write where a pod's backup is into it; answered by [`super::Event::CoverWritten`].
    WriteCover(CoverWrite),
    /// Tell that a pod has no backup, or has one again.
    AnnounceCover(CoverTurn),
    /// Tell that backups can't be made, or can be again.
    AnnounceBackups(BackupsTurn),
}

/// A backup to make: a pod that takes up room and does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupPod {
    /// Namespace and name. Asked for again it has the same name, so that it is never made twice.
    pub key: PodKey,
    /// The node that it is on from the moment it is there.
    pub node: NodeName,
    /// What it requests.
    pub requests: Resources,
}

/// What is to be written into a pod of its backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverWrite {
    /// The pod. Its UID goes into the request, so that a new pod of the same name is left alone.
    pub pod: PodRef,
    /// The backup's node; none if it has no backup.
    pub backup: Option<NodeName>,
}

/// A placed pod has no backup, or has one again: an event `BackupMissing` or `BackupFound`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverTurn {
    /// The pod.
    pub pod: PodRef,
    /// Its scheduler's name.
    pub scheduler_name: Name,
    /// The backup's node, if there is one.
    pub backup: Option<NodeName>,
    /// What happened.
    pub turned: CoverTurned,
}

/// What happened to a pod's backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoverTurned {
    /// There is none, for this reason.
    Missing(String),
    /// There is one again.
    Found,
}

/// Whether backups can be made: an event `BackupsRefused` or `BackupsMade`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupsTurn {
    /// They can't, and why.
    Refused(String),
    /// They can again.
    Made,
}

/// A binding to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The pod. Its UID goes into the request, so that a new pod of the same name is not bound.
    pub pod: PodRef,
    /// The node.
    pub node: NodeName,
    /// Annotations that the server merges into the pod in the same write.
    pub annotations: Vec<(&'static str, String)>,
}

/// What a pod's claims need before it can be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteVolumes {
    /// The pod.
    pub pod: PodRef,
    /// What is to be written, in this order, until one can't be. Each applies to the version of the object that
    /// it was decided from, and to no other.
    pub writes: Vec<VolumeWrite>,
}

/// Why a pod waits: an event `FailedScheduling`, and the condition `PodScheduled=False`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The pod.
    pub pod: PodRef,
    /// Which profile judged it, the event's reporting controller.
    pub scheduler_name: Name,
    /// The pod's generation that was judged, for `observedGeneration`.
    pub generation: i64,
    /// The condition's reason.
    pub reason: ReportReason,
    /// The message.
    pub message: String,
    /// Whether the condition differs from the one last written.
    pub condition_changed: bool,
    /// Whether this is the first report of the pod: the condition's status changes only then.
    pub first: bool,
    /// When the attempt began that this is the end of.
    pub tried: Time,
    /// What is to be written of the pod's nomination together with the condition.
    pub nominated_node: NominatedNode,
}

/// What is to be written of a pod's `status.nominatedNodeName`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NominatedNode {
    /// Nothing: it is as it is.
    #[default]
    Unchanged,
    /// That there is none.
    None,
    /// This one.
    Is(NodeName),
}

/// Pods to take away for another one. All but the last of them go first, at once, and then the last one
/// (upstream: `prepareCandidateAsync`). Each is given the condition `DisruptionTarget` and then deleted, with
/// the time it takes to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preemption {
    /// The pod they have to go for.
    pub preemptor: PodRef,
    /// Which profile decided that.
    pub scheduler_name: Name,
    /// The node.
    pub node: NodeName,
    /// The pods; never empty.
    pub victims: Vec<Victim>,
}

/// A pod to take away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victim {
    /// The pod. Its UID goes into the requests, so that a new pod of the same name is left alone.
    pub pod: PodRef,
    /// Its generation, for the condition's `observedGeneration`.
    pub generation: i64,
    /// Whether it has the condition already.
    pub has_condition: bool,
}

/// A pod was taken away for another one: an event `Preempted`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preempted {
    /// The pod.
    pub victim: PodRef,
    /// The pod it had to go for.
    pub preemptor: PodRef,
    /// Which profile decided that.
    pub scheduler_name: Name,
    /// The node it was on.
    pub node: NodeName,
}

/// The reason of a `PodScheduled=False` condition (upstream: `core/v1.PodReason…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportReason {
    /// It fits nowhere now.
    Unschedulable,
    /// Something failed.
    SchedulerError,
}

/// A pod was bound: an event `Scheduled`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The pod.
    pub pod: PodRef,
    /// Which profile placed it.
    pub scheduler_name: Name,
    /// The node.
    pub node: NodeName,
    /// How many attempts it took.
    pub attempts: u32,
    /// When the first of them began.
    pub first_tried: Time,
    /// When the last began.
    pub tried: Time,
}

/// A delay constraint of a placed pod is broken or kept again: an event `DelayExceeded` or `DelayRestored`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayTurn {
    /// The pod.
    pub pod: PodRef,
    /// Its scheduler's name.
    pub scheduler_name: Name,
    /// The constraint.
    pub constraint: DelayConstraint,
    /// The node of the anchor that the delay was measured from.
    pub from: NodeName,
    /// The delay.
    pub delay: Delay,
    /// What happened to the constraint.
    pub turn: Turn,
}

// === impl BackupPod ===

impl BackupPod {
    /// The pod as it will be on its node.
    pub fn pod(&self) -> Pod {
        let Self { key, node, requests } = self;
        Pod {
            labels: [BACKUP_LABEL].into_iter().collect(),
            owner: Some(Owner { kind: "Deployment".into(), name: "edge-scheduler".into() }),
            priority: BACKUP_PRIORITY,
            preempts: false,
            node: Some(node.clone()),
            requests: requests.clone(),
            non_zero: NonZeroRequest { cpu: requests.cpu, memory: requests.memory },
            ..Pod::pending(&key.namespace, &key.name)
        }
    }
}

// === impl ReportReason ===

impl ReportReason {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unschedulable => "Unschedulable",
            Self::SchedulerError => "SchedulerError",
        }
    }
}

// === impl Victim ===

impl Victim {
    /// This pod.
    pub fn of(pod: &Pod) -> Self {
        Self { pod: PodRef::of(pod), generation: pod.generation, has_condition: pod.preempted }
    }
}
