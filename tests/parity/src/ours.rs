//! What edge-scheduler's core makes of the same objects.

use std::collections::{BTreeMap, BTreeSet};

use edge_core::model::{Node, Pod, PodKey, SelectorKind, Time};
use edge_core::placement::{Profile, Scores, candidates, scores};
use edge_core::state::{Action, Change, Config, Event, State};
use edge_core::wire::{Interner, LabelledObject, NamespaceObject, NodeObject, PodObject, SelectingObject};
use serde_json::Value;

use crate::verdict::{Judgement, Outcome, ScoreTable};
use crate::{Error, profiles, storage};

/// The objects of a state as the API server gave them back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) objects: Vec<Value>,
    pub(crate) nodes: Vec<Value>,
    pub(crate) storage: Vec<Value>,
    pub(crate) placed: Vec<Value>,
}

/// Judges `pod` as the scheduler would, had it just started.
pub(crate) fn judge(written: &Written, pod: &Value) -> Result<Judgement, Error> {
    let mut interner = Interner::default();
    let nodes = written.nodes.iter().map(|node| read_node(node, &mut interner));
    let nodes: Vec<Node> = nodes.collect::<Result<_, _>>()?;
    let pods = written.placed.iter().chain([pod]).map(|pod| read_pod(pod, &mut interner));
    let pods: Vec<Pod> = pods.collect::<Result<_, _>>()?;
    let judged = read_pod(pod, &mut interner)?;

    let mut state = State::new(Config::new(profiles::ours()?).of_pods_and_nodes());
    let storage = storage::events(&written.storage, &mut interner)?;
    for event in storage.into_iter().chain(read_objects(&written.objects, &mut interner)?) {
        state.apply(event, Time::ZERO);
    }
    state.apply(Event::Nodes(Change::Reset(nodes)), Time::ZERO);
    state.apply(Event::Pods(Change::Reset(pods)), Time::ZERO);
    let to_be_tried = state.queue().len().active > 0;
    let (feasible, scores) = match state.profile(&judged.scheduler_name) {
        Some(profile) if to_be_tried => tabulate(&state, &judged, profile),
        _ => (judged.node.iter().map(ToString::to_string).collect(), ScoreTable::default()),
    };
    let feasible_is_empty = feasible.is_empty();
    let feasible = feasible.into_iter().collect();
    let preemption = match state.profile(&judged.scheduler_name) {
        Some(profile) if to_be_tried && feasible_is_empty => preemption(&state, &judged, profile),
        _ => BTreeMap::new(),
    };
    let outcome = match decide(&mut state, &judged.key) {
        Some(outcome) => outcome,
        None => judged.node.map_or(Outcome::Gated, |node| Outcome::Bound(node.to_string())),
    };
    Ok(match outcome {
        Outcome::Bound(_) => Judgement { outcome, feasible, scores, preemption: BTreeMap::new() },
        Outcome::Waits { .. } | Outcome::Gated => {
            Judgement { outcome, feasible: BTreeSet::new(), scores: ScoreTable::default(), preemption }
        }
    })
}

/// What the watches say of all objects that are neither nodes nor pods.
fn read_objects(objects: &[Value], interner: &mut Interner) -> Result<Vec<Event>, Error> {
    use SelectorKind::{ReplicaSet, ReplicationController, Service, StatefulSet};
    let of_kind = |kind| objects.iter().filter(move |object| object["kind"] == kind).map(Value::to_string);
    let mut namespaces = Vec::new();
    for object in of_kind("Namespace") {
        let namespace: NamespaceObject = serde_json::from_str(&object)?;
        namespaces.push(namespace.into_namespace(interner)?);
    }
    let mut lists = vec![Event::Namespaces(Change::Reset(namespaces))];
    for kind in [Service, ReplicationController] {
        let mut selectors = Vec::new();
        for object in of_kind(kind.as_str()) {
            let object: LabelledObject = serde_json::from_str(&object)?;
            selectors.push(object.into_selector(kind, interner)?);
        }
        lists.push(Event::Selectors(kind, Change::Reset(selectors)));
    }
    for kind in [ReplicaSet, StatefulSet] {
        let mut selectors = Vec::new();
        for object in of_kind(kind.as_str()) {
            let object: SelectingObject = serde_json::from_str(&object)?;
            selectors.push(object.into_selector(kind, interner)?);
        }
        lists.push(Event::Selectors(kind, Change::Reset(selectors)));
    }
    Ok(lists)
}

/// The pods that would have to go, by node, from each of the best nodes. Those that go already are not told, as nothing
/// is done about them.
fn preemption(state: &State, pod: &Pod, profile: &Profile) -> BTreeMap<String, BTreeSet<String>> {
    let best = candidates(state.snapshot(), pod, profile).into_iter().map(|candidate| {
        let victims = candidate.victims.iter().filter(|victim| !victim.terminating);
        (candidate.node.to_string(), victims.map(|victim| victim.key.name.to_string()).collect())
    });
    best.collect()
}

fn read_node(object: &Value, interner: &mut Interner) -> Result<Node, Error> {
    Ok(serde_json::from_str::<NodeObject>(&object.to_string())?.into_node(interner)?)
}

fn read_pod(object: &Value, interner: &mut Interner) -> Result<Pod, Error> {
    Ok(serde_json::from_str::<PodObject>(&object.to_string())?.into_pod(interner)?)
}

/// The feasible nodes and their scores. Before a node is chosen, because from then on the pod counts there.
fn tabulate(state: &State, pod: &Pod, profile: &Profile) -> (Vec<String>, ScoreTable) {
    let nodes = &state.snapshot().nodes;
    let Scores { feasible, plugins } = scores(state.snapshot(), pod, profile);
    let names = feasible.iter().filter_map(|slot| nodes.name(*slot)).map(ToString::to_string);
    let names: Vec<String> = names.collect();
    let mut table = ScoreTable::default();
    for plugin in &plugins {
        for (name, score) in names.iter().zip(&plugin.scores) {
            table.add(plugin.name, name, score * plugin.weight);
        }
    }
    (names, table)
}

/// What the scheduler does about the pod, if anything.
fn decide(state: &mut State, pod: &PodKey) -> Option<Outcome> {
    while let Some(action) = state.next(Time::ZERO) {
        match action {
            Action::Bind(binding) if binding.pod.key == *pod => {
                return Some(Outcome::Bound(binding.node.to_string()));
            }
            // It will be bound there once its volumes are.
            Action::WriteVolumes(wanted) if wanted.pod.key == *pod => {
                let slot = state.cache().get(pod)?.slot;
                let node = state.snapshot().nodes.name(slot)?;
                return Some(Outcome::Bound(node.to_string()));
            }
            Action::Report(report) if report.pod.key == *pod => {
                let reason = report.reason.as_str().to_owned();
                return Some(Outcome::Waits { reason, message: report.message });
            }
            _ => (),
        }
    }
    None
}
