//! What no cover can do with less than.

use std::collections::{BTreeMap, BTreeSet};

use super::game::{Game, Group, ONE, Value};
use super::problem::Item;
use super::{Kind, Problem};

/// A lower bound of what has to be reserved of one resource on all nodes together.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The resource.
    pub kind: Kind,
    /// In milli-CPU, bytes or the resource's own unit. Proven in exact arithmetic.
    pub lower: i64,
    /// What the linear relaxation behind the bound can reach at most. If it is not near `lower`, more rounds would
    /// raise the bound.
    pub relaxed: f64,
}

/// Which pods may be elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freedom {
    /// Every pod stays where it is; backups are chosen.
    Backups,
    /// The movable pods may be anywhere too.
    Pods,
    /// So many of the movable pods may move.
    Moves(usize),
}

/// How much work a bound may take.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// At most so many rounds, each of which looks at every node that each pod may be on.
    pub rounds: usize,
    /// Fewer, if the bound is as near to what the relaxation can reach, as a share of it.
    pub tolerance: f64,
}

/// Bounds from below what has to be reserved, resource by resource, whatever is chosen within `freedom`.
///
/// Why it is a bound: let `w(a, m)` be weights of pairs of a failing node `a` and a backup node `m`, none of them negative,
/// that sum to 1 at most over the `a` of each `m`. Whoever is covered where, `m` reserves no less than it covers from
/// each `a`, hence no less than the sum of that weighted by `w(a, m)`. Summed up over all `m`, no less is reserved than the
/// sum over all pods of what each demands times the weight of its pair; and that is no less than with the
/// lightest pair that each may use, which does not depend on who is covered where. So any weights prove a bound. They are
/// searched for in floating point, then made whole numbers, and what they prove is summed up exactly.
///
/// Room is not looked at, and pods may be cut in pieces, so the bound holds all the more for whole ones. Every
/// pod counts that may be on two nodes at least. With [`Freedom::Backups`] the bound is the optimum of the linear
/// relaxation, as far as the effort reaches, and so at least what any one node's pods demand, or those of several nodes
/// with no backup node in common.
pub fn bound(problem: &Problem, freedom: Freedom, effort: Effort) -> Vec<Bound> {
    let pairs = Pairs::of(problem, freedom);
    let kinds = problem.kinds.iter().enumerate();
    let bounds = kinds.map(|(kind, measure)| {
        let play = |free| pairs.game(problem, kind, free).play(effort.rounds, effort.tolerance);
        let (lower, upper) = match freedom {
            Freedom::Backups => bounds_of(&play(false)),
            Freedom::Pods => bounds_of(&play(true)),
            Freedom::Moves(moves) => {
                let (still, free) = (play(false), play(true));
                (pairs.with_moves(problem, kind, moves, [&still, &free]), still.upper)
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "it only tells how near the bound is")]
        let relaxed = upper * measure.grain as f64;
        Bound { kind: measure.kind.clone(), lower: lower.saturating_mul(measure.grain), relaxed }
    });
    bounds.collect()
}

fn bounds_of(value: &Value) -> (i64, f64) {
    (value.lower, value.upper)
}

/// The pairs of a failing node and a backup node that any pod could use, numbered by backup node.
struct Pairs {
    /// For each backup node the nodes that could fail, sorted, and the number of the first.
    by_backup: Vec<(u32, Vec<u32>)>,
}

/// Mixtures of two sets of weights that are tried, in parts of this.
const PARTS: i128 = 16;

// === impl Pairs ===

