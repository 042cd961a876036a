//! InterPodAffinity.

use parity::object::namespace;
use parity::pod::near;
use parity::{ClusterState, Pod, node, pod, state};
use serde_json::{Value, json};

use crate::support::check;

const HOST: &str = "kubernetes.io/hostname";
const NO_AFFINITY: &str = "node(s) didn't match pod affinity rules";
const ANTI_AFFINITY: &str = "node(s) didn't match pod anti-affinity rules";
const EXISTING: &str = "node(s) didn't satisfy existing pods anti-affinity rules";

/// Nodes a and b in zone east, c in zone west, and d in none, which is so small that a free choice falls on another.
fn zones() -> ClusterState {
    let zone = |name, zone| node(name).label("zone", zone);
    state([zone("a", "east"), zone("b", "east"), zone("c", "west"), node("d").allocatable("cpu", "1")])
}

fn web() -> Pod {
    pod().label("app", "web")
}

fn in_zone(app: &str) -> Value {
    near("zone", &[("app", app)])
}

fn with(mut term: Value, field: &str, value: Value) -> Value {
    term[field] = value;
    term
}

/// What is said where nodes are rejected for these reasons.
fn said(reasons: &[(usize, &str)]) -> String {
    let all: usize = reasons.iter().map(|(count, _)| count).sum();
    let reasons: Vec<String> = reasons.iter().map(|(count, reason)| format!("{count} {reason}")).collect();
    format!("0/{all} nodes are available: {}.", reasons.join(", "))
}

