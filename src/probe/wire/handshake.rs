//! What the kernel measured of a connection: how long it took from SYN to SYN-ACK.
//!
//! Who waits for a connection is told late that it is there, by as much as the machine is busy, and unlike for datagrams
//! there is no time stamp. But the kernel has taken the round-trip time itself, for its retransmissions, and tells it
//! over a socket of family `NETLINK_SOCK_DIAG` (as `ss -i` does), which needs no privilege.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::libc::{AF_INET, AF_INET6, IPPROTO_TCP, NLM_F_REQUEST};
use nix::sys::socket::{AddressFamily, MsgFlags, SockProtocol, SockType, recv, send};

use super::super::socket::open;

/// Where the kernel is asked.
#[derive(Debug)]
pub(super) struct Handshakes(OwnedFd);

/// Kind of message, both ways (Linux: `linux/sock_diag.h`).
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The attribute with `struct tcp_info` (Linux: `linux/inet_diag.h`).
const INET_DIAG_INFO: u16 = 2;
/// The lengths of `struct nlmsghdr`, `inet_diag_req_v2` and `inet_diag_msg`.
const HEADER: usize = 16;
const REQUEST: usize = 56;
const MESSAGE: usize = 72;
/// Where `tcpi_rtt` is in `struct tcp_info`, in microseconds (Linux: `linux/tcp.h`).
const RTT: usize = 68;
/// Any interface, and no cookie: a connection is known by its addresses.
const ANY: [u32; 3] = [0, u32::MAX, u32::MAX];

// === impl Handshakes ===

impl Handshakes {
    pub(super) fn open() -> io::Result<Self> {
        open(AddressFamily::Netlink, SockType::Datagram, Some(SockProtocol::NetlinkSockDiag)).map(Self)
    }

    /// How long the connection between these took to come about; none if the kernel doesn't tell. It is never too short
    /// by more than a microsecond.
    pub(super) fn took(&self, local: SocketAddr, peer: SocketAddr) -> Option<Duration> {
        let fd = self.0.as_raw_fd();
        let mut answer = [0; 2048];
        // What was asked before and not read is not the answer.
        while recv(fd, &mut answer, MsgFlags::MSG_DONTWAIT).is_ok() {}
        send(fd, &request(local, peer), MsgFlags::MSG_DONTWAIT).ok()?;
        // The kernel answers before `send` returns.
        let len = recv(fd, &mut answer, MsgFlags::MSG_DONTWAIT).ok()?;
        rtt(answer.get(..len)?)
    }
}

/// Asks for one connection.
fn request(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    let bytes = |number: i32| u8::try_from(number).unwrap_or_default();
    let len = u32::try_from(HEADER + REQUEST).unwrap_or_default();
    let flags = u16::try_from(NLM_F_REQUEST).unwrap_or_default();
    let mut request = Vec::with_capacity(HEADER + REQUEST);
    request.extend(len.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    // A sequence number and a port, of which the kernel makes nothing here.
    request.extend([0; 8]);
    request.extend([bytes(family), bytes(IPPROTO_TCP), 1 << (INET_DIAG_INFO - 1), 0]);
    // In any state.
    request.extend(u32::MAX.to_ne_bytes());
    for port in [local.port(), peer.port()] {
        request.extend(port.to_be_bytes());
    }
    for address in [local.ip(), peer.ip()] {
        request.extend(sixteen(address));
    }
    request.extend(ANY.iter().flat_map(|it| it.to_ne_bytes()));
    request
}

fn sixteen(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
    }
}

/// The round-trip time in an answer.
fn rtt(answer: &[u8]) -> Option<Duration> {
    let u16_at = |bytes: &[u8], at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |bytes: &[u8], at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if u16_at(answer, 4)? != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let mut attributes = answer.get(HEADER + MESSAGE..)?;
    loop {
        let (len, kind) = (usize::from(u16_at(attributes, 0)?), u16_at(attributes, 2)?);
        let attribute = attributes.get(4..len)?;
        if kind == INET_DIAG_INFO {
            let micros = u32_at(attribute, RTT)?;
            return (micros > 0).then(|| Duration::from_micros(micros.into()));
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_kernel_tells_how_long_a_connection_took() {
        let handshakes = Handshakes::open().unwrap();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let begun = Instant::now();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let elapsed = begun.elapsed();
            let (local, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
            let took = handshakes.took(local, peer).unwrap();
            assert!(took <= elapsed, "{took:?} of {elapsed:?}");
            drop((stream, listener));
        }
        let [nobody, none] = ["127.0.0.1:1", "127.0.0.1:2"].map(|it| it.parse().unwrap());
        assert_eq!(handshakes.took(nobody, none), None);
    }

    #[test]
    fn what_is_no_answer_tells_nothing() {
        let mut answer = vec![0; HEADER + MESSAGE];
        answer[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        assert_eq!(rtt(&answer), None);
        // An attribute of no length, and one that goes over the end.
        for len in [0_u16, 3, 300] {
            let mut answer = answer.clone();
            answer.extend(len.to_ne_bytes());
            answer.extend(INET_DIAG_INFO.to_ne_bytes());
            answer.extend([1; 80]);
            assert_eq!(rtt(&answer), None, "{len}");
        }
        assert_eq!(rtt(&[]), None);
    }
}
