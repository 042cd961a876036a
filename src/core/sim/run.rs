//! One run: a seed, a cluster, a scheduler, and virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backups::CoverRequest;
use super::chaos::{Happening, UNREACHABLE, World};
use super::claims;
use super::covered;
use super::failover::{Leaving, Tally};
use super::faults::{Faults, Shape};
use super::invariants::{self, Checks, Violation};
use super::machines::BEAT;
use super::network::{Answered, Request};
use super::planted::Planted;
use super::rng::{Permille, Rng};
use super::stream::{Delivery, Kind, Streams};
use super::trace::{Sight, Trace};
use super::view::View;
use crate::model::{Node, NodeName, PodKey, PodUid, Resources, Time};
use crate::state::{Event, NominatedNode, PodRef, Preemption, Relocation, State};

/// After the last fault this long may pass until everything is settled: a request that was given up on
/// may still be written after 25 s, and then bindings are tried again with up to 10 s between.
const SETTLING: Duration = Duration::from_secs(90);
/// The same where machines fail: a freeze lasts a minute beyond the last verdict that turned, a node that is back is
/// used again after half a minute, and the pods of a further one are begun with after ten seconds.
const HEALING: Duration = Duration::from_secs(270);
/// So much longer where an agent had said that it ends, and its machine was off then: it is expected back for five minutes.
const EXCUSED: Duration = Duration::from_mins(2);

/// The last part of it, in which nobody but the scheduler does anything.
pub(super) const REST: Duration = Duration::from_secs(30);
/// The same where machines fail: for half a minute room is held for what replaces a pod that ends on one, and only after ten
/// quiet seconds it is given back. What was measured goes stale after as long, and then it takes up to 20 s until all cover is
/// judged again.
const REST_OF_HEALING: Duration = Duration::from_mins(1);

/// For how many minutes it may go on then if pods are being moved.
const ROUNDS: usize = 20;

/// How often, of a thousand steps, pods that wait are judged anew.
const LOOKED_AROUND: Permille = 60;

/// How a run ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What was violated, if anything.
    pub(super) violation: Option<Violation>,
    /// What happened.
    pub(super) trace: Trace,
}

/// Something that is to happen.
#[derive(Debug)]
pub(super) enum Step {
    /// Something in the cluster, and then the next thing.
    Happen { left: u64 },
    /// Controllers and kubelets work.
    Work,
    /// Agents report.
    Report,
    /// Kubelets renew their Leases, and agents probe each other.
    Beat,
    /// A message of a watch arrives.
    Deliver(u32, Delivery),
    /// A watch is connected again.
    Connect(u32, Kind),
    /// A binding reaches the server.
    Bind(Request),
    /// A request for a pod reaches the server.
    Read(u32, PodRef),
    /// The pod's status is written: its condition, and where it is nominated to.
    WriteStatus(PodRef, NominatedNode),
    /// Deletions of pods for another one reach the server, the first so many of them.
    Preempt {
        /// Which scheduler sent them.
        incarnation: u32,
        /// What it wants.
        preemption: Preemption,
        /// How many of the victims.
        reach: usize,
        /// Whether the scheduler doesn't hear of it.
        is_lost: bool,
    },
    /// A request about backups reaches the server.
    Cover {
        /// Which scheduler sent it.
        incarnation: u32,
        /// What it asks for.
        request: CoverRequest,
        /// What the scheduler hears of it.
        answered: Answered,
    },
    /// A pod is on its way off a node that failed.
    Evict(Leaving),
    /// A request to evict a pod that is to be moved reaches the server.
    Relocate {
        /// Which scheduler sent it.
        incarnation: u32,
        /// What it asks for.
        relocation: Relocation,
        /// What the scheduler hears of it.
        answered: Answered,
    },
    /// Somebody looks for less reserve.
    Save,
    /// A scheduler that is not the leader any more ends.
    End(u32),
    /// The source of delays hears what is used.
    UseDelays(u32, Vec<NodeName>),
    /// The scheduler is told something.
    Tell(u32, Event),
    /// The scheduler starts.
    Start,
}

