//! The linear relaxation of cover as a game of two sides, and the bounds that follow from its play.
//!
//! What has to be reserved is, on each node, a maximum; and a maximum is what an adversary gets who may spread a
//! weight of 1 over the nodes that could fail. So the least reserve of the relaxation, in which pods may be cut in
//! pieces, is the value of a game: each group of pods spreads itself over its options, each backup node spreads a
//! weight of 1 over the nodes that could fail, and what is paid is the sum of both products. *Any* weights of
//! the second side prove a lower bound (weak duality): every group pays at least its cheapest option. That is
//! worked out in integers here, so that rounding can't make it wrong; how the weights were found does not matter.
//!
//! They are found by regret matching (the variant "plus", in turns, with linear averaging), which needs no step
//! size: see Tammelin, "Solving large imperfect information games using CFR+" (2014).

/// One of weight in the exact part.
pub(super) const ONE: i128 = 1 << 40;
/// How often the gap is looked at.
const LOOK_EVERY: usize = 25;

/// Pods that have the same options, and what they request together.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// How much, in grains.
    pub(super) weight: i64,
    /// The pairs of a failing node and a backup node that it may use, by number; never empty.
    pub(super) options: Vec<u32>,
}

/// The game.
#[derive(Clone, Debug, Default)]
pub(super) struct Game {
    /// The groups.
    pub(super) groups: Vec<Group>,
    /// For each backup node how many pairs it has; they are numbered in that order.
    pub(super) pairs: Vec<usize>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// No reserve is smaller than this, in grains.
    pub(super) lower: i64,
    /// The relaxation's optimum is at most this.
    pub(super) upper: f64,
    /// The weights that prove the lower bound, by pair: they sum to [`ONE`] at most on each backup node.
    pub(super) weights: Vec<i128>,
}

/// The second side's play.
struct Adversary {
    weights: Vec<f64>,
    regrets: Vec<f64>,
    sums: Vec<f64>,
}

/// The first side's play, a row for each group.
struct Spreading {
    regrets: Vec<Vec<f32>>,
    sums: Vec<Vec<f32>>,
}

// === impl Game ===

impl Game {
    /// Plays so many rounds, fewer if lower and upper bound come within `tolerance` (a share) of each other.
    pub(super) fn play(&self, rounds: usize, tolerance: f64) -> Value {
        let n_pairs = self.pairs.iter().sum();
        let mut adversary = Adversary::new(&self.pairs);
        let mut spreading = Spreading::new(&self.groups);
        let mut best = Value { lower: 0, upper: f64::INFINITY, weights: vec![0; n_pairs] };
        let mut paid = vec![0.0; n_pairs];
        for round in 1..=rounds {
            paid.fill(0.0);
            #[expect(clippy::cast_precision_loss, reason = "rounds are few")]
            let share = round as f64;
            for (row, group) in self.groups.iter().enumerate() {
                spreading.answer(row, group, &adversary.weights, share, &mut paid);
            }
            adversary.answer(&self.pairs, &paid, share);
            if round % LOOK_EVERY == 0 || round == rounds {
                self.look(&adversary, &spreading, &mut best);
                if best.is_within(tolerance) {
                    break;
                }
            }
        }
        best
    }

    /// Takes over what the averages prove, if it is better.
    fn look(&self, adversary: &Adversary, spreading: &Spreading, best: &mut Value) {
        let weights = adversary.exact(&self.pairs);
        let lower = self.lower(&weights);
        if lower > best.lower {
            (best.lower, best.weights) = (lower, weights);
        }
        best.upper = best.upper.min(self.upper(spreading));
    }

    /// The bound that weights prove: what each group pays at least, rounded up, because reserves are whole grains.
    fn lower(&self, weights: &[i128]) -> i64 {
        let least = |group: &Group| {
            let options = group.options.iter().filter_map(|pair| weights.get(*pair as usize));
            options.min().map_or(0, |weight| weight * i128::from(group.weight))
        };
        let sum: i128 = self.groups.iter().map(least).sum();
        i64::try_from((sum + ONE - 1) / ONE).unwrap_or(i64::MAX)
    }

    /// What has to be reserved if the groups spread themselves as they did on average.
    #[expect(clippy::cast_precision_loss, reason = "it only tells how near the bound is")]
    fn upper(&self, spreading: &Spreading) -> f64 {
        let mut paid = vec![0.0; self.pairs.iter().sum()];
        for (group, sums) in self.groups.iter().zip(&spreading.sums) {
            let all: f64 = sums.iter().map(|sum| f64::from(*sum)).sum();
            for (pair, sum) in group.options.iter().zip(sums) {
                if let Some(paid) = paid.get_mut(*pair as usize) {
                    *paid += group.weight as f64 * f64::from(*sum) / all;
                }
            }
        }
        rows(&self.pairs, &paid).map(|row| row.iter().copied().fold(0.0, f64::max)).sum()
    }
}

