//! One direction of a link: how long packets take, how many are lost; and the dice that decide it.

use std::time::Duration;

/// One direction of a link. By default packets arrive at once and none is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The least time that a packet takes.
    pub delay: Duration,
    /// At most how much longer it takes: any amount up to this is as likely. Packets may overtake each other.
    pub jitter: Duration,
    /// The share of packets that never arrive.
    pub loss: Loss,
    /// A link that is down loses everything.
    pub up: bool,
}

/// A share of packets, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss(u32);

/// The dice of one direction of a link. They fall the same way for the same seed: what becomes of the n-th packet depends
/// on the seed, on n and on the link as it is then, and on nothing else.
#[derive(Debug)]
pub(crate) struct Dice(fastrand::Rng);

const MILLION: u32 = 1_000_000;

// === impl Link ===

impl Default for Link {
    fn default() -> Self {
        Self::with_delay(Duration::ZERO)
    }
}

impl Link {
    /// A link with this delay, no jitter and no loss.
    pub fn with_delay(delay: Duration) -> Self {
        Self { delay, jitter: Duration::ZERO, loss: Loss::NONE, up: true }
    }

    /// The same link with so much jitter.
    #[must_use]
    pub fn jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// The same link with so many packets lost.
    #[must_use]
    pub fn loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// The same link, on which nothing passes.
    #[must_use]
    pub fn down(self) -> Self {
        Self { up: false, ..self }
    }
}

// === impl Loss ===

impl Loss {
    /// No packet is lost.
    pub const NONE: Self = Self(0);

    /// So many of a hundred; more than all is all, less than none or no number is none.
    pub fn percent(percent: f64) -> Self {
        let millionths = (percent.clamp(0.0, 100.0) * 10_000.0).round();
        // Between 0 and a million by now; no number becomes 0.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Self(millionths as u32)
    }
}

// === impl Dice ===

impl Dice {
    /// Those of the link from one host to another.
    pub(crate) fn new(seed: u64, from: usize, to: usize) -> Self {
        // Neighbouring seeds would begin alike, so they are spread over all bits first.
        let place = (from as u64) << 32 | to as u64;
        Self(fastrand::Rng::with_seed(spread(seed ^ spread(place.wrapping_add(1)))))
    }

    /// How long the next packet takes; none if it is lost. Both dice are thrown for every packet, so that a changed link
    /// does not change the fall of later ones.
    pub(crate) fn next(&mut self, link: &Link) -> Option<Duration> {
        let loss = self.0.u32(0..MILLION);
        let jitter = self.0.f64();
        (link.up && loss >= link.loss.0).then(|| link.delay + link.jitter.mul_f64(jitter))
    }
}

/// The finaliser of `SplitMix64`: every bit of the input changes half of the output's.
fn spread(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn fates(seed: u64, to: usize, link: &Link) -> Vec<Option<Duration>> {
        let mut dice = Dice::new(seed, 0, to);
        (0..10_000).map(|_| dice.next(link)).collect()
    }

    #[test]
    fn equal_seeds_fall_alike_and_links_differ() {
        let link = Link::with_delay(MS).jitter(MS).loss(Loss::percent(30.0));
        assert_eq!(fates(7, 1, &link), fates(7, 1, &link));
        assert_ne!(fates(7, 1, &link), fates(8, 1, &link));
        assert_ne!(fates(7, 1, &link), fates(7, 2, &link));
    }

    #[test]
    fn a_change_does_not_shift_later_packets() {
        let (mut one, mut other) = (Dice::new(7, 0, 1), Dice::new(7, 0, 1));
        let link = Link::with_delay(MS).jitter(MS).loss(Loss::percent(50.0));
        for _ in 0..100 {
            one.next(&link);
            other.next(&Link::default().down());
        }
        assert_eq!(one.next(&link.loss(Loss::NONE)), other.next(&link.loss(Loss::NONE)));
    }

    #[test]
    fn loss_and_jitter_are_what_was_asked() {
        let link = Link::with_delay(10 * MS).jitter(4 * MS).loss(Loss::percent(10.0));
        let fates = fates(7, 1, &link);
        let mut delays: Vec<Duration> = fates.iter().flatten().copied().collect();
        delays.sort_unstable();
        let lost = fates.len() - delays.len();
        assert!((900..1_100).contains(&lost), "{lost} of 10000 lost");
        assert!(delays[0] >= 10 * MS && *delays.last().unwrap() <= 14 * MS);
        let median = delays[delays.len() / 2];
        assert!(median > 11_900 * MS / 1_000 && median < 12_100 * MS / 1_000, "{median:?}");
    }

    #[test]
    fn losses_are_bounded() {
        assert_eq!(Loss::percent(-1.0), Loss::NONE);
        assert_eq!(Loss::percent(f64::NAN), Loss::NONE);
        assert_eq!(Loss::percent(200.0), Loss::percent(100.0));
        assert!(fates(1, 1, &Link::default().loss(Loss::percent(100.0))).iter().all(Option::is_none));
    }
}
