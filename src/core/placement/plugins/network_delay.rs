//! NetworkDelay: a pod's delay constraints, as Filter and as Score.

use std::borrow::Cow;

use crate::delay::{
    AnchorNodes, DECISION_ANNOTATION, DelayConstraint, DelayConstraints, Replicas, Row, Unresolved,
    after_loss, is_node, is_replica, is_unheard, resolve,
};
use crate::model::{Delay, NodeName, Pod};
use crate::placement::{
    ClusterEvent, Cycle, MAX_NODE_SCORE, NodeFilter, NodeScorer, NodeSlot, NodeView, Plugin, PreFilter,
    PreScore, Reason, Rejection, Verdict, WorkloadRef,
};

/// Admits the nodes within every delay constraint of the pod (design: the *radius*, a ball around
/// each anchor), on the larger of both directions. A pair without a value is unknown and not admitted;
/// a node is always within any delay of itself.
///
/// **Score.** A node close to an anchor is worth most to the pods with the tightest bounds, and it is
/// small. So among the admitted nodes the one whose delay uses more of the bound is preferred, which is
/// best fit: near nodes stay free for pods that can go nowhere else. That holds only up to nine tenths
/// of the bound. Beyond, the score falls to 0, because a placement with no slack is violated by the
/// first change of the link. The weight is 1, as that of NodeResourcesFit, so a full distant node does
/// not win over an empty near one: nobody is crowded out to save slack.
pub struct NetworkDelay;

/// The share of a bound up to which using more of it is better.
const COMFORTABLE_TENTHS: i64 = 9;

/// A constraint with its anchor resolved and the rows at hand.
struct Bound<'a> {
    constraint: DelayConstraint,
    replicas: Replicas,
    /// The anchor's nodes with their rows; empty where the pod is the first of the anchor itself.
    rows: Vec<(NodeSlot, Option<&'a Row>)>,
    /// Whether the pod belongs to the anchor itself, so that it may be its first.
    is_own: bool,
    exceeded: Reason,
    unknown: Reason,
    stale: Reason,
}

/// All constraints of a pod.
struct Radius<'a>(Vec<Bound<'a>>);

/// The nodes within all constraints of a pod, worked out once so that each node costs one look.
struct Ball<'a> {
    cycle: Cycle<'a>,
    radius: Radius<'a>,
    /// By constraint and then by slot, the delay that counts.
    delays: Vec<Cow<'a, [Option<Delay>]>>,
}

/// The same where the pods of a node are not those that there are: a node whose replicas of an anchor are gone is no
/// anchor any more.
struct Tried<'b, 'a>(&'b Ball<'a>);

/// Why a radius can't be had now.
enum NoRadius {
    Rejected(Rejection),
    AwaitDelays(Vec<NodeName>),
    /// The pod has no delay constraint.
    Unconstrained,
}

impl Plugin for NetworkDelay {
    fn name(&self) -> &'static str {
        "NetworkDelay"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        match Radius::of(cycle) {
            Ok(radius) => PreFilter::Check(Box::new(Ball::new(radius, cycle))),
            Err(NoRadius::Rejected(rejection)) => PreFilter::Reject(rejection),
            Err(NoRadius::AwaitDelays(nodes)) => PreFilter::AwaitDelays(nodes),
            Err(NoRadius::Unconstrained) => PreFilter::Skip,
        }
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        match Radius::of(cycle) {
            Ok(radius) => PreScore::Score(Box::new(Ball::new(radius, cycle))),
            Err(_) => PreScore::Skip,
        }
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            // Of a suspect node's pods none counts as an anchor, so that others do.
            ClusterEvent::NodeAdded(_)
            | ClusterEvent::NodeRemoved(_)
            | ClusterEvent::NodeSuspect(_)
            | ClusterEvent::Storage(_) => true,
            ClusterEvent::DelaysChanged(falls) => {
                let constraints = DelayConstraints::of_pod(pod).unwrap_or_default();
                constraints.list.iter().any(|constraint| falls.cross(constraint.bound))
            }
            // Other replicas of an anchor count then.
            ClusterEvent::NodeUpdated { old, new } => is_unheard(old) != is_unheard(new),
            ClusterEvent::PodPlaced(other) | ClusterEvent::PodFreed(other) => names(pod, other),
            ClusterEvent::PodUpdated { old, new } => names(pod, old) || names(pod, new),
            _ => false,
        }
    }
}

