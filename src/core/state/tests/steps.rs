//! Two real agents and the state machine, in virtual time: the delay of the link between them steps up and down again, while
//! answers overtake each other, other delays move, probes are lost, reports fail and agents get no CPU.

use std::collections::BTreeMap;

use super::delays::near;
use super::*;
use crate::delay::Report;
use crate::model::Delay;
use crate::probe::{Agent, AgentConfig, PERIOD, PeerPlan, Plan, Probe, RING_PERIOD, Reading};
use crate::random::Random;

const NAMES: [&str; 2] = ["a", "b"];
/// Peers of both that nobody's bound is about.
const OTHERS: [&str; 2] = ["c", "d"];
const LOW: Duration = Duration::from_millis(40);
const BOUND: Duration = Duration::from_millis(100);
const HIGH: Duration = Duration::from_millis(200);
/// The lag of an agent that gets no CPU.
const STARVED: Duration = Duration::from_millis(30);

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    /// Of a hundred probes, so many are lost.
    lost: u32,
    /// Of a hundred reports, so many fail; half of those were taken all the same.
    failing: u32,
    /// Of a hundred delays of other peers, so many are moved.
    moving: u32,
    /// For so long an agent gets no CPU after a step.
    starved: Duration,
}

/// What is on its way.
enum Pending {
    Answer { host: usize, sequence: u32 },
    Told(Report),
    Written { host: usize, taken: bool },
}

struct World {
    bench: Bench,
    now: Time,
    random: Random,
    faults: Faults,
    agents: [Agent; 2],
    /// Until then they get no CPU.
    starved: [Time; 2],
    /// The round-trip time of the link between the two.
    link: Duration,
    pending: BTreeMap<(Time, u32), Pending>,
    n_pending: u32,
}

// === impl World ===

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        let mut bench = Bench::new();
        bench.put(&bound(&near("a", "100", pod("web", 1)), "b"));
        bench.actions();
        bench.no_file(&["a"]);
        let now = Time::from_origin(Duration::from_secs(1_000));
        let mut random = Random(2 * seed + 1);
        let agents = [0, 1].map(|host| agent(host, random.unit(), now));
        let (pending, starved) = (BTreeMap::new(), [Time::ZERO; 2]);
        Self { bench, now, random, faults, agents, starved, link: LOW, pending, n_pending: 0 }
    }

    fn millis(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.random.below(most * 1_000))
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.below(100_u32) < percent
    }

    fn later(&mut self, after: Duration, pending: Pending) {
        self.n_pending += 1;
        self.pending.insert((self.now + after, self.n_pending), pending);
    }

    /// Lets time pass until such a thing is to be done, but no longer than this; when that is.
    fn pass(&mut self, most: Duration, wanted: &str) -> Option<Duration> {
        let begun = self.now;
        loop {
            let wake_at = self.agents.iter().map(Agent::wake_at).min().unwrap();
            let arrives = self.pending.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at);
            self.now = self.now.max(wake_at.min(arrives)).min(begun + most);
            while let Some(entry) = self.pending.first_entry().filter(|it| it.key().0 <= self.now) {
                let pending = entry.remove();
                self.take(pending);
            }
            (0..2).for_each(|host| self.drive(host));
            self.bench.now = self.now;
            if self.bench.actions().iter().any(|line| line.starts_with(wanted)) {
                return Some(self.now.since(begun));
            }
            if self.now.since(begun) >= most {
                return None;
            }
        }
    }

    fn take(&mut self, pending: Pending) {
        let now = self.now;
        match pending {
            Pending::Told(report) => {
                self.bench.now = now;
                self.bench.apply(Event::Measured(vec![report]));
            }
            Pending::Answer { host, sequence } => {
                self.agents[host].answered(sequence, now, Duration::ZERO);
                self.agents[host].woke(self.lag(host), now);
            }
            Pending::Written { host, taken: true } => self.agents[host].written(now),
            Pending::Written { host, taken: false } => self.agents[host].failed(now, self.random.unit()),
        }
    }

    fn drive(&mut self, host: usize) {
        let now = self.now;
        self.agents[host].give_up(now);
        while let Some(probe) = self.agents[host].next(Reading { at: now, wall: now.since_origin() }) {
            self.agents[host].woke(self.lag(host), now);
            self.send(host, &probe);
        }
        if let Some(statement) = self.agents[host].statement(now) {
            let write = self.millis(100);
            let failed = self.chance(self.faults.failing);
            if !failed || self.chance(50) {
                let watch = self.millis(50);
                self.later(write + watch, Pending::Told(statement.report));
            }
            self.later(write, Pending::Written { host, taken: !failed });
        }
    }

    fn lag(&self, host: usize) -> Duration {
        if self.now < self.starved[host] { STARVED } else { Duration::ZERO }
    }

    fn send(&mut self, host: usize, probe: &Probe) {
        let is_linked = NAMES.contains(&probe.peer.as_str());
        let is_moved = self.chance(self.faults.moving);
        let delay = if is_linked {
            self.link
        } else if is_moved {
            2 * LOW
        } else {
            LOW
        };
        let jitter = self.millis(2);
        if !self.chance(self.faults.lost) {
            self.later(delay + jitter, Pending::Answer { host, sequence: probe.sequence });
        }
    }

    /// The link's delay steps; how long it takes until this is said of the pod.
    fn told_after_step(&mut self, link: Duration, turn: &str) -> Option<Duration> {
        self.link = link;
        for host in 0..2 {
            let until = self.now + self.faults.starved;
            self.starved[host] = if self.chance(50) { until } else { self.now };
        }
        self.pass(Duration::from_mins(6), turn)
    }
}

