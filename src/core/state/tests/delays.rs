//! Measured delays: whom they let in, and whom they leave too far away.

use super::*;
use crate::delay::{DelaySource, Measurement, Statistics};
use crate::model::{Delay, NodeName, Owner};

pub(super) fn near(anchor: &str, millis: &str, pod: Pod) -> Pod {
    Pod { labels: [(format!("delay_{anchor}"), millis.to_owned())].into_iter().collect(), ..pod }
}

/// Nodes `a` and `b`; on `a` there is room for nobody.
fn a_is_full() -> Bench {
    let mut bench = Bench::new();
    bench.put(&bound(&pod("filler", 4), "a"));
    bench.expect(&[]);
    bench
}

// === impl Bench ===

impl Bench {
    /// The agent on `from` reports this delay to `to`.
    fn measured(&mut self, from: &str, to: &str, micros: u32) {
        let delay = Delay::from_micros(micros).ok();
        let statistics =
            Statistics { min: delay, p50: delay, p95: delay, samples: 32, ..Statistics::default() };
        self.apply(Event::Measured(vec![crate::delay::Report {
            from: from.into(),
            source: DelaySource::Probe,
            every: Some(Duration::from_mins(1)),
            starved: false,
            rows: vec![Measurement { peer: to.into(), statistics }],
        }]));
    }

    /// This is why `web` waits; what follows on preemption is left out.
    #[track_caller]
    fn expect_said(&mut self, expected: &str) {
        let actions = self.actions();
        let said = actions.first().and_then(|line| line.strip_prefix("web: 0/2 nodes are available: "));
        assert!(said.is_some_and(|said| said.starts_with(expected)), "{actions:?}");
    }

    /// No file says anything of delays from these nodes.
    pub(super) fn no_file(&mut self, from: &[&str]) {
        let rows = from.iter().map(|from| DelayRow { from: NodeName::from(*from), to: Vec::new() });
        self.apply(Event::Delays(rows.collect()));
    }
}

#[test]
fn a_pod_is_let_in_by_the_report_that_cures_it_and_by_no_other() {
    let mut bench = a_is_full();
    bench.put(&near("a", "10", pod("web", 1)));
    bench.expect(&["use delays of [NodeName(\"a\")]"]);
    bench.measured("b", "a", 20_000);
    bench.no_file(&["a"]);
    bench.expect_said("1 Insufficient memory, 1 node(s) exceeded the delay to a (10 ms).");
    bench.wait(2);
    bench.measured("b", "a", 11_000);
    bench.expect(&[]);
    bench.measured("a", "b", 10_500);
    bench.measured("b", "a", 9_000);
    bench.expect(&[]);
    bench.measured("a", "b", 10_000);
    bench.expect(&["bind web to b"]);
}

#[test]
fn a_delay_that_is_not_fresh_admits_nobody_and_is_told_apart() {
    let mut bench = a_is_full();
    bench.measured("b", "a", 5_000);
    bench.wait(180);
    bench.put(&near("a", "10", pod("web", 1)));
    bench.actions();
    bench.no_file(&["a"]);
    bench.expect_said("1 Insufficient memory, 1 node(s) had no fresh delay to a.");
    bench.wait(100);
    bench.measured("b", "a", 6_000);
    bench.expect(&["bind web to b"]);
}

#[test]
fn a_pod_on_a_node_is_told_once_its_bound_is_broken_and_once_it_is_kept_again() {
    let mut bench = Bench::new();
    // Nobody has asked for these delays before: the scheduler was started anew.
    bench.put(&bound(&near("a", "10", pod("web", 1)), "b"));
    bench.expect(&["use delays of [NodeName(\"a\")]"]);
    bench.no_file(&["a"]);
    for micros in [10_000, 11_000, 12_000, 11_000, 12_000] {
        bench.measured("b", "a", micros);
        bench.expect(&[]);
    }
    bench.measured("b", "a", 13_000);
    bench.expect(&["Exceeded web: 13 ms from a on a"]);
    let broken: Vec<_> = bench.state.violations().map(|it| (it.pod.key.name.to_string(), it.delay)).collect();
    assert_eq!(broken, [("web".to_owned(), Delay::from_micros(13_000).unwrap())]);
    // The other direction says less, so it is no second word for anything.
    for _ in 0..3 {
        bench.measured("a", "b", 9_000);
        bench.expect(&[]);
    }
    bench.measured("b", "a", 10_000);
    bench.measured("b", "a", 10_500);
    bench.measured("b", "a", 9_500);
    bench.expect(&[]);
    bench.measured("b", "a", 9_600);
    bench.expect(&["Restored web: 9.6 ms from a on a"]);
    assert_eq!(bench.state.violations().count(), 0);
}

#[test]
fn nothing_flaps_when_a_delay_wobbles_around_the_bound() {
    let mut bench = Bench::new();
    bench.put(&bound(&near("a", "10", pod("web", 1)), "b"));
    bench.actions();
    bench.no_file(&["a"]);
    for step in 0..300 {
        bench.wait(1);
        bench.measured("b", "a", 9_500 + step * 370 % 1_000);
        bench.expect(&[]);
    }
}

