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

use super::clock;
use super::echo::{self, EchoError};
use super::keys::{KeyError, Keyring};
use super::sender::{self, Handle, Order, Record, Settings, Target};

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

/// Why an agent without Kubernetes ends.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// There are no keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Echo of UDP takes a key that both sides have.
    #[error("UDP needs keys: give --key-directory, or choose another --transport")]
    NoKeys,
    /// Nobody would be answered.
    #[error(transparent)]
    Echo(#[from] EchoError),
    /// Nobody can be probed.
    #[error("{} probes: {source}{}", name(*transport), hint(*transport))]
    Sender {
        /// How they were to be sent.
        transport: Transport,
        /// Why not.
        source: io::Error,
    },
    /// Nobody reads the samples any more, or they can't be written.
    #[error("writing samples: {0}")]
    Write(#[source] io::Error),
}

/// Probes and answers until `shutdown` completes, or until each peer has had its burst. Whether all peers answered.
pub async fn run(alone: Alone, shutdown: impl Future<Output = ()>) -> Result<bool, AloneError> {
    let keyring = match (&alone.keys, alone.transport) {
        (Some(folder), _) => Keyring::read(folder)?,
        (None, Transport::Udp) => return Err(AloneError::NoKeys),
        (None, _) => Keyring::own(),
    };
    if alone.keys.is_some() {
        echo::start(&alone.me, &alone.listen, keyring.clone())?;
    }
    if alone.transport == Transport::Tcp {
        echo::take_connections(&alone.listen)?;
    }
    let (to, records) = mpsc::unbounded_channel();
    let settings = Settings {
        me: alone.me,
        transport: alone.transport,
        timeout: alone.timeout,
        keyring: keyring.clone(),
    };
    let transport = alone.transport;
    let sender = sender::start(settings, to).map_err(|source| AloneError::Sender { transport, source })?;
    let targets = alone.peers.iter().map(|peer| Target {
        plan: PeerPlan { name: peer.name.clone(), period: alone.period, bounds: Box::default() },
        address: peer.address,
    });
    let targets: Vec<Target> = targets.collect();
    let mut printer = Printer {
        windows: targets.iter().map(|target| (target.plan.name.clone(), (Window::default(), 0))).collect(),
        transport,
        once: alone.once,
    };
    sender.order(Order::Peers(targets));
    let printed = tokio::select! {
        printed = printer.print_all(records, &sender) => printed,
        never = keyring.follow() => match never {},
        () = shutdown => Ok(()),
    };
    printed.and_then(|()| printer.print_statistics()).map_err(AloneError::Write)?;
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
    async fn print_all(
        &mut self,
        mut records: mpsc::UnboundedReceiver<Record>,
        _: &Handle,
    ) -> io::Result<()> {
        while !(self.once && self.windows.values().all(|(_, n)| *n >= u32::from(BURST))) {
            let Some(record) = records.recv().await else { return Ok(()) };
            if let Some((window, n)) = self.windows.get_mut(&record.outcome.peer) {
                window.push(record.outcome.sample, clock::now());
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

/// The transport as it is written.
pub(super) fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Icmp => "ICMP",
        Transport::Tcp => "TCP",
        Transport::Http => "HTTP",
    }
}

/// What to do if the transport can't be used.
fn hint(transport: Transport) -> &'static str {
    match transport {
        Transport::Icmp => {
            "; the process' group has to be within the sysctl net.ipv4.ping_group_range, for IPv6 too: set it in the \
             pod's securityContext, or on the host"
        }
        Transport::Udp | Transport::Tcp | Transport::Http => "",
    }
}