/// A run.
pub(super) struct Run {
    pub(super) rng: Rng,
    pub(super) faults: Faults,
    pub(super) now: Time,
    pub(super) agenda: BTreeMap<(Time, u64), Step>,
    pub(super) planned: u64,
    pub(super) end: Option<Time>,
    pub(super) world: World,
    pub(super) streams: Streams,
    /// When the last delays arrive that were sent; those sent later do not overtake them.
    pub(super) delays_at: Time,
    /// The same for what the source of delays is told.
    pub(super) uses_at: Time,
    /// The same for reports, by node.
    pub(super) reports_at: BTreeMap<NodeName, Time>,
    /// The same for the pods' status.
    pub(super) status_at: Time,
    pub(super) state: Option<State>,
    pub(super) incarnation: u32,
    pub(super) view: View,
    pub(super) checks: Checks,
    pub(super) planted: Option<Planted>,
    /// The scheduler reaches no server until then.
    pub(super) server_cut_until: Time,
    /// The scheduler reaches no nodes until then.
    pub(super) nodes_cut_until: Time,
    /// How many pods the other scheduler brought.
    pub(super) filled: u64,
    /// Pods that nobody may take off their nodes, as the scheduler was told.
    pub(super) refused: BTreeSet<PodUid>,
    pub(super) tally: Tally,
    /// When something failed lately.
    pub(super) failed_at: BTreeSet<Time>,
    /// What backups request that are there on paper only.
    pub(super) on_paper: BTreeMap<PodKey, Resources>,
    /// How many moments there were before and after writes of the scheduler.
    pub(super) moments: u64,
    /// At which of them it dies.
    pub(super) dies_at: Option<u64>,
    pub(super) trace: Trace,
}

// === impl Run ===

impl Run {
    /// The run of a seed, to its end.
    pub(super) fn of(seed: u64, planted: Option<Planted>, keep_trace: bool) -> Outcome {
        Self::of_kind(seed, planted, planted, keep_trace)
    }

    /// The same run as with this defect, without it.
    pub(super) fn without(seed: u64, planted: Planted) -> Outcome {
        Self::of_kind(seed, Some(planted), None, false)
    }

    fn of_kind(seed: u64, kind: Option<Planted>, planted: Option<Planted>, keep_trace: bool) -> Outcome {
        let mut rng = Rng::new(seed);
        let covered = kind.is_some_and(Planted::needs_cover);
        let faults = if covered || kind.is_some_and(Planted::needs_failures) {
            let moving = kind.is_some_and(Planted::needs_moves);
            let shape = Shape { covered, moving, ..Shape::of_failing(&mut rng) };
            Faults::of_shape(shape, &mut rng)
        } else {
            Faults::of(&mut rng)
        };
        let mut run = Self::new(faults, rng, planted, keep_trace);
        let violation = run.carry_on().err();
        Outcome { violation, trace: run.trace }
    }

    /// A run with these faults that has not begun.
    pub(super) fn new(faults: Faults, mut rng: Rng, planted: Option<Planted>, keep_trace: bool) -> Self {
        Self {
            world: World::new(&faults.shape, &mut rng),
            rng,
            faults,
            now: Time::ZERO,
            agenda: BTreeMap::new(),
            planned: 0,
            end: None,
            streams: Streams::default(),
            delays_at: Time::ZERO,
            uses_at: Time::ZERO,
            reports_at: BTreeMap::new(),
            status_at: Time::ZERO,
            state: None,
            incarnation: 0,
            view: View::default(),
            checks: Checks::default(),
            planted,
            server_cut_until: Time::ZERO,
            nodes_cut_until: Time::ZERO,
            filled: 0,
            refused: BTreeSet::new(),
            tally: Tally::default(),
            failed_at: BTreeSet::new(),
            on_paper: BTreeMap::new(),
            moments: 0,
            dies_at: None,
            trace: Trace::new(keep_trace),
        }
    }

