//! Pods of which there must never be two: their node is lost, and they stay until it is fenced.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::bed::{PODS, PodSpec};
use crate::healing::{DEPLOYMENTS, JOBS, Line, annotated_template, template};
use crate::history::{Change, History, version};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
const FENCED: &str = "kubectl-edge.dev/fenced";
const CLAIM: &str = "data";

/// What has to be alone: each of these is the `app` of its pods.
const ALONE: [&str; 4] = ["db", "store", "single", "batch"];

/// The power cut of a node, and when somebody said that it is off and stays off.
struct Cut<'a> {
    node: &'a str,
    fenced: u64,
}

/// A claim of one node at a time, and the volume that is bound to it, which every node reaches.
fn create_claim(line: &Line) {
    let client = line.bed.cp.client();
    let (modes, size) = (json!(["ReadWriteOnce"]), json!({"storage": "1Gi"}));
    let volume = json!({"metadata": {"name": CLAIM}, "spec": {
        "accessModes": modes, "capacity": size, "nfs": {"server": "nfs.example.com", "path": "/"},
        "claimRef": {"namespace": "default", "name": CLAIM},
    }});
    client.create("/api/v1/persistentvolumes", &volume).unwrap();
    let claim = json!({"metadata": {"name": CLAIM}, "spec": {
        "accessModes": modes, "resources": {"requests": size}, "storageClassName": "", "volumeName": CLAIM,
    }});
    client.create("/api/v1/namespaces/default/persistentvolumeclaims", &claim).unwrap();
}

/// A Deployment of one pod; with the claim it has one pod at a time.
fn deploy(line: &Line, app: &str, claim: Option<&str>) {
    let mut template = template(&json!({"app": app}));
    if let Some(claim) = claim {
        template["spec"]["volumes"] =
            json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]);
    }
    let object = json!({"metadata": {"name": app}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": app}}, "strategy": {"type": "Recreate"}, "template": template,
    }});
    line.bed.cp.client().create(DEPLOYMENTS, &object).unwrap();
}

/// A Job that does not let its pods go.
fn run_job(line: &Line, app: &str) {
    let mut template = annotated_template(&json!({"app": app}), &json!({}));
    template["spec"]["restartPolicy"] = "Never".into();
    let object = json!({"metadata": {"name": app}, "spec": {"template": template}});
    line.bed.cp.client().create(JOBS, &object).unwrap();
}

/// Nothing new goes to these nodes, or it may again.
fn cordon(line: &Line, nodes: &[usize], verb: &str) {
    let names = nodes.iter().map(|node| line.names[*node].as_str());
    line.bed.cp.kubectl(&[verb].into_iter().chain(names).collect::<Vec<_>>()).unwrap();
}

/// Who of those that must be alone may be running at each moment, as far as anybody outside the nodes can know.
///
/// A pod runs from the moment that it is on a node. That ends when its kubelet says so: the phase is a last one, or the
/// object is gone. The kubelet of a node whose power is cut says nothing any more, so whatever is written there is
/// written by others, and the pod counts as running until somebody has said that the node is off and stays off.
fn check_never_two(changes: &[Change], cut: &Cut<'_>) {
    let mut running: BTreeMap<&str, BTreeSet<(String, String)>> = BTreeMap::new();
    for Change { object, version, is_gone } in changes {
        let Some(app) = object["metadata"]["labels"]["app"].as_str() else { continue };
        let Some(node) = object["spec"]["nodeName"].as_str().filter(|_| ALONE.contains(&app)) else {
            continue;
        };
        let of_app = running.entry(app).or_default();
        if *version > cut.fenced {
            of_app.retain(|(_, node)| node != cut.node);
        }
        let pod = (object["metadata"]["uid"].as_str().unwrap().to_owned(), node.to_owned());
        let has_ended =
            *is_gone || ["Succeeded", "Failed"].iter().any(|phase| object["status"]["phase"] == **phase);
        let is_off = node == cut.node && *version > cut.fenced;
        if !has_ended && !is_off {
            of_app.insert(pod);
        } else if node != cut.node {
            of_app.remove(&pod);
        }
        assert!(of_app.len() < 2, "two of {app} at version {version}: {of_app:?}");
    }
}

#[test]
fn who_must_be_alone_stays_on_a_lost_node_until_it_is_fenced() {
    let line = Line::start(4);
    let history = History::begin(line.bed.cp.client(), PODS);
    let victim = line.index("edge-2");
    cordon(&line, &line.others(&[victim]), "cordon");
    create_claim(&line);
    line.deploy_stateful("db", None);
    deploy(&line, "store", Some(CLAIM));
    deploy(&line, "web", None);
    line.bed.create(&PodSpec { labels: json!({"app": "single"}), ..PodSpec::new("single") });
    for app in ["db", "store", "web", "single"] {
        line.placed(app, 1, |node| node == "edge-2");
    }
    // The pods of Jobs run to their end at once, where there is power.
    line.bed.cp.fail_node("edge-2").unwrap();
    run_job(&line, "batch");
    line.placed("batch", 1, |node| node == "edge-2");
    cordon(&line, &line.others(&[victim]), "uncordon");
    let before: Vec<_> = ALONE.iter().map(|app| line.live(app)).collect();

    line.renewed_before_it_is_missed("edge-2");
    line.miss(&line.others(&[victim]), &[victim]);
    line.told("edge-2", "NodeLost");
    line.placed("web", 1, |node| node != "edge-2");
    let after: Vec<_> = ALONE.iter().map(|app| line.live(app)).collect();
    assert_eq!(after, before, "they may still run there");

    // Somebody has pulled the plug. Whatever is written from now on is after that.
    let lease = line.bed.cp.client().get(&format!("{LEASES}/edge-2")).unwrap();
    let said = json!({"metadata": {"annotations": {FENCED: lease["metadata"]["resourceVersion"]}}});
    let node = line.bed.cp.client().merge("/api/v1/nodes/edge-2", &said).unwrap();
    for app in ["db", "store"] {
        line.placed(app, 1, |node| node != "edge-2");
    }
    line.wait("the Job to end elsewhere", || {
        let job = line.bed.cp.client().get(&format!("{JOBS}/batch")).unwrap();
        (job["status"]["succeeded"] == 1).then_some(())
    });
    // Nobody makes another one of it.
    line.wait("the single pod to be gone", || line.live("single").is_empty().then_some(()));
    line.told("edge-2", "NodeFenced");
    let node_now = line.bed.cp.client().get("/api/v1/nodes/edge-2").unwrap();
    let is_ours = |taint: &Value| {
        taint["key"] == "node.kubernetes.io/out-of-service" && taint["value"] == "edge-scheduler"
    };
    assert!(node_now["spec"]["taints"].as_array().unwrap().iter().any(is_ours), "{node_now}");
    check_never_two(&history.end(), &Cut { node: "edge-2", fenced: version(&node) });
    line.bed.check_permissions(&["edge-scheduler: patch nodes"]);
}
