//! The limit: a plain binder, as good as one gets with the usual crates. It decides nothing.
//!
//! It watches all pods as full objects, gives each the next node, and writes the `Scheduled` event, as many at once as
//! it was told. One thread, as edge-scheduler has.

use std::future;
use std::sync::Arc;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Binding, Node, ObjectReference, Pod};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Status};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::mpsc;

use crate::args::PlainBinder;
use crate::counter::connect;
use crate::workload::SCHEDULER_NAME;

/// The parts of a pod that a binding takes.
struct Waiting {
    namespace: String,
    name: String,
    uid: Option<String>,
}

/// Binds until it is killed.
pub(crate) fn run(options: &PlainBinder) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bind_all(options))
}

async fn bind_all(options: &PlainBinder) -> anyhow::Result<()> {
    let client = connect(&options.kubeconfig).await?;
    let nodes = Api::<Node>::all(client.clone()).list_metadata(&ListParams::default()).await?;
    let nodes: Vec<Arc<str>> =
        nodes.items.into_iter().filter_map(|node| Some(node.metadata.name?.into())).collect();
    // Held in a queue of our own, because the API server ends the watch of whoever reads too slowly.
    let (queue, waiting) = mpsc::unbounded_channel();
    let bindings = stream::unfold(waiting, async |mut waiting| Some((waiting.recv().await?, waiting)))
        .zip(stream::iter(nodes.iter().cycle()))
        .map(Ok)
        .try_for_each_concurrent(options.in_flight, |(pod, node)| bind(&client, pod, node));
    futures::try_join!(watch_pods(&client, queue), bindings)?;
    Ok(())
}

/// Puts every pod without a node into the queue.
async fn watch_pods(client: &Client, queue: mpsc::UnboundedSender<Waiting>) -> anyhow::Result<()> {
    watcher(Api::<Pod>::all(client.clone()), watcher::Config::default().streaming_lists())
        .applied_objects()
        .map_err(anyhow::Error::from)
        .try_for_each(|pod| {
            let unbound = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none());
            let sent = match Waiting::of(pod) {
                Some(waiting) if unbound => queue.send(waiting).context("nobody binds any more"),
                Some(_) | None => Ok(()),
            };
            future::ready(sent)
        })
        .await
}

async fn bind(client: &Client, pod: Waiting, node: &str) -> anyhow::Result<()> {
    let binding = pod.binding(node);
    let pods = Api::<Pod>::namespaced(client.clone(), &pod.namespace);
    let _: Status = pods.create_subresource("binding", &pod.name, &PostParams::default(), &binding).await?;
    let events = Api::<Event>::namespaced(client.clone(), &pod.namespace);
    events.create(&PostParams::default(), &pod.event(node)).await?;
    Ok(())
}

// === impl Waiting ===

impl Waiting {
    fn of(pod: Pod) -> Option<Self> {
        let ObjectMeta { namespace, name, uid, .. } = pod.metadata;
        Some(Self { namespace: namespace?, name: name?, uid })
    }

    fn binding(&self, node: &str) -> Binding {
        Binding {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                uid: self.uid.clone(),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                kind: Some("Node".to_owned()),
                name: Some(node.to_owned()),
                ..ObjectReference::default()
            },
        }
    }

    /// As kube-scheduler writes it.
    fn event(&self, node: &str) -> Event {
        let Self { namespace, name, uid } = self;
        let now = Timestamp::now();
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            action: Some("Binding".to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(format!("Successfully assigned {namespace}/{name} to {node}")),
            reason: Some("Scheduled".to_owned()),
            regarding: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: Some(name.clone()),
                namespace: Some(namespace.clone()),
                uid: uid.clone(),
                ..ObjectReference::default()
            }),
            reporting_controller: Some(SCHEDULER_NAME.to_owned()),
            reporting_instance: Some("plain-binder".to_owned()),
            type_: Some("Normal".to_owned()),
            ..Event::default()
        }
    }
}
