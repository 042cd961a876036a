//! Answering others' probes.

mod responder;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use edge_core::model::NodeName;
use edge_core::probe::{Reading, lag};
use nix::poll::{PollFd, PollFlags, poll};
use tracing::debug;

use super::clock;
use super::counters::Counters;
use super::keys::Keyring;
use super::socket::{TimedSocket, listen};
use responder::Responder;

/// How many packets of one socket are answered before the others have their turn.
const AT_ONCE: usize = 64;
/// How old a reading of the clocks may become before another takes its place.
const READING_AGE: Duration = Duration::from_secs(5);
/// How long to rest where the system gives no more connections.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the thread waits at most, so that it shows that it lives.
const LONGEST_WAIT_MILLIS: u16 = 5_000;

/// Why nobody is answered.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {
    /// The port can't be used.
    #[error("{protocol} {address}: {why}; choose another by --port, or other addresses by --listen")]
    Bind {
        /// UDP or TCP.
        protocol: &'static str,
        /// The address and port.
        address: SocketAddr,
        /// Why not.
        why: io::Error,
    },
    /// There can be no thread.
    #[error("no thread for answering: {0}")]
    Thread(#[source] io::Error),
}

/// Readings of the clocks from a while ago, to see by whether the wall clock was set meanwhile.
struct Readings {
    older: Reading,
    newer: Reading,
}

/// Begins to answer on these addresses, in a thread of its own that lives as long as the process; the addresses, with
/// the ports that the system chose where none was asked for.
pub(super) fn start(
    me: &NodeName,
    addresses: &[SocketAddr],
    keyring: Keyring,
    counters: Counters,
) -> Result<Vec<SocketAddr>, EchoError> {
    let open = |address: &SocketAddr| {
        let at_fault = |why| EchoError::Bind { protocol: "UDP", address: *address, why };
        let socket = TimedSocket::udp(*address).map_err(at_fault)?;
        let bound = socket.local_address().map_err(at_fault)?;
        Ok((bound, socket))
    };
    let (bound, sockets): (Vec<_>, Vec<_>) = addresses.iter().map(open).collect::<Result<_, _>>()?;
    let responder = Responder::new(me.clone(), keyring);
    counters.echo_beat(clock::now());
    let thread = thread::Builder::new().name("echo".to_owned());
    thread.spawn(move || answer(sockets, responder, &counters)).map_err(EchoError::Thread)?;
    Ok(bound)
}

/// Begins to take TCP connections on these addresses, and to end them at once: the other side wants no more than to
/// see one come about, which is the kernel's work.
pub(super) fn take_connections(addresses: &[SocketAddr]) -> Result<(), EchoError> {
    for address in addresses {
        let at_fault = |why| EchoError::Bind { protocol: "TCP", address: *address, why };
        let listener = listen(*address).map_err(at_fault)?;
        let thread = thread::Builder::new().name("echo-tcp".to_owned());
        let take = move || {
            for connection in listener.incoming() {
                if connection.is_err() {
                    // Out of descriptors, most likely: that takes a while to get better.
                    thread::sleep(PAUSE);
                }
            }
        };
        thread.spawn(take).map_err(EchoError::Thread)?;
    }
    Ok(())
}

/// Answers for ever.
fn answer(mut sockets: Vec<TimedSocket>, mut responder: Responder, counters: &Counters) {
    let mut readings = Readings::new(clock::read());
    let mut buffer = [0; 2048];
    loop {
        let mut waited: Vec<PollFd> =
            sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        if let Err(error) = poll(&mut waited, LONGEST_WAIT_MILLIS) {
            debug!(%error, "waiting for probes");
            continue;
        }
        counters.echo_beat(clock::now());
        for socket in &mut sockets {
            for _ in 0..AT_ONCE {
                let Some(received) = socket.receive(&mut buffer) else { break };
                let now = readings.read();
                let held = || lag(received.stamp, readings.older, clock::read());
                let packet = buffer.get(..received.len).unwrap_or_default();
                let Some(answer) = responder.answer(packet, received.from.ip(), now.at, held) else {
                    counters.add(|it| &it.refused);
                    continue;
                };
                counters.add(|it| &it.echoed);
                if let Err(error) = socket.send(&answer, received.from) {
                    debug!(%error, to = %received.from, "an answer was not sent");
                }
            }
        }
    }
}

// === impl Readings ===

impl Readings {
    fn new(now: Reading) -> Self {
        Self { older: now, newer: now }
    }

    fn read(&mut self) -> Reading {
        let now = clock::read();
        if now.at.since(self.newer.at) >= READING_AGE {
            self.older = std::mem::replace(&mut self.newer, now);
        }
        now
    }
}
