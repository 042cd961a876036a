//! Addresses of a bed of real nodes, out of 198.18.0.0/15, which is set aside for tests of networks.

use std::{fmt, net::Ipv4Addr};

/// The addresses of one bed: sixteen networks of 256. The first joins the host and the nodes, each other one is for a
/// node's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    bed: u8,
}

/// A node's place in its bed, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u8);

/// Addresses and the number of bits that they have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    first: Ipv4Addr,
    bits: u8,
}

// === impl Range ===

impl Range {
    /// As many beds as there can be on a machine at the same time.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..32).map(|bed| Self { bed })
    }

    /// The bed's number.
    pub(crate) fn number(self) -> u8 {
        self.bed
    }

    /// The host's address, at which the API server listens.
    pub(crate) fn host(self) -> Ipv4Addr {
        self.address(0, 1)
    }

    /// A node's address.
    pub(crate) fn node(self, place: Place) -> Ipv4Addr {
        self.address(0, 10 + place.0)
    }

    /// What joins the host and the nodes.
    pub(crate) fn link(self) -> Network {
        Network { first: self.address(0, 0), bits: 24 }
    }

    /// The addresses of a node's pods.
    pub(crate) fn pods(self, place: Place) -> Network {
        Network { first: self.address(place.0, 0), bits: 24 }
    }

    fn address(self, network: u8, host: u8) -> Ipv4Addr {
        let bits = u32::from(self.bed) * 16 + u32::from(network);
        let base = u32::from(Ipv4Addr::new(198, 18, 0, 0));
        Ipv4Addr::from(base + bits * 256 + u32::from(host))
    }
}

// === impl Place ===

impl Place {
    /// The most nodes that a bed can have.
    pub(crate) const MOST: u8 = 15;

    /// The place of the node that comes after `before` others, if there is room.
    pub(crate) fn after(before: usize) -> Option<Self> {
        let place = u8::try_from(before).ok()?.checked_add(1)?;
        (place <= Self::MOST).then_some(Self(place))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl Network ===

impl Network {
    /// How many bits its addresses have in common.
    pub(crate) fn bits(self) -> u8 {
        self.bits
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beds_and_nodes_share_no_address() {
        let (first, last) = (Range::all().next().unwrap(), Range::all().last().unwrap());
        let (one, most) = (Place::after(0).unwrap(), Place::after(14).unwrap());
        assert_eq!(
            (first.host().to_string(), first.link().to_string()),
            ("198.18.0.1".into(), "198.18.0.0/24".into())
        );
        assert_eq!(
            (first.node(one).to_string(), first.pods(one).to_string()),
            ("198.18.0.11".into(), "198.18.1.0/24".into())
        );
        assert_eq!(
            (last.node(most).to_string(), last.pods(most).to_string()),
            ("198.19.240.25".into(), "198.19.255.0/24".into())
        );
        assert_eq!((Place::after(15), Place::after(300)), (None, None));
    }
}
