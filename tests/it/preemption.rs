//! Pods of high priority get the room of lower ones.

use controlplane::FakeNode;
use serde_json::{Value, json};

use crate::bed::{Bed, PODS, PodSpec};

/// A pod of this class that takes most of a node and is gone as soon as it is deleted.
fn large(name: &str, class: &str) -> Value {
    let mut pod = PodSpec { memory: "5Gi", ..PodSpec::new(name) }.json();
    pod["spec"]["priorityClassName"] = class.into();
    pod["spec"]["terminationGracePeriodSeconds"] = 0.into();
    pod
}

/// Two nodes, a class `low` and a class `high`, and pods `low` and `lower` that fill the nodes.
fn full_bed() -> (Bed, String, String) {
    let nodes = ["edge-1", "edge-2"].map(|name| FakeNode::new(name).memory("8Gi"));
    let bed = Bed::start(&nodes, &["edge-1", "edge-2"], &[&[0.0, 1.0], &[1.0, 0.0]]);
    for (name, value) in [("lower", 1), ("low", 2), ("high", 1000)] {
        let class = json!({"metadata": {"name": name}, "value": value});
        bed.cp.client().create("/apis/scheduling.k8s.io/v1/priorityclasses", &class).unwrap();
    }
    for name in ["lower", "low"] {
        // The API server admits pods of a class once it has heard of it.
        bed.wait(&format!("a pod of class {name}"), || bed.cp.client().create(PODS, &large(name, name)).ok());
    }
    let (lower, low) = (bed.node_of("lower"), bed.node_of("low"));
    assert_ne!(lower, low);
    (bed, lower, low)
}

#[test]
fn a_pod_of_high_priority_is_bound_where_the_least_important_one_was() {
    let (bed, lower, low) = full_bed();
    bed.wait("a pod of class high", || bed.cp.client().create(PODS, &large("high", "high")).ok());
    assert_eq!(bed.node_of("high"), lower);
    let left = bed.cp.client().get(PODS).unwrap();
    let names: Vec<&str> =
        left["items"].as_array().unwrap().iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
    assert_eq!(names, ["high", "low"]);
    assert_eq!(bed.node_of("low"), low);
    let uid = bed.pod("high")["metadata"]["uid"].as_str().unwrap().to_owned();
    let told = &bed.events_of("lower", "Preempted")[0];
    assert_eq!(told["note"], format!("Preempted by pod {uid} on node {lower}"));
    assert_eq!(told["related"]["name"], "high");
    // The server clears where it was nominated to when it is bound.
    assert_eq!(bed.pod("high")["status"]["nominatedNodeName"], Value::Null);
}

#[test]
fn a_victim_is_told_why_and_its_room_is_kept_for_the_pod_it_goes_for() {
    let (bed, lower, _) = full_bed();
    // Something holds the victim until it is taken off.
    let held = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    bed.cp.client().merge(&format!("{PODS}/lower"), &held).unwrap();
    bed.wait("a pod of class high", || bed.cp.client().create(PODS, &large("high", "high")).ok());
    bed.wait("the nomination", || {
        (bed.pod("high")["status"]["nominatedNodeName"] == lower.as_str()).then_some(())
    });
    let target = bed.wait("the victim to go", || {
        let victim = bed.pod("lower");
        let conditions = victim["status"]["conditions"].as_array()?;
        let target = conditions.iter().find(|condition| condition["type"] == "DisruptionTarget")?.clone();
        (victim["metadata"]["deletionTimestamp"] != Value::Null).then_some(target)
    });
    assert_eq!((&target["status"], &target["reason"]), (&json!("True"), &json!("PreemptionByScheduler")));
    assert_eq!(target["message"], "edge-scheduler: preempting to accommodate a higher priority pod");
    // It would fit once the victim is gone, but not beside the pod that comes.
    bed.create(&PodSpec { memory: "4Gi", ..PodSpec::new("small") });
    bed.message_of("small", |message| message.contains("2 Insufficient memory"));
    let none = json!({"metadata": {"finalizers": null}});
    bed.cp.client().merge(&format!("{PODS}/lower"), &none).unwrap();
    assert_eq!(bed.node_of("high"), lower);
    assert_eq!(bed.pod("small")["spec"]["nodeName"], Value::Null);
}
