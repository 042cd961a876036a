//! A TCP server of this process' machine, lent to a host.

use crate::{Error, Host, error::Context};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    io::{self, PipeReader, PipeWriter, pipe},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    thread::{self, JoinHandle},
};

/// Lends a TCP server, such as an API server on loopback, to a host: there the same address leads to it. The delays of the
/// links do not count on this way. Dropping it takes no new connections.
#[derive(Debug)]
pub struct Relay {
    /// None once it is to end.
    end: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

// === impl Relay ===

impl Relay {
    /// Listens on the host at the server's address.
    pub fn start(host: &Host, server: SocketAddr) -> Result<Self, Error> {
        let listener = host.inside(move || TcpListener::bind(server))?;
        let listener = listener.context(|| format!("listening on {server} of host {}", host.name()))?;
        let (ended, end) = pipe().context(|| "making a pipe".to_owned())?;
        let thread = thread::Builder::new()
            .name(format!("relay of {}", host.name()))
            .spawn(move || serve(&listener, server, &ended))
            .context(|| "starting a relay".to_owned())?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Takes connections until the other end of the pipe is closed.
fn serve(listener: &TcpListener, server: SocketAddr, ended: &PipeReader) {
    loop {
        let mut polled = [&listener.as_fd(), &ended.as_fd()].map(|it| PollFd::new(*it, PollFlags::POLLIN));
        if poll(&mut polled, PollTimeout::NONE).is_err() {
            continue; // A signal came in between.
        }
        let [called, ended] = polled.map(|it| it.any().unwrap_or(true));
        if ended {
            return;
        }
        if called && let Ok((client, _)) = listener.accept() {
            // Who is not let through sees the connection end, as with a server that is not there.
            let _ = TcpStream::connect(server).and_then(|server| join(client, server));
        }
    }
}

/// Passes on what either side says until both are done.
fn join(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let back = (server.try_clone()?, client.try_clone()?);
    for (mut from, mut to) in [(client, server), back] {
        thread::Builder::new().name("relay".to_owned()).spawn(move || {
            // However it ends, this direction is over.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })?;
    }
    Ok(())
}
