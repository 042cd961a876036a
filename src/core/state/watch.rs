//! What the watches say.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Change, Defect, Placed, Queued, State, Watched, queue};
use crate::model::{Node, NodeName, Pod, PodKey, PodUid, Time, Version};
use crate::placement::{ClusterEvent, PluginSet};

// === impl State ===

impl State {
    pub(super) fn apply_pods(&mut self, change: Change<Pod>, now: Time) {
        match change {
            Change::Reset(pods) => {
                let listed: HashSet<PodUid> = pods.iter().map(|pod| pod.uid.clone()).collect();
                if !self.has(Defect::EventLostOnReconnect) {
                    self.drop_unlisted(&listed, now);
                }
                self.owe_listed(&listed);
                for pod in pods {
                    self.put_pod(pod, now);
                }
                self.listed.insert(Watched::Pods);
            }
            Change::Put(pod) => self.put_pod(*pod, now),
            Change::Gone(pod) => self.pod_gone(&pod, now),
        }
    }

    pub(super) fn apply_nodes(&mut self, change: Change<Node>, now: Time) {
        match change {
            Change::Reset(nodes) => {
                let listed: HashSet<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
                let known =
                    self.snapshot.nodes.iter().map(|view| (view.node.name.clone(), view.node.version));
                let unlisted: Vec<_> = known.filter(|(name, _)| !listed.contains(name)).collect();
                for (name, version) in unlisted {
                    self.node_gone(&name, version, now);
                }
                for node in &nodes {
                    self.put_node(node, now);
                }
                self.listed.insert(Watched::Nodes);
            }
            Change::Put(node) => self.put_node(&node, now),
            Change::Gone(node) => {
                let known = self.snapshot.nodes.find(node.name.as_str());
                if known.is_none_or(|known| known.node.uid == node.uid) {
                    self.node_gone(&node.name, node.version, now);
                }
            }
        }
    }

    // --- nodes ---

    fn put_node(&mut self, node: &Node, now: Time) {
        // Versions compare across UIDs, so an old word of a node does not replace its successor.
        let known = self.snapshot.nodes.find(node.name.as_str()).map(|known| known.node.version);
        if known.is_some_and(|known| node.version.is_older_than(known)) || self.tombstones.has_node(node) {
            return;
        }
        self.note_node(node);
        let old = self.snapshot.nodes.put(node.clone());
        self.cover_node_changed(old.as_ref(), Some(node));
        if let Some(old) = old {
            if old.labels != node.labels {
                self.check_volumes(now);
            }
            self.wake(&ClusterEvent::NodeUpdated { old: &old, new: node }, now);
        } else {
            self.wake(&ClusterEvent::NodeAdded(node), now);
        }
        self.review_delays_of(&node.name, now);
    }

    fn node_gone(&mut self, name: &NodeName, version: Version, now: Time) {
        self.tombstones.bury_node(name.clone(), version, now);
        if let Some(node) = self.snapshot.nodes.remove(name.as_str()) {
            self.note_node_gone(name);
            self.cover_node_changed(Some(&node), None);
            self.wake(&ClusterEvent::NodeRemoved(&node), now);
            self.review_delays_of(name, now);
            self.check_volumes(now);
        }
    }

    // --- pods ---

    fn drop_unlisted(&mut self, listed: &HashSet<PodUid>, now: Time) {
        let waiting = self.queue.iter().filter(|queued| !listed.contains(&queued.pod.uid));
        let mut unlisted: Vec<Arc<Pod>> = waiting.map(|queued| queued.pod.clone()).collect();
        unlisted.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let placed = self.cache.missing_from(listed).into_iter();
        unlisted.extend(placed.filter(|pod| !self.is_backup_on_its_way(&pod.key)));
        for pod in unlisted {
            self.pod_gone(&pod, now);
        }
    }

