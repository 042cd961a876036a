//! Pods that are taken away for others, and nominations.

use super::*;

const NO_MEMORY: &str = "0/2 nodes are available: 2 Insufficient memory.";

fn with_priority(priority: i32, pod: Pod) -> Pod {
    Pod { priority, ..pod }
}

fn leaving(pod: &Pod) -> Pod {
    Pod { terminating: true, preempted: true, ..pod.clone() }
}

fn nominated(pod: &Pod, node: &str) -> Pod {
    Pod { nominated_node: Some(node.into()), ..pod.clone() }
}

/// Nodes `a` and `b` of 4 GiB: on `a` pod `low` of priority 0 with 4 GiB, on `b` pod `mid` of 50 with 4 GiB.
fn both_full() -> (Bench, Pod, Pod) {
    let (low, mid) = (bound(&pod("low", 4), "a"), bound(&with_priority(50, pod("mid", 4)), "b"));
    let mut bench = Bench::new();
    bench.put(&low);
    bench.put(&mid);
    bench.expect(&[]);
    (bench, low, mid)
}

// === impl Bench ===

impl Bench {
    /// The server is asked to delete these victims for `preemptor`.
    fn preempted(&mut self, preemptor: &Pod, node: &str, deleted: &[&Pod], failed: bool) {
        let deleted: Vec<PodRef> = deleted.iter().map(|pod| PodRef::of(pod)).collect();
        let preemption = Preemption {
            preemptor: PodRef::of(preemptor),
            scheduler_name: preemptor.scheduler_name.clone(),
            node: node.into(),
            victims: Vec::new(),
        };
        self.apply(Event::Preempted(preemption, PreemptOutcome { deleted, failed }));
    }
}

#[test]
fn a_pod_of_high_priority_gets_the_room_of_a_lower_one() {
    let (mut bench, low, _) = both_full();
    let high = with_priority(100, pod("high", 4));
    bench.put(&high);
    bench.expect(&[&format!("high: {NO_MEMORY} -> a"), "take low from a for high"]);
    bench.preempted(&high, "a", &[&low], false);
    bench.expect(&["announce low gone"]);
    bench.put(&nominated(&high, "a"));
    bench.put(&leaving(&low));
    bench.expect(&[]);
    bench.gone(&low);
    bench.expect(&["bind high to a"]);
    assert_eq!((bench.state.snapshot.nominations.len(), bench.state.preempting()), (0, 0));
}

#[test]
fn nobody_takes_the_room_that_was_made_for_another() {
    let (mut bench, low, _) = both_full();
    let high = with_priority(100, pod("high", 4));
    bench.put(&high);
    bench.actions();
    // It is smaller, and may itself preempt nobody: the room on `a` is spoken for.
    bench.put(&with_priority(0, pod("other", 1)));
    bench.expect(&[&full("other")]);
    bench.put(&leaving(&low));
    bench.gone(&low);
    bench.expect(&["bind high to a", &full("other")]);
}

#[test]
fn a_pod_is_not_tried_again_before_its_victims_are_seen_to_go() {
    let (mut bench, low, mid) = both_full();
    let high = with_priority(100, pod("high", 4));
    bench.put(&high);
    bench.actions();
    // Something that would wake it happens while the requests are on their way.
    bench.gone(&mid);
    bench.expect(&[]);
    bench.preempted(&high, "a", &[&low], false);
    bench.expect(&["announce low gone"]);
    bench.put(&leaving(&low));
    bench.expect(&["bind high to b"]);
}

#[test]
fn a_pod_whose_victims_take_their_time_waits_and_says_so() {
    let (mut bench, low, mid) = both_full();
    let high = with_priority(100, pod("high", 4));
    bench.put(&high);
    bench.actions();
    bench.put(&nominated(&high, "a"));
    bench.put(&leaving(&low));
    bench.wait(1);
    bench.put(&Pod { requests: Resources { memory: Bytes(3 << 30), ..Resources::default() }, ..mid });
    let said = "no new claims to deallocate, preemption: not eligible due to a terminating pod on the nominated node.";
    bench.expect(&[&format!("high: {NO_MEMORY} {said}")]);
}

