//! Nodes fail, and their pods go or stay.

use std::time::Duration;

use super::*;
use crate::health::{LeaseSeen, Seen, Sighting};
use crate::model::{
    Labels, Node, Owner, Pod, PodVolume, Taint, TaintEffect, Toleration, TolerationOp, Version,
};
use crate::state::tests::{Bench, bound, node, pod};
use crate::state::{Action, Change, Event, PodRef};

fn owned(pod: Pod, kind: &str, name: &str) -> Pod {
    Pod { owner: Some(Owner { kind: kind.into(), name: name.into() }), ..pod }
}

/// A pod of 1 GiB of a Deployment, on node `b`.
fn replica(name: &str) -> Pod {
    bound(&owned(pod(name, 1), "ReplicaSet", "web-1"), "b")
}

fn annotated(pod: Pod, value: &str) -> Pod {
    Pod { annotations: Labels::new([(FAILOVER_ANNOTATION.into(), value.into())]), ..pod }
}

fn tolerating(pod: Pod, seconds: Option<i64>) -> Pod {
    let toleration = Toleration {
        key: "node.kubernetes.io/unreachable".into(),
        op: TolerationOp::Exists,
        value: "".into(),
        effect: Some(TaintEffect::NoExecute),
        seconds,
    };
    Pod { tolerations: [toleration].into(), ..pod }
}

fn tainted(key: &str) -> Node {
    let taint = Taint { key: key.into(), value: "".into(), effect: TaintEffect::NoExecute };
    Node { taints: [taint].into(), ..node("b") }
}

/// The pod of a StatefulSet on node `b`.
pub(super) fn stateful() -> Pod {
    bound(&owned(pod("db-0", 1), "StatefulSet", "db"), "b")
}

/// What somebody who can tell writes on a node that stays off.
pub(super) fn off_for_good(version: &str) -> Labels {
    Labels::new([(FENCED_ANNOTATION.into(), version.into())])
}

// === impl Bench ===

impl Bench {
    /// The Lease of this node is seen in this version.
    pub(super) fn lease(&mut self, name: &str, version: u64) {
        let seen = LeaseSeen { node: name.into(), version: Version(version) };
        self.apply(Event::Health(HealthNews::Leases(vec![Change::Put(Box::new(seen))])));
    }

    /// The agent on `a` says for the `told`th time how often it missed `b`.
    pub(super) fn says(&mut self, told: u64, missed: u16) {
        let sighting = Sighting {
            from: "a".into(),
            told,
            every: Duration::from_hours(1),
            starved: false,
            leaving: false,
            peers: vec![Seen { peer: "b".into(), missed }],
        };
        self.apply(Event::Health(HealthNews::Sighted(vec![sighting])));
    }

    /// `b` dies at 100 s with these pods, and its neighbour says so 4 s later.
    pub(super) fn after_death(pods: &[Pod]) -> Self {
        let mut bench = Self::new();
        for pod in pods {
            bench.put(pod);
        }
        bench.wait(100);
        bench.lease("a", 1);
        bench.lease("b", 1);
        bench.says(1, 0);
        bench.expect(&[]);
        bench.wait(4);
        bench.says(2, 3);
        bench
    }

    /// The same until its Lease is overdue.
    pub(super) fn after_loss(pods: &[Pod]) -> Self {
        let mut bench = Self::after_death(pods);
        bench.expect(&["NodeSuspect b"]);
        bench.wait(7);
        bench.lease("a", 2);
        bench.expect(&[]);
        bench.wait(1);
        bench
    }

    fn evicted(&mut self, pod: &Pod, outcome: EvictOutcome) {
        let eviction = Eviction {
            pod: PodRef::of(pod),
            generation: 1,
            scheduler_name: pod.scheduler_name.clone(),
            node: "b".into(),
            lease: None,
            job: None,
            is_fenced: false,
        };
        self.apply(Event::Evicted(eviction, outcome));
    }

    fn knocked(&mut self, knock: Knock) {
        self.apply(Event::Health(HealthNews::Knocked("b".into(), knock)));
    }
}

/// What becomes of a pod of node `b` when that is lost.
#[track_caller]
fn check(pod: &Pod, expected: &[&str]) {
    let mut bench = Bench::after_loss(std::slice::from_ref(pod));
    bench.expect(&[&["NodeLost b"], expected].concat());
}

