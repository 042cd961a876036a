//! Sending probes and receiving answers, by UDP, ICMP or TCP.

mod datagram;
mod handshake;
mod tcp;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use edge_api::Transport;
use edge_core::probe::Reading;
use nix::poll::PollFd;

use super::packet::Packet;
use datagram::{Icmp, Udp};
use tcp::Tcp;

/// A way to take round-trip times.
#[derive(Debug)]
pub(super) enum Wire {
    Udp(Udp),
    Icmp(Icmp),
    Tcp(Tcp),
}

/// An answer that came in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// A packet, which has to be looked at.
    Packet {
        packet: Packet,
        /// When the kernel got it, by the wall clock.
        stamp: Option<Duration>,
        /// When it was read.
        read: Reading,
    },
    /// A connection came about.
    Connected {
        sequence: u32,
        /// When that was noticed.
        read: Reading,
        /// How long it took as the kernel says, which knows better.
        took: Option<Duration>,
    },
}

// === impl Wire ===

impl Wire {
    /// Opens what it takes. An address family that this machine doesn't have is left out.
    pub(super) fn open(transport: Transport) -> io::Result<Self> {
        match transport {
            Transport::Udp => Udp::open().map(Self::Udp),
            Transport::Icmp => Icmp::open().map(Self::Icmp),
            Transport::Tcp | Transport::Http => Ok(Self::Tcp(Tcp::open())),
        }
    }

    /// Sends a probe; the port that it was sent from where that is one of its own.
    pub(super) fn send(&mut self, sequence: u32, packet: &Packet, to: SocketAddr) -> io::Result<Option<u16>> {
        match self {
            Self::Udp(udp) => udp.send(packet, to).map(|()| None),
            Self::Icmp(icmp) => icmp.send(sequence, packet, to).map(|()| None),
            Self::Tcp(tcp) => tcp.connect(sequence, to).map(Some),
        }
    }

    /// Whether the kernel tells when answers came in. Else it is part of delays how late they are read.
    pub(super) fn has_times(&self) -> bool {
        match self {
            Self::Udp(_) | Self::Icmp(_) => true,
            Self::Tcp(tcp) => tcp.has_times(),
        }
    }

    /// What to wait for.
    pub(super) fn waits_for(&self) -> Vec<PollFd<'_>> {
        match self {
            Self::Udp(udp) => udp.waits_for(),
            Self::Icmp(icmp) => icmp.waits_for(),
            Self::Tcp(tcp) => tcp.waits_for(),
        }
    }

    /// What has come in.
    pub(super) fn receive(&mut self) -> Vec<Answer> {
        match self {
            Self::Udp(udp) => udp.receive(),
            Self::Icmp(icmp) => icmp.receive(),
            Self::Tcp(tcp) => tcp.receive(),
        }
    }

    /// A probe was given up.
    pub(super) fn forget(&mut self, sequence: u32) {
        if let Self::Tcp(tcp) = self {
            tcp.forget(sequence);
        }
    }
}
