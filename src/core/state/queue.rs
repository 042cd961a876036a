//! Pods that wait (upstream: `pkg/scheduler/backend/queue`).
//!
//! A waiting pod is in one place: *active*, to be tried next; *backoff*, to be tried when its time is
//! up; *unschedulable*, until something happens that may cure it; *gated*, until its gates are gone;
//! *awaiting delays*, until the rows it is judged by are loaded. A pod being bound is in none of them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::Backoff;
use crate::delay::{DelayConstraints, Falls};
use crate::model::{Delay, Pod, PodKey, Time};
use crate::placement::PluginSet;
use crate::placement::plugins::priority_sort;

/// The waiting pods.
#[derive(Debug, Default)]
pub struct Queue {
    entries: HashMap<PodKey, Entry>,
    active: BTreeSet<ActiveOrder>,
    /// Pods that failed to fit, by the end of their backoff. The best of them is tried early when nothing
    /// is active (upstream: `SchedulerPopFromBackoffQ`).
    backoff: BTreeSet<(Time, PodKey)>,
    /// Pods whose attempt met an error, by the end of their backoff, which is always waited for: a
    /// failing server is not to be stormed.
    error_backoff: BTreeSet<(Time, PodKey)>,
    /// Pods that fit nowhere, and what rejected each. Every change in the cluster is held against these
    /// alone, so that it does not matter how many wait for their turn.
    unschedulable: BTreeMap<PodKey, (Arc<Pod>, PluginSet)>,
    /// The bounds of the delay constraints that those have, each as often as it occurs: delays change all the time,
    /// and most changes concern nobody.
    bounds: BTreeMap<Delay, usize>,
    next_seq: u64,
    incoming: Incoming,
}

/// How many pods have come into each queue, and by what (upstream: `scheduler_queue_incoming_pods_total`).
pub type Incoming = BTreeMap<(&'static str, &'static str), u64>;

/// Causes that are no event of the cluster (upstream: `pkg/scheduler/framework/events.go`).
const FAILURE: &str = "ScheduleAttemptFailure";
const BACKOFF_COMPLETE: &str = "BackoffComplete";
const POP_FROM_BACKOFF: &str = "PopFromBackoffQ";
/// A pod is new, or different; waiting too long.
pub(super) const POD_ADD: &str = "UnschedulablePodAdd";
pub(super) const POD_UPDATE: &str = "UnschedulablePodUpdate";
pub(super) const TIMEOUT: &str = "UnschedulableTimeout";
/// A pod that took up room, or was to, is gone.
pub(super) const POD_DELETE: &str = "AssignedPodDelete";

/// A pod in the queue, with its history.
#[derive(Clone, Debug)]
pub struct Queued {
    /// The pod.
    pub pod: Arc<Pod>,
    /// When it was first seen.
    pub first_seen: Time,
    /// When it was first tried, and when last.
    pub first_tried: Option<Time>,
    /// When it was last tried.
    pub tried: Time,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it was found to fit nowhere.
    pub unschedulable_count: u32,
    /// How many errors its last attempts met in a row.
    pub error_count: u32,
    /// What was last reported of it.
    pub reported: Option<String>,
    /// Whether something was written of its nomination that the watch may not have told of yet.
    pub nomination_told: bool,
    /// Since when it waits and its place among those that came with it, from when it was last active.
    turn: (Time, u64),
}

#[derive(Debug)]
struct Entry {
    queued: Queued,
    place: Place,
    /// When it came to this place from an attempt, which its backoff is counted from.
    since: Time,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Active(ActiveOrder),
    Backoff(Time),
    ErrorBackoff(Time),
    Unschedulable(PluginSet),
    Gated,
    AwaitingDelays,
}

/// A pod's place among the active ones: by PrioritySort, then in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ActiveOrder {
    priority: i32,
    since: Time,
    seq: u64,
    key: PodKey,
}

/// How many pods wait, by place (upstream: `scheduler_pending_pods`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueLen {
    /// To be tried next.
    pub active: usize,
    /// Waiting for their time.
    pub backoff: usize,
    /// Waiting for a cure.
    pub unschedulable: usize,
    /// Held by gates.
    pub gated: usize,
}

// === impl Queued ===

impl Queued {
    /// A pod that was never tried.
    pub fn new(pod: Arc<Pod>, now: Time) -> Self {
        Self {
            pod,
            first_seen: now,
            first_tried: None,
            tried: now,
            attempts: 0,
            unschedulable_count: 0,
            error_count: 0,
            reported: None,
            nomination_told: false,
            turn: (now, 0),
        }
    }
}

// === impl ActiveOrder ===

