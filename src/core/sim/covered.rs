//! What must hold of cover in the end, by the truth and the definitions alone: P1 to P4.

use std::collections::{BTreeMap, BTreeSet};

use super::invariants::{Invariant, Violation};
use super::judge::{self, Refusal, refusal};
use super::make::FOREIGN;
use super::view::View;
use crate::cover::{CheckedNode, CheckedPod, check};
use crate::model::{Node, NodeName, Pod, Resources};
use crate::placement::{BACKUP_NODE_ANNOTATION, HANDOVER_TAINT, NodeSlot, is_backup};
use crate::state::State;

/// How much a pod that asks for all the nodes have.
pub(super) fn amounts(resources: &Resources) -> [i64; 4] {
    let scalars = resources.scalars.iter().map(|(_, amount)| amount).sum();
    [resources.cpu.0, resources.memory.0, resources.ephemeral_storage.0, scalars]
}

pub(super) fn plus(a: [i64; 4], b: [i64; 4]) -> [i64; 4] {
    std::array::from_fn(|idx| a[idx] + b[idx])
}

/// The cluster as it came to rest.
struct Covering<'a> {
    state: &'a State,
    truth: &'a View,
    /// Whether delays are measured: then they go stale as nobody measures any more.
    measured: bool,
}

/// Everything has come to rest, and every pod that can be is covered.
pub(super) fn in_the_end(state: &State, truth: &View, measured: bool) -> Result<(), Violation> {
    let covering = Covering { state, truth, measured };
    for (pod, node) in covering.pods() {
        if truth.suspects.contains(node) {
            // Whoever is on a node that failed is needed elsewhere, not covered.
            continue;
        }
        let found = match backup_of(pod) {
            Some(backup) => covering.is_right(pod, node, &backup),
            None => covering.has_none_for_good_reason(pod, node),
        };
        found.map_err(|what| violation(format!("{} on {node}: {what}", pod.key)))?;
    }
    covering.is_over()?;
    covering.reserves()
}

// === impl Covering ===

