//! The watch of the nodes' Leases. Each kubelet renews its own every 10 s, so of a thousand nodes a hundred changes a
//! second come in: only the objects' metadata is asked for, and changes that are there together are told together.

use std::time::Duration;

use edge_core::health::LeaseSeen;
use edge_core::model::{NodeName, Version};
use edge_core::state::{Change, Event, HealthNews};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, InitialListStrategy, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::shortfall;
use super::watch::{PAGE, Pause, Refusal, WATCH_SECONDS, refuses_streaming};

/// Where kubelets keep their Leases.
const NAMESPACE: &str = "kube-node-lease";
/// What is watched, in the log.
const NAME: &str = "lease";
/// How many changes are told together at most.
const BATCH: usize = 64;

/// What comes of the list that is being read, and whether the watch is known to be forbidden.
#[derive(Default)]
struct Listing {
    listed: Vec<LeaseSeen>,
    is_refused: bool,
}

/// The watch of the nodes' Leases. It ends only when nobody takes events any more.
pub(super) fn node_leases(
    client: &kube::Client,
    events: &mpsc::Sender<Event>,
) -> BoxFuture<'static, &'static str> {
    follow(client.clone(), events.clone()).boxed()
}

async fn follow(client: kube::Client, events: mpsc::Sender<Event>) -> &'static str {
    let mut strategy = InitialListStrategy::StreamingList;
    let mut pause = Pause::default();
    let mut listing = Listing::default();
    loop {
        let config = watcher::Config {
            initial_list_strategy: strategy.clone(),
            page_size: Some(PAGE),
            ..watcher::Config::default().timeout(WATCH_SECONDS)
        };
        let api = Api::<PartialObjectMeta<Lease>>::namespaced(client.clone(), NAMESPACE);
        let mut stream = watcher(api, config).ready_chunks(BATCH).boxed();
        'watch: while let Some(batch) = stream.next().await {
            let mut changes = Vec::new();
            let mut failure = None;
            for said in batch {
                match said {
                    Ok(said) => changes.extend(listing.read(said)),
                    Err(error) => failure = Some(error),
                }
            }
            if !changes.is_empty() {
                pause = Pause::default();
                if events.send(Event::Health(HealthNews::Leases(changes))).await.is_err() {
                    return NAME;
                }
            }
            match failure {
                None => (),
                Some(error)
                    if strategy == InitialListStrategy::StreamingList && refuses_streaming(&error) =>
                {
                    strategy = InitialListStrategy::ListWatch;
                    break 'watch;
                }
                Some(error) => match Refusal::of(&error) {
                    Some(refusal) => tokio::time::sleep(listing.refused(refusal, &error)).await,
                    None => pause.wait(NAME, &error).await,
                },
            }
        }
    }
}

// === impl Listing ===

impl Listing {
    fn read(&mut self, said: watcher::Event<PartialObjectMeta<Lease>>) -> Option<Change<LeaseSeen>> {
        match said {
            watcher::Event::Init => {
                self.listed.clear();
                None
            }
            watcher::Event::InitApply(lease) => {
                self.listed.push(seen(&lease));
                None
            }
            watcher::Event::InitDone => {
                info!(kind = NAME, count = self.listed.len(), "listed");
                shortfall::note_forbidden(NAME, false);
                self.is_refused = false;
                Some(Change::Reset(std::mem::take(&mut self.listed)))
            }
            watcher::Event::Apply(lease) => Some(Change::Put(Box::new(seen(&lease)))),
            watcher::Event::Delete(lease) => Some(Change::Gone(Box::new(seen(&lease)))),
        }
    }

    /// How long to wait before it is tried again.
    fn refused(&mut self, refusal: Refusal, error: &watcher::Error) -> Duration {
        shortfall::note_forbidden(NAME, true);
        if std::mem::replace(&mut self.is_refused, true) {
            debug!(%error, "the nodes' Leases still can't be watched");
        } else {
            warn!(%error, "the nodes' Leases may not be watched; without them no pod is taken off a failed node");
        }
        refusal.pause()
    }
}

fn seen(lease: &PartialObjectMeta<Lease>) -> LeaseSeen {
    let version = lease.metadata.resource_version.as_deref().and_then(|text| text.parse().ok());
    LeaseSeen {
        node: NodeName::from(lease.name_any().as_str()),
        version: version.map_or(Version::UNKNOWN, Version),
    }
}
