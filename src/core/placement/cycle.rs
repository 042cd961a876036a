//! One scheduling cycle (upstream: `pkg/scheduler/schedule_one.go`).

use super::filters::{Filters, Prepared, diagnose, find_feasible, find_feasible_observed, prepare};
use super::memory::{Column, Recollection};
use super::{
    Candidate, Cycle, Diagnosis, Enabled, FitError, MAX_NODE_SCORE, Memory, NodeFilter, NodeScorer, NodeSlot,
    NodeView, Nodes, Observer, Point, PointStatus, PreScore, Profile, Snapshot, Unobserved, Unschedulable,
    VolumePlan, post_filter,
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
    /// It can't be judged, for this reason (upstream: a `Status` with an error).
    Fail(String),
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
    /// What has to come about before it may be bound, if anything.
    pub volumes: Option<VolumePlan>,
}

/// The feasible nodes of a pod and what each plugin makes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// The feasible nodes.
    pub feasible: Vec<NodeSlot>,
    /// The plugins that score for the pod. There are none if fewer than two nodes are feasible.
    pub plugins: Vec<PluginScores>,
}

/// How a plugin scores the feasible nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginScores {
    /// The plugin's name.
    pub name: &'static str,
    /// The weight of its score.
    pub weight: i64,
    /// From 0 to [`MAX_NODE_SCORE`], one for each feasible node.
    pub scores: Vec<i64>,
}

/// Judges `pod` against every node of `snapshot`: the one function by which a pod is placed, in the
/// scheduler, in simulations and in explanations.
///
/// Every node is looked at, none is sampled. Equal scores are decided by the pod's UID, which spreads
/// pods as upstream's random choice does but gives the same answer for the same input.
///
/// Where there is no node at all no plugin is asked, as upstream, and so none is blamed.
pub fn place(snapshot: &Snapshot, pod: &Pod, profile: &Profile) -> Decision {
    place_anew(snapshot, pod, profile, None, &mut Unobserved)
}

/// The same, with what is remembered of this snapshot, and with somebody who watches.
pub fn place_observed(
    snapshot: &Snapshot,
    pod: &Pod,
    profile: &Profile,
    memory: &mut Memory,
    observer: &mut dyn Observer,
) -> Decision {
    place_anew(snapshot, pod, profile, memory.of(&profile.scheduler_name, pod), observer)
}

fn place_anew(
    snapshot: &Snapshot,
    pod: &Pod,
    profile: &Profile,
    mut recollection: Option<&mut Recollection>,
    observer: &mut dyn Observer,
) -> Decision {
    observer.begin(&profile.scheduler_name);
    if snapshot.nodes.is_empty() {
        return Decision::Reject(Box::default());
    }
    let cycle = Cycle::within(pod, snapshot, profile);
    let prepared = prepare(cycle, profile);
    observer.spent(Point::PreFilter);
    prepared.tell(profile, observer);
    let (filters, diagnosis) = match prepared {
        Prepared::Filters(filters) => {
            let feasible = find_feasible_observed(profile, &filters, recollection.as_deref_mut(), observer);
            let diagnosis = feasible.is_empty().then(|| diagnose(&filters));
            observer.spent(Point::Filter);
            observer.ended(Point::Filter, PointStatus::Success);
            let Some(diagnosis) = diagnosis else {
                return place_among(&filters, profile, &feasible, recollection, observer);
            };
            (filters, diagnosis)
        }
        Prepared::Rejected(filters, diagnosis) => (filters, diagnosis),
        Prepared::AwaitDelays(nodes) => return Decision::AwaitDelays(nodes),
    };
    let unschedulable = Unschedulable { cycle, diagnosis: &diagnosis, filters: &filters, profile };
    let (post_filter, nomination) = post_filter::run(&unschedulable, observer);
    let diagnosis = Diagnosis { post_filter, ..diagnosis };
    Decision::Reject(Box::new(FitError { num_nodes: snapshot.nodes.len(), diagnosis, nomination }))
}

