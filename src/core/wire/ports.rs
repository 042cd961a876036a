//! Ports of the node that a pod wants (upstream: `pkg/scheduler/util.GetHostPorts`).

use serde::Deserialize;

use crate::model::{HostPort, Protocol};

use super::error::{Fault, Problem};
use super::intern::Interner;
use super::pod::{Container, PodSpec};

const ALL_ADDRESSES: &str = "0.0.0.0";

/// A port of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerPort {
    #[serde(rename = "containerPort")]
    in_container: Option<i64>,
    #[serde(rename = "hostPort")]
    on_host: Option<i64>,
    #[serde(rename = "hostIP")]
    host_ip: Option<String>,
    protocol: Option<String>,
}

/// The host ports of all containers that keep running.
pub(super) fn read(spec: &PodSpec, interner: &mut Interner) -> Result<Box<[HostPort]>, Fault> {
    let mut ports = Vec::new();
    for (idx, container) in spec.init_containers.iter().enumerate() {
        if container.is_restartable() {
            read_container(spec, container, &mut ports, interner)
                .map_err(|fault| fault.under(format_args!("spec.initContainers[{idx}]")))?;
        }
    }
    for (idx, container) in spec.containers.iter().enumerate() {
        read_container(spec, container, &mut ports, interner)
            .map_err(|fault| fault.under(format_args!("spec.containers[{idx}]")))?;
    }
    Ok(ports.into_boxed_slice())
}

fn read_container(
    spec: &PodSpec,
    container: &Container,
    ports: &mut Vec<HostPort>,
    interner: &mut Interner,
) -> Result<(), Fault> {
    for (idx, port) in container.ports.iter().enumerate() {
        let port = port.read(spec.host_network == Some(true), interner);
        ports.extend(port.map_err(|fault| fault.under(format_args!("ports[{idx}]")))?);
    }
    Ok(())
}

// === impl ContainerPort ===

impl ContainerPort {
    fn read(&self, is_host_network: bool, interner: &mut Interner) -> Result<Option<HostPort>, Fault> {
        // On the host's network every container port is one of the host (`defaultHostNetworkPorts`).
        let asked = self.on_host.filter(|port| *port != 0);
        let asked = if is_host_network { asked.or(self.in_container) } else { asked };
        let Some(port) = asked.filter(|port| *port != 0) else {
            return Ok(None);
        };
        let in_range = Problem::check_range(port, 1, i64::from(u16::MAX));
        let in_range = in_range.map_err(|problem| problem.at("hostPort"))?;
        let ip = self.host_ip.as_deref().filter(|ip| !ip.is_empty()).unwrap_or(ALL_ADDRESSES);
        Ok(Some(HostPort {
            ip: interner.intern(ip),
            protocol: self.read_protocol()?,
            port: u16::try_from(in_range).unwrap_or(u16::MAX),
        }))
    }

    fn read_protocol(&self) -> Result<Protocol, Fault> {
        match self.protocol.as_deref() {
            None | Some("" | "TCP") => Ok(Protocol::Tcp),
            Some("UDP") => Ok(Protocol::Udp),
            Some("SCTP") => Ok(Protocol::Sctp),
            Some(other) => Err(Problem::word(other, "TCP, UDP, SCTP").at("protocol")),
        }
    }
}
