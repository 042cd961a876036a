//! The limit: a plain binder, as good as one gets with the usual crates. It decides nothing.
//!
//! It watches all pods as full objects and gives each the next node, so many at once as it was told. The `Scheduled`
//! events are written behind the bindings, as edge-scheduler and kube-scheduler write theirs, so that all three have the
//! same freedom. One thread, as edge-scheduler has.

use std::future;
use std::sync::Arc;

use anyhow::Context;
use futures::{Stream, StreamExt, TryStreamExt, stream};
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

/// How many events are written at once: as many as edge-scheduler does.
const EVENTS_IN_FLIGHT: usize = 32;

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
    let (waiting, queue) = mpsc::unbounded_channel();
    let (bound, announced) = mpsc::unbounded_channel();
    let bindings = receive(queue).zip(stream::iter(nodes.iter().cycle())).map(Ok);
    let bindings =
        bindings.try_for_each_concurrent(options.in_flight, |(pod, node)| bind(&client, pod, node, &bound));
    let events =
        receive(announced).map(Ok).try_for_each_concurrent(EVENTS_IN_FLIGHT, |event| write(&client, event));
    futures::try_join!(watch_pods(&client, waiting), bindings, events)?;
    Ok(())
}

fn receive<T>(queue: mpsc::UnboundedReceiver<T>) -> impl Stream<Item = T> {
    stream::unfold(queue, async |mut queue| Some((queue.recv().await?, queue)))
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

async fn bind(
    client: &Client,
    pod: Waiting,
    node: &str,
    bound: &mpsc::UnboundedSender<Event>,
) -> anyhow::Result<()> {
    let binding = pod.binding(node);
    let pods = Api::<Pod>::namespaced(client.clone(), &pod.namespace);
    match pods.create_subresource::<_, Status>("binding", &pod.name, &PostParams::default(), &binding).await {
        Ok(_) => bound.send(pod.event(node)).context("nobody writes events any more"),
        // A watch that was begun anew told of it a second time.
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn write(client: &Client, event: Event) -> anyhow::Result<()> {
    let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
    let events = Api::<Event>::namespaced(client.clone(), namespace);
    events.create(&PostParams::default(), &event).await?;
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
