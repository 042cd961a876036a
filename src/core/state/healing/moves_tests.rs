//! Scenarios of moves: links that change, and pods that find no room.

use super::cover_bench::{node, on, pod};
use super::moves_bench::{Field, RULE, near, of};
use super::{MoveReason, RelocateOutcome};
use crate::model::{DisruptionBudget, LabelSelector, Node, Pod, Requirement, RequirementOp};
use crate::placement::MoveRule;
use crate::state::{Change, Event};

fn nodes() -> Vec<Node> {
    ["a", "b", "c", "d"].map(|name| node(name, 8)).into()
}

/// `web` is on b, 10 ms from a, which is its bound; its backup is on a.
fn web_on_b() -> Field {
    Field::new(&nodes(), &[on(of("web", "web", 2, "10"), "b", Some("a"))])
}

/// From a to b it is farther than before, to c nearer.
fn detour(field: &mut Field) {
    field.set_delay("a", "c", 5);
    field.set_delay("a", "b", 30);
}

#[test]
fn a_pod_whose_bound_is_broken_goes_where_it_is_kept() {
    let mut field = web_on_b();
    // On c there is more room than on a.
    field.put(of("other", "other", 1, "0"), "a", "b");
    field.pass(20);
    field.done();
    detour(&mut field);
    field.run();
    assert!(field.bench.held().contains("c:2"), "room is held first: {}", field.bench.held());
    field.pass(1);
    field.expect(&["web is too far", "evict web from b", "web moves from b to c", "web+ to c, backup a"]);
    assert_eq!(field.node_of("web+").as_deref(), Some("c"));
    field.pass(60);
    field.expect(&[]);
    assert_eq!(field.bench.state.moving(), 0);
    assert!(field.node_of("web").is_none() && !field.bench.held().contains("c:2"), "{}", field.bench.held());
}

#[test]
fn a_pod_stays_for_a_while_where_it_was_placed() {
    let mut field = web_on_b();
    detour(&mut field);
    field.pass(5);
    assert_eq!(field.node_of("web+").as_deref(), Some("c"), "{:?} {}", field.bench.done, field.bench.held());
    // The other way round: c is too far, b is near again.
    field.set_delay("a", "b", 5);
    field.set_delay("a", "c", 30);
    let moved = field.bench.now;
    while field.node_of("web++").is_none() {
        field.pass(1);
        assert!(field.bench.now.since(moved).as_secs() < 70);
    }
    let times: Vec<u64> =
        field.evicted.iter().map(|(at, _)| at.since(crate::model::Time::ZERO).as_secs()).collect();
    assert!(times[1] - times[0] >= 60, "{times:?}");
}

#[test]
fn where_no_node_is_better_it_is_told_once() {
    let mut field = web_on_b();
    field.bench.put(on(pod("filler", 7, "40"), "a", None));
    field.set_delay("a", "b", 30);
    field.pass(60);
    let done = field.done();
    assert_eq!(done.len(), 2, "{done:?}");
    assert!(done[1].starts_with("web nowhere: 0/4 nodes are available: "), "{done:?}");
    // When it is over and happens again it is told again.
    field.set_delay("a", "b", 10);
    field.pass(5);
    field.set_delay("a", "b", 30);
    field.pass(30);
    assert_eq!(field.done().len(), 3);
    assert!(field.evicted.is_empty());
}

#[test]
fn a_place_without_a_backup_is_none_for_a_pod_that_has_one() {
    let [_, b, c, d] = ["a", "b", "c", "d"].map(|name| node(name, 8));
    let cordoned = Node { unschedulable: true, ..node("a", 8) };
    let filler = Pod { scheduler_name: "other".into(), ..on(pod("filler", 8, "40"), "d", None) };
    let web = on(of("web", "web", 2, "20"), "b", Some("c"));
    let mut field = Field::new(&[cordoned, b, c, d], &[web, filler]);
    // It fits on c alone, and then nothing but d could cover it, which is full.
    field.set_delay("a", "d", 15);
    field.set_delay("a", "b", 40);
    field.pass(30);
    let nowhere = "web nowhere: no node that it fits on leaves another one for its backup";
    field.expect(&["web is too far", nowhere]);
    field.bench.gone("filler");
    field.pass(15);
    assert_eq!(field.node_of("web+").as_deref(), Some("d"), "{:?}", field.done());
}

