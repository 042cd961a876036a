//! Preemption on small clusters: cases as upstream documents them.

use std::sync::Arc;

use super::*;
use crate::model::{DisruptionBudget, LabelSelector, Pod, Protocol, Requirement, RequirementOp};
use crate::placement::testing::{TestNode, node, pod, snapshot};
use crate::placement::{Decision, NodeSlot, Nomination, Profile, Snapshot, place};
use crate::random::Random;

/// A placed pod of so many milli-CPU.
fn placed(name: &str, priority: i32, cpu: i64) -> Pod {
    Pod { priority, ..pod(name).cpu(cpu).build() }
}

/// The same, started so many seconds after 1970.
fn started(at: i64, pod: Pod) -> Pod {
    Pod { started: Some(Timestamp(at)), ..pod }
}

fn labelled(app: &str, pod: Pod) -> Pod {
    Pod { labels: [("app", app)].into_iter().collect(), ..pod }
}

/// A node of 1,000 milli-CPU with these pods.
fn full(name: &str, pods: &[Pod]) -> TestNode {
    node(name).cpu(1_000).with_pods(pods)
}

/// A pod of priority 100 and of so many milli-CPU.
fn wanting(cpu: i64) -> Pod {
    placed("wanting", 100, cpu)
}

fn budget(app: &str, allowed: i32) -> DisruptionBudget {
    let requirement = Requirement { key: "app".into(), op: RequirementOp::In, values: [app.into()].into() };
    let selector = LabelSelector::All([requirement].into());
    DisruptionBudget {
        namespace: "default".into(),
        name: app.into(),
        selector,
        allowed,
        disrupted: Box::default(),
    }
}

/// `<node>: <victims>`, or what is said of the pod, behind `kept: ` if its nomination stays.
fn decide(snapshot: &Snapshot, pod: &Pod) -> String {
    let profile = Profile::known("default-scheduler").unwrap().without(&["DynamicResources"]);
    match place(snapshot, pod, &profile) {
        Decision::Reject(fit_error) => match &fit_error.nomination {
            Nomination::Preempt(candidate) => {
                let mut names: Vec<&str> = candidate.victims.iter().map(|pod| &*pod.key.name).collect();
                names.sort_unstable();
                format!("{}: {}", candidate.node, names.join(" "))
            }
            Nomination::Keep => format!("kept: {fit_error}"),
            Nomination::GiveUp => fit_error.to_string(),
        },
        other => format!("{other:?}"),
    }
}

#[track_caller]
fn check(nodes: &[TestNode], pod: &Pod, expected: &str) {
    check_with(nodes, &[], pod, expected);
}

#[track_caller]
fn check_with(nodes: &[TestNode], budgets: &[DisruptionBudget], pod: &Pod, expected: &str) {
    let mut snapshot = snapshot(nodes);
    budgets.iter().cloned().for_each(|budget| snapshot.budgets.put(budget));
    assert_eq!(decide(&snapshot, pod), expected);
}

#[test]
fn only_what_is_needed_goes_and_only_from_lower_priorities() {
    let nodes = [full("a", &[placed("low", 1, 400), placed("lower", 0, 400), placed("same", 100, 200)])];
    check(&nodes, &wanting(300), "a: lower");
    check(&nodes, &wanting(500), "a: low lower");
    let said = "0/1 nodes are available: 1 Insufficient cpu. \
                preemption: 0/1 nodes are available: 1 Insufficient cpu.";
    check(&nodes, &wanting(900), said);
}

#[test]
fn why_preemption_does_not_help_is_told_node_by_node() {
    let nodes = [
        full("equal", &[placed("same", 100, 900)]),
        full("low", &[placed("low", 1, 100), placed("high", 200, 900)]),
        node("small").cpu(100),
        node("cordoned").cpu(1_000).cordoned(),
    ];
    let said = "0/4 nodes are available: 1 node(s) were unschedulable, 3 Insufficient cpu. \
                preemption: 0/4 nodes are available: 1 Insufficient cpu, \
                1 No preemption victims found for incoming pod, \
                2 Preemption is not helpful for scheduling.";
    check(&nodes, &wanting(500), said);
}

