//! Whether a pod may go to a node, worked out anew by brute force: an implementation of its own that
//! shares no code with the plugins, the delay table or the index of workloads.

use std::collections::{BTreeMap, BTreeSet};

use super::make::{CLOUD, CUSTOM};
use super::view::View;
use crate::model::{Node, NodeName, Pod, RequirementOp, Resources, Taint, TaintEffect, TolerationOp};
use crate::placement::HANDOVER_TAINT;

/// Why a pod may not go to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not enough room.
    Capacity(String),
    /// A delay constraint would be broken, or isn't known to hold.
    Delay(String),
    /// The node's taints, labels or ports, or the cloud.
    Other(String),
}

/// A constraint, as the pod says it.
struct Constraint<'a> {
    kind: Option<String>,
    anchor: &'a str,
    micros: u32,
}

/// Why `pod` may not go to `node`, if so.
pub(super) fn refusal(view: &View, pod: &Pod, node: &Node) -> Option<Refusal> {
    let delay = || delays_broken(view, pod, node).map(Refusal::Delay);
    refusal_but_for_delays(view, pod, node).or_else(delay)
}

/// Why `pod` may not go to `node`, whatever its delay constraints say.
pub(super) fn refusal_but_for_delays(view: &View, pod: &Pod, node: &Node) -> Option<Refusal> {
    let other = |what: &str| Some(Refusal::Other(format!("{what} of {}", node.name)));
    if view.suspects.contains(&node.name) {
        return other("failure");
    }
    if node.unschedulable && !tolerates(pod, &cordon()) {
        return other("cordon");
    }
    let keeps_away = |taint: &&Taint| {
        let is_own = view.takes_over && &*taint.key == HANDOVER_TAINT;
        taint.effect != TaintEffect::PreferNoSchedule && !is_own
    };
    if node.taints.iter().filter(keeps_away).any(|taint| !tolerates(pod, taint)) {
        return other("taint");
    }
    if !selects(pod, node) {
        return other("labels");
    }
    if must_go_to_cloud(view, pod) && !is_cloud(node) {
        return other("place outside the cloud");
    }
    if others_on(view, pod, node).iter().any(|it| it.ports.iter().any(|port| pod.ports.contains(port))) {
        return other("host ports");
    }
    shortage_on(view, pod, node).map(Refusal::Capacity)
}

/// The nodes that a pod's delays are measured from, if all of its anchors are placed.
pub(super) fn anchors(view: &View, pod: &Pod) -> BTreeSet<NodeName> {
    let nodes = constraints(pod).map(|list| list.iter().map(|it| anchor_nodes(view, pod, it)).collect());
    let nodes: Option<Vec<BTreeSet<NodeName>>> = nodes.flatten();
    nodes.unwrap_or_default().into_iter().flatten().collect()
}

/// What a node lacks for a pod beside the others there. Only what the pod asks for counts, as upstream.
pub(super) fn shortage_on(view: &View, pod: &Pod, node: &Node) -> Option<String> {
    let here = others_on(view, pod, node);
    let pods = i64::try_from(here.len()).unwrap() + 1;
    let mut lacks = vec![("pods", 1, pods, node.allowed_pods)];
    let mut look_at = |name: &'static str, amount: &dyn Fn(&Resources) -> i64| {
        let used: i64 = here.iter().map(|it| amount(&it.requests)).sum();
        let wanted = amount(&pod.requests);
        lacks.push((name, wanted, used + wanted, amount(&node.allocatable)));
    };
    look_at("cpu", &|it| it.cpu.0);
    look_at("memory", &|it| it.memory.0);
    look_at("storage", &|it| it.ephemeral_storage.0);
    look_at("devices", &|it| it.scalars.iter().map(|(_, amount)| amount).sum());
    let lack = lacks.into_iter().find(|(_, wanted, sum, capacity)| *wanted > 0 && sum > capacity);
    lack.map(|(name, _, sum, capacity)| format!("{} takes {sum} of {capacity} {name}", node.name))
}

fn others_on<'a>(view: &'a View, pod: &Pod, node: &Node) -> Vec<&'a Pod> {
    view.placed().filter(|(it, on)| **on == node.name && it.uid != pod.uid).map(|(it, _)| it).collect()
}

// --- taints, labels, cloud ---

fn cordon() -> Taint {
    Taint {
        key: "node.kubernetes.io/unschedulable".into(),
        value: "".into(),
        effect: TaintEffect::NoSchedule,
    }
}

fn tolerates(pod: &Pod, taint: &Taint) -> bool {
    pod.tolerations.iter().any(|it| {
        let key = it.key == taint.key || (it.key.is_empty() && it.op == TolerationOp::Exists);
        let value = it.op == TolerationOp::Exists || it.value == taint.value;
        key && value && it.effect.is_none_or(|effect| effect == taint.effect)
    })
}

fn selects(pod: &Pod, node: &Node) -> bool {
    let label = |key: &str| node.labels.iter().find(|(it, _)| &***it == key).map(|(_, value)| value);
    let selector = pod.node_selector.iter().all(|(key, value)| label(key) == Some(value));
    // The model's pods know no more of affinity than one requirement `NotIn`.
    let affinity = pod.node_affinity.required.iter().flat_map(|it| &it.terms).all(|term| {
        let requirement = &term.expressions[0];
        assert_eq!(requirement.op, RequirementOp::NotIn);
        label(&requirement.key).is_none_or(|value| !requirement.values.contains(value))
    });
    selector && affinity
}

