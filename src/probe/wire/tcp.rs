//! Probes by setting up connections: SYN, SYN-ACK, and gone again.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};

use edge_core::probe::Reading;
use nix::errno::Errno;
use nix::libc::linger;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{SockType, SockaddrStorage, connect, setsockopt, sockopt};
use tracing::warn;

use super::super::clock;
use super::super::socket::{family, open};
use super::Answer;
use super::handshake::Handshakes;

/// Connections on their way, by sequence number.
#[derive(Debug)]
pub(in super::super) struct Tcp {
    connecting: BTreeMap<u32, TcpStream>,
    /// None where the kernel has nothing of the kind.
    handshakes: Option<Handshakes>,
}

// === impl Tcp ===

impl Tcp {
    pub(super) fn open() -> Self {
        let handshakes = Handshakes::open().inspect_err(|error| {
            warn!(%error, "the kernel does not tell how long connections take; that they are noticed late is part of delays");
        });
        Self { connecting: BTreeMap::new(), handshakes: handshakes.ok() }
    }

    pub(super) fn has_times(&self) -> bool {
        self.handshakes.is_some()
    }

    /// Begins to connect; from which port.
    pub(super) fn connect(&mut self, sequence: u32, to: SocketAddr) -> io::Result<u16> {
        let fd = open(family(to.is_ipv6()), SockType::Stream, None)?;
        // The connection ends with a reset, so that none is left behind to wait for its time.
        setsockopt(&fd, sockopt::Linger, &linger { l_onoff: 1, l_linger: 0 })?;
        match connect(fd.as_raw_fd(), &SockaddrStorage::from(to)) {
            Ok(()) | Err(Errno::EINPROGRESS) => (),
            Err(error) => return Err(error.into()),
        }
        let stream = TcpStream::from(fd);
        let port = stream.local_addr()?.port();
        self.connecting.insert(sequence, stream);
        Ok(port)
    }

    pub(super) fn waits_for(&self) -> Vec<PollFd<'_>> {
        self.connecting.values().map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLOUT)).collect()
    }

    /// Those that came about. A refusal is no answer, because whoever stands in between may refuse: such a probe is
    /// given up like any other.
    pub(super) fn receive(&mut self) -> Vec<Answer> {
        let mut waited = self.waits_for();
        // Nothing is waited for here; this only tells which are done.
        if !poll(&mut waited, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
            return Vec::new();
        }
        let read = clock::read();
        let ready: Vec<bool> = waited.iter().map(|it| it.any().unwrap_or_default()).collect();
        let done: Vec<u32> =
            self.connecting.keys().zip(ready).filter(|(_, ready)| *ready).map(|(it, _)| *it).collect();
        done.into_iter().filter_map(|sequence| self.outcome(sequence, read)).collect()
    }

    fn outcome(&mut self, sequence: u32, read: Reading) -> Option<Answer> {
        let stream = self.connecting.remove(&sequence)?;
        if !matches!(stream.take_error(), Ok(None)) {
            return None;
        }
        let took = self
            .handshakes
            .as_ref()
            .and_then(|handshakes| handshakes.took(stream.local_addr().ok()?, stream.peer_addr().ok()?));
        Some(Answer::Connected { sequence, read, took })
    }

    pub(super) fn forget(&mut self, sequence: u32) {
        self.connecting.remove(&sequence);
    }
}