/// Whether `pod` names a workload of `other` as an anchor. The namespace is not compared: a pod woken
/// in vain is judged again and waits on, one not woken would wait for ever.
fn names(pod: &Pod, other: &Pod) -> bool {
    let Ok(constraints) = DelayConstraints::of_pod(pod) else { return false };
    let workloads = WorkloadRef::of_pod(other);
    constraints.list.iter().any(|constraint| {
        let anchor = &constraint.anchor.name;
        workloads.iter().any(|workload| {
            anchor.strip_prefix(&*workload.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    })
}

// === impl Radius ===

impl<'a> Radius<'a> {
    fn of(cycle: Cycle<'a>) -> Result<Self, NoRadius> {
        let reject = |text: String| NoRadius::Rejected(Rejection::unresolvable(Reason::said(text)));
        let constraints = DelayConstraints::of_pod(cycle.pod).map_err(|error| reject(error.to_string()))?;
        if constraints.list.is_empty() {
            return Err(NoRadius::Unconstrained);
        }
        let bounds: Result<Vec<_>, Unresolved> =
            constraints.list.into_iter().map(|it| Bound::new(cycle, it, constraints.replicas)).collect();
        let bounds = bounds.map_err(|error| reject(error.to_string()))?;
        let loading: Vec<NodeName> = bounds.iter().flat_map(|bound| bound.loading(cycle)).collect();
        if loading.is_empty() { Ok(Self(bounds)) } else { Err(NoRadius::AwaitDelays(loading)) }
    }

    /// What was decided, as JSON: for each constraint the anchor, the node it is on, delay and bound.
    fn describe(&self, cycle: Cycle<'_>, slot: NodeSlot) -> String {
        let describe = |bound: &Bound<'_>| {
            let DelayConstraint { anchor, bound: limit } = &bound.constraint;
            let mut delay =
                serde_json::json!({"anchor": anchor.to_string(), "boundMs": limit.as_millis_f64()});
            if let (Some((from, measured)), Some(fields)) = (bound.measured(slot), delay.as_object_mut()) {
                let node = cycle.snapshot.nodes.name(from).map_or("", NodeName::as_str);
                fields.insert("from".to_owned(), node.into());
                fields.insert("delayMs".to_owned(), measured.as_millis_f64().into());
            }
            delay
        };
        let delays: Vec<serde_json::Value> = self.0.iter().map(describe).collect();
        serde_json::json!({ "delays": delays }).to_string()
    }
}

// === impl Ball ===

impl<'a> Ball<'a> {
    fn new(radius: Radius<'a>, cycle: Cycle<'a>) -> Self {
        let num_slots = cycle.snapshot.nodes.num_slots();
        let delays = radius.0.iter().map(|bound| bound.delays(num_slots)).collect();
        Self { cycle, radius, delays }
    }

    /// Each constraint that the pod's anchors set, with the delay of the node in `slot` where it is known.
    fn measured(&self, slot: NodeSlot) -> impl Iterator<Item = (&Bound<'a>, Option<Delay>)> {
        let bounds = self.radius.0.iter().zip(&self.delays).filter(|(bound, _)| !bound.rows.is_empty());
        bounds.map(move |(bound, delays)| {
            let own = bound.is_own_node(slot).then_some(Delay::ZERO);
            (bound, own.or_else(|| delays.get(slot.idx()).copied().flatten()))
        })
    }

    /// The constraint that the node does not meet, and whether its delay is known.
    fn broken(&self, slot: NodeSlot) -> Option<(&Bound<'a>, bool)> {
        self.measured(slot).find_map(|(bound, delay)| match delay {
            Some(delay) => (delay > bound.constraint.bound).then_some((bound, true)),
            None => Some((bound, false)),
        })
    }
}

impl NodeFilter for Ball<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        match self.broken(node.slot) {
            None => Verdict::Fits,
            Some((bound, true)) => Rejection::unresolvable(bound.exceeded.clone()).into(),
            Some((bound, false)) if bound.is_stale(node.slot) => {
                Rejection::unresolvable(bound.stale.clone()).into()
            }
            Some((bound, false)) => Rejection::unresolvable(bound.unknown.clone()).into(),
        }
    }

    fn admits(&self, node: NodeView<'_>) -> bool {
        self.broken(node.slot).is_none()
    }

    fn reach(&self) -> Option<Vec<NodeSlot>> {
        let mut constraints = self.radius.0.iter().zip(&self.delays);
        let (bound, delays) = constraints.find(|(bound, _)| !bound.rows.is_empty())?;
        let is_within = |delay: &Option<Delay>| delay.is_some_and(|delay| delay <= bound.constraint.bound);
        let within = delays.iter().zip((0..).map(NodeSlot)).filter(|(delay, _)| is_within(delay));
        let mut reach: Vec<NodeSlot> = within.map(|(_, slot)| slot).collect();
        for own in bound.rows.iter().map(|(slot, _)| *slot).filter(|slot| bound.is_own_node(*slot)) {
            if let Err(at) = reach.binary_search(&own) {
                reach.insert(at, own);
            }
        }
        reach.retain(|slot| self.broken(*slot).is_none());
        Some(reach)
    }

    fn fork(&self) -> Option<Box<dyn NodeFilter + '_>> {
        Some(Box::new(Tried(self)))
    }

    fn scorer(&self) -> Option<&dyn NodeScorer> {
        Some(self)
    }

    fn reserve(&self, node: NodeView<'_>) -> Vec<(&'static str, String)> {
        vec![(DECISION_ANNOTATION, self.radius.describe(self.cycle, node.slot))]
    }

    fn is_of_node(&self) -> bool {
        true
    }
}

