//! The shell around the scheduler: it starts and dies, and what it decides is carried out.

use super::backups::CoverRequest;
use super::claims;
use super::heard::Heard;
use super::invariants::{self, Violation};
use super::make::{CUSTOM, EDGE};
use super::network::{Answered, Fate, Request, TIMEOUT};
use super::planted::Planted;
use super::run::{Run, Step};
use super::server::BindStatus;
use super::stream::{Kind, Streams};
use super::trace::Sight;
use super::view::View;
use crate::delay::{DelayRules, Turn};
use crate::model::{NodeName, PodUid};
use crate::placement::plugins::backup_reservation::BackupReservation;
use crate::placement::plugins::cloud_offload::{CloudOffload, CloudOffloadMode};
use crate::placement::{BackupMode, BackupRule, IN_PLACE_OF_ANNOTATION, MoveRule, NodeSlot, Profile};
use crate::state::{
    Action, BindOutcome, Binding, Config, CoverTurned, Event, NominatedNode, PodRef, ReadOutcome, State,
};

// === impl Run ===

impl Run {
    /// The scheduler starts, and its watches soon after.
    pub(super) fn start(&mut self) {
        let custom = CloudOffload::with_mode(CloudOffloadMode::Required);
        let rule = if self.faults.shape.covered { BackupMode::Pods } else { BackupMode::Off };
        let moves = if self.faults.shape.moving { MoveRule::on() } else { MoveRule::default() };
        let rule = BackupRule { mode: rule, moves, ..BackupRule::default() };
        let cover = || Box::new(BackupReservation { rule });
        let profiles = vec![
            Profile::with_all_plugins(EDGE).with(cover()),
            Profile::with_all_plugins(CUSTOM).with(Box::new(custom)).with(cover()),
        ];
        let delays = self.faults.shape.measured.as_ref().map_or_else(DelayRules::default, |it| it.1.clone());
        // What was reported while there was no scheduler nobody has heard.
        self.view.heard = Heard::nothing(delays.clone());
        let config = Config {
            max_in_flight: self.faults.shape.max_in_flight,
            max_unschedulable: self.faults.shape.max_unschedulable,
            delay_sweep: self.faults.shape.delay_sweep,
            delays,
            ..Config::new(profiles).of_pods_and_nodes()
        };
        let defect = self.planted.and_then(Planted::in_state);
        self.trace.note(self.now, format_args!("the scheduler starts"));
        self.state = Some(State::new(config).with_defect(defect));
        for kind in self.watched() {
            self.plan_in(1, 200, Step::Connect(self.incarnation, *kind));
        }
    }

