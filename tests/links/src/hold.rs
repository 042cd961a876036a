//! What becomes of a packet, and when: decided here, done by the forwarder.

use crate::{
    link::{Dice, Link},
    packet::Flow,
    record::{Fate, Passage},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Instant,
};

/// All links between some hosts, and the packets on them.
#[derive(Debug)]
pub(crate) struct Hold {
    seed: u64,
    links: BTreeMap<(usize, usize), Direction>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    accepted: u64,
}

/// A packet that was read.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) flow: Flow,
    /// What follows the IP header.
    pub(crate) rest: &'a [u8],
    /// All of it.
    pub(crate) packet: &'a [u8],
    pub(crate) received: Instant,
}

/// A packet on its way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) due: Instant,
    /// Packets that are due at the same time leave as they came.
    number: u64,
    pub(crate) packet: Vec<u8>,
    /// Its fate is not known yet.
    pub(crate) passage: Passage,
}

#[derive(Debug)]
struct Direction {
    link: Link,
    dice: Dice,
}

// === impl Hold ===

impl Hold {
    /// Links without delay or loss between any hosts.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, links: BTreeMap::new(), waiting: BinaryHeap::new(), accepted: 0 }
    }

    /// Changes a link. Packets that are on their way keep their time.
    pub(crate) fn set(&mut self, from: usize, to: usize, link: Link) {
        self.direction(from, to).link = link;
    }

    /// Takes a packet; gives its passage if that is over already, because it is lost.
    pub(crate) fn accept(&mut self, arrival: &Arrival<'_>) -> Option<Passage> {
        let Arrival { from, to, flow, rest, packet, received } = *arrival;
        let passage = Passage {
            from,
            to,
            flow,
            length: packet.len(),
            head: rest.iter().take(Passage::HEAD).copied().collect(),
            received,
            fate: Fate::Lost,
        };
        let direction = self.direction(from, to);
        let Some(delay) = direction.dice.next(&direction.link) else { return Some(passage) };
        self.accepted += 1;
        self.waiting.push(Reverse(Waiting {
            due: received + delay,
            number: self.accepted,
            packet: packet.to_vec(),
            passage,
        }));
        None
    }

    /// When the next packet is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse(waiting)| waiting.due)
    }

    /// The next packet that is due by now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Waiting> {
        self.next_due().filter(|due| *due <= now)?;
        self.waiting.pop().map(|Reverse(waiting)| waiting)
    }

    fn direction(&mut self, from: usize, to: usize) -> &mut Direction {
        let seed = self.seed;
        let new = || Direction { link: Link::default(), dice: Dice::new(seed, from, to) };
        self.links.entry((from, to)).or_insert_with(new)
    }
}

// === impl Waiting ===

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Protocol;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    fn accept(hold: &mut Hold, to: usize, byte: u8, received: Instant) -> Option<Passage> {
        let flow =
            Flow { source: [10, 0, 0, 1].into(), destination: [10, 0, 0, 2].into(), protocol: Protocol::Udp };
        hold.accept(&Arrival { from: 0, to, flow, rest: &[byte], packet: &[byte], received })
    }

    /// What leaves by then, as the packets' single bytes.
    fn leave(hold: &mut Hold, now: Instant) -> Vec<u8> {
        std::iter::from_fn(|| hold.take_due(now)).map(|waiting| waiting.packet[0]).collect()
    }

    #[test]
    fn packets_leave_when_due_and_in_order() {
        let mut hold = Hold::new(1);
        let start = Instant::now();
        hold.set(0, 1, Link::with_delay(10 * MS));
        hold.set(0, 2, Link::with_delay(5 * MS));
        for byte in [1, 2] {
            assert_eq!(accept(&mut hold, 1, byte, start), None);
        }
        assert_eq!(accept(&mut hold, 2, 3, start), None);
        assert_eq!(hold.next_due(), Some(start + 5 * MS));
        assert_eq!(leave(&mut hold, start + 4 * MS), Vec::<u8>::new());
        assert_eq!(leave(&mut hold, start + 10 * MS), [3, 1, 2]);
        assert_eq!(hold.next_due(), None);
    }

    #[test]
    fn a_step_is_for_packets_that_come_after_it() {
        let mut hold = Hold::new(1);
        let start = Instant::now();
        hold.set(0, 1, Link::with_delay(10 * MS));
        accept(&mut hold, 1, 1, start);
        hold.set(0, 1, Link::with_delay(2 * MS));
        accept(&mut hold, 1, 2, start);
        assert_eq!(leave(&mut hold, start + 5 * MS), [2]);
        assert_eq!(leave(&mut hold, start + 10 * MS), [1]);
    }

    #[test]
    fn a_link_that_is_down_loses_and_says_so() {
        let mut hold = Hold::new(1);
        hold.set(0, 1, Link::default().down());
        let lost = accept(&mut hold, 1, 1, Instant::now()).unwrap();
        assert_eq!((lost.fate, lost.given(), lost.length), (Fate::Lost, None, 1));
        assert_eq!(accept(&mut hold, 2, 1, Instant::now()), None, "other links are up");
    }
}
