//! `label-cloud` and `label-dpdk`, and `kubectl label` beside them.

use serde_json::json;

use crate::bed::{Bed, Said};

#[test]
fn nodes_are_labelled_by_kubectl_s_rules() {
    let bed = Bed::get();
    for name in ["lab-1", "lab-2", "lab-3"] {
        bed.add_node(name, &json!({"set": "lab"}), &json!({"cpu": "1"}));
    }
    let check = |args: &[&str], code: i32, out: &str, err: &str| {
        let said = bed.says(args);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(code), out, err), "{args:?}");
    };
    check(&["label-cloud", "lab-1", "--dry-run=client"], 0, "node/lab-1 labeled (dry run)\n", "");
    check(&["label-cloud", "lab-1", "--dry-run=server"], 0, "node/lab-1 labeled (server dry run)\n", "");
    assert_eq!(bed.node_labels("lab-1")["kubernetes.io/role"], json!(null));
    check(&["label-cloud", "lab-1", "node/lab-2"], 0, "node/lab-1 labeled\nnode/lab-2 labeled\n", "");
    check(&["label-cloud", "lab-1"], 0, "node/lab-1 not labeled\n", "");
    assert_eq!(bed.node_labels("lab-2")["kubernetes.io/role"], "cloud");
    let listed = "NAME    LABEL\nlab-1   kubernetes.io/role=cloud\nlab-2   kubernetes.io/role=cloud\n";
    check(&["label-cloud", "--list", "-l", "set=lab"], 0, listed, "");
    check(&["label-cloud", "--remove", "lab-2", "-o", "name"], 0, "node/lab-2\n", "");
    let absent = "node/lab-2 not labeled   label \"kubernetes.io/role\" not found\n";
    check(&["label-cloud", "--remove", "lab-2"], 0, absent, "");
    // One bad name does not stop the rest.
    let gone = "error: nodes \"lab-9\" not found\n";
    check(&["label-cloud", "lab-9", "lab-3"], 1, "node/lab-3 labeled\n", gone);
    let conflict =
        "error: node lab-1: 'kubernetes.io/role' already has a value (edge), and --overwrite is false\n";
    bed.cp.kubectl(&["label", "node", "lab-1", "kubernetes.io/role=edge", "--overwrite"]).unwrap();
    check(&["label-cloud", "lab-1"], 1, "", conflict);
    check(&["label-cloud", "lab-1", "--overwrite"], 0, "node/lab-1 labeled\n", "");
}

#[test]
fn labels_are_the_plugin_s_own_in_managed_fields() {
    let bed = Bed::get();
    let file = tempfile::NamedTempFile::new().unwrap();
    let node =
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "managed-1", "labels": {"a": "b"}}});
    std::fs::write(&file, node.to_string()).unwrap();
    bed.cp.kubectl(&["create", "-f", file.path().to_str().unwrap()]).unwrap();
    bed.says(&["label-cloud", "managed-1"]);
    let node = bed.cp.client().get("/api/v1/nodes/managed-1").unwrap();
    let managers = node["metadata"]["managedFields"].as_array().unwrap_or_else(|| panic!("{node}"));
    let ours = managers.iter().find(|it| it["manager"] == "kubectl-edge").unwrap();
    assert!(ours["fieldsV1"]["f:metadata"]["f:labels"]["f:kubernetes.io/role"].is_object(), "{ours}");
}

#[test]
fn nodes_with_dpdk_are_found() {
    let bed = Bed::get();
    let pages = json!({"cpu": "1", "hugepages-1Gi": "8Gi"});
    let both = json!({"cpu": "1", "hugepages-1Gi": "8Gi", "intel.com/dpdk": "2"});
    bed.add_node("dpdk-1", &json!({"set": "dpdk"}), &both);
    bed.add_node("dpdk-2", &json!({"set": "dpdk"}), &pages);
    bed.add_node("dpdk-3", &json!({"set": "dpdk"}), &json!({"cpu": "1"}));
    let said = bed.says(&["label-dpdk", "--detect", "-l", "set=dpdk"]);
    let expected = "node/dpdk-1 labeled   hugepages-1Gi=8Gi, intel.com/dpdk=2\n\
                    node/dpdk-2 skipped   huge pages, but no DPDK, SR-IOV or VFIO device\n";
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), expected, ""));
    assert_eq!(bed.node_labels("dpdk-1")["agent-mode"], "dpdk");
}

#[test]
fn what_is_forbidden_is_said_in_a_line() {
    let bed = Bed::get();
    bed.add_node("forbidden-1", &json!({}), &json!({"cpu": "1"}));
    let config = bed.cp.kubeconfig_of("nobody").unwrap();
    let said =
        Said::of(&bed.plugin(&["label-cloud", "forbidden-1"]).env("KUBECONFIG", config).output().unwrap());
    let expected = "error: nodes \"forbidden-1\" is forbidden: User \"nobody\" cannot get resource \"nodes\" in API \
                    group \"\" at the cluster scope\nhint: ask for this permission, or choose another user by --user or --as\n";
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(1), "", expected));
}
