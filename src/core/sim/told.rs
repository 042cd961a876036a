//! The way from the server and the source of delays to the scheduler.

use super::run::{Run, Step};
use super::server::{Fact, Write};
use super::stream::{Delivery, Kind};
use super::trace::Sight;
use crate::delay::{DelayRow, Report};
use crate::model::Time;
use crate::state::{Change, Event, State};

// === impl Run ===

impl Run {
    /// The watches tell of what was written.
    pub(super) fn spread_writes(&mut self) {
        for write in self.world.server.take_writes() {
            if let Fact::Pods(Change::Put(pod)) = &write.fact {
                self.checks.is_bound(pod);
            }
            self.trace.note(self.now, format_args!("written: {write}"));
            let stream = self.streams.of(write.fact.kind());
            let sent = stream.written(&write, &self.faults.watch, &mut self.rng, self.now);
            self.send(sent);
        }
    }

    /// A message of a watch arrives, unless its connection is broken.
    pub(super) fn deliver(&mut self, delivery: &Delivery) {
        let stream = self.streams.of(delivery.kind);
        let (arrives, again) = stream.arrives(delivery, &self.faults.watch, &mut self.rng, self.now);
        self.send(again.into_iter().collect());
        if !arrives {
            self.trace.saw(Sight::MissedWrite);
            return;
        }
        if delivery.is_straggler() {
            self.trace.saw(Sight::Straggler);
        }
        if delivery.write.fact.is_list() && self.state.as_ref().is_some_and(|state| state.in_flight() > 0) {
            self.trace.saw(Sight::ListWithBindingsInFlight);
        }
        self.trace.note(self.now, format_args!("told: {}", delivery.write));
        for event in self.view.events_of(&delivery.write.fact) {
            self.tell(&event);
        }
    }

    /// A watch breaks, now and then.
    pub(super) fn break_watches(&mut self) {
        for kind in self.watched().iter().copied() {
            let stream = self.streams.of(kind);
            if stream.is_connected() && self.rng.chance(self.faults.watch.broken) {
                stream.disconnect();
                self.trace.note(self.now, format_args!("the watch of {kind:?} breaks"));
                self.plan_in(1, 5_000, Step::Connect(self.incarnation, kind));
            }
        }
    }

    /// All watches break, and are taken up when the server is reached again.
    pub(super) fn break_all_watches(&mut self) {
        for kind in self.watched().iter().copied() {
            let stream = self.streams.of(kind);
            if stream.is_connected() {
                stream.disconnect();
                self.plan_in(1, 5_000, Step::Connect(self.incarnation, kind));
            }
        }
    }

    /// A watch begins.
    pub(super) fn connect(&mut self, kind: Kind) {
        if self.is_cut_off() {
            let at = self.server_cut_until + self.rng.millis(1, 5_000);
            self.plan(at, Step::Connect(self.incarnation, kind));
            return;
        }
        let stream = self.streams.of(kind);
        let resumes = stream.can_resume() && self.rng.chance(self.faults.watch.resumed);
        self.trace.note(self.now, format_args!("the watch of {kind:?} begins, resumed: {resumes}"));
        let sent = if resumes {
            self.trace.saw(Sight::ResumedWatch);
            stream.resume(&self.faults.watch, &mut self.rng, self.now)
        } else {
            let server = &self.world.server;
            let fact = match kind {
                Kind::Pods => Fact::Pods(Change::Reset(server.pods.values().cloned().collect())),
                Kind::Nodes => Fact::Nodes(Change::Reset(server.nodes.values().cloned().collect())),
                Kind::Leases => Fact::Leases(Change::Reset(server.leases.values().cloned().collect())),
                Kind::Agents => Fact::Agents(Change::Reset(server.sightings.values().cloned().collect())),
            };
            let slow = self.rng.chance(self.faults.watch.late);
            vec![stream.list(&Write { revision: server.revision, fact }, &mut self.rng, self.now, slow)]
        };
        self.send(sent);
    }

    /// The source of delays sends rows. They come in the order in which they were sent.
    pub(super) fn send_delays(&mut self, rows: Vec<DelayRow>) {
        if rows.is_empty() {
            return;
        }
        let takes = if self.rng.chance(self.faults.watch.late) { 3_000 } else { 20 };
        self.delays_at = self.delays_at.max(self.now + self.rng.millis(1, takes));
        self.plan(self.delays_at, Step::Tell(self.incarnation, Event::Delays(rows)));
    }

    /// A report is on its way. Those of one node come in the order in which they were sent.
    pub(super) fn send_report(&mut self, report: &Report) {
        let faults = self.faults.report.clone();
        if self.is_cut_off() || self.rng.chance(faults.missing) {
            return;
        }
        for _ in 0..=usize::from(self.rng.chance(faults.doubled)) {
            let takes = if self.rng.chance(faults.late) { 5_000 } else { 50 };
            let last = self.reports_at.get(&report.from).copied().unwrap_or(Time::ZERO);
            let at = last.max(self.now + self.rng.millis(1, takes));
            self.reports_at.insert(report.from.clone(), at);
            let event = Event::Measured(vec![report.clone()]);
            self.plan(at, Step::Tell(self.incarnation, event));
        }
    }

    /// The scheduler is told something, and so is its view.
    pub(super) fn tell(&mut self, event: &Event) {
        match event {
            Event::Bind(pod, outcome) => {
                self.trace.note(self.now, format_args!("told: {} {outcome:?}", pod.key));
            }
            Event::Read(pod, outcome) => {
                self.trace.note(self.now, format_args!("told: {} {outcome:?}", pod.key));
            }
            Event::Delays(rows) => self.trace.note(self.now, format_args!("told: {rows:?}")),
            Event::Measured(reports) => self.trace.note(self.now, format_args!("told: {reports:?}")),
            Event::Preempted(preemption, outcome) => {
                self.trace.note(self.now, format_args!("told: {} {outcome:?}", preemption.preemptor.key));
            }
            Event::Pods(_)
            | Event::Nodes(_)
            | Event::Namespaces(_)
            | Event::DisruptionBudgets(_)
            | Event::Storage(_)
            | Event::Volumes(..)
            | Event::Selectors(..)
            | Event::Health(_)
            | Event::Evicted(..)
            | Event::Relocated(..)
            | Event::LessReserve(_)
            | Event::BackupMade(..)
            | Event::BackupTaken(..)
            | Event::NodeTainted(..)
            | Event::NodeFenced(..)
            | Event::CoverWritten(..)
            | Event::Leads(_) => (),
        }
        self.view.told(event);
        let event = self.as_read(event);
        if let Some(state) = &mut self.state {
            State::apply(state, event, self.now);
        }
    }

    fn send(&mut self, sent: Vec<(Time, Delivery)>) {
        for (at, delivery) in sent {
            self.plan(at, Step::Deliver(self.incarnation, delivery));
        }
    }
}