impl Covering<'_> {
    /// The pods that are to be covered.
    fn pods(&self) -> impl Iterator<Item = (&Pod, &NodeName)> {
        self.truth.placed().filter(|(pod, _)| is_to_be_covered(pod))
    }

    fn is_right(&self, pod: &Pod, node: &NodeName, backup: &NodeName) -> Result<(), String> {
        if node == backup {
            return Err("its backup is on its own node".to_owned());
        }
        let Some(there) = self.truth.nodes.get(backup).filter(|it| self.is_alive(it)) else {
            return Err(format!("its backup is on {backup}, which is not alive"));
        };
        match refusal(&self.after_loss(pod, node), pod, there) {
            None => Ok(()),
            Some(Refusal::Delay(_)) if self.measured => Ok(()),
            Some(why) => Err(format!("its backup is on {backup}: {why:?}")),
        }
    }

    fn has_none_for_good_reason(&self, pod: &Pod, node: &NodeName) -> Result<(), String> {
        let after = self.after_loss(pod, node);
        let others = self.truth.nodes.values().filter(|it| it.name != *node && self.is_alive(it));
        let mut fitting =
            others.filter(|it| refusal(&after, pod, it).is_none() && self.has_room(pod, node, it));
        match fitting.find(|it| !self.is_closed(it)) {
            None => Ok(()),
            Some(other) => Err(format!("it has no backup, and {} could be it", other.name)),
        }
    }

    /// Nobody is awaited any more, and no node is kept for anybody.
    fn is_over(&self) -> Result<(), Violation> {
        let is_closed = |node: &&Node| node.taints.iter().any(|taint| &*taint.key == HANDOVER_TAINT);
        if let Some(node) = self.truth.nodes.values().find(is_closed) {
            return Err(violation(format!("{} still has the taint of a handover", node.name)));
        }
        let holds: Vec<_> = self.state.snapshot().backups.holds.standing().collect();
        // Who is on a node that failed ends when somebody says that it is off.
        let is_moving = self.state.moving() > 0 && self.truth.suspects.is_empty();
        if is_moving || !holds.is_empty() {
            return Err(violation(format!("{} are moved, and {holds:?} stand", self.state.moving())));
        }
        Ok(())
    }

    fn is_alive(&self, node: &Node) -> bool {
        is_open(node) && !self.truth.suspects.contains(&node.name)
    }

    /// Whether the scheduler makes no backups on a node for a while, as its kubelet refused one.
    fn is_closed(&self, node: &Node) -> bool {
        let snapshot = self.state.snapshot();
        let slot = snapshot.nodes.slot(node.name.as_str());
        slot.is_some_and(|slot| snapshot.backups.closed.contains(&slot))
    }

    /// The cluster without a node, its pods where their backups are, and nowhere the pod itself or a backup.
    fn after_loss(&self, pod: &Pod, lost: &NodeName) -> View {
        let mut after = self.truth.clone();
        after.pods.retain(|uid, other| {
            let stays =
                other.node.as_ref() != Some(lost) || (is_to_be_covered(other) && backup_of(other).is_some());
            *uid != pod.uid && !is_backup(other) && stays
        });
        for other in after.pods.values_mut().filter(|other| other.node.as_ref() == Some(lost)) {
            other.node = backup_of(other);
        }
        after
    }

    /// What pods other than backups request on a node.
    fn requested(&self, node: &NodeName) -> Resources {
        let mut sum = Resources::default();
        let here = self.truth.placed().filter(|(pod, on)| *on == node && !is_backup(pod));
        here.for_each(|(pod, _)| sum.add(&pod.requests));
        sum
    }

    fn held(&self, node: &NodeName) -> Resources {
        let mut sum = Resources::default();
        let here = self.truth.placed().filter(|(pod, on)| *on == node && is_backup(pod) && !pod.terminating);
        here.for_each(|(pod, _)| sum.add(&pod.requests));
        sum
    }

    /// What a node would have to reserve if it covered this pod too.
    fn reserve(&self, node: &NodeName, too: Option<(&Pod, &NodeName)>) -> [i64; 4] {
        let mut by_primary: BTreeMap<&NodeName, Resources> = BTreeMap::new();
        let covered = self.pods().filter(|(pod, _)| backup_of(pod).as_ref() == Some(node));
        for (pod, primary) in covered.chain(too) {
            by_primary.entry(primary).or_default().add(&pod.requests);
        }
        let sums = by_primary.values().map(amounts);
        sums.reduce(|a, b| std::array::from_fn(|idx| a[idx].max(b[idx]))).unwrap_or_default()
    }

    fn has_room(&self, pod: &Pod, primary: &NodeName, node: &Node) -> bool {
        let has = amounts(&node.allocatable);
        let taken = amounts(&self.requested(&node.name));
        let [now, then] = [None, Some((pod, primary))].map(|too| self.reserve(&node.name, too));
        let grows = (0..4).all(|idx| then[idx] == now[idx] || taken[idx] + then[idx] <= has[idx]);
        let pods = self.truth.placed().filter(|(_, on)| **on == node.name).count();
        // A backup takes a place among the pods of its node.
        grows && i64::try_from(pods).unwrap() < node.allowed_pods
    }

    /// Whether others leave less on a node than it would have to reserve.
    fn is_overfull(&self, node: &Node) -> bool {
        let (has, taken) = (amounts(&node.allocatable), amounts(&self.requested(&node.name)));
        let needed = self.reserve(&node.name, None);
        (0..4).any(|idx| taken[idx] + needed[idx] > has[idx])
    }

    /// P2 to P4, by the checker; and no backup is there that can be done without.
    fn reserves(&self) -> Result<(), Violation> {
        let slots: BTreeMap<&NodeName, NodeSlot> = self.truth.nodes.keys().zip((0..).map(NodeSlot)).collect();
        let of_node = |node: &Node| {
            // Where others have more than there is, nothing may be reserved beside them.
            let mut requested = self.requested(&node.name);
            requested.subtract(&requested.clone().exceeding(&node.allocatable));
            CheckedNode {
                node: slots[&node.name],
                alive: self.is_alive(node),
                allocatable: node.allocatable.clone(),
                requested,
                reserve: self.held(&node.name),
            }
        };
        let nodes: Vec<CheckedNode> = self.truth.nodes.values().map(of_node).collect();
        let of_pod = |(pod, node): (&Pod, &NodeName)| {
            let backup = backup_of(pod)?;
            let there = self.truth.nodes.get(&backup);
            let can_not_be = there.is_some_and(|it| !self.is_alive(it) || self.is_overfull(it));
            // Who is on a node that failed is needed elsewhere, wherever its backup was, and is given no other one.
            if self.truth.suspects.contains(node) && can_not_be {
                return None;
            }
            let backup = *slots.get(&backup)?;
            Some(CheckedPod {
                pod: pod.uid.clone(),
                primary: slots.get(node).copied().unwrap_or(NodeSlot(u32::MAX)),
                backup: Some(backup),
                allowed: BTreeSet::from([backup]),
                demand: pod.requests.clone(),
            })
        };
        let pods: Vec<CheckedPod> = self.pods().filter_map(of_pod).collect();
        if let Some(found) = check(&pods, &nodes).first() {
            return Err(violation(format!("{found}; the nodes are {slots:?}")));
        }
        // Where delays are measured they have gone stale by now, and so has what was covered by them.
        for name in slots.keys().filter(|_| !self.measured) {
            let (held, needed) = (amounts(&self.held(name)), self.reserve(name, None));
            let here =
                self.truth.placed().filter(|(pod, on)| on == name && is_backup(pod) && !pod.terminating);
            for (piece, _) in here {
                let piece = amounts(&piece.requests);
                if (0..4).all(|idx| held[idx] - piece[idx] >= needed[idx]) {
                    let what =
                        format!("{name} holds {held:?} and needs {needed:?}, one backup has {piece:?}");
                    return Err(violation(what));
                }
            }
        }
        Ok(())
    }
}

pub(super) fn is_to_be_covered(pod: &Pod) -> bool {
    let wants = match pod.annotations.get("kubectl-edge.dev/backup") {
        Some(said) => said == "true",
        None => judge::asks_for_delays(pod),
    };
    &*pod.scheduler_name != FOREIGN && wants && !pod.terminating && !is_backup(pod)
}

fn backup_of(pod: &Pod) -> Option<NodeName> {
    pod.annotations.get(BACKUP_NODE_ANNOTATION).map(NodeName::from)
}

/// Whether a node takes backups by what the cluster says of it.
fn is_open(node: &Node) -> bool {
    !node.unschedulable && node.taints.iter().all(|taint| !taint.key.starts_with("node.kubernetes.io/"))
}

pub(super) fn violation(what: String) -> Violation {
    Violation { invariant: Invariant::Cover, what }
}
