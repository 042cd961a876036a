//! The survey: who measures whom, put into effect, and what comes of it.
//!
//! ```text
//!  watch of NodeDelays ─┬─► what agents report ─► core
//!                       └─► ledger ◄── plan ◄── nodes and anchors in use (asked of the core)
//!  sources outside ───────►   │
//!                             └─► writes: one at a time, under a limit, by the leader
//! ```
//!
//! A plan of thousands of nodes takes longer than a decision may wait, so it is made on a thread of its own
//! from copies; a plan that is some seconds old does no harm, because no node is admitted by it.

mod keeper;
mod layers;
mod ledger;
mod outside;
mod pace;
mod plan;
mod rotation;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edge_core::delay::Report;
use edge_core::model::{NodeName, Time};
use edge_core::state::{Change, Event, HealthNews};
use edge_core::wire::{NodeDelays, SpecDigest};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::cluster::{self, Scribe, Written};
use crate::lease::Tenure;
use crate::metrics::Query;
pub use keeper::keep;
pub use layers::LayerTask;
use ledger::{Due, Ledger};
use plan::{Plan, Planned};
pub use rotation::{Key, Keys, Phase};

/// How many reports the core is given at once.
const BATCH: usize = 16;
/// So many changes wait at most; then the watch does, and with it the server.
const CAPACITY: usize = 64;
/// So many reports wait for the plan at most: each is some kilobytes.
const HEARD_AT_MOST: usize = 256;
/// How often a look is taken at what has become due.
const TICK: Duration = Duration::from_secs(1);
/// How long one node's object rests that the server won't have: its schema may be another version's.
const REFUSED_PAUSE: Duration = Duration::from_hours(1);
/// How long all rest where a permission is missing.
const FORBIDDEN_PAUSE: Duration = Duration::from_mins(1);

/// What the survey works with.
pub struct Survey {
    /// Whether nodes have probe agents.
    pub probe: bool,
    /// What the watch of `NodeDelays` says.
    pub told: mpsc::Receiver<Change<NodeDelays>>,
    /// What sources outside say.
    pub outside: Publisher,
    /// The nodes whose delays are in use.
    pub in_use: watch::Receiver<Vec<NodeName>>,
    /// The core.
    pub events: mpsc::Sender<Event>,
    /// Where the core is asked.
    pub looks: mpsc::Sender<Query>,
    /// Who writes.
    pub scribe: Scribe,
    /// Whether it may.
    pub tenure: Tenure,
    /// By this clock.
    pub clock: Clock,
}

/// Where sources outside tell what is to be written as `NodeDelays`: the latest of each node is kept until it is.
#[derive(Clone, Debug, Default)]
pub struct Publisher {
    latest: Arc<Mutex<BTreeMap<NodeName, Report>>>,
    news: Arc<Notify>,
}

/// The survey at work.
struct Work {
    survey: Survey,
    ledger: Ledger,
    /// At home unless a plan is being made.
    plan: Option<Plan>,
    /// What the plan has yet to learn.
    heard: Vec<Report>,
    planning: Option<BoxFuture<'static, Option<Planned>>>,
    writing: Option<BoxFuture<'static, (Due, SpecDigest, Written)>>,
    /// The last complaint, so that each is made once.
    complaint: Option<String>,
}

/// Begins the watch of `NodeDelays` as a task; what it says comes by the channel.
pub fn watch(client: &kube::Client, tasks: &mut JoinSet<&'static str>) -> mpsc::Receiver<Change<NodeDelays>> {
    let (said, told) = mpsc::channel(CAPACITY);
    tasks.spawn(cluster::watch::node_delays(client, said));
    told
}

// === impl Publisher ===

impl Publisher {
    /// Writes this in its turn, if it is news.
    pub fn publish(&self, mut report: Report) {
        // A matrix has a value for everybody, and is not to be held here a second time.
        report.rows = outside::nearest(report.rows);
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.insert(report.from.clone(), report);
        self.news.notify_one();
    }

