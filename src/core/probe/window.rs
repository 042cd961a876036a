//! The last samples of a peer.

use std::collections::VecDeque;

use crate::delay::Statistics;
use crate::model::{Delay, Time};

/// How many samples are kept of a peer.
pub const WINDOW: usize = 32;

/// What came of a probe. A lost one is a sample too: never a delay, and never left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// It was answered after this long.
    Answered(Delay),
    /// It was not answered in time.
    Lost,
}

/// The last [`WINDOW`] samples of a peer in the order in which their probes were sent: answers may overtake each other, and
/// that a probe was lost is known late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    samples: VecDeque<(Time, Sample)>,
    missed: u16,
    answered_at: Option<Time>,
    /// When the last of those was sent that were answered.
    heard_until: Option<Time>,
    /// What was sent before is forgotten, whenever it is answered.
    begin: Time,
    /// Of what was sent after the first of these and up to the second, answers are forgotten.
    peak: Option<(Time, Time)>,
}

// === impl Sample ===

impl Sample {
    /// The delay; none if the probe was lost.
    pub fn delay(self) -> Option<Delay> {
        match self {
            Self::Answered(delay) => Some(delay),
            Self::Lost => None,
        }
    }
}

// === impl Window ===

impl Window {
    /// Adds the newest sample, of a probe that was sent at `sent`, known at `now`; the oldest goes if there are too many.
    pub fn push(&mut self, sample: Sample, sent: Time, now: Time) {
        if self.keeps(sample, sent) {
            if self.samples.len() >= WINDOW {
                self.samples.pop_front();
            }
            let later = self.samples.iter().rev().take_while(|(other, _)| *other > sent).count();
            self.samples.insert(self.samples.len() - later, (sent, sample));
        }
        match sample {
            Sample::Answered(_) => {
                self.missed = 0;
                self.answered_at = Some(now);
                self.heard_until = self.heard_until.max(Some(sent));
            }
            // That it was lost is known late: what was sent after it may have been answered meanwhile.
            Sample::Lost if self.heard_until > Some(sent) => (),
            Sample::Lost => self.missed = self.missed.saturating_add(1),
        }
    }

    /// Whether a sample counts of a probe that was sent then: slow answers come when what is of their time is forgotten.
    fn keeps(&self, sample: Sample, sent: Time) -> bool {
        let is_of_peak = self.peak.is_some_and(|(from, to)| from < sent && sent <= to);
        sent >= self.begin && !(is_of_peak && sample.delay().is_some())
    }

    /// Forgets all samples but so many of the newest answered ones, and what was lost between them.
    pub fn keep_newest(&mut self, answered: usize) {
        let mut left = answered;
        let kept = self.samples.iter().rev().take_while(|(_, sample)| {
            let keep = left > 0;
            left -= usize::from(keep && sample.delay().is_some());
            keep
        });
        let dropped = self.samples.len() - kept.count();
        self.samples.drain(..dropped);
        self.begin = self.samples.front().map_or(self.begin, |(sent, _)| *sent);
    }

    /// Forgets the answers to what was sent after `from` and up to `to`, those that are still to come as well, but not the newest.
    pub fn forget_peak(&mut self, from: Time, to: Time) {
        let newest = self.samples.iter().rev().find(|(_, sample)| sample.delay().is_some()).map(|it| it.0);
        self.peak = Some((from, to));
        let samples = std::mem::take(&mut self.samples).into_iter();
        self.samples =
            samples.filter(|(sent, sample)| Some(*sent) == newest || self.keeps(*sample, *sent)).collect();
    }

