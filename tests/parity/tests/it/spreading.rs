//! PodTopologySpread.

use parity::object::{replica_set, replication_controller, service, stateful_set};
use parity::pod::{on_label, spread};
use parity::{ClusterState, Pod, node, pod, state};
use serde_json::{Value, json};

use crate::support::check;

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";
const UNEVEN: &str = "node(s) didn't match pod topology spread constraints";
const NO_LABEL: &str = "node(s) didn't match pod topology spread constraints (missing required label)";

/// Nodes a and b in zone east, c in zone west, d in zone north.
fn zones() -> ClusterState {
    let zone = |name, zone| node(name).label(ZONE, zone);
    state([zone("a", "east"), zone("b", "east"), zone("c", "west"), zone("d", "north")])
}

fn web() -> Pod {
    pod().label("app", "web")
}

fn hard(max_skew: u32, topology: &str) -> Value {
    spread(max_skew, topology, "DoNotSchedule", &[("app", "web")])
}

fn soft(max_skew: u32, topology: &str) -> Value {
    spread(max_skew, topology, "ScheduleAnyway", &[("app", "web")])
}

fn with(mut constraint: Value, field: &str, value: Value) -> Value {
    constraint[field] = value;
    constraint
}

/// The state with one such pod on each of these nodes.
fn on(state: ClusterState, nodes: &[&str], pod: &Pod) -> ClusterState {
    nodes.iter().fold(state, |state, node| state.placed(node, pod.clone()))
}

/// What is said where nodes are rejected for these reasons.
fn said(reasons: &[(usize, &str)]) -> String {
    let all: usize = reasons.iter().map(|(count, _)| count).sum();
    let reasons: Vec<String> = reasons.iter().map(|(count, reason)| format!("{count} {reason}")).collect();
    format!("0/{all} nodes are available: {}.", reasons.join(", "))
}

#[test]
fn hard_constraints() {
    let even = || web().spread(hard(1, ZONE));
    check("fill the emptiest domain", on(zones(), &["a", "c"], &web()).pod(even()), "d");
    check("fill any domain where all are even", on(zones(), &["a", "c", "d"], &web()).pod(even()), "b");
    check("allow the skew", on(zones(), &["a", "c"], &web()).pod(web().spread(hard(2, ZONE))), "b d");
    let narrow = on(zones(), &["a", "c"], &web()).pod(even().require(on_label(HOST, "In", &["a", "c"])));
    check("count the domains that the pod may be in", narrow.clone(), "a c");
    let ignored = with(hard(1, ZONE), "nodeAffinityPolicy", "Ignore".into());
    let all = on(zones(), &["a", "c"], &web()).pod(web().spread(ignored).select(ZONE, "east"));
    let reasons = said(&[(2, "node(s) didn't match Pod's node affinity/selector"), (2, UNEVEN)]);
    check("count others as well if the policy says so", all, &reasons);
    let both = web().spread(hard(1, ZONE)).spread(hard(1, HOST));
    check("hold together", on(zones(), &["a", "a", "b", "c", "d"], &web()).pod(both), "c d");
    let other = pod().spread(hard(1, ZONE));
    check("let a pod in that does not count itself", on(zones(), &["a", "c"], &web()).pod(other), "b d");
}

#[test]
fn nodes_outside_of_all_domains() {
    let state = || {
        let ClusterState { mut nodes, .. } = zones();
        nodes.push(node("e"));
        state(nodes)
    };
    let even = web().spread(hard(1, ZONE));
    check("are rejected", state().pod(even.clone().select(HOST, "e")), &{
        said(&[(1, NO_LABEL), (4, "node(s) didn't match Pod's node affinity/selector")])
    });
    check("count for no constraint", on(state(), &["a", "c", "d", "e"], &web()).pod(even), "b");
    let soft = web().spread(soft(1, ZONE)).request("cpu", "1");
    check("score least where the spread is preferred", on(state(), &["a", "c", "d"], &web()).pod(soft), "b");
}

#[test]
fn the_least_number_of_domains() {
    let at_least = |least: u32| web().spread(with(hard(1, ZONE), "minDomains", least.into()));
    check("is met", on(zones(), &["a", "c", "d"], &web()).pod(at_least(3)), "b");
    let reasons = said(&[(4, UNEVEN)]);
    check(
        "is not met, so the emptiest has none",
        on(zones(), &["a", "c", "d"], &web()).pod(at_least(4)),
        &reasons,
    );
    check("is not met, and one is empty", on(zones(), &["a", "c"], &web()).pod(at_least(4)), "d");
}

#[test]
fn taints() {
    let tainted = || {
        let ClusterState { mut nodes, .. } = zones();
        nodes[3] = nodes[3].clone().taint("gpu", "", "NoSchedule");
        on(state(nodes), &["a", "c"], &web())
    };
    let reasons = said(&[(1, "node(s) had untolerated taint(s)"), (3, UNEVEN)]);
    check("are ignored, so the empty domain counts", tainted().pod(web().spread(hard(1, ZONE))), &reasons);
    let honors = || web().spread(with(hard(1, ZONE), "nodeTaintsPolicy", "Honor".into()));
    check("are honored", tainted().pod(honors().request("cpu", "1")), "b");
    let tolerates = honors().tolerate("gpu", None, "");
    check("are honored and tolerated", tainted().pod(tolerates), "d");
    let preferred = {
        let ClusterState { mut nodes, .. } = zones();
        nodes[3] = nodes[3].clone().taint("gpu", "", "PreferNoSchedule").cordoned();
        on(state(nodes), &["a", "c"], &web())
    };
    let reasons = said(&[(1, "node(s) were unschedulable"), (3, UNEVEN)]);
    check("that do not keep off are no matter", preferred.pod(honors()), &reasons);
}

