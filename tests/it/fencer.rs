//! Who may say of a node that it is off and stays off.

use controlplane::{Client, FakeNode, Options};
use serde_json::{Value, json};

use crate::bed::{ACCOUNT, Bed};

const NODES: &str = "/api/v1/nodes";
const USER: &str = "power-switch";
const REFUSED: &str = "written by who has the permission `fence` on nodes.kubectl-edge.dev";

/// Writes the annotation of a node; none takes it away.
fn say(client: &Client, node: &str, word: Option<&str>) -> Result<Value, String> {
    let patch = json!({"metadata": {"annotations": {"kubectl-edge.dev/fenced": word}}});
    client.merge(&format!("{NODES}/{node}"), &patch).map_err(|error| error.to_string())
}

#[test]
fn a_node_is_fenced_by_who_may_fence_nodes_and_not_by_who_may_patch_them() {
    let options = Options::default().user(ACCOUNT, &[]).user(USER, &[]);
    let bed = Bed::with(options, &["edge-1", "edge-2"].map(FakeNode::new));
    bed.install();
    let rules =
        json!([{"apiGroups": [""], "resources": ["nodes", "nodes/status"], "verbs": ["get", "patch"]}]);
    let subject = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER});
    bed.make_role("patches-nodes", &rules);
    bed.bind_role("patches-nodes", "patches-nodes", &subject);
    let user = bed.cp.client_of(USER).unwrap();

    // The API server heeds new roles and policies a moment later.
    let node = |name: &str| format!("{NODES}/{name}");
    let label = json!({"metadata": {"labels": {"rack": "a"}}});
    bed.wait("the user to patch a node", || user.merge(&node("edge-1"), &label).ok());
    bed.wait("the policy to refuse", || {
        say(&user, "edge-1", Some("1")).err()?.contains(REFUSED).then_some(())
    });
    let annotations = json!({"metadata": {"annotations": {"kubectl-edge.dev/fenced": "1"}}});
    let of_status = user.merge(&format!("{}/status", node("edge-1")), &annotations).unwrap_err().to_string();
    assert!(of_status.contains(REFUSED), "{of_status}");

    // Who administers fences; others may go on with what they do to that node, and take the word back.
    say(bed.cp.client(), "edge-1", Some("1")).unwrap();
    user.merge(&node("edge-1"), &json!({"metadata": {"labels": {"rack": "b"}}})).unwrap();
    assert!(say(&user, "edge-1", Some("2")).unwrap_err().contains(REFUSED));
    say(&user, "edge-1", None).unwrap();

    bed.bind_role("fences-nodes", "edge-fencer", &subject);
    bed.wait("the fencer to be let", || say(&user, "edge-2", Some("1")).ok());
}
