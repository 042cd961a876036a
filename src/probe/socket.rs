//! Sockets that say when a packet came in.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage,
    bind, recvmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

use super::clock;

/// How much may wait to be read: a second's worth of probes at any rate there is. The kernel may give less.
const RECEIVE_BUFFER: usize = 1 << 20;

/// A socket for datagrams.
#[derive(Debug)]
pub(super) struct TimedSocket {
    socket: UdpSocket,
    control: Vec<u8>,
}

/// What came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    /// How much of the buffer it fills.
    pub(super) len: usize,
    /// From whom.
    pub(super) from: SocketAddr,
    /// When the kernel got it, by the wall clock.
    pub(super) stamp: Option<Duration>,
}

// === impl TimedSocket ===

impl TimedSocket {
    /// A UDP socket that is bound to this address.
    pub(super) fn udp(address: SocketAddr) -> io::Result<Self> {
        let fd = open(family(address.is_ipv6()), SockType::Datagram, None)?;
        if address.is_ipv6() {
            setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
        }
        bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
        Self::of(fd)
    }

    /// A ping socket: the kernel sends echo requests for it and hands it their replies. It needs no capability, but
    /// the process' group has to be within `net.ipv4.ping_group_range`, for IPv6 too.
    pub(super) fn ping(ipv6: bool) -> io::Result<Self> {
        let protocol = if ipv6 { SockProtocol::IcmpV6 } else { SockProtocol::Icmp };
        Self::of(open(family(ipv6), SockType::Datagram, Some(protocol))?)
    }

    fn of(fd: OwnedFd) -> io::Result<Self> {
        setsockopt(&fd, sockopt::ReceiveTimestampns, &true)?;
        // Less than what is asked for will do, too.
        _ = setsockopt(&fd, sockopt::RcvBuf, &RECEIVE_BUFFER);
        Ok(Self { socket: UdpSocket::from(fd), control: nix::cmsg_space!(TimeSpec) })
    }

    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(packet, to).map(drop)
    }

    /// The next packet that has come in; none if there is none now.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        loop {
            match self.try_receive(buffer) {
                Ok(received) => return Some(received),
                // What an earlier packet met on its way, such as a port that is closed, is told here.
                Err(Errno::EINTR | Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH) => (),
                Err(_) => return None,
            }
        }
    }

    fn try_receive(&mut self, buffer: &mut [u8]) -> Result<Received, Errno> {
        let mut parts = [IoSliceMut::new(buffer)];
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut self.control),
            MsgFlags::MSG_DONTWAIT,
        )?;
        let stamp = message.cmsgs().ok().and_then(|mut control| {
            control.find_map(|message| match message {
                ControlMessageOwned::ScmTimestampns(stamp) => Some(clock::since_epoch(stamp)),
                _ => None,
            })
        });
        let from = message.address.as_ref().and_then(address).ok_or(Errno::EINTR)?;
        Ok(Received { len: message.bytes, from, stamp })
    }
}

impl AsFd for TimedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Listens for connections at this address.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let kind = SockType::Stream;
    let fd = socket(family(address.is_ipv6()), kind, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    nix::sys::socket::listen(&fd, Backlog::MAXCONN)?;
    Ok(TcpListener::from(fd))
}

/// A socket that never makes a thread wait.
pub(super) fn open(
    family: AddressFamily,
    kind: SockType,
    protocol: Option<SockProtocol>,
) -> io::Result<OwnedFd> {
    Ok(socket(family, kind, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, protocol)?)
}

pub(super) fn family(ipv6: bool) -> AddressFamily {
    if ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|it| SocketAddr::V4((*it).into()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|it| SocketAddr::V6((*it).into())))
}
