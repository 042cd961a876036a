//! What must always hold, and what must hold in the end.
//!
//! To add an invariant: a variant of [`Invariant`], and a check that returns it in a [`Violation`], called
//! where it can first be told: at a decision, at a write, at each step, or at the end.

use std::collections::BTreeMap;

use super::failures::OUT_OF_SERVICE;
use super::judge::{self, Refusal, refusal, refusal_but_for_delays, shortage_on};
use super::make::{FAST, FOREIGN};
use super::network::Request;
use super::server::Server;
use super::view::{Assumed, View};
use crate::delay::Turn;
use crate::model::{Node, NodeName, Pod, PodUid, Time};
use crate::placement::Snapshot;
use crate::state::{Announcement, Binding, DelayTurn, Eviction, Preemption, State};

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invariant {
    /// Nothing is done before both watches have told everything there is.
    Listed,
    /// A pod that is decided waits for us: it is there, unbound, not ending, and not gated.
    PodWaits,
    /// For one pod there is one binding at a time: another one follows only when the first one has
    /// definitely failed.
    OneBinding,
    /// A binding that is written is the pod's it was decided for.
    OwnPod,
    /// A node holds what its pods request, by all that was known at the decision and by the server's truth
    /// when it is written.
    Capacity,
    /// Every delay constraint of a pod is known to hold where it goes.
    DelayBound,
    /// Taints, labels, ports and the cloud admit the pod.
    Admission,
    /// What is announced as bound is bound there.
    Announcement,
    /// What is told of a placed pod's bound is so.
    Told,
    /// A scheduler that has nothing to do says when it will, and that is later.
    Rest,
    /// No more bindings are on their way than allowed.
    InFlight,
    /// Nobody is taken away but pods of lower priority that are on the node.
    Victims,
    /// No pod waits for something to happen that could be placed.
    Liveness,
    /// Pods are covered, and what that takes is reserved and no more.
    Cover,
    /// Pods are taken off nodes that the scheduler suspects, and only those that may run twice, or after somebody has
    /// seen to it that the node is off.
    Eviction,
    /// No pod is taken off a node that lives and has said so, but those that may run twice for a while.
    FalseFailover,
    /// A pod that is moved goes where room is held for what replaces it, one of a workload at a time.
    Move,
    /// In the end the scheduler thinks of each node what is so.
    Verdict,
    /// In the end no pod that may run twice is left on a node that failed.
    LeftBehind,
    /// In the end no binding is on its way.
    Landed,
    /// In the end the scheduler knows what the server knows.
    Knowledge,
}

/// Something that must hold does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// What.
    pub(super) invariant: Invariant,
    /// How it was seen.
    pub(super) what: String,
}

/// What the checks remember.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Where each pod was bound, gone ones included.
    bound: BTreeMap<PodUid, NodeName>,
}

type Checked = Result<(), Violation>;

// === impl Checks ===

impl Checks {
    /// Notes where a pod is bound.
    pub(super) fn is_bound(&mut self, pod: &Pod) {
        if let Some(node) = &pod.node {
            self.bound.insert(pod.uid.clone(), node.clone());
        }
    }

    /// The scheduler announces a binding.
    pub(super) fn announced(&self, announcement: &Announcement) -> Checked {
        let node = self.bound.get(&announcement.pod.uid);
        if node == Some(&announcement.node) {
            return Ok(());
        }
        violated(
            Invariant::Announcement,
            format!("{} announced on {}, bound to {node:?}", announcement.pod.key, announcement.node),
        )
    }
}

/// The scheduler does something.
pub(super) fn acts(view: &View) -> Checked {
    if view.listed.is_all() {
        return Ok(());
    }
    violated(Invariant::Listed, "something is done before everything is known".to_owned())
}

