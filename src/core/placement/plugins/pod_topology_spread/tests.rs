//! How evenly pods are spread. What kube-scheduler says of the same is compared in `tests/parity`.

use super::PodTopologySpread;
use crate::model::{
    LabelSelector, Labels, Pod, PodSelector, SelectorKind, SpreadConstraint, TaintEffect, WhenUnsatisfiable,
};
use crate::placement::testing::{TestNode, check_forks, cluster, node, score_in, tolerates_key, verdicts};
use crate::placement::{ClusterEvent, HOSTNAME, Plugin, Snapshot, ZONE};
use crate::random::Random;

const UNEVEN: &str = "preemptible: node(s) didn't match pod topology spread constraints";
const NO_LABEL: &str = "final: node(s) didn't match pod topology spread constraints (missing required label)";

/// Nodes a and b in zone east, c in zone west, d in none.
fn zones() -> [TestNode; 4] {
    let zone = |name, zone| node(name).label(ZONE, zone).label(HOSTNAME, name);
    [zone("a", "east"), zone("b", "east"), zone("c", "west"), node("d").label(HOSTNAME, "d")]
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn web() -> Pod {
    Pod { labels: labels(&[("app", "web")]), ..Pod::pending("default", "web") }
}

fn at(nodes: &[&str]) -> Vec<Pod> {
    nodes.iter().map(|node| Pod { node: Some((*node).into()), ..web() }).collect()
}

fn constraint(max_skew: i64, topology: &str, action: WhenUnsatisfiable) -> SpreadConstraint {
    let selector = LabelSelector::from(&labels(&[("app", "web")]));
    SpreadConstraint { selector, ..SpreadConstraint::new(topology.into(), max_skew, action) }
}

fn hard(max_skew: i64, topology: &str) -> SpreadConstraint {
    constraint(max_skew, topology, WhenUnsatisfiable::DoNotSchedule)
}

fn soft(max_skew: i64, topology: &str) -> SpreadConstraint {
    constraint(max_skew, topology, WhenUnsatisfiable::ScheduleAnyway)
}

fn spread(pod: Pod, constraints: impl Into<std::sync::Arc<[SpreadConstraint]>>) -> Pod {
    Pod { spread: constraints.into(), ..pod }
}

#[track_caller]
fn check(pod: &Pod, placed: &[Pod], expected: [&str; 4]) {
    let found = verdicts(&PodTopologySpread::default(), pod, &cluster(&zones(), placed));
    assert_eq!(found, expected, "{:?}", pod.spread);
}

#[test]
fn no_domain_gets_ahead_of_the_emptiest_by_more_than_the_skew() {
    let even = spread(web(), [hard(1, ZONE)]);
    check(&even, &[], ["fits", "fits", "fits", NO_LABEL]);
    check(&even, &at(&["a"]), [UNEVEN, UNEVEN, "fits", NO_LABEL]);
    check(&even, &at(&["a", "c", "c"]), ["fits", "fits", UNEVEN, NO_LABEL]);
    check(&spread(web(), [hard(2, ZONE)]), &at(&["a"]), ["fits", "fits", "fits", NO_LABEL]);
    check(
        &spread(web(), [hard(1, ZONE), hard(1, HOSTNAME)]),
        &at(&["a", "c"]),
        [UNEVEN, "fits", UNEVEN, NO_LABEL],
    );
    let other = Pod { labels: Labels::default(), ..even };
    check(&other, &at(&["a"]), ["fits", "fits", "fits", NO_LABEL]);
}

#[test]
fn with_too_few_domains_the_emptiest_counts_as_empty() {
    let three = spread(web(), [SpreadConstraint { min_domains: 3, ..hard(1, ZONE) }]);
    check(&three, &at(&["a", "c"]), [UNEVEN, UNEVEN, UNEVEN, NO_LABEL]);
    let two = spread(web(), [SpreadConstraint { min_domains: 2, ..hard(1, ZONE) }]);
    check(&two, &at(&["a", "c"]), ["fits", "fits", "fits", NO_LABEL]);
}

#[test]
fn only_nodes_count_that_the_policies_let_in() {
    let nodes = zones().map(|it| {
        if &*it.node.name.to_string() == "c" { it.taint("gpu", "", TaintEffect::NoSchedule) } else { it }
    });
    let judge = |pod: &Pod| verdicts(&PodTopologySpread::default(), pod, &cluster(&nodes, &at(&["a"])));
    assert_eq!(judge(&spread(web(), [hard(1, ZONE)]))[0], UNEVEN);
    let honors = SpreadConstraint { honors_taints: true, ..hard(1, ZONE) };
    assert_eq!(judge(&spread(web(), [honors.clone()]))[0], "fits");
    let tolerant = Pod { tolerations: [tolerates_key("gpu", None)].into(), ..web() };
    assert_eq!(judge(&spread(tolerant, [honors]))[0], UNEVEN);
    let east = Pod { node_selector: labels(&[(ZONE, "east")]), ..web() };
    assert_eq!(judge(&spread(east.clone(), [hard(1, ZONE)]))[0], "fits");
    let ignores = SpreadConstraint { honors_affinity: false, ..hard(1, ZONE) };
    assert_eq!(judge(&spread(east, [ignores]))[0], UNEVEN);
}

#[test]
fn pods_that_are_ending_or_elsewhere_do_not_count() {
    let even = spread(web(), [hard(1, ZONE)]);
    let fits = ["fits", "fits", "fits", NO_LABEL];
    check(
        &even,
        &at(&["a"]).into_iter().map(|pod| Pod { terminating: true, ..pod }).collect::<Vec<_>>(),
        fits,
    );
    let key = crate::model::PodKey::new("shop", "web");
    check(
        &even,
        &at(&["a"]).into_iter().map(|pod| Pod { key: key.clone(), ..pod }).collect::<Vec<_>>(),
        fits,
    );
    // As upstream, a selector that leaves everything in counts no pod but the one that is judged.
    let all = SpreadConstraint { selector: LabelSelector::All(Box::default()), ..hard(1, ZONE) };
    check(&spread(web(), [all]), &at(&["a", "a"]), fits);
}

#[track_caller]
fn check_scores(pod: &Pod, placed: &[&str], expected: Option<&[i64]>) {
    let found = score_in(&PodTopologySpread::default(), pod, &cluster(&zones(), &at(placed)));
    assert_eq!(found.as_deref(), expected, "{:?}", pod.spread);
}

#[test]
fn emptier_domains_score_higher_and_nodes_in_none_are_left_out() {
    check_scores(&web(), &["a"], None);
    check_scores(&spread(web(), [hard(1, ZONE)]), &["a"], None);
    let even = spread(web(), [soft(1, ZONE)]);
    check_scores(&even, &[], Some(&[100, 100, 100, 0]));
    check_scores(&even, &["a", "a"], Some(&[0, 0, 100, 0]));
    check_scores(&even, &["a", "a", "c"], Some(&[33, 33, 100, 0]));
    check_scores(&spread(web(), [soft(1, HOSTNAME)]), &["a", "a", "c"], Some(&[0, 100, 50, 100]));
}

/// The cluster with a Service of the pods of the app `web`.
fn with_service(placed: &[&str]) -> Snapshot {
    let mut snapshot = cluster(&zones(), &at(placed));
    snapshot.selectors.put(PodSelector {
        kind: SelectorKind::Service,
        namespace: "default".into(),
        name: "web".into(),
        selector: LabelSelector::from(&labels(&[("app", "web")])),
    });
    snapshot
}

#[test]
fn pods_of_a_service_are_spread_by_default() {
    let score = |pod: &Pod| score_in(&PodTopologySpread::default(), pod, &with_service(&["a", "b", "c"]));
    // In zones 2 and 1, on nodes 1, 1, 1 and 0; ln 5 and ln 6 a pod, and 4 and 2 for the skew: 11, 11, 9 and,
    // because d is in no zone, 2.
    assert_eq!(score(&web()), Some(vec![18, 18, 36, 100]));
    assert_eq!(score(&Pod { labels: Labels::default(), ..web() }), None);
    assert_eq!(score(&spread(web(), [hard(1, ZONE)])), None);
    assert_eq!(verdicts(&PodTopologySpread::default(), &web(), &with_service(&["a"])), ["fits"; 4]);
}

#[test]
fn a_profile_may_have_defaults_of_its_own() {
    let plugin = PodTopologySpread::with_defaults(vec![hard(1, ZONE), soft(1, HOSTNAME)]);
    let snapshot = with_service(&["a"]);
    assert_eq!(verdicts(&plugin, &web(), &snapshot), [UNEVEN, UNEVEN, "fits", NO_LABEL]);
    assert_eq!(score_in(&plugin, &web(), &snapshot), Some(vec![0, 100, 100, 100]));
    assert!(plugin.cured_by(&web(), &ClusterEvent::SelectorChanged { namespace: &"default".into() }));
    assert!(!plugin.cured_by(&web(), &ClusterEvent::SelectorChanged { namespace: &"shop".into() }));
    let own = spread(web(), [hard(1, ZONE)]);
    assert!(!plugin.cured_by(&own, &ClusterEvent::SelectorChanged { namespace: &"default".into() }));
    assert_eq!(verdicts(&PodTopologySpread::with_defaults(Vec::new()), &web(), &snapshot), ["fits"; 4]);
}

#[track_caller]
fn check_cured(event: ClusterEvent<'_>, expected: bool) {
    let pod = spread(web(), [hard(1, ZONE)]);
    assert_eq!(PodTopologySpread::default().cured_by(&pod, &event), expected, "{event:?}");
}

#[test]
fn pods_that_count_and_nodes_of_the_topology_wake_it() {
    let (web, other) = (web(), Pod { labels: Labels::default(), ..web() });
    let elsewhere = Pod { key: crate::model::PodKey::new("shop", "web"), ..web.clone() };
    let ending = Pod { terminating: true, ..web.clone() };
    check_cured(ClusterEvent::PodPlaced(&web), true);
    check_cured(ClusterEvent::PodFreed(&web), true);
    check_cured(ClusterEvent::PodPlaced(&other), false);
    check_cured(ClusterEvent::PodFreed(&elsewhere), false);
    check_cured(ClusterEvent::PodUpdated { old: &web, new: &other }, true);
    check_cured(ClusterEvent::PodUpdated { old: &web, new: &ending }, true);
    check_cured(ClusterEvent::PodUpdated { old: &web, new: &web }, false);
    let [a, b, c, d] = zones().map(|node| node.node);
    check_cured(ClusterEvent::NodeAdded(&a), true);
    check_cured(ClusterEvent::NodeAdded(&d), false);
    check_cured(ClusterEvent::NodeRemoved(&c), true);
    check_cured(ClusterEvent::NodeUpdated { old: &a, new: &d }, true);
    check_cured(ClusterEvent::NodeUpdated { old: &b, new: &b }, false);
    let tainted = zones()[0].clone().taint("gpu", "", TaintEffect::NoSchedule).node;
    check_cured(ClusterEvent::NodeUpdated { old: &tainted, new: &a }, true);
}

#[test]
fn a_fork_judges_as_if_the_other_pods_were_there() {
    let pick = |numbers: &mut Random, below: usize| numbers.below(below);
    let nodes = |numbers: &mut Random| {
        let one = |name, numbers: &mut Random| {
            let node = node(name).label(HOSTNAME, name);
            let zone = ["east", "west", "north"][pick(numbers, 3)];
            if numbers.below(6) == 0 { node } else { node.label(ZONE, zone) }
        };
        ["a", "b", "c", "d"].map(|name| one(name, numbers)).into()
    };
    let pod = |numbers: &mut Random| {
        let pod = if numbers.below(3) == 0 { Pod { labels: Labels::default(), ..web() } } else { web() };
        let topology = [ZONE, HOSTNAME][pick(numbers, 2)];
        let min_domains = 1 + numbers.below(3);
        let constraint = SpreadConstraint { min_domains, ..hard(1 + numbers.below(2), topology) };
        if numbers.below(2) == 0 {
            spread(pod, [constraint])
        } else {
            spread(pod, [constraint, hard(2, ZONE)])
        }
    };
    for seed in 1..=300 {
        check_forks(&PodTopologySpread::default(), seed * 7919, nodes, pod);
    }
}
