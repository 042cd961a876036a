//! The bed: hosts, links between each two of them, and an agent on each host that probes all others.

use crate::agent::{Agent, Asks, Priority, Transport};
use links::{HostSpec, Link, Loss, Network, Passage, Running};
use serde_json::Value;
use std::{
    fs,
    num::NonZero,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long anything may take. Far above what it does take, so that a slow machine is no failure.
const DEADLINE: Duration = Duration::from_mins(3);
/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How the agents are run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) hosts: usize,
    pub(crate) transport: Transport,
    /// Of a hundred packets, in each direction.
    pub(crate) loss: f64,
    pub(crate) period: Duration,
    /// How many samples each agent is to take of each other.
    pub(crate) samples: usize,
    pub(crate) priority: Priority,
}

/// What came of a run.
pub(crate) struct Outcome {
    /// By host: the lines that its agent wrote.
    pub(crate) lines: Vec<Vec<Value>>,
    pub(crate) record: Vec<Passage>,
}

// === impl Run ===

impl Run {
    /// Starts everything, waits for the samples, ends everything.
    pub(crate) fn outcome(self) -> Outcome {
        let network = network(self.hosts);
        for (from, to) in pairs(self.hosts) {
            let link = link(from, to).loss(Loss::percent(self.loss));
            network.set(&name(from), &name(to), link).unwrap();
        }
        let keys = keys();
        let _awake = (self.priority == Priority::First).then(|| keep_awake(&network));
        let agents: Vec<Agent> = (0..self.hosts).map(|host| self.start(&network, &keys, host)).collect();
        await_that("every agent has its samples", || agents.iter().all(|agent| self.is_done(agent)));
        agents.iter().for_each(Agent::terminate);
        let lines = agents.into_iter().map(Agent::await_end).collect();
        Outcome { lines, record: network.take_record().unwrap() }
    }

    fn start(self, network: &Network, keys: &TempDir, host: usize) -> Agent {
        let Self { hosts, transport, period, priority, .. } = self;
        let peers: Vec<usize> = (0..hosts).filter(|peer| *peer != host).collect();
        let keys = keys.path();
        let asks = Asks { host, peers: &peers, period, transport, answers: true, keys, priority };
        Agent::start(network, &asks)
    }

    fn is_done(self, agent: &Agent) -> bool {
        let counts = agent.counts();
        counts.len() == self.hosts - 1 && counts.values().all(|count| *count >= self.samples)
    }
}

/// Whoever prints figures has the machine for itself, as far as we can help it: held as long as the turn lasts.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many hosts where any group may use ping sockets, with links that take no time yet.
pub(crate) fn network(hosts: usize) -> Network {
    let spec = |place| HostSpec::new(name(place)).setting("net/ipv4/ping_group_range", "0 2147483647");
    Network::start(1, &(0..hosts).map(spec).collect::<Vec<_>>()).unwrap()
}

/// Work for every processor that gives way to all other. One that has nothing to do sleeps, and in a virtual machine it takes
/// a tenth of a millisecond to wake up: the links, which can't know that, would then give delays that are longer than they
/// say.
fn keep_awake(network: &Network) -> Vec<Running> {
    let host = &network.hosts()[0];
    let count = thread::available_parallelism().map_or(1, NonZero::get);
    let work = || {
        let mut command = host.command("chrt");
        command.args(["--idle", "0", "sh", "-c", "while :; do :; done"]);
        host.spawn(command).unwrap()
    };
    (0..count).map(|_| work()).collect()
}

/// A folder with a key that all agents have.
pub(crate) fn keys() -> TempDir {
    let keys = tempfile::tempdir().unwrap();
    fs::write(keys.path().join("current"), "a key that all agents have").unwrap();
    keys
}

/// The name of the host in this place.
pub(crate) fn name(place: usize) -> String {
    format!("host-{}", place + 1)
}

/// All directed pairs of so many hosts.
pub(crate) fn pairs(hosts: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..hosts).flat_map(move |from| (0..hosts).map(move |to| (from, to))).filter(|(from, to)| from != to)
}

/// Waits for a condition.
pub(crate) fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// The link from one host to another: all kinds of delays, none the same in both directions, and a third of the links each
/// without jitter, with a little and with a lot.
fn link(from: usize, to: usize) -> Link {
    const MICROS: [u64; 9] = [150, 400, 1_000, 2_500, 5_000, 9_000, 15_000, 30_000, 60_000];
    let delay = Duration::from_micros(MICROS[(from * 4 + to * 7) % MICROS.len()]);
    let jitter = [0.0, 0.05, 0.5][(from + to) % 3];
    Link::with_delay(delay).jitter(delay.mul_f64(jitter))
}
