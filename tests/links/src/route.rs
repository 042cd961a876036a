//! Whose an address is.

use ipnet::IpNet;
use std::{collections::BTreeMap, net::IpAddr};

/// From addresses to hosts, which are known by their place in the list of hosts.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    own: BTreeMap<IpAddr, usize>,
    /// The longest first.
    ranges: Vec<(IpNet, usize)>,
}

// === impl Routes ===

impl Routes {
    /// Adds a host's own address.
    pub(crate) fn add(&mut self, address: IpAddr, host: usize) {
        self.own.insert(address, host);
    }

    /// Adds a range of addresses behind a host.
    pub(crate) fn add_range(&mut self, range: IpNet, host: usize) {
        self.ranges.push((range, host));
        self.ranges.sort_by_key(|(range, _)| std::cmp::Reverse(range.prefix_len()));
    }

    /// The host that has this address, or the smallest range with it.
    pub(crate) fn to(&self, address: IpAddr) -> Option<usize> {
        let behind = || self.ranges.iter().find(|(range, _)| range.contains(&address)).map(|it| it.1);
        self.own.get(&address).copied().or_else(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_come_first_and_then_the_smallest_range() {
        let mut routes = Routes::default();
        routes.add([10, 0, 0, 1].into(), 1);
        routes.add_range("10.0.0.0/8".parse().unwrap(), 2);
        routes.add_range("10.1.0.0/16".parse().unwrap(), 3);
        routes.add_range("fd00::/8".parse().unwrap(), 4);
        for (address, host) in [
            ("10.0.0.1", Some(1)),
            ("10.0.0.2", Some(2)),
            ("10.1.0.2", Some(3)),
            ("fd12::1", Some(4)),
            ("192.0.2.1", None),
        ] {
            assert_eq!(routes.to(address.parse().unwrap()), host, "{address}");
        }
    }
}
