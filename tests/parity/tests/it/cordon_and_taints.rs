//! NodeUnschedulable and TaintToleration.

use parity::{ClusterState, Pod, node, pod, state};

use crate::support::check;

const CORDON: &str = "node.kubernetes.io/unschedulable";
const CORDONED: &str = "0/1 nodes are available: 1 node(s) were unschedulable.";
const TAINTED: &str = "0/1 nodes are available: 1 node(s) had untolerated taint(s).";

#[test]
fn a_cordoned_node() {
    let on = |pod: Pod| state([node("a").cordoned()]).pod(pod);
    check("takes no pod", on(pod()), CORDONED);
    check("takes one that tolerates it", on(pod().tolerate(CORDON, None, "NoSchedule")), "a");
    check("takes one that tolerates any effect of it", on(pod().tolerate(CORDON, Some(""), "")), "a");
    check("takes one that tolerates everything", on(pod().tolerate("", None, "")), "a");
    let (other_value, other_effect) =
        (pod().tolerate(CORDON, Some("true"), ""), pod().tolerate(CORDON, None, "NoExecute"));
    check("takes none that tolerates another value", on(other_value), CORDONED);
    check("takes none that tolerates another effect", on(other_effect), CORDONED);
    let two = state([node("a").cordoned(), node("b")]);
    check("leaves the pod to another node", two, "b");
}

#[test]
fn a_hard_taint() {
    let on = |effect: &str, pod: Pod| state([node("a").taint("gpu", "yes", effect)]).pod(pod);
    check("keeps pods off", on("NoSchedule", pod()), TAINTED);
    check("keeps pods off when it evicts them too", on("NoExecute", pod()), TAINTED);
    let same = pod().tolerate("gpu", Some("yes"), "NoSchedule");
    check("admits a pod that tolerates it", on("NoSchedule", same.clone()), "a");
    check("keeps off one that tolerates another effect", on("NoExecute", same), TAINTED);
    let any_effect = pod().tolerate("gpu", Some("yes"), "");
    check("admits one that tolerates every effect", on("NoExecute", any_effect), "a");
    check("keeps off another value", on("NoSchedule", pod().tolerate("gpu", Some("no"), "")), TAINTED);
    check("keeps off another key", on("NoSchedule", pod().tolerate("cpu", None, "")), TAINTED);
    check("admits one that tolerates any value", on("NoSchedule", pod().tolerate("gpu", None, "")), "a");
    check("admits one that tolerates everything", on("NoSchedule", pod().tolerate("", None, "")), "a");
    let mut short = pod();
    short.0["spec"]["tolerations"] = serde_json::json!([
        {"key": "gpu", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 0},
    ]);
    check("admits one that tolerates it no longer than for a moment", on("NoExecute", short), "a");
    let effect_only = pod().tolerate("", None, "NoSchedule");
    check("keeps off one that tolerates all of another effect", on("NoExecute", effect_only), TAINTED);
}

#[test]
fn several_hard_taints() {
    let tainted = node("a").taint("gpu", "", "NoSchedule").taint("disk", "", "NoExecute");
    let one = pod().tolerate("gpu", None, "");
    check("must all be tolerated", state([tainted.clone()]).pod(one.clone()), TAINTED);
    check("may be tolerated one by one", state([tainted]).pod(one.tolerate("disk", None, "")), "a");
}

#[test]
fn a_soft_taint() {
    let tainted = node("a").taint("old", "", "PreferNoSchedule").allocatable("cpu", "64");
    let clean = || node("b");
    let both = |pod: Pod| -> ClusterState { state([tainted.clone(), clean()]).pod(pod) };
    check("makes a node less wanted than its room makes it wanted", both(pod()), "b");
    check("does not keep pods off", state([tainted.clone()]), "a");
    let tolerant = pod().tolerate("old", None, "PreferNoSchedule").request("cpu", "2");
    check("does not matter to a pod that tolerates it", both(tolerant), "a");
    let other_effect = pod().tolerate("old", None, "NoSchedule").request("cpu", "2");
    check("matters to one that tolerates another effect", both(other_effect), "b");
    let twice = node("b").taint("old", "", "PreferNoSchedule").taint("slow", "", "PreferNoSchedule");
    check("is better than two of them", state([tainted.clone(), twice]), "a");
    let hard = node("b").taint("gpu", "", "NoSchedule").taint("disk", "", "NoExecute");
    let tolerates_hard = pod().tolerate("gpu", None, "").tolerate("disk", None, "");
    check("is worse than two tolerated hard ones", state([tainted.clone(), hard]).pod(tolerates_hard), "b");
}
