//! A pod, as far as placing needs it.

use std::sync::Arc;

use super::{
    Labels, Name, NodeAffinity, NodeFeatures, NodeName, NonZeroRequest, PodAffinity, PodKey, PodUid,
    PodVolume, Resources, SpreadConstraint, Timestamp, Toleration, Vmis,
};

/// The resource version of a reading of an object. The server's versions are integers that grow
/// (stated since Kubernetes 1.35), so an older reading that arrives late is told apart and dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// The phase of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Accepted, not all containers started.
    #[default]
    Pending,
    /// Bound, at least one container runs.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly, or refused by the kubelet.
    Failed,
    /// The node can't be reached.
    Unknown,
}

/// The controlling owner of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Its kind, such as `ReplicaSet`.
    pub kind: Name,
    /// Its name.
    pub name: Name,
}

/// The protocol of a host port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP, the default.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A port of the node that a container wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The address it binds; `0.0.0.0` is all of them.
    pub ip: Name,
    /// The protocol.
    pub protocol: Protocol,
    /// The port, never 0.
    pub port: u16,
}

/// The images a pod uses, each as often as it is used, by the names under which nodes list them: with
/// the tag `latest` where the pod gives neither tag nor digest (upstream: `normalizedImageName`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodImages {
    /// Those of its containers and init containers, one for each.
    pub containers: Box<[Name]>,
    /// Those it mounts as image volumes.
    pub volumes: Box<[Name]>,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Namespace and name.
    pub key: PodKey,
    /// UID.
    pub uid: PodUid,
    /// How new this reading of the object is.
    pub version: Version,
    /// `metadata.generation`, for the condition's `observedGeneration`.
    pub generation: i64,
    /// Labels.
    pub labels: Labels,
    /// Annotations of ours (`kubectl-edge.dev/…`); others are not kept.
    pub annotations: Labels,
    /// The controlling owner.
    pub owner: Option<Owner>,
    /// Which scheduler is asked.
    pub scheduler_name: Name,
    /// Priority; higher goes first.
    pub priority: i32,
    /// Whether other pods may be taken away for it (`preemptionPolicy` is not `Never`).
    pub preempts: bool,
    /// Where it is bound, if it is.
    pub node: Option<NodeName>,
    /// Where it is to go when others have made room (`status.nominatedNodeName`).
    pub nominated_node: Option<NodeName>,
    /// When the kubelet took it up; none before that.
    pub started: Option<Timestamp>,
    /// Phase.
    pub phase: Phase,
    /// Whether its deletion has begun.
    pub terminating: bool,
    /// Whether its condition says that a scheduler takes it away for a pod of higher priority.
    pub preempted: bool,
    /// Names of its scheduling gates.
    pub gates: Box<[Name]>,
    /// What it requests in all, overhead included (upstream: `component-helpers/resource.PodRequests`).
    pub requests: Resources,
    /// Its limits, if it has any: for metrics alone (upstream: `component-helpers/resource.PodLimits`).
    pub limits: Option<Box<Resources>>,
    /// What it takes of a node for scoring.
    pub non_zero: NonZeroRequest,
    /// What it asks for when NodeResourcesFit scores it: as upstream, what the pod requests as a whole is
    /// left out there, and its containers' requests count in its place.
    pub scored: NonZeroRequest,
    /// Host ports.
    pub ports: Box<[HostPort]>,
    /// `spec.nodeSelector`.
    pub node_selector: Labels,
    /// `spec.affinity.nodeAffinity`.
    pub node_affinity: NodeAffinity,
    /// `spec.affinity.podAffinity` and `podAntiAffinity`, if it has any.
    pub pod_affinity: Option<Arc<PodAffinity>>,
    /// `spec.topologySpreadConstraints`.
    pub spread: Arc<[SpreadConstraint]>,
    /// Tolerations.
    pub tolerations: Box<[Toleration]>,
    /// The images it uses.
    pub images: PodImages,
    /// Its virtual machine interfaces.
    pub vmis: Vmis,
    /// The volumes that its place depends on, in its order.
    pub volumes: Box<[PodVolume]>,
    /// Features of a node that it can't do without.
    pub features: NodeFeatures,
    /// What it asks for that this scheduler can't honour yet; such a pod is refused, never bound wrongly.
    pub unsupported: Option<&'static str>,
}

// === impl Version ===

impl Version {
    /// The version of an object that carries none: neither older nor newer than another.
    pub const UNKNOWN: Self = Self(u64::MAX);

    /// Whether this reading is older than `other`.
    pub fn is_older_than(self, other: Self) -> bool {
        self != Self::UNKNOWN && other != Self::UNKNOWN && self < other
    }
}

// === impl Phase ===

impl Phase {
    /// Whether the pod has ended and so uses nothing any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

// === impl Pod ===

impl Pod {
    /// A pending pod that asks for nothing, to be filled in by struct update.
    pub fn pending(namespace: &str, name: &str) -> Self {
        Self {
            key: PodKey::new(namespace, name),
            uid: PodUid::new(format!("{namespace}/{name}")),
            version: Version::UNKNOWN,
            generation: 1,
            labels: Labels::default(),
            annotations: Labels::default(),
            owner: None,
            scheduler_name: "edge-scheduler".into(),
            priority: 0,
            preempts: true,
            node: None,
            nominated_node: None,
            started: None,
            phase: Phase::Pending,
            terminating: false,
            preempted: false,
            gates: Box::default(),
            requests: Resources::default(),
            limits: None,
            non_zero: NonZeroRequest::default(),
            scored: NonZeroRequest::default(),
            ports: Box::default(),
            node_selector: Labels::default(),
            node_affinity: NodeAffinity::default(),
            pod_affinity: None,
            spread: Arc::default(),
            tolerations: Box::default(),
            images: PodImages::default(),
            vmis: Vmis::ONE,
            volumes: Box::default(),
            features: NodeFeatures::default(),
            unsupported: None,
        }
    }

    /// Whether the pod tolerates `taint`.
    pub fn tolerates(&self, taint: &super::Taint) -> bool {
        self.tolerations.iter().any(|toleration| toleration.tolerates(taint))
    }

    /// Whether a node has every label of the pod's node selector.
    pub fn selects(&self, node: &super::Node) -> bool {
        self.node_selector.iter().all(|(key, value)| node.labels.shared(key) == Some(value))
    }

    /// Whether a node matches the pod's own node selector and required node affinity.
    pub fn admits(&self, node: &super::Node) -> bool {
        self.selects(node)
            && self.node_affinity.required.as_ref().is_none_or(|required| required.matches(node))
    }
}