    /// A pod is new or different.
    pub(super) fn put_pod(&mut self, pod: Pod, now: Time) {
        if self.tombstones.has_pod(&pod.uid) || self.is_outdated(&pod) {
            return;
        }
        self.backup_made(&pod, now);
        self.owe(&pod);
        if let Some(replaced) = self.known(&pod.key).filter(|known| known.uid != pod.uid) {
            self.pod_gone(&replaced, now);
        }
        if pod.phase.is_terminal() {
            self.pod_ended(&pod, now);
            self.backup_may_have_ended(&pod, now);
        } else if pod.node.is_some() {
            self.put_placed(pod, now);
        } else if self.profile_by_name.contains_key(&pod.scheduler_name) {
            self.put_waiting(pod, now);
        }
    }

    /// Whether something newer is known of the pod already.
    fn is_outdated(&self, pod: &Pod) -> bool {
        self.known(&pod.key).is_some_and(|known| {
            // A binding can't be taken back, so a word of the pod without a node is an old one.
            let unbound_again = known.uid == pod.uid && known.node.is_some() && pod.node.is_none();
            // Versions compare across UIDs, so an old word of a pod does not replace its successor.
            pod.version.is_older_than(known.version) || unbound_again
        })
    }

    fn known(&self, key: &PodKey) -> Option<Arc<Pod>> {
        let placed = self.cache.get(key).map(|placed| &placed.pod);
        placed.or_else(|| self.queue.get(key).map(|queued| &queued.pod)).cloned()
    }

    /// The server says that the pod is bound, by us or by another scheduler.
    fn put_placed(&mut self, pod: Pod, now: Time) {
        self.queue.remove(&pod.key);
        self.drop_resting_flight(&pod.uid);
        self.wait_for_room_no_more(&pod.uid, now);
        let Some(node) = &pod.node else { return };
        let slot = self.snapshot.nodes.slot_of(node);
        let pod = Arc::new(pod);
        self.preemptions.end(&pod.uid);
        self.denominate(&pod, Some(slot), now);
        let old = self.cache.put(&mut self.snapshot, Placed { pod: pod.clone(), slot, confirmed: true });
        self.cover_placed(&pod, slot, now);
        if self.profile_by_name.contains_key(&pod.scheduler_name) {
            self.bounds.put(&pod, slot, now);
        }
        if old.as_ref().is_none_or(|old| !old.confirmed) {
            self.note_successor(&pod, slot, now);
        }
        match old {
            None => self.wake(&ClusterEvent::PodPlaced(&pod), now),
            Some(old) if old.slot != slot => {
                self.wake(&ClusterEvent::PodFreed(&old.pod), now);
                self.wake(&ClusterEvent::PodPlaced(&pod), now);
            }
            Some(old) => {
                let begun = pod.terminating && !old.pod.terminating;
                if begun && self.has(Defect::CapacityFreedTwice) {
                    self.free_again(&pod, slot);
                }
                if begun || !is_equivalent(&old.pod, &pod) {
                    self.wake(&ClusterEvent::PodUpdated { old: &old.pod, new: &pod }, now);
                }
            }
        }
        if pod.terminating {
            self.note_pod_ends(&pod, slot, now);
            self.pod_goes(&pod.uid, now);
        }
    }

    /// The pod waits for us, if it isn't bound by a binding that the watch has not told of yet.
    fn put_waiting(&mut self, pod: Pod, now: Time) {
        if pod.terminating {
            // The server binds it no more, and had it been bound before, it would say so.
            self.pod_ended(&pod, now);
            return;
        }
        let pod = Arc::new(pod);
        let is_assumed = self.cache.get(&pod.key).is_some_and(|placed| placed.pod.uid == pod.uid);
        if self.flights.update(&pod) || is_assumed {
            return;
        }
        let Some(queued) = self.queue.get(&pod.key) else {
            self.told_nomination(None, &pod, now);
            self.enqueue(Queued::new(pod, now), queue::POD_ADD, now);
            return;
        };
        let old = Arc::clone(&queued.pod);
        self.told_nomination(Some(&old), &pod, now);
        if is_equivalent(&old, &pod) {
            self.queue.update(pod);
        } else if let Some(mut queued) = self.queue.remove(&pod.key) {
            queued.pod = pod;
            self.enqueue(queued, queue::POD_UPDATE, now);
        }
    }