    /// What the scheduler watches.
    pub(super) fn watched(&self) -> &'static [Kind] {
        if self.faults.shape.failing { &Kind::ALL } else { &Kind::OF_PODS_AND_NODES }
    }

    /// Whether a Lease is read again before a pod is taken off.
    pub(super) fn reads_leases(&self) -> bool {
        self.planted.is_none_or(Planted::reads_leases)
    }

    /// The scheduler dies. What it has sent is on its way; what is sent to it is lost.
    pub(super) fn crash(&mut self) {
        if self.state.take().is_none() {
            return;
        }
        self.trace.note(self.now, format_args!("the scheduler dies"));
        self.incarnation += 1;
        self.view = View { now: self.now, ..View::default() };
        self.streams = Streams::default();
        (self.delays_at, self.uses_at) = (self.now, self.now);
        self.world.delays.disconnect();
        self.plan_in(100, 3_000, Step::Start);
    }

    /// The scheduler does all that it has to do now.
    pub(super) fn pump(&mut self) -> Result<(), Violation> {
        while let Some(action) = self.state.as_mut().and_then(|state| state.next(self.now)) {
            self.trace.note(self.now, format_args!("action: {action:?}"));
            self.note_suspects();
            invariants::acts(&self.view)?;
            self.carry_out(action)?;
        }
        self.note_suspects();
        let Some(state) = &self.state else { return Ok(()) };
        invariants::rests(state, self.faults.shape.max_in_flight, self.now)
    }

    /// Which nodes the scheduler suspects. Whether it does so rightly is judged elsewhere.
    fn note_suspects(&mut self) {
        let Some(state) = self.state.as_ref().filter(|_| self.faults.shape.failing) else { return };
        let unwell = state.health().unwell.into_iter();
        self.view.suspects = unwell.map(|(name, _)| name).collect();
        let snapshot = state.snapshot();
        let takers = snapshot.backups.holds.takers();
        let (known, now) = (&self.view.takers, self.now);
        let taker = |(uid, slot): (&PodUid, NodeSlot)| {
            let since = known.get(uid).map_or(now, |(_, since)| *since);
            Some((uid.clone(), (snapshot.nodes.name(slot)?.clone(), since)))
        };
        self.view.takers = takers.filter_map(taker).collect();
    }

    fn carry_out(&mut self, action: Action) -> Result<(), Violation> {
        match action {
            Action::Bind(binding) => self.send_binding(&binding)?,
            Action::Read(pod) => self.send_reading(pod),
            Action::Report(report) => {
                if report.message.contains("no fresh delay") {
                    self.trace.saw(Sight::StaleDelay);
                }
                if report.condition_changed || report.nominated_node != NominatedNode::Unchanged {
                    self.write_status(report.pod, report.nominated_node);
                }
            }
            Action::Nominate(pod, node) => {
                self.write_status(pod, node.map_or(NominatedNode::None, NominatedNode::Is));
            }
            Action::Preempt(preemption) => self.send_preemption(preemption)?,
            // No pod has claims here, and nobody fences by us.
            Action::AnnouncePreempted(_)
            | Action::FenceNode(_)
            | Action::WriteVolumes(_)
            | Action::AnnounceEvicted(_)
            | Action::AnnounceMove(_)
            | Action::AnnounceBackups(_) => (),
            Action::Relocate(relocation) => self.send_relocation(relocation)?,
            Action::Evict(eviction) => self.send_eviction(eviction)?,
            Action::Knock(node) => self.send_knock(node),
            Action::TellNode(notice) => self.trace.told(notice.reason),
            Action::CreateBackup(backup) => self.send_cover(&CoverRequest::Make(backup)),
            Action::TaintNode(taint) => self.send_cover(&CoverRequest::Taint(taint)),
            Action::DeleteBackup(pod) => {
                if let Some(state) = &self.state {
                    claims::may_take(state, &self.view, &pod)?;
                }
                self.view.going.insert(pod.uid.clone());
                self.send_cover(&CoverRequest::Take(pod));
            }
            Action::WriteCover(write) => self.send_cover(&CoverRequest::Write(write)),
            Action::AnnounceCover(turn) => {
                let is_missing = matches!(turn.turned, CoverTurned::Missing(_));
                self.trace.saw(if is_missing { Sight::BackupMissing } else { Sight::BackupFound });
            }
            Action::AnnounceDelay(told) => {
                let is_broken = told.turn == Turn::Exceeded;
                self.trace.saw(if is_broken { Sight::BoundBroken } else { Sight::BoundKeptAgain });
                invariants::turned(&self.view, &told)?;
            }
            Action::Announce(announcement) => self.checks.announced(&announcement)?,
            Action::UseDelays(names) => {
                if !self.view.uses(&names) {
                    self.trace.saw(Sight::DelaysGivenUp);
                }
                self.uses_at = self.uses_at.max(self.now + self.rng.millis(0, 20));
                self.plan(self.uses_at, Step::UseDelays(self.incarnation, names));
            }
        }
        Ok(())
    }

    // --- requests ---

    fn send_binding(&mut self, binding: &Binding) -> Result<(), Violation> {
        if self.view.assumed.contains_key(&binding.pod.uid) {
            self.trace.saw(Sight::BindingSentAgain);
        }
        let last = self.world.server.revision;
        let known = (self.streams.of(Kind::Pods).known(last), self.streams.of(Kind::Nodes).known(last));
        if invariants::decided(&mut self.view, binding, known)? {
            self.trace.saw(Sight::LastDelays);
        }
        if binding.annotations.iter().any(|(key, _)| *key == IN_PLACE_OF_ANNOTATION) {
            self.trace.saw(Sight::Handover);
        }
        if self.dies_before() {
            self.trace.saw(Sight::CrashBeforeBinding);
            return Ok(());
        }
        let Fate { arrives, outcome } = self.fate();
        if let Some((at, answered)) = arrives {
            let mut request = Request::new(binding, self.incarnation, answered);
            if self.planted == Some(Planted::BindingWithoutUid) {
                request.uid = None;
            }
            self.plan(at, Step::Bind(request));
        }
        if let Some((at, outcome)) = outcome {
            self.plan(at, Step::Tell(self.incarnation, Event::Bind(binding.pod.clone(), outcome)));
        }
        if self.dies_after() {
            self.trace.saw(Sight::CrashAfterBinding);
        }
        Ok(())
    }

    fn send_reading(&mut self, pod: PodRef) {
        if self.is_cut_off() || self.rng.chance(self.faults.request.unreadable) {
            self.trace.saw(Sight::UnreadablePod);
            let at = self.now + TIMEOUT;
            self.plan(at, Step::Tell(self.incarnation, Event::Read(pod, ReadOutcome::Failed)));
        } else {
            self.plan_in(1, 50, Step::Read(self.incarnation, pod));
        }
    }

    /// A binding reaches the server.
    pub(super) fn bind(&mut self, request: &Request) -> Result<(), Violation> {
        let Request { incarnation, pod, uid, node, annotations, answered } = request;
        let status = self.world.server.bind(&pod.key, uid.as_ref(), node, annotations);
        self.trace.note(self.now, format_args!("bind {} to {node}: {status:?}, {answered:?}", pod.key));
        self.note_sights(request, status);
        if status == BindStatus::Created {
            let assumed = self.view.assumed.get(&pod.uid);
            let assumed = assumed.filter(|it| *incarnation == self.incarnation && it.node == *node);
            invariants::written(&mut self.world.server, request, assumed)?;
        }
        let outcome = match (answered, status) {
            (Answered::Never | Answered::TooLate, _) => return Ok(()),
            (Answered::WithError, _) => BindOutcome::Unknown("500 internal error".to_owned()),
            (Answered::Truly, BindStatus::Created) => BindOutcome::Bound,
            (Answered::Truly, BindStatus::NotFound) => BindOutcome::Gone,
            (Answered::Truly, BindStatus::Conflict) => BindOutcome::Conflict,
        };
        self.plan_in(1, 50, Step::Tell(*incarnation, Event::Bind(pod.clone(), outcome)));
        Ok(())
    }

    fn note_sights(&mut self, request: &Request, status: BindStatus) {
        let created = status == BindStatus::Created;
        let successor = self.world.server.pods.get(&request.pod.key).map(|pod| &pod.uid);
        let sights = [
            (Sight::WrittenForTheDead, created && request.incarnation != self.incarnation),
            (Sight::WrittenAfterTimeout, created && request.answered == Answered::TooLate),
            (Sight::BindingOfAPredecessor, successor.is_some_and(|uid| *uid != request.pod.uid)),
            (Sight::BindingOfADeletedPod, status == BindStatus::NotFound),
        ];
        for (sight, seen) in sights {
            if seen {
                self.trace.saw(sight);
            }
        }
    }

    /// A request for a pod reaches the server.
    pub(super) fn read(&mut self, incarnation: u32, pod: PodRef) {
        let outcome = match self.world.server.pods.get(&pod.key) {
            Some(found) => ReadOutcome::Found(Box::new(found.clone())),
            None => ReadOutcome::Gone,
        };
        self.plan_in(1, 50, Step::Tell(incarnation, Event::Read(pod, outcome)));
    }

    /// The source of delays hears what is used.
    pub(super) fn use_delays(&mut self, names: &[NodeName]) {
        let rows = self.world.delays.use_rows(names);
        self.send_delays(rows);
    }
}
