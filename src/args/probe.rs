//! `edge-scheduler probe`: the probe agent.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use edge_api::{Transport, names};
use edge_core::model::NodeName;

use super::{LogArgs, duration};
use crate::probe::{Alone, Peer};

/// Measure the delays from this node to others, and answer the others' probes.
///
/// Without Kubernetes (--standalone, or a list of --peers) what comes of each probe is printed as a line of JSON, and at
/// the end the statistics of each peer.
#[derive(Args, Clone, Debug)]
#[command(disable_version_flag = true, args_override_self = true)]
pub struct ProbeArgs {
    /// The name of this node [default: the environment's `NODE_NAME`].
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// How round-trip times are taken: by echo between agents (UDP), echo of the kernel (ICMP), or setting up
    /// connections (TCP).
    #[arg(long, value_name = "TRANSPORT", value_enum, ignore_case = true)]
    pub transport: Option<TransportArg>,
    /// Addresses to answer on [default: the environment's `POD_IPS`, else every address].
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub listen: Vec<IpAddr>,
    /// UDP port to answer on, and TCP port for --transport TCP [default: 10270].
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Folder with the keys that agents know each other by, as the Secret edge-probe-key is mounted.
    #[arg(long, value_name = "FOLDER")]
    pub key_directory: Option<PathBuf>,
    /// When a probe counts as lost [default: 1s, and 900ms for TCP].
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub timeout: Option<Duration>,
    /// What runs without Kubernetes.
    #[command(flatten)]
    pub alone: AloneArgs,
    /// What is logged.
    #[command(flatten)]
    pub log: LogArgs,
}

/// The agent without Kubernetes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Without Kubernetes")]
pub struct AloneArgs {
    /// Run without Kubernetes. Without --peers others are answered, and nobody is probed.
    #[arg(long)]
    pub standalone: bool,
    /// Whom to probe: name=address or name=address:port.
    #[arg(long, value_name = "PEER", value_delimiter = ',', value_parser = peer)]
    pub peers: Vec<Peer>,
    /// How often each peer is probed.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    pub period: Duration,
    /// Send each peer a burst of 8 probes and exit: with 0 if all peers answered, else with 1.
    #[arg(long, requires = "peers")]
    pub once: bool,
}

/// How round-trip times are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TransportArg {
    /// Echo between agents.
    #[value(name = "UDP")]
    Udp,
    /// Echo of the kernel.
    #[value(name = "ICMP")]
    Icmp,
    /// Setting up connections.
    #[value(name = "TCP")]
    Tcp,
}

// === impl ProbeArgs ===

impl ProbeArgs {
    /// The agent without Kubernetes that the flags ask for.
    pub fn alone(&self) -> Result<Alone, String> {
        let node_name = self.node_name.clone().or_else(|| std::env::var("NODE_NAME").ok());
        let me = node_name.ok_or("--node-name or the environment's NODE_NAME is required")?;
        let transport = Transport::from(self.transport.unwrap_or(TransportArg::Udp));
        let usual =
            if transport == Transport::Tcp { Duration::from_millis(900) } else { Duration::from_secs(1) };
        let timeout = self.timeout.unwrap_or(usual);
        let port = self.port.unwrap_or(names::PROBE_PORT);
        let answers = self.alone.standalone || !self.listen.is_empty();
        let everywhere = [IpAddr::from([0; 4]), IpAddr::from([0; 16])];
        let listen: &[IpAddr] = match &self.listen[..] {
            [] if answers => &everywhere,
            listen => listen,
        };
        Ok(Alone {
            me: NodeName::new(me),
            peers: self.alone.peers.clone(),
            transport,
            listen: listen.iter().map(|address| SocketAddr::new(*address, port)).collect(),
            keys: self.key_directory.clone(),
            period: self.alone.period,
            timeout,
            once: self.alone.once,
        })
    }
}

impl From<TransportArg> for Transport {
    fn from(transport: TransportArg) -> Self {
        match transport {
            TransportArg::Udp => Self::Udp,
            TransportArg::Icmp => Self::Icmp,
            TransportArg::Tcp => Self::Tcp,
        }
    }
}

/// `name=address`, with the agents' port, or `name=address:port`.
fn peer(text: &str) -> Result<Peer, String> {
    let (name, address) = text.split_once('=').ok_or("is not name=address or name=address:port")?;
    let with_port = address.parse::<SocketAddr>();
    let alone = || address.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, names::PROBE_PORT));
    let address = with_port.or_else(|_| alone()).map_err(|_| format!("{address:?} is no IP address"))?;
    if name.is_empty() {
        return Err("the name of the node is missing".to_owned());
    }
    Ok(Peer { name: NodeName::from(name), address })
}