fn agent(host: usize, chance: f64, now: Time) -> Agent {
    let bound = Delay::from_micros(u32::try_from(BOUND.as_micros()).unwrap()).unwrap();
    let me = NodeName::from(NAMES[host]);
    let (timeout, tolerance) = (Duration::from_secs(1), Duration::from_millis(20));
    let mut agent = Agent::new(AgentConfig { me, timeout, tolerance, chance });
    let plan =
        |name: &str, period, bounds: &[Delay]| PeerPlan { name: name.into(), period, bounds: bounds.into() };
    let bounds = [bound, Delay::from_micros(110_000).unwrap()];
    let mut peers = vec![plan(NAMES[1 - host], PERIOD, &bounds)];
    peers.extend(OTHERS.map(|name| plan(name, RING_PERIOD, &[])));
    agent.follow(Plan { peers, ..Plan::default() }, now);
    agent
}

/// However it comes, a step is told of within this time.
#[track_caller]
fn check(faults: Faults, limit: Duration) {
    let mut late = Vec::new();
    for seed in 0..40 {
        let mut world = World::new(seed, faults);
        let begin = Duration::from_secs(10) + world.millis(100_000);
        let early = world.pass(begin, "Exceeded");
        let up = world.told_after_step(HIGH, "Exceeded");
        // Soon after, while an agent is still about to find out.
        let pause = world.millis(2_000);
        let flaps = early.or(world.pass(pause, "Restored"));
        let down = world.told_after_step(LOW, "Restored");
        let flaps = flaps.or(world.pass(Duration::from_secs(20), "Exceeded"));
        if flaps.is_some() || [up, down].iter().any(|took| took.is_none_or(|took| took > limit)) {
            late.push(format!("seed {seed}: {up:.1?}, {down:.1?}; it flaps: {flaps:?}"));
        }
    }
    assert!(late.is_empty(), "{faults:?}: {} late\n{}", late.len(), late.join("\n"));
}

#[test]
fn a_step_of_a_link_is_told_of_in_time_and_so_is_its_end() {
    check(Faults::default(), Duration::from_secs(15));
    check(Faults { moving: 20, ..Faults::default() }, Duration::from_secs(15));
    check(Faults { lost: 1, ..Faults::default() }, Duration::from_secs(17));
}

#[test]
fn a_step_is_told_of_although_reports_fail_and_agents_get_no_cpu() {
    check(Faults { failing: 20, moving: 20, ..Faults::default() }, Duration::from_secs(30));
    let starved = Duration::from_secs(8);
    check(Faults { starved, moving: 20, ..Faults::default() }, Duration::from_secs(30));
    check(Faults { lost: 10, failing: 10, moving: 20, starved }, Duration::from_mins(1));
}
