//! Which pods would have to go from each node (upstream: `DryRunPreemption`, `SelectVictimsOnNode`).

use std::sync::Arc;

use super::Started;
use crate::model::Pod;
use crate::placement::{
    Candidate, Cycle, Diagnosis, NodeView, Reason, Rejection, Resolvable, Unschedulable, spread,
};

/// What came of trying the nodes.
#[derive(Default)]
pub(super) struct DryRun {
    /// The nodes that room can be made on, and by which pods. Those that keep every budget stand first.
    pub(super) candidates: Vec<Candidate>,
    /// Why it can't be made on others.
    pub(super) found: Diagnosis,
    /// What went wrong.
    pub(super) failures: Vec<String>,
}

/// What came of trying one node.
enum Tried {
    Candidate(Candidate),
    Rejected(Rejection),
    /// The pod would fit though every pod stays, which the checks denied before.
    NobodyHasToGo,
}

static NO_VICTIMS: Reason = Reason::Fixed("No preemption victims found for incoming pod");

/// Tries the nodes until `enough` of so many nodes are candidates, one of which keeps every budget.
pub(super) fn run(unschedulable: &Unschedulable<'_>, enough: impl Fn(usize) -> usize) -> DryRun {
    let Cycle { pod, snapshot, .. } = unschedulable.cycle;
    let nodes: Vec<NodeView<'_>> = match &unschedulable.diagnosis.pre_filter {
        Some(rejection) if rejection.resolvable == Resolvable::ByPreemption => {
            snapshot.nodes.iter().collect()
        }
        Some(_) => Vec::new(),
        None => unschedulable.diagnosis.resolvable().filter_map(|slot| snapshot.nodes.get(slot)).collect(),
    };
    let enough = enough(nodes.len());
    let (mut keeping, mut violating) = (Vec::new(), Vec::new());
    let mut dry_run = DryRun::default();
    let first = spread(pod.uid.as_str(), nodes.len());
    let (before, from_first) = nodes.split_at_checked(first).unwrap_or_default();
    for node in from_first.iter().chain(before) {
        match try_node(unschedulable, *node) {
            Tried::Candidate(candidate) if candidate.violations == 0 => keeping.push(candidate),
            Tried::Candidate(candidate) if violating.len() < enough => violating.push(candidate),
            Tried::Candidate(_) => (),
            Tried::Rejected(rejection) => dry_run.found.note(node.slot, rejection),
            Tried::NobodyHasToGo => {
                let name = node.node.name.as_str();
                dry_run.failures.push(format!("expected at least one victim pod on node {name:?}"));
            }
        }
        if !keeping.is_empty() && keeping.len() + violating.len() >= enough {
            break;
        }
    }
    keeping.extend(violating);
    dry_run.candidates = keeping;
    dry_run
}

/// Several failures in one text (upstream: `errors.NewAggregate`).
pub(super) fn join(failures: &[String]) -> Option<String> {
    match failures {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(format!("[{}]", several.join(", "))),
    }
}

fn try_node<'a>(unschedulable: &Unschedulable<'a>, node: NodeView<'a>) -> Tried {
    let Cycle { pod, snapshot, .. } = unschedulable.cycle;
    if !node.usage.has_below(pod.priority) {
        return Tried::Rejected(Rejection::unresolvable(NO_VICTIMS.clone()));
    }
    let potential = node.usage.pods.iter().filter(|other| other.priority < pod.priority);
    let potential: Vec<Arc<Pod>> = potential.cloned().collect();
    let mut trial = unschedulable.trial(node);
    for victim in &potential {
        trial.remove(victim);
    }
    if let Err((_, rejection)) = trial.judge() {
        return Tried::Rejected(rejection);
    }
    // The most important ones are the first to be let stay, if the pod fits beside them.
    let mut stays = |other: &Arc<Pod>| {
        trial.add(other);
        let fits = trial.judge().is_ok();
        if !fits {
            trial.remove(other);
        }
        fits
    };
    let (violating, keeping) = snapshot.budgets.part(by_importance(potential));
    let mut victims: Vec<Arc<Pod>> = violating.into_iter().filter(|other| !stays(other)).collect();
    let violations = victims.len();
    victims.extend(keeping.into_iter().filter(|other| !stays(other)));
    if victims.is_empty() {
        return Tried::NobodyHasToGo;
    }
    let (slot, node) = (node.slot, node.node.name.clone());
    Tried::Candidate(Candidate { slot, node, victims: by_importance(victims), violations })
}

/// The pods in the order of their importance: the higher priority first, then what was started earlier
/// (upstream: `util.MoreImportantPod`).
///
/// Upstream takes the time now for pods that were not started, at each look a later one, and so finds the
/// one that comes later in its list the more important one. That is kept.
fn by_importance(pods: Vec<Arc<Pod>>) -> Vec<Arc<Pod>> {
    let (mut pods, mut fresh): (Vec<_>, Vec<_>) =
        pods.into_iter().partition(|pod| Started::of(pod) != Started::NotYet);
    fresh.reverse();
    pods.extend(fresh);
    pods.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| Started::of(a).cmp(&Started::of(b))));
    pods
}