/// The scheduler wants a binding written. `known` says up to which revision it knows all writes of pods and
/// of nodes. A new decision is counted in `view`. Whether it holds only by the last delays of a node that is not
/// heard of.
pub(super) fn decided(view: &mut View, binding: &Binding, known: (u64, u64)) -> Result<bool, Violation> {
    let uid = &binding.pod.uid;
    if let Some(before) = view.assumed.get(uid) {
        let again = before.node == binding.node && !before.written;
        let what = || format!("{} to {} after {before:?}", binding.pod.key, binding.node);
        return if again { Ok(false) } else { Err(violation(Invariant::OneBinding, what())) };
    }
    let Some(pod) = view.pods.get(uid).filter(|pod| waits(pod)) else {
        let what = format!("{} ({uid}) to {}: {:?}", binding.pod.key, binding.node, view.pods.get(uid));
        return Err(violation(Invariant::PodWaits, what));
    };
    let Some(node) = view.nodes.get(&binding.node) else {
        let what = format!("{} to {}, not there", pod.key, binding.node);
        return Err(violation(Invariant::Admission, what));
    };
    let by_last = |_| refusal(&View { by_last: true, ..view.clone() }, pod, node);
    let by_fresh = refusal(view, pod, node);
    let needs_last = by_fresh.is_some();
    let over = |_| {
        let refusal = if view.has_waited(uid) { refusal_but_for_delays } else { refusal };
        refusal(&view.taken_over(), pod, node)
    };
    let (invariant, why) = match by_fresh.and_then(by_last).and_then(over) {
        None => {
            let (pods_known, nodes_known) = known;
            let node = binding.node.clone();
            let assumed = Assumed { node, pods_known, nodes_known, written: false, conflict: false };
            view.assumed.insert(uid.clone(), assumed);
            return Ok(needs_last);
        }
        Some(Refusal::Capacity(why)) => (Invariant::Capacity, why),
        Some(Refusal::Delay(why)) => (Invariant::DelayBound, why),
        Some(Refusal::Other(why)) => (Invariant::Admission, why),
    };
    Err(violation(invariant, format!("{} decided for {}: {why}", pod.key, binding.node)))
}

/// The scheduler tells that a placed pod's bound is broken, or kept again.
pub(super) fn turned(view: &View, told: &DelayTurn) -> Checked {
    let DelayTurn { pod, constraint, from, delay, turn, .. } = told;
    let (micros, bound) = (delay.as_micros(), constraint.bound.as_micros());
    let is_so = match turn {
        Turn::Exceeded => micros > bound + bound / 10,
        Turn::Restored => micros <= bound,
    };
    let node = view.pods.get(&pod.uid).and_then(|pod| pod.node.as_ref());
    let measured = node.and_then(|node| view.delay(from, node));
    if is_so && measured == Some(*delay) {
        return Ok(());
    }
    violated(Invariant::Told, format!("{told:?}, and {measured:?} is measured to {node:?}"))
}

/// The scheduler wants pods taken away for another one.
pub(super) fn may_preempt(view: &View, preemption: &Preemption) -> Checked {
    let uid = &preemption.preemptor.uid;
    let Some(preemptor) = view.pods.get(uid).filter(|pod| waits(pod) && pod.preempts) else {
        let what = format!("{} ({uid}) preempts: {:?}", preemption.preemptor.key, view.pods.get(uid));
        return violated(Invariant::PodWaits, what);
    };
    for victim in &preemption.victims {
        let placed = view.placed().find(|(pod, _)| pod.uid == victim.pod.uid);
        let right = placed.is_some_and(|(pod, node)| {
            pod.priority < preemptor.priority && *node == preemption.node && !pod.terminating
        });
        if !right {
            let what = format!("{} is to go for {} on {}", victim.pod.key, preemptor.key, preemption.node);
            return violated(Invariant::Victims, format!("{what}: {placed:?}"));
        }
    }
    Ok(())
}

/// The scheduler wants a pod taken off a node.
pub(super) fn may_evict(view: &View, eviction: &Eviction) -> Checked {
    let what = |why: &str| format!("{} is to go from {}: {why}", eviction.pod.key, eviction.node);
    let Some(pod) = view.pods.get(&eviction.pod.uid) else {
        return violated(Invariant::Eviction, what("it is not there"));
    };
    if pod.node.as_ref() != Some(&eviction.node) || pod.terminating && !eviction.is_fenced {
        return violated(Invariant::Eviction, what("it is elsewhere, or ends"));
    }
    if !view.suspects.contains(&eviction.node) {
        return violated(Invariant::Eviction, what("the node is not suspected"));
    }
    let taints = view.nodes.get(&eviction.node).map(|node| node.taints.clone()).unwrap_or_default();
    let is_fenced = taints.iter().any(|taint| &*taint.key == OUT_OF_SERVICE);
    let of_replica_set = pod.owner.as_ref().is_some_and(|owner| &*owner.kind == "ReplicaSet");
    if !is_fenced && (!of_replica_set || eviction.is_fenced) {
        return violated(Invariant::Eviction, what("two of it may run"));
    }
    if pod.annotations.get(FAST.0) == Some("false") || !is_ours(pod) {
        return violated(Invariant::Eviction, what("it is not to go"));
    }
    Ok(())
}

