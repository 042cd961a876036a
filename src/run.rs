//! The loop: events to the core, actions to the cluster.

use edge_core::placement::Profile;
use edge_core::state::{Action, Config, Event, State};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, info};

use crate::clock::Clock;
use crate::cluster::{self, Actor};
use crate::delays::{Link, Source};

/// How many events may wait for the core before the watches are held back.
const EVENT_CAPACITY: usize = 1024;
/// How many events or actions are worked on before other tasks get their turn.
const TURN: usize = 64;

/// What the scheduler is to do.
#[derive(Debug)]
pub struct Options {
    /// Where delays come from.
    pub delays: Source,
    /// How many bindings may be on their way at once.
    pub parallel_bindings: usize,
}

/// Why the scheduler ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A task that it can't do without ended. Starting anew rebuilds everything from the API server.
    #[error("{0} ended")]
    TaskEnded(&'static str),
}

/// Schedules until `shutdown` completes or something it can't do without ends.
pub async fn run(
    client: kube::Client,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let (events, mut incoming) = mpsc::channel(EVENT_CAPACITY);
    let (in_use, in_use_rx) = watch::channel(Vec::new());
    let mut vital = JoinSet::new();
    for watch in cluster::watch::all(&client, &events) {
        vital.spawn(watch);
    }
    let delays = options.delays.run(Link { in_use: in_use_rx, events: events.clone() });
    vital.spawn(async move {
        let closed = delays.await;
        debug!(%closed, "the source of delays ended");
        "the source of delays"
    });
    let mut scheduler = Scheduler {
        state: State::new(config(options.parallel_bindings)),
        clock: Clock::start(),
        actor: Actor::new(client, events),
        in_use,
    };
    info!(profiles = ?Profile::KNOWN, "scheduling");
    tokio::pin!(shutdown);
    loop {
        let busy = scheduler.turn(&mut incoming);
        if busy {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            Some(event) = incoming.recv() => scheduler.apply(event),
            () = tokio::time::sleep(scheduler.clock.until(scheduler.state.wake_at())) => (),
            Some(ended) = vital.join_next() => return Err(RunError::TaskEnded(ended.unwrap_or("a task"))),
            () = &mut shutdown => return Ok(()),
        }
    }
}

fn config(max_in_flight: usize) -> Config {
    let profiles = Profile::KNOWN.iter().filter_map(|name| Profile::known(name)).collect();
    Config { max_in_flight, ..Config::new(profiles) }
}

struct Scheduler {
    state: State,
    clock: Clock,
    actor: Actor,
    in_use: watch::Sender<Vec<edge_core::model::NodeName>>,
}

// === impl Scheduler ===

impl Scheduler {
    fn apply(&mut self, event: Event) {
        self.state.apply(event, self.clock.now());
    }

    /// Works for a while; whether there may be more to do at once.
    fn turn(&mut self, incoming: &mut mpsc::Receiver<Event>) -> bool {
        for _ in 0..TURN {
            let Ok(event) = incoming.try_recv() else { break };
            self.apply(event);
        }
        for _ in 0..TURN {
            let Some(action) = self.state.next(self.clock.now()) else { return !incoming.is_empty() };
            self.execute(action);
        }
        true
    }

    fn execute(&mut self, action: Action) {
        match action {
            Action::UseDelays(nodes) => _ = self.in_use.send_replace(nodes),
            Action::Bind(_) | Action::Read(_) | Action::Report(_) | Action::Announce(_) => {
                self.actor.execute(action);
            }
        }
    }
}
