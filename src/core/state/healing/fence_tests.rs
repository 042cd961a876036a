//! Nodes are fenced on somebody's word, and the fence goes when they are back.

use super::tests::{off_for_good, stateful};
use super::*;
use crate::model::{Labels, Node, Taint, TaintEffect};
use crate::state::tests::{Bench, node};
use crate::state::{Change, CoverOutcome, Event};

/// Node `b` with these annotations, and the taint `out-of-service` of this value.
fn fenced(annotations: Labels, value: Option<&str>) -> Event {
    let taint = |value: &str| Taint {
        key: OUT_OF_SERVICE.into(),
        value: value.into(),
        effect: TaintEffect::NoExecute,
    };
    let taints = value.map(taint).into_iter().collect::<Vec<_>>().into();
    Event::Nodes(Change::Put(Box::new(Node { annotations, taints, ..node("b") })))
}

fn fence(stands: bool, outcome: CoverOutcome) -> Event {
    Event::NodeFenced(Fence { node: "b".into(), uid: "b".into(), stands }, outcome)
}

#[test]
fn a_node_that_is_said_to_stay_off_is_fenced_and_its_stateful_pods_go() {
    let mut bench = Bench::after_loss(&[stateful()]);
    bench.expect(&["NodeLost b"]);
    // The word is of an earlier Lease: the node has renewed it since.
    bench.apply(fenced(off_for_good("0"), None));
    bench.wait(2);
    bench.expect(&[]);
    bench.apply(fenced(off_for_good("1"), None));
    bench.wait(1);
    bench.expect(&["fence b: true"]);
    bench.lease("a", 3);
    bench.wait(5);
    bench.expect(&[]);
    bench.apply(fence(true, CoverOutcome::Unknown("500".into())));
    bench.wait(2);
    bench.expect(&["fence b: true"]);
    bench.apply(fence(true, CoverOutcome::Done));
    bench.wait(2);
    bench.expect(&[]);
    bench.apply(fenced(off_for_good("1"), Some(FENCED_BY_US)));
    bench.wait(1);
    bench.expect(&["NodeFenced b", "evict db-0 from b at once"]);
}

#[test]
fn the_word_of_a_fence_is_as_good_as_a_confirmation() {
    let mut bench = Bench::after_death(&[]);
    bench.expect(&["NodeSuspect b"]);
    bench.apply(fenced(off_for_good("1"), None));
    bench.wait(1);
    bench.expect(&["NodeLost b", "fence b: true"]);
}

#[test]
fn a_node_that_lives_is_not_fenced_and_a_fence_of_others_is_left_alone() {
    let mut bench = Bench::after_death(&[stateful()]);
    bench.expect(&["NodeSuspect b"]);
    bench.lease("b", 2);
    bench.expect(&["NodeReached b"]);
    bench.apply(fenced(off_for_good("1"), None));
    bench.wait(5);
    bench.expect(&[]);
    // Somebody else set it, and takes it away.
    bench.apply(fenced(off_for_good("1"), Some("nodeshutdown")));
    bench.wait(60);
    bench.expect(&[]);
    assert!(bench.state.wake_at() > bench.now, "nothing is due");
}

#[test]
fn the_fence_goes_when_the_node_is_used_again() {
    let mut bench = Bench::after_loss(&[]);
    bench.apply(fenced(off_for_good("1"), Some(FENCED_BY_US)));
    bench.wait(1);
    bench.expect(&["NodeLost b"]);
    // It renews its Lease and its neighbour reaches it: it is back, and after a while it is used again.
    bench.lease("b", 2);
    bench.says(3, 0);
    bench.expect(&["NodeReturned b"]);
    for version in 3..6 {
        bench.wait(9);
        bench.lease("a", version);
        bench.lease("b", version);
        bench.expect(&[]);
    }
    bench.wait(9);
    bench.lease("a", 6);
    bench.lease("b", 6);
    bench.expect(&["NodeRecovered b", "fence b: false"]);
    bench.apply(fence(false, CoverOutcome::Done));
    bench.apply(fenced(off_for_good("1"), None));
    bench.wait(5);
    bench.expect(&[]);
}

#[test]
fn a_scheduler_that_starts_leaves_a_fence_of_which_it_knows_nothing() {
    let mut bench = Bench::new();
    bench.apply(fenced(off_for_good("7"), Some(FENCED_BY_US)));
    bench.wait(3);
    bench.expect(&[]);
    bench.lease("b", 7);
    bench.wait(3);
    bench.expect(&[]);
    bench.lease("b", 8);
    bench.wait(1);
    bench.expect(&["fence b: false"]);
}
