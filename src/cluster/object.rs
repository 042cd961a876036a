//! Objects as they come from the API server: decoded slimly, and never a reason to stop.

use std::borrow::Cow;
use std::fmt::Debug;

use edge_core::model::{DisruptionBudget, LabelSelector, Labels, Namespace, Node, Pod, PodUid};
use edge_core::state::{Change, Event};
use edge_core::wire::{
    DisruptionBudgetObject, Identity, Interner, NamespaceObject, NodeObject, PodObject, WireError,
};
use k8s_openapi::api::core::v1;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

/// A kind of object that the core knows.
pub(super) trait Kind: Clone + Debug + Send + Sync + 'static {
    /// The kind in the API, which tells paths and names.
    type Api: Resource<DynamicType = ()>;
    /// The slim object.
    type Object: DeserializeOwned + Clone + Debug + Send;
    /// What the core makes of it.
    type Model: Send;
    /// What is told of it, and so to whom.
    type Told: Send;

    /// What it is called in the log.
    const NAME: &'static str;

    /// What the scheduler does without if it may not watch the kind, which then counts as empty; none if it
    /// does nothing without it.
    const WITHOUT: Option<&'static str>;

    /// Which object it is.
    fn identity(object: &Self::Object) -> Identity;

    /// Checks the object.
    fn read(object: Self::Object, interner: &mut Interner) -> Result<Self::Model, WireError>;

    /// An object of which nothing is known but which one it is.
    fn bare(identity: &Identity) -> Self::Model;

    /// What is told.
    fn event(change: Change<Self::Model>) -> Self::Told;
}

/// Pods.
#[derive(Clone, Debug)]
pub(super) enum Pods {}

/// Nodes.
#[derive(Clone, Debug)]
pub(super) enum Nodes {}

/// Namespaces.
#[derive(Clone, Debug)]
pub(super) enum Namespaces {}

/// PodDisruptionBudgets.
#[derive(Clone, Debug)]
pub(super) enum DisruptionBudgets {}

/// An object as it came in. One that can't be decoded is a value like any other, so that it can be skipped
/// where an error would end the watch or fail the whole list.
#[derive(Clone, Debug)]
pub(super) struct Received<K: Kind> {
    /// The watch's place in the stream of changes; nothing else of it is filled in.
    meta: ObjectMeta,
    object: Result<Box<K::Object>, Undecodable>,
}

/// An object that can't be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Undecodable {
    /// Which it is.
    pub(super) identity: Identity,
    /// What is wrong with it.
    pub(super) error: String,
}

// === impl Received ===

impl<K: Kind> Received<K> {
    fn decode(json: &str) -> Self {
        match serde_json::from_str::<K::Object>(json) {
            Ok(object) => {
                let resource_version = Some(K::identity(&object).resource_version);
                Self {
                    meta: ObjectMeta { resource_version, ..ObjectMeta::default() },
                    object: Ok(object.into()),
                }
            }
            Err(error) => {
                let identity = Identity::of_json(json);
                let resource_version = Some(identity.resource_version.clone());
                let object = Err(Undecodable { identity, error: error.to_string() });
                Self { meta: ObjectMeta { resource_version, ..ObjectMeta::default() }, object }
            }
        }
    }

    /// Which object it is.
    pub(super) fn identity(&self) -> Identity {
        match &self.object {
            Ok(object) => K::identity(object),
            Err(undecodable) => undecodable.identity.clone(),
        }
    }

    /// What the core makes of it.
    pub(super) fn read(self, interner: &mut Interner) -> Result<K::Model, Undecodable> {
        let object = self.object?;
        let identity = K::identity(&object);
        K::read(*object, interner).map_err(|error| Undecodable { identity, error: error.to_string() })
    }
}

impl<'de, K: Kind> Deserialize<'de> for Received<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self::decode(raw.get()))
    }
}

impl<K: Kind> Resource for Received<K> {
    type DynamicType = ();
    type Scope = <K::Api as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::Api::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::Api::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::Api::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::Api::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

// === impl Pods ===

impl Kind for Pods {
    type Api = v1::Pod;
    type Object = PodObject;
    type Model = Pod;
    type Told = Event;

    const NAME: &'static str = "pod";
    const WITHOUT: Option<&'static str> = None;

    fn identity(object: &PodObject) -> Identity {
        object.identity()
    }

    fn read(object: PodObject, interner: &mut Interner) -> Result<Pod, WireError> {
        object.into_pod(interner)
    }

    fn bare(identity: &Identity) -> Pod {
        let uid = PodUid::from(identity.uid.as_str());
        Pod { uid, ..Pod::pending(&identity.namespace, &identity.name) }
    }

    fn event(change: Change<Pod>) -> Event {
        Event::Pods(change)
    }
}

// === impl Nodes ===

impl Kind for Nodes {
    type Api = v1::Node;
    type Object = NodeObject;
    type Model = Node;
    type Told = Event;

    const NAME: &'static str = "node";
    const WITHOUT: Option<&'static str> = None;

    fn identity(object: &NodeObject) -> Identity {
        object.identity()
    }

    fn read(object: NodeObject, interner: &mut Interner) -> Result<Node, WireError> {
        object.into_node(interner)
    }

    fn bare(identity: &Identity) -> Node {
        Node { uid: identity.uid.as_str().into(), ..Node::named(identity.name.as_str()) }
    }

    fn event(change: Change<Node>) -> Event {
        Event::Nodes(change)
    }
}

// === impl Namespaces ===

impl Kind for Namespaces {
    type Api = v1::Namespace;
    type Object = NamespaceObject;
    type Model = Namespace;
    type Told = Event;

    const NAME: &'static str = "namespace";
    const WITHOUT: Option<&'static str> = Some("namespaceSelector of pod affinity");

    fn identity(object: &NamespaceObject) -> Identity {
        object.identity()
    }

    fn read(object: NamespaceObject, interner: &mut Interner) -> Result<Namespace, WireError> {
        object.into_namespace(interner)
    }

    fn bare(identity: &Identity) -> Namespace {
        Namespace { name: identity.name.as_str().into(), labels: Labels::default() }
    }

    fn event(change: Change<Namespace>) -> Event {
        Event::Namespaces(change)
    }
}

// === impl DisruptionBudgets ===

impl Kind for DisruptionBudgets {
    type Api = PodDisruptionBudget;
    type Object = DisruptionBudgetObject;
    type Model = DisruptionBudget;
    type Told = Event;

    const NAME: &'static str = "poddisruptionbudget";
    const WITHOUT: Option<&'static str> = Some("keeping PodDisruptionBudgets in preemption");

    fn identity(object: &DisruptionBudgetObject) -> Identity {
        object.identity()
    }

    fn read(object: DisruptionBudgetObject, interner: &mut Interner) -> Result<DisruptionBudget, WireError> {
        object.into_budget(interner)
    }

    fn bare(identity: &Identity) -> DisruptionBudget {
        DisruptionBudget {
            namespace: identity.namespace.as_str().into(),
            name: identity.name.as_str().into(),
            selector: LabelSelector::default(),
            allowed: 0,
            disrupted: Box::default(),
        }
    }

    fn event(change: Change<DisruptionBudget>) -> Event {
        Event::DisruptionBudgets(change)
    }
}
