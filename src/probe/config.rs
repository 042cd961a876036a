//! The agent's configuration: a `ProbeConfiguration`, strictly decoded, or flags, which come first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use edge_api::{Transport, names};
use serde::Deserialize;

use crate::config::GoDuration;
use crate::config::decode::{document, strict};

/// The kind of the file.
const KIND: &str = "ProbeConfiguration";
/// Where the Secret with the keys is mounted.
const KEY_DIRECTORY: &str = "/etc/edge-probe-key";
/// The shortest and the longest time after which a probe counts as lost.
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(10);
/// Connecting has to be given up before the kernel asks a second time, which it does after one second: what comes about
/// then would look like a delay of more than a second.
const LONGEST_OF_TCP: Duration = Duration::from_millis(950);

/// How the agent is set up.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeConfiguration {
    /// The version of the form.
    pub api_version: String,
    /// What it is.
    pub kind: String,
    /// How round-trip times are taken; UDP by default.
    pub transport: Option<Transport>,
    /// The UDP and TCP port to answer on.
    pub port: Option<u16>,
    /// The addresses to answer on, which are told to the others.
    pub listen: Vec<IpAddr>,
    /// The folder with the keys.
    pub key_directory: Option<PathBuf>,
    /// When a probe counts as lost.
    pub timeout: Option<GoDuration>,
    /// Where health and metrics are served, as `address:port`; empty for nowhere.
    pub health_bind_address: Option<String>,
}

/// Why a configuration can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeConfigError {
    /// It is no YAML, or says something twice.
    #[error("strict decoding error: {0}")]
    Syntax(String),
    /// It says that it is something else.
    #[error("apiVersion {version:?}, kind {kind:?}: this has to be {KIND} of {}", edge_api::API_VERSION)]
    Kind {
        /// The version that it gives.
        version: String,
        /// The kind that it gives.
        kind: String,
    },
    /// It has fields that don't exist or hold something else.
    #[error("strict decoding error: {}", .0.join(", "))]
    Decoding(Vec<String>),
    /// A field holds what it can't.
    #[error("{field}: {why}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong, and what is right.
        why: String,
    },
}

// === impl ProbeConfiguration ===

