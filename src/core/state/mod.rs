//! The state machine: events go in by [`State::apply`], actions come out of [`State::next`].
//!
//! It owns everything the scheduler knows. The shell feeds it watches and outcomes, executes its actions,
//! and calls `next` until there is nothing left to do.

mod action;
mod bind;
mod bounds;
mod cache;
mod config;
mod defect;
mod delays;
mod event;
mod flight;
mod healing;
mod judge;
mod known;
mod objects;
mod preempt;
mod preemptions;
mod queue;
mod storage;
#[cfg(test)]
mod tests;
mod tombstone;
mod volumes;
mod watch;
mod watched;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub use action::{
    Action, Announcement, BackupPod, BackupsTurn, Binding, CoverTurn, CoverTurned, CoverWrite, DelayTurn,
    NominatedNode, Preempted, Preemption, Report, ReportReason, Victim, WriteVolumes,
};
pub use bounds::Violation;
pub use cache::{Cache, Placed};
pub use config::{Backoff, Config};
pub(crate) use defect::Defect;
pub use event::{
    BindOutcome, Change, CoverOutcome, Event, PodRef, PreemptOutcome, ReadOutcome, VolumesOutcome,
};
pub use healing::{
    CONFIRMED_ANNOTATION, CoverCount, CoverInUse, EvictOutcome, Evicted, Eviction, FAILOVER_ANNOTATION,
    FENCED_ANNOTATION, FENCED_BY_US, Fate, Fence, HandoverTaint, HealingRules, HealthNews, HealthView, Knock,
    LessReserve, MoveNotice, MoveReason, MoveTurn, NodeNotice, NodeReason, OUT_OF_SERVICE, RelocateOutcome,
    Relocation, ReserveGap, is_healed,
};
pub use known::KnownPart;
pub use queue::{Incoming, Queue, QueueLen, Queued};
pub use storage::StorageChange;
pub use watched::{Watched, WatchedSet};

use crate::delay::DelayTable;
use crate::model::{Name, Pod, PodKey, PodUid, Time};
#[cfg(test)]
use crate::placement::place;
use crate::placement::{
    ClusterEvent, Decision, Memory, Observer, Placement, PluginSet, Profile, Snapshot, Unobserved,
    place_observed,
};
use bounds::Bounds;
use flight::{Awaits, Flight, Flights};
use healing::{Cover, Handovers, Healing, Tried};
use preemptions::Preemptions;
use tombstone::Tombstones;

/// How often waiting pods are looked over for those that waited too long (upstream: 30 s).
const FLUSH_INTERVAL: Duration = Duration::from_secs(30);

/// How often what is due is done at one moment, at most, until nothing is.
const ROUNDS: usize = 8;

/// The scheduler's state.
pub struct State {
    config: Config,
    profile_by_name: HashMap<Name, usize>,
    snapshot: Snapshot,
    memory: Memory,
    cache: Cache,
    queue: Queue,
    flights: Flights,
    actions: VecDeque<Action>,
    tombstones: Tombstones,
    preemptions: Preemptions,
    bounds: Bounds,
    healing: Healing,
    cover: Cover,
    handovers: Handovers,
    /// The kinds of which everything there is was told once.
    listed: WatchedSet,
    leads: bool,
    next_flush: Time,
    next_sweep: Time,
    #[cfg(test)]
    defect: Option<Defect>,
}

// === impl State ===

impl State {
    /// A state that knows nothing yet.
    pub fn new(config: Config) -> Self {
        let delays = DelayTable::new(config.delays.clone());
        let names = config.profiles.iter().enumerate();
        let profile_by_name = names.map(|(idx, profile)| (profile.scheduler_name.clone(), idx)).collect();
        let healing = Healing::new(config.healing.clone());
        Self {
            config,
            healing,
            profile_by_name,
            snapshot: Snapshot { delays, ..Snapshot::default() },
            memory: Memory::default(),
            cache: Cache::default(),
            queue: Queue::default(),
            flights: Flights::default(),
            actions: VecDeque::new(),
            tombstones: Tombstones::default(),
            preemptions: Preemptions::default(),
            bounds: Bounds::default(),
            cover: Cover::default(),
            handovers: Handovers::default(),
            listed: WatchedSet::default(),
            leads: true,
            next_flush: Time::ZERO,
            next_sweep: Time::ZERO,
            #[cfg(test)]
            defect: None,
        }
    }