#[test]
fn only_pods_that_may_run_twice_go() {
    let web = replica("web");
    check(&web, &["evict web from b"]);
    check(&annotated(web.clone(), "false"), &[]);
    check(&tolerating(web.clone(), Some(300)), &["evict web from b"]);
    check(&tolerating(web.clone(), None), &[]);
    check(&Pod { scheduler_name: "other".into(), ..web.clone() }, &[]);
    check(&Pod { terminating: true, ..web.clone() }, &[]);
    check(&Pod { volumes: [PodVolume::Claim("data".into())].into(), ..web.clone() }, &[]);
    check(&Pod { volumes: [PodVolume::Ephemeral("web-tmp".into())].into(), ..web }, &["evict web from b"]);
    let of = |kind: &str| bound(&owned(pod("web", 1), kind, "x"), "b");
    check(&bound(&pod("web", 1), "b"), &[]);
    check(&of("StatefulSet"), &[]);
    check(&of("DaemonSet"), &[]);
    check(&of("Custom"), &[]);
    check(&of("Job"), &[]);
    check(&annotated(of("Job"), "true"), &["evict web from b"]);
    check(&annotated(of("StatefulSet"), "true"), &[]);
}

#[test]
fn stateful_pods_go_once_the_node_is_fenced() {
    let (db, agent) = (
        bound(&owned(pod("db-0", 1), "StatefulSet", "db"), "b"),
        bound(&owned(pod("agent", 1), "DaemonSet", "agent"), "b"),
    );
    let mut bench = Bench::after_loss(&[db, agent]);
    bench.expect(&["NodeLost b"]);
    bench.apply(Event::Nodes(Change::Put(Box::new(tainted("node.kubernetes.io/unreachable")))));
    bench.wait(2);
    bench.expect(&[]);
    bench.apply(Event::Nodes(Change::Put(Box::new(tainted("node.kubernetes.io/out-of-service")))));
    bench.wait(2);
    bench.expect(&["evict db-0 from b at once"]);
}

#[test]
fn a_fence_ends_what_only_waits_for_the_kubelet() {
    let db = bound(&owned(pod("db-0", 1), "StatefulSet", "db"), "b");
    let mut bench = Bench::after_loss(&[Pod { terminating: true, ..db }]);
    bench.expect(&["NodeLost b"]);
    bench.wait(2);
    bench.expect(&[]);
    bench.apply(Event::Nodes(Change::Put(Box::new(tainted("node.kubernetes.io/out-of-service")))));
    bench.wait(2);
    bench.expect(&["evict db-0 from b at once"]);
}

#[test]
fn a_fence_on_a_node_that_lives_does_nothing() {
    let db = bound(&owned(pod("db-0", 1), "StatefulSet", "db"), "b");
    let mut bench = Bench::after_death(&[db]);
    bench.apply(Event::Nodes(Change::Put(Box::new(tainted("node.kubernetes.io/out-of-service")))));
    bench.expect(&["NodeSuspect b"]);
    bench.wait(3);
    bench.expect(&[]);
    bench.lease("b", 2);
    bench.expect(&["NodeReached b"]);
}

#[test]
fn a_suspect_node_is_no_candidate_and_its_replicas_are_no_anchors() {
    let mut bench = Bench::after_death(&[]);
    bench.expect(&["NodeSuspect b"]);
    assert_eq!(bench.state.snapshot.suspects.len(), 1);
    let view = bench.state.health();
    assert_eq!((view.unwell.len(), view.frozen), (1, None));
    bench.says(3, 0);
    bench.expect(&["NodeReached b"]);
    assert!(bench.state.snapshot.suspects.is_empty());
}

#[test]
fn each_outcome_has_its_consequence() {
    let pods = ["1", "2", "3", "4", "5"].map(replica);
    let mut bench = Bench::after_loss(&pods);
    bench.expect(&[
        "NodeLost b",
        "evict 1 from b",
        "evict 2 from b",
        "evict 3 from b",
        "evict 4 from b",
        "evict 5 from b",
    ]);
    bench.evicted(&pods[0], EvictOutcome::Deleted);
    bench.evicted(&pods[1], EvictOutcome::Gone);
    bench.evicted(&pods[2], EvictOutcome::Refused("backoffLimit".into()));
    bench.evicted(&pods[3], EvictOutcome::Failed("500".into()));
    bench.put(&Pod { terminating: true, ..pods[0].clone() });
    bench.gone(&pods[1]);
    bench.expect(&["announce 1 evicted", "announce 3 evicted: not, backoffLimit"]);
    bench.wait(2);
    bench.expect(&["evict 4 from b"]);
    // The fifth tells that its node lives: nothing more is asked, and it is used again after a while.
    bench.evicted(&pods[4], EvictOutcome::Renewed(Version(9)));
    bench.evicted(&pods[3], EvictOutcome::Failed("500".into()));
    bench.expect(&["NodeReturned b"]);
    bench.lease("a", 3);
    bench.wait(10);
    bench.lease("a", 4);
    bench.expect(&[]);
}

#[test]
fn one_who_does_not_lead_asks_nobody_to_go() {
    let mut bench = Bench::after_death(&[replica("web")]);
    bench.apply(Event::Leads(false));
    bench.wait(7);
    bench.lease("a", 2);
    bench.expect(&[]);
    bench.wait(1);
    bench.expect(&[]);
    assert!(bench.state.health().unwell[0].1.is_lost());
    bench.expect(&[]);
    assert!(bench.state.wake_at() > bench.now, "there is nothing to do at once, again and again");
    bench.apply(Event::Leads(true));
    bench.wait(1);
    bench.expect(&["NodeLost b", "evict web from b"]);
}

