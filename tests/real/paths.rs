//! What the installed scheduler is asked to do, so that it goes the paths that its permissions are for.

use controlplane::{ControlPlane, Error, NODE_IMAGE, wait_for};
use serde_json::{Value, json};
use std::process::Command;

use crate::image::run;
use crate::installed::SOON;

const PODS: &str = "/api/v1/namespaces/default/pods";

/// A pod for the installed scheduler; `spec` is merged into its spec.
fn pod(name: &str, labels: &Value, spec: &Value) -> Value {
    let container = json!({"name": "main", "image": NODE_IMAGE});
    let mut all = json!({"schedulerName": "edge-scheduler", "containers": [container]});
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({"metadata": {"name": name, "labels": labels}, "spec": all})
}

fn create(cluster: &ControlPlane, path: &str, object: &Value) {
    cluster.client().create(path, object).unwrap();
}

/// At most 100 ms from this node.
pub(crate) fn near(cluster: &ControlPlane, name: &str, node: &str) {
    let labels = json!({format!("delay_{node}"): "100"});
    create(cluster, PODS, &pod(name, &labels, &json!({})));
}

/// A pod that waits for an anchor that is not there, and is told so.
pub(crate) fn waiting(cluster: &ControlPlane, name: &str) {
    create(cluster, PODS, &pod(name, &json!({"delay_nobody": "5"}), &json!({})));
}

/// Has a waiting pod judged once more.
pub(crate) fn touch(cluster: &ControlPlane, name: &str, mark: usize) {
    let labels = json!({"metadata": {"labels": {"mark": mark.to_string()}}});
    cluster.client().merge(&format!("{PODS}/{name}"), &labels).unwrap();
}

/// A pod that fills its node.
pub(crate) fn filling(cluster: &ControlPlane, name: &str, node: &str, milli_cpu: u64) {
    create(cluster, PODS, &pod(name, &json!({}), &large(node, milli_cpu)));
}

/// A pod of high priority for a node that is full, so that another one has to go.
pub(crate) fn urgent(cluster: &ControlPlane, name: &str, node: &str, milli_cpu: u64) {
    let class = json!({"metadata": {"name": "urgent"}, "value": 1000});
    create(cluster, "/apis/scheduling.k8s.io/v1/priorityclasses", &class);
    let mut spec = large(node, milli_cpu);
    spec["priorityClassName"] = "urgent".into();
    let pod = pod(name, &json!({}), &spec);
    // The API server admits by a cache of its own, to which the class comes a moment later.
    let created = wait_for("the class to be known", SOON, || match cluster.client().create(PODS, &pod) {
        Err(Error::Refused { status: 403, .. }) => Ok(None),
        other => other.map(Some),
    });
    created.unwrap();
}

fn large(node: &str, milli_cpu: u64) -> Value {
    let requests = json!({"cpu": format!("{milli_cpu}m")});
    let container = json!({"name": "main", "image": NODE_IMAGE, "resources": {"requests": requests}});
    json!({"nodeSelector": {"kubernetes.io/hostname": node}, "containers": [container]})
}

/// A pod whose claim takes a volume that is there, and one whose claim waits for a volume to be made.
pub(crate) fn with_volumes(cluster: &ControlPlane) {
    let volume = json!({
        "metadata": {"name": "there"},
        "spec": {
            "storageClassName": "there",
            "capacity": {"storage": "1Mi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/run"},
        },
    });
    create(cluster, "/api/v1/persistentvolumes", &volume);
    for (class, provisioner) in [("there", "kubernetes.io/no-provisioner"), ("made", "example.com/nobody")] {
        let object = json!({
            "metadata": {"name": class},
            "provisioner": provisioner,
            "volumeBindingMode": "WaitForFirstConsumer",
        });
        create(cluster, "/apis/storage.k8s.io/v1/storageclasses", &object);
        let claim = json!({
            "metadata": {"name": class},
            "spec": {
                "storageClassName": class,
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Mi"}},
            },
        });
        create(cluster, "/api/v1/namespaces/default/persistentvolumeclaims", &claim);
        let volumes = json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": class}}]});
        create(cluster, PODS, &pod(&format!("with-{class}"), &json!({}), &volumes));
    }
}

/// The token of an account that may read metrics, as a monitoring system has one.
pub(crate) fn scraper(cluster: &ControlPlane) -> String {
    let kubectl = |args: &[&str]| cluster.kubectl(args).unwrap();
    kubectl(&["create", "serviceaccount", "scraper"]);
    kubectl(&["create", "clusterrole", "scraper", "--verb=get", "--non-resource-url=/metrics"]);
    let binding = ["create", "clusterrolebinding", "scraper", "--clusterrole=scraper"];
    kubectl(&[&binding[..], &["--serviceaccount=default:scraper"]].concat());
    kubectl(&["create", "token", "scraper"]).trim().to_owned()
}

/// A scheduler's metrics.
pub(crate) fn scrape(address: &str, token: &str) -> String {
    let mut read = Command::new("kubectl");
    read.env("KUBECONFIG", "/dev/null")
        .arg(format!("--server=https://{address}:10259"))
        .arg(format!("--token={token}"))
        .args(["--insecure-skip-tls-verify", "get", "--raw", "/metrics"]);
    run(&mut read)
}
