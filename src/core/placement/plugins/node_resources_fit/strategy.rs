//! How NodeResourcesFit scores (upstream: `plugins/noderesources/least_allocated.go`,
//! `most_allocated.go`, `requested_to_capacity_ratio.go`).

use crate::placement::allocation::{Allocation, Share};
use crate::placement::{MAX_NODE_SCORE, NodeScorer, NodeView};

/// How NodeResourcesFit scores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ScoringStrategy {
    /// The emptier the node, the better.
    #[default]
    LeastAllocated,
    /// The fuller the node, the better.
    MostAllocated,
    /// As this curve has it.
    RequestedToCapacityRatio(Shape),
}

/// A curve of straight pieces from the used part of a resource, in hundredths, to a score.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape(Vec<ShapePoint>);

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapePoint {
    /// From 0 to 100.
    pub utilization: i64,
    /// From 0 to 10.
    pub score: i64,
}

/// A strategy and what the pod would take.
pub(super) struct Scorer<'a> {
    pub(super) strategy: &'a ScoringStrategy,
    pub(super) shares: Vec<Share<'a>>,
}

/// The highest score of a point.
const MAX_POINT_SCORE: i64 = 10;

// === impl Shape ===

impl Shape {
    /// The curve through these points, which stand in the order of their utilization.
    pub fn new(points: impl IntoIterator<Item = ShapePoint>) -> Self {
        let scaled =
            |it: ShapePoint| ShapePoint { score: it.score * (MAX_NODE_SCORE / MAX_POINT_SCORE), ..it };
        Self(points.into_iter().map(scaled).collect())
    }

    /// The score at this utilization; beyond the ends that of the end.
    fn at(&self, utilization: i64) -> i64 {
        let mut before: Option<ShapePoint> = None;
        for point in &self.0 {
            if utilization <= point.utilization {
                let Some(from) = before else { return point.score };
                let run = point.utilization - from.utilization;
                let rise = (point.score - from.score) * (utilization - from.utilization);
                return from.score + rise.checked_div(run).unwrap_or(0);
            }
            before = Some(*point);
        }
        before.map_or(0, |last| last.score)
    }
}

// === impl Scorer ===

impl Scorer<'_> {
    /// The mean of the scores of the resources, weighted, rounded down.
    fn mean(&self, node: NodeView<'_>, score: impl Fn(Allocation) -> i64) -> i64 {
        let (mut sum, mut weights) = (0, 0);
        for share in &self.shares {
            if let Some(allocation) = share.on(node) {
                sum += score(allocation) * share.weight;
                weights += share.weight;
            }
        }
        if weights == 0 { 0 } else { sum / weights }
    }

    /// The same, rounded, over the resources that have a score at all.
    fn mean_of_scored(&self, node: NodeView<'_>, shape: &Shape) -> i64 {
        let (mut sum, mut weights) = (0, 0);
        for share in &self.shares {
            let score = share.on(node).map_or(0, |allocation| shape.at(utilization(allocation)));
            if score > 0 {
                sum += score * share.weight;
                weights += share.weight;
            }
        }
        if weights == 0 { 0 } else { (2 * sum + weights) / (2 * weights) }
    }
}

impl NodeScorer for Scorer<'_> {
    fn score(&self, node: NodeView<'_>) -> i64 {
        match self.strategy {
            ScoringStrategy::LeastAllocated => self.mean(node, left),
            ScoringStrategy::MostAllocated => self.mean(node, taken),
            ScoringStrategy::RequestedToCapacityRatio(shape) => self.mean_of_scored(node, shape),
        }
    }

    fn is_local(&self) -> bool {
        true
    }
}

fn left(Allocation { capacity, before: _, after }: Allocation) -> i64 {
    if after > capacity { 0 } else { (capacity - after).saturating_mul(MAX_NODE_SCORE) / capacity }
}

/// More than there is can be taken, because a pod that requests nothing counts as a small one.
fn taken(Allocation { capacity, before: _, after }: Allocation) -> i64 {
    after.min(capacity).saturating_mul(MAX_NODE_SCORE) / capacity
}

fn utilization(Allocation { capacity, before: _, after }: Allocation) -> i64 {
    if after > capacity { 100 } else { after.saturating_mul(100) / capacity }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(points: &[(i64, i64)]) -> Shape {
        Shape::new(
            points.iter().map(|(utilization, score)| ShapePoint { utilization: *utilization, score: *score }),
        )
    }

    #[track_caller]
    fn check(points: &[(i64, i64)], expected: &[(i64, i64)]) {
        let shape = shape(points);
        for (utilization, score) in expected {
            assert_eq!(shape.at(*utilization), *score, "{points:?} at {utilization}");
        }
    }

    #[test]
    fn a_curve_is_straight_between_its_points_and_level_beyond() {
        check(&[(10, 1), (90, 9)], &[(0, 10), (9, 10), (10, 10), (50, 50), (90, 90), (91, 90), (100, 90)]);
        check(&[(0, 2), (40, 1), (100, 0)], &[(0, 20), (20, 15), (40, 10), (70, 5), (100, 0)]);
        check(&[(50, 10)], &[(0, 100), (100, 100)]);
        check(&[(0, 0), (30, 10)], &[(1, 3), (29, 96)]);
        check(&[], &[(50, 0)]);
    }
}
