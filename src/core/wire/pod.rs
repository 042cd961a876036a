//! A pod as the API has it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::model::{NodeFeatures, NodeName, Phase, Pod, PodImages, PodKey, PodUid};

use super::affinity::Affinity;
use super::amount::AmountPairs;
use super::condition::{self, Condition};
use super::decode::{Pairs, or_default};
use super::error::{Fault, WireError};
use super::intern::Interner;
use super::meta::{Identity, Meta};
use super::pod_affinity::{self, Bearer};
use super::ports::ContainerPort;
use super::requests::{self, ContainerStatus, Requirements};
use super::spread::{self, SpreadObject};
use super::toleration::TolerationObject;
use super::unsupported;
use super::volume::VolumeObject;

/// A pod, or the template of one, as the API has it; only what placing needs is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodObject {
    #[serde(deserialize_with = "or_default")]
    pub(super) metadata: Meta,
    #[serde(deserialize_with = "or_default")]
    pub(super) spec: PodSpec,
    #[serde(deserialize_with = "or_default")]
    pub(super) status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodSpec {
    node_name: Option<String>,
    scheduler_name: Option<String>,
    priority: Option<i32>,
    preemption_policy: Option<String>,
    pub(super) host_network: Option<bool>,
    host_users: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    scheduling_gates: Vec<SchedulingGate>,
    #[serde(deserialize_with = "or_default")]
    pub(super) containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    pub(super) init_containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    pub(super) resources: Requirements,
    pub(super) overhead: AmountPairs,
    node_selector: Pairs<String>,
    #[serde(deserialize_with = "or_default")]
    affinity: Affinity,
    #[serde(deserialize_with = "or_default")]
    tolerations: Vec<TolerationObject>,
    #[serde(deserialize_with = "or_default")]
    volumes: Vec<VolumeObject>,
    #[serde(deserialize_with = "or_default")]
    pub(super) resource_claims: Vec<IgnoredAny>,
    #[serde(deserialize_with = "or_default")]
    topology_spread_constraints: Vec<SpreadObject>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodStatus {
    phase: Option<WirePhase>,
    #[serde(deserialize_with = "or_default")]
    pub(super) conditions: Vec<Condition>,
    nominated_node_name: Option<String>,
    start_time: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    pub(super) init_container_statuses: Vec<ContainerStatus>,
    pub(super) resources: Option<Requirements>,
    pub(super) allocated_resources: AmountPairs,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: Option<String>,
    image: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) resources: Requirements,
    #[serde(deserialize_with = "or_default")]
    pub(super) ports: Vec<ContainerPort>,
    restart_policy: Option<RestartPolicy>,
    #[serde(deserialize_with = "or_default")]
    restart_policy_rules: Vec<RestartRule>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RestartRule {
    action: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum RestartPolicy {
    Always,
    #[serde(other)]
    Other,
}

/// The scheduler only tells ended pods from others, so that a phase it doesn't know is no error.
#[derive(Clone, Copy, Debug, Deserialize)]
enum WirePhase {
    #[serde(alias = "")]
    Pending,
    Running,
    Succeeded,
    Failed,
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SchedulingGate {
    name: String,
}

// === impl PodObject ===

impl PodObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// The same object under another name: a template has none of its own.
    #[must_use]
    pub fn named(mut self, namespace: &str, name: &str) -> Self {
        self.metadata.namespace = Some(namespace.to_owned());
        self.metadata.name = Some(name.to_owned());
        self
    }

    /// Checks the object and turns it into a pod.
    pub fn into_pod(self, interner: &mut Interner) -> Result<Pod, WireError> {
        self.read(interner).map_err(|fault| {
            let name = self.metadata.name.as_deref().unwrap_or("(unnamed)");
            fault.of("pod", format!("{}/{name}", self.metadata.namespace_or_default()))
        })
    }

    fn read(&self, interner: &mut Interner) -> Result<Pod, Fault> {
        let Self { metadata, spec, status } = self;
        let key = PodKey {
            namespace: interner.intern(metadata.namespace_or_default()),
            name: metadata.required_name()?.into(),
        };
        let usage = requests::read(self, interner)?;
        let labels = interner.labels(&metadata.labels.0);
        let bearer = Bearer { namespace: &key.namespace, labels: &labels };
        Ok(Pod {
            uid: PodUid::new(metadata.uid_or(|| key.to_string())),
            version: metadata.version(),
            generation: metadata.generation.unwrap_or(0),
            annotations: interner.labels(&metadata.annotations.kept),
            owner: metadata.controller(interner),
            scheduler_name: interner.intern(or_word(spec.scheduler_name.as_deref(), "default-scheduler")),
            priority: spec.priority.unwrap_or(0),
            preempts: spec.preemption_policy.as_deref() != Some("Never"),
            node: node_name(spec.node_name.as_deref(), interner),
            nominated_node: node_name(status.nominated_node_name.as_deref(), interner),
            // One that can't be read counts as none: it only tells which of two victims is older.
            started: status.start_time.as_deref().and_then(super::timestamp::read),
            phase: status.phase.map_or(Phase::Pending, Phase::from),
            terminating: metadata.is_terminating(),
            preempted: condition::is_preempted(&status.conditions),
            gates: spec.scheduling_gates.iter().map(|gate| interner.intern(&gate.name)).collect(),
            requests: usage.requests,
            limits: requests::read_limits(self, interner)?,
            non_zero: usage.non_zero,
            scored: usage.scored,
            ports: super::ports::read(spec, interner)?,
            node_selector: interner.labels(&spec.node_selector.0),
            node_affinity: spec.affinity.read_node_affinity(interner)?,
            pod_affinity: pod_affinity::read(&spec.affinity, &bearer, interner)?,
            spread: spread::read(&spec.topology_spread_constraints, &labels, interner)?,
            tolerations: super::toleration::read(&spec.tolerations, interner)?,
            images: spec.images(interner),
            vmis: metadata.annotations.networks.vmis(spec.host_network == Some(true)),
            volumes: spec.volumes.iter().filter_map(|volume| volume.read(&key.name, interner)).collect(),
            features: spec.features(),
            unsupported: unsupported::reason(spec),
            labels,
            key,
        })
    }
}

fn node_name(text: Option<&str>, interner: &mut Interner) -> Option<NodeName> {
    text.filter(|name| !name.is_empty()).map(|name| NodeName::new(interner.intern(name)))
}

fn or_word<'a>(text: Option<&'a str>, default: &'a str) -> &'a str {
    text.filter(|text| !text.is_empty()).unwrap_or(default)
}

// === impl PodSpec ===

impl PodSpec {
    /// The features of a node that the pod can't do without (upstream:
    /// `component-helpers/nodedeclaredfeatures/features`, their `InferForScheduling`).
    fn features(&self) -> NodeFeatures {
        let mut containers = self.containers.iter().chain(&self.init_containers);
        let mut features = NodeFeatures::default();
        if containers.any(Container::restarts_all) {
            features = features.with(NodeFeatures::RESTART_ALL_CONTAINERS);
        }
        if self.host_network == Some(true) && self.host_users == Some(false) {
            features = features.with(NodeFeatures::USER_NAMESPACES_HOST_NETWORK);
        }
        features
    }

    /// The images whose presence on a node counts (upstream: `sumImageScores`).
    fn images(&self, interner: &mut Interner) -> PodImages {
        let mut share = |image: Option<&str>| interner.intern_image(image.unwrap_or_default());
        let containers = self.containers.iter().chain(&self.init_containers);
        let volumes = self.volumes.iter().filter_map(VolumeObject::image);
        PodImages {
            containers: containers.map(|container| share(container.image.as_deref())).collect(),
            volumes: volumes.map(|image| share(Some(image))).collect(),
        }
    }
}

// === impl Container ===

impl Container {
    /// Whether its end can make the kubelet restart all containers of the pod.
    fn restarts_all(&self) -> bool {
        let mut actions = self.restart_policy_rules.iter().filter_map(|rule| rule.action.as_deref());
        actions.any(|action| action == "RestartAllContainers")
    }

    /// Whether an init container runs on beside the containers (a sidecar).
    pub(super) fn is_restartable(&self) -> bool {
        self.restart_policy == Some(RestartPolicy::Always)
    }
}

// === impl WirePhase ===

impl From<WirePhase> for Phase {
    fn from(phase: WirePhase) -> Self {
        match phase {
            WirePhase::Pending => Self::Pending,
            WirePhase::Running => Self::Running,
            WirePhase::Succeeded => Self::Succeeded,
            WirePhase::Failed => Self::Failed,
            WirePhase::Unknown => Self::Unknown,
        }
    }
}