impl Ord for ActiveOrder {
    fn cmp(&self, other: &Self) -> Ordering {
        priority_sort::compare((self.priority, self.since), (other.priority, other.since))
            .then_with(|| self.seq.cmp(&other.seq))
            .then_with(|| self.key.cmp(&other.key))
    }
}

impl PartialOrd for ActiveOrder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

// === impl Queue ===

impl Queue {
    /// The waiting pod of this name, if there is one.
    pub fn get(&self, key: &PodKey) -> Option<&Queued> {
        self.entries.get(key).map(|entry| &entry.queued)
    }

    /// All waiting pods, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Queued> {
        self.entries.values().map(|entry| &entry.queued)
    }

    /// Adds a pod to be tried next.
    pub fn add_active(&mut self, mut queued: Queued, cause: &'static str, now: Time) {
        self.count("active", cause);
        let place = self.active_place(&mut queued, now);
        self.insert(queued, place, now);
    }

    /// Adds a pod that a gate holds.
    pub fn add_gated(&mut self, queued: Queued, cause: &'static str, now: Time) {
        self.count("unschedulable", cause);
        self.insert(queued, Place::Gated, now);
    }

    /// Adds a pod that these plugins rejected.
    pub fn add_unschedulable(&mut self, queued: Queued, rejected_by: PluginSet, now: Time) {
        self.count("unschedulable", FAILURE);
        self.insert(queued, Place::Unschedulable(rejected_by), now);
    }

    /// Adds a pod that is judged again when the delays it needs are loaded.
    pub fn add_awaiting_delays(&mut self, queued: Queued, now: Time) {
        self.insert(queued, Place::AwaitingDelays, now);
    }

    /// Adds a pod whose attempt met an error; `queued.error_count` says how many in a row.
    pub fn add_after_error(&mut self, queued: Queued, backoff: Backoff, now: Time) {
        self.count("backoff", FAILURE);
        let until = now + backoff.after(queued.error_count);
        self.insert(queued, Place::ErrorBackoff(until), now);
    }

    /// Replaces what is known of a waiting pod, which stays where it is.
    pub fn update(&mut self, pod: Arc<Pod>) {
        let Some(mut entry) = self.take(&pod.key) else { return };
        entry.queued.pod = pod;
        if let Place::Active(order) = &mut entry.place {
            order.priority = entry.queued.pod.priority;
        }
        self.put(entry);
    }

    /// Notes whether something was written of the pod's nomination that the watch may not have told of yet.
    pub fn set_nomination_told(&mut self, key: &PodKey, told: bool) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.queued.nomination_told = told;
        }
    }

    /// Takes a pod out.
    pub fn remove(&mut self, key: &PodKey) -> Option<Queued> {
        self.take(key).map(|entry| entry.queued)
    }

    /// Takes out the pod to be tried next.
    pub fn pop(&mut self, now: Time) -> Option<Queued> {
        if let Some(order) = self.active.first() {
            let next = order.key.clone();
            return self.remove(&next);
        }
        let (next, cause) = match self.due_error(now) {
            Some(key) => (key, BACKOFF_COMPLETE),
            None => (self.backoff.first()?.1.clone(), POP_FROM_BACKOFF),
        };
        self.count("active", cause);
        self.remove(&next)
    }

    /// Tries a waiting pod again because of `cause`, after its backoff if that still lasts.
    pub fn requeue(&mut self, key: &PodKey, cause: &'static str, backoff: Backoff, now: Time) {
        let Some(Entry { mut queued, since, .. }) = self.take(key) else { return };
        let until = since + backoff.after(queued.unschedulable_count);
        let over = queued.unschedulable_count == 0 || until <= now;
        self.count(if over { "active" } else { "backoff" }, cause);
        let place = if over { self.active_place(&mut queued, since) } else { Place::Backoff(until) };
        self.put(Entry { queued, place, since });
    }

    /// Tries the pods again that await delays, each in the turn that it had.
    pub fn resume_awaiting_delays(&mut self) {
        for key in self.keys_where(|entry| entry.place == Place::AwaitingDelays) {
            let Some(Entry { queued, since, .. }) = self.take(&key) else { continue };
            let (turn, seq) = queued.turn;
            let place = Place::Active(ActiveOrder { priority: queued.pod.priority, since: turn, seq, key });
            self.put(Entry { queued, place, since });
        }
    }

    /// The unschedulable pods for which `cured` holds, given what rejected each.
    pub fn curable(&self, cured: impl Fn(&Pod, PluginSet) -> bool) -> Vec<PodKey> {
        let is_cured = |(_, (pod, rejected_by)): &(&PodKey, &(Arc<Pod>, PluginSet))| cured(pod, *rejected_by);
        self.unschedulable.iter().filter(is_cured).map(|(key, _)| key.clone()).collect()
    }

    /// Whether an unschedulable pod has a bound that some delay has come within.
    pub fn has_bound_within(&self, falls: &Falls) -> bool {
        self.bounds.keys().any(|bound| falls.cross(*bound))
    }

    /// The unschedulable pods that have waited for at least this long.
    pub fn unschedulable_for(&self, waited: Duration, now: Time) -> Vec<PodKey> {
        let has_waited =
            |key: &&PodKey| self.entries.get(*key).is_some_and(|entry| now.since(entry.since) >= waited);
        self.unschedulable.keys().filter(has_waited).cloned().collect()
    }

    /// When an error backoff ends that `pop` has to wait for.
    pub fn next_due(&self) -> Option<Time> {
        self.error_backoff.first().map(|(until, _)| *until)
    }

    /// How many pods have come into each queue so far, and by what.
    pub fn incoming(&self) -> &Incoming {
        &self.incoming
    }

    /// The unschedulable pods and the plugins that rejected each.
    pub fn unschedulable(&self) -> impl Iterator<Item = (&Pod, PluginSet)> {
        self.unschedulable.values().map(|(pod, rejected_by)| (pod.as_ref(), *rejected_by))
    }

    /// How many pods wait where.
    pub fn len(&self) -> QueueLen {
        let mut len = QueueLen { active: self.active.len(), ..QueueLen::default() };
        for entry in self.entries.values() {
            match entry.place {
                Place::Active(_) => (),
                Place::Backoff(_) | Place::ErrorBackoff(_) => len.backoff += 1,
                Place::Unschedulable(_) | Place::AwaitingDelays => len.unschedulable += 1,
                Place::Gated => len.gated += 1,
            }
        }
        len
    }

    fn count(&mut self, queue: &'static str, cause: &'static str) {
        *self.incoming.entry((queue, cause)).or_default() += 1;
    }

    fn keys_where(&self, holds: impl Fn(&Entry) -> bool) -> Vec<PodKey> {
        let mut keys: Vec<PodKey> = self
            .entries
            .values()
            .filter(|entry| holds(entry))
            .map(|entry| entry.queued.pod.key.clone())
            .collect();
        keys.sort_unstable();
        keys
    }

    fn due_error(&self, now: Time) -> Option<PodKey> {
        self.error_backoff.first().filter(|(until, _)| *until <= now).map(|(_, key)| key.clone())
    }

    fn active_place(&mut self, queued: &mut Queued, since: Time) -> Place {
        self.next_seq += 1;
        queued.turn = (since, self.next_seq);
        let Pod { priority, key, .. } = &*queued.pod;
        Place::Active(ActiveOrder { priority: *priority, since, seq: self.next_seq, key: key.clone() })
    }

    fn insert(&mut self, queued: Queued, place: Place, now: Time) {
        self.take(&queued.pod.key);
        self.put(Entry { queued, place, since: now });
    }

    fn put(&mut self, entry: Entry) {
        let key = entry.queued.pod.key.clone();
        match &entry.place {
            Place::Active(order) => _ = self.active.insert(order.clone()),
            Place::Backoff(until) => _ = self.backoff.insert((*until, key.clone())),
            Place::ErrorBackoff(until) => _ = self.error_backoff.insert((*until, key.clone())),
            Place::Unschedulable(rejected_by) => {
                self.unschedulable.insert(key.clone(), (Arc::clone(&entry.queued.pod), *rejected_by));
                for bound in bounds(&entry.queued.pod) {
                    *self.bounds.entry(bound).or_default() += 1;
                }
            }
            Place::Gated | Place::AwaitingDelays => (),
        }
        self.entries.insert(key, entry);
    }

    fn take(&mut self, key: &PodKey) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        match &entry.place {
            Place::Active(order) => _ = self.active.remove(order),
            Place::Backoff(until) => _ = self.backoff.remove(&(*until, key.clone())),
            Place::ErrorBackoff(until) => _ = self.error_backoff.remove(&(*until, key.clone())),
            Place::Unschedulable(_) => {
                self.unschedulable.remove(key);
                for bound in bounds(&entry.queued.pod) {
                    match self.bounds.get_mut(&bound) {
                        Some(count) if *count > 1 => *count -= 1,
                        _ => _ = self.bounds.remove(&bound),
                    }
                }
            }
            Place::Gated | Place::AwaitingDelays => (),
        }
        Some(entry)
    }
}

/// The bounds of a pod's delay constraints.
fn bounds(pod: &Pod) -> impl Iterator<Item = Delay> {
    let constraints = DelayConstraints::of_pod(pod).unwrap_or_default();
    constraints.list.into_iter().map(|constraint| constraint.bound)
}
