//! Less reserve is looked for beside the loop: on a thread of its own, from a copy of the cover there is. For hundreds
//! of nodes that takes longer than a decision may wait, and what comes of it is checked again step by step.

use std::time::Duration;

use edge_core::cover::{Budget, Effort, Freedom, Problem, bound, improve};
use edge_core::state::{CoverInUse, Event, LessReserve};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::info;

use crate::metrics::Query;

/// How long the cover rests between two looks.
const EVERY: Duration = Duration::from_mins(5);
/// How soon one looks whether pods have lost their backups; and again, while nothing may be changed.
const SOON: Duration = Duration::from_secs(20);
/// How far a look goes, in steps of the search.
const STEPS: usize = 400;
/// How near to what the relaxation can reach the bound has to be.
const EFFORT: Effort = Effort { rounds: 200, tolerance: 0.01 };

/// Looks again and again; ends with the loop, and says what it was.
pub(super) async fn look(looks: mpsc::Sender<Query>, events: mpsc::Sender<Event>) -> &'static str {
    let mut last = Instant::now();
    for seed in 0_u64.. {
        sleep(SOON).await;
        let always = last.elapsed() >= EVERY;
        let (to, answer) = oneshot::channel();
        if looks.send(Query::Cover { always, to }).await.is_err() {
            break;
        }
        let Ok(Some(in_use)) = answer.await else { continue };
        last = Instant::now();
        let Ok(found) = spawn_blocking(move || save(&in_use, seed)).await else { continue };
        if events.send(Event::LessReserve(Box::new(found))).await.is_err() {
            break;
        }
    }
    "the search for less reserve"
}

fn save(in_use: &CoverInUse, seed: u64) -> LessReserve {
    let CoverInUse { rooms, subjects, moves, room } = in_use;
    let problem = Problem::new(rooms, subjects);
    let plan = improve(&problem, Budget { steps: STEPS, moves: *moves, room: *room }, seed);
    let freedom = if *moves > 0 { Freedom::Moves(*moves) } else { Freedom::Backups };
    let bounds = bound(&problem, freedom, EFFORT);
    if !plan.steps.is_empty() {
        let (before, after) = (&plan.before, &plan.after);
        info!(steps = plan.steps.len(), ?before, ?after, "a better cover is found");
    }
    LessReserve { plan, bounds }
}
