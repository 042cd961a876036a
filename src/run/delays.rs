//! What brings delays: the sources, and the survey.

use edge_core::model::{Delay, NodeName};
use edge_core::state::Event;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::debug;

use crate::clock::Clock;
use crate::cluster::{Directory, KeyStore, LayerStore, Scribe};
use crate::delays::{self, Link, Source};
use crate::lease::Tenure;
use crate::metrics::Query;
use crate::survey::{self, LayerTask, Publisher, Survey};

/// What it is made of.
pub(super) struct Parts {
    /// For `NodeDelays` and the agents' key.
    pub(super) client: kube::Client,
    /// The delay values that there are layers of in any case.
    pub(super) layers: Vec<Delay>,
    /// The nodes whose delays are in use.
    pub(super) in_use: watch::Receiver<Vec<NodeName>>,
    /// The core.
    pub(super) events: mpsc::Sender<Event>,
    /// Where the core is asked.
    pub(super) looks: mpsc::Sender<Query>,
    /// Whether this replica writes.
    pub(super) tenure: Tenure,
    /// By this clock.
    pub(super) clock: Clock,
}

/// Begins all of it as tasks. Without sources nothing is asked of the server.
pub(super) fn begin(sources: Vec<Source>, parts: Parts, vital: &mut JoinSet<&'static str>) {
    let Parts { client, layers, in_use, events, looks, tenure, clock } = parts;
    let publisher = Publisher::default();
    let link = Link {
        in_use: in_use.clone(),
        events: events.clone(),
        publisher: publisher.clone(),
        directory: Directory::new(client.clone()),
    };
    let probe = sources.contains(&Source::Probe);
    if probe {
        vital.spawn(survey::keep(KeyStore::new(client.clone()), tenure.clone(), clock));
    }
    if !sources.is_empty() {
        // Of a file only the rows in use are held: layers of those would say next to nothing.
        if sources.iter().any(|source| !matches!(source, Source::File(_))) {
            let store = LayerStore::new(client.clone());
            let (looks_too, tenure_too) = (looks.clone(), tenure.clone());
            let keeper = LayerTask { initial: layers, looks: looks_too, store, tenure: tenure_too, clock };
            vital.spawn(keeper.run());
        }
        let told = survey::watch(&client, vital);
        let scribe = Scribe::new(client);
        let outside = publisher;
        let survey = Survey { probe, told, outside, in_use, events, looks, scribe, tenure, clock };
        vital.spawn(survey.run());
    }
    vital.spawn(async move {
        let closed = delays::serve(&sources, link).await;
        debug!(%closed, "the source of delays ended");
        "the source of delays"
    });
}
