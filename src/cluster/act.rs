//! Actions: what the core wants done.
//!
//! Each is a task of its own with a time limit. A binding, a reading and a preemption end in exactly one
//! event, whatever happens; conditions and events are written behind them, on connections of their own, and delay nothing.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use edge_core::model::NodeName;
use edge_core::state::{
    Action, Announcement, BackupPod, BindOutcome, Binding, CoverOutcome, CoverWrite, Event, EvictOutcome,
    Eviction, Fence, HandoverTaint, HealthNews, Knock, PodRef, PreemptOutcome, Preemption, ReadOutcome,
    RelocateOutcome, Relocation, Report, VolumesOutcome, WriteVolumes,
};
use edge_core::wire::Interner;
use futures::FutureExt;
use kube::api::{GetParams, PostParams};
use kube::core::response::StatusSummary;
use kube::core::{Request, Status};
use serde::Serialize;
use serde::ser::SerializeMap;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::answer::{Failure, within};
use super::backup::Backups;
use super::condition::{Conditions, StatusWrite};
use super::evict::evict;
use super::knock::knock;
use super::notice::{self, Notice, Notices};
use super::object::{Pods, Received};
use super::preempt::preempt;
use super::relocate::relocate;
use super::taint::{Wanted, taint};
use super::volumes;
use crate::clock::Clock;
use crate::cluster::Clients;
use crate::lease::Tenure;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a throttled binding holds its place at most, whatever the server asks for.
const LONGEST_HOLD: Duration = Duration::from_secs(5);

/// Executes actions. What is still on its way when it is dropped is given up.
pub struct Actor {
    client: kube::Client,
    tenure: Tenure,
    clock: Clock,
    events: mpsc::Sender<Event>,
    tasks: JoinSet<()>,
    conditions: Conditions,
    notices: Notices,
    backups: Backups,
}

// === impl Actor ===

impl Actor {
    /// Executes actions by `client` and sends what came of them to `events`. Nothing is bound but within
    /// `tenure`, by `clock`. `backup_image` is that of backups where the scheduler's own can't be learnt.
    pub fn new(
        clients: Clients,
        tenure: Tenure,
        clock: Clock,
        events: mpsc::Sender<Event>,
        backup_image: Option<String>,
    ) -> Self {
        let Clients { api: client, events: events_client, lease: _, delays: _ } = clients;
        Self {
            conditions: Conditions::new(client.clone()),
            notices: Notices::new(events_client),
            backups: Backups::new(client.clone(), backup_image),
            client,
            tenure,
            clock,
            events,
            tasks: JoinSet::new(),
        }
    }

    /// Waits until a binding or a reading that is on its way has ended; whether there was one.
    pub async fn one_ended(&mut self) -> bool {
        self.tasks.join_next().await.is_some()
    }

    /// Waits until every event that is on its way is written.
    pub async fn all_told(&mut self) {
        self.notices.all_sent().await;
    }

    /// Begins to execute `action` and returns at once.
    ///
    /// [`Action::UseDelays`] is for the source of delays and is ignored here.
    pub fn execute(&mut self, action: Action) {
        match action {
            Action::Bind(binding) => self.bind(binding),
            Action::WriteVolumes(wanted) => self.write_volumes(wanted),
            Action::Read(pod) => self.read(pod),
            Action::Report(report) => self.report(report),
            Action::Announce(announcement) => self.announce(&announcement),
            Action::AnnounceDelay(turn) => self.notices.post(&Notice::delay(&turn)),
            Action::Preempt(preemption) => self.preempt(preemption),
            Action::AnnouncePreempted(preempted) => self.notices.post(&Notice::preempted(&preempted)),
            Action::Nominate(pod, node) => self.conditions.write(StatusWrite::nomination(pod, node)),
            Action::Evict(eviction) => self.evict(eviction),
            Action::AnnounceEvicted(evicted) => self.notices.post(&Notice::evicted(&evicted)),
            Action::Relocate(relocation) => self.relocate(relocation),
            Action::AnnounceMove(notice) => self.notices.post(&Notice::moved(&notice)),
            Action::Knock(node) => self.knock(node),
            Action::TellNode(notice) => self.notices.post_of_node(&notice),
            Action::UseDelays(_) => (),
            Action::CreateBackup(backup) => self.create_backup(backup),
            Action::DeleteBackup(pod) => self.delete_backup(pod),
            Action::TaintNode(wanted) => self.taint(wanted),
            Action::FenceNode(wanted) => self.fence(wanted),
            Action::WriteCover(write) => self.write_cover(write),
            Action::AnnounceCover(turn) => self.notices.post(&Notice::cover(&turn)),
            Action::AnnounceBackups(turn) => self.notices.post(&Notice::backups(&notice::namespace(), &turn)),
        }
    }

