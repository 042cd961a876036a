//! A node, as far as placing needs it.

use super::{Labels, Name, NodeFeatures, NodeName, Resources, Taint, Version};

/// A container image present on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// All names of the image: tags and digests.
    pub names: Box<[Name]>,
    /// Its size in bytes.
    pub size: i64,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// The UID of the object: a node that comes back under the same name has another one.
    pub uid: Name,
    /// How new this reading of the object is.
    pub version: Version,
    /// Its labels.
    pub labels: Labels,
    /// Annotations of ours (`kubectl-edge.dev/…`); others are not kept.
    pub annotations: Labels,
    /// Its taints.
    pub taints: Box<[Taint]>,
    /// `spec.unschedulable`: cordoned.
    pub unschedulable: bool,
    /// What its pods may request in all.
    pub allocatable: Resources,
    /// How many pods it takes.
    pub allowed_pods: i64,
    /// Images present on it.
    pub images: Box<[Image]>,
    /// Features it declares, as far as pods can require them.
    pub features: NodeFeatures,
}

// === impl Node ===

impl Node {
    /// A node without labels, taints or capacity, to be filled in by struct update.
    pub fn named(name: impl Into<Name>) -> Self {
        let name: Name = name.into();
        Self {
            uid: name.clone(),
            name: NodeName::new(name),
            version: Version::UNKNOWN,
            labels: Labels::default(),
            annotations: Labels::default(),
            taints: Box::default(),
            unschedulable: false,
            allocatable: Resources::default(),
            allowed_pods: 0,
            images: Box::default(),
            features: NodeFeatures::default(),
        }
    }
}
