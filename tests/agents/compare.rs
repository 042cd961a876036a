//! Samples of agents beside what the links gave to the same probes.

use crate::{
    agent::Transport,
    bed::{Outcome, name, pairs},
};
use links::{Leg, Passage, RoundTrip, Summary, icmp_echo, round_trips, tcp_connect, udp};
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// What one agent measured of one other, and what the links gave.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) from: String,
    pub(crate) to: String,
    /// How many samples the agent's statistics are of.
    pub(crate) samples: usize,
    /// How many of them are lost by the agent.
    pub(crate) lost: usize,
    /// How many of them are lost by the agent, but were answered by the links.
    pub(crate) only_agent_lost: usize,
    /// How many of them are lost by the links, but were answered by the agent.
    pub(crate) only_links_lost: usize,
    /// How much more than was given the agent measured, probe by probe, and how much less.
    pub(crate) more: Vec<Duration>,
    pub(crate) less: Vec<Duration>,
    pub(crate) p50: Compared,
    pub(crate) p95: Compared,
}

/// One statistic on both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    /// As the agent says.
    pub(crate) measured: Duration,
    /// Of what the links gave.
    pub(crate) given: Duration,
}

/// Trips by who asked whom, and by the number of the probe or the port that it was sent from; in order, because ports are
/// used again.
type Trips = BTreeMap<(usize, usize, u32), VecDeque<RoundTrip<u32>>>;

// === impl Compared ===

impl Compared {
    pub(crate) fn error(self) -> Duration {
        self.measured.abs_diff(self.given)
    }

    /// Whether they agree within 0.2 ms or 5 %.
    pub(crate) fn agrees(self) -> bool {
        self.error() <= Duration::from_micros(200).max(self.given.mul_f64(0.05))
    }
}

/// Compares all pairs. The statistics are the agent's own, over the last samples that it took.
pub(crate) fn compare(outcome: &Outcome, transport: Transport) -> Vec<Pair> {
    let mut trips = Trips::new();
    for trip in round_trips(&outcome.record, |passage| leg(passage, transport)) {
        trips.entry((trip.from, trip.to, trip.key)).or_default().push_back(trip);
    }
    let hosts = outcome.lines.len();
    pairs(hosts).map(|(from, to)| pair(from, to, &outcome.lines[from], &mut trips)).collect()
}

/// What a probe took, as the agent measured it and as the links gave it; none where it was lost.
type Both = (Option<Duration>, Option<Duration>);

fn pair(from: usize, to: usize, lines: &[Value], trips: &mut Trips) -> Pair {
    let (sender, peer) = (name(from), name(to));
    let (samples, statistics): (Vec<&Value>, Vec<&Value>) =
        lines.iter().filter(|line| line["peer"] == peer).partition(|line| line["sequence"].is_u64());
    let [statistics] = statistics[..] else { panic!("{sender} says {statistics:?} of {peer}") };
    let mut both: VecDeque<(u64, Both)> = VecDeque::new();
    for sample in samples {
        // As the agent does: the oldest goes, and that a probe was lost is known late.
        if both.len() == usize_of(&statistics["samples"]) {
            both.pop_front();
        }
        let sequence = sample["sequence"].as_u64().unwrap();
        let place = both.partition_point(|(other, _)| *other < sequence);
        both.insert(place, (sequence, (micros(&sample["micros"]), given(from, to, sample, trips))));
    }
    let both: Vec<Both> = both.into_iter().map(|(_, both)| both).collect();
    let answered = || both.iter().filter_map(|(measured, given)| Some((measured.as_ref()?, given.as_ref()?)));
    let of_links = Summary::of(answered().map(|(_, given)| *given)).unwrap();
    let compared = |field: &str, given| Compared { measured: micros(&statistics[field]).unwrap(), given };
    let count =
        |kind: (bool, bool)| both.iter().filter(|it| (it.0.is_some(), it.1.is_some()) == kind).count();
    Pair {
        samples: both.len(),
        lost: usize_of(&statistics["lost"]),
        only_agent_lost: count((false, true)),
        only_links_lost: count((true, false)),
        more: answered().map(|(measured, given)| measured.saturating_sub(*given)).collect(),
        less: answered().map(|(measured, given)| given.saturating_sub(*measured)).collect(),
        p50: compared("p50Micros", of_links.p50),
        p95: compared("p95Micros", of_links.p95),
        from: sender,
        to: peer,
    }
}

/// What the links gave to the probe of a sample. A probe that they never saw was not sent.
fn given(from: usize, to: usize, sample: &Value, trips: &mut Trips) -> Option<Duration> {
    let key = sample.get("localPort").unwrap_or(&sample["sequence"]).as_u64().unwrap();
    let trip = trips.get_mut(&(from, to, u32::try_from(key).unwrap()))?.pop_front()?;
    trip.given()
}

/// A probe's number is in what UDP and ICMP carry, the same for both; a TCP probe is known by the port it comes from.
fn leg(passage: &Passage, transport: Transport) -> Option<Leg<u32>> {
    let sequence = |payload: &[u8]| Some(u32::from_be_bytes(payload.get(4..8)?.try_into().ok()?));
    let kind = |payload: &[u8]| match payload.get(1)? {
        1 => Some(Leg::Request(sequence(payload)?)),
        2 => Some(Leg::Reply(sequence(payload)?)),
        _ => None,
    };
    match transport {
        Transport::Udp => udp(kind)(passage),
        Transport::Icmp => {
            let sequence = sequence(passage.head.get(8..)?)?;
            icmp_echo(passage).map(|leg| renamed(leg, |_| sequence))
        }
        Transport::Tcp => tcp_connect(passage).map(|leg| renamed(leg, |(port, _)| port.into())),
    }
}

fn renamed<K>(leg: Leg<K>, name: impl Fn(K) -> u32) -> Leg<u32> {
    match leg {
        Leg::Request(key) => Leg::Request(name(key)),
        Leg::Reply(key) => Leg::Reply(name(key)),
    }
}

fn micros(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_micros)
}

fn usize_of(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}
