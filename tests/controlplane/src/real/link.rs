//! The links: what joins the nodes and the host. The only file that knows that it is a bridge.
//!
//! The bridge is in a network namespace of its own, which a process of ours holds, so the kernel takes it away, and the
//! host's interface with it, however we end.

use super::{
    host,
    machine::feed,
    namespace::Namespace,
    range::{Place, Range},
};
use crate::error::Error;
use std::{path::Path, process::Command};

/// The interface that a node sees.
pub(crate) const INTERFACE: &str = "eth0";

/// A bridge with the host plugged in, at [`Range::host`].
#[derive(Debug)]
pub(crate) struct Links {
    range: Range,
    bridge: Namespace,
}

// === impl Links ===

impl Links {
    /// Makes the bridge and plugs the host in, with a range that no other bed of this machine has.
    pub(crate) fn create(folder: &Path) -> Result<Self, Error> {
        let bridge = Namespace::create("bridge", folder)?;
        bridge.ip("link add bridge type bridge\nlink set bridge up\n")?;
        let range = claim(&bridge)?;
        bridge.ip("link set host master bridge\nlink set host up\n")?;
        let links = Self { range, bridge };
        let name = interface(range);
        let host =
            format!("address add {}/{} dev {name}\nlink set {name} up\n", range.host(), range.link().bits());
        ip(Command::new(host::program("ip")?), &host)?;
        Ok(links)
    }

    /// The bed's addresses.
    pub(crate) fn range(&self) -> Range {
        self.range
    }

    /// Gives a node its interface, which is down and has no address yet, and the host its way to the node's pods.
    pub(crate) fn plug(&self, place: Place, node: &Namespace) -> Result<(), Error> {
        let node = node.path();
        self.bridge.ip(&format!(
            "link add node{place} type veth peer name {INTERFACE} netns {}\n\
             link set node{place} master bridge\nlink set node{place} up\n",
            node.display()
        ))?;
        let (pods, via, name) = (self.range.pods(place), self.range.node(place), interface(self.range));
        ip(Command::new(host::program("ip")?), &format!("route replace {pods} via {via} dev {name}\n"))
    }

    /// Takes the node's interface away, so that from this instant nothing of it is heard.
    pub(crate) fn unplug(&self, place: Place) -> Result<(), Error> {
        self.bridge.ip(&format!("link del node{place}\n"))
    }
}

/// The host's interface, whose name is the bed's claim to its range.
fn interface(range: Range) -> String {
    format!("edgebed{}", range.number())
}

/// Takes the first range that nobody has: an interface's name is given once.
fn claim(bridge: &Namespace) -> Result<Range, Error> {
    let bridge = bridge.path();
    let bridge = bridge.display();
    for range in Range::all() {
        let commands = format!("link add {} type veth peer name host netns {bridge}\n", interface(range));
        match ip(Command::new(host::program("ip")?), &commands) {
            Err(Error::Command { output, .. }) if output.contains("File exists") => {}
            other => return other.map(|()| range),
        }
    }
    Err(Error::Invalid("there are as many beds of real nodes on this machine as there can be".to_owned()))
}

fn ip(mut command: Command, commands: &str) -> Result<(), Error> {
    command.args(["-batch", "-"]);
    feed(command, commands).map(drop)
}