#[test]
fn a_pod_that_never_preempts_keeps_its_nomination() {
    let nodes = [full("a", &[placed("low", 1, 900)])];
    let pod = Pod { preempts: false, ..wanting(500) };
    let said = "kept: 0/1 nodes are available: 1 Insufficient cpu. \
                preemption: not eligible due to preemptionPolicy=Never.";
    check(&nodes, &pod, said);
}

#[test]
fn older_pods_are_more_important() {
    let of_age = |ages: [i64; 3]| {
        let pods = ages.map(|at| started(at, placed(&format!("at-{at}"), 1, 300)));
        [full("a", &pods)]
    };
    check(&of_age([10, 30, 20]), &wanting(400), "a: at-30");
    check(&of_age([30, 20, 10]), &wanting(700), "a: at-20 at-30");
    let fresh = [full("a", &[placed("fresh", 1, 500), started(5, placed("old", 1, 500))])];
    check(&fresh, &wanting(500), "a: fresh");
}

#[test]
fn victims_that_break_a_budget_are_let_stay_first() {
    let pods = [labelled("web", placed("web", 0, 400)), placed("other", 50, 400)];
    let nodes = [full("a", &pods)];
    check_with(&nodes, &[], &wanting(500), "a: web");
    check_with(&nodes, &[budget("web", 0)], &wanting(500), "a: other");
    check_with(&nodes, &[budget("web", 1)], &wanting(500), "a: web");
    check_with(&nodes, &[budget("web", 0)], &wanting(900), "a: other web");
}

#[test]
fn the_node_is_chosen_by_six_criteria_in_turn() {
    let web = |name: &str| labelled("web", placed(name, 0, 600));
    let none = [budget("web", 0)];
    // 1. Fewest broken budgets.
    check_with(
        &[full("a", &[web("a1")]), full("b", &[placed("b1", 90, 600)])],
        &none,
        &wanting(500),
        "b: b1",
    );
    // 2. The lowest highest priority.
    check(&[full("a", &[placed("a1", 5, 600)]), full("b", &[placed("b1", 4, 600)])], &wanting(500), "b: b1");
    // 3. The lowest sum, in which each victim counts.
    let two = [placed("a1", 5, 400), placed("a2", -9, 400)];
    check(&[full("a", &two), full("b", &[placed("b1", 5, 600)])], &wanting(900), "b: b1");
    let (low, high) =
        ([placed("a1", 5, 450), placed("a2", 1, 450)], [placed("b1", 5, 450), placed("b2", 2, 450)]);
    check(&[full("b", &high), full("a", &low)], &wanting(900), "a: a1 a2");
    // 5. The latest first start of the most important ones.
    let at = |name: &str, seconds: i64| started(seconds, placed(name, 5, 600));
    check(&[full("a", &[at("a1", 10)]), full("b", &[at("b1", 20)])], &wanting(500), "b: b1");
    check(&[full("a", &[placed("a1", 5, 600)]), full("b", &[at("b1", 20)])], &wanting(500), "a: a1");
}

#[test]
fn every_check_can_be_cured() {
    let port = |priority: i32, name: &str| Pod { priority, ..pod(name).port("", Protocol::Tcp, 80).build() };
    let nodes = [node("a").with_pods(&[port(1, "low"), placed("stays", 1, 0)])];
    check(&nodes, &port(100, "wanting"), "a: low");
    let nodes = [node("a").allowed_pods(2).with_pods(&[placed("low", 1, 0), placed("lower", 0, 0)])];
    check(&nodes, &wanting(0), "a: lower");
}

