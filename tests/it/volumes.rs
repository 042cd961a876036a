//! Claims get their volumes, by the controllers of a real control plane, and then their pods are bound.

use controlplane::{Component, FakeNode, Options};
use serde_json::{Value, json};

use crate::bed::{Bed, PODS, PodSpec};

const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";
const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";

/// Two nodes, the controllers of volumes, and classes whose claims wait for their first pod.
fn bed() -> Bed {
    let nodes = ["edge-1", "edge-2"].map(|name| FakeNode::new(name).label("site", name));
    let options = Options { controller_manager: true, ..Options::default() };
    let controllers = "--controllers=persistentvolume-binder-controller,ephemeral-volume-controller";
    let mut bed = Bed::with(options.flag(Component::ControllerManager, controllers), &nodes);
    bed.write_delays(&["edge-1"], &[&[0.0]]);
    for (name, provisioner) in [("local", "kubernetes.io/no-provisioner"), ("made", "csi.example.com")] {
        let class = json!({"metadata": {"name": name}, "provisioner": provisioner,
            "volumeBindingMode": "WaitForFirstConsumer"});
        bed.cp.client().create(CLASSES, &class).unwrap();
    }
    bed.start_scheduler();
    bed
}

fn create_claim(bed: &Bed, name: &str, class: &str) {
    let claim = json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"],
        "storageClassName": class, "resources": {"requests": {"storage": "1Gi"}}}});
    bed.cp.client().create(CLAIMS, &claim).unwrap();
}

/// A volume that one node reaches.
fn volume(name: &str, class: &str, node: &str) -> Value {
    let term = json!({"matchExpressions": [{"key": "site", "operator": "In", "values": [node]}]});
    json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class,
        "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/data"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}})
}

/// Creates a volume and waits until the controller says that it is free.
fn create_volume(bed: &Bed, name: &str, class: &str, node: &str) {
    bed.cp.client().create(VOLUMES, &volume(name, class, node)).unwrap();
    bed.wait("the volume to be free", || {
        let volume = bed.cp.client().get(&format!("{VOLUMES}/{name}")).unwrap();
        (volume["status"]["phase"] == "Available").then_some(())
    });
}

fn create_pod(bed: &Bed, name: &str, source: Value) {
    let mut pod = PodSpec::new(name).json();
    let mut volume = source;
    volume["name"] = "data".into();
    pod["spec"]["volumes"] = json!([volume]);
    bed.cp.client().create(PODS, &pod).unwrap();
}

fn using(claim: &str) -> Value {
    json!({"persistentVolumeClaim": {"claimName": claim}})
}

fn phase_of(bed: &Bed, claim: &str) -> Value {
    bed.cp.client().get(&format!("{CLAIMS}/{claim}")).unwrap()["status"]["phase"].clone()
}

#[test]
fn a_claim_that_waits_for_its_pod_is_bound_and_then_the_pod() {
    let bed = bed();
    create_volume(&bed, "disk-2", "local", "edge-2");
    create_claim(&bed, "data", "local");
    create_pod(&bed, "web", using("data"));
    assert_eq!(bed.node_of("web"), "edge-2");
    assert_eq!(phase_of(&bed, "data"), "Bound");
    let disk = bed.cp.client().get(&format!("{VOLUMES}/disk-2")).unwrap();
    assert_eq!(disk["spec"]["claimRef"]["name"], "data");
    assert_eq!(disk["metadata"]["annotations"]["pv.kubernetes.io/bound-by-controller"], "yes");

    // There is no other volume, until there is.
    create_claim(&bed, "more", "local");
    create_pod(&bed, "db", using("more"));
    let message = bed.reason_of("db", |message| message.contains("volumes"));
    assert_eq!(
        message,
        "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind."
    );
    bed.cp.client().create(VOLUMES, &volume("disk-1", "local", "edge-1")).unwrap();
    assert_eq!(bed.node_of("db"), "edge-1");
}

#[test]
fn a_claim_whose_volume_is_made_is_told_where() {
    let bed = bed();
    create_claim(&bed, "data", "made");
    create_pod(&bed, "web", using("data"));
    let selected = bed.wait("a node to be selected", || {
        let claim = bed.cp.client().get(&format!("{CLAIMS}/data")).unwrap();
        claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"].as_str().map(ToOwned::to_owned)
    });
    assert!(bed.pod("web")["spec"]["nodeName"].is_null());
    // The provisioner makes it.
    let mut made = volume("made-1", "made", &selected);
    made["spec"]["claimRef"] = json!({"namespace": "default", "name": "data"});
    bed.cp.client().create(VOLUMES, &made).unwrap();
    assert_eq!(bed.node_of("web"), selected);
    assert_eq!(phase_of(&bed, "data"), "Bound");
}

#[test]
fn a_pod_waits_for_what_the_controllers_do() {
    let bed = bed();
    create_claim(&bed, "now", "");
    create_pod(&bed, "web", using("now"));
    let message = bed.reason_of("web", |message| message.contains("PersistentVolumeClaims"));
    assert_eq!(message, "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
    bed.cp.client().create(VOLUMES, &volume("disk-1", "", "edge-1")).unwrap();
    assert_eq!(bed.node_of("web"), "edge-1");

    create_volume(&bed, "disk-2", "local", "edge-2");
    let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "local",
        "resources": {"requests": {"storage": "1Gi"}}});
    create_pod(&bed, "tmp", json!({"ephemeral": {"volumeClaimTemplate": {"spec": spec}}}));
    assert_eq!(bed.node_of("tmp"), "edge-2");
    assert_eq!(phase_of(&bed, "tmp-data"), "Bound");
}