#[test]
fn a_preemption_that_failed_is_tried_again_after_a_while() {
    let (mut bench, low, _) = both_full();
    let high = with_priority(100, pod("high", 4));
    bench.put(&high);
    bench.actions();
    bench.preempted(&high, "a", &[], true);
    bench.expect(&[]);
    bench.wait(1);
    // The nomination may not have been written, so it is written again.
    let again = [&*format!("high: {NO_MEMORY} -> a"), "take low from a for high"];
    bench.expect(&again);
    bench.put(&leaving(&low));
    bench.preempted(&high, "a", &[], true);
    bench.gone(&low);
    bench.expect(&["bind high to a"]);
}

#[test]
fn what_goes_already_is_not_asked_to_go() {
    let (mut bench, low, mid) = both_full();
    // It was deleted by somebody else.
    bench.put(&Pod { terminating: true, ..low.clone() });
    let high = with_priority(100, pod("high", 4));
    bench.put(&high);
    bench.expect(&[&format!("high: {NO_MEMORY} -> a")]);
    bench.gone(&low);
    bench.expect(&["bind high to a"]);
    bench.gone(&mid);
    bench.expect(&[]);
}

#[test]
fn pods_of_lower_priority_give_their_nomination_up() {
    let (mut bench, low, _) = both_full();
    let first = with_priority(20, pod("first", 4));
    bench.put(&first);
    bench.expect(&[&format!("first: {NO_MEMORY} -> a"), "take low from a for first"]);
    bench.put(&nominated(&first, "a"));
    let high = with_priority(40, pod("high", 4));
    bench.put(&high);
    let expected =
        [&*format!("high: {NO_MEMORY} -> a"), "nominate first to None", "take low from a for high"];
    bench.expect(&expected);
    bench.put(&leaving(&low));
    bench.put(&first);
    // There is nobody else of lower priority, and what it is nominated to is written as long as it may differ.
    let said = "no new claims to deallocate, preemption: 0/2 nodes are available: 1 Insufficient memory, \
                1 No preemption victims found for incoming pod.";
    bench.expect(&[&format!("first: {NO_MEMORY} {said}")]);
    bench.gone(&low);
    let lines = bench.actions();
    assert_eq!(lines.first().map(String::as_str), Some("bind high to a"), "{lines:?}");
}

#[test]
fn a_restarted_scheduler_knows_the_nominations() {
    let mut bench = Bench::new();
    let low = bound(&pod("low", 4), "a");
    bench.put(&leaving(&low));
    bench.put(&nominated(&with_priority(100, pod("high", 4)), "a"));
    bench.put(&bound(&with_priority(100, pod("same", 4)), "b"));
    bench.actions();
    bench.put(&with_priority(0, pod("other", 1)));
    bench.gone(&low);
    // The other one's turn comes first, and it leaves the room to the one that is nominated.
    bench.expect(&[&full("other"), "bind high to a"]);
}

#[test]
fn a_nomination_that_ends_wakes_those_that_left_room() {
    let (mut bench, low, mid) = both_full();
    let high = with_priority(100, pod("high", 4));
    bench.put(&high);
    bench.put(&pod("other", 4));
    bench.actions();
    bench.put(&leaving(&low));
    // It is gone before it could be bound.
    bench.gone(&high);
    bench.actions();
    bench.gone(&low);
    bench.wait(1);
    bench.expect(&["bind other to a"]);
    bench.gone(&mid);
    bench.expect(&[]);
}

#[test]
fn a_pod_that_never_preempts_takes_nobody_away() {
    let (mut bench, ..) = both_full();
    bench.put(&Pod { preempts: false, ..with_priority(100, pod("high", 4)) });
    let said = "no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.";
    bench.expect(&[&format!("high: {NO_MEMORY} {said}")]);
}