    /// How many of the last probes in a row were lost.
    pub fn missed(&self) -> u16 {
        self.missed
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The delays of the answered probes, those sent first in front.
    pub fn delays(&self) -> impl DoubleEndedIterator<Item = Delay> {
        self.samples.iter().filter_map(|(_, sample)| sample.delay())
    }

    /// What the samples tell at `now`.
    pub fn statistics(&self, now: Time) -> Statistics {
        let mut sorted: Vec<Delay> = self.delays().collect();
        sorted.sort_unstable();
        let lost = self.samples.len() - sorted.len();
        Statistics {
            min: sorted.first().copied(),
            p50: nearest_rank(&sorted, 50),
            // The 95th percentile of one sample would be that sample, which tells nothing of the others.
            p95: if sorted.len() > 1 { nearest_rank(&sorted, 95) } else { None },
            jitter: self.jitter(),
            lost: count(lost),
            samples: count(self.samples.len()),
            missed: self.missed,
            age: self.answered_at.map(|at| now.since(at)),
        }
    }

    /// The mean difference between one answered probe and the next, rounded up.
    fn jitter(&self) -> Option<Delay> {
        let differences = self.delays().zip(self.delays().skip(1));
        let (sum, n) = differences.fold((0_u64, 0_u64), |(sum, n), (a, b)| {
            (sum + u64::from(a.as_micros().abs_diff(b.as_micros())), n + 1)
        });
        let mean = u32::try_from(sum.div_ceil(n.max(1))).ok()?;
        if n > 0 { Delay::from_micros(mean).ok() } else { None }
    }
}

/// The percentile by nearest rank: the smallest value that so many per cent of all are not above.
pub(super) fn nearest_rank(sorted: &[Delay], percent: usize) -> Option<Delay> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn count(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn time(seconds: u64) -> Time {
        Time::from_origin(Duration::from_secs(seconds))
    }

    /// Samples in microseconds, none for a lost one, a second apart; what is told a second after the last.
    fn told(samples: &[Option<u32>]) -> Statistics {
        let mut window = Window::default();
        for (at, it) in (0..).zip(samples) {
            window.push(sample(*it), time(at), time(at));
        }
        window.statistics(time(samples.len() as u64))
    }

    fn delay(micros: u32) -> Delay {
        Delay::from_micros(micros).unwrap()
    }

    /// `[min, p50, p95, jitter]`, then `[lost, samples, missed]`, then the age in seconds.
    #[track_caller]
    fn check(samples: &[Option<u32>], delays: [Option<u32>; 4], counts: [u16; 3], age: Option<u64>) {
        let it = told(samples);
        let micros = [it.min, it.p50, it.p95, it.jitter].map(|delay| delay.map(Delay::as_micros));
        assert_eq!(micros, delays, "{samples:?}");
        assert_eq!([it.lost, it.samples, it.missed], counts, "{samples:?}");
        assert_eq!(it.age, age.map(Duration::from_secs), "{samples:?}");
    }

    #[test]
    fn a_lost_probe_is_a_sample_and_no_delay() {
        check(&[], [None; 4], [0, 0, 0], None);
        check(&[None, None], [None; 4], [2, 2, 2], None);
        check(&[Some(400)], [Some(400), Some(400), None, None], [0, 1, 0], Some(1));
        check(
            &[Some(400), None, Some(700), None],
            [Some(400), Some(400), Some(700), Some(300)],
            [2, 4, 1],
            Some(2),
        );
        check(&[Some(3), Some(1), Some(2)], [Some(1), Some(2), Some(3), Some(2)], [0, 3, 0], Some(1));
    }

    #[test]
    fn a_loss_that_is_known_late_is_not_in_a_row_with_what_comes() {
        let mut window = Window::default();
        window.push(Sample::Answered(delay(400)), time(2), time(2));
        window.push(Sample::Lost, time(1), time(3));
        assert_eq!((window.missed(), window.statistics(time(3)).lost), (0, 1));
        window.push(Sample::Lost, time(4), time(5));
        assert_eq!(window.missed(), 1);
    }

    #[test]
    fn the_last_32_samples_count() {
        let mut samples = vec![None; 10];
        samples.extend((1..=32).map(Some));
        check(&samples, [Some(1), Some(16), Some(31), Some(1)], [0, 32, 0], Some(1));
        samples.push(None);
        check(&samples, [Some(2), Some(17), Some(31), Some(1)], [1, 32, 1], Some(2));
    }

    #[test]
    fn ranks_are_those_of_counting() {
        for n in 1..=64_u32 {
            let sorted: Vec<Delay> = (0..n).map(|micros| delay(micros * 7)).collect();
            for percent in [1, 10, 50, 90, 95, 99, 100] {
                let enough = |value: &&Delay| {
                    let within = sorted.iter().filter(|other| other <= value).count();
                    within * 100 >= percent * sorted.len()
                };
                let expected = sorted.iter().find(enough).copied();
                assert_eq!(nearest_rank(&sorted, percent), expected, "{percent} % of {n}");
            }
        }
    }

    #[test]
    fn answers_that_overtake_each_other_stand_in_the_order_of_their_probes() {
        let mut window = Window::default();
        for (sent, micros) in [(1, 9), (3, 4), (2, 9), (4, 4)] {
            window.push(Sample::Answered(delay(micros)), time(sent), time(5));
        }
        assert!(window.delays().map(Delay::as_micros).eq([9, 9, 4, 4]));
    }

    /// What is in the window, in microseconds, none for a lost one.
    fn content(window: &Window) -> Vec<Option<u32>> {
        window.samples.iter().map(|(_, sample)| sample.delay().map(Delay::as_micros)).collect()
    }

    fn sample(micros: Option<u32>) -> Sample {
        micros.map_or(Sample::Lost, |it| Sample::Answered(delay(it)))
    }

    #[test]
    fn of_a_peak_the_first_answer_stays_and_the_newest() {
        let samples = [Some(1), Some(2), None, Some(3), None, Some(4), None];
        for ((from, to), left) in [
            ((1, 1), &samples[..]),
            ((1, 5), &[Some(1), Some(2), None, None, Some(4), None]),
            ((0, 6), &[Some(1), None, None, Some(4), None]),
        ] {
            let mut window = Window::default();
            for (at, it) in (0..).zip(samples) {
                window.push(sample(it), time(at), time(at));
            }
            window.forget_peak(time(from), time(to));
            assert_eq!(content(&window), left);
        }
    }

    #[test]
    fn answers_that_come_late_to_what_is_forgotten_are_forgotten_too() {
        let mut window = Window::default();
        for (at, micros) in [(1, 5), (2, 90), (3, 90), (5, 5)] {
            window.push(Sample::Answered(delay(micros)), time(at), time(5));
        }
        window.forget_peak(time(2), time(5));
        window.push(Sample::Answered(delay(90)), time(4), time(6));
        window.push(Sample::Lost, time(4), time(6));
        assert_eq!(content(&window), [Some(5), Some(90), None, Some(5)]);
        window.keep_newest(1);
        window.push(Sample::Answered(delay(90)), time(3), time(7));
        window.push(Sample::Lost, time(4), time(7));
        window.push(Sample::Answered(delay(6)), time(6), time(7));
        assert_eq!(content(&window), [Some(5), Some(6)]);
    }

    #[test]
    fn what_is_kept_are_the_newest() {
        let mut window = Window::default();
        for (at, it) in (0..).zip([Some(1), None, Some(2), None, None, Some(3), None]) {
            window.push(sample(it), time(at), time(at));
        }
        for (answered, left) in [(9, 7), (3, 7), (2, 5), (1, 2), (0, 0)] {
            let mut kept = window.clone();
            kept.keep_newest(answered);
            assert_eq!(kept.len(), left, "{answered}");
        }
    }
}