#[test]
fn pods_that_count() {
    let even = || web().spread(hard(1, ZONE));
    let mut ending = web();
    ending.0["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    check("are not ending", on(zones(), &["a", "c"], &ending).pod(even().select(HOST, "a")), "a");
    let elsewhere = web().in_namespace("shop");
    check("are of the namespace", on(zones(), &["a", "c"], &elsewhere).pod(even().select(HOST, "a")), "a");
    let other = pod().label("app", "db");
    check("are selected", on(zones(), &["a", "c"], &other).pod(even().select(HOST, "a")), "a");
    let all = |selector: Value| {
        let constraint = with(hard(1, ZONE), "labelSelector", selector);
        on(zones(), &["a", "a", "c"], &web()).pod(web().spread(constraint).request("cpu", "1"))
    };
    check("are none by an empty selector", all(json!({})), "b d");
    check("are none without a selector", all(Value::Null), "b d");
    let not_db = json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["db"]}]});
    check("may be selected by what they are not", all(not_db), "d");
}

#[test]
fn labels_of_the_pod_itself() {
    let version = |name: &str| web().label("version", name);
    let state = || on(on(zones(), &["a", "c"], &version("1")), &["d"], &version("2"));
    let keyed = || with(hard(1, ZONE), "matchLabelKeys", json!(["version", "none"]));
    check("narrow the selector", state().pod(version("1").spread(keyed())), "d");
    check("narrow it for another", state().pod(version("2").spread(keyed()).select(HOST, "a")), "a");
    check("narrow nothing that the pod has not", state().pod(web().spread(keyed()).select(HOST, "a")), "a");
    let empty = with(keyed(), "labelSelector", json!({}));
    check("make an empty selector one", state().pod(version("1").spread(empty)), "d");
}

#[test]
fn soft_constraints() {
    let even = || web().spread(soft(1, ZONE)).request("cpu", "1");
    check("prefer the emptiest domain", on(zones(), &["a", "c"], &web()).pod(even()), "d");
    check("prefer no domain where all are even", on(zones(), &["a", "c", "d"], &web()).pod(even()), "b");
    let wide = || web().spread(soft(5, ZONE)).request("cpu", "1");
    check("prefer it less with more skew", on(zones(), &["a", "c"], &web()).pod(wide()), "d");
    let both = web().spread(soft(1, ZONE)).spread(soft(1, HOST)).request("cpu", "1");
    check("add up", on(zones(), &["a", "c", "d"], &web()).pod(both), "b");
    let taints = with(soft(1, ZONE), "nodeTaintsPolicy", "Honor".into());
    check("may honor taints", on(zones(), &["a", "c"], &web()).pod(web().spread(taints)), "d");
    let mixed = web().spread(soft(1, HOST)).spread(hard(1, ZONE));
    check("stand beside hard ones", on(zones(), &["a", "c", "d"], &web()).pod(mixed), "b");
}

#[test]
fn what_holds_by_default() {
    let judged = || web().request("cpu", "1");
    let crowd = || on(zones(), &["a", "b", "c", "c", "c"], &web());
    check("is nothing for a pod that nothing selects", crowd().pod(judged()), "d");
    let of = |object| crowd().object(object).pod(judged());
    check("is for the pods of a Service", of(service("web", &[("app", "web")])), "d");
    check("is not for those of no Service", of(service("web", &[])), "d");
    let owned = |version: &str, kind: &str| judged().owned_by(version, kind, "web-1");
    let selects = &[("app", "web")];
    let by = |object, pod| crowd().object(object).pod(pod);
    check(
        "is for those of a ReplicaSet",
        by(replica_set("web-1", selects), owned("apps/v1", "ReplicaSet")),
        "d",
    );
    check(
        "is for those of a StatefulSet",
        by(stateful_set("web-1", selects), owned("apps/v1", "StatefulSet")),
        "d",
    );
    let controller = replication_controller("web-1", selects);
    check(
        "is for those of a ReplicationController",
        by(controller, owned("v1", "ReplicationController")),
        "d",
    );
    let own = crowd().object(service("web", selects)).pod(judged().spread(soft(5, "none")));
    check("is nothing beside the pod's own", own, "d");
    let no_zones = || on(state([node("a"), node("b"), node("c")]), &["a", "a", "b"], &web());
    check("lets nodes in no zone pass", no_zones().object(service("web", selects)).pod(judged()), "c");
    let mixed =
        on(state([node("a"), node("b"), node("c").label(ZONE, "east")]), &["a", "b", "b", "c"], &web());
    check("scores nodes in no zone", mixed.object(service("web", selects)).pod(judged()), "a");
}
