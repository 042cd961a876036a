//! Nodes, field by field.

use crate::model::{Bytes, MilliCpu, Node, Resources, TaintEffect, Version};

use super::read_node;

const FULL: &str = r#"{
  "apiVersion": "v1", "kind": "Node",
  "metadata": {"name": "edge-1", "uid": "77", "resourceVersion": "12", "labels": {"kubernetes.io/role": "cloud"},
    "annotations": {"node.alpha.kubernetes.io/ttl": "0"}, "managedFields": [{"manager": "kubelet"}]},
  "spec": {"podCIDR": "10.1.0.0/24", "unschedulable": true,
    "taints": [{"key": "a", "value": "b", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}, {"key": "c", "effect": "NoSchedule"}]},
  "status": {
    "capacity": {"cpu": "8", "memory": "32Gi", "pods": "110"},
    "allocatable": {"cpu": "7910m", "memory": "31457280Ki", "ephemeral-storage": "47093746742", "pods": "110",
      "hugepages-2Mi": "0", "example.com/gpu": "2", "attachable-volumes-csi-x": "39", "nonsense": "3"},
    "conditions": [{"type": "Ready", "status": "True"}],
    "images": [{"names": ["web@sha256:1", "web:1.2"], "sizeBytes": 1234}, {"names": null}],
    "nodeInfo": {"kubeletVersion": "v1.36.3"}
  }
}"#;

#[test]
fn a_node_of_the_api_server_is_read() {
    let node = read_node(FULL).unwrap();
    assert_eq!((node.name.as_str(), &*node.uid, node.version), ("edge-1", "77", Version(12)));
    assert_eq!(node.labels.get("kubernetes.io/role"), Some("cloud"));
    let taints: Vec<_> = node.taints.iter().map(|it| (&*it.key, &*it.value, it.effect)).collect();
    assert_eq!(taints, [("a", "b", TaintEffect::NoExecute), ("c", "", TaintEffect::NoSchedule)]);
    assert!(node.unschedulable);
    let expected = Resources {
        cpu: MilliCpu(7910),
        memory: Bytes(31_457_280 * 1024),
        ephemeral_storage: Bytes(47_093_746_742),
        scalars: vec![
            ("attachable-volumes-csi-x".into(), 39),
            ("example.com/gpu".into(), 2),
            ("hugepages-2Mi".into(), 0),
        ],
    };
    assert_eq!(node.allocatable, expected);
    assert_eq!(node.allowed_pods, 110);
    let images: Vec<_> = node.images.iter().map(|image| (image.names.len(), image.size)).collect();
    assert_eq!(images, [(2, 1234), (0, 0)]);
}

#[test]
fn what_a_node_leaves_out_is_what_the_api_server_makes_of_it() {
    assert_eq!(read_node(r#"{"metadata": {"name": "n"}}"#).unwrap(), Node::named("n"));
    let node =
        read_node(r#"{"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "4", "pods": "10"}}}"#);
    let node = node.unwrap();
    assert_eq!((node.allocatable.cpu, node.allowed_pods), (MilliCpu(4000), 10));
}

#[test]
fn amounts_are_rounded_up_and_too_large_ones_stay_large() {
    let node = read_node(
        r#"{"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "100u", "memory": "1500m", "pods": 10.5, "ephemeral-storage": "100E"}}}"#,
    );
    let node = node.unwrap();
    assert_eq!(
        (node.allocatable.cpu, node.allocatable.memory, node.allowed_pods),
        (MilliCpu(1), Bytes(2), 11)
    );
    assert_eq!(node.allocatable.ephemeral_storage, Bytes(i64::MAX));
}

#[track_caller]
fn check_error(rest: &str, expected: &str) {
    let error = read_node(&format!(r#"{{"metadata": {{"name": "n"}}, {rest}}}"#)).unwrap_err();
    assert_eq!(error, format!("node n: {expected}"));
}

#[test]
fn an_error_names_the_object_the_field_and_the_fix() {
    check_error(
        r#""status": {"allocatable": {"memory": "8 GB"}}"#,
        r#"status.allocatable.memory is "8 GB"; write a decimal number with a suffix such as m, k, Mi, Gi or e3"#,
    );
    check_error(
        r#""status": {"capacity": {"pods": -1}}"#,
        r#"status.capacity.pods is "-1"; an amount must be 0 or more"#,
    );
    check_error(
        r#""spec": {"taints": [{"key": "a"}]}"#,
        r#"spec.taints[0].effect is ""; it must be one of NoSchedule, PreferNoSchedule, NoExecute"#,
    );
    assert_eq!(read_node("{}").unwrap_err(), "node (unnamed): metadata.name is missing; every object has it");
}
