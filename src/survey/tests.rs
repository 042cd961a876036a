//! What is written when, and what is told to the core.

use edge_core::delay::{DelaySource, Measurement, Report, Statistics};
use edge_core::measure::{Interval, Peer};
use edge_core::model::{Name, NodeName, Time};
use edge_core::state::Change;
use edge_core::wire::{NodeDelays, SpecDigest};
use std::time::Duration;

use super::ledger::{Due, Ledger};

fn report(from: &str, source: DelaySource) -> Report {
    let row = Measurement { peer: "b".into(), statistics: Statistics::default() };
    Report { from: from.into(), source, every: None, starved: false, rows: vec![row] }
}

/// The object of a node whose Node has the UID `uid-<node>`, with the status of its agent; 0 is none.
fn object(node: &str, told: u64) -> NodeDelays {
    let report = (told > 0).then(|| report(node, DelaySource::Probe));
    let addresses: Vec<Name> = if told > 0 { vec!["10.0.0.1:1".into()] } else { Vec::new() };
    let owner = Some(uid(node));
    NodeDelays { owner, addresses, told, report, ..NodeDelays::none_of(node.into()) }
}

fn uid(node: &str) -> Name {
    format!("uid-{node}").into()
}

fn plan(peer: &str) -> SpecDigest {
    let peer = Peer { node: peer.into(), address: "1".into(), interval: Interval::Ring, bounds: Vec::new() };
    SpecDigest::of(&[peer], None)
}

fn at(seconds: u64) -> Time {
    Time::from_origin(Duration::from_secs(seconds))
}

/// A ledger of a server that has these objects, for these nodes.
fn ledger(objects: Vec<NodeDelays>, nodes: &[&str]) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.hear(Change::Reset(objects), at(0));
    ledger.set_nodes(nodes.iter().map(|node| (NodeName::from(*node), uid(node))).collect());
    ledger
}

fn put(ledger: &mut Ledger, object: NodeDelays) -> Vec<Report> {
    ledger.hear(Change::Put(object.into()), at(1))
}

/// Writes what is due until nothing is, as often as there are nodes at most; whose plans, in order.
fn write_all(ledger: &mut Ledger, digest: SpecDigest) -> Vec<String> {
    let mut written = Vec::new();
    while let Some(due) = ledger.next(true, at(1)) {
        let Due::Task(node, uid) = due else { panic!("{due:?}") };
        ledger.assigned(&node, uid, digest);
        written.push(node.to_string());
        assert!(written.len() < 100, "{written:?}");
    }
    written
}

const EMPTY: fn() -> SpecDigest = || SpecDigest::of(&[], None);

#[test]
fn every_node_gets_an_object_and_each_is_written_once() {
    let mut ledger = ledger(vec![object("b", 0), object("gone", 0)], &["a", "b", "c"]);
    assert_eq!(write_all(&mut ledger, EMPTY()), ["a", "c"]);
    ledger.set_wanted(vec![("a".into(), plan("b")), ("gone".into(), plan("b"))]);
    assert_eq!(write_all(&mut ledger, plan("b")), ["a"]);
}

#[test]
fn nothing_is_written_before_the_server_has_shown_what_there_is() {
    let mut ledger = Ledger::default();
    ledger.set_nodes(vec![("a".into(), uid("a"))]);
    assert_eq!(ledger.next(true, at(1)), None);
    ledger.hear(Change::Reset(Vec::new()), at(1));
    assert_eq!(ledger.next(true, at(1)), Some(Due::Task("a".into(), uid("a"))));
    ledger.not_served();
    assert_eq!(ledger.next(true, at(1)), None);
    ledger.hear(Change::Reset(Vec::new()), at(1));
    ledger.rest(at(3));
    assert_eq!(ledger.next(true, at(2)), None);
    assert!(ledger.next(true, at(3)).is_some());
}

#[test]
fn what_somebody_else_changes_or_deletes_is_written_again() {
    let mut ledger = ledger(vec![object("a", 0)], &["a"]);
    assert_eq!(ledger.next(true, at(1)), None);
    put(&mut ledger, NodeDelays { spec: plan("x"), ..object("a", 0) });
    assert_eq!(write_all(&mut ledger, EMPTY()), ["a"]);
    ledger.hear(Change::Gone(object("a", 0).into()), at(1));
    assert_eq!(write_all(&mut ledger, EMPTY()), ["a"]);
    // A Node of the same name is another one, and the garbage collector takes the object with the first.
    ledger.set_nodes(vec![("a".into(), "another".into())]);
    assert_eq!(ledger.next(true, at(1)), Some(Due::Task("a".into(), "another".into())));
    ledger.set_nodes(Vec::new());
    assert_eq!(ledger.next(true, at(1)), None, "objects of nodes that are gone are left alone");
}

