//! The extension points, as upstream's scheduling framework has them
//! (`k8s.io/kube-scheduler/framework/interface.go`).
//!
//! Upstream passes what PreFilter found to Filter through a string-keyed `CycleState`. Here PreFilter
//! returns the prepared check itself, a value that borrows the snapshot and lives for one cycle, so a
//! Filter without its PreFilter can't be written. The same holds for PreScore and Score.

use std::fmt;
use std::sync::Arc;

use super::{
    BackupRule, Candidate, NodeSlot, NodeView, PostFilter, Profile, Snapshot, StorageEvent, Unschedulable,
    VolumePlan,
};
use crate::delay::Falls;
use crate::model::{Labels, Name, Node, NodeName, Pod};

/// The highest score of a plugin for a node before its weight is applied; the lowest is 0.
pub const MAX_NODE_SCORE: i64 = 100;

/// Why a node, or the pod itself, is rejected: a text that is counted over the nodes.
#[derive(Clone, Debug, Eq)]
pub enum Reason {
    /// A text known at compile time.
    Fixed(&'static str),
    /// A text that names something of this pod, made once in PreFilter.
    Said(Arc<str>),
}

/// Whether taking pods away from the node could cure a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolvable {
    /// Preemption may help (upstream: `Unschedulable`).
    ByPreemption,
    /// It can't (upstream: `UnschedulableAndUnresolvable`).
    No,
}

/// A rejection: a value, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Whether preemption may help.
    pub resolvable: Resolvable,
    /// The first reason.
    pub reason: Reason,
    /// Further reasons; NodeResourcesFit names every resource that is short.
    pub more: Vec<Reason>,
}

/// What a Filter says of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The pod may run there.
    Fits,
    /// It may not.
    Rejected(Rejection),
}

/// One scheduling cycle: the pod and what it is judged against.
#[derive(Clone, Copy)]
pub struct Cycle<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// The cluster, assumed pods included.
    pub snapshot: &'a Snapshot,
    /// The profile that judges it, for a plugin that has to know what the others would say; none where a plugin is
    /// asked alone.
    pub profile: Option<&'a Profile>,
    /// The node that is thought to be lost, where the pod is judged for where it would go then: anchors that were
    /// there are where their backups are.
    pub lost: Option<NodeSlot>,
}