#[test]
fn required_affinity() {
    let near_web = || pod().near(in_zone("web"));
    let nowhere = said(&[(4, NO_AFFINITY)]);
    check("waits for a pod to be near to", zones().pod(near_web()), &nowhere);
    check("admits the domain of a pod", zones().placed("c", web()).pod(near_web()), "c");
    check("admits every node of the domain", zones().placed("a", web()).pod(near_web()), "b");
    check("counts no other pods", zones().placed("c", pod().label("app", "db")).pod(near_web()), &nowhere);
    check("counts no pod outside of all domains", zones().placed("d", web()).pod(near_web()), &nowhere);
    let ending = {
        let mut ending = web();
        ending.0["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        ending
    };
    check("counts a pod that is ending", zones().placed("c", ending).pod(near_web()), "c");
    let ended = web().status("phase", "Succeeded".into());
    check("counts no pod that has ended", zones().placed("c", ended).pod(near_web()), &nowhere);
    check("counts no pod on a node that is not there", zones().placed("z", web()).pod(near_web()), &nowhere);
    let both = near_web().near(near(HOST, &[("app", "web")]));
    check("takes terms together", zones().placed("a", web()).pod(both.clone()), "a");
    let two = || pod().near(in_zone("web")).near(in_zone("db"));
    let apart = zones().placed("a", web()).placed("b", pod().label("app", "db"));
    check("wants one pod to match all terms", apart.pod(two()), &nowhere);
}

#[test]
fn the_first_of_a_group() {
    let group = || web().near(in_zone("web")).request("cpu", "2");
    check("is let in", zones().placed("a", pod().request("cpu", "1")).pod(group()), "b c");
    let other = web().near(in_zone("web")).near(in_zone("db"));
    check("is let in only if it is of its group", zones().pod(other), &said(&[(4, NO_AFFINITY)]));
    check("is no other once there is one", zones().placed("c", web()).pod(group()), "c");
    let outside = zones().placed("d", web());
    check("is another if the one is outside of all domains", outside.pod(group()), "a b c");
}

#[test]
fn required_anti_affinity() {
    let not_web = || pod().away_from(in_zone("web")).request("cpu", "2");
    check("keeps away", zones().placed("a", web()).pod(not_web()), "c");
    let full = said(&[(1, "Insufficient cpu"), (3, ANTI_AFFINITY)]);
    check("leaves no node", zones().placed("a", web()).placed("c", web()).pod(not_web()), &full);
    let small = pod().away_from(in_zone("web"));
    check("admits nodes in no domain", zones().placed("a", web()).placed("c", web()).pod(small), "d");
    let either = || not_web().away_from(near(HOST, &[("app", "db")]));
    let db = || pod().label("app", "db");
    check("holds for each term", zones().placed("a", db()).placed("c", web()).pod(either()), "b");
    let one = said(&[(1, "Insufficient cpu"), (3, ANTI_AFFINITY)]);
    let all = zones().placed("a", web()).placed("c", db());
    check("holds for each term apart", all.pod(either()), &one);
    let conflict = pod().near(in_zone("web")).away_from(near(HOST, &[("app", "web")]));
    check("stands beside affinity", zones().placed("a", web()).pod(conflict.clone()), "b");
    let reasons = said(&[(1, ANTI_AFFINITY), (3, NO_AFFINITY)]);
    check("comes after affinity", zones().placed("c", web()).pod(conflict), &reasons);
}

#[test]
fn anti_affinity_of_placed_pods() {
    let keeps_web_off = || pod().away_from(in_zone("web"));
    let judged = || web().request("cpu", "2");
    check("keeps pods off", zones().placed("a", keeps_web_off()).pod(judged()), "c");
    let all = zones().placed("a", keeps_web_off()).placed("c", keeps_web_off());
    let full = said(&[(1, "Insufficient cpu"), (3, EXISTING)]);
    check("leaves no node", all.pod(judged()), &full);
    check(
        "keeps no other pods off",
        zones().placed("a", keeps_web_off()).pod(pod().select("zone", "east")),
        "b",
    );
    let host = || zones().placed("a", pod().away_from(near(HOST, &[("app", "web")])));
    check("is by the topology of the term", host().pod(judged()), "b c");
    let both = host().placed("b", web()).pod(judged().away_from(in_zone("web")).select("zone", "east"));
    let reasons = said(&[(2, "node(s) didn't match Pod's node affinity/selector"), (2, ANTI_AFFINITY)]);
    check("comes after the pod's own", both, &reasons);
    let preferred = zones().placed("a", pod().rather_away_from(10, in_zone("web")));
    check("counts in the score if it is preferred", preferred.pod(judged()), "c");
}

#[test]
fn preferred_terms() {
    let judged = || pod().request("cpu", "2");
    let web_at = |node: &str| zones().placed(node, web());
    check("draw", web_at("c").pod(judged().rather_near(1, in_zone("web"))), "c");
    check("keep off", web_at("a").pod(judged().rather_away_from(1, in_zone("web"))), "c");
    let two = judged().rather_near(10, in_zone("web")).rather_near(30, in_zone("db"));
    let state = web_at("a").placed("c", pod().label("app", "db"));
    check("are weighed", state.pod(two), "c");
    let three = || web_at("a").placed("a", web()).placed("b", web());
    let sum = judged().rather_near(2, in_zone("web")).rather_away_from(5, near(HOST, &[("app", "web")]));
    check("count each pod", three().pod(sum), "b");
    check(
        "of placed pods count too",
        zones().placed("c", pod().rather_near(1, in_zone("web"))).pod(web()),
        "c",
    );
    let required = zones().placed("c", web().near(in_zone("web")));
    check("are made of required ones of placed pods", required.pod(web().request("cpu", "2")), "c");
    check("without a match give no score", web_at("c").pod(judged().rather_near(1, in_zone("db"))), "a b");
}

#[test]
fn namespaces() {
    let nowhere = said(&[(4, NO_AFFINITY)]);
    let state = || {
        let shop = namespace("shop", &[("team", "a")]);
        let web = web().in_namespace("shop");
        zones().object(shop).object(namespace("lab", &[("team", "b")])).placed("c", web)
    };
    let judged = |field: &str, value: Value| state().pod(pod().near(with(in_zone("web"), field, value)));
    check("are the pod's own by default", state().pod(pod().near(in_zone("web"))), &nowhere);
    check("can be named", judged("namespaces", json!(["lab", "shop"])), "c");
    check("can be named without the right one", judged("namespaces", json!(["default", "lab"])), &nowhere);
    let team = |operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": "team", "operator": operator, "values": values}]});
    check("can be selected", judged("namespaceSelector", team("In", &["a"])), "c");
    check("can be selected without the right one", judged("namespaceSelector", team("In", &["b"])), &nowhere);
    check("can all be selected", judged("namespaceSelector", json!({})), "c");
    let both = with(in_zone("web"), "namespaceSelector", team("In", &["b"]));
    let both = with(both, "namespaces", json!(["shop"]));
    check("can be named and selected", state().pod(pod().near(both)), "c");
    // kube-scheduler holds such a selector against no labels at all besides, and so means every namespace.
    check(
        "are all meant by a selector that no label matches",
        judged("namespaceSelector", team("NotIn", &["a"])),
        "c",
    );
    check("or none has to be there", judged("namespaceSelector", team("DoesNotExist", &[])), "c");
}

#[test]
fn namespaces_of_placed_pods_terms() {
    let team = |operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": "team", "operator": operator, "values": values}]});
    let state = |selector: Value| {
        let term = with(in_zone("web"), "namespaceSelector", selector);
        let other = pod().in_namespace("shop").away_from(term);
        let default = namespace("default", &[("team", "a")]);
        zones().object(default).placed("a", other).pod(web().request("cpu", "2"))
    };
    check("are those of the pod that is judged", state(team("In", &["a"])), "c");
    check("may be all", state(json!({})), "c");
    check("may be others", state(team("In", &["b"])), "b c");
    check("may be others than these", state(team("NotIn", &["a"])), "b c");
    let own = zones().placed("a", pod().in_namespace("shop").away_from(in_zone("web")));
    check("are their own by default", own.pod(web().request("cpu", "2")), "b c");
}

#[test]
fn labels_of_the_pod_itself() {
    let version = |name: &str| web().label("version", name).request("cpu", "1");
    let state = || zones().placed("a", version("1")).placed("c", version("2")).placed("c", version("2"));
    let same = with(in_zone("web"), "matchLabelKeys", json!(["version"]));
    let other = with(in_zone("web"), "mismatchLabelKeys", json!(["version", "none"]));
    check("can be asked for", state().pod(version("2").near(same.clone())), "c");
    check("can be asked for without a match", state().pod(web().label("version", "2").away_from(same)), "b");
    check("can be excluded", state().pod(version("1").near(other.clone())), "c");
    check("can be kept from", state().pod(version("1").away_from(other)), "b");
}

#[test]
fn selectors() {
    let judged = |selector: Value| {
        let term = json!({"topologyKey": "zone", "labelSelector": selector});
        zones().placed("c", web()).pod(pod().near(term))
    };
    let on = |operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": "app", "operator": operator, "values": values}]});
    let nowhere = said(&[(4, NO_AFFINITY)]);
    check("that are empty mean all pods", judged(json!({})), "c");
    check("that are not there mean none", judged(Value::Null), &nowhere);
    check("In", judged(on("In", &["db", "web"])), "c");
    check("NotIn", judged(on("NotIn", &["web"])), "a b");
    check("Exists", judged(on("Exists", &[])), "c");
    check("DoesNotExist", judged(on("DoesNotExist", &[])), "a b");
}
