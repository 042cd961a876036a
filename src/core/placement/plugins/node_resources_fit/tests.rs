use super::*;
use crate::placement::ScoredResource;
use crate::placement::testing::{TestNode, TestPod, filter, node, pod, score};
use crate::random::Random;

const GPU: &str = "example.com/gpu";

fn plugin() -> NodeResourcesFit {
    NodeResourcesFit::default()
}

#[track_caller]
fn check(pod: &TestPod, node: &TestNode, expected: &str) {
    assert_eq!(filter(&plugin(), pod, node), expected);
}

/// A node with 1,000 m, 1,000 B of memory and of storage and 4 GPUs, on which a pod takes some.
fn used(cpu: i64, memory: i64, storage: i64, gpus: i64) -> TestNode {
    let pod = pod("used").cpu(cpu).memory(memory).storage(storage).scalar(GPU, gpus);
    node("n").cpu(1_000).memory(1_000).storage(1_000).scalar(GPU, 4).with_pods(&[pod.build()])
}

#[test]
fn what_is_free_may_be_used_up_but_not_exceeded() {
    let node = used(600, 600, 600, 3);
    check(&pod("p").cpu(400).memory(400).storage(400).scalar(GPU, 1), &node, "fits");
    check(&pod("p").cpu(401), &node, "preemptible: Insufficient cpu");
    check(&pod("p").memory(401), &node, "preemptible: Insufficient memory");
    check(&pod("p").storage(401), &node, "preemptible: Insufficient ephemeral-storage");
    check(&pod("p").scalar(GPU, 2), &node, "preemptible: Insufficient example.com/gpu");
}

#[test]
fn all_that_is_short_is_named() {
    let node = used(900, 900, 900, 4).allowed_pods(1);
    let pod = pod("p").cpu(200).memory(200).storage(200).scalar(GPU, 1).scalar("hugepages-2Mi", 2);
    check(
        &pod,
        &node.clone().scalar("hugepages-2Mi", 2),
        "preemptible: Too many pods, Insufficient cpu, Insufficient memory, \
         Insufficient ephemeral-storage, Insufficient example.com/gpu",
    );
    // One resource that the node could never give makes the whole rejection final.
    check(
        &pod,
        &node,
        "final: Too many pods, Insufficient cpu, Insufficient memory, \
         Insufficient ephemeral-storage, Insufficient example.com/gpu, Insufficient hugepages-2Mi",
    );
}

#[test]
fn a_request_over_all_the_node_has_is_final() {
    let node = used(100, 100, 100, 1);
    check(&pod("p").cpu(1_000), &node, "preemptible: Insufficient cpu");
    check(&pod("p").cpu(1_001), &node, "final: Insufficient cpu");
    check(&pod("p").memory(1_001), &node, "final: Insufficient memory");
    check(&pod("p").storage(1_001), &node, "final: Insufficient ephemeral-storage");
    check(&pod("p").scalar(GPU, 5), &node, "final: Insufficient example.com/gpu");
    check(&pod("p").scalar("example.com/none", 1), &node, "final: Insufficient example.com/none");
    check(&pod("p").cpu(950).memory(1_001), &node, "final: Insufficient cpu, Insufficient memory");
}

#[test]
fn what_is_not_requested_may_be_overcommitted() {
    let node = used(2_000, 2_000, 2_000, 8);
    check(&pod("p"), &node, "fits");
    check(&pod("p").scalar(GPU, 0).scalar("example.com/none", 0), &node, "fits");
    check(&pod("p").cpu(1), &node, "preemptible: Insufficient cpu");
}

#[test]
fn the_number_of_pods_is_always_checked() {
    check(&pod("p"), &used(0, 0, 0, 0).allowed_pods(2), "fits");
    check(&pod("p"), &used(0, 0, 0, 0).allowed_pods(1), "preemptible: Too many pods");
    check(&pod("p"), &node("n").allowed_pods(0), "preemptible: Too many pods");
}

