//! One scheduling cycle (upstream: `pkg/scheduler/schedule_one.go`).

use super::{
    Cycle, Diagnosis, Enabled, FitError, NodeFilter, NodeScorer, NodeSlot, NodeView, PreFilter, PreScore,
    Profile, Rejection, Snapshot, Verdict,
};
use crate::model::{NodeName, Pod};

/// What was decided about a pod.
#[derive(Debug)]
pub enum Decision {
    /// It goes to this node.
    Place(Placement),
    /// It fits nowhere.
    Reject(Box<FitError>),
    /// Delays from these nodes have to be loaded first.
    AwaitDelays(Vec<NodeName>),
}

/// A pod's place.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The node.
    pub slot: NodeSlot,
    /// Its name.
    pub node: NodeName,
    /// How many nodes were feasible.
    pub feasible: usize,
    /// Annotations to write with the binding.
    pub annotations: Vec<(&'static str, String)>,
}

/// Judges `pod` against every node of `snapshot`: the one function by which a pod is placed, in the
/// scheduler, in simulations and in explanations.
///
/// Every node is looked at, none is sampled. Equal scores are decided by the pod's UID, which spreads
/// pods as upstream's random choice does but gives the same answer for the same input.
pub fn place(snapshot: &Snapshot, pod: &Pod, profile: &Profile) -> Decision {
    let cycle = Cycle { pod, snapshot };
    let filters = match prepare(cycle, profile) {
        Prepared::Filters(filters) => filters,
        Prepared::Rejected(fit_error) => return Decision::Reject(fit_error),
        Prepared::AwaitDelays(nodes) => return Decision::AwaitDelays(nodes),
    };
    let mut diagnosis = Diagnosis::default();
    let feasible = find_feasible(snapshot, &filters, &mut diagnosis);
    match select(cycle, profile, &feasible) {
        Some(node) => Decision::Place(placement(cycle, profile, node, feasible.len())),
        None => Decision::Reject(Box::new(FitError { num_nodes: snapshot.nodes.len(), diagnosis })),
    }
}

/// The checks of all plugins that have something to check for the pod.
struct Filters<'a> {
    checks: Vec<(usize, Box<dyn NodeFilter + 'a>)>,
    only: Option<Vec<NodeSlot>>,
    /// Plugins that narrowed the nodes, by name for the message.
    narrowed_by: Vec<(usize, &'static str)>,
}

enum Prepared<'a> {
    Filters(Filters<'a>),
    Rejected(Box<FitError>),
    AwaitDelays(Vec<NodeName>),
}

/// PreFilter.
fn prepare<'a>(cycle: Cycle<'a>, profile: &'a Profile) -> Prepared<'a> {
    let mut filters =
        Filters { checks: Vec::with_capacity(profile.plugins.len()), only: None, narrowed_by: Vec::new() };
    let mut awaited = Vec::new();
    for Enabled { idx, plugin, weight: _ } in &profile.plugins {
        match plugin.pre_filter(cycle) {
            PreFilter::Skip => (),
            PreFilter::Check(check) => filters.checks.push((*idx, check)),
            PreFilter::Narrow(names, check) => {
                filters.narrow(cycle.snapshot, &names);
                filters.narrowed_by.push((*idx, plugin.name()));
                filters.checks.push((*idx, check));
            }
            PreFilter::Reject(rejection) => return Prepared::Rejected(reject_pod(cycle, *idx, rejection)),
            PreFilter::AwaitDelays(nodes) => awaited.extend(nodes),
        }
    }
    if awaited.is_empty() { Prepared::Filters(filters) } else { Prepared::AwaitDelays(awaited) }
}

fn reject_pod(cycle: Cycle<'_>, idx: usize, rejection: Rejection) -> Box<FitError> {
    let mut diagnosis = Diagnosis { pre_filter: Some(rejection), ..Diagnosis::default() };
    diagnosis.plugins.insert(idx);
    Box::new(FitError { num_nodes: cycle.snapshot.nodes.len(), diagnosis })
}

// === impl Filters ===

impl Filters<'_> {
    fn narrow(&mut self, snapshot: &Snapshot, names: &[NodeName]) {
        let slots = names.iter().filter_map(|name| Some(snapshot.nodes.find(name.as_str())?.slot));
        self.only = Some(match self.only.take() {
            None => slots.collect(),
            Some(only) => slots.filter(|slot| only.contains(slot)).collect(),
        });
    }

    fn judge(&self, node: NodeView<'_>) -> Result<(), (usize, Rejection)> {
        for (idx, check) in &self.checks {
            if let Verdict::Rejected(rejection) = check.filter(node) {
                return Err((*idx, rejection));
            }
        }
        Ok(())
    }

    /// What upstream says of nodes that PreFilter left out.
    fn note_left_out(&self, left_out: usize, diagnosis: &mut Diagnosis) {
        let mut names: Vec<&str> = self.narrowed_by.iter().map(|(_, name)| *name).collect();
        names.sort_unstable();
        for (idx, _) in &self.narrowed_by {
            diagnosis.plugins.insert(*idx);
        }
        let text = format!("node(s) didn't satisfy plugin(s) [{}]", names.join(" "));
        diagnosis.left_out = Some((Rejection::unresolvable(super::Reason::said(text)), left_out));
    }
}

