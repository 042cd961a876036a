//! Hosts and the links between them: started, changed, read.

use crate::{Error, Host, HostSpec, Link, Passage, forwarder::Forwarder, route::Routes};
use ipnet::IpNet;

/// Some hosts, each joined to each other by a link of its own in either direction.
///
/// Addresses are 10.77.0.0/16 and `fd77::/64`, by the hosts' place in the list: 10.77.0.1, `fd77::1` for the first.
#[derive(Debug)]
pub struct Network {
    // First, so that nothing is forwarded any more when the hosts go.
    forwarder: Forwarder,
    hosts: Vec<Host>,
}

// === impl Network ===

impl Network {
    /// Makes the hosts and joins them by links without delay or loss. The seed decides which packets are lost later, and
    /// how jitter falls.
    pub fn start(seed: u64, specs: &[HostSpec]) -> Result<Self, Error> {
        let (mut hosts, mut devices) = (Vec::<Host>::new(), Vec::new());
        let mut routes = Routes::default();
        for (place, spec) in specs.iter().enumerate() {
            if hosts.iter().any(|host| host.name() == spec.name) {
                return Err(Error::Invalid(format!("two hosts are named {}", spec.name)));
            }
            let Ok(number) = u16::try_from(place + 1) else {
                return Err(Error::Invalid("more than 65535 hosts".to_owned()));
            };
            let (host, device) = Host::start(spec, number, &ranges_of_others(specs, place))?;
            host.addresses().into_iter().for_each(|address| routes.add(address, place));
            spec.ranges.iter().for_each(|range| routes.add_range(*range, place));
            hosts.push(host);
            devices.push(device);
        }
        Ok(Self { forwarder: Forwarder::start(seed, devices, routes)?, hosts })
    }

    /// The hosts, in the order in which they were asked for. The record names them by their place here.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Result<&Host, Error> {
        self.place(name).and_then(|place| self.hosts.get(place).ok_or_else(|| unknown(name)))
    }

    /// The place of the host of this name in the list.
    pub fn place(&self, name: &str) -> Result<usize, Error> {
        self.hosts.iter().position(|host| host.name() == name).ok_or_else(|| unknown(name))
    }

    /// Changes one direction of a link. Packets that are sent from now on find it so; those on their way keep their time.
    pub fn set(&self, from: &str, to: &str, link: Link) -> Result<(), Error> {
        self.forwarder.set(self.place(from)?, self.place(to)?, link)
    }

    /// Changes both directions of a link alike.
    pub fn set_both(&self, one: &str, other: &str, link: Link) -> Result<(), Error> {
        self.set(one, other, link)?;
        self.set(other, one, link)
    }

    /// Changes the links of a host in both directions to all others, as when it loses its network.
    pub fn set_all_of(&self, name: &str, link: Link) -> Result<(), Error> {
        let mut others = self.hosts.iter().map(Host::name).filter(|other| *other != name);
        others.try_for_each(|other| self.set_both(name, other, link))
    }

    /// Takes the record of all packets whose fate was decided since it was taken last.
    pub fn take_record(&self) -> Result<Vec<Passage>, Error> {
        self.forwarder.take_record()
    }

    /// Whether packets are forwarded before all ordinary work of the machine. Else, when it is busy, they may be late,
    /// which the record shows.
    pub fn is_real_time(&self) -> bool {
        self.forwarder.is_real_time()
    }
}

fn ranges_of_others(specs: &[HostSpec], place: usize) -> Vec<IpNet> {
    let others = specs.iter().enumerate().filter(|(other, _)| *other != place);
    others.flat_map(|(_, spec)| spec.ranges.iter().copied()).collect()
}

fn unknown(name: &str) -> Error {
    Error::Invalid(format!("no host is named {name}"))
}
