//! Nodes of which somebody who can tell says that they are off and stay off.
//!
//! They are tainted as out of service. By that Kubernetes lets go of their volumes, and their pods with state are started
//! elsewhere. The word holds for the version of the node's Lease that it names: a node that comes back renews it, and
//! then the taint is taken away again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::verdicts::NodeReason;
use super::{CONFIRMED_ANNOTATION, OUT_OF_SERVICE, State};
use crate::health::Verdict;
use crate::model::{Name, Node, NodeName, Time, Version};
use crate::placement::NodeSlot;
use crate::state::{Action, Backoff, CoverOutcome};

/// On a Node, the version of its Lease since which somebody who can tell says that it is off and stays off: its pods with
/// state are started elsewhere too. A Lease that is renewed takes it back.
pub const FENCED_ANNOTATION: &str = "kubectl-edge.dev/fenced";
/// The value of the taint by which ours are known: one that somebody else set is somebody else's to take away.
pub const FENCED_BY_US: &str = "edge-scheduler";

/// How long to wait after a request that was not done.
const AGAIN: Backoff = Backoff { initial: Duration::from_secs(1), max: Duration::from_mins(5) };
/// A request that was answered is made again after this, if the watch has not told of its effect.
const UNSEEN: Duration = Duration::from_secs(10);

/// The taint `out-of-service` is to be set on a node, or to be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The node.
    pub node: NodeName,
    /// The UID of its object: a later node of the same name is left alone.
    pub uid: Name,
    /// Whether it is to be there.
    pub stands: bool,
}

/// The taints that we set.
#[derive(Debug, Default)]
pub(super) struct Fences {
    /// The nodes that have one of ours, by the watch's word.
    ours: BTreeSet<NodeSlot>,
    /// What was asked for.
    asked: BTreeMap<NodeSlot, AskedFence>,
}

#[derive(Clone, Copy, Debug)]
struct AskedFence {
    stands: bool,
    /// When it is asked for again; none while the request is on its way.
    again: Option<Time>,
    failures: u32,
}

// === impl Fences ===

impl Fences {
    /// Whether there may be something to do although all nodes are well.
    pub(super) fn stand(&self) -> bool {
        !self.ours.is_empty()
    }
}

// === impl State ===

impl State {
    /// The watch tells of a node.
    pub(super) fn note_fence(&mut self, slot: NodeSlot, node: &Node) {
        let is_ours = node.taints.iter().any(|it| &*it.key == OUT_OF_SERVICE && &*it.value == FENCED_BY_US);
        let fences = &mut self.healing.fences;
        let changed = if is_ours { fences.ours.insert(slot) } else { fences.ours.remove(&slot) };
        if !changed {
            return;
        }
        let asked = fences.asked.remove(&slot);
        self.healing.next_pass = Time::ZERO;
        if is_ours && asked.is_some() {
            self.tell_node(slot, NodeReason::NodeFenced);
        }
    }

    /// A node is gone, and its taint with it.
    pub(super) fn note_fence_gone(&mut self, slot: NodeSlot) {
        self.healing.fences.ours.remove(&slot);
        self.healing.fences.asked.remove(&slot);
    }

    /// Taints nodes that somebody says are off and stay off, and takes the taint away when they are back.
    pub(super) fn look_after_fences(&mut self, now: Time) {
        let unwell: BTreeSet<NodeSlot> = self.healing.detector.unwell().map(|(slot, _)| slot).collect();
        let concerned: Vec<NodeSlot> = unwell.union(&self.healing.fences.ours).copied().collect();
        for slot in concerned {
            let is_ours = self.healing.fences.ours.contains(&slot);
            let stands = if is_ours && self.is_back(slot) {
                false
            } else if !is_ours && self.is_to_be_fenced(slot) {
                true
            } else {
                continue;
            };
            self.ask_for_fence(slot, stands, now);
        }
    }

    fn is_to_be_fenced(&self, slot: NodeSlot) -> bool {
        let Some(view) = self.snapshot.nodes.get(slot) else { return false };
        let is_fenced = view.node.taints.iter().any(|taint| &*taint.key == OUT_OF_SERVICE);
        let lease = self.healing.detector.lease_version(slot);
        self.healing.detector.is_failed(slot)
            && !is_fenced
            && lease.is_some()
            && off_for_good(view.node) == lease
    }

    /// Whether a node that we fenced is used again, or is not said to be off any more.
    fn is_back(&self, slot: NodeSlot) -> bool {
        let Some(view) = self.snapshot.nodes.get(slot) else { return false };
        // As long as its Lease was not seen nothing is known of it.
        let Some(lease) = self.healing.detector.lease_version(slot) else { return false };
        self.healing.detector.verdict(slot) == Verdict::Alive && off_for_good(view.node) != Some(lease)
    }

    fn ask_for_fence(&mut self, slot: NodeSlot, stands: bool, now: Time) {
        let known = self.healing.fences.asked.get(&slot).filter(|asked| asked.stands == stands).copied();
        if known.is_some_and(|asked| asked.again.is_none_or(|again| now < again)) {
            return;
        }
        let Some(view) = self.snapshot.nodes.get(slot) else { return };
        let (node, uid) = (view.node.name.clone(), view.node.uid.clone());
        let failures = known.map_or(0, |asked| asked.failures);
        self.healing.fences.asked.insert(slot, AskedFence { stands, again: None, failures });
        self.actions.push_back(Action::FenceNode(Fence { node, uid, stands }));
    }

    /// Setting such a taint, or taking it away, came to an end.
    pub(in crate::state) fn apply_fenced(&mut self, fence: &Fence, outcome: &CoverOutcome, now: Time) {
        let slot = self.snapshot.nodes.slot_of(&fence.node);
        let Some(asked) = self.healing.fences.asked.get_mut(&slot).filter(|it| it.stands == fence.stands)
        else {
            return;
        };
        match outcome {
            CoverOutcome::Done => (asked.again, asked.failures) = (Some(now + UNSEEN), 0),
            CoverOutcome::Refused(_) | CoverOutcome::Unknown(_) => {
                asked.failures += 1;
                asked.again = Some(now + AGAIN.after(asked.failures));
            }
        }
    }
}

/// The version of a node's Lease since which somebody says that it is off, for whatever purpose.
pub(super) fn off_since(node: &Node) -> Option<Version> {
    let confirmed =
        node.annotations.get(CONFIRMED_ANNOTATION).and_then(|text| text.parse().ok()).map(Version);
    confirmed.max(off_for_good(node))
}

/// The same of one that stays off.
fn off_for_good(node: &Node) -> Option<Version> {
    node.annotations.get(FENCED_ANNOTATION).and_then(|text| text.parse().ok()).map(Version)
}