#[test]
fn verdicts_equal_those_of_a_naive_reading() {
    let mut numbers = Random(0x5eed);
    for _ in 0..5_000 {
        let [capacity, request, taken] = [(); 3].map(|()| [(); 3].map(|()| numbers.below(4)));
        let allowed = numbers.below(3);
        let node = node("n").cpu(capacity[0]).memory(capacity[1]).scalar(GPU, capacity[2]);
        let other = pod("other").cpu(taken[0]).memory(taken[1]).scalar(GPU, taken[2]).build();
        let node = node.allowed_pods(allowed).with_pods(&[other]);
        let pod = pod("p").cpu(request[0]).memory(request[1]).scalar(GPU, request[2]);
        let names = ["Insufficient cpu", "Insufficient memory", "Insufficient example.com/gpu"];
        let mut reasons = Vec::from_iter((allowed < 2).then_some("Too many pods"));
        let mut kind = "preemptible";
        for idx in 0..3 {
            if request[idx] != 0 && taken[idx] + request[idx] > capacity[idx] {
                reasons.push(names[idx]);
                kind = if request[idx] > capacity[idx] { "final" } else { kind };
            }
        }
        let expected = format!("{kind}: {}", reasons.join(", "));
        check(&pod, &node, if reasons.is_empty() { "fits" } else { &expected });
    }
}

#[track_caller]
fn check_scores(pod: &TestPod, nodes: &[TestNode], expected: &[i64]) {
    let scores: Vec<i64> =
        nodes.iter().flat_map(|node| score(&plugin(), pod, std::slice::from_ref(node)).unwrap()).collect();
    assert_eq!(scores, expected);
}

#[test]
fn the_emptier_node_scores_higher() {
    let nodes = [
        used(0, 0, 0, 0),
        used(600, 200, 900, 4),
        used(1_000, 1_000, 0, 0),
        used(700, 0, 0, 0).memory(0),
        node("none"),
    ];
    check_scores(&pod("p").cpu(100).memory(100), &nodes, &[90, 50, 0, 20, 0]);
    check_scores(&pod("p").cpu(333).memory(100), &nodes, &[78, 38, 0, 0, 0]);
}

#[test]
fn a_pod_without_requests_counts_as_a_small_one() {
    let small = pod("p").non_zero(100, 200);
    check_scores(&small, &[used(0, 0, 0, 0), used(500, 0, 0, 0)], &[85, 60]);
    let other = pod("other").non_zero(100, 200).build();
    let crowded = node("n").cpu(1_000).memory(1_000).with_pods(&[other]);
    check_scores(&small, &[used(0, 0, 0, 0), crowded], &[85, 70]);
}

#[test]
fn resources_count_by_weight_and_extended_ones_where_requested() {
    let spec = |resource, weight| ResourceSpec { resource, weight };
    let gpu = ScoredResource::Scalar(GPU.into());
    let resources = vec![spec(ScoredResource::Cpu, 1), spec(gpu, 3)];
    let plugin = NodeResourcesFit { resources, ..plugin() };
    let nodes = [used(400, 0, 0, 1)];
    assert_eq!(score(&plugin, &pod("p").cpu(100).scalar(GPU, 1), &nodes), Some(vec![50]));
    assert_eq!(score(&plugin, &pod("p").cpu(300).scalar(GPU, 1), &nodes), Some(vec![45]));
    assert_eq!(score(&plugin, &pod("p").cpu(100), &nodes), Some(vec![50]));
}

#[track_caller]
fn check_cured(event: ClusterEvent<'_>, expected: bool) {
    let pod = pod("p").cpu(500).scalar(GPU, 1);
    assert_eq!(plugin().cured_by(&pod, &event), expected, "{event:?}");
}

#[test]
fn a_node_wakes_it_if_it_is_large_enough_and_grew() {
    let fit = node("n").cpu(500).scalar(GPU, 1);
    let (small, large) = (fit.clone().cpu(499).node, fit.clone().cpu(600).node);
    let (more_memory, more_pods) = (fit.clone().memory(9).node, fit.clone().allowed_pods(111).node);
    let fit = fit.node;
    check_cured(ClusterEvent::NodeAdded(&fit), true);
    check_cured(ClusterEvent::NodeAdded(&small), false);
    check_cured(ClusterEvent::NodeUpdated { old: &small, new: &fit }, true);
    check_cured(ClusterEvent::NodeUpdated { old: &fit, new: &large }, true);
    check_cured(ClusterEvent::NodeUpdated { old: &large, new: &fit }, false);
    check_cured(ClusterEvent::NodeUpdated { old: &fit, new: &fit }, false);
    // It doesn't request memory.
    check_cured(ClusterEvent::NodeUpdated { old: &fit, new: &more_memory }, false);
    check_cured(ClusterEvent::NodeUpdated { old: &fit, new: &more_pods }, true);
    let full = node("n").cpu(900).scalar(GPU, 1).allowed_pods(0).node;
    check_cured(ClusterEvent::NodeUpdated { old: &fit, new: &full }, false);
}

