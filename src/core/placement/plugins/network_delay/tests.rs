//! Table tests of NetworkDelay: a line of nodes a, b, c, d, 10 ms a step, and e of which nothing is known.

use super::*;
use crate::delay::{Change, DELAY_ANNOTATION, DELAY_TO_ANNOTATION, DelayRow, Falls};
use crate::model::{Labels, Owner, Time};
use crate::placement::Snapshot;
use crate::placement::testing::{node, snapshot};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The line, with all its delays loaded and these pods on these nodes.
fn line(placed: &[(&Pod, &str)]) -> Snapshot {
    let mut snapshot = snapshot(&NAMES.map(node));
    for (from, idx) in NAMES.into_iter().zip(0_u32..) {
        let delay = |to: u32| Delay::from_micros(idx.abs_diff(to) * 10_000).unwrap();
        let known = NAMES.into_iter().zip(0..).filter(|(to, _)| from != "e" && *to != "e" && *to != from);
        let to = known.map(|(to, other)| (to.into(), delay(other))).collect();
        snapshot.delays.load(&DelayRow { from: from.into(), to }, &mut snapshot.nodes, Time::ZERO);
    }
    for (pod, node) in placed {
        let slot = snapshot.nodes.slot(node).unwrap();
        snapshot.workloads.add(pod, slot);
    }
    snapshot
}

