//! A proxy on the way to the server, which leads everything to this machine.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A proxy that lives as long as the test's process.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

// === impl Proxy ===

impl Proxy {
    /// One for HTTP, which is asked by CONNECT.
    pub(crate) fn http() -> Self {
        Self::start(connect)
    }

    /// One for SOCKS5 (RFC 1928).
    pub(crate) fn socks() -> Self {
        Self::start(socks)
    }

    /// Whither it was asked to connect since this was last asked, each target once.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        asked.sort_unstable();
        asked.dedup();
        asked
    }

    fn start(handshake: fn(&mut TcpStream) -> io::Result<String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let noted = Arc::clone(&noted);
                thread::spawn(move || serve(client, handshake, &noted));
            }
        });
        Self { port, asked }
    }
}

/// Whoever is asked for, it is the server on this machine at that port.
fn serve(
    mut client: TcpStream,
    handshake: fn(&mut TcpStream) -> io::Result<String>,
    asked: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let target = handshake(&mut client)?;
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(target.clone());
    let port = target.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let (mut back, mut out) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        _ = io::copy(&mut back, &mut out);
        out.shutdown(Shutdown::Write)
    });
    io::copy(&mut client, &mut server)?;
    server.shutdown(Shutdown::Write)
}

fn connect(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    Ok(head.split_whitespace().nth(1).unwrap_or_default().to_owned())
}

fn socks(client: &mut TcpStream) -> io::Result<String> {
    let mut exactly = |count: usize| {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes).map(|()| bytes)
    };
    let methods = exactly(2)?[1];
    exactly(methods.into())?;
    // No credentials are needed.
    client.write_all(&[5, 0])?;
    let mut exactly = |count: usize| {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes).map(|()| bytes)
    };
    let host = match exactly(4)?[3] {
        1 => exactly(4)?.iter().map(ToString::to_string).collect::<Vec<_>>().join("."),
        3 => {
            let len = exactly(1)?[0];
            String::from_utf8_lossy(&exactly(len.into())?).into_owned()
        }
        kind => return Err(io::Error::other(format!("address of kind {kind}"))),
    };
    let port = exactly(2)?;
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0])?;
    Ok(format!("{host}:{}", u16::from_be_bytes([port[0], port[1]])))
}
