//! What fails in machines, between them, and between them and the server.

use std::collections::BTreeSet;
use std::time::Duration;

use super::faults::FailureFaults;
use super::machines::Machines;
use super::make::{self, FOREIGN};
use super::rng::Rng;
use super::run::Run;
use super::trace::Sight;
use crate::model::{Labels, Node, NodeName, Pod, Resources, Taint, TaintEffect, Time};
use crate::state::CONFIRMED_ANNOTATION;

/// Something that fails, or is done about it. To add one: a variant here, its weight in [`FailureFaults`], its line in
/// `weights`, and what it does in `strike`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A machine's power is cut.
    PowerCut,
    /// It is given power again.
    PowerBack,
    /// A machine reaches nobody for a while.
    CutOff,
    /// The same, for seconds, again and again.
    Flap,
    /// A machine reaches all but its neighbours.
    ProbesCut,
    /// A machine reaches all but the server.
    UplinkCut,
    /// Half of the machines reach only each other.
    HalfCut,
    /// Those of a zone do.
    ZoneCut,
    /// Many probes are lost all over the place.
    Storm,
    /// An agent doesn't get its share of CPU.
    Starved,
    /// An agent is rolled out anew.
    Rollout,
    /// The server answers nobody.
    Outage,
    /// The scheduler reaches neither the server nor the nodes.
    SchedulerCut,
    /// What the scheduler is told is old.
    Stale,
    /// Somebody says that a machine is off, and its volumes may be used elsewhere.
    Fenced,
    /// Somebody confirms that a machine is off.
    Confirmed,
    /// Another scheduler fills the cluster.
    Filled,
}

/// The label of a node's zone that failures go by.
const ZONE: &str = "topology.kubernetes.io/zone";
/// The taint by which somebody says that a node is off for good.
pub(super) const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// A scheduler that reached no server for so long is not the leader any more, and ends.
const LEADS_FOR: Duration = Duration::from_secs(10);
/// What the names of its pods begin with.
const FILLER: &str = "filler-";
/// How many pods the other scheduler brings at most.
const FILLING: usize = 12;

// === impl Failure ===

impl Failure {
    /// Draws what fails.
    pub(super) fn draw(faults: &FailureFaults, rng: &mut Rng) -> Option<Self> {
        let weights = Self::weights(faults);
        let sum: u64 = weights.iter().map(|(_, weight)| weight).sum();
        let mut ticket = rng.between(0, sum.checked_sub(1)?);
        for (failure, weight) in weights {
            if ticket < weight {
                return Some(failure);
            }
            ticket -= weight;
        }
        None
    }

    fn weights(it: &FailureFaults) -> [(Self, u64); 17] {
        [
            (Self::PowerCut, it.power),
            (Self::PowerBack, it.power),
            (Self::CutOff, it.cut),
            (Self::Flap, it.flap),
            (Self::ProbesCut, it.probes_cut),
            (Self::UplinkCut, it.uplink_cut),
            (Self::HalfCut, it.half_cut),
            (Self::ZoneCut, it.zone_cut),
            (Self::Storm, it.storm),
            (Self::Starved, it.starved),
            (Self::Rollout, it.rollout),
            (Self::Outage, it.outage),
            (Self::SchedulerCut, it.scheduler_cut),
            (Self::Stale, it.stale),
            (Self::Fenced, it.fenced),
            (Self::Confirmed, it.confirmed),
            (Self::Filled, it.filled),
        ]
    }
}

// === impl Run ===

impl Run {
    /// Something fails.
    pub(super) fn fail(&mut self) {
        let Some(failure) = Failure::draw(&self.faults.failure, &mut self.rng) else { return };
        self.trace.note(self.now, format_args!("fails: {failure:?}"));
        let names = self.world.machines.names();
        let Some(name) = self.rng.pick(&names).cloned() else { return };
        let until = self.now + self.rng.millis(500, 90_000);
        match failure {
            Failure::PowerCut => self.cut_power(&name),
            Failure::PowerBack => self.power_back(&name),
            Failure::CutOff => self.world.machines.of(&name).cut_until = until,
            Failure::Flap => self.world.machines.of(&name).cut_until = self.now + self.rng.millis(500, 5_000),
            Failure::ProbesCut => self.world.machines.of(&name).probes_cut_until = until,
            Failure::UplinkCut => self.world.machines.of(&name).uplink_cut_until = until,
            Failure::HalfCut => self.split(None, until),
            Failure::ZoneCut => {
                let zone = self.zone_of(&name);
                self.split(Some(&zone), until);
            }
            Failure::Storm => self.world.machines.storm = (self.rng.between(200, 1_000), until),
            Failure::Starved => self.world.machines.of(&name).starved_until = until,
            Failure::Rollout => {
                let takes = self.rng.millis(2_000, 20_000);
                self.world.machines.of(&name).agent_away_until = self.now + takes;
            }
            Failure::Outage => self.outage(),
            Failure::SchedulerCut => self.cut_scheduler(),
            Failure::Stale => {
                let by = self.rng.millis(1_000, 30_000);
                self.streams.lag(by, until);
            }
            Failure::Fenced => self.fence(),
            Failure::Confirmed => self.confirm(),
            Failure::Filled => self.fill(),
        }
        self.trace.failed(failure);
        self.failed_at.retain(|at| *at + Duration::from_mins(10) > self.now);
        self.failed_at.insert(self.now);
    }

