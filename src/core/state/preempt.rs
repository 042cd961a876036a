//! What is done for pods that fit nowhere: nominations and preemptions (upstream: `schedule_one.go`,
//! `handleSchedulingFailure`; `framework/preemption/executor.go`).

use std::sync::Arc;

use super::{
    Action, NominatedNode, PodRef, PreemptOutcome, Preempted, Preemption, Queued, ReportReason, State,
    Victim, queue,
};
use crate::model::{NodeName, Pod, PodUid, Time};
use crate::placement::{Candidate, ClusterEvent, FitError, NodeSlot, Nomination};

// === impl State ===

impl State {
    /// The pod fits nowhere. It waits for a cure, which may be that others are taken away for it.
    pub(super) fn park(&mut self, mut queued: Queued, fit_error: FitError, now: Time) {
        queued.unschedulable_count += 1;
        queued.error_count = 0;
        let mut message = fit_error.to_string();
        let FitError { diagnosis, mut nomination, num_nodes: _ } = fit_error;
        let pod = Arc::clone(&queued.pod);
        if let Some(said) = self.begin_to_make_room(&queued, &diagnosis, now) {
            // Nobody has to go for good where others can be elsewhere.
            message = format!("{message} {said}");
            nomination = Nomination::Keep;
        }
        match nomination {
            Nomination::Keep => self.report(&mut queued, ReportReason::Unschedulable, message),
            Nomination::GiveUp => {
                self.denominate(&pod, None, now);
                self.report(&mut queued, ReportReason::Unschedulable, message);
            }
            Nomination::Preempt(candidate) => {
                self.nominate(&pod, candidate.slot, now);
                self.report(&mut queued, ReportReason::Unschedulable, message);
                self.preempt(&pod, candidate, now);
            }
        }
        self.queue.add_unschedulable(queued, diagnosis.plugins, now);
    }

    // --- preempting ---

    fn preempt(&mut self, pod: &Pod, candidate: Candidate, now: Time) {
        let Candidate { slot, node, victims, violations: _ } = candidate;
        self.denominate_below(pod.priority, slot, now);
        // What is going already is not asked to go once more.
        let victims: Vec<Victim> =
            victims.iter().filter(|victim| !victim.terminating).map(|victim| Victim::of(victim)).collect();
        if victims.is_empty() {
            return;
        }
        let uids = victims.iter().map(|victim| victim.pod.uid.clone());
        self.preemptions.begin(pod.uid.clone(), pod.key.clone(), uids);
        let scheduler_name = pod.scheduler_name.clone();
        let preemption = Preemption { preemptor: PodRef::of(pod), scheduler_name, node, victims };
        self.actions.push_back(Action::Preempt(preemption));
    }

    pub(super) fn apply_preempted(&mut self, preemption: &Preemption, outcome: PreemptOutcome, now: Time) {
        let Preemption { preemptor, scheduler_name, node, victims: _ } = preemption;
        let PreemptOutcome { deleted, failed } = outcome;
        for victim in deleted {
            self.actions.push_back(Action::AnnouncePreempted(Preempted {
                victim,
                preemptor: preemptor.clone(),
                scheduler_name: scheduler_name.clone(),
                node: node.clone(),
            }));
        }
        // Otherwise the watch will tell that the victims go.
        if failed && self.preemptions.is_running(&preemptor.uid) {
            self.preemptions.end(&preemptor.uid);
            let waits = self.queue.get(&preemptor.key).is_some_and(|it| it.pod.uid == preemptor.uid);
            // A server that refuses must not be stormed, so this is an error and always waited out.
            if waits && let Some(mut queued) = self.queue.remove(&preemptor.key) {
                queued.error_count += 1;
                self.queue.add_after_error(queued, self.config.backoff, now);
            }
        }
    }

    /// A pod goes, or is gone: no pod needs to wait for that any more.
    pub(super) fn pod_goes(&mut self, uid: &PodUid, now: Time) {
        for key in self.preemptions.goes(uid) {
            self.queue.requeue(&key, queue::POD_DELETE, self.config.backoff, now);
        }
    }

    // --- nominations ---

    /// The pod is nominated to the node.
    pub(super) fn nominate(&mut self, pod: &Arc<Pod>, slot: NodeSlot, now: Time) {
        if self.snapshot.nominations.of(&pod.uid) == Some(slot) {
            self.snapshot.nominations.update(pod);
            return;
        }
        self.denominate(pod, None, now);
        self.snapshot.nominations.put(Arc::clone(pod), slot);
    }

    /// The pod is nominated to no node any more, because it goes to `to` or for another reason. Others that
    /// left room for it may have that now.
    pub(super) fn denominate(&mut self, pod: &Pod, to: Option<NodeSlot>, now: Time) {
        let from = self.snapshot.nominations.of(&pod.uid);
        let Some(nominated) = self.snapshot.nominations.remove(&pod.uid) else { return };
        if from != to {
            self.wake_up_to(&ClusterEvent::PodFreed(&nominated), nominated.priority, now);
        }
    }

    /// Pods of lower priority that are nominated to the node may not fit there beside the pod that comes, so
    /// they look for another one at once.
    fn denominate_below(&mut self, priority: i32, slot: NodeSlot, now: Time) {
        let below = self.snapshot.nominations.on(slot).iter().filter(|pod| pod.priority < priority);
        for pod in below.cloned().collect::<Vec<_>>() {
            self.denominate(&pod, None, now);
            self.actions.push_back(Action::Nominate(PodRef::of(&pod), None));
            self.queue.set_nomination_told(&pod.key, true);
            self.requeue(&pod.key, queue::POD_DELETE, now);
        }
    }

    /// The watch tells where a waiting pod is nominated to. What was decided here and is not told yet stays,
    /// so only a change counts (upstream: `nominator.UpdateNominatedPod`). A pod that a gate holds is in
    /// nobody's way.
    pub(super) fn told_nomination(&mut self, old: Option<&Pod>, pod: &Arc<Pod>, now: Time) {
        let told = |pod: &Pod| pod.nominated_node.clone().filter(|_| pod.gates.is_empty());
        let (before, node) = (old.and_then(told), told(pod));
        if node == before {
            self.snapshot.nominations.update(pod);
        } else if let Some(node) = &node {
            let slot = self.snapshot.nodes.slot_of(node);
            self.nominate(pod, slot, now);
        } else {
            self.denominate(pod, None, now);
        }
        if self.nominated_node(&pod.uid) == pod.nominated_node {
            self.queue.set_nomination_told(&pod.key, false);
        }
    }

    /// What has to be written of the pod's nomination, if anything. One that was written and that the watch
    /// has not told of yet may not be the last word, so it is written again.
    pub(super) fn nomination_to_write(&self, queued: &Queued) -> NominatedNode {
        let pod = &queued.pod;
        let node = self.nominated_node(&pod.uid);
        if node == pod.nominated_node && !queued.nomination_told {
            return NominatedNode::Unchanged;
        }
        node.map_or(NominatedNode::None, NominatedNode::Is)
    }

    fn nominated_node(&self, uid: &PodUid) -> Option<NodeName> {
        self.snapshot.nominations.of(uid).and_then(|slot| self.snapshot.nodes.name(slot)).cloned()
    }
}
