//! Watches: what happens in the cluster, as events for the core.
//!
//! A watch never ends of itself. Whatever goes wrong it is taken up again, and when changes may have been
//! missed it begins with a complete list, so that what the core knows always converges to what is.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edge_core::state::{Change, Event};
use edge_core::wire::{Interner, NodeDelays};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use kube::Api;
use kube::runtime::watcher::{self, InitialListStrategy, watcher};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::leases::node_leases;
use super::node_delays::Delays;
use super::object::{DisruptionBudgets, Kind, Namespaces, Nodes, Pods, Received, Undecodable};
use super::selecting::{ReplicaSet, ReplicationController, Selecting, Service, StatefulSet};
use super::shortfall;
use super::storage::{Attachments, Capacities, Claims, Classes, CsiDrivers, CsiNodes, Volumes};

/// How many objects a page of a list has, where the server can't stream it: it bounds how much undecoded
/// text is held at once.
pub(super) const PAGE: u32 = 500;
/// How long the server lets a watch run. The watch is taken up again where it ended, so this costs one
/// request, and it is how soon a connection that died silently is noticed.
pub(super) const WATCH_SECONDS: u32 = 60;
/// The first pause after a failure; each further one is twice as long, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// How long a watch rests that is forbidden: permissions are seldom granted while one waits.
const FORBIDDEN_PAUSE: Duration = Duration::from_mins(1);
/// How long a watch rests whose kind the server doesn't know: an installation may be under way.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(10);

/// The watches of everything the core knows of. Each is a future to be spawned that ends only when nobody
/// takes events any more, with the name of what was watched. When `events` is full a watch waits, and with
/// it the server.
pub fn all(client: &kube::Client, events: &mpsc::Sender<Event>) -> Vec<BoxFuture<'static, &'static str>> {
    let interner = Arc::default();
    vec![
        boxed::<Pods>(client, events, &interner),
        boxed::<Nodes>(client, events, &interner),
        boxed::<Namespaces>(client, events, &interner),
        boxed::<DisruptionBudgets>(client, events, &interner),
        boxed::<Claims>(client, events, &interner),
        boxed::<Volumes>(client, events, &interner),
        boxed::<Classes>(client, events, &interner),
        boxed::<CsiNodes>(client, events, &interner),
        boxed::<CsiDrivers>(client, events, &interner),
        boxed::<Capacities>(client, events, &interner),
        boxed::<Attachments>(client, events, &interner),
        boxed::<Selecting<Service>>(client, events, &interner),
        boxed::<Selecting<ReplicationController>>(client, events, &interner),
        boxed::<Selecting<ReplicaSet>>(client, events, &interner),
        boxed::<Selecting<StatefulSet>>(client, events, &interner),
        node_leases(client, events),
    ]
}

/// The watch of what nodes measure, and of what they are to measure.
pub fn node_delays(
    client: &kube::Client,
    told: mpsc::Sender<Change<NodeDelays>>,
) -> BoxFuture<'static, &'static str> {
    follow(client.clone(), told, Reader::<Delays>::new(&Arc::default())).boxed()
}

fn boxed<K: Kind<Told = Event>>(
    client: &kube::Client,
    events: &mpsc::Sender<Event>,
    interner: &Arc<Mutex<Interner>>,
) -> BoxFuture<'static, &'static str> {
    follow(client.clone(), events.clone(), Reader::<K>::new(interner)).boxed()
}

/// Turns what a watch says into changes.
struct Reader<K: Kind> {
    interner: Arc<Mutex<Interner>>,
    /// The list that is coming in; it counts once it is complete.
    listed: Vec<K::Model>,
    /// Objects that can't be read, so that each is logged once.
    skipped: HashSet<String>,
    skipped_in_all: u64,
    /// Whether the core has been told what there is.
    told: bool,
    /// Why there is no watch, as was logged.
    refused: Option<Refusal>,
}

/// Why there is nothing to be had of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// We have no permission.
    Forbidden,
    /// The server doesn't know the kind.
    Unknown,
}

/// A pause that grows from failure to failure.
pub(super) struct Pause {
    next: Duration,
}

async fn follow<K: Kind>(
    client: kube::Client,
    events: mpsc::Sender<K::Told>,
    mut reader: Reader<K>,
) -> &'static str {
    let mut strategy = InitialListStrategy::StreamingList;
    let mut pause = Pause::default();
    loop {
        let config = watcher::Config {
            initial_list_strategy: strategy.clone(),
            page_size: Some(PAGE),
            ..watcher::Config::default().timeout(WATCH_SECONDS)
        };
        let mut stream = watcher(Api::<Received<K>>::all(client.clone()), config).boxed();
        while let Some(said) = stream.next().await {
            match said {
                Ok(said) => {
                    pause = Pause::default();
                    let Some(change) = reader.read(said) else { continue };
                    if events.send(K::event(change)).await.is_err() {
                        return K::NAME;
                    }
                }
                Err(error) if strategy == InitialListStrategy::StreamingList && refuses_streaming(&error) => {
                    info!(kind = K::NAME, "the server does not stream lists; listing page by page");
                    strategy = InitialListStrategy::ListWatch;
                    break;
                }
                Err(error) => {
                    let (Some(refusal), Some(without)) = (Refusal::of(&error), K::WITHOUT) else {
                        pause.wait(K::NAME, &error).await;
                        continue;
                    };
                    if let Some(change) = reader.do_without(refusal, without, &error)
                        && events.send(K::event(change)).await.is_err()
                    {
                        return K::NAME;
                    }
                    tokio::time::sleep(refusal.pause()).await;
                }
            }
        }
    }
}

