//! An agent on a host, without Kubernetes: what it is asked, and the lines that it writes.

use links::{Network, Running};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

/// The agents' transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Icmp,
    Tcp,
}

/// What an agent is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asks<'a> {
    /// The place of its host.
    pub(crate) host: usize,
    /// The places of those that it probes.
    pub(crate) peers: &'a [usize],
    pub(crate) period: Duration,
    pub(crate) transport: Transport,
    /// Whether it answers others.
    pub(crate) answers: bool,
    /// The folder with the keys.
    pub(crate) keys: &'a Path,
    pub(crate) priority: Priority,
}

/// Whether what else the machine does is in the agents' way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// As it is for anybody.
    Ordinary,
    /// Hardly: they go before all ordinary work, as if the machine did nothing else.
    First,
}

/// A running agent. Dropping it kills it.
pub(crate) struct Agent {
    running: Running,
    lines: Arc<Mutex<Vec<Value>>>,
    reader: JoinHandle<()>,
}

// === impl Transport ===

impl Transport {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Icmp => "ICMP",
            Self::Tcp => "TCP",
        }
    }
}

// === impl Agent ===

impl Agent {
    pub(crate) fn start(network: &Network, asks: &Asks<'_>) -> Self {
        let me = &network.hosts()[asks.host];
        let program = env!("CARGO_BIN_EXE_edge-scheduler");
        let mut command = match asks.priority {
            Priority::Ordinary => me.command(program),
            Priority::First => me.command("chrt"),
        };
        if asks.priority == Priority::First {
            command.args(["--fifo", "10", program]);
        }
        command.args(["probe", "--node-name", me.name()]);
        command.args(["--transport", asks.transport.name(), "--period"]);
        command.arg(format!("{}ms", asks.period.as_millis())).arg("--key-directory").arg(asks.keys);
        if asks.answers {
            command.args(["--listen", &me.addresses().map(|it| it.to_string()).join(",")]);
        }
        for place in asks.peers {
            let peer = &network.hosts()[*place];
            // Both families, half of the pairs each.
            let address = peer.addresses()[(place + asks.host) % 2];
            command.args(["--peers", &format!("{}={address}", peer.name())]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut running = me.spawn(command).unwrap();
        let out = BufReader::new(running.child().stdout.take().unwrap());
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let written = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in out.lines() {
                let line = serde_json::from_str(&line.unwrap()).unwrap();
                written.lock().unwrap().push(line);
            }
        });
        Self { running, lines, reader }
    }

    /// How many samples it has taken of each peer so far.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        assert!(!self.reader.is_finished(), "the agent has ended");
        let mut counts = BTreeMap::new();
        for line in self.lines.lock().unwrap().iter() {
            *counts.entry(line["peer"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.running.terminate();
    }

    /// What it wrote, the statistics at its end included.
    pub(crate) fn await_end(mut self) -> Vec<Value> {
        self.running.child().wait().unwrap();
        self.reader.join().unwrap();
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}
