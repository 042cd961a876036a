//! A prober and an answerer on two hosts in virtual time, each with a wall clock that may be stepped, and a link between
//! them whose delay may be stepped and which loses packets.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{PERIOD, PeerPlan, Prober, RING_PERIOD, Reading, Sample, lag};
use crate::delay::Statistics;
use crate::model::{Delay, NodeName, Time};
use crate::random::Random;

const MICRO: Duration = Duration::from_micros(1);
const TIMEOUT: Duration = Duration::from_secs(1);
/// At most how long a packet lies before somebody reads it.
const LYING: Duration = Duration::from_micros(300);
/// How much the wall clock may be stepped without being noticed, for each reader.
const UNNOTICED: Duration = Duration::from_micros(20);
/// How old a reading of the clocks the answerer has, to see whether its wall clock was set.
const READING_AGE: Duration = Duration::from_secs(7);

/// What happens, and when.
#[derive(Clone, Debug)]
struct Course {
    period: Duration,
    seed: u64,
    /// Of a hundred probes.
    lost: u64,
    /// The round-trip times of the link, each from a time on.
    delays: Vec<(Time, Duration)>,
    /// By host, prober first: when its wall clock is stepped, and by how many microseconds.
    steps: [Option<(Time, i64)>; 2],
    until: Time,
}

/// A probe whose answer is read at some time: its number, how long the network took, and how long it lay where that is
/// known.
#[derive(Debug)]
struct Arrival {
    sequence: u32,
    took: Duration,
    held: Duration,
}

/// A sample and what the network really took.
#[derive(Debug)]
struct Taken {
    at: Time,
    sample: Sample,
    took: Option<Duration>,
    statistics: Statistics,
}

// === impl Course ===

impl Course {
    fn steady(delay: Duration) -> Self {
        Self {
            period: RING_PERIOD,
            seed: 1,
            lost: 0,
            delays: vec![(Time::ZERO, delay)],
            steps: [None; 2],
            until: seconds(200),
        }
    }

    /// Lets it happen; the samples in order.
    fn run(&self) -> Vec<Taken> {
        let peer = NodeName::from("peer");
        let mut prober = Prober::new(NodeName::from("me"), TIMEOUT, Duration::ZERO);
        let plan = PeerPlan { name: peer.clone(), period: self.period, bounds: Box::default() };
        prober.set_peers([plan], seconds(100));
        let mut random = Random(2 * self.seed + 1);
        let mut arrivals = BTreeMap::<Time, Arrival>::new();
        let mut taken = Vec::new();
        loop {
            let arrival = arrivals.first_entry().filter(|it| *it.key() <= prober.wake_at());
            let (now, arrival) =
                arrival.map_or((prober.wake_at(), None), |it| (*it.key(), Some(it.remove())));
            if now > self.until {
                return taken;
            }
            let answered = arrival.and_then(|it| {
                let outcome = prober.answered(it.sequence, now, it.held)?;
                Some((outcome, Some(it.took)))
            });
            let given_up = prober.give_up(now).into_iter().map(|outcome| (outcome, None));
            for (outcome, took) in answered.into_iter().chain(given_up).collect::<Vec<_>>() {
                let statistics = prober.known(now).next().unwrap().statistics;
                taken.push(Taken { at: now, sample: outcome.sample, took, statistics });
            }
            while let Some(probe) = prober.next(self.reading(0, now)) {
                prober.sent(probe.sequence, self.reading(0, now));
                if random.below(100) >= self.lost {
                    let lying = [(); 2].map(|()| LYING * random.below(1_000) / 1_000);
                    let (at, arrival) = self.travel(probe.sequence, now, lying);
                    arrivals.insert(at, arrival);
                }
            }
        }
    }

    /// A probe's way there and back, with how long it lies there and here; when its answer is read.
    fn travel(&self, sequence: u32, sent: Time, [there, here]: [Duration; 2]) -> (Time, Arrival) {
        let took = self.delays.iter().rev().find(|(from, _)| *from <= sent).unwrap().1;
        let arrived = sent + took / 2;
        let earlier = self.reading(1, arrived - READING_AGE);
        let held_there = lag(Some(self.wall(1, arrived)), earlier, self.reading(1, arrived + there));
        let back = arrived + there + took / 2;
        let read = self.reading(0, back + here);
        let held = held_there + lag(Some(self.wall(0, back)), self.reading(0, sent), read);
        (read.at, Arrival { sequence, took, held })
    }

