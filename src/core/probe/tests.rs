//! The agent as a whole, under virtual time: a network that answers, and an API server that takes reports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::delay::Statistics;
use crate::model::{Delay, Name, NodeName, Time};

/// An agent, the delay to each of its peers (none: lost), and what it has said.
struct Bed {
    agent: Agent,
    now: Time,
    delays: BTreeMap<&'static str, Option<u64>>,
    /// On its way: when the answer comes in.
    answers: BTreeSet<(Time, u32)>,
    sent: Vec<(Time, String)>,
    said: Vec<(Time, Statement)>,
    /// Whether the API server takes reports.
    takes: bool,
    /// Added to what the wall clock says.
    wall: Duration,
}

impl Bed {
    /// Peers with their delay in microseconds, each probed every 10 s.
    fn new(delays: &[(&'static str, u64)], bounds: &[u32]) -> Self {
        let mut bed = Self {
            agent: Agent::new(AgentConfig {
                me: NodeName::from("m"),
                timeout: Duration::from_secs(1),
                tolerance: Duration::from_millis(20),
                chance: 0.5,
            }),
            now: Time::from_origin(Duration::from_secs(1_000)),
            delays: delays.iter().map(|(name, micros)| (*name, Some(*micros))).collect(),
            answers: BTreeSet::new(),
            sent: Vec::new(),
            said: Vec::new(),
            takes: true,
            wall: Duration::ZERO,
        };
        bed.follow(bounds, Vec::new());
        bed
    }

    fn follow(&mut self, bounds: &[u32], requests: Vec<RequestPlan>) {
        let bounds: Box<[Delay]> = bounds.iter().map(|it| Delay::from_micros(*it).unwrap()).collect();
        let peers = self.delays.keys().map(|name| PeerPlan {
            name: NodeName::from(*name),
            period: PERIOD,
            bounds: bounds.clone(),
        });
        let plan = Plan { peers: peers.collect(), requests, ..Plan::default() };
        self.agent.follow(plan, self.now);
    }

    fn reading(&self) -> Reading {
        Reading { at: self.now, wall: self.now.since_origin() + self.wall }
    }

    /// Lets so many milliseconds pass.
    fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        loop {
            let answer = self.answers.first().map_or(Time::NEVER, |it| it.0);
            let next = self.agent.wake_at().max(self.now).min(answer);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            self.step();
        }
    }

    fn step(&mut self) {
        while let Some((at, sequence)) = self.answers.first().copied().filter(|it| it.0 <= self.now) {
            self.answers.pop_first();
            self.agent.answered(sequence, at, Duration::ZERO);
        }
        self.agent.give_up(self.now);
        while let Some(probe) = self.agent.next(self.reading()) {
            self.sent.push((self.now, probe.peer.as_str().to_owned()));
            if let Some(Some(micros)) = self.delays.get(probe.peer.as_str()) {
                self.answers.insert((self.now + Duration::from_micros(*micros), probe.sequence));
            }
        }
        if let Some(statement) = self.agent.statement(self.now) {
            if self.takes {
                self.agent.written(self.now);
                self.said.push((self.now, statement));
            } else {
                self.agent.failed(self.now, 0.5);
            }
        }
    }

    fn set(&mut self, peer: &'static str, micros: Option<u64>) {
        self.delays.insert(peer, micros);
    }

    /// What was said of a peer last.
    fn said_of(&self, peer: &str) -> Statistics {
        let (_, statement) = self.said.last().unwrap();
        let row = statement.report.rows.iter().find(|row| row.peer.as_str() == peer).unwrap();
        row.statistics.clone()
    }

    /// How many milliseconds pass until what was said of the peer holds; fails if it takes longer than this.
    fn until(&mut self, most: u64, peer: &str, holds: impl Fn(&Statistics) -> bool) -> u64 {
        (0..most)
            .step_by(10)
            .find(|_| {
                self.pass(10);
                holds(&self.said_of(peer))
            })
            .unwrap_or_else(|| panic!("not within {most} ms: {:?}", self.said_of(peer)))
    }
}

fn p50(micros: u32) -> impl Fn(&Statistics) -> bool {
    move |it| it.p50.map(Delay::as_micros) == Some(micros)
}

#[test]
fn a_new_pair_begins_with_a_burst_and_goes_on_in_turn() {
    let mut bed = Bed::new(&[("a", 2_000), ("z", 3_000)], &[]);
    bed.pass(900);
    let first: Vec<&str> = bed.sent.iter().take(2).map(|(_, peer)| peer.as_str()).collect();
    assert_eq!((first, bed.sent.len()), (vec!["z", "a"], 16), "it begins with the peer after itself");
    bed.pass(100_000);
    let of_a: Vec<Time> = bed.sent.iter().filter(|(_, it)| it == "a").map(|(at, _)| *at).collect();
    assert_eq!(of_a.len(), 8 + 10);
    assert!(of_a[9..].windows(2).all(|pair| pair[1].since(pair[0]) == PERIOD));
    let statistics = bed.said_of("a");
    assert_eq!((statistics.p50, statistics.lost), (Delay::from_micros(2_000).ok(), 0));
}

#[test]
fn many_peers_are_probed_one_by_one() {
    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let mut bed = Bed::new(&NAMES.map(|name| (name, 2_000)), &[]);
    bed.pass(20_000);
    let begin = bed.sent.len();
    bed.pass(10_000);
    let gaps: Vec<Duration> = bed.sent[begin..].windows(2).map(|it| it[1].0.since(it[0].0)).collect();
    assert_eq!(gaps.len(), 5);
    assert!(gaps.iter().all(|gap| *gap >= Duration::from_millis(1_200)), "{gaps:?}");
}

#[test]
fn a_step_is_said_within_seconds_and_so_is_its_end() {
    let mut bed = Bed::new(&[("a", 2_000)], &[10_000]);
    bed.pass(400_000);
    for micros in [30_000, 2_000, 30_000, 2_000] {
        bed.set("a", Some(micros.into()));
        let took = bed.until(15_000, "a", p50(micros));
        assert!(took <= 12_000, "{took} ms");
        let said = bed.said_of("a");
        assert_eq!((said.min, said.p95), (said.p50, said.p50), "nothing is left of what was before");
    }
}

#[test]
fn a_crossed_bound_is_said_twice_in_time_and_the_second_time_by_newer_samples() {
    let mut bed = Bed::new(&[("a", 2_000)], &[10_000]);
    bed.pass(400_000);
    for micros in [30_000, 2_000] {
        let (begin, stepped) = (bed.said.len(), bed.now);
        bed.set("a", Some(micros.into()));
        bed.pass(40_000);
        let said = bed.said[begin..].iter().map(|(at, said)| (*at, said.report.rows[0].statistics.clone()));
        let said: Vec<(Time, Statistics)> = said.filter(|(_, it)| p50(micros)(it)).collect();
        let [(first, known), (second, known_better)] = &said[..] else { panic!("{said:?}") };
        assert!(second.since(stepped) <= Duration::from_secs(14), "{:?}", second.since(stepped));
        assert!(*second > *first && known_better.samples > known.samples, "{said:?}");
    }
}

#[test]
fn a_short_peak_is_one_sample_however_often_it_was_looked_at() {
    let mut bed = Bed::new(&[("a", 2_000)], &[10_000]);
    bed.pass(400_000);
    let begin = (bed.sent.len(), bed.said.len());
    bed.set("a", Some(30_000));
    while bed.sent.len() == begin.0 {
        bed.pass(10);
    }
    bed.pass(350);
    assert!(bed.sent.len() >= begin.0 + 3, "it is looked at closely");
    bed.set("a", Some(2_000));
    bed.pass(100_000);
    assert!(bed.said[begin.1..].iter().all(|(_, it)| p50(2_000)(&it.report.rows[0].statistics)));
    let said = bed.said_of("a");
    assert_eq!((said.p95, said.samples), (Delay::from_micros(2_000).ok(), 32));
}

#[test]
fn a_short_peak_among_few_samples_is_over_in_time() {
    let mut bed = Bed::new(&[("a", 2_000)], &[10_000]);
    bed.pass(3_000);
    let begin = bed.sent.len();
    bed.set("a", Some(30_000));
    while bed.sent.len() == begin {
        bed.pass(10);
    }
    bed.pass(350);
    bed.set("a", Some(2_000));
    let within = |it: &Statistics| it.p95 == Delay::from_micros(2_000).ok();
    bed.pass(5_000);
    assert!(within(&bed.said_of("a")), "{:?}", bed.said_of("a"));
}

#[test]
fn that_a_bound_was_crossed_is_said_again_after_the_api_server_was_away() {
    let mut bed = Bed::new(&[("a", 2_000)], &[10_000]);
    bed.pass(60_000);
    bed.takes = false;
    bed.set("a", Some(30_000));
    bed.pass(30_000);
    bed.takes = true;
    let begin = bed.said.len();
    bed.pass(30_000);
    assert_eq!(bed.said.len() - begin, 2);
}

#[test]
fn a_peer_that_is_gone_is_said_at_once_and_so_is_its_return() {
    let mut bed = Bed::new(&[("a", 2_000)], &[]);
    bed.pass(400_000);
    bed.set("a", None);
    let took = bed.until(20_000, "a", |it| it.missed >= UNREACHABLE_AFTER);
    assert!(took <= 13_100, "{took} ms");
    bed.pass(600_000);
    let gone = bed.said_of("a");
    assert_eq!((gone.p50, gone.lost, gone.samples), (None, 32, 32));
    bed.set("a", Some(4_000));
    bed.until(12_000, "a", |it| it.missed == 0);
    bed.until(3_000, "a", |it| it.samples == 8 && it.lost == 0);
}

#[test]
fn a_lost_probe_is_followed_by_another_within_a_second() {
    let mut bed = Bed::new(&[("a", 2_000)], &[]);
    bed.pass(60_000);
    bed.set("a", None);
    let begin = bed.sent.len();
    bed.pass(10_000);
    assert!(bed.sent.len() > begin);
    let lost = bed.sent[begin].0;
    bed.set("a", Some(2_000));
    bed.pass(10_000);
    assert!(bed.sent[begin + 1].0.since(lost) <= RING_PERIOD);
}

#[test]
fn what_stays_is_said_once_in_a_period_and_what_wobbles_too() {
    let mut bed = Bed::new(&[("a", 20_000)], &[]);
    bed.pass(60_000);
    let begin = bed.said.len();
    for round in 0..360 {
        bed.set("a", Some(if round % 2 == 0 { 19_000 } else { 21_000 }));
        bed.pass(10_000);
    }
    let said = bed.said.len() - begin;
    assert!((60..=90).contains(&said), "{said} in an hour");
    let late = bed.said.windows(2).map(|it| it[1].0.since(it[0].0)).max().unwrap();
    assert!(late <= REPORT_EVERY, "{late:?}");
}

#[test]
fn however_it_jumps_the_reports_are_limited() {
    let mut bed = Bed::new(&[("a", 20_000)], &[50_000]);
    bed.pass(60_000);
    let begin = bed.said.len();
    for round in 0..720 {
        bed.set("a", if round % 3 == 0 { None } else { Some(1_000 * (1 + round * 7919 % 200)) });
        bed.pass(5_000);
    }
    let said = bed.said.len() - begin;
    assert!(said <= 3_600 / 10 + 3_600 / 30 + 16, "{said} in an hour");
}

#[test]
fn an_api_server_that_is_away_is_told_when_it_is_back() {
    let mut bed = Bed::new(&[("a", 2_000)], &[]);
    bed.pass(60_000);
    bed.takes = false;
    bed.set("a", Some(40_000));
    bed.pass(600_000);
    assert_eq!(bed.said_of("a").p50, Delay::from_micros(2_000).ok());
    bed.takes = true;
    bed.until(31_000, "a", p50(40_000));
    let statement = &bed.said.last().unwrap().1;
    assert!(statement.report.rows[0].statistics.age < Some(PERIOD), "what is said is of now");
}

#[test]
fn nothing_is_said_before_there_is_somebody_to_say_it_to() {
    let mut bed = Bed::new(&[("a", 2_000)], &[]);
    bed.pass(10_000);
    bed.agent.pause();
    let (said, sent) = (bed.said.len(), bed.sent.len());
    bed.pass(600_000);
    assert_eq!(bed.said.len(), said);
    assert!(bed.sent.len() >= sent + 59, "but it is probed on");
    bed.follow(&[], Vec::new());
    bed.pass(10);
    assert_eq!(bed.said.len(), said + 1);
}

#[test]
fn what_is_asked_for_once_is_measured_once() {
    let mut bed = Bed::new(&[("a", 2_000), ("b", 5_000)], &[]);
    bed.pass(60_000);
    let request =
        |id: &str, peer: &str, count| RequestPlan { id: Name::from(id), peer: NodeName::from(peer), count };
    let requests = vec![request("1", "a", 5), request("2", "nobody", 2)];
    bed.follow(&[], requests.clone());
    bed.pass(1_000);
    let results = bed.said.last().unwrap().1.results.clone();
    let answered = Sample::Answered(Delay::from_micros(2_000).unwrap());
    let done = RequestResult { id: Name::from("1"), samples: vec![answered; 5], is_running: false };
    assert_eq!(results, std::slice::from_ref(&done));
    bed.pass(5_000);
    let results = bed.said.last().unwrap().1.results.clone();
    let lost = RequestResult { id: Name::from("2"), samples: vec![Sample::Lost; 2], is_running: false };
    assert_eq!(results, [done.clone(), lost]);
    // An agent that begins anew does not measure it again.
    let mut bed = Bed::new(&[("a", 2_000)], &[]);
    let plan = Plan { requests, results: vec![done.clone()], ..Plan::default() };
    bed.agent.follow(plan, bed.now);
    bed.pass(5_000);
    assert_eq!(bed.sent.iter().filter(|(_, peer)| peer == "a").count(), 0);
    assert_eq!(bed.said.last().unwrap().1.results[0], done);
}

#[test]
fn the_last_thing_that_is_said_is_that_it_leaves() {
    let mut bed = Bed::new(&[("a", 2_000)], &[]);
    bed.pass(30_000);
    bed.agent.leave(bed.now);
    bed.pass(0);
    assert!(bed.said.last().unwrap().1.is_leaving);
}

#[test]
fn lag_is_no_delay_and_a_wall_clock_that_is_set_moves_nothing() {
    let mut agent = Bed::new(&[("a", 2_000)], &[]);
    let mut delay = |wall: i64, stamped: Option<u64>| {
        agent.pass(10_000);
        let now = agent.reading();
        let probe = loop {
            agent.now = agent.agent.wake_at();
            let reading = agent.reading();
            agent.agent.give_up(agent.now);
            if agent.agent.statement(agent.now).is_some() {
                agent.agent.written(agent.now);
            }
            if let Some(probe) = agent.agent.next(reading) {
                break (probe, reading);
            }
        };
        let (probe, sent) = probe;
        assert!(sent.at >= now.at);
        // Answered after 5 ms, read 3 ms later, while the wall clock is set by so much.
        let at = sent.at + Duration::from_millis(8);
        let set = Duration::from_micros(wall.unsigned_abs());
        let right = sent.wall + Duration::from_millis(8);
        let wall = if wall < 0 { right.saturating_sub(set) } else { right + set };
        let read = Reading { at, wall };
        let stamp = stamped.map(|millis| sent.wall + Duration::from_millis(millis));
        let held = lag(stamp, sent, read);
        agent.agent.answered(probe.sequence, at, held).unwrap().sample.delay().unwrap().as_micros()
    };
    assert_eq!(delay(0, Some(5)), 5_000);
    for wall in [1, -1, 3_600, -3_600] {
        assert_eq!(delay(wall * 1_000_000, Some(5)), 8_000, "set by {wall} s");
    }
    assert_eq!(delay(0, None), 8_000);
}