    /// Puts a pod where it can be tried, or where its gates hold it, or its victims.
    pub(super) fn enqueue(&mut self, queued: Queued, cause: &'static str, now: Time) {
        let gated = self
            .profile(&queued.pod.scheduler_name)
            .is_some_and(|profile| profile.gate(&queued.pod).is_some());
        if gated {
            self.queue.add_gated(queued, cause, now);
        } else if self.preemptions.hold(&queued.pod.uid) {
            self.queue.add_unschedulable(queued, PluginSet::default(), now);
        } else {
            self.queue.add_active(queued, cause, now);
        }
    }

    /// Nothing will come of the pod any more, though it is still there. A late word of its earlier life must
    /// not bring it back; pods that were never known need no such care.
    fn pod_ended(&mut self, pod: &Pod, now: Time) {
        if self.known(&pod.key).is_some_and(|known| known.uid == pod.uid) {
            self.pod_gone(pod, now);
        }
    }

    /// The pod is deleted. A late word of it must not bring it back.
    pub(super) fn pod_gone(&mut self, pod: &Pod, now: Time) {
        self.tombstones.bury_pod(pod.uid.clone(), now);
        self.owe_no_more(&pod.uid);
        self.forget_pod(pod, now);
    }

    /// The pod needs and uses nothing any more.
    fn forget_pod(&mut self, pod: &Pod, now: Time) {
        if self.known(&pod.key).is_none_or(|known| known.uid != pod.uid) {
            return;
        }
        self.queue.remove(&pod.key);
        self.drop_resting_flight(&pod.uid);
        self.wait_for_room_no_more(&pod.uid, now);
        self.give_back_hold(&pod.uid, now);
        self.preemptions.end(&pod.uid);
        self.bounds.remove(&pod.uid);
        self.move_no_more(&pod.uid, now);
        self.denominate(pod, None, now);
        if let Some(freed) = self.cache.remove(&mut self.snapshot, &pod.key) {
            self.note_pod_ends(&freed.pod, freed.slot, now);
            self.cover_gone(&freed.pod, freed.slot, now);
            self.wake(&ClusterEvent::PodFreed(&freed.pod), now);
        }
        self.pod_goes(&pod.uid, now);
    }
}

/// Whether two readings of a pod are the same to the scheduler: the status may differ.
fn is_equivalent(old: &Pod, new: &Pod) -> bool {
    let Pod {
        key: _,
        uid: _,
        version: _,
        generation: _,
        node: _,
        phase: _,
        nominated_node: _,
        started: _,
        preempted: _,
        terminating,
        labels,
        annotations,
        owner,
        scheduler_name,
        priority,
        preempts,
        gates,
        requests,
        limits: _,
        non_zero,
        scored,
        ports,
        node_selector,
        node_affinity,
        pod_affinity,
        spread,
        tolerations,
        images,
        vmis,
        volumes,
        features,
        unsupported,
    } = old;
    *terminating == new.terminating
        && *labels == new.labels
        && *annotations == new.annotations
        && *owner == new.owner
        && *scheduler_name == new.scheduler_name
        && *priority == new.priority
        && *preempts == new.preempts
        && *gates == new.gates
        && *requests == new.requests
        && *non_zero == new.non_zero
        && *scored == new.scored
        && *ports == new.ports
        && *node_selector == new.node_selector
        && *node_affinity == new.node_affinity
        && *pod_affinity == new.pod_affinity
        && *spread == new.spread
        && *tolerations == new.tolerations
        && *images == new.images
        && *vmis == new.vmis
        && *volumes == new.volumes
        && *features == new.features
        && *unsupported == new.unsupported
}
