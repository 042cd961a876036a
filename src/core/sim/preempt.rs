//! Pods that are taken away for others, and nominations.

use super::invariants::{self, Violation};
use super::network::TIMEOUT;
use super::run::{Run, Step};
use super::trace::Sight;
use crate::state::{Event, NominatedNode, PodRef, PreemptOutcome, Preemption};

// === impl Run ===

impl Run {
    /// The scheduler wants pods taken away. Their deletion may fail, in part or as a whole, and it may be that
    /// nobody hears of it.
    pub(super) fn send_preemption(&mut self, preemption: Preemption) -> Result<(), Violation> {
        self.trace.saw(Sight::Preemption);
        invariants::may_preempt(&self.view, &preemption)?;
        let faults = &self.faults.request;
        let (refused, cut_short, lost) = (faults.error_before, faults.error_after, faults.reply_lost);
        let in_all = preemption.victims.len();
        let reach = if self.rng.chance(refused) {
            0
        } else if self.rng.chance(cut_short) {
            self.rng.below(in_all)
        } else {
            in_all
        };
        let is_lost = self.rng.chance(lost);
        self.plan_in(1, 100, Step::Preempt { incarnation: self.incarnation, preemption, reach, is_lost });
        Ok(())
    }

    /// The deletions reach the server, the first so many of them.
    pub(super) fn preempt(&mut self, incarnation: u32, preemption: Preemption, reach: usize, is_lost: bool) {
        let server = &mut self.world.server;
        let mut deleted = Vec::new();
        for victim in preemption.victims.iter().take(reach) {
            let key = &victim.pod.key;
            let Some(pod) = server.pods.get(key).filter(|pod| pod.uid == victim.pod.uid) else { continue };
            deleted.push(victim.pod.clone());
            if pod.node.is_none() {
                server.remove_pod(key);
            } else {
                server.update_pod(key, |pod| (pod.terminating, pod.preempted) = (true, true));
            }
        }
        let failed = is_lost || reach < preemption.victims.len();
        let outcome = if is_lost {
            self.trace.saw(Sight::PreemptionOfUnknownOutcome);
            PreemptOutcome { deleted: Vec::new(), failed }
        } else {
            PreemptOutcome { deleted, failed }
        };
        let at = if is_lost { self.now + TIMEOUT } else { self.now + self.rng.millis(1, 50) };
        self.plan(at, Step::Tell(incarnation, Event::Preempted(preemption, outcome)));
    }

    /// The scheduler writes a pod's status. The writes of all pods arrive in their order.
    pub(super) fn write_status(&mut self, pod: PodRef, nominated: NominatedNode) {
        self.status_at = self.status_at.max(self.now + self.rng.millis(1, 100));
        self.plan(self.status_at, Step::WriteStatus(pod, nominated));
    }
}
