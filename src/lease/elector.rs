//! The task that asks for the Lease, again and again.

use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::time::Duration;

use edge_core::state::Event;
use futures::StreamExt;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::settings::JITTER_FACTOR;
use super::{Answer, Election, Request, Settings, Standing, Step, Tenure};
use crate::clock::Clock;
use crate::cluster::LeaseLock;

/// How long giving the Lease up may take at most, and how often it is tried.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);
const RELEASE_TRIES: usize = 3;

/// This replica's part in the election.
#[derive(Debug)]
pub struct Leadership {
    /// The right to act.
    pub tenure: Tenure,
    elector: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

struct Elector {
    lock: LeaseLock,
    election: Election,
    settings: Settings,
    clock: Clock,
    tenure: Tenure,
    events: mpsc::Sender<Event>,
    /// Who was last seen to hold the Lease.
    holder: String,
}

// === impl Leadership ===

impl Leadership {
    /// There is one replica, which leads from the start.
    pub fn always() -> Self {
        Self { tenure: Tenure::always(), elector: None }
    }

    /// Takes part in the election for the Lease. When it is won, `events` are told.
    pub fn elect(
        client: kube::Client,
        settings: Settings,
        identity: String,
        clock: Clock,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let tenure = Tenure::elected(settings.renew_deadline, settings.lease_duration);
        let elector = Elector {
            lock: LeaseLock::new(client, &settings.namespace, &settings.name),
            election: Election::new(identity, settings.lease_duration),
            settings,
            clock,
            tenure: tenure.clone(),
            events,
            holder: String::new(),
        };
        let (stop, stopped) = oneshot::channel();
        Self { tenure, elector: Some((stop, tokio::spawn(elector.run(stopped)))) }
    }

    /// Completes when this replica led and leads no more. There is no way back: what it knows of its own
    /// bindings may be out of date.
    pub async fn lost(&mut self) {
        match &mut self.elector {
            // However the task ended, nobody renews the Lease any more.
            Some((_, task)) => _ = task.await,
            None => std::future::pending().await,
        }
    }

    /// Gives the Lease up, if it is held, so that another replica need not wait until it runs out. Nothing
    /// may be done by it any more.
    pub async fn release(self) {
        let Some((stop, task)) = self.elector else { return };
        _ = stop.send(());
        // If it panicked the Lease runs out.
        _ = task.await;
    }
}

// === impl Elector ===

impl Elector {
    async fn run(mut self, stop: oneshot::Receiver<()>) {
        tokio::select! {
            biased;
            _ = stop => {
                self.tenure.end();
                if timeout(RELEASE_TIMEOUT, self.release()).await.is_err() {
                    warn!(lease = %self.lock, "the lease was not released in time; it will run out");
                }
            }
            () = self.hold() => {
                self.tenure.end();
                error!(lease = %self.lock, "leader election lost");
            }
        }
    }

    /// Gets the Lease and keeps it for as long as possible.
    async fn hold(&mut self) {
        info!(lease = %self.lock, "attempting to acquire the leader lease");
        let mut releases = pin!(self.lock.releases());
        while !matches!(self.attempt().await, Standing::Leads { .. }) {
            tokio::select! {
                Some(()) = releases.next() => (),
                () = sleep(self.pause()) => (),
            }
        }
        info!(lease = %self.lock, "acquired the lease; leading");
        // If nobody listens any more the scheduler is ending.
        _ = self.events.send(Event::Leads(true)).await;
        loop {
            sleep(self.settings.retry_period).await;
            match timeout(self.settings.renew_deadline, self.renew()).await {
                Ok(Standing::Leads { .. }) => (),
                Ok(Standing::Follows | Standing::Unsettled) | Err(_) => return,
            }
        }
    }

    /// Tries until it is certain who leads.
    async fn renew(&mut self) -> Standing {
        loop {
            match self.attempt().await {
                Standing::Unsettled => sleep(self.settings.retry_period).await,
                standing @ (Standing::Leads { .. } | Standing::Follows) => return standing,
            }
        }
    }

    async fn attempt(&mut self) -> Standing {
        let mut step = self.election.begin(self.clock.now(), Timestamp::now());
        let standing = loop {
            let request = match step {
                Step::Rest(standing) => break standing,
                Step::Ask(request) => request,
            };
            let sent = self.clock.now();
            let answer = self.lock.ask(&request, self.settings.request_timeout()).await;
            step = self.election.answered(request, answer, sent, self.clock.now(), Timestamp::now());
        };
        if let Standing::Leads { since } = standing {
            self.tenure.renew(since);
        }
        if self.election.holder() != self.holder {
            self.election.holder().clone_into(&mut self.holder);
            info!(lease = %self.lock, holder = %self.holder, "the lease has a new holder");
        }
        standing
    }

    /// How long one who doesn't lead waits: a period and its jitter, but not past the moment at which the
    /// Lease that was seen runs out.
    fn pause(&self) -> Duration {
        let period = self.settings.retry_period;
        let jitter = period.mul_f64(JITTER_FACTOR * random());
        let now = self.clock.now();
        match self.election.runs_out().filter(|at| now < *at) {
            Some(at) => (period + jitter).min(at.since(now) + jitter / 10),
            None => period + jitter,
        }
    }

    async fn release(&mut self) {
        for _ in 0..RELEASE_TRIES {
            // A renewal that was cut off may have been written, so the version is read first.
            let answer = self.lock.ask(&Request::Read, RELEASE_TIMEOUT).await;
            let Answer::Found(found) = answer else { continue };
            let Some(record) = self.election.released(Timestamp::now()) else { return };
            if found.holder != self.holder {
                return;
            }
            if self.lock.ask(&Request::Take(record), RELEASE_TIMEOUT).await == Answer::Written {
                info!(lease = %self.lock, "released the lease");
                return;
            }
        }
        warn!(lease = %self.lock, "the lease was not released; it will run out");
    }
}

/// From 0 to below 1. It need not be unpredictable, only different in each replica.
fn random() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(u32::MAX);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}