    fn carry_on(&mut self) -> Result<(), Violation> {
        self.begin();
        self.burst()
    }

    /// The cluster and the scheduler begin.
    pub(super) fn begin(&mut self) {
        self.plan(self.now, Step::Start);
        if self.faults.shape.failing {
            self.plan(self.now, Step::Beat);
        }
    }

    /// Faults strike for a while, then they stop, and everything comes to rest.
    pub(super) fn burst(&mut self) -> Result<(), Violation> {
        self.trace.note(self.now, format_args!("{:?}", self.faults));
        self.end = None;
        self.world.machines.loss = self.faults.failure.loss;
        if self.faults.failure.loss > 0 {
            self.trace.saw(Sight::ProbesLost);
        }
        self.plan(self.now, Step::Work);
        self.plan(self.now, Step::Report);
        self.plan(self.now, Step::Happen { left: self.faults.shape.happenings });
        if self.faults.shape.moving {
            self.plan_in(10_000, 60_000, Step::Save);
        }
        while self.step()? {}
        self.let_moves_end()?;
        self.at_rest()
    }

    /// Pods that are being moved arrive, and those that end are gone. More may be moved meanwhile.
    pub(super) fn let_moves_end(&mut self) -> Result<(), Violation> {
        for _ in 0..ROUNDS {
            if !self.faults.shape.moving || !self.is_moving() {
                break;
            }
            self.end = Some(self.now + 2 * REST);
            self.plan(self.now, Step::Work);
            self.plan(self.now, Step::Report);
            while self.step()? {}
        }
        Ok(())
    }

    /// Everything has come to rest.
    pub(super) fn at_rest(&mut self) -> Result<(), Violation> {
        // Of what is measured nobody knows more than was told.
        let (heard, now) = (self.view.heard.clone(), self.now);
        let suspects = self.view.suspects.clone();
        let truth = View { heard, now, suspects, ..View::truth(&self.world.server, &self.world.delays) };
        let Some(state) = &self.state else { return Ok(()) };
        if self.faults.shape.failing {
            self.health_in_the_end(state, &truth)?;
        }
        let waiting = state.queue().iter().count();
        self.trace.saw(if waiting > 0 { Sight::PodsLeftOver } else { Sight::AllPodsPlaced });
        invariants::in_the_end(state, &truth)?;
        if !self.faults.shape.covered {
            return Ok(());
        }
        covered::in_the_end(state, &truth, self.faults.shape.measured.is_some())
    }

    /// The next thing happens. Whether there was one.
    pub(super) fn step(&mut self) -> Result<bool, Violation> {
        let wake_at = self.state.as_ref().map(State::wake_at);
        let planned = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let Some(at) = planned.into_iter().chain(wake_at).min() else { return Ok(false) };
        if self.end.is_some_and(|end| at > end) {
            return Ok(false);
        }
        self.now = self.now.max(at);
        self.view.now = self.now;
        if planned == Some(at)
            && let Some((_, step)) = self.agenda.pop_first()
        {
            self.perform(step)?;
            self.spread_writes();
        }
        self.pump()?;
        self.spread_writes();
        if self.rng.chance(LOOKED_AROUND)
            && let Some(state) = &self.state
        {
            invariants::waits_for_good_reason(state, &self.view)?;
            if self.faults.shape.covered {
                claims::is_as_it_says(state, &self.view)?;
            }
        }
        Ok(true)
    }

