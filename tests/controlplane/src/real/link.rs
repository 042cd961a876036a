//! The links: what joins the nodes and the host. The only file that knows that it is a bridge.
//!
//! The bridge is in a network namespace of its own, which a process of ours holds, so the kernel takes it away, and the
//! host's interface with it, however we end.

use super::{
    host,
    machine::{Machine, feed},
    range::{Place, Range},
};
use crate::{error::Error, process::Process};
use std::{path::Path, process::Command, time::Duration};

/// The interface that a node sees.
pub(crate) const INTERFACE: &str = "eth0";

/// A bridge with the host plugged in, at [`Range::host`].
#[derive(Debug)]
pub(crate) struct Links {
    range: Range,
    bridge: Process,
}

const BRIDGE: &str = r#"
ip link add bridge type bridge
ip link set bridge up
echo "the bridge is up"
exec sleep infinity
"#;

// === impl Links ===

impl Links {
    /// Makes the bridge and plugs the host in, with a range that no other bed of this machine has.
    pub(crate) fn create(folder: &Path) -> Result<Self, Error> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let args = ["--net", "sh", "-euc", BRIDGE];
        let mut bridge =
            Process::start("bridge", host::program("unshare")?, &args, folder.join("bridge.log"))?;
        bridge.await_ready(PATIENCE, |process| process.has_said("the bridge is up"))?;
        let range = claim(bridge.pid())?;
        let links = Self { range, bridge };
        ip(links.enter(), "link set host master bridge\nlink set host up\n")?;
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
    pub(crate) fn plug(&self, place: Place, node: &Machine) -> Result<(), Error> {
        let node = node.pid().as_raw_nonzero();
        let commands = format!(
            "link add node{place} type veth peer name {INTERFACE} netns {node}\n\
             link set node{place} master bridge\nlink set node{place} up\n"
        );
        ip(self.enter(), &commands)?;
        let (pods, via, name) = (self.range.pods(place), self.range.node(place), interface(self.range));
        ip(Command::new(host::program("ip")?), &format!("route replace {pods} via {via} dev {name}\n"))
    }

    /// Takes the node's interface away, so that from this instant nothing of it is heard.
    pub(crate) fn unplug(&self, place: Place) -> Result<(), Error> {
        ip(self.enter(), &format!("link del node{place}\n"))
    }

    /// `ip`, where the bridge is.
    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.bridge.pid().to_string(), "--net", "--", "ip"]);
        command
    }
}

/// The host's interface, whose name is the bed's claim to its range.
fn interface(range: Range) -> String {
    format!("edgebed{}", range.number())
}

/// Takes the first range that nobody has: an interface's name is given once.
fn claim(bridge: u32) -> Result<Range, Error> {
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
