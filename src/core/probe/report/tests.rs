//! When a report is due, and what it tells again.

use super::*;

const EVERY: Duration = Duration::from_mins(10);
const BOUND: [u32; 1] = [10_000];

fn at(millis: u64) -> Time {
    Time::from_origin(Duration::from_secs(1_000) + Duration::from_millis(millis))
}

fn delay(micros: u32) -> Delay {
    Delay::from_micros(micros).unwrap()
}

/// A reporter, and what it observes of one peer.
struct Bed {
    reporter: Reporter,
    bounds: Vec<Delay>,
    statistics: Statistics,
    soon: bool,
}

impl Bed {
    /// This many microseconds were reported, with this bound.
    fn new(micros: u32, bounds: &[u32]) -> Self {
        let mut reporter = Reporter::new(EVERY, 0.5);
        reporter.resume(EVERY, true);
        let bounds = bounds.iter().map(|it| delay(*it)).collect();
        let mut bed = Self { reporter, bounds, statistics: Statistics::default(), soon: false };
        bed.know(micros, 32, 0);
        for millis in [0, 2_000] {
            bed.report(millis);
        }
        bed
    }

    fn of<T>(&mut self, then: impl FnOnce(&mut Reporter, &Known<'_>) -> T) -> T {
        let Self { reporter, bounds, statistics, soon } = self;
        let name = NodeName::from("a");
        let known = Known { name: &name, statistics: statistics.clone(), bounds, soon: *soon };
        then(reporter, &known)
    }

    /// This is known of the peer now.
    fn know(&mut self, micros: u32, samples: u16, millis: u64) {
        let delay = Some(delay(micros));
        self.statistics = Statistics { min: delay, p50: delay, p95: delay, samples, ..Statistics::default() };
        self.of(|reporter, known| reporter.observe(known, at(millis)));
    }

    fn report(&mut self, millis: u64) {
        self.of(|reporter, known| reporter.begin(std::slice::from_ref(known), at(millis)));
        self.reporter.written(at(millis));
    }

    /// After how many milliseconds what is to be said now will have been said, each time that it is.
    #[track_caller]
    fn check(&mut self, expected: &[u64]) {
        let mut said = Vec::new();
        while self.reporter.is_busy() && said.len() < 20 {
            let due = self.reporter.due_at().max(at(0));
            let millis = u64::try_from(due.since(at(0)).as_millis()).unwrap();
            said.push(millis);
            self.report(millis);
        }
        assert_eq!(said, expected);
    }
}

#[test]
fn a_peer_of_which_too_little_was_said_is_told_again_once_it_counts() {
    let mut bed = Bed::new(40, &[]);
    bed.know(40, 3, 0);
    bed.report(3_000);
    bed.know(40, 4, 4_000);
    assert!(!bed.reporter.is_busy());
    bed.know(40, 8, 5_000);
    bed.check(&[6_000]);
}

#[test]
fn a_crossed_bound_is_told_at_once_and_again() {
    let mut bed = Bed::new(9_000, &BOUND);
    bed.know(20_000, 32, 5_000);
    bed.check(&[5_000, 7_000]);
}

#[test]
fn what_else_is_reported_meanwhile_confirms_nothing() {
    let mut bed = Bed::new(9_000, &BOUND);
    bed.reporter.note(Reason::Moved, at(4_500));
    bed.know(20_000, 32, 5_000);
    bed.report(5_000);
    bed.reporter.note(Reason::Moved, at(5_100));
    bed.check(&[6_100, 7_000]);
}

#[test]
fn a_bound_that_was_crossed_in_a_burst_and_told_by_the_way_is_told_again() {
    let mut bed = Bed::new(9_000, &BOUND);
    bed.soon = true;
    bed.know(20_000, 32, 5_000);
    bed.reporter.note(Reason::Moved, at(5_000));
    bed.check(&[6_000, 8_000]);
}

#[test]
fn what_is_said_by_who_is_starved_is_said_again() {
    let mut bed = Bed::new(9_000, &BOUND);
    bed.reporter.set_starved(true, at(5_000));
    bed.know(20_000, 32, 5_000);
    bed.report(6_000);
    assert!(!bed.reporter.is_busy(), "it counts for nothing");
    bed.reporter.set_starved(false, at(7_000));
    bed.know(20_000, 32, 7_000);
    bed.check(&[7_000, 9_000]);
}

#[test]
fn what_was_not_taken_is_told_twice_all_the_same() {
    let mut bed = Bed::new(9_000, &BOUND);
    bed.know(20_000, 32, 5_000);
    bed.of(|reporter, known| reporter.begin(std::slice::from_ref(known), at(5_000)));
    bed.reporter.failed(at(6_000), 1.0);
    bed.check(&[7_000, 9_000]);
}

#[test]
fn what_may_have_been_taken_is_taken_back_twice() {
    let mut bed = Bed::new(9_000, &BOUND);
    bed.know(20_000, 32, 5_000);
    bed.of(|reporter, known| reporter.begin(std::slice::from_ref(known), at(5_000)));
    bed.reporter.failed(at(6_000), 1.0);
    bed.know(9_000, 32, 6_500);
    bed.check(&[7_000, 9_000]);
}

#[test]
fn a_new_object_is_told_all_of_it() {
    let mut bed = Bed::new(9_000, &BOUND);
    bed.reporter.pause();
    bed.reporter.resume(EVERY, true);
    assert_eq!(bed.reporter.due_at(), Time::ZERO);
    bed.report(5_000);
    bed.check(&[7_000]);
}

#[test]
fn a_wobble_leaves_some_reports_to_more_than_that() {
    let mut bed = Bed::new(9_900, &BOUND);
    for turn in 0..20 {
        let millis = 5_000 + 50 * turn;
        bed.know(if turn % 2 == 0 { 10_100 } else { 9_900 }, 32, millis);
        if bed.reporter.due_at() <= at(millis) {
            bed.report(millis);
        }
    }
    assert!(bed.reporter.due_at() > at(9_000), "enough was said of it");
    bed.know(20_000, 32, 9_000);
    assert!(bed.reporter.due_at() <= at(9_000));
    bed.report(9_000);
    bed.check(&[11_000]);
}