/// The server wrote a binding. `assumed` is what the present scheduler knows of it, if it is its own.
pub(super) fn written(server: &mut Server, request: &Request, assumed: Option<&Assumed>) -> Checked {
    let Some(pod) = server.pods.get(&request.pod.key) else { return Ok(()) };
    if pod.uid != request.pod.uid {
        let what = format!("{} was decided as {}, and is {}", pod.key, request.pod.uid, pod.uid);
        return violated(Invariant::OwnPod, what);
    }
    let Some(assumed) = assumed else {
        // A scheduler that is no more sent it, or it was given up for good reasons. The present one can't know.
        server.upset_by_pod(&request.node);
        return Ok(());
    };
    let upset = server.upset(&request.node);
    let excused = upset.by_pod > assumed.pods_known || upset.by_node > assumed.nodes_known;
    let Some(node) = server.nodes.get(&request.node).filter(|_| !excused) else { return Ok(()) };
    let view = View::of_pods(server);
    match shortage_on(&view, pod, node) {
        None => Ok(()),
        Some(why) => violated(Invariant::Capacity, format!("{} written: {why}", pod.key)),
    }
}

/// The scheduler has nothing to do at `now`, and may have so many bindings on their way.
pub(super) fn rests(state: &State, max_in_flight: usize, now: Time) -> Checked {
    if state.in_flight() > max_in_flight {
        return violated(Invariant::InFlight, format!("{} bindings are on their way", state.in_flight()));
    }
    if state.wake_at() > now {
        return Ok(());
    }
    violated(Invariant::Rest, format!("it wants to be woken at {:?}", state.wake_at()))
}

/// The scheduler has nothing to do, so each pod that waits for something to happen must fit nowhere, by all
/// that it was told: else it was not woken. It takes long to look, so this is asked now and then.
pub(super) fn waits_for_good_reason(state: &State, view: &View) -> Checked {
    let waiting = state.queue().curable(|_, _| true);
    let waiting = waiting.iter().filter_map(|key| view.pods.values().find(|pod| pod.key == *key));
    // One for which others are being taken away is not tried before they go.
    let waiting = waiting.filter(|pod| !state.is_preempting(&pod.uid));
    let waiting: Vec<&Pod> = waiting.collect();
    // A pod that delays alone keep from a node must hear of them; others are not asked for theirs.
    let held_by_delays = |pod: &&&Pod| {
        view.nodes.values().any(|node| judge::refusal_but_for_delays(view, pod, node).is_none())
    };
    for pod in waiting.iter().filter(held_by_delays) {
        if let Some(from) = judge::anchors(view, pod).iter().find(|from| !view.is_told_of_delays(from)) {
            let what = format!("{} waits, and is not told of delays from {from}", pod.key);
            return violated(Invariant::Liveness, what);
        }
    }
    nowhere_to_go(state, view, waiting.into_iter())
}

// --- in the end ---

/// Faults have stopped a while ago, and everything has come to rest.
pub(super) fn in_the_end(state: &State, truth: &View) -> Checked {
    if state.in_flight() > 0 {
        return violated(Invariant::Landed, format!("{} bindings are on their way", state.in_flight()));
    }
    if state.preempting() > 0 {
        return violated(Invariant::Landed, format!("{} preemptions are on their way", state.preempting()));
    }
    knows_pods(state, truth)?;
    knows_nodes(state, truth)?;
    nowhere_to_go(state, truth, truth.pods.values().filter(|pod| is_ours(pod) && waits(pod)))
}

fn nowhere_to_go<'a>(state: &State, view: &View, mut waiting: impl Iterator<Item = &'a Pod>) -> Checked {
    let fits = |pod: &Pod| {
        let beside = beside_nominated(state, view, pod);
        let fits = |view: &View, node: &Node| refusal(view, pod, node).is_none();
        view.nodes.values().find(|node| fits(view, node) && beside.as_ref().is_none_or(|it| fits(it, node)))
    };
    match waiting.find_map(|pod| Some((pod, fits(pod)?))) {
        None => Ok(()),
        Some((pod, node)) => {
            violated(Invariant::Liveness, format!("{} waits, and fits {}", pod.key, node.name))
        }
    }
}

