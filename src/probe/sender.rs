//! The thread that probes.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use edge_api::Transport;
use edge_core::model::{NodeName, Time};
use edge_core::probe::{Outcome, PeerPlan, Probe, Prober, Reading, lag};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use tokio::sync::mpsc::UnboundedSender;
use tracing::debug;

use super::keys::Keyring;
use super::packet::{Header, Kind, Packet, hash, short_hash};
use super::wire::{Answer, Wire};
use super::{clock, random};

/// How late the thread may wake before it counts as not having run: then silence is nobody's fault but our own.
const STALLED: Duration = Duration::from_millis(500);

/// A peer, and where its agent answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) plan: PeerPlan,
    pub(super) address: SocketAddr,
}

/// What the sender is told to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Probe these and no others.
    Peers(Vec<Target>),
}

/// A probe, and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) outcome: Outcome,
    pub(super) address: SocketAddr,
    /// The port that it was sent from, where that is its own.
    pub(super) port: Option<u16>,
    /// How long the probe and its answer lay unread, which is no part of the delay.
    pub(super) held: Duration,
}

/// How the sender is set up.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) me: NodeName,
    pub(super) transport: Transport,
    pub(super) timeout: Duration,
    pub(super) keyring: Keyring,
}

/// Tells the sender what to do.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    orders: mpsc::Sender<Order>,
    wake: Arc<EventFd>,
}

#[derive(Debug)]
struct Sender {
    prober: Prober,
    wire: Wire,
    keyring: Keyring,
    prober_hash: u64,
    session: u64,
    routes: BTreeMap<NodeName, Route>,
    /// The ports of probes on their way that have one of their own.
    ports: BTreeMap<u32, u16>,
    orders: mpsc::Receiver<Order>,
    wake: Arc<EventFd>,
    records: UnboundedSender<Record>,
}

/// How to reach a peer.
#[derive(Clone, Copy, Debug)]
struct Route {
    address: SocketAddr,
    receiver: u32,
    /// The peer's incarnation as it was told last; zero if it was not told yet.
    incarnation: u64,
}

/// Begins to probe in a thread of its own, which ends when nobody takes what came of the probes.
pub(super) fn start(settings: Settings, records: UnboundedSender<Record>) -> io::Result<Handle> {
    let (to, orders) = mpsc::channel();
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
    let Settings { me, transport, timeout, keyring } = settings;
    let chance = Duration::from_nanos(random::number() >> 20);
    let sender = Sender {
        prober_hash: hash(&me),
        prober: Prober::new(me, timeout, chance),
        wire: Wire::open(transport)?,
        keyring,
        session: random::number(),
        routes: BTreeMap::new(),
        ports: BTreeMap::new(),
        orders,
        wake: Arc::clone(&wake),
        records,
    };
    thread::Builder::new().name("sender".to_owned()).spawn(|| sender.run())?;
    Ok(Handle { orders: to, wake })
}

// === impl Handle ===

impl Handle {
    /// Tells the sender; nothing happens if it has ended.
    pub(super) fn order(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            // It fails only if 2^64 orders wait.
            _ = self.wake.write(1);
        }
    }
}

// === impl Sender ===

impl Sender {
    fn run(mut self) {
        while !self.records.is_closed() {
            let expected = self.prober.wake_at();
            self.wait(expected);
            let late = clock::now().since(expected);
            _ = self.wake.read();
            while let Ok(order) = self.orders.try_recv() {
                self.follow(order);
            }
            // Read before anything is given up: what has come in was in time, however late it is read.
            self.receive();
            if late > STALLED && expected != Time::NEVER {
                debug!(?late, "this thread did not run");
                self.prober.forget_in_flight();
            }
            for outcome in self.prober.give_up(clock::now()) {
                self.wire.forget(outcome.sequence);
                self.tell(outcome, Duration::ZERO);
            }
            while let Some(probe) = self.prober.next(clock::read()) {
                self.send(&probe);
            }
        }
    }