#[test]
fn a_delay_that_goes_stale_breaks_no_bound() {
    let mut bench = Bench::new();
    bench.put(&bound(&near("a", "10", pod("web", 1)), "b"));
    bench.actions();
    bench.no_file(&["a"]);
    bench.measured("b", "a", 12_000);
    bench.wait(200);
    bench.expect(&[]);
    bench.measured("b", "a", 12_000);
    bench.expect(&["Exceeded web: 12 ms from a on a"]);
    bench.wait(200);
    bench.expect(&[]);
    assert_eq!(bench.state.violations().count(), 1);
}

#[test]
fn a_file_is_believed_at_once() {
    let mut bench = Bench::new();
    bench.put(&bound(&near("a", "10", pod("web", 1)), "b"));
    bench.actions();
    let row =
        |micros| DelayRow { from: "a".into(), to: vec![("b".into(), Delay::from_micros(micros).unwrap())] };
    bench.apply(Event::Delays(vec![row(11_100)]));
    bench.expect(&["Exceeded web: 11.1 ms from a on a"]);
    bench.apply(Event::Delays(vec![row(10_000)]));
    bench.expect(&["Restored web: 10 ms from a on a"]);
}

#[test]
fn a_pod_is_judged_again_when_its_anchor_moves() {
    let replica = |name: &str, node: &str| {
        let owner = Some(Owner { kind: "StatefulSet".into(), name: "db".into() });
        Pod { owner, ..bound(&pod(name, 1), node) }
    };
    let mut bench = Bench::new();
    let (first, second) = (replica("db-0", "b"), replica("db-1", "a"));
    bench.put(&bound(&near("db", "10", pod("web", 1)), "b"));
    bench.put(&first);
    bench.expect(&["use delays of [NodeName(\"b\")]"]);
    bench.no_file(&["b"]);
    bench.put(&second);
    bench.expect(&["use delays of [NodeName(\"a\"), NodeName(\"b\")]"]);
    bench.no_file(&["a", "b"]);
    // The nearest is on its own node.
    bench.measured("a", "b", 20_000);
    bench.measured("a", "b", 20_000);
    bench.expect(&[]);
    bench.gone(&first);
    bench.expect(&[]);
    bench.measured("a", "b", 21_000);
    bench.expect(&["Exceeded web: 21 ms from db on a"]);
    bench.gone(&second);
    bench.expect(&[]);
    assert_eq!(bench.state.violations().count(), 0);
}

#[test]
fn replicas_on_nodes_that_are_not_heard_of_do_not_count_beside_others() {
    let mut bench = Bench::new();
    let unreachable = |name: &str| {
        let taint = crate::model::Taint {
            key: "node.kubernetes.io/unreachable".into(),
            value: "".into(),
            effect: crate::model::TaintEffect::PreferNoSchedule,
        };
        Event::Nodes(Change::Put(Box::new(Node { taints: [taint].into(), ..node(name) })))
    };
    let owner = Some(Owner { kind: "StatefulSet".into(), name: "db".into() });
    bench.put(&Pod { owner: owner.clone(), ..bound(&pod("db-0", 0), "a") });
    bench.put(&Pod { owner, ..bound(&pod("db-1", 0), "b") });
    bench.apply(unreachable("a"));
    bench.put(&near("db", "0", pod("web", 1)));
    bench.actions();
    bench.no_file(&["a", "b"]);
    bench.expect(&["bind web to b"]);
    // If none of them is heard of, all count.
    bench.apply(unreachable("b"));
    bench.put(&near("db", "0", pod("other", 4)));
    bench.actions();
    bench.no_file(&["a", "b"]);
    bench.expect(&["bind other to a"]);
}

#[test]
fn a_replica_that_does_not_lead_knows_of_broken_bounds_and_says_nothing() {
    let mut bench = Bench::new();
    bench.apply(Event::Leads(false));
    bench.put(&bound(&near("a", "10", pod("web", 1)), "b"));
    bench.actions();
    bench.no_file(&["a"]);
    bench.measured("b", "a", 12_000);
    bench.measured("b", "a", 12_000);
    bench.expect(&[]);
    assert_eq!(bench.state.violations().count(), 1);
}

#[test]
fn what_is_to_be_measured_follows_from_who_waits_and_who_is_placed() {
    let mut bench = a_is_full();
    bench.put(&bound(&near("a", "10", pod("db", 1)), "b"));
    bench.put(&near("a", "10", pod("web", 1)));
    bench.put(&near("b", "5", pod("cache", 9)));
    bench.actions();
    bench.no_file(&["a", "b"]);
    bench.actions();
    let anchors = bench.state.anchors_in_use().into_iter().map(|it| {
        let waits = if it.waiting { "waits" } else { "-" };
        format!("{} {} {waits} {:?}", it.node, it.bound, it.users)
    });
    assert_eq!(anchors.collect::<Vec<_>>(), ["a 10 waits [NodeName(\"b\")]", "b 5 waits []"]);
}

#[test]
fn anchors_in_a_circle_wait_and_say_for_whom_and_nothing_runs_away() {
    let mut bench = Bench::new();
    bench.put(&near("db", "5", pod("web", 1)));
    bench.put(&near("web", "5", pod("db", 1)));
    let mut said = bench.actions();
    said.retain(|line| line.contains("is not placed"));
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("web: ") && said[0].contains("anchor db is not placed"), "{said:?}");
    assert!(said[1].starts_with("db: ") && said[1].contains("anchor web is not placed"), "{said:?}");
    // They are looked at again now and then, as all that wait, and no oftener.
    let mut again = 0;
    for _ in 0..600 {
        bench.wait(1);
        again += bench.actions().len();
    }
    assert!(again <= 4, "{again}");
}
