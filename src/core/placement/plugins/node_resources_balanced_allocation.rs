//! NodeResourcesBalancedAllocation (upstream: `plugins/noderesources/balanced_allocation.go`).

use crate::placement::allocation::{Allocation, Basis, Share};
use crate::placement::{
    Cycle, MAX_NODE_SCORE, NodeScorer, NodeSlot, NodeView, Plugin, PreScore, ResourceSpec,
};

/// Prefers nodes on which the pod makes the used fractions of the resources more alike, so that no
/// resource is left that can't be used for want of another.
///
/// The score is 75 where the pod changes nothing, more where it balances the node and less where it
/// unbalances it. Pods that request none of the resources are not scored: otherwise all of them would
/// go to the node that is best balanced, for they never change that.
pub struct NodeResourcesBalancedAllocation {
    /// The resources to balance; their weights don't count.
    pub resources: Vec<ResourceSpec>,
}

struct Balance<'a>(Vec<Share<'a>>);

/// The part of a resource that is used, from 0 to 1.
#[derive(Clone, Copy)]
struct Fractions {
    without_pod: f64,
    with_pod: f64,
}

// === impl NodeResourcesBalancedAllocation ===

impl Default for NodeResourcesBalancedAllocation {
    fn default() -> Self {
        Self { resources: ResourceSpec::cpu_and_memory() }
    }
}

impl Plugin for NodeResourcesBalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        let share = |spec| Share::of(cycle.pod, spec, Basis::Requested);
        let shares: Vec<Share<'_>> = self.resources.iter().map(share).collect();
        if shares.iter().all(|share| share.request == 0) {
            return PreScore::Skip;
        }
        PreScore::Score(Box::new(Balance(shares)))
    }
}

// === impl Balance ===

impl Balance<'_> {
    /// How much of each resource that counts on the node is used.
    fn fractions(&self, node: NodeView<'_>) -> impl Iterator<Item = Fractions> + Clone {
        self.0.iter().filter_map(move |share| {
            let Allocation { capacity, before, after } = share.on(node)?;
            Some(Fractions { without_pod: fraction(before, capacity), with_pod: fraction(after, capacity) })
        })
    }
}

impl NodeScorer for Balance<'_> {
    fn score(&self, node: NodeView<'_>) -> i64 {
        let fractions = self.fractions(node);
        let mut first = fractions.clone();
        let (before, after) = match (first.next(), first.next(), first.next()) {
            // Of two, the deviation is half of their difference.
            (Some(a), Some(b), None) => (half(a.without_pod - b.without_pod), half(a.with_pod - b.with_pod)),
            (_, _, Some(_)) => (
                deviation(fractions.clone().map(|it| it.without_pod)),
                deviation(fractions.map(|it| it.with_pod)),
            ),
            (_, None, None) | (None, Some(_), None) => (0.0, 0.0),
        };
        // Both are from 50 to 100, so their difference is brought back into that range.
        let improvement = hundredths(1.0 - after) - hundredths(1.0 - before);
        let middle = MAX_NODE_SCORE / 2;
        middle + i64::midpoint(middle, improvement)
    }

    fn is_local(&self) -> bool {
        true
    }
}

fn half(difference: f64) -> f64 {
    (difference / 2.0).abs()
}

/// The standard deviation. Whatever is rounded on the way is rounded as upstream does it.
fn deviation(fractions: impl Iterator<Item = f64> + Clone) -> f64 {
    let (count, sum) = fractions.clone().fold((0.0, 0.0), |(count, sum), it| (count + 1.0, sum + it));
    let mean: f64 = sum / count;
    let squares: f64 = fractions.fold(0.0, |sum, it| sum + (it - mean) * (it - mean));
    (squares / count).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "upstream converts in the same way")]