    fn wait(&self, until: Time) {
        let left = until.since(clock::now());
        let timeout = (until != Time::NEVER).then(|| TimeSpec::from_duration(left));
        let mut waited = self.wire.waits_for();
        waited.push(PollFd::new(self.wake.as_fd(), PollFlags::POLLIN));
        match ppoll(&mut waited, timeout, None) {
            Ok(_) | Err(Errno::EINTR) => (),
            Err(error) => debug!(%error, "waiting for answers"),
        }
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::Peers(targets) => self.set_peers(targets),
        }
    }

    fn set_peers(&mut self, targets: Vec<Target>) {
        let now = clock::now();
        let routes = targets.iter().map(|target| {
            let name = &target.plan.name;
            let same = self.routes.get(name).filter(|route| route.address == target.address);
            let new = || Route { address: target.address, receiver: short_hash(name), incarnation: 0 };
            (name.clone(), same.copied().unwrap_or_else(new))
        });
        let routes: BTreeMap<_, _> = routes.collect();
        let moved: Vec<NodeName> = routes
            .iter()
            .filter(|(name, route)| self.routes.get(*name).is_some_and(|old| old.address != route.address))
            .map(|(name, _)| name.clone())
            .collect();
        self.routes = routes;
        self.prober.set_peers(targets.into_iter().map(|target| target.plan), now);
        for name in moved {
            self.prober.probe_anew(&name, now);
        }
    }

    fn send(&mut self, probe: &Probe) {
        let Some(route) = self.routes.get(&probe.peer) else { return };
        let keys = self.keyring.keys();
        let key = keys.current();
        let header = Header {
            kind: Kind::Probe,
            key: key.id,
            sequence: probe.sequence,
            session: self.session,
            incarnation: route.incarnation,
            prober: self.prober_hash,
            receiver: route.receiver,
            held_nanos: 0,
        };
        let packet = header.sign(key, &probe.peer);
        self.prober.sent(probe.sequence, clock::read());
        match self.wire.send(probe.sequence, &packet, route.address) {
            Ok(None) => (),
            Ok(Some(port)) => {
                self.ports.insert(probe.sequence, port);
            }
            // It will be given up like any other that is lost.
            Err(error) => debug!(%error, peer = %probe.peer, to = %route.address, "a probe was not sent"),
        }
    }

    fn receive(&mut self) {
        for answer in self.wire.receive() {
            let told = match answer {
                Answer::Packet { packet, stamp, read } => self.read_packet(&packet, stamp, read),
                Answer::Connected { sequence, read } => self
                    .prober
                    .answered(sequence, read.at, Duration::ZERO)
                    .map(|outcome| (outcome, Duration::ZERO)),
            };
            if let Some((outcome, held)) = told {
                self.tell(outcome, held);
            }
        }
    }

    /// Looks at what came in: is it an answer to a probe on its way, from the one that was asked?
    fn read_packet(
        &mut self,
        packet: &Packet,
        stamp: Option<Duration>,
        read: Reading,
    ) -> Option<(Outcome, Duration)> {
        let (header, packet) = Header::read(packet)?;
        if header.session != self.session || header.prober != self.prober_hash {
            return None;
        }
        let (peer, sent) = self.prober.on_its_way(header.sequence)?;
        let kind = if matches!(self.wire, Wire::Icmp(_)) { Kind::Probe } else { Kind::Answer };
        let keys = self.keyring.keys();
        if header.kind != kind || header.verify(packet, &keys, peer).is_none() {
            return None;
        }
        if let Some(route) = self.routes.get_mut(peer) {
            route.incarnation = header.incarnation;
        }
        let held = lag(stamp, sent, read) + Duration::from_nanos(header.held_nanos.into());
        self.prober.answered(header.sequence, read.at, held).map(|outcome| (outcome, held))
    }

    fn tell(&mut self, outcome: Outcome, held: Duration) {
        let port = self.ports.remove(&outcome.sequence);
        let Some(route) = self.routes.get(&outcome.peer) else { return };
        // The loop ends when nobody listens any more.
        _ = self.records.send(Record { address: route.address, port, held, outcome });
    }
}
