//! `NodeDelays` as the API server keeps them, and who may write them.

use std::path::PathBuf;

use controlplane::{Client, FakeNode, Options};
use edge_api::{
    DelaySource, Interval, NodeDelays, NodeDelaysSpec, NodeDelaysStatus, PeerDelay, PeerToMeasure,
    ProbeRequest, ProbeResult, Transport,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bed::{ACCOUNT, Bed, NODE_DELAYS};

const SYSTEM_PODS: &str = "/api/v1/namespaces/edge-system/pods";
const AGENTS_TOKEN: &str = "/api/v1/namespaces/edge-system/serviceaccounts/edge-probe/token";

/// An API server with two nodes and all that an installation brings.
fn bed() -> Bed {
    let nodes = ["edge-1", "edge-2"].map(FakeNode::new);
    let bed = Bed::with(Options::default().user(ACCOUNT, &[]), &nodes);
    bed.install();
    for name in ["edge-1", "edge-2"] {
        bed.cp.client().create(NODE_DELAYS, &object(name, &json!({}))).unwrap();
    }
    bed
}

fn object(name: &str, status: &Value) -> Value {
    let metadata = json!({"name": name});
    json!({"apiVersion": edge_api::API_VERSION, "kind": "NodeDelays", "metadata": metadata, "status": status})
}

/// The probe agent of a node.
pub(crate) fn agent(bed: &Bed, node: &str) -> Client {
    bed.cp.client().with_token(agents_token(bed, node))
}

/// The token of a node's probe agent: it is bound to its pod.
pub(crate) fn agents_token(bed: &Bed, node: &str) -> String {
    let set = include_str!("../../deploy/base/probe.yaml");
    let documents = serde_yaml::Deserializer::from_str(set).map(|it| Value::deserialize(it).unwrap());
    let sets: Vec<Value> = documents.filter(|object| object["kind"] == "DaemonSet").collect();
    let mut spec = sets[0]["spec"]["template"]["spec"].clone();
    spec["nodeName"] = node.into();
    let pod = json!({"metadata": {"name": format!("edge-probe-{node}")}, "spec": spec});
    let pod = bed.cp.client().create(SYSTEM_PODS, &pod).unwrap();
    let metadata = &pod["metadata"];
    let bound = json!({"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]});
    token(bed, &json!({"spec": {"boundObjectRef": bound}}))
}

/// The kubeconfig of a node's agent, with such a token.
pub(crate) fn agents_kubeconfig(bed: &Bed, node: &str) -> PathBuf {
    let text = std::fs::read_to_string(bed.cp.kubeconfig()).unwrap();
    let mut kubeconfig: Value = serde_json::from_str(&text).unwrap();
    kubeconfig["users"][0]["user"]["token"] = agents_token(bed, node).into();
    bed.write(&format!("kubeconfig-{node}"), &kubeconfig.to_string())
}

fn with_token(bed: &Bed, request: &Value) -> Client {
    bed.cp.client().with_token(token(bed, request))
}

fn token(bed: &Bed, request: &Value) -> String {
    let made = bed.cp.client().create(AGENTS_TOKEN, request).unwrap();
    made["status"]["token"].as_str().unwrap().to_owned()
}

/// Writes the status of a node's object with this source.
fn report(client: &Client, node: &str, source: &str) -> Result<Value, String> {
    let status = object(node, &json!({"source": source}));
    let written = client.apply(&format!("{NODE_DELAYS}/{node}/status"), "test", &status);
    written.map_err(|error| error.to_string())
}

#[track_caller]
fn check<T: std::fmt::Debug>(outcome: Result<T, impl ToString>, expected: &str) {
    let refusal = outcome.map_err(|error| error.to_string()).unwrap_err();
    assert!(refusal.contains(expected), "{refusal}");
}

#[test]
fn a_status_is_written_by_the_nodes_own_agent_or_by_the_scheduler_for_sources_outside() {
    let bed = bed();
    let agents = ["edge-1", "edge-2"].map(|node| agent(&bed, node));
    report(&agents[0], "edge-1", "Probe").unwrap();
    report(&agents[1], "edge-2", "Probe").unwrap();
    check(
        report(&agents[0], "edge-2", "Probe"),
        "a probe agent reports for its own node alone: this one runs on edge-1, the object is of edge-2",
    );
    check(report(&agents[0], "edge-1", "File"), "a probe agent reports with source Probe, not File");
    let unbound = with_token(&bed, &json!({"spec": {}}));
    check(report(&unbound, "edge-1", "Probe"), "authentication.kubernetes.io/node-name is missing");

    let scheduler = bed.cp.client_of(ACCOUNT).unwrap();
    for source in ["Goldpinger", "File"] {
        report(&scheduler, "edge-1", source).unwrap();
    }
    check(report(&scheduler, "edge-1", "Probe"), "written by the node's own probe agent and nobody else");
    let spec =
        json!({"apiVersion": edge_api::API_VERSION, "kind": "NodeDelays", "spec": {"reportEveryMs": 60_000}});
    scheduler.apply(&format!("{NODE_DELAYS}/edge-1"), "edge-scheduler", &spec).unwrap();

    agents_do_nothing_else_whatever_roles_they_have(&bed, &agents[0]);
    others_report_only_with_the_permission(&bed);

    // Administrators clean up.
    check(report(bed.cp.client(), "edge-2", "Probe"), "to clean up, delete the object");
    bed.cp.client().delete(&format!("{NODE_DELAYS}/edge-2")).unwrap();
}

/// Roles refuse it, and where somebody gave them too much, the policy does.
fn agents_do_nothing_else_whatever_roles_they_have(bed: &Bed, agent: &Client) {
    let own = format!("{NODE_DELAYS}/edge-1");
    let spec = json!({"spec": {"reportEveryMs": 1000}});
    check(agent.merge(&own, &spec), "cannot patch resource \"nodedelays\"");
    check(agent.delete(&own), "cannot delete resource \"nodedelays\"");
    allow(
        bed,
        "edge-probe",
        &json!([{"apiGroups": ["kubectl-edge.dev"], "resources": ["*"], "verbs": ["*"]}]),
    );
    let refused = |outcome: Result<Value, controlplane::Error>| {
        let message = outcome.err()?.to_string();
        message.contains("ValidatingAdmissionPolicy").then_some(message)
    };
    // The API server heeds a new role a moment later.
    let said = bed.wait("the policy to refuse a change of spec", || refused(agent.merge(&own, &spec)));
    assert!(said.contains("a probe agent writes the status of NodeDelays alone"), "{said}");
    let said = bed.wait("the policy to refuse a delete", || refused(agent.delete(&own)));
    assert!(said.contains("a probe agent may not delete NodeDelays"), "{said}");
    check(agent.delete(NODE_DELAYS), "a probe agent may not delete NodeDelays");
    check(agent.create(NODE_DELAYS, &object("edge-3", &json!({}))), "writes the status of NodeDelays alone");
}

fn others_report_only_with_the_permission(bed: &Bed) {
    let accounts = "/api/v1/namespaces/edge-system/serviceaccounts";
    bed.cp.client().create(accounts, &json!({"metadata": {"name": "other"}})).unwrap();
    let made = bed.cp.client().create(&format!("{accounts}/other/token"), &json!({"spec": {}})).unwrap();
    let other = bed.cp.client().with_token(made["status"]["token"].as_str().unwrap().to_owned());
    let rule =
        json!({"apiGroups": ["kubectl-edge.dev"], "resources": ["nodedelays/status"], "verbs": ["patch"]});
    allow(bed, "other", &json!([rule]));
    let said = bed.wait("the policy to refuse a status", || {
        report(&other, "edge-1", "File").err().filter(|message| message.contains("ValidatingAdmissionPolicy"))
    });
    assert!(said.contains("who has the permission `report` on nodedelays.kubectl-edge.dev"), "{said}");
}

fn allow(bed: &Bed, account: &str, rules: &Value) {
    let name = format!("test-{account}");
    bed.make_role(&name, rules);
    let subject = json!({"kind": "ServiceAccount", "namespace": "edge-system", "name": account});
    bed.bind_role(&name, &name, &subject);
}

/// An object in which every field is set.
fn full() -> NodeDelays {
    let row = |peer: &str, micros: u32| PeerDelay {
        peer: peer.to_owned(),
        min_micros: Some(0),
        p50_micros: Some(micros),
        p95_micros: Some(u32::MAX),
        jitter_micros: Some(3),
        lost: 1,
        samples: 32,
        missed: 2,
        age_ms: Some(900),
    };
    let peer = PeerToMeasure {
        name: "edge-2".to_owned(),
        address: "[fd00::1]:7946".to_owned(),
        interval: Interval::Ring,
        bounds_micros: vec![0, 25_000],
    };
    let request = ProbeRequest {
        id: "1".to_owned(),
        peer: "edge-2".to_owned(),
        address: "10.0.0.2:7946".to_owned(),
        count: 2,
    };
    let result = ProbeResult { id: "1".to_owned(), micros: vec![Some(800), None], running: true };
    let mut status = NodeDelaysStatus {
        source: DelaySource::Probe,
        addresses: vec!["10.0.0.1:7946".to_owned(), "[fd00::1]:7946".to_owned()],
        reported_at: Some(MicroTime(Timestamp::UNIX_EPOCH)),
        report_every_ms: Some(60_000),
        starved: true,
        leaving: true,
        transport: Some(Transport::Udp),
        measured: 0,
        nearest: None,
        rows: Vec::new(),
        results: vec![result],
    };
    status.set_rows(vec![row("edge-2", 809), row("edge-3", 12_000)]);
    NodeDelays {
        metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta::default(),
        spec: NodeDelaysSpec { peers: vec![peer], requests: vec![request], report_every_ms: Some(60_000) },
        status: Some(status),
    }
}

#[test]
fn nothing_of_an_object_is_pruned_and_its_rows_are_replaced_as_a_whole() {
    let bed = bed();
    let (path, full) = (format!("{NODE_DELAYS}/edge-1"), full());
    let json = |part: Value| {
        let metadata = json!({"name": "edge-1"});
        let mut object =
            json!({"apiVersion": edge_api::API_VERSION, "kind": "NodeDelays", "metadata": metadata});
        object.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        object
    };
    bed.cp.client().apply(&path, "edge-scheduler", &json(json!({"spec": full.spec}))).unwrap();
    let agent = agent(&bed, "edge-1");
    let status = format!("{path}/status");
    agent.apply(&status, "edge-probe", &json(json!({"status": full.status}))).unwrap();
    let read = || serde_json::from_value::<NodeDelays>(bed.cp.client().get(&path).unwrap()).unwrap();
    assert_eq!((read().spec, read().status), (full.spec, full.status.clone()));

    let mut fewer = full.status.unwrap();
    fewer.set_rows(fewer.rows[1..].to_vec());
    let shown = bed.cp.kubectl(&["get", "nd", "edge-1"]).unwrap();
    let words: Vec<&str> = shown.split_whitespace().collect();
    let columns = ["NAME", "SOURCE", "TRANSPORT", "MEASURED", "NEAREST", "REPORTED", "AGE"];
    assert_eq!(words[..7], columns, "{shown}");
    assert_eq!(words[7..14], ["edge-1", "Probe", "UDP", "2", "edge-2", "0.80", "ms"], "{shown}");
    agent.apply(&status, "edge-probe", &json(json!({"status": fewer}))).unwrap();
    assert_eq!(read().status, Some(fewer));
    what_is_out_of_range_is_refused(&bed);
}

fn what_is_out_of_range_is_refused(bed: &Bed) {
    let refused = |spec: Value, expected: &str| {
        check(bed.cp.client().merge(&format!("{NODE_DELAYS}/edge-1"), &json!({"spec": spec})), expected);
    };
    let peer = |address: &str| json!({"name": "edge-2", "address": address, "interval": "Ring"});
    refused(json!({"peers": [{"name": "edge-2"}]}), "spec.peers[0].interval: Required value");
    refused(json!({"peers": [peer(&"1".repeat(65))]}), "spec.peers[0].address: Too long");
    refused(json!({"peers": vec![peer("1"); 1025]}), "spec.peers: Too many");
    refused(json!({"reportEveryMs": 999}), "spec.reportEveryMs");
}