#[test]
fn who_may_not_be_moved_is_told_of_once() {
    let bare = on(pod("bare", 1, "10"), "b", Some("a"));
    let mut field = Field::new(&nodes(), &[bare]);
    detour(&mut field);
    field.pass(40);
    field.expect(&["bare is too far", "bare stays: nothing controls it, so nothing would replace it"]);
    let off = MoveRule { keeps_promise: false, ..RULE };
    let mut field = Field::with(off, &nodes(), &[on(of("web", "web", 2, "10"), "b", Some("a"))]);
    detour(&mut field);
    field.pass(40);
    field.expect(&["web is too far"]);
}

fn budget(allowed: i32) -> Event {
    let requirement =
        Requirement { key: "pod-template-hash".into(), op: RequirementOp::In, values: ["x1".into()].into() };
    Event::DisruptionBudgets(Change::Put(Box::new(DisruptionBudget {
        namespace: "default".into(),
        name: "web".into(),
        selector: LabelSelector::All([requirement].into()),
        allowed,
        disrupted: Box::default(),
    })))
}

#[test]
fn a_budget_that_allows_nothing_is_waited_for() {
    let mut field = web_on_b();
    field.bench.apply(budget(0));
    detour(&mut field);
    field.pass(60);
    field.expect(&["web is too far", "web stays: its PodDisruptionBudget allows no disruption now"]);
    assert!(!field.bench.held().contains('c'), "nothing is held meanwhile");
    field.bench.apply(budget(1));
    field.pass(15);
    field.expect(&["evict web from b", "web moves from b to c", "web+ to c, backup a"]);
}

#[test]
fn an_eviction_that_is_refused_is_tried_less_and_less_and_told_once() {
    let mut field = web_on_b();
    field.refuses = Some(RelocateOutcome::Budget("it needs 2 healthy pods".to_owned()));
    detour(&mut field);
    field.pass(50);
    let evict = "evict web from b";
    field.expect(&["web is too far", evict, "web refused: it needs 2 healthy pods", evict, evict, evict]);
    let first = field.evicted[0].0;
    let after: Vec<u64> = field.evicted.iter().map(|(at, _)| at.since(first).as_secs()).collect();
    assert_eq!(after, [0, 5, 15, 35]);
    field.pass(20);
    assert!(!field.bench.held().contains('c'), "what was held is given back: {}", field.bench.held());
    field.refuses = None;
    field.pass(120);
    field.expect(&[evict, "web moves from b to c", "web+ to c, backup a"]);
}

#[test]
fn what_mends_itself_meanwhile_is_left_alone() {
    let mut field = web_on_b();
    field.refuses = Some(RelocateOutcome::Failed("no answer".to_owned()));
    detour(&mut field);
    field.pass(2);
    assert_eq!(field.bench.state.moving(), 1);
    field.set_delay("a", "b", 10);
    field.refuses = None;
    field.pass(30);
    assert_eq!((field.bench.state.moving(), field.evicted.len()), (0, 1));
    assert_eq!(field.node_of("web").as_deref(), Some("b"));
    assert!(!field.bench.held().contains('c'));
}

#[test]
fn one_replica_goes_after_the_other() {
    let replicas = ["w1", "w2", "w3"].map(|name| on(of("web", name, 1, "10"), "b", Some("a")));
    let mut field = Field::new(&nodes(), &replicas);
    field.grace = 0;
    detour(&mut field);
    while field.evicted.len() < 3 {
        let missing = |field: &Field| field.bench.pods.iter().filter(|pod| pod.node.is_none()).count();
        field.pass(1);
        assert!(missing(&field) <= 1 && field.bench.state.moving() <= 1);
        assert!(field.bench.now.since(crate::model::Time::ZERO).as_secs() < 1_000, "{:?}", field.done());
    }
    // Each waits for the workload's own rest.
    field.pass(10);
    let on_c =
        ["w1+", "w2+", "w3+"].iter().filter(|name| field.node_of(name).as_deref() == Some("c")).count();
    assert_eq!(
        on_c + ["w1+", "w2+", "w3+"]
            .iter()
            .filter(|name| field.node_of(name).as_deref() == Some("a"))
            .count(),
        3
    );
}

