//! Room that backups leave to pods that can go nowhere else: those of a DaemonSet, and those for which others were taken
//! away on a node. They may be of any scheduler, and they wait.

use std::collections::{BTreeMap, HashSet};

use crate::model::{NodeName, NodeSelector, Pod, PodUid, Resources};
use crate::placement::{self, NodeSlot};
use crate::state::State;

/// The pods that wait for one node alone.
#[derive(Debug, Default)]
pub(super) struct Owed {
    pods: BTreeMap<PodUid, (NodeSlot, Resources)>,
}

// === impl State ===

impl State {
    /// The watch tells of a pod.
    pub(in crate::state) fn owe(&mut self, pod: &Pod) {
        let slot = target(pod).map(|node| self.snapshot.nodes.slot_of(&node));
        let new = slot.map(|slot| (slot, pod.requests.clone()));
        let old = match &new {
            Some(new) => self.cover.owed.pods.insert(pod.uid.clone(), new.clone()),
            None => self.cover.owed.pods.remove(&pod.uid),
        };
        if old != new {
            self.sum_up_owed(old.into_iter().chain(new).map(|(slot, _)| slot));
        }
    }

    /// A pod is gone.
    pub(in crate::state) fn owe_no_more(&mut self, uid: &PodUid) {
        if let Some((slot, _)) = self.cover.owed.pods.remove(uid) {
            self.sum_up_owed([slot].into_iter());
        }
    }

    /// All pods there are were told; the others are gone.
    pub(in crate::state) fn owe_listed(&mut self, listed: &HashSet<PodUid>) {
        let gone = self.cover.owed.pods.keys().filter(|uid| !listed.contains(*uid));
        for uid in gone.cloned().collect::<Vec<_>>() {
            self.owe_no_more(&uid);
        }
    }

    fn sum_up_owed(&mut self, slots: impl Iterator<Item = NodeSlot>) {
        for slot in slots {
            let mut owed = placement::Owed::default();
            let here = self.cover.owed.pods.values().filter(|(target, _)| *target == slot);
            for (_, requests) in here {
                owed.requests.add(requests);
                owed.pods += 1;
            }
            if owed.pods == 0 {
                self.snapshot.backups.owed.remove(&slot);
            } else {
                self.snapshot.backups.owed.insert(slot, owed);
            }
            self.cover.nodes_due.insert(slot);
        }
    }
}

/// The only node that a waiting pod can go to.
fn target(pod: &Pod) -> Option<NodeName> {
    if pod.node.is_some() || pod.terminating || pod.phase.is_terminal() || !pod.gates.is_empty() {
        return None;
    }
    let of_daemon_set = pod.owner.as_ref().is_some_and(|owner| &*owner.kind == "DaemonSet");
    let names =
        pod.node_affinity.required.as_ref().filter(|_| of_daemon_set).and_then(NodeSelector::node_names);
    let only =
        names.filter(|names| names.len() == 1).and_then(|names| names.first().map(ToString::to_string));
    only.map(NodeName::new).or_else(|| pod.nominated_node.clone())
}
