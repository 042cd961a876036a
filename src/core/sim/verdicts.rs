//! What is thought of nodes in the end, and who is left on those that failed.

use super::invariants::{Invariant, Violation};
use super::make::{FAST, FOREIGN};
use super::run::Run;
use super::view::View;
use crate::health::Verdict;
use crate::model::{NodeName, Pod};
use crate::state::State;

// === impl Run ===

impl Run {
    /// Nothing has failed or come back for a while.
    pub(super) fn health_in_the_end(&self, state: &State, truth: &View) -> Result<(), Violation> {
        let health = state.health();
        let verdicts = |name: &NodeName| health.unwell.iter().find(|(it, _)| it == name).map(|(_, it)| *it);
        let off = |name: &NodeName| self.world.machines.get(name).is_some_and(|it| it.off.is_some());
        let names = self.world.machines.names();
        let many = names.iter().filter(|name| off(name)).count();
        // Nobody is left who could tell.
        let unknown = many + 1 > names.len();
        for name in names.iter().filter(|_| !unknown) {
            let verdict = verdicts(name);
            if off(name) && !self.world.server.leases.contains_key(name) {
                // It has never been heard of, so nobody can miss it.
                continue;
            }
            let is_right = if off(name) { verdict.is_some_and(Verdict::is_lost) } else { verdict.is_none() };
            if !is_right {
                let what = format!("{name} is off: {}, and thought to be {verdict:?}", off(name));
                return violated(Invariant::Verdict, what);
            }
        }
        // Where under half of the agents are heard, somebody has to confirm.
        if many * 2 >= names.len() {
            return Ok(());
        }
        if let Some(frozen) = health.frozen {
            let what = format!("{many} of {} machines are off, and all is frozen: {frozen:?}", names.len());
            return violated(Invariant::Verdict, what);
        }
        let is_left = |pod: &&Pod| {
            pod.node.as_ref().is_some_and(|node| off(node) && self.world.server.leases.contains_key(node))
                && may_go(pod)
                && !self.refused.contains(&pod.uid)
        };
        match truth.pods.values().find(is_left) {
            None => Ok(()),
            Some(pod) => violated(Invariant::LeftBehind, format!("{} is left on {:?}", pod.key, pod.node)),
        }
    }
}

/// Whether a pod goes when its node is lost: by what its manifest says.
pub(super) fn may_go(pod: &Pod) -> bool {
    let of_replica_set = pod.owner.as_ref().is_some_and(|owner| &*owner.kind == "ReplicaSet");
    let tolerates_all = pod.tolerations.iter().any(|it| it.key.is_empty());
    let stays = pod.annotations.get(FAST.0) == Some("false") || tolerates_all;
    of_replica_set
        && !stays
        && &*pod.scheduler_name != FOREIGN
        && !pod.terminating
        && !pod.phase.is_terminal()
}

fn violated(invariant: Invariant, what: String) -> Result<(), Violation> {
    Err(Violation { invariant, what })
}
