//! Re-optimisation: cover for those who have none, and the same cover with less reserve.

use super::layout::Layout;
use super::mend::mend;
use super::search::Search;
use super::{Plan, Problem};

/// How far an improvement may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How long it searches, in steps; each looks around one node. With none only what can be lowered at once is.
    pub steps: usize,
    /// How many pods may move themselves; of backups any number may.
    pub moves: usize,
    /// How many pods may be moved for each pod without a backup, so that there is room for one.
    pub room: usize,
}

/// Searches for an arrangement in which more pods have a backup, or if there is none for one that reserves less, and tells
/// the steps to it, which are sound one by one. The same problem, budget and seed give the same plan. More steps never
/// give a worse one but for the order in which the plan's own steps can be done.
pub fn improve(problem: &Problem, budget: Budget, seed: u64) -> Plan {
    let mut layout = Layout::present(problem);
    let uncovered = layout.uncovered();
    mend(problem, &mut layout, budget.room, seed);
    if layout.uncovered() < uncovered {
        // Who saves at once what was made room for could find no order for the steps.
        return Plan::towards(problem, &layout);
    }
    let found = Search::new(problem, budget.moves, seed).run(budget.steps);
    Plan::towards(problem, &found)
}