#[test]
fn nodes_have_their_turn_and_those_go_first_whom_pods_wait_for() {
    let mut ledger = ledger(Vec::new(), &["a", "b", "c", "d"]);
    ledger.set_urgent(["c".into()].into());
    let next = |ledger: &mut Ledger| match ledger.next(true, at(1)) {
        Some(Due::Task(node, _)) => node.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(next(&mut ledger), "c");
    ledger.assigned(&"c".into(), uid("c"), EMPTY());
    assert_eq!([0; 4].map(|_| next(&mut ledger)), ["a", "b", "d", "a"], "one that fails holds up nobody");
}

#[test]
fn one_that_the_server_will_not_have_holds_up_nobody_and_rests_until_something_else_is_wanted() {
    let mut ledger = ledger(Vec::new(), &["a", "b"]);
    let due = ledger.next(true, at(1)).unwrap();
    assert_eq!(due.node(), &NodeName::from("a"));
    ledger.refused(&due, at(100));
    assert_eq!(write_all(&mut ledger, EMPTY()), ["b"]);
    assert_eq!(ledger.next(true, at(99)), None);
    assert!(ledger.next(true, at(100)).is_some());
    ledger.set_wanted(vec![("a".into(), plan("b"))]);
    assert!(ledger.next(true, at(2)).is_some());
}

#[test]
fn a_report_is_told_once_and_its_end_too() {
    let mut ledger = ledger(Vec::new(), &["a"]);
    let told = report("a", DelaySource::Probe);
    let nothing = Report { rows: Vec::new(), ..told.clone() };
    assert_eq!(put(&mut ledger, object("a", 7)), std::slice::from_ref(&told));
    assert_eq!(put(&mut ledger, NodeDelays { spec: plan("x"), ..object("a", 7) }), [], "its spec changed");
    assert_eq!(ledger.hear(Change::Reset(vec![object("a", 7)]), at(2)), [], "the watch began anew");
    assert_eq!(put(&mut ledger, object("a", 8)), std::slice::from_ref(&told));
    assert_eq!(ledger.hear(Change::Reset(Vec::new()), at(2)), std::slice::from_ref(&nothing));
    assert_eq!(put(&mut ledger, object("a", 8)), [told]);
    let outside = NodeDelays { report: Some(report("a", DelaySource::File)), ..object("a", 9) };
    assert_eq!(put(&mut ledger, outside), [nothing]);
    assert_eq!(ledger.hear(Change::Gone(object("a", 9).into()), at(2)), []);
}

#[test]
fn an_agent_that_leaves_is_expected_back_for_five_minutes() {
    let mut ledger = ledger(vec![object("a", 1), object("b", 1), object("no-node", 1)], &["a", "b", "c"]);
    let agents = |ledger: &Ledger, seconds| {
        ledger.agents(at(seconds)).into_iter().map(|it| it.node.to_string()).collect::<Vec<_>>()
    };
    put(&mut ledger, NodeDelays { leaving: true, ..object("a", 2) });
    ledger.hear(Change::Put(Box::new(NodeDelays { leaving: true, ..object("a", 3) })), at(200));
    assert_eq!(agents(&ledger, 300), ["a", "b"]);
    assert_eq!(agents(&ledger, 301), ["b"]);
    put(&mut ledger, object("a", 4));
    assert_eq!(agents(&ledger, 999), ["a", "b"]);
}

#[test]
fn what_a_source_outside_says_is_written_where_no_agent_speaks() {
    let mut ledger = ledger(vec![object("a", 1), object("b", 0)], &["a", "b", "c"]);
    for node in ["a", "b", "c", "no-node"] {
        ledger.tell(report(node, DelaySource::File), at(0));
    }
    // Without agents of ours there are no plans; objects are made for those alone of whom something is said.
    let mut written = Vec::new();
    while let Some(due) = ledger.next(false, at(1)) {
        match due {
            Due::Task(node, uid) => {
                ledger.assigned(&node, uid, EMPTY());
                written.push(format!("object of {node}"));
            }
            Due::Report(report) => {
                written.push(format!("status of {}", report.from));
                ledger.reported(report, at(1));
            }
        }
        assert!(written.len() < 100, "{written:?}");
    }
    assert_eq!(written, ["status of a", "status of b", "object of c", "status of c"]);

    // With them, a status that an agent wrote is its own.
    let mut ledger = self::ledger(vec![object("a", 1), object("b", 0)], &["a", "b"]);
    ledger.tell(report("a", DelaySource::File), at(0));
    ledger.tell(report("b", DelaySource::File), at(0));
    assert_eq!(ledger.next(true, at(1)), Some(Due::Report(report("b", DelaySource::File))));
    // The object was deleted meanwhile: it is made again first.
    ledger.missing(&"b".into());
    assert_eq!(ledger.next(true, at(1)), Some(Due::Task("b".into(), uid("b"))));
}
