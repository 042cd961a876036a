//! DefaultPreemption (upstream: `plugins/defaultpreemption/default_preemption.go`,
//! `framework/preemption/preemption.go`).

mod dry_run;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use crate::model::Timestamp;
use crate::placement::{
    Candidate, Cycle, FitError, Plugin, PostFilter, Reason, Rejection, Resolvable, Unschedulable,
};
use dry_run::DryRun;

/// Finds a node on which a pod that fits nowhere would fit if pods of lower priority went, as few and as
/// unimportant ones as possible, and has them taken away.
///
/// The nodes are tried in turn, from one that the pod's UID decides, until there are so many candidates as
/// upstream would stop at. With up to a hundred nodes all of them are tried, as upstream, so that the
/// victims are the same; beyond, upstream begins at a random one and may choose others.
pub struct DefaultPreemption {
    /// How many candidates are enough, in percent of the nodes that could be made room on
    /// (`minCandidateNodesPercentage`).
    pub min_candidates_percentage: u32,
    /// And at least so many (`minCandidateNodesAbsolute`).
    pub min_candidates_absolute: u32,
}

/// How bad it is to make room on a node: the lesser one is better (upstream: `pickOneNodeForPreemption`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    /// How many victims break a budget.
    violations: usize,
    /// The highest priority of a victim.
    highest: i32,
    /// The sum of their priorities, each above the lowest possible one, so that each victim costs something.
    sum: i64,
    /// How many they are.
    victims: usize,
    /// When the first of those of the highest priority was started: the later the better.
    started: Reverse<Started>,
}

/// When a pod was started; those that are not yet come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Started {
    At(Timestamp),
    NotYet,
}

/// What every reason begins with.
const PREFIX: &str = "preemption: ";
const NEVER: &str = "preemption: not eligible due to preemptionPolicy=Never.";
const WAITS: &str = "preemption: not eligible due to a terminating pod on the nominated node.";
const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";

impl Default for DefaultPreemption {
    fn default() -> Self {
        Self { min_candidates_percentage: 10, min_candidates_absolute: 100 }
    }
}

impl Plugin for DefaultPreemption {
    fn name(&self) -> &'static str {
        "DefaultPreemption"
    }

    fn post_filter(&self, unschedulable: &Unschedulable<'_>) -> PostFilter {
        let stays = |said: &'static str| PostFilter::Reject { said: Some(said.into()), gives_up: false };
        if !unschedulable.cycle.pod.preempts {
            return stays(NEVER);
        }
        if waits_for_victims(unschedulable) {
            return stays(WAITS);
        }
        let DryRun { candidates, found, failures } = self.dry_run(unschedulable);
        if let Some(best) = best_of(candidates).into_iter().next() {
            return PostFilter::Nominate(best);
        }
        if let Some(failure) = dry_run::join(&failures) {
            return PostFilter::Reject { said: Some(said(&failure)), gives_up: false };
        }
        let left_out = unschedulable.cycle.snapshot.nodes.len() - found.nodes.len();
        let diagnosis = crate::placement::Diagnosis {
            left_out: Some((Rejection::unresolvable(NOT_HELPFUL), left_out)),
            ..found
        };
        let num_nodes = unschedulable.cycle.snapshot.nodes.len();
        let fit_error = FitError { num_nodes, diagnosis, ..FitError::default() };
        PostFilter::Reject { said: Some(said(&fit_error.to_string())), gives_up: true }
    }

    /// Those that are equally good and better than all others. Of them the first is taken; upstream takes any.
    fn candidates(&self, unschedulable: &Unschedulable<'_>) -> Vec<Candidate> {
        if !unschedulable.cycle.pod.preempts || waits_for_victims(unschedulable) {
            return Vec::new();
        }
        best_of(self.dry_run(unschedulable).candidates)
    }
}

// === impl DefaultPreemption ===

impl DefaultPreemption {
    fn dry_run(&self, unschedulable: &Unschedulable<'_>) -> DryRun {
        dry_run::run(unschedulable, |nodes| self.enough_candidates(nodes))
    }

    /// How many candidates are enough, of so many nodes (upstream: `calculateNumCandidates`).
    fn enough_candidates(&self, nodes: usize) -> usize {
        let share = nodes.saturating_mul(self.min_candidates_percentage as usize) / 100;
        share.max(self.min_candidates_absolute as usize).min(nodes)
    }
}

fn said(text: &str) -> Reason {
    Reason::said(format!("{PREFIX}{text}"))
}

/// Whether the pod has preempted already, and its victims take their time to end
/// (upstream: `PodEligibleToPreemptOthers`).
fn waits_for_victims(unschedulable: &Unschedulable<'_>) -> bool {
    let Cycle { pod, snapshot, .. } = unschedulable.cycle;
    let Some(slot) = snapshot.nominations.of(&pod.uid) else { return false };
    // Where nothing helps any more, another node is looked for.
    if unschedulable.diagnosis.resolvable_on(slot) == Resolvable::No {
        return false;
    }
    let is_victim =
        |other: &crate::model::Pod| other.priority < pod.priority && other.terminating && other.preempted;
    snapshot.nodes.get(slot).is_some_and(|node| node.usage.pods.iter().any(|other| is_victim(other)))
}

fn best_of(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let least = candidates.iter().map(Cost::of).min();
    candidates.into_iter().filter(|candidate| Some(Cost::of(candidate)) == least).collect()
}

// === impl Cost ===

impl Cost {
    fn of(candidate: &Candidate) -> Self {
        let victims = &candidate.victims;
        let highest = victims.iter().map(|pod| pod.priority).max().unwrap_or(i32::MIN);
        let above_lowest = |priority: i32| i64::from(priority) - i64::from(i32::MIN);
        let first = victims.iter().filter(|pod| pod.priority == highest).map(|pod| Started::of(pod)).min();
        Self {
            violations: candidate.violations,
            highest,
            sum: victims.iter().map(|pod| above_lowest(pod.priority)).sum(),
            victims: victims.len(),
            started: Reverse(first.unwrap_or(Started::NotYet)),
        }
    }
}

// === impl Started ===

impl Started {
    fn of(pod: &crate::model::Pod) -> Self {
        pod.started.map_or(Self::NotYet, Self::At)
    }
}