    fn reading(&self, host: usize, at: Time) -> Reading {
        Reading { at, wall: self.wall(host, at) }
    }

    fn wall(&self, host: usize, at: Time) -> Duration {
        let wall = Duration::from_hours(500_000) + at.since_origin();
        match self.steps[host].filter(|(from, _)| *from <= at) {
            Some((_, micros)) if micros < 0 => {
                wall.saturating_sub(Duration::from_micros(micros.unsigned_abs()))
            }
            Some((_, micros)) => wall + Duration::from_micros(micros.unsigned_abs()),
            None => wall,
        }
    }
}

fn seconds(seconds: u64) -> Time {
    Time::from_origin(Duration::from_secs(seconds))
}

fn delay(it: Option<Delay>) -> Duration {
    Duration::from_micros(it.unwrap().as_micros().into())
}

/// A stepped clock moves no delay: none looks smaller than it was, and at most it is not known for a few that they lay.
#[track_caller]
fn check_stepped(seed: u64, steps: [Option<(Time, i64)>; 2]) {
    let course = Course { seed, steps, until: seconds(160), ..Course::steady(20_000 * MICRO) };
    let taken = course.run();
    assert!(taken.len() > 60);
    for Taken { at, sample, took, statistics } in &taken {
        let took = took.unwrap();
        let seen = delay(sample.delay());
        let error = format!("{steps:?}: {seen:?} at {at:?}");
        assert!(seen + 2 * UNNOTICED >= took && seen <= took + 2 * LYING + MICRO, "{error}");
        assert_eq!(statistics.lost, 0, "{error}");
        if statistics.samples >= crate::delay::Statistics::ENOUGH_SAMPLES {
            let [p50, p95] = [statistics.p50, statistics.p95].map(delay);
            assert!(p50.abs_diff(took) <= 2 * UNNOTICED, "{error}: p50 {p50:?}");
            assert!(p95 <= took + 2 * LYING + MICRO, "{error}: p95 {p95:?}");
        }
    }
}

#[test]
fn a_stepped_clock_moves_nothing() {
    const HOUR: i64 = 3_600_000_000;
    for micros in [15, -15, 100, -100, 5_000, -5_000, HOUR, -HOUR] {
        // Between two probes, while one is on its way there, while it lies there, on its way back, and while it lies here.
        for at in [0, 5_000, 9_990, 10_050, 10_100, 10_200, 15_000, 20_100, 20_200, 20_300, 20_400, 700_000] {
            let step = Some((seconds(150) + at * MICRO, micros));
            for seed in 0..8 {
                check_stepped(seed, [step, None]);
                check_stepped(seed, [None, step]);
                check_stepped(seed, [step, step]);
            }
        }
    }
}

/// How long it takes after a step at this time until both median and 95th percentile tell of it.
fn told_after(course: &Course, step: Time, from: Duration, to: Duration) -> Duration {
    let middle = (from + to) / 2;
    let tells = |value: Duration| (value > middle) == (to > middle);
    let told = course.run().into_iter().filter(|it| it.at >= step).find(|it| {
        let Statistics { p50, p95, .. } = it.statistics;
        tells(delay(p50)) && tells(delay(p95))
    });
    told.unwrap().at.since(step)
}

#[test]
fn a_step_up_and_a_step_down_are_told_of_in_time() {
    // By the larger ones answers overtake each other.
    for [low, high] in [[5, 40], [40, 250]].map(|it| it.map(Duration::from_millis)) {
        check_steps(low, high);
    }
}

fn check_steps(low: Duration, high: Duration) {
    for (period, lost, limit) in
        [(PERIOD, 0, 12), (PERIOD, 1, 14), (PERIOD, 10, 15), (RING_PERIOD, 0, 4), (RING_PERIOD, 10, 7)]
    {
        for seed in 0..100 {
            let (up, down) = (seconds(150) + seed * 103_000 * MICRO, seconds(300));
            let mut course = Course { period, lost, seed: seed.into(), ..Course::steady(low) };
            course.delays.extend([(up, high), (down, low)]);
            course.until = seconds(400);
            let after = [told_after(&course, up, low, high), told_after(&course, down, high, low)];
            let limit = Duration::from_secs(limit);
            assert!(
                after.iter().all(|after| *after <= limit),
                "{period:?}, {lost} %, seed {seed}: {after:?}"
            );
        }
    }
}