    /// After a while of faults those who are off mostly come back; the others are repaired one day.
    pub(super) fn repair(&mut self) {
        self.world.machines.calm();
        self.streams.lag(Duration::ZERO, Time::ZERO);
        for name in self.world.machines.names() {
            if self.rng.chance(600) {
                self.power_back(&name);
            }
        }
    }

    /// A quiet while passes: somebody repairs what is off, and the other scheduler's pods end.
    pub(super) fn tidy_up(&mut self) {
        for name in self.machines_off() {
            self.power_back(&name);
        }
        let fillers = self.world.server.pods.keys().filter(|key| key.name.starts_with(FILLER));
        for key in fillers.cloned().collect::<Vec<_>>() {
            self.world.server.remove_pod(&key);
        }
        self.refused.clear();
    }

    fn cut_power(&mut self, name: &NodeName) {
        let now = self.now;
        self.world.machines.of(name).off.get_or_insert(now);
    }

    fn power_back(&mut self, name: &NodeName) {
        self.world.machines.of(name).off = None;
        let is_off = |taint: &Taint| &*taint.key == OUT_OF_SERVICE;
        if self.world.server.nodes.get(name).is_some_and(|node| node.taints.iter().any(is_off)) {
            self.world.server.update_node(name, |node| {
                node.taints = node.taints.iter().filter(|taint| !is_off(taint)).cloned().collect();
            });
        }
    }

    fn split(&mut self, zone: Option<&BTreeSet<NodeName>>, until: Time) {
        let beyond = self.world.machines.some(zone, &mut self.rng);
        let machines: &mut Machines = &mut self.world.machines;
        for name in machines.names() {
            machines.of(&name).beyond = beyond.contains(&name);
        }
        machines.split_until = until;
    }

    fn zone_of(&self, name: &NodeName) -> BTreeSet<NodeName> {
        let zone = |node: &Node| node.labels.get(ZONE).map(str::to_owned);
        let own = self.world.server.nodes.get(name).and_then(zone);
        let alike = self
            .world
            .server
            .nodes
            .values()
            .filter(|it| it.name == *name || zone(it) == own && own.is_some());
        alike.map(|node| node.name.clone()).collect()
    }

    fn outage(&mut self) {
        let until = self.now + self.rng.millis(500, 45_000);
        self.world.machines.outage_until = until;
        self.cut_server(until);
    }

    /// The scheduler reaches no server, and if that lasts it ends.
    fn cut_scheduler(&mut self) {
        let until = self.now + self.rng.millis(500, 45_000);
        self.nodes_cut_until = until;
        self.cut_server(until);
        if self.now + LEADS_FOR < until && self.rng.chance(500) {
            self.trace.saw(Sight::EndedWithoutLease);
            let incarnation = self.incarnation;
            self.plan(self.now + LEADS_FOR, super::run::Step::End(incarnation));
        }
    }

    fn cut_server(&mut self, until: Time) {
        self.server_cut_until = self.server_cut_until.max(until);
        self.break_all_watches();
    }

    /// Somebody looks after a machine that is off, and says that nothing of it runs any more.
    fn fence(&mut self) {
        let off: Vec<NodeName> = self.machines_off();
        let Some(name) = self.rng.pick(&off) else { return };
        self.world.server.update_node(name, |node| {
            let effect = TaintEffect::NoExecute;
            let taint = Taint { key: OUT_OF_SERVICE.into(), value: "nodeshutdown".into(), effect };
            let others = node.taints.iter().filter(|it| &*it.key != OUT_OF_SERVICE).cloned();
            node.taints = others.chain([taint]).collect();
        });
    }

    fn confirm(&mut self) {
        let off: Vec<NodeName> = self.machines_off();
        let Some(name) = self.rng.pick(&off) else { return };
        let Some(lease) = self.world.server.leases.get(name).map(|lease| lease.version.0) else { return };
        self.world.server.update_node(name, |node| {
            let kept = node.annotations.iter().filter(|(key, _)| &***key != CONFIRMED_ANNOTATION);
            let kept = kept.map(|(key, value)| (key.clone(), value.clone()));
            let said = (CONFIRMED_ANNOTATION.into(), lease.to_string().into());
            node.annotations = Labels::new(kept.chain([said]).collect::<Vec<_>>());
        });
    }

    fn machines_off(&self) -> Vec<NodeName> {
        let off = self.world.machines.iter().filter(|(_, it)| it.off.is_some());
        off.map(|(name, _)| name.clone()).collect()
    }

    /// Another scheduler brings pods, small ones, until the cluster is full or they are out.
    fn fill(&mut self) {
        for _ in 0..=self.rng.below(FILLING) {
            self.filled += 1;
            let mut pod = Pod::pending("default", &format!("{FILLER}{}", self.filled));
            pod.scheduler_name = FOREIGN.into();
            pod.requests = Resources { ..make::pod_requests(&mut self.rng) };
            pod.non_zero.cpu = pod.requests.cpu;
            pod.non_zero.memory = pod.requests.memory;
            self.world.server.create_pod(pod);
        }
    }
}