#[test]
fn a_pod_waits_for_its_victims_on_the_node_it_is_nominated_to() {
    let leaving = Pod { terminating: true, preempted: true, ..placed("leaving", 1, 900) };
    let deleted = Pod { preempted: false, ..leaving.clone() };
    let pod = wanting(500);
    let on = |leaving: &Pod, other: TestNode| {
        let mut snapshot = snapshot(&[full("a", std::slice::from_ref(leaving)), other]);
        snapshot.nominations.put(Arc::new(pod.clone()), NodeSlot(0));
        decide(&snapshot, &pod)
    };
    let other = || full("b", &[placed("b1", 0, 900)]);
    let said = "kept: 0/2 nodes are available: 2 Insufficient cpu. \
                preemption: not eligible due to a terminating pod on the nominated node.";
    assert_eq!(on(&leaving, other()), said);
    assert_eq!(on(&deleted, other()), "b: b1");
    // A victim of a higher priority is another pod's.
    assert_eq!(on(&Pod { priority: 101, ..leaving.clone() }, other()), "b: b1");
}

#[test]
fn room_is_left_for_nominated_pods_of_the_same_priority_or_a_higher_one() {
    let decide_beside = |priority: i32| {
        let mut snapshot =
            snapshot(&[full("a", &[placed("stays", 200, 400)]), full("b", &[placed("b1", 1, 900)])]);
        snapshot.nominations.put(Arc::new(placed("nominated", priority, 500)), NodeSlot(0));
        decide(&snapshot, &wanting(500))
    };
    assert_eq!(decide_beside(100), "b: b1");
    assert_eq!(decide_beside(300), "b: b1");
    let placed = decide_beside(99);
    assert!(placed.starts_with("Place") && placed.contains("NodeName(\"a\")"), "{placed}");
}

#[test]
fn the_nominated_node_is_tried_first() {
    let mut snapshot = snapshot(&[full("a", &[]), full("b", &[placed("b1", 1, 400)])]);
    let pod = wanting(500);
    snapshot.nominations.put(Arc::new(pod.clone()), NodeSlot(1));
    let placed = decide(&snapshot, &pod);
    assert!(placed.contains("NodeName(\"b\")") && placed.contains("feasible: 1"), "{placed}");
}

#[test]
fn so_many_candidates_are_enough() {
    let enough = |nodes| DefaultPreemption::default().enough_candidates(nodes);
    assert_eq!([0, 1, 100, 500, 1_000, 5_000].map(enough), [0, 1, 100, 100, 100, 500]);
    let fewer = DefaultPreemption { min_candidates_percentage: 50, min_candidates_absolute: 2 };
    assert_eq!([1, 3, 10].map(|nodes| fewer.enough_candidates(nodes)), [1, 2, 5]);
}

/// Among random pods of one node, victims by the rule "the most important ones stay as long as the pod
/// fits", worked out without any of the framework.
#[test]
fn victims_are_those_that_can_not_stay() {
    let mut numbers = Random(7);
    for _ in 0..300 {
        let count = numbers.below(8);
        let pods: Vec<Pod> = (0..count)
            .map(|idx| {
                let priority = numbers.below(4) * 40;
                // Starts differ, so that the order is total.
                let at = i64::from(idx) * 97 % 50;
                started(at, placed(&format!("p{idx}"), priority, numbers.below(10) * 50))
            })
            .collect();
        let wanted = wanting(100 + numbers.below(10) * 100);
        let mut free = 1_000 - pods.iter().map(|pod| pod.requests.cpu.0).sum::<i64>();
        let mut lower: Vec<&Pod> = pods.iter().filter(|pod| pod.priority < 100).collect();
        free += lower.iter().map(|pod| pod.requests.cpu.0).sum::<i64>();
        lower.sort_by_key(|pod| (-pod.priority, pod.started));
        let mut victims = Vec::new();
        if free >= wanted.requests.cpu.0 {
            for pod in lower {
                // A pod that requests nothing always stays.
                if free - pod.requests.cpu.0 >= wanted.requests.cpu.0 || pod.requests.cpu.0 == 0 {
                    free -= pod.requests.cpu.0;
                } else {
                    victims.push(&*pod.key.name);
                }
            }
        }
        victims.sort_unstable();
        let decided = decide(&snapshot(&[full("a", &pods)]), &wanted);
        let found = decided.strip_prefix("a: ").unwrap_or_default();
        assert_eq!(found, victims.join(" "), "{decided} {pods:#?} {wanted:#?}");
    }
}