    /// Takes in an event that happened by `now`.
    pub fn apply(&mut self, event: Event, now: Time) {
        match event {
            Event::Pods(change) => self.apply_pods(change, now),
            Event::Nodes(change) => self.apply_nodes(change, now),
            Event::Namespaces(change) => self.apply_namespaces(change, now),
            Event::DisruptionBudgets(change) => self.apply_budgets(change),
            Event::Storage(change) => self.apply_storage(change, now),
            Event::Selectors(kind, change) => self.apply_selectors(kind, change, now),
            Event::Delays(rows) => self.apply_delays(&rows, now),
            Event::Measured(reports) => self.apply_measured(&reports, now),
            Event::Bind(pod, outcome) => self.apply_bind(&pod, outcome, now),
            Event::Volumes(pod, outcome) => self.apply_volumes(&pod, outcome, now),
            Event::Read(pod, outcome) => self.apply_read(&pod, outcome, now),
            Event::Preempted(preemption, outcome) => self.apply_preempted(&preemption, outcome, now),
            Event::Health(news) => self.apply_health(news, now),
            Event::Evicted(eviction, outcome) => self.apply_evicted(&eviction, outcome, now),
            Event::Relocated(relocation, outcome) => self.apply_relocated(&relocation, outcome, now),
            Event::LessReserve(found) => self.apply_less_reserve(*found, now),
            Event::BackupMade(key, outcome) => self.apply_backup_made(&key, &outcome, now),
            Event::BackupTaken(pod, outcome) => self.apply_backup_taken(&pod, &outcome, now),
            Event::NodeTainted(taint, outcome) => self.apply_tainted(&taint, &outcome, now),
            Event::NodeFenced(fence, outcome) => self.apply_fenced(&fence, &outcome, now),
            Event::CoverWritten(write, outcome) => self.apply_cover_written(&write, &outcome, now),
            Event::Leads(leads) => {
                self.leads = leads;
                self.cover_all_due();
            }
        }
    }

    /// The next thing to do at `now`, if there is any.
    pub fn next(&mut self, now: Time) -> Option<Action> {
        self.next_observed(now, &mut Unobserved)
    }

    /// The same, with somebody who watches how pods are judged.
    pub fn next_observed(&mut self, now: Time, observer: &mut dyn Observer) -> Option<Action> {
        if !self.is_synced() {
            return None;
        }
        // What is done last may give those something to do who come first.
        for _ in 0..ROUNDS {
            self.do_what_is_due(now, observer);
            if !self.actions.is_empty() || self.wake_at() > now {
                break;
            }
        }
        self.actions.pop_front()
    }

    fn do_what_is_due(&mut self, now: Time, observer: &mut dyn Observer) {
        self.run_timers(now);
        self.find_anchors(now);
        while self.actions.is_empty() && self.may_bind() {
            if self.bind_next_in_turn() {
                continue;
            }
            let Some(queued) = self.queue.pop(now) else { break };
            self.attempt(queued, now, observer);
        }
        while self.actions.is_empty() && self.look_after_cover(now) {}
    }

    /// When `next` may have something to do though no event came in.
    pub fn wake_at(&self) -> Time {
        if !self.is_synced() {
            return Time::NEVER;
        }
        if self.bounds.is_unsure() || self.may_bind() && self.flights.has_turn() {
            return Time::ZERO;
        }
        let retry = if self.may_bind() { self.queue.next_due() } else { None };
        let flights = if self.leads { self.flights.next_due() } else { None };
        let delays = self.snapshot.delays.next_review();
        let healing = Some(self.healing.next_due());
        let cover = self.cover_wakes_at();
        let handovers = Some(self.handovers_wake_at());
        let moves = if self.leads { Some(self.healing.moves_wake_at()) } else { None };
        let timers = [
            retry,
            flights,
            delays,
            healing,
            cover,
            handovers,
            moves,
            Some(self.next_flush),
            Some(self.next_sweep),
        ];
        timers.into_iter().flatten().min().unwrap_or(Time::NEVER)
    }

    /// What pods are judged against, for explanations and tests.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The waiting pods.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The placed pods.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// How many bindings are on their way.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// For how many pods others are being taken away.
    pub fn preempting(&self) -> usize {
        self.preemptions.len()
    }

    /// Whether others are being taken away for the pod. It is not tried again before they go.
    pub fn is_preempting(&self, pod: &PodUid) -> bool {
        self.preemptions.is_running(pod)
    }

    /// The profile that judges the pods of this scheduler name.
    pub fn profile(&self, scheduler_name: &str) -> Option<&Profile> {
        self.config.profiles.get(*self.profile_by_name.get(scheduler_name)?)
    }

    /// Whether everything there is was told, of each kind that decisions depend on.
    pub fn is_synced(&self) -> bool {
        self.listed.contains_all(self.config.watched)
    }

    /// Whether one more binding may be sent.
    fn may_bind(&self) -> bool {
        self.leads && self.flights.len() < self.config.max_in_flight
    }

    fn run_timers(&mut self, now: Time) {
        while self.leads
            && let Some(flight) = self.flights.take_due(now)
        {
            self.retry_flight(flight, now);
        }
        self.review_delays(now);
        self.heal(now);
        self.look_after_handovers(now);
        self.look_after_moves(now);
        if self.cover_is_overdue(now) {
            self.look_after_cover(now);
        }
        if self.next_flush <= now {
            self.next_flush = now + FLUSH_INTERVAL;
            for key in self.queue.unschedulable_for(self.config.max_unschedulable, now) {
                self.requeue(&key, queue::TIMEOUT, now);
            }
            self.tombstones.sweep(now);
        }
        if self.next_sweep <= now {
            self.next_sweep = now + self.config.delay_sweep;
            self.sweep_delays();
        }
    }

    // --- deciding ---