    fn create_backup(&mut self, backup: BackupPod) {
        let (backups, tenure, clock) = (self.backups.clone(), self.tenure.clone(), self.clock);
        let key = backup.key.clone();
        let outcome =
            async move { if tenure.holds(clock.now()) { backups.create(&backup).await } else { not_sent() } };
        self.answer(key, outcome, Event::BackupMade, given_up);
    }

    fn delete_backup(&mut self, pod: PodRef) {
        let (backups, tenure, clock) = (self.backups.clone(), self.tenure.clone(), self.clock);
        let wanted = pod.clone();
        let outcome =
            async move { if tenure.holds(clock.now()) { backups.delete(&wanted).await } else { not_sent() } };
        self.answer(pod, outcome, Event::BackupTaken, given_up);
    }

    fn taint(&mut self, wanted: HandoverTaint) {
        let client = self.client.clone();
        let (tenure, clock) = (self.tenure.clone(), self.clock);
        let sent = Wanted::of_handover(&wanted);
        let outcome = async move { taint(&client, &sent, || tenure.holds(clock.now())).await };
        self.answer(wanted, outcome, Event::NodeTainted, given_up);
    }

    fn fence(&mut self, wanted: Fence) {
        let client = self.client.clone();
        let (tenure, clock) = (self.tenure.clone(), self.clock);
        let sent = Wanted::of_fence(&wanted);
        let outcome = async move { taint(&client, &sent, || tenure.holds(clock.now())).await };
        self.answer(wanted, outcome, Event::NodeFenced, given_up);
    }

    fn write_cover(&mut self, write: CoverWrite) {
        let (backups, tenure, clock) = (self.backups.clone(), self.tenure.clone(), self.clock);
        let wanted = write.clone();
        let outcome =
            async move { if tenure.holds(clock.now()) { backups.write(&wanted).await } else { not_sent() } };
        self.answer(write, outcome, Event::CoverWritten, given_up);
    }

    fn bind(&mut self, binding: Binding) {
        let client = self.client.clone();
        // The server sets the condition to true as it binds; one of ours that arrived later would undo it.
        let condition = self.conditions.last_of(&binding.pod.uid);
        let pod = binding.pod.clone();
        let (tenure, clock) = (self.tenure.clone(), self.clock);
        let outcome = async move {
            if let Some(written) = condition {
                _ = written.await;
            }
            if !tenure.holds(clock.now()) {
                return BindOutcome::Unknown(
                    "it was not sent: the lease may be another replica's".to_owned(),
                );
            }
            bind(&client, &binding).await
        };
        self.answer(pod, outcome, Event::Bind, || {
            BindOutcome::Unknown("the request was given up".to_owned())
        });
    }

    fn write_volumes(&mut self, wanted: WriteVolumes) {
        let client = self.client.clone();
        let pod = wanted.pod.clone();
        let (tenure, clock) = (self.tenure.clone(), self.clock);
        let outcome = async move {
            if !tenure.holds(clock.now()) {
                return VolumesOutcome::failed("it was not sent: the lease may be another replica's");
            }
            volumes::write(&client, &wanted).await
        };
        self.answer(pod, outcome, Event::Volumes, || VolumesOutcome::failed("the request was given up"));
    }

    fn read(&mut self, pod: PodRef) {
        let client = self.client.clone();
        let wanted = pod.clone();
        let outcome = async move { read(&client, &wanted).await };
        self.answer(pod, outcome, Event::Read, || ReadOutcome::Failed);
    }

    fn report(&mut self, report: Report) {
        self.notices.post(&Notice::failed_scheduling(&report));
        if self.conditions.is_due(&report) {
            self.conditions.write(StatusWrite::of(report));
        }
    }

    fn preempt(&mut self, preemption: Preemption) {
        let client = self.client.clone();
        let (tenure, clock) = (self.tenure.clone(), self.clock);
        let wanted = preemption.clone();
        let outcome = async move { preempt(&client, &wanted, || tenure.holds(clock.now())).await };
        self.answer(preemption, outcome, Event::Preempted, || PreemptOutcome {
            deleted: Vec::new(),
            failed: true,
        });
    }

    fn evict(&mut self, eviction: Eviction) {
        let client = self.client.clone();
        let (tenure, clock) = (self.tenure.clone(), self.clock);
        let wanted = eviction.clone();
        let outcome = async move { evict(&client, &wanted, || tenure.holds(clock.now())).await };
        self.answer(eviction, outcome, Event::Evicted, || {
            EvictOutcome::Failed("the request was given up".to_owned())
        });
    }

    fn relocate(&mut self, relocation: Relocation) {
        let client = self.client.clone();
        let (tenure, clock) = (self.tenure.clone(), self.clock);
        let wanted = relocation.clone();
        let outcome = async move {
            if tenure.holds(clock.now()) {
                relocate(&client, &wanted).await
            } else {
                RelocateOutcome::Failed("it was not sent: the lease may be another replica's".to_owned())
            }
        };
        self.answer(relocation, outcome, Event::Relocated, || {
            RelocateOutcome::Failed("the request was given up".to_owned())
        });
    }

