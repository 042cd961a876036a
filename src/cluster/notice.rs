//! Events of the API (`events.k8s.io/v1`), called notices here because the core's inputs are events too.
//!
//! They are written if possible: nothing waits for them, and when too many wait themselves they are dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use edge_api::names::{NAMESPACE, SCHEDULER};
use edge_core::delay::{DelayConstraint, Turn};
use edge_core::model::{Name, PodKey, PodUid};
use edge_core::state::{
    Announcement, BackupsTurn, CoverTurn, CoverTurned, DelayTurn, Evicted, NodeNotice, PodRef, Preempted,
    Report,
};
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Request;
use serde::Serialize;
use serde::de::IgnoredAny;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::answer::{Failure, within};
use super::series::{Count, SeriesCache, Write};
use super::timestamp;

/// How many are written at once, and how many may be on their way, most of them waiting.
const PARALLEL: usize = 32;
const WAITING: usize = 4096;
/// How long a request may take, how often it is tried, and the pause between.
const TIMEOUT: Duration = Duration::from_secs(10);
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// The API's limits of a note and of a reporting instance, in bytes.
const NOTE_LIMIT: usize = 1024;
const INSTANCE_LIMIT: usize = 128;
/// So much of the pod's name goes into the notice's own, which may have 253 bytes.
const NAME_LIMIT: usize = 230;

/// Something to tell the owner of a pod.
#[derive(Clone, Debug)]
pub(super) struct Notice<'a> {
    pub(super) pod: &'a PodRef,
    /// The kind of what is told of: `Pod`, or that of an object without a namespace, whose name stands in `pod`.
    kind: &'static str,
    pub(super) scheduler_name: &'a Name,
    /// `Normal` or `Warning`.
    severity: &'static str,
    pub(super) reason: &'static str,
    action: &'static str,
    pub(super) note: String,
    /// Another pod that has to do with it.
    related: Option<&'a PodRef>,
    /// Whether the same may be said again.
    pub(super) repeats: bool,
}

/// A notice as the API has it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    api_version: &'static str,
    kind: &'static str,
    pub(super) metadata: Metadata,
    #[serde(rename = "type")]
    severity: &'static str,
    reason: &'static str,
    action: &'static str,
    note: String,
    regarding: Regarding,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<Regarding>,
    reporting_controller: String,
    reporting_instance: String,
    pub(super) event_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) series: Option<Count>,
}

/// Which object a notice is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Metadata {
    pub(super) namespace: String,
    pub(super) name: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Regarding {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    uid: String,
}

/// Writes notices.
pub(super) struct Notices {
    client: kube::Client,
    host: String,
    permits: Arc<Semaphore>,
    tasks: JoinSet<()>,
    series: SeriesCache,
    dropped: u64,
}

// === impl Notice ===

impl<'a> Notice<'a> {
    /// Said once of a pod alone.
    pub(super) fn of_pod(
        pod: &'a PodRef,
        scheduler_name: &'a Name,
        severity: &'static str,
        reason: &'static str,
        action: &'static str,
        note: &str,
    ) -> Self {
        let note = truncate(note);
        Self {
            pod,
            kind: "Pod",
            scheduler_name,
            severity,
            reason,
            action,
            note,
            related: None,
            repeats: false,
        }
    }

    /// The pod fits nowhere, or placing it failed.
    pub(super) fn failed_scheduling(report: &'a Report) -> Self {
        Self {
            repeats: true,
            ..Self::of_pod(
                &report.pod,
                &report.scheduler_name,
                "Warning",
                "FailedScheduling",
                "Scheduling",
                &report.message,
            )
        }
    }

    /// The pod was bound.
    pub(super) fn scheduled(announcement: &'a Announcement) -> Self {
        let Announcement { pod, scheduler_name, node, .. } = announcement;
        Self::of_pod(
            pod,
            scheduler_name,
            "Normal",
            "Scheduled",
            "Binding",
            &format!("Successfully assigned {} to {node}", pod.key),
        )
    }

    /// A delay constraint of the pod, which is on a node, is broken or kept again.
    pub(super) fn delay(told: &'a DelayTurn) -> Self {
        let DelayTurn { pod, scheduler_name, constraint, from, delay, turn } = told;
        let DelayConstraint { anchor, bound } = constraint;
        let (severity, reason, is_so) = match turn {
            Turn::Exceeded => ("Warning", "DelayExceeded", "over"),
            Turn::Restored => ("Normal", "DelayRestored", "again within"),
        };
        let note =
            format!("The delay to {anchor} on node {from} is {delay} ms, {is_so} the bound of {bound} ms");
        Self::of_pod(pod, scheduler_name, severity, reason, "Measuring", &note)
    }

