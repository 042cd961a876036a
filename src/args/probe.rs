//! `edge-scheduler probe`: the probe agent.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use edge_api::{Transport, names};
use edge_core::model::NodeName;

use super::LogArgs;
use crate::config::{GoDuration, parse_duration};
use crate::probe::{Peer, ProbeConfiguration};

/// Measure the delays from this node to others, and answer the others' probes.
///
/// What is to be measured stands in the NodeDelays of this node, and what was measured is written there. Without
/// Kubernetes (--standalone, or a list of --peers) what comes of each probe is printed as a line of JSON, and at the end
/// the statistics of each peer.
#[derive(Args, Clone, Debug)]
#[command(disable_version_flag = true, args_override_self = true)]
pub struct ProbeArgs {
    /// The name of this node [default: the environment's `NODE_NAME`].
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// The configuration file: a ProbeConfiguration. Flags come before it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How round-trip times are taken: by echo between agents (UDP), echo of the kernel (ICMP), or setting up
    /// connections (TCP) [default: UDP].
    #[arg(long, value_name = "TRANSPORT", value_enum, ignore_case = true)]
    pub transport: Option<TransportArg>,
    /// Addresses to answer on; others are told of the first of each family [default: the environment's `POD_IPS`].
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub listen: Vec<IpAddr>,
    /// UDP port to answer on, and TCP port for --transport TCP [default: 10270].
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Folder with the keys that agents know each other by, where the Secret edge-probe-key is mounted
    /// [default: /etc/edge-probe-key].
    #[arg(long, value_name = "FOLDER")]
    pub key_directory: Option<PathBuf>,
    /// When a probe counts as lost [default: 1s, and 900ms for TCP].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<GoDuration>,
    /// Where health and metrics are served by HTTP; empty for nowhere [default: port 10271 of every address].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub health_bind_address: Option<String>,
    /// How the API server is reached [default: by the pod's service account].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
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
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
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
    /// The name of this node.
    pub fn node_name(&self) -> Result<NodeName, String> {
        let name = self.node_name.clone().or_else(|| std::env::var("NODE_NAME").ok());
        let name = name.filter(|name| !name.is_empty());
        name.map(NodeName::new).ok_or_else(|| {
            "--node-name is required, or NODE_NAME in the environment, which spec.nodeName of the pod gives".to_owned()
        })
    }

    /// What the flags and the environment say of the configuration.
    pub fn configuration(&self) -> Result<ProbeConfiguration, String> {
        let mut listen = self.listen.clone();
        if listen.is_empty()
            && let Ok(addresses) = std::env::var("POD_IPS")
        {
            let parse = |address: &str| {
                address.trim().parse().map_err(|_| format!("POD_IPS: {address:?} is no IP address"))
            };
            let given = addresses.split(',').filter(|address| !address.trim().is_empty());
            listen = given.map(parse).collect::<Result<_, _>>()?;
        }
        Ok(ProbeConfiguration {
            transport: self.transport.map(Transport::from),
            port: self.port,
            listen,
            key_directory: self.key_directory.clone(),
            timeout: self.timeout,
            health_bind_address: self.health_bind_address.clone(),
            ..ProbeConfiguration::default()
        })
    }

    /// Whether to run without Kubernetes.
    pub fn is_alone(&self) -> bool {
        self.alone.standalone || !self.alone.peers.is_empty()
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

fn duration(text: &str) -> Result<GoDuration, String> {
    parse_duration(text).map(GoDuration::from)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, &str), &str>) {
        let found = peer(text);
        let found = found.as_ref().map(|it| (it.name.as_str(), it.address.to_string()));
        assert_eq!(
            found.map_err(String::as_str),
            expected.map(|(name, address)| (name, address.to_owned())),
            "{text}"
        );
    }

    #[test]
    fn peers_are_given_by_name_and_address() {
        check("b=10.0.0.2", Ok(("b", "10.0.0.2:10270")));
        check("b=10.0.0.2:99", Ok(("b", "10.0.0.2:99")));
        check("b=fd00::2", Ok(("b", "[fd00::2]:10270")));
        check("b=[fd00::2]:99", Ok(("b", "[fd00::2]:99")));
        check("b", Err("is not name=address or name=address:port"));
        check("b=example.com", Err("\"example.com\" is no IP address"));
        check("=10.0.0.2", Err("the name of the node is missing"));
    }
}
