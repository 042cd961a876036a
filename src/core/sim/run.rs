//! One run: a seed, a cluster, a scheduler, and virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::chaos::{Happening, UNREACHABLE, World};
use super::faults::Faults;
use super::invariants::{self, Checks, Violation};
use super::network::Request;
use super::rng::{Permille, Rng};
use super::stream::{Delivery, Kind, Streams};
use super::trace::{Sight, Trace};
use super::view::View;
use crate::model::{Node, NodeName, Time};
use crate::state::{Defect, Event, NominatedNode, PodRef, Preemption, State};

/// After the last fault this long may pass until everything is settled: a request that was given up on
/// may still be written after 25 s, and then bindings are tried again with up to 10 s between.
const SETTLING: Duration = Duration::from_secs(90);

/// The last part of it, in which nobody but the scheduler does anything.
const REST: Duration = Duration::from_secs(30);

/// How often, of a thousand steps, pods that wait are judged anew.
const LOOKED_AROUND: Permille = 60;

/// A defect put in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planted {
    /// In the scheduler's state.
    InState(Defect),
    /// Requests carry no UID, so that the server can't tell a pod from its successor.
    BindingWithoutUid,
}

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
    pub(super) trace: Trace,
}

// === impl Run ===

impl Run {
    /// The run of a seed, to its end.
    pub(super) fn of(seed: u64, planted: Option<Planted>, keep_trace: bool) -> Outcome {
        let mut rng = Rng::new(seed);
        let faults = Faults::of(&mut rng);
        let mut run = Self {
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
            trace: Trace::new(keep_trace),
        };
        let violation = run.carry_on().err();
        Outcome { violation, trace: run.trace }
    }

    fn carry_on(&mut self) -> Result<(), Violation> {
        self.trace.note(self.now, format_args!("{:?}", self.faults));
        self.plan(self.now, Step::Start);
        self.plan(self.now, Step::Work);
        self.plan(self.now, Step::Report);
        self.plan(self.now, Step::Happen { left: self.faults.shape.happenings });
        while self.step()? {}
        // Of what is measured nobody knows more than was told.
        let (heard, now) = (self.view.heard.clone(), self.now);
        let truth = View { heard, now, ..View::truth(&self.world.server, &self.world.delays) };
        let Some(state) = &self.state else { return Ok(()) };
        let waiting = state.queue().iter().count();
        self.trace.saw(if waiting > 0 { Sight::PodsLeftOver } else { Sight::AllPodsPlaced });
        invariants::in_the_end(state, &truth)
    }

    /// The next thing happens. Whether there was one.
    fn step(&mut self) -> Result<bool, Violation> {
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
            Step::Bind(request) => self.bind(&request)?,
            Step::Read(incarnation, pod) => self.read(incarnation, pod),
            Step::WriteStatus(pod, nominated) => self.world.server.write_status(&pod, &nominated),
            Step::Preempt { incarnation, preemption, reach, is_lost } => {
                self.preempt(incarnation, preemption, reach, is_lost);
            }
            Step::Start => self.start(),
            Step::Deliver(incarnation, delivery) if incarnation == present => self.deliver(&delivery),
            Step::Connect(incarnation, kind) if incarnation == present => self.connect(kind),
            Step::UseDelays(incarnation, names) if incarnation == present => self.use_delays(&names),
            Step::Tell(incarnation, event) if incarnation == present => self.tell(&event),
            // What was meant for a scheduler that is no more.
            Step::Deliver(..) | Step::Connect(..) | Step::UseDelays(..) | Step::Tell(..) => (),
        }
        Ok(())
    }

    // --- the cluster ---

    fn happen(&mut self, left: u64) {
        let happening = Happening::draw(&self.faults, &mut self.rng);
        self.trace.note(self.now, format_args!("happens: {happening:?}"));
        if happening == Happening::Crash {
            self.crash();
        }
        let rows = self.world.happen(happening, &self.faults.shape, &mut self.rng);
        self.send_delays(rows);
        self.break_watches();
        if left > 0 {
            self.plan_in(1, self.faults.shape.pause, Step::Happen { left: left - 1 });
        } else {
            self.faults.stop();
            self.end = Some(self.now + SETTLING);
            self.trace.note(self.now, format_args!("faults stop"));
        }
    }

    /// Everybody but the scheduler does a bit of work, until it is to come to rest.
    fn work(&mut self) {
        self.world.cluster.work(&mut self.world.server, &mut self.rng);
        match self.end {
            None => self.plan_in(200, 1_000.max(self.faults.shape.pause), Step::Work),
            Some(end) if self.now + REST < end => self.plan_in(200, 1_000, Step::Work),
            Some(_) => (),
        }
    }

    /// Agents say what they measured, but for those of nodes that are not there or silent.
    fn report(&mut self) {
        let Some((every, _)) = self.faults.shape.measured.clone() else { return };
        let nodes = self.world.server.nodes.values();
        let is_up = |node: &&Node| node.taints.iter().all(|taint| &*taint.key != UNREACHABLE);
        let reporters: Vec<NodeName> = nodes.filter(is_up).map(|node| node.name.clone()).collect();
        for from in reporters {
            let others = self.world.server.nodes.keys();
            let faults = (every, &self.faults.report);
            let report = self.world.agents.report(&from, others, faults, &mut self.rng);
            self.send_report(&report);
        }
        if self.end.is_none_or(|end| self.now + REST < end) {
            let every = u64::try_from(every.as_millis()).unwrap();
            self.plan_in(every / 2, every, Step::Report);
        }
    }
}