    fn take(&self) -> BTreeMap<NodeName, Report> {
        std::mem::take(&mut *self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Survey ===

impl Survey {
    /// Works until the scheduler ends.
    pub async fn run(self) -> &'static str {
        let mut work = Work {
            survey: self,
            ledger: Ledger::default(),
            plan: Some(Plan::new()),
            heard: Vec::new(),
            planning: None,
            writing: None,
            complaint: None,
        };
        // It ends when nobody takes events any more.
        while work.turn().await.is_some() {}
        "the survey of delays"
    }
}

// === impl Work ===

impl Work {
    /// Waits for something to happen and does what follows; none at the end.
    async fn turn(&mut self) -> Option<()> {
        self.begin();
        let Self { survey: Survey { told, outside, in_use, .. }, planning, writing, .. } = self;
        tokio::select! {
            change = told.recv() => self.hear(change?).await?,
            () = outside.news.notified() => {
                let now = self.survey.clock.now();
                self.survey.outside.take().into_values().for_each(|report| self.ledger.tell(report, now));
            }
            changed = in_use.changed() => {
                changed.ok()?;
                if let Some(plan) = &mut self.plan {
                    plan.note_change();
                }
            }
            planned = or_never(planning) => {
                self.planning = None;
                self.planned(planned?);
            }
            (due, digest, written) = or_never(writing) => {
                self.writing = None;
                self.written(due, digest, written).await?;
            }
            () = tokio::time::sleep(TICK) => (),
        }
        Some(())
    }

    /// Begins what can be begun.
    fn begin(&mut self) {
        let now = self.survey.clock.now();
        if self.planning.is_none()
            && let Some(plan) =
                self.plan.take_if(|plan| plan.is_due(now) || self.heard.len() >= HEARD_AT_MOST)
        {
            let agents = self.survey.probe.then(|| self.ledger.agents(now));
            let (heard, looks) = (std::mem::take(&mut self.heard), self.survey.looks.clone());
            self.planning = Some(plan.make(agents, heard, looks, now).boxed());
        }
        if self.writing.is_none() && self.survey.tenure.holds(now) {
            self.write_next(now);
        }
    }

    fn write_next(&mut self, now: Time) {
        let (probe, scribe) = (self.survey.probe, self.survey.scribe.clone());
        // What is to be written stands in the plan.
        let Some(plan) = &self.plan else { return };
        let Some(due) = self.ledger.next(probe, now) else { return };
        self.writing = Some(match due {
            Due::Task(node, uid) => {
                let task = probe.then(|| plan.task_of(&node));
                let digest = plan::digest(task.as_ref());
                let write = async move {
                    let borrowed = task.as_ref().map(|(peers, every)| (&peers[..], *every));
                    let written = scribe.assign(&node, &uid, borrowed).await;
                    (Due::Task(node, uid), digest, written)
                };
                write.boxed()
            }
            Due::Report(report) => {
                let write = async move {
                    let written = scribe.report(&report).await;
                    (Due::Report(report), plan::digest(None), written)
                };
                write.boxed()
            }
        });
    }

    async fn hear(&mut self, change: Change<NodeDelays>) -> Option<()> {
        self.tell_health(&change).await?;
        let news = self.ledger.hear(change, self.survey.clock.now());
        if let Some(plan) = &mut self.plan {
            plan.note_change();
        }
        self.tell(news).await
    }

    /// Tells the core what agents say of their neighbours, at once: nodes that fail are found by it.
    async fn tell_health(&mut self, change: &Change<NodeDelays>) -> Option<()> {
        if !self.survey.probe {
            return Some(());
        }
        let silent = |object: &NodeDelays| HealthNews::Unsighted(vec![object.node.clone()]);
        let news = match change {
            Change::Reset(all) => HealthNews::Sighted(all.iter().filter_map(NodeDelays::sighting).collect()),
            Change::Put(object) => object
                .sighting()
                .map_or_else(|| silent(object), |sighting| HealthNews::Sighted(vec![sighting])),
            Change::Gone(object) => silent(object),
        };
        self.survey.events.send(Event::Health(news)).await.ok()
    }

    /// Tells the core what agents report.
    async fn tell(&mut self, mut news: Vec<Report>) -> Option<()> {
        if !self.survey.probe {
            return Some(());
        }
        while !news.is_empty() {
            let batch: Vec<Report> = news.drain(..news.len().min(BATCH)).collect();
            self.heard.extend_from_slice(&batch);
            self.survey.events.send(Event::Measured(batch)).await.ok()?;
        }
        Some(())
    }

    fn planned(&mut self, planned: Planned) {
        let Planned { plan, nodes, wanted, urgent } = planned;
        self.plan = Some(plan);
        if let Some(nodes) = nodes {
            self.ledger.set_nodes(nodes);
        }
        self.ledger.set_wanted(wanted);
        self.ledger.set_urgent(urgent);
    }

    async fn written(&mut self, due: Due, digest: SpecDigest, written: Written) -> Option<()> {
        let now = self.survey.clock.now();
        match (written, due) {
            (Written::Done, Due::Task(node, uid)) => {
                debug!(%node, "told what to measure");
                self.settle();
                self.ledger.assigned(&node, uid, digest);
            }
            (Written::Done, Due::Report(report)) => {
                self.settle();
                self.ledger.reported(report, now);
            }
            (Written::Gone, Due::Task(..)) => self.ledger.not_served(),
            (Written::Gone, Due::Report(report)) => {
                let news = self.ledger.missing(&report.from);
                self.tell(news.into_iter().collect()).await?;
            }
            (Written::Refused(why), due) => {
                let node = due.node();
                warn!(%node, error = %why, "its NodeDelays are not as the server would have them");
                self.ledger.refused(&due, now + REFUSED_PAUSE);
            }
            (Written::Forbidden(why), _) => self.complain(why, now + FORBIDDEN_PAUSE),
            (Written::Failed(why, pause), _) => self.complain(why, now + pause),
        }
        Some(())
    }

    fn complain(&mut self, why: String, until: Time) {
        self.ledger.rest(until);
        if self.complaint.as_ref() == Some(&why) {
            debug!(error = %why, "NodeDelays are still not written");
        } else {
            warn!(error = %why, "NodeDelays are not written; they are tried again");
        }
        self.complaint = Some(why);
    }

    fn settle(&mut self) {
        if self.complaint.take().is_some() {
            info!("NodeDelays are written again");
        }
    }
}

async fn or_never<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
