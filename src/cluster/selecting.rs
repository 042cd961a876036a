//! Kinds of objects of which nothing but the selector of their pods is kept.

use std::fmt::Debug;
use std::marker::PhantomData;

use edge_core::model::{LabelSelector, PodSelector, SelectorKind};
use edge_core::state::{Change, Event};
use edge_core::wire::{Identity, Interner, LabelledObject, SelectingObject, WireError};
use k8s_openapi::api::{apps, core};
use kube::Resource;
use serde::de::DeserializeOwned;

use super::object::Kind;

/// A kind that selects pods.
#[derive(Clone, Debug)]
pub(super) struct Selecting<S>(PhantomData<S>);

/// Which kind that is.
pub(super) trait Selects: Clone + Debug + Send + Sync + 'static {
    /// The kind in the API.
    type Api: Resource<DynamicType = ()>;
    /// The slim object.
    type Object: DeserializeOwned + Clone + Debug + Send;

    /// The kind in the core.
    const KIND: SelectorKind;
    /// What it is called in the log.
    const NAME: &'static str;

    /// Which object it is.
    fn identity(object: &Self::Object) -> Identity;

    /// Checks the object and keeps its selector.
    fn read(object: Self::Object, interner: &mut Interner) -> Result<PodSelector, WireError>;
}

impl<S: Selects> Kind for Selecting<S> {
    type Api = S::Api;
    type Object = S::Object;
    type Model = PodSelector;
    type Told = Event;

    const NAME: &'static str = S::NAME;
    const WITHOUT: Option<&'static str> = Some("spreading by default the pods that it selects");

    fn identity(object: &S::Object) -> Identity {
        S::identity(object)
    }

    fn read(object: S::Object, interner: &mut Interner) -> Result<PodSelector, WireError> {
        S::read(object, interner)
    }

    fn bare(identity: &Identity) -> PodSelector {
        PodSelector {
            kind: S::KIND,
            namespace: identity.namespace.as_str().into(),
            name: identity.name.as_str().into(),
            selector: LabelSelector::Nothing,
        }
    }

    fn event(change: Change<PodSelector>) -> Event {
        Event::Selectors(S::KIND, change)
    }
}

macro_rules! selecting {
    ($(#[$doc:meta])* $marker:ident, $api:ty, $object:ty, $name:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(super) enum $marker {}

        impl Selects for $marker {
            type Api = $api;
            type Object = $object;

            const KIND: SelectorKind = SelectorKind::$marker;
            const NAME: &'static str = $name;

            fn identity(object: &$object) -> Identity {
                object.identity()
            }

            fn read(object: $object, interner: &mut Interner) -> Result<PodSelector, WireError> {
                object.into_selector(SelectorKind::$marker, interner)
            }
        }
    };
}

selecting!(
    /// Services.
    Service, core::v1::Service, LabelledObject, "service"
);
selecting!(
    /// ReplicationControllers.
    ReplicationController, core::v1::ReplicationController, LabelledObject, "replicationcontroller"
);
selecting!(
    /// ReplicaSets.
    ReplicaSet, apps::v1::ReplicaSet, SelectingObject, "replicaset"
);
selecting!(
    /// StatefulSets.
    StatefulSet, apps::v1::StatefulSet, SelectingObject, "statefulset"
);