/// Filter, over every node.
fn find_feasible(snapshot: &Snapshot, filters: &Filters<'_>, diagnosis: &mut Diagnosis) -> Vec<NodeSlot> {
    let mut feasible = Vec::new();
    let mut judge = |node: NodeView<'_>| match filters.judge(node) {
        Ok(()) => feasible.push(node.slot),
        Err((idx, rejection)) => {
            diagnosis.plugins.insert(idx);
            diagnosis.note(node.slot, rejection);
        }
    };
    match &filters.only {
        None => snapshot.nodes.iter().for_each(judge),
        Some(only) => {
            only.iter().filter_map(|slot| snapshot.nodes.get(*slot)).for_each(&mut judge);
            filters.note_left_out(snapshot.nodes.len() - only.len(), diagnosis);
        }
    }
    feasible
}

/// PreScore, Score and NormalizeScore, and the choice among the best. A single feasible node is not
/// scored, as upstream.
fn select<'a>(cycle: Cycle<'a>, profile: &'a Profile, feasible: &[NodeSlot]) -> Option<NodeView<'a>> {
    if let [only] = feasible {
        return cycle.snapshot.nodes.get(*only);
    }
    let mut totals = vec![0_i64; feasible.len()];
    let mut scores = vec![0_i64; feasible.len()];
    for Enabled { idx: _, plugin, weight } in &profile.plugins {
        let PreScore::Score(scorer) = plugin.pre_score(cycle, feasible) else { continue };
        score_all(cycle.snapshot, scorer.as_ref(), feasible, &mut scores);
        for (total, score) in totals.iter_mut().zip(&scores) {
            *total += score * weight;
        }
    }
    let best = *totals.iter().max()?;
    let tied = || feasible.iter().zip(&totals).filter(|(_, total)| **total == best).map(|(slot, _)| *slot);
    let choice = usize::try_from(hash(cycle.pod.uid.as_str())).unwrap_or(usize::MAX) % tied().count();
    cycle.snapshot.nodes.get(tied().nth(choice)?)
}

fn score_all(snapshot: &Snapshot, scorer: &dyn NodeScorer, feasible: &[NodeSlot], scores: &mut [i64]) {
    for (slot, score) in feasible.iter().zip(scores.iter_mut()) {
        *score = snapshot.nodes.get(*slot).map_or(0, |node| scorer.score(node));
    }
    scorer.normalize(scores);
}

/// Reserve.
fn placement(cycle: Cycle<'_>, profile: &Profile, node: NodeView<'_>, feasible: usize) -> Placement {
    let annotations =
        profile.plugins.iter().flat_map(|enabled| enabled.plugin.reserve(cycle, node)).collect();
    Placement { slot: node.slot, node: node.node.name.clone(), feasible, annotations }
}

/// FNV-1a, 32 bits folded: spreads UIDs evenly and is the same on every machine.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