    /// Tries one pod.
    fn attempt(&mut self, mut queued: Queued, now: Time, observer: &mut dyn Observer) {
        queued.first_tried.get_or_insert(now);
        queued.tried = now;
        let mut queued = match self.try_holds(queued, now) {
            Tried::Done => return,
            Tried::NotHeld(queued) => queued,
        };
        let pod = queued.pod.clone();
        let Some(profile) = self.profile_by_name.get(&pod.scheduler_name) else { return };
        let Some(profile) = self.config.profiles.get(*profile) else { return };
        let decision = place_observed(&self.snapshot, &pod, profile, &mut self.memory, observer);
        #[cfg(test)]
        assert_eq!(outcome(&decision), outcome(&place(&self.snapshot, &pod, profile)), "{}", pod.key);
        match decision {
            Decision::AwaitDelays(nodes) => {
                self.queue.add_awaiting_delays(queued, now);
                self.use_delays(&nodes);
            }
            Decision::Place(placement) => {
                queued.attempts += 1;
                self.assume_and_bind(queued, placement, now);
            }
            Decision::Reject(fit_error) => {
                queued.attempts += 1;
                self.park(queued, *fit_error, now);
            }
            Decision::Fail(message) => {
                queued.attempts += 1;
                queued.error_count += 1;
                self.denominate(&pod, None, now);
                self.report(&mut queued, ReportReason::SchedulerError, message);
                self.queue.add_after_error(queued, self.config.backoff, now);
            }
        }
    }

    fn assume_and_bind(&mut self, queued: Queued, placement: Placement, now: Time) {
        let pod = queued.pod.clone();
        let Placement { slot, node, annotations, feasible: _, volumes } = placement;
        self.denominate(&pod, Some(slot), now);
        if !self.has(Defect::NoAssumedPods) {
            self.cache.put(&mut self.snapshot, Placed { pod: pod.clone(), slot, confirmed: false });
        }
        self.cover_assumed(&pod, slot, &annotations, now);
        self.note_successor(&pod, slot, now);
        let binding = Binding { pod: PodRef::of(&pod), node, annotations };
        if let Some(plan) = volumes {
            self.write_volumes(queued, binding, plan);
        } else {
            self.actions.push_back(Action::Bind(binding.clone()));
            let awaits = Awaits::Outcome;
            self.flights.put(Flight { binding, queued, awaits, failures: 0, volumes: Vec::new() });
        }
        self.wake(&ClusterEvent::PodPlaced(&pod), now);
    }

    fn report(&mut self, queued: &mut Queued, reason: ReportReason, message: String) {
        let nominated_node = self.nomination_to_write(queued);
        queued.nomination_told |= nominated_node != NominatedNode::Unchanged;
        let pod = &queued.pod;
        self.actions.push_back(Action::Report(Report {
            pod: PodRef::of(pod),
            scheduler_name: pod.scheduler_name.clone(),
            generation: pod.generation,
            reason,
            condition_changed: queued.reported.as_ref() != Some(&message),
            first: queued.reported.is_none(),
            tried: queued.tried,
            message: message.clone(),
            nominated_node,
        }));
        queued.reported = Some(message);
    }

    /// Tries again the pods that `event` may have cured.
    fn wake(&mut self, event: &ClusterEvent<'_>, now: Time) {
        self.wake_up_to(event, i32::MAX, now);
    }

    /// The same, of those of at most this priority.
    fn wake_up_to(&mut self, event: &ClusterEvent<'_>, priority: i32, now: Time) {
        self.note_moved_anchors(event);
        self.cover_notes(event);
        let cured = |pod: &Pod, rejected_by: PluginSet| {
            pod.priority <= priority && self.may_cure(event, pod, rejected_by)
        };
        for key in self.queue.curable(cured) {
            self.requeue(&key, event.label(), now);
        }
    }

    /// Whether `event` may have cured a pod that these plugins rejected.
    fn may_cure(&self, event: &ClusterEvent<'_>, pod: &Pod, rejected_by: PluginSet) -> bool {
        let Some(profile) = self.profile(&pod.scheduler_name) else { return false };
        // A pod that no plugin rejected waits for a node to be there at all.
        (rejected_by.is_empty() && matches!(event, ClusterEvent::NodeAdded(_)))
            || profile
                .plugins()
                .iter()
                .any(|enabled| rejected_by.contains(enabled.idx) && enabled.plugin.cured_by(pod, event))
    }

    /// Tries a waiting pod again, after its backoff if that still lasts, and once its victims go.
    fn requeue(&mut self, key: &PodKey, cause: &'static str, now: Time) {
        let held = self.queue.get(key).is_some_and(|queued| self.preemptions.hold(&queued.pod.uid));
        if !held {
            self.queue.requeue(key, cause, self.config.backoff, now);
        }
    }
}

/// What a decision comes to, to compare it with the one that is made without memory.
#[cfg(test)]
fn outcome(decision: &Decision) -> Option<(crate::placement::NodeSlot, usize)> {
    match decision {
        Decision::Place(placement) => Some((placement.slot, placement.feasible)),
        Decision::Reject(_) | Decision::AwaitDelays(_) | Decision::Fail(_) => None,
    }
}