impl Pairs {
    fn of(problem: &Problem, freedom: Freedom) -> Self {
        let n = problem.nodes.len();
        let mut by_backup = vec![(0, Vec::new()); n];
        let keys: BTreeSet<(Option<u32>, usize)> = match freedom {
            Freedom::Backups => problem.pods.iter().map(|item| key(item, false)).collect(),
            // Who could move is where it is until it does.
            Freedom::Pods | Freedom::Moves(_) => {
                problem.pods.iter().flat_map(|item| [key(item, false), key(item, true)]).collect()
            }
        };
        for (primary, class) in keys {
            let class = problem.classes.get(class).map_or(&[][..], Vec::as_slice);
            for backup in class {
                let Some((_, failing)) = by_backup.get_mut(*backup as usize) else { continue };
                let before = failing.len();
                match &primary {
                    Some(primary) => failing.push(*primary),
                    None => failing.extend(class),
                }
                // Many classes overlap; the lists are kept short.
                if before / (2 * n + 1) != failing.len() / (2 * n + 1) {
                    failing.sort_unstable();
                    failing.dedup();
                }
            }
        }
        let mut next = 0;
        for (backup, (first, failing)) in (0..).zip(&mut by_backup) {
            failing.sort_unstable();
            failing.dedup();
            failing.retain(|primary| *primary != backup);
            *first = next;
            next += u32::try_from(failing.len()).unwrap_or(u32::MAX);
        }
        Self { by_backup }
    }

    fn number(&self, primary: u32, backup: u32) -> Option<u32> {
        let (first, failing) = self.by_backup.get(backup as usize)?;
        let idx = failing.binary_search(&primary).ok()?;
        Some(first + u32::try_from(idx).ok()?)
    }

    /// What a group may use.
    fn options(&self, problem: &Problem, (primary, class): (Option<u32>, usize)) -> Vec<u32> {
        let class = problem.classes.get(class).map_or(&[][..], Vec::as_slice);
        let own = primary.as_slice();
        let primaries = if primary.is_some() { own } else { class };
        let pairs = primaries.iter().flat_map(|primary| class.iter().map(move |backup| (*primary, *backup)));
        pairs.filter_map(|(primary, backup)| self.number(primary, backup)).collect()
    }

    fn game(&self, problem: &Problem, kind: usize, free: bool) -> Game {
        let mut weights: BTreeMap<(Option<u32>, usize), i64> = BTreeMap::new();
        for item in &problem.pods {
            *weights.entry(key(item, free)).or_default() += item.demand.get(kind).copied().unwrap_or(0);
        }
        let groups = weights
            .into_iter()
            .map(|(key, weight)| Group { weight, options: self.options(problem, key) })
            .filter(|group| !group.options.is_empty() && group.weight > 0);
        let pairs = self.by_backup.iter().map(|(_, failing)| failing.len()).collect();
        Game { groups: groups.collect(), pairs }
    }

    /// The bound where only so many pods may move: those for which it pays most do. Weights that are good for pods that
    /// stay, those that are good for pods that move, and what lies between are tried.
    fn with_moves(&self, problem: &Problem, kind: usize, moves: usize, values: [&Value; 2]) -> i64 {
        let [still, free] = values;
        let mixture = |part: i128| {
            let both = still.weights.iter().zip(&free.weights);
            both.map(|(still, free)| (still * (PARTS - part) + free * part) / PARTS).collect()
        };
        let tried = (0..=PARTS).map(|part| {
            let weights: Vec<i128> = mixture(part);
            self.lower_with_moves(problem, kind, moves, &weights)
        });
        tried.max().unwrap_or(0)
    }

    fn lower_with_moves(&self, problem: &Problem, kind: usize, moves: usize, weights: &[i128]) -> i64 {
        let least = |key| {
            let options = self.options(problem, key);
            options.iter().filter_map(|pair| weights.get(*pair as usize)).min().copied().unwrap_or(0)
        };
        let mut known = BTreeMap::new();
        let mut sum = 0;
        let mut gains = Vec::new();
        for item in &problem.pods {
            let demand = i128::from(item.demand.get(kind).copied().unwrap_or(0));
            let [stays, goes] =
                [false, true].map(|free| *known.entry(key(item, free)).or_insert_with_key(|it| least(*it)));
            sum += stays * demand;
            gains.push((stays - goes) * demand);
        }
        gains.sort_unstable_by(|a, b| b.cmp(a));
        sum -= gains.iter().take(moves).filter(|gain| **gain > 0).sum::<i128>();
        i64::try_from((sum + ONE - 1).div_euclid(ONE)).unwrap_or(i64::MAX)
    }
}

/// The node that must fail for the pod to need its backup, if that can't be chosen; and where its backup may be.
fn key(item: &Item, free: bool) -> (Option<u32>, usize) {
    ((!free || !item.movable).then_some(item.primary), item.class)
}
