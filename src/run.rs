//! Everything together: what is set up at start, and the order of the end.

mod delays;
mod reserve;
mod scheduler;

use std::sync::Arc;
use std::time::Duration;

use edge_core::delay::DelayRules;
use edge_core::placement::Profile;
use edge_core::state::{Backoff, Config, Event, State};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::info;

use crate::clock::Clock;
use crate::cluster::{self, Actor, Clients};
use crate::delays::Source;
use crate::lease::{self, Leadership, Tenure};
use crate::metrics::{CycleTimer, Metrics, Query};
use crate::serving::guard::{Guard, GuardSettings, TrustError};
use crate::serving::{Health, Listener, Pages, ServeError, ServingSettings, Site};
use scheduler::Scheduler;

/// How many events may wait for the core before the watches are held back.
const EVENT_CAPACITY: usize = 1024;
/// How many who look may wait.
const QUERY_CAPACITY: usize = 8;
/// How long the end waits for events of the API.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often a standby that doesn't watch yet looks whether it leads.
const LOOK_FOR_LEAD: Duration = Duration::from_millis(100);

/// What the scheduler is to do.
pub struct Options {
    /// Which pods are placed, and by which plugins.
    pub profiles: Vec<Profile>,
    /// How long pods wait after failures.
    pub backoff: Backoff,
    /// After this long a waiting pod is tried again even if nothing happened that could cure it.
    pub max_unschedulable: Duration,
    /// Whether a standby begins to watch the cluster only when it leads.
    pub watch_when_leading: bool,
    /// Where delays come from; nowhere, if there is none: every delay but that of a node to itself is unknown.
    pub delays: Vec<Source>,
    /// What is made of them.
    pub delay_rules: DelayRules,
    /// The image of backups where the scheduler's own can't be learnt, if one is named.
    pub backup_image: Option<String>,
    /// How many bindings may be on their way at once.
    pub parallel_bindings: usize,
    /// How the replica that binds is found; none if there is one replica.
    pub leader_election: Option<lease::Settings>,
    /// What is served; none if nothing is.
    pub serving: Option<Serving>,
    /// What is measured.
    pub metrics: Metrics,
}

/// What is served, and to whom.
pub struct Serving {
    /// Where.
    pub settings: ServingSettings,
    /// How those who ask are known.
    pub guard: GuardSettings,
    /// Asks who somebody is.
    pub authentication: Option<kube::Client>,
    /// Asks what somebody may see.
    pub authorization: Option<kube::Client>,
    /// How the scheduler is set up.
    pub pages: Pages,
}

/// Why the scheduler ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A task that it can't do without ended. Starting anew rebuilds everything from the API server.
    #[error("{0} ended")]
    TaskEnded(&'static str),
    /// Another replica leads now, or may soon.
    #[error("leader election lost")]
    LeaseLost,
    /// The election can't work with these settings.
    #[error("leaderElection: {0}")]
    LeaderElection(#[from] lease::SettingsError),
    /// There is nothing to tell this replica from others by.
    #[error("no identity for the leader election: {0}")]
    Identity(#[source] std::io::Error),
    /// The port can't be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// It is not known whose certificates are good.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Schedules until `shutdown` completes or something it can't do without ends.
///
/// At the end nothing new is begun. What is on its way is waited for, then the lease is released, so that
/// the next leader begins at once and with a true picture.
pub async fn run(
    clients: Clients,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let clock = Clock::start();
    let (events, incoming) = mpsc::channel(EVENT_CAPACITY);
    let (in_use, in_use_rx) = watch::channel(Vec::new());
    let lease = options.leader_election.as_ref().map(|settings| settings.name.clone());
    let mut leadership = stand(&clients.lease, options.leader_election, clock, &events)?;
    let metrics = options.metrics;
    let health = Health::new(leadership.tenure.clone(), lease.clone(), clock, metrics.health.clone());
    let (looks, queries) = mpsc::channel(QUERY_CAPACITY);
    let mut vital = JoinSet::new();
    if let Some(serving) = options.serving {
        serve(serving, health.clone(), metrics.clone(), looks.clone(), &mut vital).await?;
    }
    for watch in cluster::watch::all(&clients.api, &events) {
        let tenure = options.watch_when_leading.then(|| leadership.tenure.clone());
        vital.spawn(async move {
            if let Some(tenure) = tenure {
                until_leading(&tenure).await;
            }
            watch.await
        });
    }
    vital.spawn(reserve::look(looks.clone(), events.clone()));
    let parts = delays::Parts {
        client: clients.delays.clone(),
        layers: options.delay_rules.layers.clone(),
        in_use: in_use_rx,
        events: events.clone(),
        looks,
        tenure: leadership.tenure.clone(),
        clock,
    };
    delays::begin(options.delays, parts, &mut vital);
    let actor = Actor::new(clients, leadership.tenure.clone(), clock, events, options.backup_image);
    let served: Vec<&str> = options.profiles.iter().map(|profile| &*profile.scheduler_name).collect();
    info!(profiles = ?served, "scheduling");
    let config = Config {
        max_in_flight: options.parallel_bindings,
        backoff: options.backoff,
        max_unschedulable: options.max_unschedulable,
        delays: options.delay_rules,
        ..Config::new(options.profiles)
    };
    let mut scheduler = Scheduler {
        state: State::new(config),
        clock,
        incoming,
        queries,
        actor,
        in_use,
        health,
        tenure: leadership.tenure.clone(),
        lease,
        timer: CycleTimer::new(metrics.scheduler.clone()),
        metrics: metrics.scheduler,
    };
    if !leadership.tenure.is_leader() {
        scheduler.apply(Event::Leads(false));
    }
    tokio::select! {
        never = scheduler.work() => match never {},
        Some(ended) = vital.join_next() => return Err(RunError::TaskEnded(ended.unwrap_or("a task"))),
        () = leadership.lost() => return Err(RunError::LeaseLost),
        () = shutdown => (),
    }
    scheduler.resign().await;
    leadership.release().await;
    // They are nice to have.
    _ = timeout(LAST_WORDS, scheduler.actor.all_told()).await;
    Ok(())
}

/// Takes part in the election if there is one.
fn stand(
    client: &kube::Client,
    settings: Option<lease::Settings>,
    clock: Clock,
    events: &mpsc::Sender<Event>,
) -> Result<Leadership, RunError> {
    let Some(settings) = settings else { return Ok(Leadership::always()) };
    settings.check()?;
    let identity = lease::identity().map_err(RunError::Identity)?;
    Ok(Leadership::elect(client.clone(), settings, identity, clock, events.clone()))
}

/// Begins to serve.
async fn serve(
    serving: Serving,
    health: Health,
    metrics: Metrics,
    looks: mpsc::Sender<Query>,
    vital: &mut JoinSet<&'static str>,
) -> Result<(), RunError> {
    let Serving { settings, guard, authentication, authorization, pages } = serving;
    let listener = Listener::bind(&settings)?;
    let (guard, follow) = Guard::new(guard, authentication, authorization).await?;
    let site = Arc::new(Site { guard, health, pages, metrics, looks });
    vital.spawn(async {
        follow.await;
        "the watch over authorities"
    });
    vital.spawn(async { match listener.serve(site).await {} });
    Ok(())
}

/// Completes when this replica leads.
async fn until_leading(tenure: &Tenure) {
    while !tenure.is_leader() {
        sleep(LOOK_FOR_LEAD).await;
    }
}
