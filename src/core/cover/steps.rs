//! From one arrangement to another, a pod at a time, with every pod covered at each moment.

use super::Problem;
use super::layout::{Layout, Pair};
use super::problem::NOWHERE;
use crate::model::{PodUid, Resources};
use crate::placement::NodeSlot;

/// One step: a pod's backup goes to another node, or the pod itself does, or both.
///
/// What is new is made before what is old goes: the reserve of the new backup node grows, and a moved pod is held
/// room for on its new node, while everything else still stands; then the pod is entered in the book in its new
/// place, and what is not needed any more is given back. At each of these moments everybody is covered and
/// nothing is overfull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The pod.
    pub pod: PodUid,
    /// The node it is to be on; where it is already, unless the pod moves.
    pub primary: NodeSlot,
    /// The node its backup is to be on.
    pub backup: NodeSlot,
    /// Whether the pod itself moves.
    pub moves: bool,
}

/// Steps to less reserve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps, to be done in this order. Each prefix of them is sound by itself.
    pub steps: Vec<Step>,
    /// What is reserved on all nodes together before the first step.
    pub before: Resources,
    /// And after the last one.
    pub after: Resources,
}

// === impl Plan ===

impl Plan {
    /// The steps from the problem's own arrangement to `goal`, as far as they can be ordered so that each is sound, up
    /// to the one after which most pods are covered, and then least is reserved.
    pub(super) fn towards(problem: &Problem, goal: &Layout<'_>) -> Self {
        let mut layout = Layout::present(problem);
        let before = reserved(problem, &layout);
        let mut plan = Self { steps: Vec::new(), after: before.clone(), before };
        let mut open: Vec<(usize, Pair)> = (0..problem.pods.len())
            .filter_map(|pod| Some((pod, goal.pair(pod)?)))
            .filter(|(pod, pair)| layout.pair(*pod).is_some_and(|present| present != *pair))
            .collect();
        let mut uncovered = layout.uncovered();
        let (mut least, mut length) = ((uncovered, layout.price()), 0);
        while let Some(idx) = next(&layout, &open) {
            let (pod, pair) = open.swap_remove(idx);
            let from = layout.take(pod);
            layout.put(pod, pair);
            plan.steps.extend(step(problem, pod, from, pair));
            uncovered -= usize::from(from.is_some_and(|(_, backup)| backup == NOWHERE));
            if (uncovered, layout.price()) < least {
                (least, length) = ((uncovered, layout.price()), plan.steps.len());
                plan.after = reserved(problem, &layout);
            }
        }
        plan.steps.truncate(length);
        plan
    }
}

/// Of the steps that are still open, one that can be done now: that by which the reserves grow least in between.
fn next(layout: &Layout<'_>, open: &[(usize, Pair)]) -> Option<usize> {
    let mut best: Option<(i128, usize)> = None;
    for (idx, (pod, pair)) in open.iter().enumerate() {
        let moves = layout.pair(*pod).is_some_and(|(primary, _)| primary != pair.0);
        let Some(grown) = layout.increment(*pod, *pair, moves) else { continue };
        if best.is_none_or(|(least, _)| grown < least) {
            best = Some((grown, idx));
        }
        if grown == 0 {
            break;
        }
    }
    best.map(|(_, idx)| idx)
}

fn step(problem: &Problem, pod: usize, from: Option<Pair>, to: Pair) -> Option<Step> {
    let slot = |node: u32| problem.nodes.get(node as usize).copied();
    let pod = problem.pods.get(pod)?.pod.clone();
    let moves = from.is_some_and(|(primary, _)| primary != to.0);
    Some(Step { pod, primary: slot(to.0)?, backup: slot(to.1)?, moves })
}

/// What all nodes reserve together.
fn reserved(problem: &Problem, layout: &Layout<'_>) -> Resources {
    let mut sum = Resources::default();
    for (row, measure) in problem.kinds.iter().enumerate() {
        measure.kind.set(&mut sum, layout.reserved(row).saturating_mul(measure.grain));
    }
    sum
}
