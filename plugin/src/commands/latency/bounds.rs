//! Delay constraints of pods that have a place: how they are met now.

use std::sync::Arc;

use edge_core::delay::{DelayConstraints, Hysteresis};
use edge_core::model::{Delay, Pod};
use edge_core::placement::NodeSlot;
use serde::Serialize;

use crate::world::{Moves, Served, World};

/// A constraint of a pod that has a place.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bound {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) node: String,
    pub(super) from: String,
    #[serde(rename = "boundMs")]
    pub(super) limit_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delay_ms: Option<f64>,
    pub(super) state: State,
    /// Why the scheduler does not move the pod to where the bound is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stays: Option<String>,
}

/// How a constraint is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum State {
    Broken,
    Unknown,
    AtRisk,
    Held,
}

/// A bound of which less than a tenth is left is at risk.
const COMFORTABLE: f64 = 0.9;

/// All constraints of pods that have a place, the worst first.
pub(super) fn bounds(world: &mut World, served: &Served, moves: &Moves) -> Vec<Bound> {
    let placed: Vec<(NodeSlot, Arc<Pod>)> = world
        .snapshot
        .nodes
        .iter()
        .flat_map(|node| node.usage.pods.iter().map(move |pod| (node.slot, Arc::clone(pod))))
        .filter(|(_, pod)| DelayConstraints::any(pod) && !pod.terminating)
        .collect();
    let mut found = Vec::new();
    for (slot, pod) in placed {
        let Ok(constraints) = DelayConstraints::of_pod(&pod) else { continue };
        world.load_delays(&pod);
        for constraint in &constraints.list {
            let delay = world.delay_to(&pod, constraint, constraints.replicas, slot);
            let bound = constraint.bound;
            let state = state(delay, bound, served.rules.hysteresis);
            let stays = moves.unmoved.get(pod.uid.as_str()).filter(|_| state == State::Broken);
            found.push(Bound {
                namespace: pod.key.namespace.to_string(),
                pod: pod.key.name.to_string(),
                node: world.name(slot).to_string(),
                from: constraint.anchor.to_string(),
                limit_ms: bound.as_millis_f64(),
                delay_ms: delay.map(Delay::as_millis_f64),
                state,
                stays: stays.cloned(),
            });
        }
    }
    found.sort_by(|a, b| {
        let used = |it: &Bound| it.delay_ms.unwrap_or_default() - it.limit_ms;
        a.state.cmp(&b.state).then_with(|| used(b).total_cmp(&used(a)))
    });
    found
}

fn state(delay: Option<Delay>, bound: Delay, hysteresis: Hysteresis) -> State {
    match delay {
        None => State::Unknown,
        Some(delay) if hysteresis.is_over(delay, bound) => State::Broken,
        Some(delay) if delay.as_millis_f64() > COMFORTABLE * bound.as_millis_f64() => State::AtRisk,
        Some(_) => State::Held,
    }
}

// === impl Bound ===

impl Bound {
    /// A line that says why the pod is not moved, if something keeps it.
    pub(super) fn why_it_stays(&self) -> Option<String> {
        let Self { namespace, pod, stays, .. } = self;
        stays.as_ref().map(|why| format!("{namespace}/{pod} is not moved: {why}\n"))
    }
}

// === impl State ===

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Unknown => "unknown",
            Self::AtRisk => "at risk",
            Self::Held => "held",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_at_risk_before_it_is_broken() {
        let millis = |millis| Delay::from_millis_f64(millis).unwrap();
        let state = |delay: Option<f64>| state(delay.map(millis), millis(10.0), Hysteresis::default());
        let check = |delay, expected| assert_eq!(state(delay), expected);
        check(Some(9.0), State::Held);
        check(Some(9.5), State::AtRisk);
        check(Some(10.0), State::AtRisk);
        // As the scheduler sees it: not before it is over by the hysteresis.
        check(Some(11.0), State::AtRisk);
        check(Some(11.1), State::Broken);
        check(None, State::Unknown);
    }
}
