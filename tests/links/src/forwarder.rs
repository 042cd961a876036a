//! The thread that reads packets from all devices, waits, and writes them.
//!
//! One thread does everything, so nothing is locked and nothing overtakes. It sleeps until shortly before the next packet
//! is due and then looks at the devices again and again until it is, because waking up takes tens of microseconds.

use crate::{
    Error,
    error::Context,
    hold::{Arrival, Hold},
    link::Link,
    packet::parse,
    record::{Fate, Passage},
    route::Routes,
};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
    unistd::{Pid, gettid},
};
use std::{
    io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe},
    os::fd::AsFd,
    process::{Command, Stdio},
    sync::mpsc::{Receiver, Sender, TryRecvError, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tun_rs::SyncDevice;

/// How long before a packet is due the thread stops sleeping.
const WAKE_UP: Duration = Duration::from_micros(100);

/// How many packets are read from one device before the others have their turn.
const TURN: usize = 16;

/// The thread's handle; dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Forwarder {
    /// None once it is to end.
    orders: Option<Sender<Order>>,
    bell: PipeWriter,
    thread: Option<JoinHandle<()>>,
    real_time: bool,
}

enum Order {
    Set { from: usize, to: usize, link: Link },
    Take(Sender<Vec<Passage>>),
}

/// What the thread owns.
struct Work {
    devices: Vec<Option<SyncDevice>>,
    routes: Routes,
    hold: Hold,
    record: Vec<Passage>,
    orders: Receiver<Order>,
    bell: PipeReader,
}

// === impl Forwarder ===

impl Forwarder {
    /// Starts forwarding between the devices of hosts, which are known by their place in the list.
    pub(crate) fn start(seed: u64, devices: Vec<SyncDevice>, routes: Routes) -> Result<Self, Error> {
        let (orders, inbox) = channel();
        let (ring, bell) = pipe().context(|| "making a pipe".to_owned())?;
        for device in &devices {
            device.set_nonblocking(true).context(|| "making a device not block".to_owned())?;
        }
        let work = Work {
            devices: devices.into_iter().map(Some).collect(),
            routes,
            hold: Hold::new(seed),
            record: Vec::new(),
            orders: inbox,
            bell: ring,
        };
        let (says, hears) = channel();
        let thread = thread::Builder::new()
            .name("forwarder".to_owned())
            .spawn(move || {
                // Whoever started the thread waits for its number.
                let _ = says.send(gettid());
                work.run();
            })
            .context(|| "starting the forwarder".to_owned())?;
        let real_time = hears.recv().is_ok_and(first_in_line);
        Ok(Self { orders: Some(orders), bell, thread: Some(thread), real_time })
    }

    /// Whether the thread goes before all ordinary threads of the machine.
    pub(crate) fn is_real_time(&self) -> bool {
        self.real_time
    }

    /// Changes a link: packets that are sent after this returns find it changed.
    pub(crate) fn set(&self, from: usize, to: usize, link: Link) -> Result<(), Error> {
        self.order(Order::Set { from, to, link })
    }

    /// Takes the record of all passages that ended since it was taken last.
    pub(crate) fn take_record(&self) -> Result<Vec<Passage>, Error> {
        let (says, hears) = channel();
        self.order(Order::Take(says))?;
        hears.recv().map_err(|_| gone())
    }

    fn order(&self, order: Order) -> Result<(), Error> {
        self.orders.as_ref().ok_or_else(gone)?.send(order).map_err(|_| gone())?;
        (&self.bell).write_all(&[0]).map_err(|_| gone())
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.orders = None;
        // If the thread is gone there is nobody to wake.
        let _ = self.bell.write_all(&[0]);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn gone() -> Error {
    Error::Gone("the links".to_owned())
}

/// Asks for the thread to run before all ordinary ones, so that a busy machine does not delay packets. That needs a right
/// which not every machine gives; the record shows what came of it.
fn first_in_line(thread: Pid) -> bool {
    let thread = thread.to_string();
    let mut chrt = Command::new("chrt");
    chrt.args(["--fifo", "--pid", "50", &thread]).stdout(Stdio::null()).stderr(Stdio::null());
    chrt.status().is_ok_and(|status| status.success())
}

// === impl Work ===

impl Work {
    fn run(mut self) {
        let mut buffer = vec![0; 65_536];
        loop {
            self.send_due();
            let readable = self.wait();
            if !self.obey() {
                return;
            }
            for host in readable {
                self.read_from(host, &mut buffer);
                self.send_due();
            }
        }
    }

    /// Waits for packets, orders, or the time of the next packet; gives the hosts that sent something.
    fn wait(&mut self) -> Vec<usize> {
        let until = |due: Instant| due.saturating_duration_since(Instant::now()).saturating_sub(WAKE_UP);
        let limit = self.hold.next_due().map(until).map(TimeSpec::from);
        let hosts: Vec<(usize, &SyncDevice)> = self
            .devices
            .iter()
            .enumerate()
            .filter_map(|(host, device)| Some((host, device.as_ref()?)))
            .collect();
        let mut polled = vec![PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
        polled.extend(hosts.iter().map(|(_, device)| PollFd::new(device.as_fd(), PollFlags::POLLIN)));
        if ppoll(&mut polled, limit, None).is_err() {
            return Vec::new(); // A signal came in between.
        }
        let is_ready = |polled: &PollFd<'_>| polled.any().unwrap_or(true);
        let rung = polled.first().is_some_and(is_ready);
        let readable = hosts.iter().zip(polled.iter().skip(1));
        let readable = readable.filter(|(_, polled)| is_ready(polled)).map(|((host, _), _)| *host).collect();
        if rung {
            // There is at least one byte, so this does not block; how many does not matter.
            let _ = self.bell.read(&mut [0; 64]);
        }
        readable
    }

    /// Carries out the orders that have come; false once there will be no more.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Set { from, to, link }) => self.hold.set(from, to, link),
                Ok(Order::Take(reply)) => {
                    // Whoever asked may have gone.
                    let _ = reply.send(std::mem::take(&mut self.record));
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn read_from(&mut self, from: usize, buffer: &mut [u8]) {
        for _ in 0..TURN {
            let Some(device) = self.devices.get(from).and_then(Option::as_ref) else { return };
            let received = Instant::now();
            match device.recv(buffer) {
                Ok(length) => self.accept(from, buffer.get(..length).unwrap_or_default(), received),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    // The device went with the namespace that somebody else gave.
                    if let Some(device) = self.devices.get_mut(from) {
                        *device = None;
                    }
                }
            }
        }
    }

    /// Takes a packet, unless it is for nobody: multicast, for instance.
    fn accept(&mut self, from: usize, packet: &[u8], received: Instant) {
        let Some((flow, rest)) = parse(packet) else { return };
        let Some(to) = self.routes.to(flow.destination) else { return };
        let lost = self.hold.accept(&Arrival { from, to, flow, rest, packet, received });
        self.record.extend(lost);
    }

    fn send_due(&mut self) {
        while let Some(waiting) = self.hold.take_due(Instant::now()) {
            let mut passage = waiting.passage;
            let device = self.devices.get(passage.to).and_then(Option::as_ref);
            let sent = Instant::now();
            let outcome = device.map(|device| device.send(&waiting.packet));
            passage.fate = match outcome {
                Some(Ok(_)) => Fate::Sent { due: waiting.due, sent },
                Some(Err(_)) | None => Fate::Refused,
            };
            self.record.push(passage);
        }
    }
}
