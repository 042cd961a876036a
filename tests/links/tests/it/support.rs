//! An echo over UDP, written here, that is measured on both sides.

use links::{Host, Leg, Passage, RoundTrip, round_trips, udp};
use std::{
    io::ErrorKind,
    net::{IpAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// How much before a packet was there its time may be taken: the clock is read before the device.
pub(crate) const STAMP: Duration = Duration::from_micros(100);

const ECHO_PORT: u16 = 7;
const FREE_WITHIN: Duration = Duration::from_secs(10);

/// A thread on a host that sends every datagram back.
pub(crate) struct Echo {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One echo as its sender saw it.
pub(crate) struct Seen {
    pub(crate) sequence: u32,
    pub(crate) delay: Option<Duration>,
}

impl Echo {
    pub(crate) fn start(host: &Host, address: IpAddr) -> Self {
        let socket = bind(host, address, ECHO_PORT);
        socket.set_read_timeout(Some(20 * MS)).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            let mut buffer = [0; 64];
            while !ended.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    buffer[0] = b'R';
                    socket.send_to(&buffer[..length], from).unwrap();
                }
            }
        });
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Sends so many datagrams one after the other, each when the one before it came back or did not within `patience`.
pub(crate) fn echoes(host: &Host, from: IpAddr, to: IpAddr, count: u32, patience: Duration) -> Vec<Seen> {
    let socket = bind(host, from, 0);
    socket.connect((to, ECHO_PORT)).unwrap();
    (0..count).map(|sequence| Seen { sequence, delay: echo(&socket, sequence, patience) }).collect()
}

/// What the links gave to those same datagrams, in their order.
pub(crate) fn given(record: &[Passage]) -> Vec<RoundTrip<u32>> {
    round_trips(record, udp(leg))
}

/// A process that another test starts at this moment has what is open here until it becomes another program, so a port may
/// still be taken that was given back.
pub(crate) fn bind(host: &Host, address: IpAddr, port: u16) -> UdpSocket {
    let begin = Instant::now();
    loop {
        match host.inside(move || UdpSocket::bind((address, port))).unwrap() {
            Err(error) if error.kind() == ErrorKind::AddrInUse && begin.elapsed() < FREE_WITHIN => (),
            bound => return bound.unwrap(),
        }
    }
}

fn echo(socket: &UdpSocket, sequence: u32, patience: Duration) -> Option<Duration> {
    let mut request = [b'Q'; 5];
    request[1..].copy_from_slice(&sequence.to_be_bytes());
    let begin = Instant::now();
    socket.send(&request).unwrap();
    let mut reply = [0; 64];
    while begin.elapsed() < patience {
        socket.set_read_timeout(Some(patience.saturating_sub(begin.elapsed()).max(MS))).unwrap();
        match socket.recv(&mut reply) {
            Ok(5) if reply[1..5] == request[1..] => return Some(begin.elapsed()),
            Ok(_) => {} // A late one.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("{error}"),
        }
    }
    None
}

fn leg(payload: &[u8]) -> Option<Leg<u32>> {
    let sequence = u32::from_be_bytes(payload.get(1..5)?.try_into().ok()?);
    match payload[0] {
        b'Q' => Some(Leg::Request(sequence)),
        b'R' => Some(Leg::Reply(sequence)),
        _ => None,
    }
}
