//! Without Kubernetes: a list of peers, and what came of each probe as a line of JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use edge_api::Transport;
use edge_core::delay::Statistics;
use edge_core::model::{Delay, NodeName};
use edge_core::probe::{BURST, PeerPlan, Window};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::counters::Counters;
use super::error::name;
use super::keys::Keyring;
use super::sender::{self, Handle, Order, Record, Settings, Targets, Told};
use super::{AgentError, clock, echo};

/// How an agent without Kubernetes is set up.
#[derive(Clone, Debug)]
pub struct Alone {
    /// The name of this node.
    pub me: NodeName,
    /// Whom to probe; nobody to answer only.
    pub peers: Vec<Peer>,
    /// How.
    pub transport: Transport,
    /// Where to answer; nowhere to probe only.
    pub listen: Vec<SocketAddr>,
    /// The folder with the keys.
    pub keys: Option<PathBuf>,
    /// How often each peer is probed.
    pub period: Duration,
    /// When a probe counts as lost.
    pub timeout: Duration,
    /// Whether to end after the first burst.
    pub once: bool,
}

/// A peer of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its node.
    pub name: NodeName,
    /// Where its agent answers.
    pub address: SocketAddr,
}

/// Probes and answers until `shutdown` completes, or until each peer has had its burst. Whether all peers answered.
pub async fn run(alone: Alone, shutdown: impl Future<Output = ()>) -> Result<bool, AgentError> {
    let keyring = match (&alone.keys, alone.transport) {
        (Some(folder), _) => Keyring::read(folder)?,
        (None, Transport::Udp) => return Err(AgentError::NoKeys),
        (None, _) => Keyring::own(),
    };
    let counters = Counters::default();
    if alone.keys.is_some() {
        echo::start(&alone.me, &alone.listen, keyring.clone(), counters.clone())?;
    }
    if alone.transport == Transport::Tcp {
        echo::take_connections(&alone.listen)?;
    }
    let (to, told) = mpsc::unbounded_channel();
    let transport = alone.transport;
    let settings = Settings {
        me: alone.me,
        transport,
        timeout: alone.timeout,
        keyring: keyring.clone(),
        tells_records: true,
        counters,
    };
    let sender = sender::start(settings, to).map_err(|why| AgentError::Sender { transport, why })?;
    let mut targets = Targets::default();
    for Peer { name, address } in alone.peers {
        targets.peers.insert(name.clone(), address);
        targets.plan.peers.push(PeerPlan { name, period: alone.period, bounds: Box::default() });
    }
    let windows = targets.peers.keys().map(|name| (name.clone(), (Window::default(), 0)));
    let mut printer = Printer { windows: windows.collect(), transport, once: alone.once };
    sender.order(Order::Follow(targets));
    let printed = tokio::select! {
        printed = printer.print_all(told, &sender) => printed,
        never = keyring.follow() => match never {},
        () = shutdown => Ok(()),
    };
    printed.and_then(|()| printer.print_statistics()).map_err(AgentError::Write)?;
    Ok(printer.windows.values().all(|(window, _)| window.delays().next().is_some()))
}

/// Writes what came of probes, and keeps what the statistics at the end are of.
struct Printer {
    /// By peer, with the number of samples so far.
    windows: BTreeMap<NodeName, (Window, u32)>,
    transport: Transport,
    once: bool,
}

// === impl Printer ===

impl Printer {
    /// Writes until each peer has had its burst; for ever if more than that is asked for. The handle is held on to, so
    /// that the sender goes on.
    async fn print_all(&mut self, mut told: mpsc::UnboundedReceiver<Told>, _: &Handle) -> io::Result<()> {
        while !(self.once && self.windows.values().all(|(_, n)| *n >= u32::from(BURST))) {
            let Some(told) = told.recv().await else { return Ok(()) };
            let Told::Record(record) = told else { continue };
            if let Some((window, n)) = self.windows.get_mut(&record.outcome.peer) {
                window.push(record.outcome.sample, record.outcome.sent.at, clock::now());
                *n += 1;
            }
            self.print(&self.line(&record))?;
        }
        Ok(())
    }

    fn print_statistics(&self) -> io::Result<()> {
        for (peer, (window, _)) in &self.windows {
            let Statistics { min, p50, p95, jitter, lost, samples, missed, age: _ } =
                window.statistics(clock::now());
            let [min, p50, p95, jitter] = [min, p50, p95, jitter].map(|it| it.map(Delay::as_micros));
            self.print(&json!({
                "peer": peer.as_str(), "samples": samples, "lost": lost, "missed": missed,
                "minMicros": min, "p50Micros": p50, "p95Micros": p95, "jitterMicros": jitter,
            }))?;
        }
        Ok(())
    }

    fn line(&self, record: &Record) -> Value {
        let outcome = &record.outcome;
        let mut line = json!({
            "peer": outcome.peer.as_str(),
            "address": record.address.to_string(),
            "transport": name(self.transport),
            "sequence": outcome.sequence,
            "sentAt": outcome.sent.wall.as_secs_f64(),
            "micros": outcome.sample.delay().map(Delay::as_micros),
            "heldMicros": u64::try_from(record.held.as_micros()).unwrap_or(u64::MAX),
        });
        if let (Some(port), Some(line)) = (record.port, line.as_object_mut()) {
            line.insert("localPort".to_owned(), port.into());
        }
        line
    }

    #[expect(clippy::unused_self, reason = "what is written to is the printer's matter")]
    fn print(&self, line: &Value) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    }
}