/// Cuts a list by pair into one slice for each backup node.
fn rows<'a, T>(pairs: &'a [usize], mut list: &'a [T]) -> impl Iterator<Item = &'a [T]> {
    pairs.iter().map(move |len| {
        let (row, rest) = list.split_at_checked(*len).unwrap_or((&[], &[]));
        list = rest;
        row
    })
}

// === impl Value ===

impl Value {
    #[expect(clippy::cast_precision_loss, reason = "it only decides when to stop")]
    fn is_within(&self, tolerance: f64) -> bool {
        self.upper - self.lower as f64 <= tolerance * self.upper
    }
}

// === impl Adversary ===

impl Adversary {
    fn new(pairs: &[usize]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "nodes are few")]
        let weights: Vec<f64> =
            pairs.iter().flat_map(|len| std::iter::repeat_n(1.0 / *len as f64, *len)).collect();
        let zeros = vec![0.0; weights.len()];
        Self { weights, regrets: zeros.clone(), sums: zeros }
    }

    /// Moves weight to the pairs that are paid for more than others.
    fn answer(&mut self, pairs: &[usize], paid: &[f64], share: f64) {
        let mut start = 0;
        for len in pairs {
            let range = start..start + len;
            start += len;
            let (Some(weights), Some(regrets), Some(sums), Some(paid)) = (
                self.weights.get_mut(range.clone()),
                self.regrets.get_mut(range.clone()),
                self.sums.get_mut(range.clone()),
                paid.get(range),
            ) else {
                continue;
            };
            let value: f64 = weights.iter().zip(paid).map(|(weight, paid)| weight * paid).sum();
            let mut all = 0.0;
            for (regret, paid) in regrets.iter_mut().zip(paid) {
                *regret = (*regret + paid - value).max(0.0);
                all += *regret;
            }
            for ((weight, regret), sum) in weights.iter_mut().zip(regrets.iter()).zip(sums) {
                if all > 0.0 {
                    *weight = regret / all;
                }
                *sum += *weight * share;
            }
        }
    }

    /// The average weights as integers that sum to [`ONE`] at most on each backup node.
    fn exact(&self, pairs: &[usize]) -> Vec<i128> {
        let exact = |row: &[f64]| {
            let all: f64 = row.iter().sum();
            let mut left = ONE;
            let cut: Vec<i128> = row
                .iter()
                .map(|sum| {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_precision_loss,
                        reason = "whatever comes of it is cut to what is left"
                    )]
                    let weight = (sum / all * ONE as f64) as i128;
                    let weight = weight.clamp(0, left);
                    left -= weight;
                    weight
                })
                .collect();
            cut
        };
        rows(pairs, &self.sums).flat_map(exact).collect()
    }
}

// === impl Spreading ===

impl Spreading {
    fn new(groups: &[Group]) -> Self {
        let zeros: Vec<Vec<f32>> = groups.iter().map(|group| vec![0.0; group.options.len()]).collect();
        Self { regrets: zeros.clone(), sums: zeros }
    }

    /// Moves a group to the options that cost less than others, and pays.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "it is a search; what it proves is worked out exactly"
    )]
    fn answer(&mut self, row: usize, group: &Group, weights: &[f64], share: f64, paid: &mut [f64]) {
        let (Some(regrets), Some(sums)) = (self.regrets.get_mut(row), self.sums.get_mut(row)) else { return };
        let costs =
            || group.options.iter().map(|pair| weights.get(*pair as usize).copied().unwrap_or(0.0) as f32);
        let all: f32 = regrets.iter().sum();
        let even = 1.0 / group.options.len() as f32;
        let spread = |regret: f32, all: f32| if all > 0.0 { regret / all } else { even };
        let cost: f32 = regrets.iter().zip(costs()).map(|(regret, cost)| spread(*regret, all) * cost).sum();
        let mut all = 0.0;
        for (regret, option) in regrets.iter_mut().zip(costs()) {
            *regret = (*regret + cost - option).max(0.0);
            all += *regret;
        }
        for ((regret, sum), pair) in regrets.iter().zip(sums).zip(&group.options) {
            let spread = spread(*regret, all);
            *sum += spread * share as f32;
            if let Some(paid) = paid.get_mut(*pair as usize) {
                *paid += group.weight as f64 * f64::from(spread);
            }
        }
    }
}
