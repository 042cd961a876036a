//! Pods are taken off nodes that failed, as the shell does it: the Lease is read once more, the condition is written,
//! the pod is deleted. Each may fail, and the scheduler may die before and after each.

use std::time::Duration;

use super::invariants::{self, Invariant, Violation};
use super::machines::SAYS_SO;
use super::make::FAST;
use super::network::{Answered, Fate};
use super::run::{Run, Step};
use super::trace::Sight;
use crate::model::NodeName;
use crate::state::{BindOutcome, Event, EvictOutcome, Eviction, HealthNews, Knock};

/// What failed before that is over.
const ALONE: Duration = Duration::from_mins(5);

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The Lease is to be read, and the condition written.
    Condition,
    /// The pod is to be deleted.
    Deletion,
}

/// A pod on its way off a node.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    /// Which scheduler wants it.
    pub(super) incarnation: u32,
    /// What it wants.
    pub(super) eviction: Eviction,
    /// What it hears of it.
    pub(super) answered: Answered,
    /// How far it came.
    pub(super) stage: Stage,
}

/// What came of failures.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Pods that were taken off machines that were off, and how long after that.
    pub(super) after: Vec<Duration>,
    /// The same where nothing else had failed for a while.
    pub(super) alone: Vec<Duration>,
    /// Pods that were taken off machines that ran, and reached no server.
    pub(super) isolated: u64,
    /// Pods that were taken off machines that ran and said so: those that may run twice for a while.
    pub(super) fast_and_false: u64,
    /// The same of others, which must not happen.
    pub(super) falsely: u64,
    /// Decided, but the Lease said otherwise.
    pub(super) stopped: u64,
    /// Pods that were to be moved.
    pub(super) moves: u64,
    /// Pods for which it did not matter any more.
    pub(super) too_late: u64,
}

// === impl Run ===

impl Run {
    /// The scheduler wants a pod taken off a node.
    pub(super) fn send_eviction(&mut self, eviction: Eviction) -> Result<(), Violation> {
        invariants::may_evict(&self.view, &eviction)?;
        if self.dies_before() {
            self.trace.saw(Sight::CrashBeforeEviction);
            return Ok(());
        }
        let Fate { arrives, outcome } = self.fate();
        let incarnation = self.incarnation;
        if let Some((at, outcome)) = outcome {
            let outcome = match outcome {
                BindOutcome::Refused(why) => {
                    self.refused.insert(eviction.pod.uid.clone());
                    EvictOutcome::Refused(why)
                }
                other => EvictOutcome::Failed(format!("{other:?}")),
            };
            self.plan(at, Step::Tell(incarnation, Event::Evicted(eviction.clone(), outcome)));
        }
        if let Some((at, answered)) = arrives {
            let stage = Stage::Condition;
            self.plan(at, Step::Evict(Leaving { incarnation, eviction, answered, stage }));
        }
        if self.dies_after() {
            self.trace.saw(Sight::CrashAfterEviction);
        }
        Ok(())
    }

    /// It reaches the server.
    pub(super) fn evict(&mut self, leaving: Leaving) -> Result<(), Violation> {
        let Leaving { incarnation, eviction, answered, stage } = leaving;
        let server = &mut self.world.server;
        let lease = server.leases.get(&eviction.node).map(|lease| lease.version);
        let known = server.pods.get(&eviction.pod.key).filter(|pod| pod.uid == eviction.pod.uid).cloned();
        let outcome = match (stage, known) {
            (Stage::Condition, _) if self.reads_leases() && self.is_renewed(&eviction) => {
                self.tally.stopped += 1;
                self.trace.saw(Sight::LeaseRenewed);
                EvictOutcome::Renewed(lease.unwrap_or_default())
            }
            (_, None) => {
                self.tally.too_late += 1;
                EvictOutcome::Gone
            }
            (Stage::Condition, Some(pod)) => {
                self.judge_eviction(&eviction, pod.annotations.get(FAST.0) == Some(FAST.1))?;
                self.world.server.update_pod(&pod.key, |pod| pod.preempted = true);
                if self.dies_after() {
                    self.trace.saw(Sight::CrashBetweenConditionAndDeletion);
                    return Ok(());
                }
                // A scheduler that is no more sends nothing any more.
                if incarnation == self.incarnation {
                    let stage = Stage::Deletion;
                    self.plan_in(1, 50, Step::Evict(Leaving { incarnation, eviction, answered, stage }));
                }
                return Ok(());
            }
            (Stage::Deletion, Some(pod)) => {
                self.trace.saw(Sight::Failover);
                if eviction.is_fenced {
                    self.trace.saw(Sight::FencedFailover);
                    self.world.server.remove_pod(&pod.key);
                } else {
                    self.world.server.update_pod(&pod.key, |pod| pod.terminating = true);
                }
                EvictOutcome::Deleted
            }
        };
        self.trace.note(self.now, format_args!("evict {}: {outcome:?}, {answered:?}", eviction.pod.key));
        let outcome = match answered {
            Answered::Never | Answered::TooLate => return Ok(()),
            Answered::WithError => EvictOutcome::Failed("500 internal error".to_owned()),
            Answered::Truly => outcome,
        };
        self.plan_in(1, 50, Step::Tell(incarnation, Event::Evicted(eviction, outcome)));
        Ok(())
    }

    /// Whether requests and messages arrive as they mostly do.
    fn loses_little(&self) -> bool {
        let it = &self.faults;
        it.failure.loss < 50 && it.request.never_written + it.request.error_before + it.request.throttled == 0
    }

    fn is_renewed(&self, eviction: &Eviction) -> bool {
        let lease = self.world.server.leases.get(&eviction.node).map(|lease| lease.version);
        eviction.lease.is_some() && lease.is_some() && lease != eviction.lease
    }

    /// Whether the node it is taken off has failed, by the truth.
    fn judge_eviction(&mut self, eviction: &Eviction, is_fast: bool) -> Result<(), Violation> {
        let machine = self.world.machines.get(&eviction.node);
        if let Some(off) = machine.and_then(|it| it.off) {
            self.tally.after.push(self.now.since(off));
            if self.failed_at.iter().all(|at| *at == off || *at + ALONE < off) && self.loses_little() {
                self.tally.alone.push(self.now.since(off));
            }
            return Ok(());
        }
        match self.world.machines.in_touch_for(&eviction.node, self.now) {
            Some(long) if long >= SAYS_SO && is_fast => {
                self.tally.fast_and_false += 1;
                self.trace.saw(Sight::FalseFastFailover);
            }
            Some(long) if long >= SAYS_SO => {
                self.tally.falsely += 1;
                let what = format!(
                    "{} is taken off {}, which lives and has reached the server for {long:?}",
                    eviction.pod.key, eviction.node
                );
                return Err(Violation { invariant: Invariant::FalseFailover, what });
            }
            Some(_) | None => {
                self.tally.isolated += 1;
                self.trace.saw(Sight::IsolatedFailover);
            }
        }
        Ok(())
    }

    /// The scheduler knocks at a node.
    pub(super) fn send_knock(&mut self, node: NodeName) {
        let is_silent = self.now < self.nodes_cut_until || !self.world.machines.answers(&node, self.now);
        let knock = if is_silent { Knock::Silent } else { Knock::Answers };
        self.trace.saw(if is_silent { Sight::NobodyOpens } else { Sight::SomebodyOpens });
        let takes = if is_silent { self.rng.millis(900, 1_100) } else { self.rng.millis(1, 100) };
        let event = Event::Health(HealthNews::Knocked(node, knock));
        self.plan(self.now + takes, Step::Tell(self.incarnation, event));
    }
}