fn pod(name: &str, labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Pod {
    Pod {
        labels: labels.iter().copied().collect(),
        annotations: annotations.iter().copied().collect::<Labels>(),
        ..Pod::pending("default", name)
    }
}

/// A pod of this Deployment in this namespace.
fn replica(namespace: &str, deployment: &str) -> Pod {
    Pod {
        labels: [("pod-template-hash", "5d4f")].into_iter().collect(),
        owner: Some(Owner { kind: "ReplicaSet".into(), name: format!("{deployment}-5d4f").into() }),
        ..Pod::pending(namespace, &format!("{deployment}-5d4f-x"))
    }
}

fn of_kind(kind: &str, name: &str) -> Pod {
    let owner = Some(Owner { kind: kind.into(), name: name.into() });
    Pod { owner, ..Pod::pending("default", &format!("{name}-0")) }
}

/// The nodes that are admitted, one by one and all at once, or the pod's rejection.
fn admitted(snapshot: &Snapshot, pod: &Pod) -> String {
    let filter = match NetworkDelay.pre_filter(Cycle::of(pod, snapshot)) {
        PreFilter::Skip => return "unconstrained".to_owned(),
        PreFilter::Check(filter) | PreFilter::Narrow(_, filter) => filter,
        PreFilter::Reject(rejection) => return rejection.reason.to_string(),
        PreFilter::AwaitDelays(nodes) => return format!("awaits {nodes:?}"),
    };
    let fits: Vec<NodeView<'_>> =
        snapshot.nodes.iter().filter(|node| filter.filter(*node) == Verdict::Fits).collect();
    let slots: Vec<NodeSlot> = fits.iter().map(|node| node.slot).collect();
    assert!(filter.reach().is_none_or(|reach| reach == slots), "{:?}", filter.reach());
    fits.iter().map(|node| node.node.name.as_str()).collect()
}

#[track_caller]
fn check(placed: &[(&Pod, &str)], labels: &[(&str, &str)], annotations: &[(&str, &str)], expected: &str) {
    assert_eq!(admitted(&line(placed), &pod("web", labels, annotations)), expected);
}

#[test]
fn a_radius_is_a_ball_around_the_anchor() {
    check(&[], &[], &[], "unconstrained");
    check(&[], &[("delay_b", "0")], &[], "b");
    check(&[], &[("delay_b", "9.999")], &[], "b");
    check(&[], &[("delay_b", "10")], &[], "abc");
    check(&[], &[("delay_b", "1000")], &[], "abcd");
    check(&[], &[("delay_e", "1000")], &[], "e");
}

#[test]
fn every_constraint_must_hold() {
    check(&[], &[("delay_a", "20"), ("delay_d", "20")], &[], "bc");
    check(&[], &[("delay_a", "10")], &[(DELAY_ANNOTATION, "d=20")], "b");
    check(&[], &[("delay_a", "0"), ("delay_d", "0")], &[], "");
}

#[test]
fn a_workload_is_found_by_its_exact_name() {
    let (web, far) = (replica("default", "db"), replica("other", "db"));
    let placed: &[(&Pod, &str)] = &[(&web, "d"), (&far, "a")];
    check(placed, &[("delay_db", "0")], &[], "d");
    check(placed, &[("delay_db.default", "0")], &[], "d");
    check(placed, &[("delay_db.other", "0")], &[], "a");
    check(placed, &[("delay_db-5d4f", "0")], &[], "d");
    check(placed, &[], &[(DELAY_ANNOTATION, "deployment/db.other=10")], "ab");
    let bare = Pod::pending("default", "redis");
    check(&[(&bare, "c")], &[("delay_redis", "0")], &[], "c");
    check(&[(&of_kind("StatefulSet", "kafka"), "c")], &[("delay_kafka", "0")], &[], "c");
}

#[test]
fn an_anchor_that_is_nowhere_is_waited_for() {
    check(
        &[(&replica("default", "database"), "d")],
        &[("delay_data", "5")],
        &[],
        "anchor data is not placed: there is no such node, and no workload data in namespace default has a pod on a node",
    );
    check(
        &[],
        &[("delay_db.other", "5")],
        &[],
        "anchor db.other is not placed: there is no such node, and no workload db in namespace other has a pod on a node",
    );
    check(&[], &[], &[(DELAY_ANNOTATION, "node/x=5")], "anchor node/x is not there: there is no node x");
}

#[test]
fn a_node_wins_and_two_workloads_of_one_name_are_an_error() {
    let (named_a, one, two) =
        (replica("default", "a"), replica("default", "db"), of_kind("StatefulSet", "db"));
    check(&[(&named_a, "d")], &[("delay_a", "0")], &[], "a");
    check(&[(&named_a, "d")], &[], &[(DELAY_ANNOTATION, "deployment/a=0")], "d");
    let both: &[(&Pod, &str)] = &[(&one, "a"), (&two, "d")];
    check(
        both,
        &[("delay_db", "0")],
        &[],
        "anchor db is ambiguous: Deployment default/db and StatefulSet default/db; say the kind in annotation \
         kubectl-edge.dev/delay, as in deployment/db=<ms>",
    );
    check(both, &[], &[(DELAY_ANNOTATION, "statefulset/db=0")], "d");
}

#[test]
fn the_nearest_replica_counts_unless_all_do() {
    let db = replica("default", "db");
    let placed: &[(&Pod, &str)] = &[(&db, "a"), (&db, "d")];
    check(placed, &[("delay_db", "10")], &[], "abcd");
    check(placed, &[("delay_db", "20")], &[(DELAY_TO_ANNOTATION, "all")], "bc");
    // To a replica on e nothing is known, so only its own node is near it.
    let unknown: &[(&Pod, &str)] = &[(&db, "a"), (&db, "e")];
    check(unknown, &[("delay_db", "10")], &[], "abe");
    check(unknown, &[("delay_db", "10")], &[(DELAY_TO_ANNOTATION, "all")], "");
}

#[test]
fn the_first_replica_satisfies_a_constraint_to_its_own_workload() {
    let mut web = replica("default", "web");
    web.labels = [("pod-template-hash", "5d4f"), ("delay_web", "10")].into_iter().collect();
    assert_eq!(admitted(&line(&[]), &web), "abcde");
    assert_eq!(admitted(&line(&[(&web, "a")]), &web), "ab");
}

#[test]
fn delays_that_are_not_loaded_are_awaited() {
    let snapshot = snapshot(&NAMES.map(node));
    let web = pod("web", &[("delay_b", "10")], &[]);
    assert_eq!(admitted(&snapshot, &web), "awaits [NodeName(\"b\")]");
}

#[test]
fn using_more_of_the_bound_is_better_up_to_a_margin() {
    let snapshot = line(&[]);
    let scores = |bound: &str| -> Vec<i64> {
        let web = pod("web", &[("delay_a", bound)], &[]);
        let PreScore::Score(scorer) = NetworkDelay.pre_score(Cycle::of(&web, &snapshot), &[]) else {
            panic!("no score")
        };
        ["a", "b", "c", "d"].map(|name| scorer.score(snapshot.nodes.find(name).unwrap())).to_vec()
    };
    assert_eq!(scores("100"), [0, 11, 22, 33]);
    assert_eq!(scores("32"), [0, 34, 69, 62]);
    assert_eq!(scores("30"), [0, 37, 74, 0]);
}

#[test]
fn only_what_can_help_wakes_a_pod() {
    let web = pod("web", &[("delay_db", "10")], &[]);
    let (db, other) = (replica("default", "db"), replica("default", "dbx"));
    let (old, new) = (node("a").node, node("a").node);
    let falls = |old: u32, new: u32| {
        let [old, new] = [old, new].map(|millis| Delay::from_micros(millis * 1_000).ok());
        Falls::of([Change { old, new }])
    };
    let cured = |event: ClusterEvent<'_>| NetworkDelay.cured_by(&web, &event);
    assert!(cured(ClusterEvent::PodPlaced(&db)));
    assert!(cured(ClusterEvent::PodFreed(&db)));
    assert!(!cured(ClusterEvent::PodPlaced(&other)));
    assert!(cured(ClusterEvent::DelaysChanged(&falls(11, 10))));
    assert!(
        !cured(ClusterEvent::DelaysChanged(&falls(12, 11)))
            && !cured(ClusterEvent::DelaysChanged(&falls(9, 8)))
    );
    assert!(cured(ClusterEvent::NodeAdded(&new)));
    assert!(cured(ClusterEvent::NodeSuspect(&new)));
    assert!(!cured(ClusterEvent::NodeUpdated { old: &old, new: &new }));
}

/// Of a cluster with these pods on these nodes, the nodes that would admit `pod` if those of the pods that have
/// priority 0 were gone.
#[track_caller]
fn check_without(pod: &Pod, placed: &[(&Pod, &str)], expected: &str) {
    let mut snapshot = line(placed);
    for (pod, node) in placed {
        let slot = snapshot.nodes.slot(node).unwrap();
        snapshot.nodes.usage_mut(slot).unwrap().add(&std::sync::Arc::new((*pod).clone()));
    }
    let PreFilter::Check(filter) = NetworkDelay.pre_filter(Cycle::of(pod, &snapshot)) else {
        panic!("no check")
    };
    let fork = filter.fork().unwrap();
    let admits = |node: &NodeView<'_>| {
        let mut usage = node.usage.clone();
        usage.pods.retain(|pod| pod.priority > 0);
        fork.filter(NodeView { usage: &usage, ..*node }) == Verdict::Fits
    };
    let fits: String = snapshot.nodes.iter().filter(admits).map(|node| node.node.name.to_string()).collect();
    assert_eq!(fits, expected);
}

#[test]
fn an_anchor_is_not_taken_away_for_the_pod_that_needs_it() {
    let db = replica("default", "db");
    let high = Pod { priority: 1, key: crate::model::PodKey::new("default", "db-high"), ..db.clone() };
    let near = pod("web", &[("delay_db", "10")], &[]);
    // A pod that is to go is one of the judged node alone, so elsewhere the anchor stays.
    check_without(&near, &[(&db, "b")], "ac");
    check_without(&near, &[(&high, "b")], "abc");
    // Another replica is near enough to `b`, but not to `a`.
    check_without(&near, &[(&db, "b"), (&high, "c")], "abcd");
    check_without(&near, &[(&db, "a"), (&high, "c")], "bcd");
    // Its own first replica goes anywhere.
    let own = Pod {
        labels: near.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        ..db.clone()
    };
    let own = Pod {
        labels: own
            .labels
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .chain([("pod-template-hash".into(), "5d4f".into())])
            .collect(),
        ..own
    };
    check_without(&own, &[(&db, "b")], "abc");
    check_without(&pod("web", &[("delay_b", "10")], &[]), &[(&db, "b")], "abc");
}
