//! Whether a delay has made a step.
//!
//! A window forgets slowly: of 32 samples the median moves after 16 new ones, and 16 times 10 s is long for a pod
//! that is out of its bound, or could be back in. So the newest samples are held against the older ones. Noise
//! must not look like a step, so it takes several in a row, all beyond what nine of ten older ones were, and both
//! the smallest and the median must have moved by what is worth a report.

use crate::model::Delay;

use super::window::{Window, nearest_rank};

/// How many samples in a row tell of a step: as many as a burst has, so that they are a window to go on with. That so
/// many are all among the highest, or all among the lowest, comes about by chance once in a hundred thousand samples.
pub(super) const CONFIRMED_BY: usize = 8;
/// How many older samples there must be for a comparison.
const OLDER_AT_LEAST: usize = 5;
/// What counts as moved: by a tenth, and by this many microseconds.
const MOVED_MICROS: u32 = 500;

/// What the newest samples tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The delay is as it was.
    None,
    /// The newest samples are beyond the older ones: more are needed to tell.
    Suspected,
    /// The delay has made a step, and this many of the newest answered samples are of the time since.
    Confirmed(usize),
}

/// Whether a delay has moved: by 10 % and by 0.5 ms.
pub(super) fn moved(from: Delay, to: Delay) -> bool {
    let difference = from.as_micros().abs_diff(to.as_micros());
    difference >= MOVED_MICROS && u64::from(difference) * 10 >= u64::from(from.as_micros())
}

/// Holds the newest samples of the window against the older ones.
pub(super) fn step(window: &Window) -> Step {
    let delays: Vec<Delay> = window.delays().collect();
    let beyond = |n: &usize| {
        let split = delays.len().checked_sub(*n).and_then(|at| delays.split_at_checked(at));
        split.is_some_and(|(older, newest)| is_beyond(older, newest))
    };
    // A step that was not looked for when it had just enough samples is still one. Of the older samples some may be as far
    // to that side as to look like one more of the newest, so it is where it divides them best.
    let candidates = (1..=delays.len()).rev().filter(beyond);
    match candidates.min_by_key(|newest| scattering(&delays, *newest)) {
        None => Step::None,
        Some(newest) => match settled(&delays, newest) {
            newest if newest >= CONFIRMED_BY => Step::Confirmed(newest),
            _ => Step::Suspected,
        },
    }
}

/// How many of so many newest samples are of the time since the step: a probe that was on its way when it came went there by
/// the one delay and back by the other, and belongs to neither side.
fn settled(delays: &[Delay], newest: usize) -> usize {
    let (older, newest) = sides(delays, newest);
    let (Some(was), Some(is)) = (median(older), median(newest)) else { return newest.len() };
    let is_between =
        |it: &&Delay| it.as_micros().abs_diff(is.as_micros()) > was.as_micros().abs_diff(is.as_micros()) / 4;
    newest.len() - newest.iter().take_while(is_between).count()
}

/// How far all delays are in sum from the median of their side, if so many of the newest are a side of their own.
fn scattering(delays: &[Delay], newest: usize) -> u64 {
    let scattering_of = |side: &[Delay]| {
        let Some(middle) = median(side) else { return 0 };
        side.iter().map(|it| u64::from(it.as_micros().abs_diff(middle.as_micros()))).sum::<u64>()
    };
    let (older, newest) = sides(delays, newest);
    scattering_of(older) + scattering_of(newest)
}

/// The older samples, and so many of the newest.
fn sides(delays: &[Delay], newest: usize) -> (&[Delay], &[Delay]) {
    delays.split_at_checked(delays.len().saturating_sub(newest)).unwrap_or_default()
}

fn median(side: &[Delay]) -> Option<Delay> {
    let mut sorted = side.to_vec();
    sorted.sort_unstable();
    nearest_rank(&sorted, 50)
}

/// Whether all of the newest are beyond nine tenths of the older, in one direction, by what counts as moved.
fn is_beyond(older: &[Delay], newest: &[Delay]) -> bool {
    let (Some(was), Some(is)) = (older.iter().min(), newest.iter().min()) else { return false };
    // Most often this is all there is to say, and it costs least.
    if older.len() < OLDER_AT_LEAST || !moved(*was, *is) {
        return false;
    }
    let [older, newest] = [older, newest].map(|delays| {
        let mut sorted = delays.to_vec();
        sorted.sort_unstable();
        sorted
    });
    let (Some(was), Some(is)) = (nearest_rank(&older, 50), nearest_rank(&newest, 50)) else { return false };
    let above = newest.first() > nearest_rank(&older, 90).as_ref() && newest.first() > older.first();
    let below = newest.last() < nearest_rank(&older, 10).as_ref() && newest.first() < older.first();
    moved(was, is) && (above || below)
}