impl NodeFilter for Tried<'_, '_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        let Self(ball) = self;
        let loses_anchor = |bound: &&Bound<'_>| bound.loses_anchor(ball.cycle, node);
        for bound in ball.radius.0.iter().filter(loses_anchor) {
            let holds = match bound.measured_without(node.slot) {
                Some(delay) => delay <= bound.constraint.bound,
                None => bound.rows.len() == 1 && bound.is_own,
            };
            if !holds {
                return Rejection::unresolvable(bound.exceeded.clone()).into();
            }
        }
        let broken = ball.measured(node.slot).find(|(bound, delay)| {
            !bound.loses_anchor(ball.cycle, node) && delay.is_none_or(|delay| delay > bound.constraint.bound)
        });
        if broken.is_some() { ball.filter(node) } else { Verdict::Fits }
    }

    fn fork(&self) -> Option<Box<dyn NodeFilter + '_>> {
        self.0.fork()
    }
}

impl NodeScorer for Ball<'_> {
    fn score(&self, node: NodeView<'_>) -> i64 {
        let scores = self.measured(node.slot).map(|(bound, delay)| delay.map_or(0, |it| bound.score(it)));
        scores.min().unwrap_or(0)
    }
}

// === impl Bound ===

impl<'a> Bound<'a> {
    fn new(cycle: Cycle<'a>, constraint: DelayConstraint, replicas: Replicas) -> Result<Self, Unresolved> {
        let snapshot = cycle.snapshot;
        let mut nodes = resolve(snapshot, cycle.pod, &constraint.anchor)?;
        if let Some(lost) = cycle.lost {
            nodes = after_loss(snapshot, cycle.pod, &constraint.anchor, nodes, lost)?;
        }
        let rows = match nodes {
            AnchorNodes::On(slots) => {
                slots.into_iter().map(|slot| (slot, snapshot.delays.row(slot))).collect()
            }
            AnchorNodes::FirstOfItself => Vec::new(),
        };
        let is_own = is_replica(cycle.pod, &constraint.anchor, cycle.pod);
        let DelayConstraint { anchor, bound } = &constraint;
        let exceeded = Reason::said(format!("node(s) exceeded the delay to {anchor} ({bound} ms)"));
        let unknown = Reason::said(format!("node(s) had no known delay to {anchor}"));
        let stale = Reason::said(format!("node(s) had no fresh delay to {anchor}"));
        Ok(Self { constraint, replicas, rows, is_own, exceeded, unknown, stale })
    }

    /// Whether the node is not admitted because a delay to it was measured and is not fresh any more.
    fn is_stale(&self, slot: NodeSlot) -> bool {
        self.rows.iter().any(|(_, row)| row.is_some_and(|row| row.is_stale(slot)))
    }

    /// The anchor's nodes whose rows are not here yet.
    fn loading(&self, cycle: Cycle<'a>) -> Vec<NodeName> {
        let loading = |row: Option<&Row>| !matches!(row, Some(Row::Loaded(_)));
        let slots = self.rows.iter().filter(|(_, row)| loading(*row)).map(|(slot, _)| *slot);
        slots.filter_map(|slot| cycle.snapshot.nodes.name(slot).cloned()).collect()
    }