    fn knock(&mut self, node: NodeName) {
        let client = self.client.clone();
        let name = node.clone();
        let outcome = async move { knock(&client, name.as_str()).await };
        let event = |node, knock| Event::Health(HealthNews::Knocked(node, knock));
        self.answer(node, outcome, event, || Knock::Unknown);
    }

    fn announce(&mut self, announcement: &Announcement) {
        self.notices.post(&Notice::scheduled(announcement));
    }

    /// Runs `outcome` and sends it as the one event about `asked` that the core waits for; if it panics,
    /// `lost` is sent.
    fn answer<Q: Send + 'static, T: Send + 'static>(
        &mut self,
        asked: Q,
        outcome: impl Future<Output = T> + Send + 'static,
        event: fn(Q, T) -> Event,
        lost: fn() -> T,
    ) {
        while self.tasks.try_join_next().is_some() {}
        let events = self.events.clone();
        self.tasks.spawn(async move {
            let outcome = AssertUnwindSafe(outcome).catch_unwind().await.unwrap_or_else(|_| lost());
            // There is nobody to tell once the loop has ended.
            _ = events.send(event(asked, outcome)).await;
        });
    }
}

fn not_sent() -> CoverOutcome {
    CoverOutcome::Unknown("it was not sent: the lease may be another replica's".to_owned())
}

fn given_up() -> CoverOutcome {
    CoverOutcome::Unknown("the request was given up".to_owned())
}

async fn bind(client: &kube::Client, binding: &Binding) -> BindOutcome {
    let PodRef { key, uid: _ } = &binding.pod;
    match within(TIMEOUT, post_binding(client, binding)).await {
        Ok(Status { status: None | Some(StatusSummary::Success), .. }) => {
            debug!(pod = %key, node = %binding.node, "bound");
            BindOutcome::Bound
        }
        Ok(status) => BindOutcome::Unknown(status.message),
        Err(failure) => {
            warn!(pod = %key, node = %binding.node, error = %failure, "not bound");
            give_up(failure).await
        }
    }
}

async fn give_up(failure: Failure) -> BindOutcome {
    match failure {
        Failure::Gone => BindOutcome::Gone,
        Failure::Conflict(_) => BindOutcome::Conflict,
        Failure::Refused(status) => BindOutcome::Refused(status.message),
        Failure::Throttled { status, retry_after } => {
            // It keeps its place among those in flight, and so holds back others too.
            tokio::time::sleep(retry_after.min(LONGEST_HOLD)).await;
            BindOutcome::Unknown(status.message)
        }
        Failure::Unknown(_) | Failure::TimedOut(_) => BindOutcome::Unknown(failure.to_string()),
    }
}

async fn post_binding(client: &kube::Client, binding: &Binding) -> kube::Result<Status> {
    let PodRef { key, uid } = &binding.pod;
    let body = BindingBody {
        api_version: "v1",
        kind: "Binding",
        metadata: BindingMeta {
            namespace: &key.namespace,
            name: &key.name,
            uid: uid.as_str(),
            annotations: Annotations(&binding.annotations),
        },
        target: Target { kind: "Node", name: binding.node.as_str() },
    };
    let body = serde_json::to_vec(&body).map_err(kube::Error::SerdeError)?;
    let request = pods(&key.namespace).create_subresource("binding", &key.name, &PostParams::default(), body);
    // The answer is a status, not a binding.
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}

async fn read(client: &kube::Client, pod: &PodRef) -> ReadOutcome {
    let answer = match within(TIMEOUT, get_pod(client, pod)).await {
        Ok(answer) => answer,
        Err(Failure::Gone) => return ReadOutcome::Gone,
        Err(failure) => {
            warn!(pod = %pod.key, error = %failure, "not read");
            return ReadOutcome::Failed;
        }
    };
    match answer.read(&mut Interner::default()) {
        Ok(found) => ReadOutcome::Found(Box::new(found)),
        Err(undecodable) => {
            warn!(pod = %pod.key, error = %undecodable.error, "can't be read");
            ReadOutcome::Failed
        }
    }
}

async fn get_pod(client: &kube::Client, pod: &PodRef) -> kube::Result<Received<Pods>> {
    let request = pods(&pod.key.namespace).get(&pod.key.name, &GetParams::default());
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}

/// Requests on the pods of a namespace.
pub(super) fn pods(namespace: &str) -> Request {
    Request::new(format!("/api/v1/namespaces/{namespace}/pods"))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BindingBody<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: BindingMeta<'a>,
    target: Target<'a>,
}

#[derive(Serialize)]
struct BindingMeta<'a> {
    namespace: &'a str,
    name: &'a str,
    uid: &'a str,
    annotations: Annotations<'a>,
}

#[derive(Serialize)]
struct Target<'a> {
    kind: &'static str,
    name: &'a str,
}

struct Annotations<'a>(&'a [(&'static str, String)]);

// === impl Annotations ===

impl Serialize for Annotations<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