#[test]
fn a_silent_node_is_suspect_for_a_second_before_a_pod_that_wants_it_fast_goes() {
    let mut bench = Bench::after_death(&[annotated(replica("fast"), "fast")]);
    bench.expect(&["NodeSuspect b", "knock at b"]);
    bench.knocked(Knock::Silent);
    bench.expect(&[]);
    bench.wait(1);
    bench.expect(&["evict fast from b"]);
}

#[test]
fn a_pod_that_wants_it_fast_goes_when_its_node_answers_nobody() {
    let pods = [annotated(replica("fast"), "fast"), replica("slow")];
    let mut bench = Bench::after_death(&pods);
    bench.expect(&["NodeSuspect b", "knock at b"]);
    bench.knocked(Knock::Answers);
    bench.wait(1);
    bench.expect(&[]);
    bench.wait(3);
    bench.expect(&["knock at b"]);
    bench.knocked(Knock::Silent);
    bench.expect(&["evict fast from b"]);
    // It is reached for a moment. Then it is no further node, which would have to wait.
    bench.lease("a", 2);
    bench.says(3, 0);
    bench.expect(&["NodeReached b"]);
    bench.wait(5);
    bench.lease("a", 3);
    bench.says(4, 3);
    bench.expect(&["NodeSuspect b"]);
    bench.wait(1);
    bench.expect(&["NodeLost b", "evict slow from b"]);
}

#[test]
fn what_an_operator_confirms_is_done_at_once() {
    let mut bench = Bench::after_death(&[replica("web")]);
    bench.expect(&["NodeSuspect b"]);
    let off_since = |version: &str| {
        let annotations = Labels::new([(CONFIRMED_ANNOTATION.into(), version.into())]);
        Event::Nodes(Change::Put(Box::new(Node { annotations, ..node("b") })))
    };
    bench.apply(off_since("0"));
    bench.wait(1);
    bench.expect(&[]);
    bench.apply(off_since("1"));
    bench.wait(1);
    bench.expect(&["NodeLost b", "evict web from b"]);
}

#[test]
fn who_is_not_well_is_told_again_before_events_are_forgotten() {
    let mut bench = Bench::after_loss(&[]);
    bench.expect(&["NodeLost b"]);
    let mut told = Vec::new();
    for version in 3..183 {
        bench.wait(10);
        bench.lease("a", version);
        told.extend(bench.actions());
    }
    assert_eq!(told, ["NodeLost b"], "once in half an hour");
}

#[test]
fn what_is_told_says_whether_it_is_acted_on() {
    let mut bench = Bench::after_death(&[]);
    let notes = |bench: &mut Bench| {
        let mut notes = Vec::new();
        while let Some(action) = bench.state.next(bench.now) {
            let Action::TellNode(NodeNotice { reason, note, .. }) = action else { continue };
            assert_eq!(NodeReason::parse(reason.as_str()), Some(reason));
            notes.push((reason, NodeNotice::withheld(&note).map(ToOwned::to_owned)));
        }
        notes
    };
    assert_eq!(notes(&mut bench), [(NodeReason::NodeSuspect, None)]);
    // No Lease is seen to change: all is frozen.
    bench.wait(12);
    let why = Some("no Lease of any node is seen to change".to_owned());
    assert_eq!(notes(&mut bench), [(NodeReason::FailoverFrozen, why.clone())]);
    let annotations = Labels::new([(CONFIRMED_ANNOTATION.into(), "1".into())]);
    bench.apply(Event::Nodes(Change::Put(Box::new(Node { annotations, ..node("b") }))));
    bench.wait(1);
    assert_eq!(notes(&mut bench), [(NodeReason::NodeLost, None)], "it was confirmed");
}

#[test]
fn a_scheduler_that_starts_later_goes_on() {
    let mut bench = Bench::after_loss(&[replica("web")]);
    bench.expect(&["NodeLost b", "evict web from b"]);
    // Nobody ever tells what came of it: the scheduler died. The next one sees the same.
    let mut next = Bench::after_loss(&[replica("web")]);
    next.expect(&["NodeLost b", "evict web from b"]);
}

#[test]
fn cover_rests_while_a_failed_node_is_healed_and_not_for_as_long_as_it_is_gone() {
    let mut bench = Bench::after_death(&[replica("web")]);
    bench.expect(&["NodeSuspect b"]);
    assert!(!bench.state.is_quiet(bench.now));
    bench.wait(7);
    bench.lease("a", 2);
    bench.expect(&[]);
    bench.wait(1);
    bench.expect(&["NodeLost b", "evict web from b"]);
    bench.wait(59);
    assert!(!bench.state.is_quiet(bench.now));
    bench.wait(1);
    assert!(bench.state.is_quiet(bench.now));
}
