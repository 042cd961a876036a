//! `NodeDelays`: read as the core has them, and written by server-side apply, of which each field has one writer.

use std::time::Duration;

use edge_api::names::SCHEDULER_MANAGER;
use edge_api::{Interval, NodeDelaysSpec, NodeDelaysStatus, PeerDelay, PeerToMeasure, Transport};
use edge_core::delay::{DelaySource, Measurement, Report};
use edge_core::measure::{self, Peer};
use edge_core::model::{Delay, NodeName};
use edge_core::state::Change;
use edge_core::wire::{Identity, Interner, NodeDelays, NodeDelaysObject, WireError};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::answer::{Failure, within};
use super::object::Kind;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// `NodeDelays`.
#[derive(Clone, Debug)]
pub(super) enum Delays {}

/// What a write came to, by what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    Done,
    /// There is no such object, or the server doesn't know the kind: the watch will tell.
    Gone,
    /// The server won't have this one, and says why.
    Refused(String),
    /// The server lets us write none, and says why.
    Forbidden(String),
    /// It may be tried again after a while.
    Failed(String, Duration),
}

/// Writes `NodeDelays`.
#[derive(Clone)]
pub struct Scribe {
    client: kube::Client,
}

/// How long a write that failed rests, unless the server says.
const PAUSE: Duration = Duration::from_secs(2);

// === impl Delays ===

impl Kind for Delays {
    type Api = edge_api::NodeDelays;
    type Object = NodeDelaysObject;
    type Model = NodeDelays;
    type Told = Change<NodeDelays>;

    const NAME: &'static str = "nodedelays";
    const WITHOUT: Option<&'static str> = Some("delays that probe agents measure");

    fn identity(object: &NodeDelaysObject) -> Identity {
        object.identity()
    }

    fn read(object: NodeDelaysObject, interner: &mut Interner) -> Result<NodeDelays, WireError> {
        object.into_node_delays(interner)
    }

    fn bare(identity: &Identity) -> NodeDelays {
        NodeDelays::none_of(identity.name.as_str().into())
    }

    fn event(change: Change<NodeDelays>) -> Change<NodeDelays> {
        change
    }
}

// === impl Scribe ===

impl Scribe {
    /// One that writes by `client`, which has its own limit.
    pub fn new(client: kube::Client) -> Self {
        Self { client }
    }

    /// Writes what a node is to measure, and within what time it is to report; none if it measures nothing. The
    /// object is made if it is not there; it goes with the Node of this UID.
    pub async fn assign(&self, node: &NodeName, uid: &str, task: Option<(&[Peer], Duration)>) -> Written {
        let mut object = object(node);
        object["metadata"]["ownerReferences"] = json!([
            {"apiVersion": "v1", "kind": "Node", "name": node.as_str(), "uid": uid, "controller": true}
        ]);
        if let Some((peers, every)) = task {
            let spec = NodeDelaysSpec {
                peers: peers.iter().map(to_measure).collect(),
                // They are those of who asks.
                requests: Vec::new(),
                report_every_ms: Some(millis(every)),
            };
            object["spec"] = serde_json::to_value(spec).unwrap_or_default();
        }
        self.apply(node, None, object).await
    }

    /// Writes what a source outside says of a node. The object has to be there.
    pub async fn report(&self, report: &Report) -> Written {
        let mut status = NodeDelaysStatus {
            source: match report.source {
                DelaySource::Probe => edge_api::DelaySource::Probe,
                DelaySource::Goldpinger => edge_api::DelaySource::Goldpinger,
                DelaySource::File => edge_api::DelaySource::File,
            },
            reported_at: Some(MicroTime(Timestamp::now())),
            report_every_ms: report.every.map(millis),
            transport: (report.source == DelaySource::Goldpinger).then_some(Transport::Http),
            ..NodeDelaysStatus::default()
        };
        status.set_rows(report.rows.iter().map(to_row).collect());
        let mut object = object(&report.from);
        object["status"] = serde_json::to_value(status).unwrap_or_default();
        self.apply(&report.from, Some("status"), object).await
    }

    async fn apply(&self, node: &NodeName, subresource: Option<&str>, object: Value) -> Written {
        let params = PatchParams::apply(SCHEDULER_MANAGER).force();
        let resource = Request::new(format!("/apis/{}/nodedelays", edge_api::API_VERSION));
        let (name, patch) = (node.as_str(), Patch::Apply(object));
        let request = match subresource {
            Some(subresource) => resource.patch_subresource(subresource, name, &params, &patch),
            None => resource.patch(name, &params, &patch),
        };
        let request = match request {
            Ok(request) => request,
            Err(error) => return Written::Refused(error.to_string()),
        };
        Written::of(within(TIMEOUT, self.client.request::<IgnoredAny>(request)).await)
    }
}

// === impl Written ===

impl Written {
    /// What follows from the server's answer.
    pub(super) fn of<T>(answer: Result<T, Failure>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(Failure::Gone) => Self::Gone,
            Err(Failure::Refused(status)) if status.code == 403 => Self::Forbidden(status.message),
            Err(Failure::Refused(status)) => Self::Refused(status.message),
            Err(Failure::Throttled { status, retry_after }) => Self::Failed(status.message, retry_after),
            Err(failure) => Self::Failed(failure.to_string(), PAUSE),
        }
    }
}

fn object(node: &NodeName) -> Value {
    json!({"apiVersion": edge_api::API_VERSION, "kind": "NodeDelays", "metadata": {"name": node.as_str()}})
}

fn to_measure(peer: &Peer) -> PeerToMeasure {
    PeerToMeasure {
        name: peer.node.as_str().to_owned(),
        address: peer.address.to_string(),
        interval: match peer.interval {
            measure::Interval::Ring => Interval::Ring,
            measure::Interval::Mesh => Interval::Mesh,
            measure::Interval::Near => Interval::Near,
            measure::Interval::Anchor => Interval::Anchor,
        },
        bounds_micros: peer.bounds.iter().map(|bound| bound.as_micros()).collect(),
    }
}

fn to_row(measurement: &Measurement) -> PeerDelay {
    let Measurement { peer, statistics } = measurement;
    let micros = |delay: Option<Delay>| delay.map(Delay::as_micros);
    PeerDelay {
        peer: peer.as_str().to_owned(),
        min_micros: micros(statistics.min),
        p50_micros: micros(statistics.p50),
        p95_micros: micros(statistics.p95),
        jitter_micros: micros(statistics.jitter),
        lost: statistics.lost.into(),
        samples: statistics.samples.into(),
        missed: statistics.missed.into(),
        age_ms: statistics.age.map(millis),
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
