//! The loop: events to the core, actions to the cluster.

use std::convert::Infallible;
use std::time::Duration;

use edge_core::model::NodeName;
use edge_core::state::{Action, Event, State};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::info;

use crate::clock::Clock;
use crate::cluster::Actor;
use crate::lease::Tenure;
use crate::metrics::{CycleTimer, Facts, Interest, PodAmounts, Query, SchedulerMetrics};
use crate::serving::Health;

/// How many events or actions are worked on before other tasks get their turn.
const TURN: usize = 64;
/// How long the end waits for bindings that are on their way.
const LAST_BINDINGS: Duration = Duration::from_secs(2);

/// The core, and what it talks with.
pub(super) struct Scheduler {
    pub(super) state: State,
    pub(super) clock: Clock,
    pub(super) incoming: mpsc::Receiver<Event>,
    pub(super) queries: mpsc::Receiver<Query>,
    pub(super) actor: Actor,
    pub(super) in_use: watch::Sender<Vec<NodeName>>,
    pub(super) health: Health,
    pub(super) tenure: Tenure,
    /// The name of the Lease, if there is an election.
    pub(super) lease: Option<String>,
    pub(super) metrics: SchedulerMetrics,
    pub(super) timer: CycleTimer,
}

// === impl Scheduler ===

impl Scheduler {
    pub(super) fn apply(&mut self, event: Event) {
        self.state.apply(event, self.clock.now());
        self.health.set_synced(self.state.is_synced());
    }

    /// Schedules.
    pub(super) async fn work(&mut self) -> Infallible {
        loop {
            if self.turn() {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                Some(event) = self.incoming.recv() => self.apply(event),
                Some(query) = self.queries.recv() => self.answer(query),
                () = sleep(self.clock.until(self.state.wake_at())) => (),
            }
        }
    }

    /// Begins nothing any more and sees to the end what is on its way.
    pub(super) async fn resign(&mut self) {
        self.health.set_ending();
        self.apply(Event::Leads(false));
        let drained = async {
            loop {
                while self.turn() {}
                tokio::select! {
                    Some(event) = self.incoming.recv() => self.apply(event),
                    one_ended = self.actor.one_ended() => if !one_ended { break },
                }
            }
        };
        if timeout(LAST_BINDINGS, drained).await.is_err() {
            info!("some bindings are still on their way; they are given up");
        }
        while self.turn() {}
    }

    /// Works for a while; whether there may be more to do at once.
    fn turn(&mut self) -> bool {
        for _ in 0..TURN {
            let Ok(event) = self.incoming.try_recv() else { break };
            self.apply(event);
        }
        while let Ok(query) = self.queries.try_recv() {
            self.answer(query);
        }
        for _ in 0..TURN {
            let action = self.state.next_observed(self.clock.now(), &mut self.timer);
            self.timer.finish();
            let Some(action) = action else { return !self.incoming.is_empty() };
            self.execute(action);
        }
        true
    }

    fn execute(&mut self, action: Action) {
        match &action {
            Action::Announce(announcement) => self.metrics.bound(announcement, self.clock.now()),
            Action::Report(report) => self.metrics.failed(report, self.clock.now()),
            Action::Preempt(preemption) => self.metrics.preempted(preemption),
            Action::AnnounceEvicted(evicted) => self.metrics.evicted(evicted),
            Action::AnnounceMove(notice) => self.metrics.moved(notice),
            _ => (),
        }
        match action {
            Action::UseDelays(nodes) => _ = self.in_use.send_replace(nodes),
            Action::Bind(_)
            | Action::WriteVolumes(_)
            | Action::Read(_)
            | Action::Report(_)
            | Action::Announce(_)
            | Action::AnnounceDelay(_)
            | Action::Preempt(_)
            | Action::AnnouncePreempted(_)
            | Action::Evict(_)
            | Action::AnnounceEvicted(_)
            | Action::Relocate(_)
            | Action::AnnounceMove(_)
            | Action::Knock(_)
            | Action::TellNode(_)
            | Action::Nominate(..)
            | Action::CreateBackup(_)
            | Action::DeleteBackup(_)
            | Action::TaintNode(_)
            | Action::FenceNode(_)
            | Action::WriteCover(_)
            | Action::AnnounceCover(_)
            | Action::AnnounceBackups(_) => {
                self.actor.execute(action);
            }
        }
    }

    /// Answers one who looks; whether they still do is no matter.
    fn answer(&self, query: Query) {
        let leads = self.tenure.is_leader();
        match query {
            Query::Facts(to) => {
                let lease = self.lease.clone().map(|name| (name, leads));
                _ = to.send(Box::new(Facts { lease, ..Facts::of(&self.state) }));
            }
            Query::Cover { always, to } => {
                let is_due = leads && (always || self.state.has_newly_uncovered());
                _ = to.send(if is_due { self.state.cover_in_use(self.clock.now()) } else { None });
            }
            Query::Interest(to) => _ = to.send(Interest::of(&self.state)),
            Query::Known { from, most, now, to } => _ = to.send(self.state.known_delays(from, most, now)),
            Query::Resources(to) => _ = to.send(leads.then(|| PodAmounts::all(&self.state))),
        }
    }
}