    pub(super) fn plan(&mut self, at: Time, step: Step) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), step);
    }

    pub(super) fn plan_in(&mut self, low: u64, high: u64, step: Step) {
        let at = self.now + self.rng.millis(low, high);
        self.plan(at, step);
    }

    fn perform(&mut self, step: Step) -> Result<(), Violation> {
        let present = self.incarnation;
        match step {
            Step::Happen { left } => self.happen(left),
            Step::Work => self.work(),
            Step::Report => self.report(),
            Step::Beat => self.beat(),
            Step::Evict(leaving) => self.evict(leaving)?,
            Step::Relocate { incarnation, relocation, answered } => {
                self.relocate(incarnation, relocation, answered);
            }
            Step::Save => self.save(),
            Step::End(incarnation) if incarnation == present => self.crash(),
            Step::Bind(request) => self.bind(&request)?,
            Step::Read(incarnation, pod) => self.read(incarnation, pod),
            Step::WriteStatus(pod, nominated) => self.world.server.write_status(&pod, &nominated),
            Step::Preempt { incarnation, preemption, reach, is_lost } => {
                self.preempt(incarnation, preemption, reach, is_lost);
            }
            Step::Cover { incarnation, request, answered } => self.cover(incarnation, &request, answered),
            Step::Start => self.start(),
            Step::Deliver(incarnation, delivery) if incarnation == present => self.deliver(&delivery),
            Step::Connect(incarnation, kind) if incarnation == present => self.connect(kind),
            Step::UseDelays(incarnation, names) if incarnation == present => self.use_delays(&names),
            Step::Tell(incarnation, event) if incarnation == present => self.tell(&event),
            // What was meant for a scheduler that is no more.
            Step::Deliver(..) | Step::Connect(..) | Step::UseDelays(..) | Step::Tell(..) | Step::End(_) => (),
        }
        Ok(())
    }

    // --- the cluster ---

    fn happen(&mut self, left: u64) {
        let happening = Happening::draw(&self.faults, &mut self.rng);
        self.trace.note(self.now, format_args!("happens: {happening:?}"));
        self.trace.happened(happening);
        match happening {
            Happening::Crash => self.crash(),
            Happening::Failure => self.fail(),
            _ => (),
        }
        let rows = self.world.happen(happening, &self.faults.shape, &mut self.rng);
        self.send_delays(rows);
        self.break_watches();
        if left > 0 {
            self.plan_in(1, self.faults.shape.pause, Step::Happen { left: left - 1 });
        } else {
            self.faults.stop();
            if self.faults.shape.failing {
                self.repair();
            }
            let excused = if self.world.machines.is_excused() { EXCUSED } else { Duration::ZERO };
            let settling = if self.faults.shape.failing { HEALING + excused } else { SETTLING };
            self.end = Some(self.now + settling);
            self.trace.note(self.now, format_args!("faults stop"));
        }
    }

    /// Everybody but the scheduler does a bit of work, until it is to come to rest.
    fn work(&mut self) {
        let World { server, cluster, machines, .. } = &mut self.world;
        cluster.work(server, machines, &mut self.rng, self.now);
        match self.end {
            None => self.plan_in(200, 1_000.max(self.faults.shape.pause), Step::Work),
            Some(end) if self.now + self.rest() < end => self.plan_in(200, 1_000, Step::Work),
            Some(_) => (),
        }
    }

    fn rest(&self) -> Duration {
        if self.faults.shape.failing { REST_OF_HEALING } else { REST }
    }

    /// Agents say what they measured, but for those of nodes that are not there or silent.
    fn report(&mut self) {
        let Some((every, _)) = self.faults.shape.measured.clone() else { return };
        let nodes = self.world.server.nodes.values();
        let is_up = |node: &&Node| {
            node.taints.iter().all(|taint| &*taint.key != UNREACHABLE)
                && self.world.machines.is_in_touch(&node.name, self.now)
        };
        let reporters: Vec<NodeName> = nodes.filter(is_up).map(|node| node.name.clone()).collect();
        for from in reporters {
            let others = self.world.server.nodes.keys();
            let faults = (every, &self.faults.report);
            let report = self.world.agents.report(&from, others, faults, &mut self.rng);
            self.send_report(&report);
        }
        if self.end.is_none_or(|end| self.now + self.rest() < end) {
            let every = u64::try_from(every.as_millis()).unwrap();
            self.plan_in(every / 2, every, Step::Report);
        }
    }

    /// A second passes on all machines.
    fn beat(&mut self) {
        let World { server, machines, .. } = &mut self.world;
        machines.beat(server, &mut self.rng, self.now);
        self.plan(self.now + BEAT, Step::Beat);
    }
}
