//! Two replicas: one binds, the other takes over, and nothing is bound twice.

use std::collections::BTreeMap;

use controlplane::FakeNode;
use serde_json::{Value, json};

use crate::bed::{Bed, PODS, PodSpec, Replica};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/edge-scheduler";

/// A lease that runs out soon, so that the test need not wait for long.
const SHORT: [&str; 3] = [
    "--leader-elect-lease-duration=3s",
    "--leader-elect-renew-deadline=2s",
    "--leader-elect-retry-period=500ms",
];

/// A lease that outlives every test.
const LONG: [&str; 3] = [
    "--leader-elect-lease-duration=30m",
    "--leader-elect-renew-deadline=20m",
    "--leader-elect-retry-period=10m",
];

fn bed(nodes: usize) -> Bed {
    let nodes: Vec<FakeNode> = (0..nodes).map(|idx| FakeNode::new(format!("edge-{idx}")).cpu("64")).collect();
    let bed = Bed::without_scheduler(&nodes);
    bed.write_delays(&["edge-0"], &[&[0.0]]);
    bed
}

/// A leader, and a standby that knows everything.
fn two_replicas(bed: &Bed, flags: &[&str]) -> (Replica, Replica) {
    let leader = bed.replica("leader", flags);
    leader.await_words("acquired the lease");
    let standby = bed.replica("standby", flags);
    for kind in ["kind=\"pod\"", "kind=\"node\""] {
        standby.await_words(kind);
    }
    (leader, standby)
}

fn holder(bed: &Bed) -> String {
    bed.cp.client().get(LEASE).unwrap()["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

/// Where each pod is bound, by UID.
fn bound(bed: &Bed) -> BTreeMap<String, String> {
    let list = bed.cp.client().get(PODS).unwrap();
    let place = |pod: &Value| {
        let node = pod["spec"]["nodeName"].as_str()?;
        Some((pod["metadata"]["uid"].as_str()?.to_owned(), node.to_owned()))
    };
    list["items"].as_array().unwrap().iter().filter_map(place).collect()
}

#[test]
fn when_the_leader_is_killed_the_standby_goes_on_once_the_lease_has_run_out() {
    const PODS_IN_ALL: usize = 400;
    let bed = bed(4);
    let (leader, standby) = two_replicas(&bed, &SHORT);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for idx in 0..PODS_IN_ALL {
                bed.create(&PodSpec { memory: "10Mi", ..PodSpec::new(&format!("pod-{idx}")) });
            }
        });
        bed.wait("some pods to be bound", || (bound(&bed).len() >= 50).then_some(()));
        let early = bound(&bed);
        assert!(!standby.log().contains("acquired the lease"), "there are two leaders");
        leader.kill();
        standby.await_words("acquired the lease");
        let late =
            bed.wait("all pods to be bound", || Some(bound(&bed)).filter(|bound| bound.len() == PODS_IN_ALL));
        for (uid, node) in early {
            assert_eq!(late.get(&uid), Some(&node));
        }
        let mut per_node: BTreeMap<&str, usize> = BTreeMap::new();
        for node in late.values() {
            *per_node.entry(node).or_default() += 1;
        }
        assert!(per_node.values().all(|count| *count <= 110), "a node was overfilled: {per_node:?}");
    });
}

#[test]
fn a_leader_that_is_told_to_end_hands_over_at_once() {
    let bed = bed(1);
    // Neither does the lease run out nor does the standby try again while this test waits.
    let (mut leader, _standby) = two_replicas(&bed, &LONG);
    let before = holder(&bed);
    assert_eq!(leader.terminate(), Some(0));
    bed.create(&PodSpec::new("web"));
    bed.node_of("web");
    assert!(leader.log().contains("released the lease"), "{}", leader.log());
    let after = holder(&bed);
    assert!(!after.is_empty() && after != before, "{before} {after}");
}

#[test]
fn a_leader_whose_lease_is_taken_ends_and_says_so() {
    let bed = bed(1);
    let mut leader = bed.replica("leader", &SHORT);
    leader.await_words("acquired the lease");
    let spec = json!({"holderIdentity": "somebody else", "leaseDurationSeconds": 60});
    bed.cp.client().merge(LEASE, &json!({"spec": spec})).unwrap();
    assert_eq!(leader.exit_code(), Some(1), "{}", leader.log());
    assert!(leader.log().contains("leader election lost"), "{}", leader.log());
    assert_eq!(holder(&bed), "somebody else");
    // Who comes later stands by.
    let later = bed.replica("later", &SHORT);
    later.await_words("somebody else");
    bed.create(&PodSpec::new("web"));
    bed.cp.client().merge(LEASE, &json!({"spec": {"holderIdentity": ""}})).unwrap();
    bed.node_of("web");
    assert!(later.log().contains("acquired the lease"), "{}", later.log());
}

#[test]
fn a_lease_that_cannot_be_made_is_named_with_what_to_look_at() {
    let bed = bed(1);
    let flags = ["--leader-elect-resource-namespace=nowhere"];
    let replica = bed.replica("lost", &flags);
    replica.await_words("is its namespace there?");
}
