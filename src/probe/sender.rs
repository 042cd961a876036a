//! The thread that probes.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use edge_api::Transport;
use edge_core::model::{Name, NodeName, Time};
use edge_core::probe::{Agent, AgentConfig, Outcome, Plan, Probe, Reading, Statement, lag};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use tokio::sync::mpsc::UnboundedSender;
use tracing::debug;

use super::counters::Counters;
use super::keys::Keyring;
use super::packet::{Header, Kind, Packet, hash, short_hash};
use super::wire::{Answer, Wire};
use super::{clock, random};

/// How late the thread may wake before it counts as not having run: then silence is nobody's fault but our own.
const STALLED: Duration = Duration::from_millis(500);

/// How late it may run without harm, where the kernel says when answers came in.
const TOLERANCE: Duration = Duration::from_millis(20);
/// The same where nobody says: it is part of the delays.
const TOLERANCE_WITHOUT_TIMES: Duration = Duration::from_millis(2);
/// By how much the kernel's round-trip times may be rounded down.
const MICRO: Duration = Duration::from_micros(1);
/// How long it waits at most, so that it shows that it lives.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What is to be measured, and where agents answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    pub(super) plan: Plan,
    /// By peer.
    pub(super) peers: BTreeMap<NodeName, SocketAddr>,
    /// By request.
    pub(super) requests: BTreeMap<Name, SocketAddr>,
}

/// What the sender is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Measure this and nothing else.
    Follow(Targets),
    /// There is nobody to report to any more.
    Pause,
    /// A report was taken, or was not.
    Reported(bool),
    /// The process is about to end.
    Leave,
}

/// What the sender tells.
#[derive(Debug)]
pub(super) enum Told {
    /// What came of a probe.
    Record(Record),
    /// What is to be reported.
    Statement(Statement),
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
    /// Whether every record is told.
    pub(super) tells_records: bool,
    pub(super) counters: Counters,
}

/// Tells the sender what to do.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    orders: mpsc::Sender<Order>,
    wake: Arc<EventFd>,
}

#[derive(Debug)]
struct Sender {
    agent: Agent,
    wire: Wire,
    keyring: Keyring,
    prober_hash: u64,
    session: u64,
    targets: Targets,
    incarnations: BTreeMap<SocketAddr, u64>,
    /// The ports of probes on their way that have one of their own.
    ports: BTreeMap<u32, u16>,
    orders: mpsc::Receiver<Order>,
    wake: Arc<EventFd>,
    told: UnboundedSender<Told>,
    tells_records: bool,
    counters: Counters,
}

