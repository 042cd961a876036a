//! Bindings: nobody polls, none is lost, none is made twice.

use std::collections::BTreeMap;

use controlplane::FakeNode;
use serde_json::Value;

use crate::bed::{Bed, PODS, PodSpec};

#[test]
fn a_pod_is_bound_as_soon_as_capacity_is_freed() {
    let bed = Bed::start(&[FakeNode::new("edge-1")], &["edge-1"], &[&[0.0]]);
    bed.create(&PodSpec { memory: "6Gi", ..PodSpec::new("first") });
    bed.node_of("first");
    bed.create(&PodSpec { memory: "6Gi", ..PodSpec::new("second") });
    let message = bed.reason_of("second", |message| message.contains("memory"));
    assert_eq!(message, "0/1 nodes are available: 1 Insufficient memory.");
    bed.delete("first");
    bed.node_of("second");
    // It waited for the event, not for a timer: it was tried no more than twice.
    let tries = bed.events_of("second", "FailedScheduling");
    let count = |event: &Value| event["series"]["count"].as_u64().unwrap_or(1);
    assert_eq!(tries.iter().map(count).sum::<u64>(), 1);
}

#[test]
fn a_scheduler_killed_while_it_binds_loses_nothing_and_binds_nothing_twice() {
    const PODS_IN_ALL: usize = 500;
    let nodes: Vec<FakeNode> = (0..10).map(|idx| FakeNode::new(format!("edge-{idx}")).cpu("64")).collect();
    let names: Vec<String> = (0..10).map(|idx| format!("edge-{idx}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let row = [1.0; 10];
    let mut bed = Bed::without_scheduler(&nodes);
    bed.write_delays(&names, &[&row[..]; 10]);
    for idx in 0..PODS_IN_ALL {
        bed.create(&PodSpec { memory: "100Mi", ..PodSpec::new(&format!("pod-{idx}")).delay("edge-0", "5") });
    }
    bed.start_scheduler();
    let bound = |bed: &Bed| -> BTreeMap<String, String> {
        let list = bed.cp.client().get(PODS).unwrap();
        let pods = list["items"].as_array().unwrap().iter();
        let place = |pod: &Value| {
            let node = pod["spec"]["nodeName"].as_str()?;
            Some((pod["metadata"]["uid"].as_str()?.to_owned(), node.to_owned()))
        };
        pods.filter_map(place).collect()
    };
    let early = bed.wait("some pods to be bound", || Some(bound(&bed)).filter(|bound| bound.len() >= 50));
    bed.kill_scheduler();
    assert!(early.len() < PODS_IN_ALL, "all were bound before it was killed");
    bed.start_scheduler();
    let late =
        bed.wait("all pods to be bound", || Some(bound(&bed)).filter(|bound| bound.len() == PODS_IN_ALL));
    for (uid, node) in early {
        assert_eq!(late.get(&uid), Some(&node));
    }
    let mut per_node: BTreeMap<&str, usize> = BTreeMap::new();
    for node in late.values() {
        *per_node.entry(node).or_default() += 1;
    }
    assert!(per_node.values().all(|count| *count <= 81), "a node was overfilled: {per_node:?}");
}
