//! The task that keeps layers and publishes them, while this replica leads.
//!
//! Nothing is decided by them: whether a node is feasible is told by the row of the anchor, in one look.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use edge_api::{LAYERS_VERSION, PublishedLayer, PublishedLayers};
use edge_core::layers::{Known, LayerKeeper, Nested};
use edge_core::model::{Delay, NodeName, Time};
use edge_core::placement::NodeSlot;
use edge_core::state::KnownPart;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::cluster::{LayerStore, Written};
use crate::lease::Tenure;
use crate::metrics::Query;

/// How often they are looked over: in a small cluster, where it costs nothing, and in a large one.
const OFTEN: Duration = Duration::from_secs(10);
const SELDOM: Duration = Duration::from_secs(30);
/// A cluster with more nodes is large.
const SMALL: usize = 500;
/// How often one that doesn't lead looks whether it does, and one that leads whether it knows delays by now.
const STANDBY: Duration = Duration::from_secs(1);
/// From how many nodes delays are asked for at once: the scheduler answers in under a millisecond.
const PART: usize = 64;
/// How many layers there are at most: those of the configuration, and of the others the smallest.
const MOST_LAYERS: usize = 32;
/// How long the names of the nodes may be in all. A ConfigMap has room for a mebibyte.
const MOST_NAMES: usize = 700_000;

/// What it works with.
pub struct LayerTask {
    /// The delay values that there are layers of in any case.
    pub initial: Vec<Delay>,
    /// Where the core is asked.
    pub looks: mpsc::Sender<Query>,
    /// Where layers are published.
    pub store: LayerStore,
    /// Whether this replica does.
    pub tenure: Tenure,
    /// By this clock.
    pub clock: Clock,
}

// === impl LayerTask ===

impl LayerTask {
    /// Keeps layers until the scheduler ends.
    pub async fn run(self) -> &'static str {
        // It ends when nobody answers any more.
        _ = self.work().await;
        "the keeper of layers"
    }

    async fn work(&self) -> Option<std::convert::Infallible> {
        let mut keeper = LayerKeeper::default();
        let mut published = None;
        let mut complaint = None;
        loop {
            let now = self.clock.now();
            if !self.tenure.holds(now) {
                published = None;
                tokio::time::sleep(STANDBY).await;
                continue;
            }
            let bounds = self.bounds().await?;
            let known = self.known(now).await?;
            if bounds.is_empty() || known.pairs.is_empty() && published.is_none() {
                tokio::time::sleep(STANDBY).await;
                continue;
            }
            let pause = if known.members.len() <= SMALL { OFTEN } else { SELDOM };
            let looked = spawn_blocking(move || {
                keeper.look(&known, &bounds, now);
                let layers = written_down(&keeper, &known);
                (keeper, layers)
            });
            let layers;
            (keeper, layers) = looked.await.ok()?;
            if published.as_ref() != Some(&layers) && self.publish(&layers, &mut complaint).await {
                published = Some(layers);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The delay values that there are to be layers of: those of the configuration, and those that pods ask for.
    async fn bounds(&self) -> Option<BTreeSet<Delay>> {
        let (to, interest) = oneshot::channel();
        self.looks.send(Query::Interest(to)).await.ok()?;
        let in_use: BTreeSet<Delay> = interest.await.ok()?.anchors.iter().map(|it| it.bound).collect();
        let mut bounds: BTreeSet<Delay> = self.initial.iter().copied().take(MOST_LAYERS).collect();
        for bound in in_use {
            if bounds.len() < MOST_LAYERS {
                bounds.insert(bound);
            }
        }
        Some(bounds)
    }

    async fn known(&self, now: Time) -> Option<Known> {
        let mut known = Known::default();
        let mut next = Some(NodeSlot(0));
        while let Some(from) = next {
            let (to, part) = oneshot::channel();
            self.looks.send(Query::Known { from, most: PART, now, to }).await.ok()?;
            let KnownPart { known: Known { members, pairs }, next: then } = part.await.ok()?;
            known.members.extend(members);
            known.pairs.extend(pairs);
            next = then;
        }
        Some(known)
    }

    async fn publish(&self, layers: &PublishedLayers, complaint: &mut Option<String>) -> bool {
        let why = match self.store.publish(layers).await {
            Written::Done => {
                debug!(layers = layers.layers.len(), nodes = layers.nodes.len(), "layers are published");
                if complaint.take().is_some() {
                    info!("layers are published again");
                }
                return true;
            }
            Written::Gone => "there is no such namespace".to_owned(),
            Written::Refused(why) | Written::Forbidden(why) | Written::Failed(why, _) => why,
        };
        if complaint.as_ref() != Some(&why) {
            warn!(error = %why, "layers are not published; nothing is decided by them");
        }
        *complaint = Some(why);
        false
    }
}

/// Layers in the form in which they are published.
fn written_down(keeper: &LayerKeeper, known: &Known) -> PublishedLayers {
    let Nested { order, sizes } = Nested::of(&keeper.layers());
    let by_slot: HashMap<NodeSlot, &NodeName> =
        known.members.iter().map(|member| (member.slot, &member.name)).collect();
    let names = order.iter().filter_map(|slot| by_slot.get(slot).map(|name| name.as_str().to_owned()));
    let mut nodes: Vec<String> = names.collect();
    if nodes.iter().map(|name| name.len() + 3).sum::<usize>() > MOST_NAMES {
        nodes.clear();
    }
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let size = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    let coverage = keeper.coverage();
    let layer = |(bound, sizes): (Delay, Vec<usize>)| PublishedLayer {
        delay_micros: bound.as_micros(),
        sizes: sizes.into_iter().map(size).collect(),
    };
    PublishedLayers {
        version: LAYERS_VERSION,
        nodes,
        pairs: count(coverage.pairs),
        known_pairs: count(coverage.known),
        layers: sizes.into_iter().map(layer).collect(),
    }
}