#[cfg(test)]
mod tests {
    use super::super::window::Sample;
    use super::*;
    use crate::model::Time;
    use crate::random::Random;

    fn window(micros: impl IntoIterator<Item = u32>) -> Window {
        let mut window = Window::default();
        for micros in micros {
            window.push(Sample::Answered(Delay::from_micros(micros).unwrap()), Time::ZERO, Time::ZERO);
        }
        window
    }

    #[track_caller]
    fn check(older: &[u32], newest: u32, n: usize, expected: Step) {
        let samples = older.iter().copied().chain(std::iter::repeat_n(newest, n));
        assert_eq!(step(&window(samples)), expected, "{older:?}, then {n} times {newest}");
    }

    #[test]
    fn a_step_is_seen_up_and_down() {
        let ten = [10_000; 24];
        check(&ten, 10_000, 8, Step::None);
        check(&ten, 30_000, 1, Step::Suspected);
        check(&ten, 30_000, 7, Step::Suspected);
        check(&ten, 30_000, 8, Step::Confirmed(8));
        check(&ten, 2_000, 7, Step::Suspected);
        check(&ten, 2_000, 8, Step::Confirmed(8));
        // After a burst there are eight samples, and a step back is seen at once.
        check(&ten[..8], 2_000, 8, Step::Confirmed(8));
        check(&ten[..4], 2_000, 1, Step::None);
        // It may be looked for late, because probes were lost.
        check(&ten, 2_000, 9, Step::Confirmed(9));
        check(&ten, 30_000, 15, Step::Confirmed(15));
    }

    #[test]
    fn what_is_older_and_to_that_side_by_chance_is_no_part_of_the_step() {
        let mut older: Vec<u32> = (0..20).map(|it| 10_000 + it * 7 % 20 * 50).collect();
        older.extend([10_010, 10_000]);
        for n in 1..=7 {
            check(&older, 2_000, n, Step::Suspected);
        }
        check(&older, 2_000, 8, Step::Confirmed(8));
    }

    #[test]
    fn outliers_among_the_older_hide_no_step() {
        let mut older = [10_000; 24];
        older[3] = 100_000;
        older[17] = 90_000;
        check(&older, 30_000, 8, Step::Confirmed(8));
    }

    #[test]
    fn little_moves_are_no_step() {
        check(&[10_000; 24], 10_900, 8, Step::None);
        check(&[10_000; 24], 11_000, 8, Step::Confirmed(8));
        check(&[1_000; 26], 1_490, 8, Step::None);
        check(&[1_000; 26], 1_500, 8, Step::Confirmed(8));
    }

    #[test]
    fn what_was_on_its_way_is_of_neither_side() {
        let mut window = Window::default();
        let mut push = |millis: f64| {
            let delay = Delay::from_millis_f64(millis).unwrap();
            window.push(Sample::Answered(delay), Time::ZERO, Time::ZERO);
            step(&window)
        };
        (0..16).for_each(|_| _ = push(400.0));
        let steps = [220.0, 220.0, 40.0, 40.1, 40.0, 40.0, 40.2, 40.0, 40.0, 40.0].map(&mut push);
        assert_eq!(steps[8..], [Step::Suspected, Step::Confirmed(8)]);
    }

    #[test]
    fn noise_is_no_step() {
        const SAMPLES: usize = 100_000;
        type Shape = fn(f64) -> f64;
        let shapes: [(&str, Shape); 3] = [
            ("uniform", |it| 10_000.0 + 10_000.0 * it),
            ("exponential", |it| 10_000.0 - 10_000.0 * (1.0 - it).ln()),
            ("outliers", |it| if it < 0.05 { 200_000.0 } else { 10_000.0 + 1_000.0 * it }),
        ];
        for (name, shape) in shapes {
            let mut window = Window::default();
            let (mut suspected, mut confirmed) = (0, 0);
            let mut random = Random(7);
            for _ in 0..SAMPLES {
                let micros = Delay::from_millis_f64(shape(random.unit()) / 1000.0).unwrap();
                window.push(Sample::Answered(micros), Time::ZERO, Time::ZERO);
                match step(&window) {
                    Step::None => (),
                    Step::Suspected => suspected += 1,
                    Step::Confirmed(_) => confirmed += 1,
                }
            }
            assert!(confirmed * 10_000 <= SAMPLES, "{name}: {confirmed} steps in {SAMPLES} samples");
            assert!(suspected * 5 <= SAMPLES, "{name}: {suspected} suspicions in {SAMPLES} samples");
        }
    }
}