/// Whether the server doesn't know, or isn't allowed, to stream the list (`sendInitialEvents`).
pub(super) fn refuses_streaming(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => matches!(status.code, 400 | 422),
        watcher::Error::WatchError(status) => matches!(status.code, 400 | 422),
        watcher::Error::WatchStartFailed(_)
        | watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => false,
    }
}

// === impl Refusal ===

impl Refusal {
    /// What the error says, if it is one of these.
    pub(super) fn of(error: &watcher::Error) -> Option<Self> {
        let code = match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            | watcher::Error::WatchError(status) => status.code,
            watcher::Error::InitialListFailed(_)
            | watcher::Error::WatchStartFailed(_)
            | watcher::Error::WatchFailed(_)
            | watcher::Error::NoResourceVersion => return None,
        };
        match code {
            403 => Some(Self::Forbidden),
            404 => Some(Self::Unknown),
            _ => None,
        }
    }

    /// How long the watch rests.
    pub(super) fn pause(self) -> Duration {
        match self {
            Self::Forbidden => FORBIDDEN_PAUSE,
            Self::Unknown => UNKNOWN_PAUSE,
        }
    }
}

// === impl Reader ===

impl<K: Kind> Reader<K> {
    fn new(interner: &Arc<Mutex<Interner>>) -> Self {
        Self {
            interner: Arc::clone(interner),
            listed: Vec::new(),
            skipped: HashSet::new(),
            skipped_in_all: 0,
            told: false,
            refused: None,
        }
    }

    /// What the core is to be told, if anything.
    fn read(&mut self, said: watcher::Event<Received<K>>) -> Option<Change<K::Model>> {
        match said {
            // A list that broke off is begun anew; what came of it is dropped.
            watcher::Event::Init => {
                self.listed.clear();
                None
            }
            watcher::Event::InitApply(object) => {
                let object = self.decode(object);
                self.listed.extend(object);
                None
            }
            watcher::Event::InitDone => {
                info!(kind = K::NAME, count = self.listed.len(), "listed");
                (self.told, self.refused) = (true, None);
                shortfall::note_forbidden(K::NAME, false);
                Some(Change::Reset(std::mem::take(&mut self.listed)))
            }
            watcher::Event::Apply(object) => self.decode(object).map(|object| Change::Put(Box::new(object))),
            watcher::Event::Delete(object) => {
                let identity = object.identity();
                // An object that can't be read any more may have been read before, so its end counts.
                let object = self.decode(object).unwrap_or_else(|| K::bare(&identity));
                self.skipped.remove(&identity.to_string());
                Some(Change::Gone(Box::new(object)))
            }
        }
    }

    /// What is to be told of a kind that can't be watched: that there is none, so that nobody waits for ever;
    /// nothing if some are known, from before.
    fn do_without(
        &mut self,
        refusal: Refusal,
        without: &str,
        error: &watcher::Error,
    ) -> Option<Change<K::Model>> {
        match refusal {
            _ if self.refused == Some(refusal) => debug!(kind = K::NAME, %error, "still can't be watched"),
            Refusal::Forbidden => {
                warn!(kind = K::NAME, %without, %error, "may not be watched; doing without");
            }
            Refusal::Unknown => info!(kind = K::NAME, %without, "is not known to the server; doing without"),
        }
        self.refused = Some(refusal);
        shortfall::note_forbidden(K::NAME, refusal == Refusal::Forbidden);
        let first = !std::mem::replace(&mut self.told, true);
        first.then(|| Change::Reset(Vec::new()))
    }

    fn decode(&mut self, object: Received<K>) -> Option<K::Model> {
        let interner = Arc::clone(&self.interner);
        let mut interner = interner.lock().unwrap_or_else(PoisonError::into_inner);
        match object.read(&mut interner) {
            Ok(object) => Some(object),
            Err(undecodable) => {
                self.skip(&undecodable);
                None
            }
        }
    }

    fn skip(&mut self, Undecodable { identity, error }: &Undecodable) {
        self.skipped_in_all += 1;
        shortfall::note_undecodable(K::NAME);
        if self.skipped.insert(identity.to_string()) {
            warn!(kind = K::NAME, object = %identity, %error, skipped = self.skipped_in_all, "can't be read; skipped");
        }
    }
}

// === impl Pause ===

impl Default for Pause {
    fn default() -> Self {
        Self { next: FIRST_PAUSE }
    }
}

impl Pause {
    /// Waits, and tells why.
    pub(super) async fn wait(&mut self, kind: &'static str, error: &watcher::Error) {
        let pause = self.next;
        // The first failure is told, not each of an outage.
        if pause == FIRST_PAUSE {
            warn!(kind, %error, "the watch failed; it is taken up again");
        } else {
            debug!(kind, %error, ?pause, "the watch failed again");
        }
        self.next = pause.saturating_mul(2).min(LAST_PAUSE);
        tokio::time::sleep(pause).await;
    }
}
