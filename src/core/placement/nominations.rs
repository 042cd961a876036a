//! Pods that are to go to a node as soon as others have made room (upstream: `backend/queue/nominator.go`).

use std::collections::HashMap;
use std::sync::Arc;

use super::NodeSlot;
use crate::model::{Pod, PodUid};

/// The nominated pods, by node. A pod is nominated to one node at most.
///
/// What is decided here holds at once; that the pod's status says the same takes a write and the watch.
#[derive(Debug, Default)]
pub struct Nominations {
    by_slot: HashMap<NodeSlot, Vec<Arc<Pod>>>,
    by_uid: HashMap<PodUid, NodeSlot>,
}

// === impl Nominations ===

impl Nominations {
    /// The node that a pod is nominated to.
    pub fn of(&self, uid: &PodUid) -> Option<NodeSlot> {
        self.by_uid.get(uid).copied()
    }

    /// The pods that are nominated to a node, in the order in which they were.
    pub fn on(&self, slot: NodeSlot) -> &[Arc<Pod>] {
        self.by_slot.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// Those nominated to a node that `pod` has to leave room for: others of its priority or a higher one.
    pub fn ahead_of<'a>(&'a self, pod: &'a Pod, slot: NodeSlot) -> impl Iterator<Item = &'a Arc<Pod>> {
        self.on(slot).iter().filter(|other| other.priority >= pod.priority && other.uid != pod.uid)
    }

    /// How many pods are nominated.
    pub fn len(&self) -> usize {
        self.by_uid.len()
    }

    /// Whether no pod is nominated.
    pub fn is_empty(&self) -> bool {
        self.by_uid.is_empty()
    }

    /// Nominates a pod to a node and to no other any more.
    pub fn put(&mut self, pod: Arc<Pod>, slot: NodeSlot) {
        self.remove(&pod.uid);
        self.by_uid.insert(pod.uid.clone(), slot);
        self.by_slot.entry(slot).or_default().push(pod);
    }

    /// Replaces what is known of a pod, if it is nominated.
    pub fn update(&mut self, pod: &Arc<Pod>) {
        let Some(pods) = self.by_uid.get(&pod.uid).and_then(|slot| self.by_slot.get_mut(slot)) else {
            return;
        };
        for known in pods.iter_mut().filter(|known| known.uid == pod.uid) {
            *known = Arc::clone(pod);
        }
    }

    /// Nominates a pod no longer; gives it back as it was known.
    pub fn remove(&mut self, uid: &PodUid) -> Option<Arc<Pod>> {
        let slot = self.by_uid.remove(uid)?;
        let pods = self.by_slot.get_mut(&slot)?;
        let idx = pods.iter().position(|pod| pod.uid == *uid)?;
        let pod = pods.remove(idx);
        if pods.is_empty() {
            self.by_slot.remove(&slot);
        }
        Some(pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::testing::pod;

    fn with_priority(name: &str, priority: i32) -> Arc<Pod> {
        Arc::new(Pod { priority, ..pod(name).build() })
    }

    fn names<'a>(pods: impl IntoIterator<Item = &'a Arc<Pod>>) -> String {
        pods.into_iter().map(|pod| &*pod.key.name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_pod_is_nominated_to_one_node() {
        let (mut nominations, a) = (Nominations::default(), with_priority("a", 1));
        nominations.put(Arc::clone(&a), NodeSlot(0));
        nominations.put(Arc::clone(&a), NodeSlot(1));
        assert_eq!([0, 1].map(|slot| names(nominations.on(NodeSlot(slot)))), ["", "a"]);
        assert_eq!((nominations.of(&a.uid), nominations.len()), (Some(NodeSlot(1)), 1));
        nominations.update(&with_priority("a", 7));
        assert_eq!(nominations.on(NodeSlot(1)).first().map(|pod| pod.priority), Some(7));
        nominations.update(&with_priority("b", 7));
        assert_eq!(nominations.remove(&a.uid).map(|pod| pod.priority), Some(7));
        assert!(nominations.is_empty() && nominations.by_slot.is_empty());
        assert_eq!(nominations.remove(&a.uid), None);
    }

    #[test]
    fn a_pod_leaves_room_for_others_of_its_priority_and_above() {
        let mut nominations = Nominations::default();
        for (name, priority) in [("low", 1), ("own", 2), ("same", 2), ("high", 3)] {
            nominations.put(with_priority(name, priority), NodeSlot(0));
        }
        let own = with_priority("own", 2);
        assert_eq!(names(nominations.ahead_of(&own, NodeSlot(0))), "same high");
        assert_eq!(names(nominations.ahead_of(&own, NodeSlot(1))), "");
    }
}