fn fraction(part: i64, whole: i64) -> f64 {
    (part as f64 / whole as f64).min(1.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "upstream truncates in the same way"
)]
fn hundredths(part: f64) -> i64 {
    (part * MAX_NODE_SCORE as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::ScoredResource;
    use crate::placement::testing::{TestNode, TestPod, node, pod, score};
    use crate::random::Random;

    const GPU: &str = "example.com/gpu";

    fn plugin() -> NodeResourcesBalancedAllocation {
        NodeResourcesBalancedAllocation::default()
    }

    /// A node of 1,000 m and 1,000 B on which a pod takes some.
    fn used(cpu: i64, memory: i64) -> TestNode {
        node("n").cpu(1_000).memory(1_000).with_pods(&[pod("used").cpu(cpu).memory(memory).build()])
    }

    #[track_caller]
    fn check(pod: &TestPod, node: TestNode, expected: Option<i64>) {
        assert_eq!(score(&plugin(), pod, &[node]), expected.map(|score| vec![score]));
    }

    #[test]
    fn the_score_is_how_much_the_pod_improves_the_balance() {
        // Before and after, the deviation is half of the difference of the fractions.
        check(&pod("p").cpu(100).memory(100), used(0, 0), Some(75));
        check(&pod("p").cpu(100).memory(100), used(600, 200), Some(75));
        check(&pod("p").cpu(600), used(0, 0), Some(60));
        check(&pod("p").memory(400), used(600, 200), Some(85));
        check(&pod("p").cpu(1_000), used(0, 0), Some(50));
        check(&pod("p").memory(1_000), used(1_000, 0), Some(100));
    }

    #[test]
    fn a_score_is_rounded_towards_zero_twice() {
        // 1 - 0.0005 is 99 hundredths, and 50 - 1 halved is 24.
        check(&pod("p").cpu(1), used(0, 0), Some(74));
        check(&pod("p").cpu(30), used(0, 0), Some(74));
        check(&pod("p").memory(1), used(1, 0), Some(75));
    }

    #[test]
    fn requests_count_as_they_are() {
        check(&pod("p").cpu(100).non_zero(100, 900), used(0, 0), Some(72));
        check(&pod("p").non_zero(100, 200), used(0, 0), None);
        check(&pod("p").scalar(GPU, 1).storage(10), used(0, 0), None);
    }

    #[test]
    fn an_overcommitted_resource_counts_as_full() {
        check(&pod("p").cpu(500), used(0, 3_000), Some(87));
        check(&pod("p").cpu(500), used(800, 3_000), Some(80));
    }

    #[test]
    fn a_resource_the_node_lacks_does_not_count() {
        check(&pod("p").cpu(500), used(0, 0).memory(0), Some(75));
        check(&pod("p").cpu(500), node("none"), Some(75));
    }

    /// The textbook formula, on lists.
    fn naive(fractions: &[f64]) -> f64 {
        let count = f64::from(u32::try_from(fractions.len()).unwrap());
        let mean = fractions.iter().sum::<f64>() / count;
        (fractions.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count).sqrt()
    }

    #[test]
    fn three_resources_deviate_by_the_textbook_formula() {
        let mut numbers = Random(0xba1a);
        let gpu = ResourceSpec { resource: ScoredResource::Scalar(GPU.into()), weight: 1 };
        let plugin = NodeResourcesBalancedAllocation { resources: [plugin().resources, vec![gpu]].concat() };
        for _ in 0..2_000 {
            let [before, request] = [(); 2].map(|()| [(); 3].map(|()| numbers.below(500) + 1));
            let [[cpu, memory, gpus], [used_cpu, used_memory, used_gpus]] = [request, before];
            let other = pod("o").cpu(used_cpu).memory(used_memory).scalar(GPU, used_gpus).build();
            let node = node("n").cpu(1_000).memory(1_000).scalar(GPU, 1_000).with_pods(&[other]);
            let pod = pod("p").cpu(cpu).memory(memory).scalar(GPU, gpus);
            let balance = |taken: [i64; 3]| hundredths(1.0 - naive(&taken.map(|it| fraction(it, 1_000))));
            let after = [0, 1, 2].map(|idx| before[idx] + request[idx]);
            let expected = 50 + (50 + balance(after) - balance(before)) / 2;
            assert_eq!(score(&plugin, &pod, &[node]), Some(vec![expected]), "{before:?} {request:?}");
        }
    }

    #[test]
    fn of_two_resources_half_the_difference_is_the_textbook_formula() {
        let mut numbers = Random(0xba1b);
        for _ in 0..2_000 {
            let pair = [(); 2].map(|()| fraction(numbers.below(1_001), 1_000));
            assert!((half(pair[0] - pair[1]) - naive(&pair)).abs() < 1e-12, "{pair:?}");
        }
    }
}
