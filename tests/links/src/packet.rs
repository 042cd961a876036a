//! Reading the headers of IP packets: where from, where to, and what is in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// ICMP over IPv4, and `ICMPv6` over IPv6.
    Icmp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Anything else, by its number.
    Other(u8),
}

/// Where a packet comes from and goes to, and of what kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The sender's address.
    pub source: IpAddr,
    /// The receiver's address.
    pub destination: IpAddr,
    /// What it carries.
    pub protocol: Protocol,
}

/// The flow of an IP packet, and what follows the IP header; none if it is no whole IP packet. Extension headers of IPv6
/// are not followed.
pub(crate) fn parse(packet: &[u8]) -> Option<(Flow, &[u8])> {
    match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet.first()? & 0xf) * 4;
            let flow = Flow {
                source: IpAddr::V4(Ipv4Addr::from(field::<4>(packet, 12)?)),
                destination: IpAddr::V4(Ipv4Addr::from(field::<4>(packet, 16)?)),
                protocol: protocol(*packet.get(9)?),
            };
            Some((flow, packet.get(header..)?))
        }
        6 => {
            let flow = Flow {
                source: IpAddr::V6(Ipv6Addr::from(field::<16>(packet, 8)?)),
                destination: IpAddr::V6(Ipv6Addr::from(field::<16>(packet, 24)?)),
                protocol: protocol(*packet.get(6)?),
            };
            Some((flow, packet.get(40..)?))
        }
        _ => None,
    }
}

/// So many bytes from this place on; none if there are fewer.
pub(crate) fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn protocol(number: u8) -> Protocol {
    match number {
        1 | 58 => Protocol::Icmp,
        6 => Protocol::Tcp,
        17 => Protocol::Udp,
        other => Protocol::Other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let mut v4 = vec![0_u8; 24];
        v4[0] = 0x45;
        v4[9] = 17;
        v4[12..16].copy_from_slice(&[10, 0, 0, 1]);
        v4[16..20].copy_from_slice(&[10, 0, 0, 2]);
        v4[20..].copy_from_slice(&[1, 2, 3, 4]);
        let (flow, rest) = parse(&v4).unwrap();
        assert_eq!((flow.source, flow.destination), ([10, 0, 0, 1].into(), [10, 0, 0, 2].into()));
        assert_eq!((flow.protocol, rest), (Protocol::Udp, &[1, 2, 3, 4][..]));

        let mut v6 = vec![0_u8; 44];
        v6[0] = 0x60;
        v6[6] = 58;
        v6[23] = 1;
        v6[39] = 2;
        let (flow, rest) = parse(&v6).unwrap();
        assert_eq!((flow.source.to_string(), flow.destination.to_string()), ("::1".into(), "::2".into()));
        assert_eq!((flow.protocol, rest.len()), (Protocol::Icmp, 4));
    }

    #[test]
    fn what_is_no_packet_is_none() {
        for bytes in [&[][..], &[0x45; 8], &[0x4f; 20], &[0x60; 39], &[0x15; 60]] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
    }
}
