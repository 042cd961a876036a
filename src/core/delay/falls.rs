//! Delays that became smaller: what may let a waiting pod in.

use crate::model::Delay;

/// The bounds that some delay has come within.
///
/// A delay that falls from `old` to `new` cures those with a bound from `new` up to `old`, and no others. These
/// ranges are kept merged, so that however many delays fell, it costs little to see that a pod is not concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Falls(Vec<(Delay, Option<Delay>)>);

/// How a delay changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// As it was, if it was known.
    pub old: Option<Delay>,
    /// As it is.
    pub new: Option<Delay>,
}

// === impl Falls ===

impl Falls {
    /// Those among these changes.
    pub fn of(changes: impl IntoIterator<Item = Change>) -> Self {
        let falls = changes.into_iter().filter_map(|Change { old, new }| {
            let new = new?;
            old.is_none_or(|old| new < old).then_some((new, old))
        });
        let mut ranges: Vec<(Delay, Option<Delay>)> = falls.collect();
        ranges.sort_unstable_by_key(|(new, _)| *new);
        ranges.dedup_by(|next, last| {
            let touches = last.1.is_none_or(|end| next.0 <= end);
            if touches {
                last.1 = last.1.zip(next.1).map(|(a, b)| a.max(b));
            }
            touches
        });
        Self(ranges)
    }

    /// As if every delay had fallen.
    pub fn everywhere() -> Self {
        Self(vec![(Delay::ZERO, None)])
    }

    /// Whether no delay fell.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a delay fell that was over this bound and is within it.
    pub fn cross(&self, bound: Delay) -> bool {
        let begun = self.0.partition_point(|(new, _)| *new <= bound);
        begun
            .checked_sub(1)
            .and_then(|idx| self.0.get(idx))
            .is_some_and(|(_, old)| old.is_none_or(|old| bound < old))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of changes, each `(old, new)` with 0 for unknown, the bounds from 1 to 9 that are crossed.
    #[track_caller]
    fn check(changes: &[(u32, u32)], expected: &[u32]) {
        let delay = |micros: u32| (micros > 0).then(|| Delay::from_micros(micros).unwrap());
        let changes = changes.iter().map(|(old, new)| Change { old: delay(*old), new: delay(*new) });
        let falls = Falls::of(changes);
        let crossed: Vec<u32> = (1..=9).filter(|bound| falls.cross(delay(*bound).unwrap())).collect();
        assert_eq!(crossed, expected);
        assert_eq!(falls.is_empty(), expected.is_empty());
    }

    #[test]
    fn a_bound_is_crossed_from_the_new_delay_up_to_the_old_one() {
        check(&[(5, 3)], &[3, 4]);
        check(&[(0, 7)], &[7, 8, 9]);
        check(&[(3, 5), (3, 0), (4, 4), (0, 0)], &[]);
        check(&[(9, 8), (3, 1)], &[1, 2, 8]);
        check(&[(5, 3), (7, 4), (9, 8), (4, 2)], &[2, 3, 4, 5, 6, 8]);
        check(&[(0, 5), (9, 2)], &[2, 3, 4, 5, 6, 7, 8, 9]);
        check(&[(6, 2), (4, 3)], &[2, 3, 4, 5]);
    }
}