#[test]
fn a_pod_wakes_it_by_going_or_by_shrinking_in_what_it_requests() {
    let (large, small) = (pod("o").cpu(2).memory(2).build(), pod("o").cpu(1).memory(2).build());
    let lean = pod("o").cpu(2).memory(1).build();
    let gpu = pod("o").cpu(2).memory(2).scalar(GPU, 1).build();
    check_cured(ClusterEvent::PodFreed(&pod("o")), true);
    check_cured(ClusterEvent::PodUpdated { old: &large, new: &small }, true);
    check_cured(ClusterEvent::PodUpdated { old: &small, new: &large }, false);
    check_cured(ClusterEvent::PodUpdated { old: &large, new: &lean }, false);
    check_cured(ClusterEvent::PodUpdated { old: &gpu, new: &large }, true);
    check_cured(ClusterEvent::PodUpdated { old: &large, new: &large }, false);
    check_cured(ClusterEvent::PodPlaced(&large), false);
}

#[test]
fn extended_resources_can_be_passed_over() {
    let plugin = NodeResourcesFit {
        ignored_resources: vec!["example.com/gpu".into(), "cpu".into(), "kubernetes.io/x".into()],
        ignored_groups: vec!["example.org".into()],
        ..plugin()
    };
    let check = |pod: TestPod, expected: &str| assert_eq!(filter(&plugin, &pod, &node("n")), expected);
    check(pod("p").scalar(GPU, 1).scalar("example.org/a", 1), "fits");
    check(pod("p").scalar(GPU, 1).scalar("example.com/nic", 1), "final: Insufficient example.com/nic");
    check(pod("p").cpu(1), "final: Insufficient cpu");
    check(pod("p").scalar("kubernetes.io/x", 1), "final: Insufficient kubernetes.io/x");
    check(pod("p").scalar("example.org.uk/a", 1), "final: Insufficient example.org.uk/a");
}

#[track_caller]
fn check_score(strategy: ScoringStrategy, gpu_weight: i64, pod: &TestPod, expected: i64) {
    let gpu = ResourceSpec { resource: ScoredResource::Scalar(GPU.into()), weight: gpu_weight };
    let plugin = NodeResourcesFit {
        strategy,
        resources: [ResourceSpec::cpu_and_memory(), vec![gpu]].concat(),
        ..plugin()
    };
    assert_eq!(score(&plugin, pod, &[used(400, 100, 0, 1)]), Some(vec![expected]));
}

#[test]
fn a_strategy_prefers_full_nodes_or_follows_a_curve() {
    use ScoringStrategy::{MostAllocated, RequestedToCapacityRatio};
    let asks = pod("p").cpu(200).memory(300).scalar(GPU, 1);
    // 60 % of the CPU, 40 % of the memory and 50 % of the GPUs would be taken.
    check_score(MostAllocated, 1, &asks, 50);
    check_score(MostAllocated, 8, &pod("p").cpu(200).memory(300).scalar(GPU, 3), 90);
    check_score(MostAllocated, 1, &pod("p").cpu(900).memory(300), 70);
    let points = |points: [(i64, i64); 2]| {
        let points = points.map(|(utilization, score)| ShapePoint { utilization, score });
        RequestedToCapacityRatio(Shape::new(points))
    };
    check_score(points([(0, 0), (100, 10)]), 1, &asks, 50);
    // Rounded: (60 + 40 + 3 * 50) / 5 = 50, (61 + 40 + 50) / 3 = 50.33, (62 + 40 + 50) / 3 = 50.67.
    check_score(points([(0, 0), (100, 10)]), 3, &asks, 50);
    check_score(points([(0, 0), (100, 10)]), 1, &pod("p").cpu(220).memory(300).scalar(GPU, 1), 51);
    // A resource whose score is 0 doesn't count at all.
    check_score(points([(40, 0), (60, 10)]), 1, &asks, 75);
}