/// The view with all pods where they are nominated to that `pod` has to leave room for, if there are any.
fn beside_nominated(state: &State, view: &View, pod: &Pod) -> Option<View> {
    let Snapshot { nodes, nominations, .. } = state.snapshot();
    let ahead = view.pods.values().filter_map(|other| {
        let node = nodes.name(nominations.of(&other.uid)?)?;
        (other.uid != pod.uid && other.priority >= pod.priority).then(|| (other.uid.clone(), node.clone()))
    });
    let ahead: Vec<(PodUid, NodeName)> = ahead.collect();
    if ahead.is_empty() {
        return None;
    }
    let mut beside = view.clone();
    for (uid, node) in ahead {
        let assumed = Assumed { node, pods_known: 0, nodes_known: 0, written: false, conflict: false };
        beside.assumed.insert(uid, assumed);
    }
    Some(beside)
}

fn knows_pods(state: &State, truth: &View) -> Checked {
    let queued = state.queue().iter().map(|queued| (queued.pod.uid.clone(), queued.pod.version));
    let waiting = truth.pods.values().filter(|pod| is_ours(pod) && is_to_come(pod));
    let waiting = waiting.map(|pod| (pod.uid.clone(), pod.version));
    same::<BTreeMap<_, _>>("the waiting pods", &queued.collect(), &waiting.collect())?;
    let nodes = &state.snapshot().nodes;
    let cached = state
        .cache()
        .iter()
        .map(|it| (it.pod.uid.clone(), (nodes.name(it.slot).cloned(), it.pod.version, it.confirmed)));
    let placed = truth.placed().map(|(pod, node)| (pod.uid.clone(), (Some(node.clone()), pod.version, true)));
    same::<BTreeMap<_, _>>("the placed pods", &cached.collect(), &placed.collect())
}

fn knows_nodes(state: &State, truth: &View) -> Checked {
    let nodes = &state.snapshot().nodes;
    let known = nodes.iter().map(|it| (it.node.name.clone(), it.node.clone())).collect();
    same("the nodes", &known, &truth.nodes)?;
    for node in nodes.iter() {
        let here = || truth.placed().filter(|(_, on)| **on == node.node.name).map(|(pod, _)| pod);
        let used = &node.usage.requested;
        let counted = (node.usage.num_pods(), used.cpu.0, used.memory.0, node.usage.ports.len());
        let pods = i64::try_from(here().count()).unwrap();
        let cpu: i64 = here().map(|pod| pod.requests.cpu.0).sum();
        let memory: i64 = here().map(|pod| pod.requests.memory.0).sum();
        let ports: usize = here().map(|pod| pod.ports.len()).sum();
        same("what is used", &counted, &(pods, cpu, memory, ports))?;
        knows_delays(state, truth, &node.node.name)?;
    }
    Ok(())
}

/// A row that the scheduler has must be as the source has it.
fn knows_delays(state: &State, truth: &View, from: &NodeName) -> Checked {
    let snapshot = state.snapshot();
    let row = snapshot.nodes.slot(from.as_str()).and_then(|slot| snapshot.delays.row(slot));
    let Some(row) = row else { return Ok(()) };
    for to in truth.nodes.keys().filter(|to| *to != from) {
        let known = snapshot.nodes.slot(to.as_str()).and_then(|slot| row.to(slot));
        let measured = truth.delay(from, to);
        // The last ones may still be in force.
        if known.is_none_or(|known| !truth.is_unheard(from) || !truth.heard.last(from, to).contains(&known)) {
            same(&format!("the delay of {from} and {to}"), &known, &measured)?;
        }
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, known: &T, truth: &T) -> Checked {
    if known == truth {
        return Ok(());
    }
    violated(Invariant::Knowledge, format!("{what} are\n  {truth:?}\nand the scheduler knows\n  {known:?}"))
}

fn is_ours(pod: &Pod) -> bool {
    &*pod.scheduler_name != FOREIGN
}

fn is_to_come(pod: &Pod) -> bool {
    pod.node.is_none() && !pod.terminating && !pod.phase.is_terminal()
}

fn waits(pod: &Pod) -> bool {
    is_to_come(pod) && pod.gates.is_empty()
}

fn violated(invariant: Invariant, what: String) -> Checked {
    Err(violation(invariant, what))
}

fn violation(invariant: Invariant, what: String) -> Violation {
    Violation { invariant, what }
}
