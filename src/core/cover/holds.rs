//! Holds: room on a node for pods that are to come there.

use std::collections::BTreeMap;

use crate::model::{PodUid, Resources, Time};
use crate::placement::{NodeSlot, WorkloadRef};

/// Room on a node for the pod that comes in another one's place: the next one of the same workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The workload at the top, so that a pod of a rollout's new ReplicaSet counts too.
    pub owner: WorkloadRef,
    /// The node.
    pub node: NodeSlot,
    /// The room: what the pod requested that goes.
    pub demand: Resources,
    /// When it ends, whether or not somebody came.
    pub until: Time,
}

/// So many may come for a hold in vain before it ends: a kubelet that refuses every pod is not asked again and again.
const COMES_IN_VAIN: u32 = 4;

/// The holds, each by the UID of the pod that goes.
///
/// A hold stands until somebody comes for it. What is held for one who has come is counted by what that one requests;
/// the hold is kept nevertheless until it ends, in case he has to go again.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    by_pod: BTreeMap<PodUid, Entry>,
    /// By node, what the standing ones hold together.
    sums: BTreeMap<NodeSlot, Resources>,
}

#[derive(Clone, Debug)]
struct Entry {
    hold: Hold,
    /// Who came for it.
    taken_by: Option<PodUid>,
    /// How often somebody came in vain.
    in_vain: u32,
}

// === impl Holds ===

impl Holds {
    /// Enters a hold for whoever comes in place of `pod`; gives back the one that there was.
    pub fn put(&mut self, pod: PodUid, hold: Hold) -> Option<Hold> {
        let before = self.remove(&pod);
        let node = hold.node;
        self.by_pod.insert(pod, Entry { hold, taken_by: None, in_vain: 0 });
        self.sum_up(node);
        before
    }

    /// Ends the hold for whoever comes in place of `pod`.
    pub fn remove(&mut self, pod: &PodUid) -> Option<Hold> {
        let Entry { hold, .. } = self.by_pod.remove(pod)?;
        self.sum_up(hold.node);
        Some(hold)
    }

    /// The hold for whoever comes in place of `pod`, taken or not.
    pub fn of(&self, pod: &PodUid) -> Option<&Hold> {
        self.by_pod.get(pod).map(|entry| &entry.hold)
    }

    /// Whether there is none, taken or not.
    pub fn is_empty(&self) -> bool {
        self.by_pod.is_empty()
    }

    /// The holds that nobody has come for, by the UID of the pod that goes.
    pub fn standing(&self) -> impl Iterator<Item = (&PodUid, &Hold)> {
        let standing = self.by_pod.iter().filter(|(_, entry)| entry.taken_by.is_none());
        standing.map(|(pod, entry)| (pod, &entry.hold))
    }

    /// What is held on a node, and nobody has come for yet.
    pub fn sum(&self, node: NodeSlot) -> Resources {
        self.sums.get(&node).cloned().unwrap_or_default()
    }

    /// The nodes on which something is held that nobody has come for yet.
    pub fn nodes(&self) -> impl Iterator<Item = NodeSlot> {
        self.sums.keys().copied()
    }

    /// Somebody comes for the hold in place of `pod`; whether it stood.
    pub fn take(&mut self, pod: &PodUid, by: &PodUid) -> bool {
        let Some(entry) = self.by_pod.get_mut(pod).filter(|entry| entry.taken_by.is_none()) else {
            return false;
        };
        entry.taken_by = Some(by.clone());
        let node = entry.hold.node;
        self.sum_up(node);
        true
    }

    /// The pods that came for holds, and the nodes of these.
    pub fn takers(&self) -> impl Iterator<Item = (&PodUid, NodeSlot)> {
        self.by_pod.values().filter_map(|entry| Some((entry.taken_by.as_ref()?, entry.hold.node)))
    }

    /// The hold that this pod came for.
    pub fn taken_by(&self, by: &PodUid) -> Option<&Hold> {
        self.by_pod.values().find(|entry| entry.taken_by.as_ref() == Some(by)).map(|entry| &entry.hold)
    }

    /// Who had come for a hold has to go again: it stands for the next one, but not for ever. Gives the hold.
    pub fn give_back(&mut self, by: &PodUid) -> Option<Hold> {
        let (pod, entry) = self.by_pod.iter_mut().find(|(_, entry)| entry.taken_by.as_ref() == Some(by))?;
        entry.taken_by = None;
        entry.in_vain += 1;
        let (pod, hold, is_over) = (pod.clone(), entry.hold.clone(), entry.in_vain >= COMES_IN_VAIN);
        if is_over {
            self.by_pod.remove(&pod);
        }
        self.sum_up(hold.node);
        Some(hold)
    }

    /// Ends those whose time is over by `now`.
    pub fn end(&mut self, now: Time) -> Vec<Hold> {
        let over = self.by_pod.iter().filter(|(_, entry)| entry.hold.until <= now);
        let over: Vec<PodUid> = over.map(|(pod, _)| pod.clone()).collect();
        over.iter().filter_map(|pod| self.remove(pod)).collect()
    }

    /// When the next one ends.
    pub fn next_end(&self) -> Option<Time> {
        self.by_pod.values().map(|entry| entry.hold.until).min()
    }

    fn sum_up(&mut self, node: NodeSlot) {
        let mut sum: Option<Resources> = None;
        for (_, hold) in self.standing().filter(|(_, hold)| hold.node == node) {
            sum.get_or_insert_with(Resources::default).add(&hold.demand);
        }
        match sum {
            Some(sum) => _ = self.sums.insert(node, sum),
            None => _ = self.sums.remove(&node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MilliCpu;

    fn hold(node: u32, cpu: i64, until: u64) -> Hold {
        let owner =
            WorkloadRef { kind: "Deployment".into(), namespace: "default".into(), name: "web".into() };
        let demand = Resources { cpu: MilliCpu(cpu), ..Resources::default() };
        let until = Time::ZERO + std::time::Duration::from_secs(until);
        Hold { owner, node: NodeSlot(node), demand, until }
    }

    fn uid(text: &str) -> PodUid {
        PodUid::new(text)
    }

    #[test]
    fn what_nobody_has_come_for_is_held() {
        let mut holds = Holds::default();
        holds.put(uid("a"), hold(1, 3, 30));
        holds.put(uid("b"), hold(1, 2, 20));
        holds.put(uid("c"), hold(2, 1, 30));
        let sum = |holds: &Holds, node: u32| holds.sum(NodeSlot(node)).cpu.0;
        assert_eq!((sum(&holds, 1), sum(&holds, 2)), (5, 1));
        assert!(holds.take(&uid("a"), &uid("x")) && !holds.take(&uid("a"), &uid("y")));
        assert_eq!(sum(&holds, 1), 2);
        assert_eq!(holds.taken_by(&uid("x")), Some(&hold(1, 3, 30)));
        assert_eq!(holds.give_back(&uid("x")), Some(hold(1, 3, 30)));
        assert_eq!((sum(&holds, 1), holds.give_back(&uid("x"))), (5, None));
        let at = |seconds| Time::ZERO + std::time::Duration::from_secs(seconds);
        assert_eq!(holds.next_end(), Some(at(20)));
        assert_eq!(holds.end(at(20)), [hold(1, 2, 20)]);
        assert_eq!(sum(&holds, 1), 3);
        assert_eq!(holds.end(at(30)).len(), 2);
        assert!(holds.is_empty() && holds.nodes().next().is_none());
    }
}