/// Begins to probe in a thread of its own, which ends when nobody takes what it tells.
pub(super) fn start(settings: Settings, told: UnboundedSender<Told>) -> io::Result<Handle> {
    let (to, orders) = mpsc::channel();
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
    let Settings { me, transport, timeout, keyring, tells_records, counters } = settings;
    let wire = Wire::open(transport)?;
    let tolerance = if wire.has_times() { TOLERANCE } else { TOLERANCE_WITHOUT_TIMES };
    let sender = Sender {
        prober_hash: hash(&me),
        agent: Agent::new(AgentConfig { me, timeout, tolerance, chance: random::fraction() }),
        wire,
        keyring,
        session: random::number(),
        targets: Targets::default(),
        incarnations: BTreeMap::new(),
        ports: BTreeMap::new(),
        orders,
        wake: Arc::clone(&wake),
        told,
        tells_records,
        counters,
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
        while !self.told.is_closed() {
            let expected = self.agent.wake_at();
            self.wait(expected);
            let now = clock::now();
            self.counters.beat(now);
            let late = now.since(expected);
            if late > Duration::ZERO {
                self.agent.woke(late, now);
            }
            _ = self.wake.read();
            while let Ok(order) = self.orders.try_recv() {
                self.obey(order);
            }
            // Read before anything is given up: what has come in was in time, however late it is read.
            self.receive();
            if late > STALLED {
                debug!(?late, "this thread did not run");
                self.agent.forget_in_flight();
            }
            for outcome in self.agent.give_up(clock::now()) {
                self.wire.forget(outcome.sequence);
                self.tell(outcome, Duration::ZERO);
            }
            while let Some(probe) = self.agent.next(clock::read()) {
                self.send(&probe);
            }
            if let Some(statement) = self.agent.statement(clock::now()) {
                // The loop ends when nobody listens any more.
                _ = self.told.send(Told::Statement(statement));
            }
            self.counters.set_state(self.agent.n_peers(), self.agent.is_starved());
        }
    }

    fn wait(&self, until: Time) {
        let left = until.since(clock::now()).min(LONGEST_WAIT);
        let mut waited = self.wire.waits_for();
        waited.push(PollFd::new(self.wake.as_fd(), PollFlags::POLLIN));
        match ppoll(&mut waited, Some(TimeSpec::from_duration(left)), None) {
            Ok(_) | Err(Errno::EINTR) => (),
            Err(error) => debug!(%error, "waiting for answers"),
        }
    }

    fn obey(&mut self, order: Order) {
        let now = clock::now();
        match order {
            Order::Follow(targets) => self.follow(targets, now),
            Order::Pause => self.agent.pause(),
            Order::Reported(true) => self.agent.written(now),
            Order::Reported(false) => self.agent.failed(now, random::fraction()),
            Order::Leave => self.agent.leave(now),
        }
    }

    fn follow(&mut self, targets: Targets, now: Time) {
        let old = std::mem::replace(&mut self.targets, targets);
        self.agent.follow(self.targets.plan.clone(), now);
        for (name, address) in &self.targets.peers {
            if old.peers.get(name).is_some_and(|old| old != address) {
                self.agent.probe_anew(name, now);
            }
        }
        let in_use = |address: &SocketAddr| {
            self.targets.peers.values().chain(self.targets.requests.values()).any(|it| it == address)
        };
        self.incarnations.retain(|address, _| in_use(address));
    }

    fn address_of(&self, peer: &NodeName, request: Option<&Name>) -> Option<SocketAddr> {
        let address = match request {
            Some(request) => self.targets.requests.get(request),
            None => self.targets.peers.get(peer),
        };
        address.copied()
    }

    fn send(&mut self, probe: &Probe) {
        let Some(address) = self.address_of(&probe.peer, probe.request.as_ref()) else { return };
        let keys = self.keyring.keys();
        let key = keys.current();
        let header = Header {
            kind: Kind::Probe,
            key: key.id,
            sequence: probe.sequence,
            session: self.session,
            incarnation: self.incarnations.get(&address).copied().unwrap_or_default(),
            prober: self.prober_hash,
            receiver: short_hash(&probe.peer),
            held_nanos: 0,
        };
        let packet = header.sign(key, &probe.peer);
        self.agent.sent(probe.sequence, clock::read());
        match self.wire.send(probe.sequence, &packet, address) {
            Ok(None) => (),
            Ok(Some(port)) => {
                self.ports.insert(probe.sequence, port);
            }
            // It will be given up like any other that is lost.
            Err(error) => debug!(%error, peer = %probe.peer, to = %address, "a probe was not sent"),
        }
    }

    fn receive(&mut self) {
        for answer in self.wire.receive() {
            let told = match answer {
                Answer::Packet { packet, stamp, read } => self.read_packet(&packet, stamp, read),
                Answer::Connected { sequence, read, took } => self.connected(sequence, read, took),
            };
            if let Some((outcome, held)) = told {
                self.tell(outcome, held);
            }
        }
    }

    fn connected(
        &mut self,
        sequence: u32,
        read: Reading,
        took: Option<Duration>,
    ) -> Option<(Outcome, Duration)> {
        let (_, sent) = self.agent.on_its_way(sequence)?;
        let elapsed = read.at.since(sent.at);
        let lag = took.and_then(|took| elapsed.checked_sub(took + MICRO));
        // The kernel's clock stands still while the machine sleeps.
        let held = lag.filter(|lag| *lag <= STALLED).unwrap_or_default();
        let outcome = self.agent.answered(sequence, read.at, held)?;
        self.agent.woke(held, read.at);
        Some((outcome, held))
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
        let (peer, sent) = self.agent.on_its_way(header.sequence)?;
        let kind = if matches!(self.wire, Wire::Icmp(_)) { Kind::Probe } else { Kind::Answer };
        let keys = self.keyring.keys();
        if header.kind != kind || header.verify(packet, &keys, peer).is_none() {
            return None;
        }
        let lag = lag(stamp, sent, read);
        let held = lag + Duration::from_nanos(header.held_nanos.into());
        let outcome = self.agent.answered(header.sequence, read.at, held)?;
        self.agent.woke(lag, read.at);
        if let Some(address) = self.address_of(&outcome.peer, outcome.request.as_ref()) {
            self.incarnations.insert(address, header.incarnation);
        }
        Some((outcome, held))
    }

    fn tell(&mut self, outcome: Outcome, held: Duration) {
        let port = self.ports.remove(&outcome.sequence);
        self.counters.count(outcome.sample);
        if self.tells_records
            && let Some(address) = self.address_of(&outcome.peer, outcome.request.as_ref())
        {
            _ = self.told.send(Told::Record(Record { outcome, address, port, held }));
        }
    }
}