#[test]
fn who_follows_an_anchor_goes_after_it() {
    let front = near("front", &[("a", "10")]);
    let back = near("back", &[("front", "0")]);
    let mut field = Field::new(&nodes(), &[on(front, "b", Some("a")), on(back, "b", Some("a"))]);
    detour(&mut field);
    field.pass(300);
    let moved: Vec<&str> = field.evicted.iter().map(|(_, it)| &*it.pod.key.name).collect();
    assert_eq!(moved, ["front", "back"]);
    assert_eq!(field.node_of("front+"), field.node_of("back+"));
}

#[test]
fn anchors_in_a_cycle_do_not_run_away() {
    let (one, two) = (near("one", &[("two", "5")]), near("two", &[("one", "500"), ("a", "20")]));
    // Nobody finds rest on a, which is full.
    let full = on(of("full", "full", 8, "0"), "a", None);
    let mut field = Field::new(&nodes(), &[on(one, "c", Some("d")), on(two, "c", Some("b")), full]);
    // A link that flaps every minute, for six hours.
    for minute in 0..6 * 60 {
        let (near, far) = if minute % 2 == 0 { ("b", "c") } else { ("c", "b") };
        field.set_delay("a", near, 10);
        field.set_delay("a", far, 60);
        field.pass(60);
    }
    assert!(field.evicted.len() > 2, "{:?}", field.evicted);
    assert!(field.evicted.len() < 40, "{} moves in six hours", field.evicted.len());
}

#[test]
fn room_is_made_by_a_pod_that_can_be_elsewhere() {
    // On a there are 4 of 8 GiB left, and 6 are wanted.
    let mut field = Field::new(&nodes(), &[on(of("web", "web", 4, "20"), "a", Some("b"))]);
    field.bench.put(of("db", "db", 6, "0"));
    field.pass(30);
    println!("{:#?} {}", field.bench.done, field.bench.held());
    let done = field.done();
    assert!(done[0].contains("Pods are moved to make room on node a."), "{done:?}");
    assert_eq!(
        done[1..],
        ["evict web from a", "web moves from a to c", "web+ to c, backup b", "db to a, backup none"]
    );
    assert!(field.evicted.iter().all(|(_, it)| it.reason == MoveReason::Room));
}

#[test]
fn room_is_made_by_two_where_one_is_not_enough() {
    // web on a can go to b once other has left that for c.
    let pods = [on(of("web", "web", 5, "10"), "a", None), on(of("other", "other", 5, "20"), "b", None)];
    let nodes = ["a", "b", "c", "d"].map(|name| node(name, 8));
    let uncovered = pods.map(|pod| Pod {
        annotations: [(crate::placement::BACKUP_ANNOTATION, "false")].into_iter().collect(),
        ..pod
    });
    let mut field = Field::new(&nodes, &uncovered);
    field.bench.put(of("db", "db", 6, "0"));
    field.pass(60);
    let moved: Vec<String> =
        field.evicted.iter().map(|(_, it)| format!("{} {}-{}", it.pod.key.name, it.from, it.to)).collect();
    assert_eq!(moved, ["other b-c", "web a-b"], "{:#?} {}", field.bench.done, field.bench.held());
    assert_eq!(
        field.node_of("db").as_deref(),
        Some("a"),
        "{:#?} {:?}",
        field.bench.done,
        field.bench.state.snapshot().nodes.find("a").unwrap().usage
    );
}

#[test]
fn nobody_is_moved_for_a_pod_that_fits_nowhere_all_the_same() {
    let mut field = Field::new(&nodes(), &[on(of("web", "web", 4, "0"), "a", None)]);
    field.bench.put(of("db", "db", 6, "0"));
    field.pass(30);
    assert!(field.evicted.is_empty());
    // More important ones stay, too.
    let important = Pod { priority: 5, ..on(of("web", "web", 4, "10"), "a", Some("b")) };
    let mut field = Field::new(&nodes(), &[important]);
    field.bench.put(of("db", "db", 6, "0"));
    field.pass(30);
    assert!(field.evicted.is_empty());
}
