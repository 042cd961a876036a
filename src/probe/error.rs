//! Why an agent does not run.

use std::io;

use edge_api::Transport;

use super::echo::EchoError;
use super::health::HealthError;
use super::keys::KeyError;

/// Why an agent ends. What to do follows from which setting is at fault.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
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
    #[error("{} probes: {why}{}", name(*transport), hint(*transport))]
    Sender {
        /// How they were to be sent.
        transport: Transport,
        /// Why not.
        why: io::Error,
    },
    /// Health and metrics can't be served.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// Nobody reads the samples any more, or they can't be written.
    #[error("writing samples: {0}")]
    Write(#[source] io::Error),
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
