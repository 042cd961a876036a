//! The agent in a cluster: what its own `NodeDelays` asks for is measured, and what was measured is written there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use edge_api::Transport;
use edge_core::model::NodeName;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::counters::Counters;
use super::health::Health;
use super::keys::{KeyError, Keyring};
use super::plan::targets;
use super::sender::{self, Handle, Order, Settings, Told};
use super::status::status;
use super::{AgentError, echo};
use crate::cluster::OwnDelays;
use crate::cluster::own_delays::ReportError;
use crate::metrics::ProbeMetrics;

/// How long the last report may take.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often keys that are not there yet are looked for.
const LOOK_FOR_KEYS: Duration = Duration::from_secs(1);

/// How an agent in a cluster is set up.
#[derive(Debug)]
pub struct Service {
    /// The name of its node.
    pub me: NodeName,
    /// How round-trip times are taken.
    pub transport: Transport,
    /// Where to answer.
    pub listen: Vec<SocketAddr>,
    /// The folder with the keys.
    pub keys: PathBuf,
    /// When a probe counts as lost.
    pub timeout: Duration,
    /// Where health and metrics are served; none if nowhere.
    pub health: Option<SocketAddr>,
}

/// Measures and answers until `shutdown` completes.
pub async fn serve(
    service: Service,
    client: kube::Client,
    metrics: ProbeMetrics,
    shutdown: impl Future<Output = ()>,
) -> Result<(), AgentError> {
    let counters = Counters::default();
    let health = match service.health {
        Some(address) => Some(Health::bind(address, counters.clone(), metrics).await?),
        None => None,
    };
    let mut shutdown = pin!(shutdown);
    let run = async {
        match health {
            Some(health) => health.serve().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = measure(service, client, counters, &mut shutdown) => done,
        never = run => match never {},
    }
}

async fn measure(
    service: Service,
    client: kube::Client,
    counters: Counters,
    mut shutdown: impl Future<Output = ()> + Unpin,
) -> Result<(), AgentError> {
    let Service { me, transport, listen, keys, timeout, health: _ } = service;
    let keyring = tokio::select! {
        keyring = wait_for_keys(&keys) => keyring,
        () = &mut shutdown => return Ok(()),
    };
    let addresses = echo::start(&me, &listen, keyring.clone(), counters.clone())?;
    if transport == Transport::Tcp {
        echo::take_connections(&listen)?;
    }
    let (to, told) = mpsc::unbounded_channel();
    let settings = Settings {
        me: me.clone(),
        transport,
        timeout,
        keyring: keyring.clone(),
        tells_records: false,
        counters: counters.clone(),
    };
    let sender = sender::start(settings, to).map_err(|why| AgentError::Sender { transport, why })?;
    info!(node = %me, ?addresses, "measuring");
    let own = OwnDelays::new(client, me.as_str());
    let reports = Reports { own: own.clone(), transport, addresses, counters, told, complaint: None };
    tokio::select! {
        ended = follow(own, &sender) => ended,
        ended = reports.write_all(&sender, &mut shutdown) => ended,
        never = keyring.follow() => match never {},
    }
    Ok(())
}

/// The keys, once they are there: the scheduler makes them, and the agent may be there first.
async fn wait_for_keys(folder: &std::path::Path) -> Keyring {
    let mut complaint = None;
    loop {
        match Keyring::read(folder) {
            Ok(keyring) => return keyring,
            Err(error) => complain(&mut complaint, &error),
        }
        sleep(LOOK_FOR_KEYS).await;
    }
}

fn complain(complaint: &mut Option<String>, error: &KeyError) {
    let error = error.to_string();
    if complaint.as_ref() != Some(&error) {
        warn!("waiting for keys: {error}");
        *complaint = Some(error);
    }
}

/// Tells the sender what the object asks for, each time that it changes.
async fn follow(own: OwnDelays, sender: &Handle) {
    let mut objects = pin!(own.follow());
    let mut uid = None;
    let mut spec = None;
    let mut is_missing = false;
    while let Some(object) = objects.next().await {
        let Some(object) = object else {
            if !std::mem::replace(&mut is_missing, true) {
                info!("there is no NodeDelays of this node yet; the scheduler makes it");
            }
            uid = None;
            sender.order(Order::Pause);
            continue;
        };
        is_missing = false;
        let is_new = uid != object.metadata.uid;
        // Our own reports come back here too; they ask for nothing.
        if !is_new && object.status.is_some() && spec.as_ref() == Some(&object.spec) {
            continue;
        }
        uid.clone_from(&object.metadata.uid);
        spec = Some(object.spec.clone());
        sender.order(Order::Follow(targets(&object, is_new)));
    }
}

/// Writes reports.
struct Reports {
    own: OwnDelays,
    transport: Transport,
    addresses: Vec<SocketAddr>,
    counters: Counters,
    told: mpsc::UnboundedReceiver<Told>,
    complaint: Option<String>,
}

// === impl Reports ===

impl Reports {
    /// Writes what the sender tells, and when `shutdown` completes, that the agent leaves.
    async fn write_all(mut self, sender: &Handle, mut shutdown: impl Future<Output = ()> + Unpin) {
        loop {
            tokio::select! {
                told = self.told.recv() => match told {
                    Some(told) => _ = self.write(told, sender).await,
                    None => return,
                },
                () = &mut shutdown => break,
            }
        }
        sender.order(Order::Leave);
        let last = async {
            while let Some(told) = self.told.recv().await {
                if self.write(told, sender).await {
                    return;
                }
            }
        };
        if timeout(LAST_WORDS, last).await.is_err() {
            debug!("the API server was not told that the agent leaves");
        }
    }

    /// Writes one report; whether it was the last one.
    async fn write(&mut self, told: Told, sender: &Handle) -> bool {
        let Told::Statement(statement) = told else { return false };
        let is_last = statement.is_leaving;
        let outcome = self.own.report(&status(&statement, &self.addresses, self.transport)).await;
        sender.order(Order::Reported(outcome.is_ok()));
        match outcome {
            Ok(()) => {
                if self.complaint.take().is_some() {
                    info!("reports are taken again");
                }
                self.counters.add(|it| &it.reported);
            }
            Err(error) => {
                self.counters.add(|it| &it.unreported);
                self.complain(&error);
            }
        }
        is_last
    }

    /// Says each reason once, until a report is taken again.
    fn complain(&mut self, error: &ReportError) {
        let text = error.to_string();
        if self.complaint.as_ref() != Some(&text) {
            warn!("a report was not taken: {text}");
            self.complaint = Some(text);
        }
    }
}