    /// A placed pod has no backup, or has one again.
    pub(super) fn cover(told: &'a CoverTurn) -> Self {
        let CoverTurn { pod, scheduler_name, backup, turned } = told;
        let (severity, reason, note) = match (turned, backup) {
            (CoverTurned::Missing(why), _) => {
                ("Warning", "BackupMissing", format!("No node can be its backup: {why}"))
            }
            (CoverTurned::Found, Some(node)) => {
                ("Normal", "BackupFound", format!("Its backup is on node {node}"))
            }
            (CoverTurned::Found, None) => ("Normal", "BackupFound", "It has a backup again".to_owned()),
        };
        Self::of_pod(pod, scheduler_name, severity, reason, "Reserving", &note)
    }

    /// Backups can't be made, or can be again; told of their namespace.
    pub(super) fn backups((namespace, scheduler_name): &'a (PodRef, Name), turn: &BackupsTurn) -> Self {
        let (severity, reason, note) = match turn {
            BackupsTurn::Refused(why) => (
                "Warning",
                "BackupsRefused",
                format!("Pods are not covered, as backups can't be made: {why}"),
            ),
            BackupsTurn::Made => ("Normal", "BackupsMade", "Backups are made again".to_owned()),
        };
        Self {
            kind: "Namespace",
            ..Self::of_pod(namespace, scheduler_name, severity, reason, "Reserving", &note)
        }
    }

    /// The pod was taken away for another one.
    pub(super) fn preempted(preempted: &'a Preempted) -> Self {
        let Preempted { victim, preemptor, scheduler_name, node } = preempted;
        Self {
            related: Some(preemptor),
            ..Self::of_pod(
                victim,
                scheduler_name,
                "Normal",
                "Preempted",
                "Preempting",
                &format!("Preempted by pod {} on node {node}", preemptor.uid),
            )
        }
    }

    /// The pod was taken off a failed node, or is to stay there.
    pub(super) fn evicted(evicted: &'a Evicted) -> Self {
        let Evicted { pod, scheduler_name, node, refused } = evicted;
        let (severity, reason, note) = match refused {
            None => (
                "Warning",
                "Failover",
                format!("Node {node} is lost; what replaces the pod is placed elsewhere"),
            ),
            Some(why) => {
                ("Warning", "FailoverRefused", format!("Node {node} is lost, but the pod stays: {why}"))
            }
        };
        Self::of_pod(pod, scheduler_name, severity, reason, "Healing", &note)
    }

    /// The notice as the API has it, told now by the scheduler on `host`.
    pub(super) fn to_body(&self, host: &str) -> Body {
        let key = &self.pod.key;
        let instance = format!("{}-{host}", self.scheduler_name);
        Body {
            api_version: "events.k8s.io/v1",
            kind: "Event",
            metadata: Metadata {
                // Those of objects without a namespace are kept in this one.
                namespace: if key.namespace.is_empty() { "default" } else { &*key.namespace }.to_owned(),
                name: format!("{}.{:x}", name_part(&key.name), timestamp::nanoseconds()),
            },
            severity: self.severity,
            reason: self.reason,
            action: self.action,
            note: self.note.clone(),
            regarding: Regarding::of(self.kind, self.pod),
            related: self.related.map(|pod| Regarding::of("Pod", pod)),
            reporting_controller: self.scheduler_name.to_string(),
            reporting_instance: prefix(&instance, INSTANCE_LIMIT).to_owned(),
            event_time: timestamp::micro(),
            series: None,
        }
    }
}

/// The namespace of backups, for what is told of all of them, and who tells it.
pub(super) fn namespace() -> (PodRef, Name) {
    let pod = PodRef { key: PodKey::new("", NAMESPACE), uid: PodUid::from("") };
    (pod, SCHEDULER.into())
}

// === impl Regarding ===

impl Regarding {
    fn of(kind: &'static str, pod: &PodRef) -> Self {
        let PodRef { key, uid } = pod;
        Self {
            api_version: "v1",
            kind,
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            uid: uid.to_string(),
        }
    }
}

/// A note within the API's limit (upstream: `truncateMessage`).
fn truncate(message: &str) -> String {
    const MARK: &str = " ...";
    if message.len() <= NOTE_LIMIT {
        return message.to_owned();
    }
    format!("{}{MARK}", prefix(message, NOTE_LIMIT - MARK.len()))
}

/// What of a pod's name can begin another name.
fn name_part(name: &str) -> &str {
    prefix(name, NAME_LIMIT).trim_end_matches(['-', '.'])
}

