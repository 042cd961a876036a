//! Loopback ports that nobody else is given while we hold them.

use crate::error::{Context, Error};
use rustix::net::{self, AddressFamily, SocketAddrAny, SocketType};
use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::OwnedFd,
};

/// A free loopback port, reserved for servers of this user that set `SO_REUSEPORT`.
///
/// The socket is bound but never listens. So the kernel gives the port to nobody who asks for a free one, neither
/// between our choice and the server's start nor between its stop and its next start.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _socket: OwnedFd,
}

// === impl Port ===

impl Port {
    /// Reserves a port.
    pub fn reserve() -> Result<Self, Error> {
        let (number, socket) = bind().context(|| "reserving a loopback port".to_owned())?;
        Ok(Self { number, _socket: socket })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

fn bind() -> rustix::io::Result<(u16, OwnedFd)> {
    let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, net::SocketFlags::CLOEXEC, None)?;
    net::sockopt::set_socket_reuseport(&socket, true)?;
    net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    let address: SocketAddrAny = net::getsockname(&socket)?;
    Ok((SocketAddr::try_from(address)?.port(), socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_port_is_given_twice() {
        let ports: Vec<Port> = (0..200).map(|_| Port::reserve().unwrap()).collect();
        let numbers: BTreeSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 200);
    }
}
