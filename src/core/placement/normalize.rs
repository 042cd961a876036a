//! Bringing raw scores into the range from 0 to [`MAX_NODE_SCORE`]
//! (upstream: `plugins/helper/normalize_score.go`).

use super::MAX_NODE_SCORE;

/// Scales the scores so that the highest becomes [`MAX_NODE_SCORE`]. If all are 0 they stay so.
pub(crate) fn highest_is_best(scores: &mut [i64]) {
    let Some(highest) = highest(scores) else { return };
    for score in scores {
        *score = scaled(*score, highest);
    }
}

/// Scales the scores so that the highest becomes 0 and a score of 0 becomes [`MAX_NODE_SCORE`].
pub(crate) fn lowest_is_best(scores: &mut [i64]) {
    let Some(highest) = highest(scores) else { return scores.fill(MAX_NODE_SCORE) };
    for score in scores {
        *score = MAX_NODE_SCORE - scaled(*score, highest);
    }
}

/// The highest score, if it is over 0.
fn highest(scores: &[i64]) -> Option<i64> {
    scores.iter().copied().max().filter(|highest| *highest > 0)
}

fn scaled(score: i64, highest: i64) -> i64 {
    MAX_NODE_SCORE.saturating_mul(score) / highest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(normalize: fn(&mut [i64]), scores: &[i64], expected: &[i64]) {
        let mut normalized = scores.to_vec();
        normalize(&mut normalized);
        assert_eq!(normalized, expected, "{scores:?}");
    }

    #[test]
    fn scores_are_scaled_to_the_highest_and_rounded_down() {
        check(highest_is_best, &[1, 2, 3, 4], &[25, 50, 75, 100]);
        check(highest_is_best, &[1, 3], &[33, 100]);
        check(highest_is_best, &[0, 0], &[0, 0]);
        check(highest_is_best, &[], &[]);
        check(highest_is_best, &[i64::MAX, 0], &[1, 0]);
    }

    #[test]
    fn reversed_the_rounded_score_is_taken_from_the_maximum() {
        check(lowest_is_best, &[1, 2, 3, 4], &[75, 50, 25, 0]);
        check(lowest_is_best, &[1, 3], &[67, 0]);
        check(lowest_is_best, &[0, 0], &[100, 100]);
        check(lowest_is_best, &[], &[]);
    }
}