/// The longest prefix within so many bytes.
fn prefix(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

// === impl Notices ===

impl Notices {
    pub(super) fn new(client: kube::Client) -> Self {
        // The kernel's name of the host is that of the pod, which is what upstream reports.
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            client,
            host: host.trim().to_owned(),
            permits: Arc::new(Semaphore::new(PARALLEL)),
            tasks: JoinSet::new(),
            series: SeriesCache::default(),
            dropped: 0,
        }
    }

    /// Begins to write a notice.
    pub(super) fn post(&mut self, notice: &Notice<'_>) {
        let now = Instant::now();
        for ended in self.series.sweep(now) {
            self.spawn(ended);
        }
        if let Some(write) = self.series.record(notice, || notice.to_body(&self.host), now) {
            self.spawn(write);
        }
    }

    /// Begins to write what happened to a node.
    pub(super) fn post_of_node(&mut self, notice: &NodeNotice) {
        let NodeNotice { node, uid, reason, note } = notice;
        let instance = format!("{SCHEDULER}-{}", self.host);
        if reason.is_warning() {
            warn!(%node, "{note}");
        } else {
            info!(%node, "{note}");
        }
        self.spawn(Write::New(Box::new(Body {
            api_version: "events.k8s.io/v1",
            kind: "Event",
            metadata: Metadata {
                // Where the API has events of what is in no namespace.
                namespace: "default".to_owned(),
                name: format!("{}.{:x}", name_part(node.as_str()), timestamp::nanoseconds()),
            },
            severity: if reason.is_warning() { "Warning" } else { "Normal" },
            reason: reason.as_str(),
            action: "Healing",
            note: truncate(note),
            regarding: Regarding {
                api_version: "v1",
                kind: "Node",
                namespace: String::new(),
                name: node.to_string(),
                uid: uid.to_string(),
            },
            related: None,
            reporting_controller: SCHEDULER.to_owned(),
            reporting_instance: prefix(&instance, INSTANCE_LIMIT).to_owned(),
            event_time: timestamp::micro(),
            series: None,
        })));
    }

    /// Waits until none is on its way.
    pub(super) async fn all_sent(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    fn spawn(&mut self, write: Write) {
        while self.tasks.try_join_next().is_some() {}
        if self.tasks.len() >= WAITING {
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                warn!(dropped = self.dropped, "too many events wait to be written; dropping");
            }
            return;
        }
        let client = self.client.clone();
        let permits = Arc::clone(&self.permits);
        self.tasks.spawn(async move {
            if let Ok(_permit) = permits.acquire_owned().await {
                // Boxed, as thousands may wait for a permit.
                Box::pin(send(&client, &write)).await;
            }
        });
    }
}

async fn send(client: &kube::Client, write: &Write) {
    for attempt in 1..=TRIES {
        match try_send(client, write).await {
            Ok(IgnoredAny) => return,
            Err(failure) if failure.is_passing() && attempt < TRIES => tokio::time::sleep(PAUSE).await,
            Err(failure) => {
                // Also where an earlier try was written after all: then it is there already.
                debug!(error = %failure, "an event was not written");
                return;
            }
        }
    }
}

async fn try_send(client: &kube::Client, write: &Write) -> Result<IgnoredAny, Failure> {
    match write {
        Write::New(body) => within(TIMEOUT, post(client, body)).await,
        Write::Repeat(body) => {
            match within(TIMEOUT, patch(client, &body.metadata, body.series.as_ref())).await {
                // It has expired.
                Err(Failure::Gone) => within(TIMEOUT, post(client, body)).await,
                answer => answer,
            }
        }
        Write::Final(metadata, count) => within(TIMEOUT, patch(client, metadata, Some(count))).await,
    }
}

async fn post(client: &kube::Client, body: &Body) -> kube::Result<IgnoredAny> {
    let json = serde_json::to_vec(body).map_err(kube::Error::SerdeError)?;
    let request = notices(&body.metadata.namespace).create(&PostParams::default(), json);
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}

async fn patch(
    client: &kube::Client,
    metadata: &Metadata,
    series: Option<&Count>,
) -> kube::Result<IgnoredAny> {
    #[derive(Serialize)]
    struct SeriesPatch<'a> {
        series: Option<&'a Count>,
    }

    let patch = Patch::Strategic(SeriesPatch { series });
    let request = notices(&metadata.namespace).patch(&metadata.name, &PatchParams::default(), &patch);
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}

fn notices(namespace: &str) -> Request {
    Request::new(format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events"))
}