    /// Whether the node is the anchor's only one, to which its delay is nothing.
    fn is_own_node(&self, slot: NodeSlot) -> bool {
        matches!(self.rows.as_slice(), [(only, _)] if *only == slot)
    }

    /// The delays that count, by slot. A single row is used as it is, but for the anchor's own node.
    fn delays(&self, num_slots: usize) -> Cow<'a, [Option<Delay>]> {
        if let [(_, row)] = self.rows.as_slice() {
            return Cow::Borrowed(row.map_or(&[], Row::cells));
        }
        Cow::Owned(match self.replicas {
            Replicas::Nearest => self.nearest(num_slots),
            Replicas::All => self.farthest(num_slots),
        })
    }

    /// Row by row rather than node by node, because rows lie in a line in memory.
    fn nearest(&self, num_slots: usize) -> Vec<Option<Delay>> {
        let mut nearest: Vec<Option<Delay>> = vec![None; num_slots];
        for (from, row) in &self.rows {
            for (known, cell) in nearest.iter_mut().zip(row.map_or(&[][..], Row::cells)) {
                *known = Delay::nearer(*known, *cell);
            }
            if let Some(own) = nearest.get_mut(from.idx()) {
                *own = Some(Delay::ZERO);
            }
        }
        nearest
    }

    fn farthest(&self, num_slots: usize) -> Vec<Option<Delay>> {
        let mut farthest = vec![Some(Delay::ZERO); num_slots];
        for (from, row) in &self.rows {
            for (known, slot) in farthest.iter_mut().zip((0..).map(NodeSlot)) {
                let delay = if slot == *from { Some(Delay::ZERO) } else { row.and_then(|row| row.to(slot)) };
                *known = known.zip(delay).map(|(known, delay)| known.max(delay));
            }
        }
        farthest
    }

    /// Whether the anchor is a workload that has replicas on the node, but would not have with these pods.
    fn loses_anchor(&self, cycle: Cycle<'_>, node: NodeView<'_>) -> bool {
        let anchor = &self.constraint.anchor;
        self.rows.iter().any(|(slot, _)| *slot == node.slot)
            && !is_node(cycle.snapshot, anchor)
            && !node.usage.pods.iter().any(|pod| !pod.terminating && is_replica(cycle.pod, anchor, pod))
    }

    /// The delay that counts for a node if the anchor is not there any more.
    fn measured_without(&self, slot: NodeSlot) -> Option<Delay> {
        let elsewhere = self.rows.iter().filter(|(from, _)| *from != slot);
        let delays = elsewhere.map(|(_, row)| row.and_then(|row| row.to(slot)));
        match self.replicas {
            Replicas::Nearest => delays.flatten().min(),
            Replicas::All => delays.collect::<Option<Vec<_>>>()?.into_iter().max(),
        }
    }

    /// The delay that counts for a node and where it is measured from: to the nearest replica, or, where
    /// all count, to the farthest. Unknown if there is none, or where all count, if one is unknown.
    fn measured(&self, slot: NodeSlot) -> Option<(NodeSlot, Delay)> {
        let to = |(from, row): &(NodeSlot, Option<&Row>)| {
            let delay = if *from == slot { Some(Delay::ZERO) } else { row.and_then(|row| row.to(slot)) };
            Some((*from, delay?))
        };
        match self.replicas {
            Replicas::Nearest => self.rows.iter().filter_map(to).min_by_key(|(_, delay)| *delay),
            Replicas::All => {
                let mut farthest = None;
                for row in &self.rows {
                    let measured = to(row)?;
                    if farthest.is_none_or(|(_, delay)| delay < measured.1) {
                        farthest = Some(measured);
                    }
                }
                farthest
            }
        }
    }

    fn score(&self, delay: Delay) -> i64 {
        let bound = i64::from(self.constraint.bound.as_micros()).max(1);
        let delay = i64::from(delay.as_micros());
        let comfortable = (bound * COMFORTABLE_TENTHS / 10).max(1);
        if delay <= comfortable {
            return MAX_NODE_SCORE * delay / comfortable;
        }
        MAX_NODE_SCORE * (bound - delay).max(0) / (bound - comfortable).max(1)
    }
}

#[cfg(test)]
mod tests;
