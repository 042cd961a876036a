//! Delay constraints on a real API server.

use serde_json::{Value, json};

use crate::bed::{Bed, LINE, PODS, PodSpec, line_delays};

#[test]
fn the_four_requests_of_the_bme_demo_are_placed_right() {
    let bed = Bed::line();
    let bme = |name: &str| PodSpec { scheduler: "custom-scheduler", ..PodSpec::new(name) };
    // 1. At most 25 ms from edge-1, and large.
    bed.create(&PodSpec { memory: "6Gi", ..bme("request-1").delay("edge-1", "25") });
    assert!(["edge-1", "edge-2", "edge-3"].contains(&bed.node_of("request-1").as_str()));
    // 2. No delay label: goes to the cloud.
    bed.create(&bme("request-2"));
    assert_eq!(bed.node_of("request-2"), "cloud-1");
    // 3. One for each worker, at most 1 ms from it.
    for worker in &LINE[1..] {
        bed.create(&PodSpec { memory: "1Gi", ..bme(&format!("request-3-{worker}")).delay(worker, "1") });
    }
    for worker in &LINE[1..] {
        assert_eq!(bed.node_of(&format!("request-3-{worker}")), *worker);
    }
    // 4. At most 1 ms from a workload.
    bed.create(&bme("request-4").delay("request-3-edge-4", "1"));
    assert_eq!(bed.node_of("request-4"), "edge-4");
}

#[test]
fn what_was_decided_stands_in_the_pod_and_its_events() {
    let bed = Bed::line();
    bed.create(&PodSpec::new("db").delay("edge-4", "0"));
    bed.create(&PodSpec::new("web").delay("db", "10.5").delay("edge-5", "0"));
    assert_eq!(bed.node_of("web"), "edge-5");
    let decision = bed.pod("web")["metadata"]["annotations"]["kubectl-edge.dev/decision"].clone();
    let decision: Value = serde_json::from_str(decision.as_str().unwrap()).unwrap();
    let to_db = json!({"anchor": "db", "boundMs": 10.5, "from": "edge-4", "delayMs": 10.0});
    let to_edge_5 = json!({"anchor": "edge-5", "boundMs": 0.0, "from": "edge-5", "delayMs": 0.0});
    assert_eq!(decision, json!({"delays": [to_db, to_edge_5]}));
    let scheduled = bed.events_of("web", "Scheduled");
    assert_eq!(scheduled.len(), 1);
    assert_eq!(scheduled[0]["note"], "Successfully assigned default/web to edge-5");
    assert_eq!(scheduled[0]["reportingController"], "edge-scheduler");
    assert_eq!(scheduled[0]["action"], "Binding");
}

#[test]
fn a_change_of_a_delay_lets_a_waiting_pod_in() {
    let bed = Bed::line();
    bed.create(&PodSpec { memory: "7Gi", ..PodSpec::new("filler") }.delay("edge-1", "0"));
    assert_eq!(bed.node_of("filler"), "edge-1");
    bed.create(&PodSpec { memory: "6Gi", ..PodSpec::new("web") }.delay("edge-1", "5"));
    let message = bed.reason_of("web", |message| message.contains("exceeded"));
    assert_eq!(
        message,
        "0/6 nodes are available: 1 Insufficient memory, 5 node(s) exceeded the delay to edge-1 (5 ms)."
    );
    let note = bed.events_of("web", "FailedScheduling")[0]["note"].to_string();
    assert!(note.contains(&message) && note.contains("5 Preemption is not helpful for scheduling"), "{note}");
    // The way back is still slow, and the larger of both directions counts.
    let mut delays = line_delays();
    delays[1] = &[40.0, 0.0, 4.0, 20.0, 30.0, 40.0];
    bed.write_matrix(&delays);
    delays[2] = &[40.0, 4.0, 0.0, 10.0, 20.0, 30.0];
    bed.write_matrix(&delays);
    assert_eq!(bed.node_of("web"), "edge-2");
}

#[test]
fn a_pod_waits_for_its_anchor_and_follows_it_at_once() {
    let bed = Bed::line();
    bed.create(&PodSpec::new("web").delay("db", "1"));
    let message = bed.reason_of("web", |message| message.contains("db"));
    assert_eq!(
        message,
        "0/6 nodes are available: anchor db is not placed: there is no such node, and no workload db in \
         namespace default has a pod on a node."
    );
    bed.create(&PodSpec::new("db").delay("edge-3", "0"));
    assert_eq!(bed.node_of("db"), "edge-3");
    assert_eq!(bed.node_of("web"), "edge-3");
}

#[test]
fn a_value_that_is_no_delay_is_named_and_never_bound() {
    let bed = Bed::line();
    bed.create(&PodSpec::new("web").delay("edge-1", "fast"));
    let message = bed.reason_of("web", |message| message.contains("delay_edge-1"));
    assert_eq!(
        message,
        "0/6 nodes are available: label delay_edge-1: value \"fast\" is not a number of milliseconds; give a \
         number of milliseconds such as \"25\"."
    );
    bed.cp.kubectl(&["label", "pod", "web", "delay_edge-1=10", "--overwrite"]).unwrap();
    assert!(["edge-1", "edge-2"].contains(&bed.node_of("web").as_str()));
}

#[test]
fn what_can_not_be_honoured_yet_is_refused_and_never_bound() {
    let bed = Bed::line();
    let mut pod = PodSpec::new("db").json();
    pod["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": "gpu"}]);
    bed.cp.client().create(PODS, &pod).unwrap();
    let message = bed.reason_of("db", |message| message.contains("resourceClaims"));
    assert_eq!(
        message,
        "0/6 nodes are available: pod uses resourceClaims, which this version does not schedule."
    );
    assert_eq!(bed.pod("db")["spec"]["nodeName"], Value::Null);
}