fn is_cloud(node: &Node) -> bool {
    node.labels.iter().any(|(key, value)| (&**key, &**value) == CLOUD)
}

fn must_go_to_cloud(view: &View, pod: &Pod) -> bool {
    let selective = !pod.node_selector.is_empty() || pod.node_affinity.required.is_some();
    &*pod.scheduler_name == CUSTOM
        && !asks_for_delays(pod)
        && (!selective || view.nodes.values().any(|node| is_cloud(node) && selects(pod, node)))
}

// --- delays ---

pub(super) fn asks_for_delays(pod: &Pod) -> bool {
    !matches!(constraints(pod), Some(list) if list.is_empty())
}

/// Why a delay constraint doesn't hold, if so.
fn delays_broken(view: &View, pod: &Pod, node: &Node) -> Option<String> {
    let Some(constraints) = constraints(pod) else { return Some("a value is no delay".to_owned()) };
    constraints.iter().find_map(|it| {
        let Some(from) = anchor_nodes(view, pod, it) else {
            return Some(format!("{} is nowhere", it.anchor));
        };
        if from.is_empty() {
            return None;
        }
        let within = |from: &NodeName| view.is_within(from, &node.name, it.micros);
        let all = pod.annotations.get("kubectl-edge.dev/delay-to") == Some("all");
        let holds = if all { from.iter().all(within) } else { from.iter().any(within) };
        (!holds).then(|| format!("{} is over {} µs from {} on {from:?}", node.name, it.micros, it.anchor))
    })
}

/// All constraints, unless one can't be read.
fn constraints(pod: &Pod) -> Option<Vec<Constraint<'_>>> {
    let micros = |millis: &str| Some(millis.parse::<u32>().ok()? * 1_000);
    let mut list = Vec::new();
    for (label, millis) in pod.labels.iter() {
        if let Some(anchor) = label.strip_prefix("delay_") {
            list.push(Constraint { kind: None, anchor, micros: micros(millis)? });
        }
    }
    if let Some(entry) = pod.annotations.get("kubectl-edge.dev/delay") {
        let (anchor, millis) = entry.split_once('=')?;
        let (kind, anchor) = match anchor.split_once('/') {
            Some((kind, anchor)) => (Some(kind.to_owned()), anchor),
            None => (None, anchor),
        };
        list.push(Constraint { kind, anchor, micros: micros(millis)? });
    }
    Some(list)
}

/// The nodes an anchor is on: none if the pod is itself the anchor's first. Nothing if it isn't placed, or
/// if it isn't clear which anchor is meant.
fn anchor_nodes(view: &View, pod: &Pod, constraint: &Constraint<'_>) -> Option<BTreeSet<NodeName>> {
    let kind = constraint.kind.as_deref();
    if kind.is_none_or(|kind| kind == "node") {
        if let Some(node) = view.nodes.get(constraint.anchor) {
            return Some([node.name.clone()].into());
        }
        if kind.is_some() {
            return None;
        }
    }
    let elsewhere = constraint.anchor.split_once('.');
    let readings = [Some((constraint.anchor, &*pod.key.namespace)), elsewhere];
    readings.into_iter().flatten().find_map(|(name, namespace)| {
        let mut by_kind: BTreeMap<String, BTreeSet<NodeName>> = BTreeMap::new();
        let counts = |(pod, node): &(&Pod, &NodeName)| !pod.terminating && view.nodes.contains_key(*node);
        for (replica, node) in view.placed().chain(view.on_their_way()).filter(counts) {
            for of_kind in kinds_called(replica, name, namespace, kind) {
                by_kind.entry(of_kind).or_default().insert(node.clone());
            }
        }
        match by_kind.len() {
            0 if kinds_called(pod, name, namespace, kind).is_empty() => None,
            0 => Some(Some(BTreeSet::new())),
            1 => Some(by_kind.into_values().next().map(|nodes| heard_of(view, nodes))),
            _ => Some(None),
        }
    })?
}

/// Those of the nodes that somebody hears of, or all of them.
fn heard_of(view: &View, nodes: BTreeSet<NodeName>) -> BTreeSet<NodeName> {
    let is_heard = |name: &&NodeName| !view.suspects.contains(*name) && !view.is_unheard(name);
    let heard: BTreeSet<NodeName> = nodes.iter().filter(is_heard).cloned().collect();
    if heard.is_empty() { nodes } else { heard }
}

/// As what a pod belongs to a workload of this name: as its Deployment's, its ReplicaSet's, ….
fn kinds_called(pod: &Pod, name: &str, namespace: &str, kind: Option<&str>) -> Vec<String> {
    if *pod.key.namespace != *namespace {
        return Vec::new();
    }
    let workloads = match &pod.owner {
        None => vec![("pod".to_owned(), pod.key.name.to_string())],
        Some(owner) if &*owner.kind == "ReplicaSet" => {
            let (deployment, _) = owner.name.rsplit_once('-').unwrap();
            vec![
                ("deployment".to_owned(), deployment.to_owned()),
                ("replicaset".to_owned(), owner.name.to_string()),
            ]
        }
        Some(owner) => vec![(owner.kind.to_lowercase(), owner.name.to_string())],
    };
    let wanted = workloads.into_iter().filter(|(_, called)| called == name).map(|(of_kind, _)| of_kind);
    wanted.filter(|of_kind| kind.is_none_or(|kind| kind == of_kind)).collect()
}
