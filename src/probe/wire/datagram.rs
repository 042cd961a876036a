//! Probes in datagrams: of UDP, which the other agent answers, and of ICMP, which the other kernel does.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags};

use super::super::clock;
use super::super::packet::{Packet, SIZE};
use super::super::socket::TimedSocket;
use super::Answer;

/// A socket for each address family.
#[derive(Debug)]
struct Pair {
    v4: io::Result<TimedSocket>,
    v6: io::Result<TimedSocket>,
}

#[derive(Debug)]
pub(in super::super) struct Udp {
    sockets: Pair,
}

#[derive(Debug)]
pub(in super::super) struct Icmp {
    sockets: Pair,
}

/// An echo message before its data: type, code, checksum, identifier, sequence number. The kernel fills in checksum
/// and identifier.
const ICMP_HEADER: usize = 8;
const ICMP_V4: EchoTypes = EchoTypes { request: 8, reply: 0 };
const ICMP_V6: EchoTypes = EchoTypes { request: 128, reply: 129 };

struct EchoTypes {
    request: u8,
    reply: u8,
}

// === impl Pair ===

impl Pair {
    /// Opens both; an error if there is neither.
    fn open(open: impl Fn(bool) -> io::Result<TimedSocket>) -> io::Result<Self> {
        match (open(false), open(true)) {
            (Err(error), Err(_)) => Err(error),
            (v4, v6) => Ok(Self { v4, v6 }),
        }
    }

    fn send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        match socket {
            Ok(socket) => socket.send(packet, to),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }

    fn waits_for(&self) -> Vec<PollFd<'_>> {
        let sockets = [&self.v4, &self.v6].into_iter().flatten();
        sockets.map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect()
    }

    /// What has come in, read by `read` from the buffer.
    fn receive(&mut self, packet: impl Fn(&[u8], bool) -> Option<Packet>) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut buffer = [0; 2048];
        for socket in [&mut self.v4, &mut self.v6].into_iter().flatten() {
            while let Some(received) = socket.receive(&mut buffer) {
                let read = clock::read();
                let bytes = buffer.get(..received.len).unwrap_or_default();
                if let Some(packet) = packet(bytes, received.from.is_ipv6()) {
                    answers.push(Answer::Packet { packet, stamp: received.stamp, read });
                }
            }
        }
        answers
    }
}

// === impl Udp ===

impl Udp {
    pub(super) fn open() -> io::Result<Self> {
        let any = |ipv6| {
            if ipv6 { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) }
        };
        let open = |ipv6| TimedSocket::udp(SocketAddr::new(any(ipv6), 0));
        Pair::open(open).map(|sockets| Self { sockets })
    }

    pub(super) fn send(&self, packet: &Packet, to: SocketAddr) -> io::Result<()> {
        self.sockets.send(packet, to)
    }

    pub(super) fn waits_for(&self) -> Vec<PollFd<'_>> {
        self.sockets.waits_for()
    }

    pub(super) fn receive(&mut self) -> Vec<Answer> {
        self.sockets.receive(|bytes, _| bytes.try_into().ok())
    }
}

// === impl Icmp ===

impl Icmp {
    pub(super) fn open() -> io::Result<Self> {
        Pair::open(TimedSocket::ping).map(|sockets| Self { sockets })
    }

    /// The data is the same packet as of UDP, so that an answer is known to be ours by what nobody can guess.
    pub(super) fn send(&self, sequence: u32, packet: &Packet, to: SocketAddr) -> io::Result<()> {
        let types = if to.is_ipv6() { ICMP_V6 } else { ICMP_V4 };
        let [_, _, high, low] = sequence.to_be_bytes();
        let header: [u8; ICMP_HEADER] = [types.request, 0, 0, 0, 0, 0, high, low];
        let mut message = [0; ICMP_HEADER + SIZE];
        let (head, data) = message.split_at_mut(ICMP_HEADER);
        head.copy_from_slice(&header);
        data.copy_from_slice(packet);
        self.sockets.send(&message, SocketAddr::new(to.ip(), 0))
    }

    pub(super) fn waits_for(&self) -> Vec<PollFd<'_>> {
        self.sockets.waits_for()
    }

    pub(super) fn receive(&mut self) -> Vec<Answer> {
        self.sockets.receive(|bytes, ipv6| {
            let types = if ipv6 { ICMP_V6 } else { ICMP_V4 };
            let (header, data) = bytes.split_at_checked(ICMP_HEADER)?;
            (header.first() == Some(&types.reply)).then(|| data.try_into().ok())?
        })
    }
}
