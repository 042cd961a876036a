//! What pods are to one another: labels, namespaces, affinity, spreading, and what selects them.

use serde_json::{Value, json};

use crate::object::{namespace, replica_set, replication_controller, service, stateful_set};
use crate::pod::near;
use crate::{ClusterState, Node, Object, Pod, Rng};

const APPS: [&str; 2] = ["web", "db"];
const VERSIONS: [&str; 2] = ["1", "2"];
const TEAMS: [&str; 2] = ["a", "b"];
const TOPOLOGIES: [&str; 5] =
    ["kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/zone", "zone", "disk"];
const ZONE: &str = "topology.kubernetes.io/zone";

/// Adds company to a state: in a third of the states none, in others much.
pub(super) fn keep(rng: &mut Rng, state: ClusterState) -> ClusterState {
    let chance = rng.pick(&[0, 15, 40]);
    if chance == 0 {
        return state;
    }
    let ClusterState { nodes, storage, mut objects, placed, pod } = state;
    let zones = rng.pick(&[0, 90, 100]);
    let mut zone = |node: Node| {
        if rng.percent(zones) { node.label(ZONE, rng.pick(&["r1", "r2", "r3"])) } else { node }
    };
    let nodes = nodes.into_iter().map(&mut zone).collect();
    let placed = placed.into_iter().map(|pod| {
        let pod = sociable(rng, pod, chance / 3);
        elsewhere(rng, pod)
    });
    let placed = placed.collect();
    for name in ["default", "shop", "lab"] {
        if rng.percent(60) {
            objects.push(namespace(name, &[("team", rng.pick(&TEAMS))]));
        }
    }
    let pod = if rng.percent(40) { owned(rng, pod, &mut objects) } else { pod };
    let pod = sociable(rng, pod, chance);
    ClusterState { nodes, storage, objects, placed, pod: spread(rng, pod, chance) }
}

fn elsewhere(rng: &mut Rng, pod: Pod) -> Pod {
    match rng.below(10) {
        0 => pod.in_namespace("lab"),
        1..3 => pod.in_namespace("shop"),
        _ => pod,
    }
}

/// Labels the pod, and perhaps gives it terms of affinity.
fn sociable(rng: &mut Rng, mut pod: Pod, chance: usize) -> Pod {
    if rng.percent(85) {
        pod = pod.label("app", rng.pick(&APPS));
    }
    if rng.percent(50) {
        pod = pod.label("version", rng.pick(&VERSIONS));
    }
    while rng.percent(chance / 2) {
        pod = pod.near(term(rng));
    }
    while rng.percent(chance / 2) {
        pod = pod.away_from(term(rng));
    }
    while rng.percent(chance / 2) {
        pod = pod.rather_near(weight(rng), term(rng));
    }
    while rng.percent(chance / 2) {
        pod = pod.rather_away_from(weight(rng), term(rng));
    }
    pod
}

fn weight(rng: &mut Rng) -> u32 {
    u32::try_from(rng.range(1, 100)).unwrap_or(1)
}

fn term(rng: &mut Rng) -> Value {
    let mut term = near(rng.pick(&TOPOLOGIES), &[]);
    term["labelSelector"] = selector(rng);
    if rng.percent(20) {
        term["namespaces"] = json!(rng.pick(&[&["shop"][..], &["default", "lab"]]));
    }
    if rng.percent(25) {
        term["namespaceSelector"] = by_team(rng);
    }
    if !term["labelSelector"].is_null() {
        match rng.below(10) {
            0 => term["matchLabelKeys"] = json!(["version"]),
            1 => term["mismatchLabelKeys"] = json!(["version", "none"]),
            _ => (),
        }
    }
    term
}

/// A selector of pods. None is on the version, which the pod's own label may be merged into.
fn selector(rng: &mut Rng) -> Value {
    match rng.below(20) {
        0 => Value::Null,
        1 => json!({}),
        2 => expression("app", "NotIn", &[rng.pick(&APPS)]),
        3 => expression("app", "Exists", &[]),
        4 => expression("app", "DoesNotExist", &[]),
        5 => expression("app", "In", &APPS),
        _ => json!({"matchLabels": {"app": rng.pick(&APPS)}}),
    }
}

fn by_team(rng: &mut Rng) -> Value {
    match rng.below(6) {
        0 => json!({}),
        1 => expression("team", "DoesNotExist", &[]),
        2 => expression("team", "NotIn", &[rng.pick(&TEAMS)]),
        3 => expression("kubernetes.io/metadata.name", "In", &["lab"]),
        _ => json!({"matchLabels": {"team": rng.pick(&TEAMS)}}),
    }
}

fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})
}

/// Perhaps has the pod be spread. A pair of topology and consequence may be there once only.
fn spread(rng: &mut Rng, mut pod: Pod, chance: usize) -> Pod {
    for topology in ["kubernetes.io/hostname", ZONE, "zone"] {
        for when in ["DoNotSchedule", "ScheduleAnyway"] {
            if rng.percent(chance / 2) {
                pod = pod.spread(constraint(rng, topology, when));
            }
        }
    }
    pod
}

fn constraint(rng: &mut Rng, topology: &str, when: &str) -> Value {
    let max_skew = rng.pick(&[1, 1, 2, 5]);
    let mut constraint = json!({"maxSkew": max_skew, "topologyKey": topology, "whenUnsatisfiable": when});
    constraint["labelSelector"] = selector(rng);
    if when == "DoNotSchedule" && rng.percent(25) {
        constraint["minDomains"] = rng.range(1, 4).into();
    }
    if rng.percent(25) {
        constraint["nodeAffinityPolicy"] = rng.pick(&["Honor", "Ignore"]).into();
    }
    if rng.percent(35) {
        constraint["nodeTaintsPolicy"] = rng.pick(&["Honor", "Ignore"]).into();
    }
    if !constraint["labelSelector"].is_null() && rng.percent(25) {
        constraint["matchLabelKeys"] = json!(["version", "none"]);
    }
    constraint
}

/// Has Services and perhaps a controller select the pod, or others.
fn owned(rng: &mut Rng, pod: Pod, objects: &mut Vec<Object>) -> Pod {
    let labels = |rng: &mut Rng| match rng.below(4) {
        0 => vec![("version", rng.pick(&VERSIONS))],
        _ => vec![("app", rng.pick(&APPS))],
    };
    for name in ["one", "two"] {
        if rng.percent(60) {
            objects.push(service(name, &labels(rng)));
        }
    }
    let (object, version, kind) = match rng.below(4) {
        0 => (replication_controller("top", &labels(rng)), "v1", "ReplicationController"),
        1 => (replica_set("top", &labels(rng)), "apps/v1", "ReplicaSet"),
        2 => (stateful_set("top", &labels(rng)), "apps/v1", "StatefulSet"),
        _ => return pod,
    };
    objects.push(object);
    pod.owned_by(version, kind, if rng.percent(90) { "top" } else { "gone" })
}
