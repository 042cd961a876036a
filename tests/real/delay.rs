//! Pods bound by delay run where they are bound.

use controlplane::{ControlPlane, NODE_IMAGE, Options, RealNode, wait_for};
use serde_json::{Value, json};
use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

const SOON: Duration = Duration::from_mins(2);

const PODS: &str = "/api/v1/namespaces/default/pods";

/// Ends with the value.
struct Scheduler(Child);

impl Drop for Scheduler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_pod_bound_by_delay_runs_on_the_node_within_it() {
    let options = Options { controller_manager: true, ..Options::default() };
    let cluster = ControlPlane::start(options.real(["edge-1", "edge-2"].map(RealNode::new))).unwrap();
    let delays = tempfile::tempdir().unwrap();
    let (matrix, metadata) = (delays.path().join("delays.txt"), delays.path().join("metadata.json"));
    fs::write(&matrix, "0 20\n20 0\n").unwrap();
    fs::write(&metadata, r#"{"edge-1": 0, "edge-2": 1}"#).unwrap();
    let scheduler = Command::new(env!("CARGO_BIN_EXE_edge-scheduler"))
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .arg("--delay-matrix")
        .arg(&matrix)
        .arg("--metadata")
        .arg(&metadata)
        .args(["--secure-port=0", "--leader-elect=false"])
        .stdin(Stdio::null())
        .spawn();
    let _scheduler = Scheduler(scheduler.unwrap());

    for (pod, anchor) in [("first", "edge-1"), ("second", "edge-2")] {
        let labels = json!({format!("delay_{anchor}"): "5"});
        let container = json!({"name": "main", "image": NODE_IMAGE});
        let spec = json!({"schedulerName": "edge-scheduler", "containers": [container]});
        let pod = json!({"metadata": {"name": pod, "labels": labels}, "spec": spec});
        cluster.client().create(PODS, &pod).unwrap();
    }

    for (pod, node) in [("first", "edge-1"), ("second", "edge-2")] {
        let mut last = Value::Null;
        let running = wait_for(pod, SOON, || {
            last = cluster.client().get(&format!("{PODS}/{pod}"))?;
            Ok((last["status"]["phase"] == "Running").then(|| last["spec"]["nodeName"].clone()))
        });
        assert_eq!(running.unwrap_or_else(|error| panic!("{error}, last seen as {last:#}")), node);
    }
}