/// The outcome of PreFilter.
pub enum PreFilter<'a> {
    /// The plugin has nothing to check for this pod.
    Skip,
    /// Every node is checked with this.
    Check(Box<dyn NodeFilter + 'a>),
    /// Only these nodes can fit (upstream: `PreFilterResult.NodeNames`); they are checked with this.
    Narrow(Vec<NodeName>, Box<dyn NodeFilter + 'a>),
    /// No node can fit.
    Reject(Rejection),
    /// Delays from these nodes have to be loaded before the pod can be judged. It is no rejection:
    /// nothing is reported and the pod is judged again as soon as they are here.
    AwaitDelays(Vec<NodeName>),
}

/// A check prepared for one pod.
pub trait NodeFilter {
    /// Judges one node.
    fn filter(&self, node: NodeView<'_>) -> Verdict;

    /// Whether the node passes, without saying why not. Most pods fit somewhere, and then nobody asks why
    /// the other nodes were rejected; a plugin that rejects most nodes saves much by not making the words.
    fn admits(&self, node: NodeView<'_>) -> bool {
        self.filter(node) == Verdict::Fits
    }

    /// All nodes that it may admit, in ascending order, where that costs less to say than to be asked of each: it rejects
    /// every other. A slot may be of no node.
    fn reach(&self) -> Option<Vec<NodeSlot>> {
        None
    }

    /// Whether what it says depends on nothing but the node and what the pod needs of one: its requests, ports, node
    /// selector, node affinity, tolerations, interfaces and features. Then it is asked only once, until the node changes.
    fn is_local(&self) -> bool {
        false
    }

    /// Whether what it says depends on what the node is, and not on who is on it. By these checks it is known where a
    /// pod may be at all, whoever else moves.
    fn is_of_node(&self) -> bool {
        false
    }

    /// The same check again, to try out what it would say if other pods were on a node. `None` if it looks
    /// at nothing but the [`NodeView`] it is given (upstream: `StateData.Clone`).
    fn fork(&self) -> Option<Box<dyn NodeFilter + '_>> {
        None
    }

    /// Takes in that `pod` came to `node`, which is as it is with the pod. Asked of forks only
    /// (upstream: `PreFilterExtensions.AddPod`).
    fn pod_added(&mut self, _pod: &Pod, _node: NodeView<'_>) {}

    /// Takes in that `pod` left `node`, which is as it is without the pod. Asked of forks only
    /// (upstream: `PreFilterExtensions.RemovePod`).
    fn pod_removed(&mut self, _pod: &Pod, _node: NodeView<'_>) {}

    /// The Score that goes with what PreFilter found. Without one the plugin's PreScore is asked.
    fn scorer(&self) -> Option<&dyn NodeScorer> {
        None
    }

    /// Reserve: annotations to write with the binding to `node`, which record what was decided.
    fn reserve(&self, _node: NodeView<'_>) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Reserve: what has to come about before the pod may be bound to `node`, if anything.
    fn volume_plan(&self, _node: NodeView<'_>) -> Option<VolumePlan> {
        None
    }
}

/// The outcome of PreScore.
pub enum PreScore<'a> {
    /// The plugin doesn't prefer any node for this pod.
    Skip,
    /// Every feasible node is scored with this.
    Score(Box<dyn NodeScorer + 'a>),
    /// The pod can't be scored, and why: something in it that the API server lets pass can't be read.
    Fail(String),
}

/// A score prepared for one pod.
pub trait NodeScorer {
    /// Scores one feasible node.
    fn score(&self, node: NodeView<'_>) -> i64;

    /// Whether the score depends on nothing but the node and what the pod needs of one, as [`NodeFilter::is_local`].
    fn is_local(&self) -> bool {
        false
    }

    /// Brings the scores of all feasible nodes into 0 to [`MAX_NODE_SCORE`] (NormalizeScore).
    fn normalize(&self, _scores: &mut [i64]) {}
}

/// A change of the cluster that may cure a rejection (upstream: `ClusterEvent`).
#[derive(Clone, Copy, Debug)]
pub enum ClusterEvent<'a> {
    /// A node appeared.
    NodeAdded(&'a Node),
    /// A node changed.
    NodeUpdated {
        /// As it was.
        old: &'a Node,
        /// As it is.
        new: &'a Node,
    },
    /// A node went away.
    NodeRemoved(&'a Node),
    /// A node is suspected to have failed: nothing new goes there, and replicas on it count no more as anchors.
    NodeSuspect(&'a Node),
    /// A pod was bound or assumed.
    PodPlaced(&'a Pod),
    /// A placed pod changed: its labels, its requests, or its deletion began.
    PodUpdated {
        /// As it was.
        old: &'a Pod,
        /// As it is.
        new: &'a Pod,
    },
    /// A placed pod was deleted, ended, or was forgotten because its binding failed.
    PodFreed(&'a Pod),
    /// Delays from a node that the pod's anchors are on became smaller.
    DelaysChanged(&'a Falls),
    /// The labels of a namespace changed.
    NamespaceChanged {
        /// Its name.
        name: &'a Name,
        /// As they were; none if it was not there.
        old: Option<&'a Labels>,
        /// As they are; none if it is gone.
        new: Option<&'a Labels>,
    },
    /// Storage changed.
    Storage(StorageEvent<'a>),
    /// What is known of backups changed: a node is suspected no more, or backups can be made that could not.
    BackupsChanged,
    /// An object that selects pods of this namespace, such as a Service, came, went or changed.
    SelectorChanged {
        /// The namespace.
        namespace: &'a Name,
    },
}

/// A scheduler plugin: one file in `plugins/` and one line in its registry.
///
/// All methods but `name` have defaults, so a plugin states only the extension points it has. Bind is
/// upstream's DefaultBinder for every profile: it is the action [`crate::state::Action::Bind`].
pub trait Plugin: Send + Sync {
    /// The name, as upstream has it.
    fn name(&self) -> &'static str;

    /// PreEnqueue: why the pod may not be tried at all, if so.
    fn pre_enqueue(&self, _pod: &Pod) -> Option<Reason> {
        None
    }

    /// PreFilter, with the Filter it prepares.
    fn pre_filter<'a>(&'a self, _cycle: Cycle<'a>) -> PreFilter<'a> {
        PreFilter::Skip
    }

    /// PostFilter: what is done for a pod that fits nowhere.
    fn post_filter(&self, _unschedulable: &Unschedulable<'_>) -> PostFilter {
        PostFilter::Skip
    }

    /// The outcomes of PostFilter that are as good as the one it would choose, that one first.
    fn candidates(&self, _unschedulable: &Unschedulable<'_>) -> Vec<Candidate> {
        Vec::new()
    }

    /// PreScore, with the Score and NormalizeScore it prepares.
    fn pre_score<'a>(&'a self, _cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        PreScore::Skip
    }

    /// How pods are covered by backups; none if the plugin has nothing to do with that.
    fn backup_rule(&self) -> Option<BackupRule> {
        None
    }

    /// Queueing hint: whether `event` may cure a rejection of `pod` by this plugin. An unrelated event
    /// must wake nobody; a related one must never be missed. Of the kinds of events a plugin names those that
    /// can help and passes over the rest, so that a new kind concerns those alone that look at it.
    fn cured_by(&self, _pod: &Pod, _event: &ClusterEvent<'_>) -> bool {
        false
    }
}

// === impl Cycle ===

impl<'a> Cycle<'a> {
    /// The cycle of a pod in which a plugin is asked alone.
    pub fn of(pod: &'a Pod, snapshot: &'a Snapshot) -> Self {
        Self { pod, snapshot, profile: None, lost: None }
    }

    /// The cycle of a pod that this profile judges.
    pub fn within(pod: &'a Pod, snapshot: &'a Snapshot, profile: &'a Profile) -> Self {
        Self { profile: Some(profile), ..Self::of(pod, snapshot) }
    }
}

// === impl ClusterEvent ===

impl ClusterEvent<'_> {
    /// What upstream's metrics call it (`ClusterEvent.Label`), and ours where upstream has no such event.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NodeAdded(_) => "NodeAdd",
            Self::NodeUpdated { .. } => "NodeUpdate",
            Self::NodeRemoved(_) => "NodeDelete",
            Self::NodeSuspect(_) => "NodeSuspect",
            Self::PodPlaced(_) => "AssignedPodAdd",
            Self::PodUpdated { .. } => "AssignedPodUpdate",
            Self::PodFreed(_) => "AssignedPodDelete",
            Self::DelaysChanged(_) => "DelaysChange",
            Self::NamespaceChanged { .. } => "NamespaceUpdate",
            Self::SelectorChanged { .. } => "SelectorUpdate",
            Self::BackupsChanged => "BackupsChange",
            Self::Storage(event) => event.label(),
        }
    }
}

// === impl Reason ===

impl Reason {
    /// A reason whose text is made for this pod.
    pub fn said(text: impl Into<Arc<str>>) -> Self {
        Self::Said(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Fixed(text) => text,
            Self::Said(text) => text,
        }
    }
}

impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        // Two nodes rejected by one check share the text, so its address nearly always decides.
        std::ptr::eq(self.as_str(), other.as_str()) || self.as_str() == other.as_str()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&'static str> for Reason {
    fn from(text: &'static str) -> Self {
        Self::Fixed(text)
    }
}

// === impl Rejection ===

impl Rejection {
    /// A rejection that preemption may cure.
    pub fn unschedulable(reason: impl Into<Reason>) -> Self {
        Self { resolvable: Resolvable::ByPreemption, reason: reason.into(), more: Vec::new() }
    }

    /// A rejection that preemption can't cure.
    pub fn unresolvable(reason: impl Into<Reason>) -> Self {
        Self { resolvable: Resolvable::No, reason: reason.into(), more: Vec::new() }
    }

    /// All reasons.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        std::iter::once(&self.reason).chain(&self.more)
    }
}

impl From<Rejection> for Verdict {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}
