//! A node as the API has it.

use serde::Deserialize;

use crate::model::{Image, Node, NodeFeatures, NodeName, Taint};

use super::amount::{AmountPairs, Amounts};
use super::decode::or_default;
use super::error::{Fault, WireError};
use super::intern::Interner;
use super::meta::{Identity, Meta};
use super::toleration::TaintObject;

/// A node as the API has it; only what placing needs is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
    #[serde(deserialize_with = "or_default")]
    spec: NodeSpec,
    #[serde(deserialize_with = "or_default")]
    status: NodeStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NodeSpec {
    unschedulable: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    taints: Vec<TaintObject>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeStatus {
    allocatable: AmountPairs,
    capacity: AmountPairs,
    #[serde(deserialize_with = "or_default")]
    images: Vec<ImageObject>,
    #[serde(deserialize_with = "or_default")]
    declared_features: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ImageObject {
    #[serde(deserialize_with = "or_default")]
    names: Vec<String>,
    size_bytes: Option<i64>,
}

// === impl NodeObject ===

impl NodeObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and turns it into a node.
    pub fn into_node(self, interner: &mut Interner) -> Result<Node, WireError> {
        self.read(interner).map_err(|fault| {
            fault.of("node", self.metadata.name.as_deref().unwrap_or("(unnamed)").to_owned())
        })
    }

    fn read(&self, interner: &mut Interner) -> Result<Node, Fault> {
        let Self { metadata, spec, status } = self;
        let name = metadata.required_name()?;
        let allocatable = status.allocatable()?;
        Ok(Node {
            name: NodeName::new(interner.intern(name)),
            uid: metadata.uid_or(|| name.to_owned()),
            version: metadata.version(),
            labels: interner.labels(&metadata.labels.0),
            annotations: interner.labels(&metadata.annotations.kept),
            taints: spec.taints(interner)?,
            unschedulable: spec.unschedulable.unwrap_or(false),
            allowed_pods: allocatable.pods(),
            allocatable: allocatable.into_resources(interner),
            features: status.declared_features.iter().map(|name| NodeFeatures::named(name)).collect(),
            images: status.images.iter().map(|image| image.read(interner)).collect(),
        })
    }
}

// === impl NodeSpec ===

impl NodeSpec {
    fn taints(&self, interner: &mut Interner) -> Result<Box<[Taint]>, Fault> {
        let taints = self.taints.iter().enumerate().map(|(idx, taint)| {
            taint.read(interner).map_err(|fault| fault.under(format_args!("spec.taints[{idx}]")))
        });
        taints.collect()
    }
}

// === impl NodeStatus ===

impl NodeStatus {
    /// What pods may request; a node that doesn't say offers its capacity, as the API server has it.
    fn allocatable(&self) -> Result<Amounts<'_>, Fault> {
        let (amounts, field) = if self.allocatable.0.is_empty() {
            (&self.capacity, "status.capacity")
        } else {
            (&self.allocatable, "status.allocatable")
        };
        Amounts::read(amounts).map_err(|fault| fault.under(format_args!("{field}")))
    }
}

// === impl ImageObject ===

impl ImageObject {
    fn read(&self, interner: &mut Interner) -> Image {
        Image { names: interner.names(&self.names), size: self.size_bytes.unwrap_or(0) }
    }
}