/// Score and Reserve.
fn place_among(
    filters: &Filters<'_>,
    profile: &Profile,
    feasible: &[NodeSlot],
    recollection: Option<&mut Recollection>,
    observer: &mut dyn Observer,
) -> Decision {
    match select(filters, profile, feasible, recollection, observer) {
        Err(message) => Decision::Fail(message),
        Ok(Some(node)) => {
            let placement = filters.reserve(profile, node, feasible.len());
            observer.spent(Point::Reserve);
            observer.ended(Point::Reserve, PointStatus::Success);
            Decision::Place(placement)
        }
        Ok(None) => Decision::Fail(format!("no node was chosen for pod {}", filters.cycle.pod.key)),
    }
}

/// The nodes on which room can best be made for a pod that fits nowhere, all equally good, for explanations and
/// tests; [`place`] takes the first of them.
pub fn candidates(snapshot: &Snapshot, pod: &Pod, profile: &Profile) -> Vec<Candidate> {
    let cycle = Cycle::within(pod, snapshot, profile);
    let (filters, diagnosis) = match prepare(cycle, profile) {
        Prepared::Filters(filters) => {
            let diagnosis = diagnose(&filters);
            (filters, diagnosis)
        }
        Prepared::Rejected(filters, diagnosis) => (filters, diagnosis),
        Prepared::AwaitDelays(_) => return Vec::new(),
    };
    let unschedulable = Unschedulable { cycle, diagnosis: &diagnosis, filters: &filters, profile };
    profile.at(Point::PostFilter).iter().flat_map(|it| it.plugin.candidates(&unschedulable)).collect()
}

/// How [`place`] comes to choose among the feasible nodes, for explanations and tests.
pub fn scores(snapshot: &Snapshot, pod: &Pod, profile: &Profile) -> Scores {
    let cycle = Cycle::within(pod, snapshot, profile);
    let Prepared::Filters(filters) = prepare(cycle, profile) else { return Scores::default() };
    let feasible = find_feasible(&filters);
    let mut plugins = Vec::new();
    let take = |Enabled { idx: _, plugin, weight }: &Enabled, scores: &[i64]| {
        plugins.push(PluginScores { name: plugin.name(), weight: *weight, scores: scores.to_vec() });
    };
    if feasible.len() > 1 && score_each(&filters, profile, &feasible, None, &mut Unobserved, take).is_err() {
        plugins.clear();
    }
    Scores { feasible, plugins }
}

/// The feasible nodes, the one with the highest score first; in the order of their slots among equals, and where they
/// can't be scored.
pub(super) fn by_score(filters: &Filters<'_>, profile: &Profile, feasible: &[NodeSlot]) -> Vec<NodeSlot> {
    let mut totals = vec![0_i64; feasible.len()];
    let add = |enabled: &Enabled, scores: &[i64]| {
        for (total, score) in totals.iter_mut().zip(scores) {
            *total += score * enabled.weight;
        }
    };
    if score_each(filters, profile, feasible, None, &mut Unobserved, add).is_err() {
        return feasible.to_vec();
    }
    let mut ranked: Vec<(std::cmp::Reverse<i64>, NodeSlot)> =
        totals.into_iter().map(std::cmp::Reverse).zip(feasible.iter().copied()).collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, slot)| slot).collect()
}