impl ProbeConfiguration {
    /// Reads a file's text.
    pub fn read(text: &str) -> Result<Self, ProbeConfigError> {
        let document = document(text).map_err(|error| ProbeConfigError::Syntax(error.to_string()))?;
        let mut problems = Vec::new();
        let config: Option<Self> = strict(&document, "", &mut problems);
        match config {
            Some(config) if config.kind != KIND || config.api_version != edge_api::API_VERSION => {
                Err(ProbeConfigError::Kind { version: config.api_version, kind: config.kind })
            }
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ProbeConfigError::Decoding(problems)),
        }
    }

    /// What is said here, and for the rest what `other` says.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            api_version: other.api_version,
            kind: other.kind,
            transport: self.transport.or(other.transport),
            port: self.port.or(other.port),
            listen: if self.listen.is_empty() { other.listen } else { self.listen },
            key_directory: self.key_directory.or(other.key_directory),
            timeout: self.timeout.or(other.timeout),
            health_bind_address: self.health_bind_address.or(other.health_bind_address),
        }
    }

    /// How round-trip times are taken.
    pub fn transport(&self) -> Result<Transport, ProbeConfigError> {
        match self.transport.unwrap_or(Transport::Udp) {
            Transport::Http => {
                Err(ProbeConfigError::Field { field: "transport", why: "is UDP, ICMP or TCP".to_owned() })
            }
            transport => Ok(transport),
        }
    }

    /// When a probe counts as lost.
    pub fn timeout(&self) -> Result<Duration, ProbeConfigError> {
        let is_tcp = self.transport()? == Transport::Tcp;
        let usual = if is_tcp { Duration::from_millis(900) } else { Duration::from_secs(1) };
        let timeout = self.timeout.map_or(usual, GoDuration::get);
        let wrong = |why: &str| Err(ProbeConfigError::Field { field: "timeout", why: why.to_owned() });
        match timeout {
            timeout if !TIMEOUTS.contains(&timeout) => wrong("is from 10ms to 10s"),
            timeout if is_tcp && timeout > LONGEST_OF_TCP => wrong(
                "is at most 950ms for TCP: after a second the kernel tries again, and a loss would look like a delay",
            ),
            timeout => Ok(timeout),
        }
    }

    /// Where to answer. With `told`, the addresses are told to others, so they have to be this node's own.
    pub fn listen(&self, told: bool) -> Result<Vec<SocketAddr>, ProbeConfigError> {
        let wrong = |why: &str| Err(ProbeConfigError::Field { field: "listen", why: why.to_owned() });
        if told && self.listen.is_empty() {
            return wrong(
                "is required: give the pod's addresses, or set the environment's POD_IPS to status.podIPs",
            );
        }
        if told && self.listen.iter().any(IpAddr::is_unspecified) {
            return wrong("others are told these addresses, so they have to be this node's own");
        }
        let port = match self.port.unwrap_or(names::PROBE_PORT) {
            0 if told => {
                return Err(ProbeConfigError::Field { field: "port", why: "is from 1 to 65535".to_owned() });
            }
            port => port,
        };
        let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let addresses = if self.listen.is_empty() { &everywhere } else { &self.listen[..] };
        Ok(addresses.iter().map(|address| SocketAddr::new(*address, port)).collect())
    }

    /// The folder with the keys.
    pub fn key_directory(&self) -> PathBuf {
        self.key_directory.clone().unwrap_or_else(|| KEY_DIRECTORY.into())
    }

    /// Where health and metrics are served; none if nowhere.
    pub fn health(&self) -> Result<Option<SocketAddr>, ProbeConfigError> {
        match self.health_bind_address.as_deref() {
            None => {
                // The kubelet asks at the pod's address, whose family it takes.
                let v6 = self.listen.first().is_some_and(IpAddr::is_ipv6);
                let any: IpAddr =
                    if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
                Ok(Some(SocketAddr::new(any, names::PROBE_HEALTH_PORT)))
            }
            Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| ProbeConfigError::Field {
                field: "healthBindAddress",
                why: format!("{text:?} is no address:port, such as 0.0.0.0:10271"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &str, expected: Result<(), &str>) {
        let text = format!("apiVersion: kubectl-edge.dev/v1alpha1\nkind: ProbeConfiguration\n{fields}");
        let checked = ProbeConfiguration::read(&text).and_then(|config| {
            config.timeout()?;
            config.listen(true)?;
            config.health().map(drop)
        });
        match (checked, expected) {
            (Ok(()), Ok(())) => (),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (checked, _) => panic!("{fields:?}: {checked:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        check("listen: [10.0.0.1, 'fd00::1']\ntransport: ICMP\nport: 999\ntimeout: 2s", Ok(()));
        check("listen: [10.0.0.1]\nhealthBindAddress: ''", Ok(()));
        check("listen: [10.0.0.1]\nlisten: []", Err("duplicate"));
        check("listn: []", Err("unknown field \"listn\""));
        check("listen: [somewhere]", Err("listen[0]: "));
        check("transport: HTTP", Err("transport: is UDP, ICMP or TCP"));
        check("transport: udp", Err("transport: "));
        check("", Err("listen: is required"));
        check("listen: ['::']", Err("listen: others are told"));
        check("listen: [10.0.0.1]\nport: 0", Err("port: is from 1"));
        check("timeout: 1ms", Err("timeout: is from 10ms to 10s"));
        check("transport: TCP\ntimeout: 1s", Err("timeout: is at most 950ms"));
        check("listen: [10.0.0.1]\nhealthBindAddress: '10271'", Err("healthBindAddress: \"10271\" is no"));
    }

    #[test]
    fn another_kind_is_refused() {
        let read = ProbeConfiguration::read("apiVersion: v1\nkind: ConfigMap\ndata: {}");
        assert!(
            read.unwrap_err().to_string().contains("this has to be ProbeConfiguration of kubectl-edge.dev")
        );
    }
}
