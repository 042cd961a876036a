//! Hosts in namespaces that are there already, and what is behind hosts.

use crate::support::{Echo, MS, STAMP, echoes};
use links::{HostSpec, Link, Network, Place, Relay};
use std::{
    io::{Read, Write},
    net::{IpAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// A namespace that somebody else made, for as long as this lives.
struct Foreign(Child);

impl Foreign {
    fn make() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "echo; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Once it says something it is inside.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Self(child)
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_given_namespace_is_joined_and_what_is_behind_it_is_reached() {
    let foreign = Foreign::make();
    let given = HostSpec::new("given").place(Place::At(foreign.path().into()));
    let given = given.range("10.200.7.0/24".parse().unwrap()).range("fd00:7::/64".parse().unwrap());
    let network = Network::start(1, &[HostSpec::new("new"), given]).unwrap();
    network.set("new", "given", Link::with_delay(15 * MS)).unwrap();
    let [new, given] = ["new", "given"].map(|name| network.host(name).unwrap());
    let links = given.run("nsenter", &["--net=/proc/self/ns/net", "ip", "-o", "link"]).unwrap();
    assert!(links.contains("link0"), "{links}");
    for behind in ["10.200.7.9", "fd00:7::9"] {
        given.run("ip", &["addr", "add", behind, "dev", "lo", "nodad"]).unwrap();
        let behind: IpAddr = behind.parse().unwrap();
        let _echo = Echo::start(given, behind);
        let from = new.addresses()[usize::from(behind.is_ipv6())];
        let seen = echoes(new, from, behind, 3, Duration::from_secs(5));
        assert!(seen.iter().all(|seen| seen.delay.unwrap() + STAMP >= 15 * MS));
    }
}

#[test]
fn settings_are_the_hosts_own() {
    const RANGE: &str = "net/ipv4/ping_group_range";
    let before = std::fs::read_to_string(format!("/proc/sys/{RANGE}")).unwrap();
    let network = Network::start(1, &[HostSpec::new("a").setting(RANGE, "0 2147483647")]).unwrap();
    let inside = network.host("a").unwrap().run("cat", &[&format!("/proc/sys/{RANGE}")]).unwrap();
    assert_eq!(inside.split_whitespace().collect::<Vec<_>>(), ["0", "2147483647"]);
    assert_eq!(std::fs::read_to_string(format!("/proc/sys/{RANGE}")).unwrap(), before);
}

#[test]
fn mistakes_are_named() {
    let network = Network::start(1, &[HostSpec::new("a")]).unwrap();
    let said = |error: links::Error| error.to_string();
    assert_eq!(said(network.host("b").unwrap_err()), "no host is named b");
    assert_eq!(said(network.set("a", "b", Link::default()).unwrap_err()), "no host is named b");
    let twice = Network::start(1, &[HostSpec::new("a"), HostSpec::new("a")]);
    assert_eq!(said(twice.unwrap_err()), "two hosts are named a");
    let nowhere = HostSpec::new("a").place(Place::At("/nowhere".into()));
    let nowhere = said(Network::start(1, &[nowhere]).unwrap_err());
    assert!(nowhere.starts_with("entering the network namespace of host a: No such file"), "{nowhere}");
    let failed = said(network.host("a").unwrap().run("ip", &["link", "show", "eth7"]).unwrap_err());
    assert!(failed.starts_with("ip link show eth7 on host a failed: Device \"eth7\""), "{failed}");
}

#[test]
fn a_server_of_the_machine_is_lent() {
    let network = Network::start(1, &[HostSpec::new("a")]).unwrap();
    let host = network.host("a").unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let ask = move || {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"who?")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    assert!(host.inside(ask).unwrap().is_err(), "its loopback is its own");
    let relay = Relay::start(host, address).unwrap();
    let asked = thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        let mut question = [0; 4];
        client.read_exact(&mut question).unwrap();
        client.write_all(b"me").unwrap();
        question
    });
    assert_eq!(host.inside(ask).unwrap().unwrap(), "me");
    assert_eq!(asked.join().unwrap(), *b"who?");
    drop(relay);
    assert!(host.inside(ask).unwrap().is_err(), "it is lent no more");
}