/// PreScore, Score and NormalizeScore, and the choice among the best. A single feasible node is not
/// scored, as upstream.
fn select<'a>(
    filters: &Filters<'a>,
    profile: &'a Profile,
    feasible: &[NodeSlot],
    recollection: Option<&mut Recollection>,
    observer: &mut dyn Observer,
) -> Result<Option<NodeView<'a>>, String> {
    let cycle = filters.cycle;
    match feasible {
        [] => return Ok(None),
        [only] => return Ok(cycle.snapshot.nodes.get(*only)),
        [..] => (),
    }
    let mut totals = vec![0_i64; feasible.len()];
    let scored = score_each(filters, profile, feasible, recollection, observer, |enabled, scores| {
        for (total, score) in totals.iter_mut().zip(scores) {
            *total += score * enabled.weight;
        }
    });
    let status = if scored.is_ok() { PointStatus::Success } else { PointStatus::Error };
    observer.ended(Point::PreScore, status);
    scored?;
    observer.ended(Point::Score, PointStatus::Success);
    let best = totals.iter().max();
    let tied =
        || feasible.iter().zip(&totals).filter(|(_, total)| Some(*total) == best).map(|(slot, _)| *slot);
    let choice = spread(cycle.pod.uid.as_str(), tied().count());
    Ok(tied().nth(choice).and_then(|slot| cycle.snapshot.nodes.get(slot)))
}

/// Hands on the scores of each plugin that scores for the pod, one for each feasible node.
fn score_each<'a>(
    filters: &Filters<'a>,
    profile: &'a Profile,
    feasible: &[NodeSlot],
    mut recollection: Option<&mut Recollection>,
    observer: &mut dyn Observer,
    mut take: impl FnMut(&Enabled, &[i64]),
) -> Result<(), String> {
    let cycle = filters.cycle;
    let mut scores = vec![0_i64; feasible.len()];
    for enabled in profile.at(Point::Score) {
        if let Some(scorer) = filters.check_of(enabled.idx).and_then(NodeFilter::scorer) {
            score_all(&cycle.snapshot.nodes, scorer, feasible, None, &mut scores);
            take(enabled, &scores);
            observer.asked(enabled.plugin.name(), Point::Score, feasible.len());
            observer.spent(Point::Score);
            continue;
        }
        let prepared = enabled.plugin.pre_score(cycle, feasible);
        observer.spent(Point::PreScore);
        match prepared {
            PreScore::Skip => (),
            PreScore::Score(scorer) => {
                let known = recollection.as_deref_mut().filter(|_| scorer.is_local());
                let known = known.map(|it| it.scores.entry(enabled.idx).or_default());
                score_all(&cycle.snapshot.nodes, scorer.as_ref(), feasible, known, &mut scores);
                take(enabled, &scores);
                observer.asked(enabled.plugin.name(), Point::PreScore, 1);
                observer.asked(enabled.plugin.name(), Point::Score, feasible.len());
                observer.spent(Point::Score);
            }
            PreScore::Fail(why) => {
                return Err(format!("running PreScore plugin {:?}: {why}", enabled.plugin.name()));
            }
        }
    }
    Ok(())
}

fn score_all(
    nodes: &Nodes,
    scorer: &dyn NodeScorer,
    feasible: &[NodeSlot],
    known: Option<&mut Column<i64>>,
    scores: &mut [i64],
) {
    let score = |slot: NodeSlot| nodes.get(slot).map_or(0, |node| scorer.score(node));
    match known {
        None => feasible.iter().zip(scores.iter_mut()).for_each(|(slot, it)| *it = score(*slot)),
        Some(known) => {
            for (slot, it) in feasible.iter().zip(scores.iter_mut()) {
                let revision = nodes.revision(*slot).unwrap_or_default();
                *it = known.get(*slot, revision).unwrap_or_else(|| {
                    let score = score(*slot);
                    known.put(*slot, revision, score);
                    score
                });
            }
        }
    }
    scorer.normalize(scores);
    debug_assert!(scores.iter().all(|score| (0..=MAX_NODE_SCORE).contains(score)), "{scores:?}");
}

/// One of so many, by a text: spread evenly over texts, and the same on every machine (FNV-1a).
pub(super) fn spread(text: &str, among: usize) -> usize {
    let hash =
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    usize::try_from(hash).unwrap_or(usize::MAX).checked_rem(among).unwrap_or(0)
}

#[cfg(test)]
mod tests;
