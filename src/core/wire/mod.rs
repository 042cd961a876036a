//! Slim decoding of the API's objects: only the fields that placing needs are read.
//!
//! `PodObject` and `NodeObject` mirror the API's shape and decode from JSON (a watch) and YAML (a
//! file) alike; everything else in an object, such as `managedFields`, is skipped without being
//! built. `into_pod` and `into_node` then check what was read and turn it into the core's nouns.
//!
//! What an absent field means is what the API server would have made of it, so that an object from
//! a file means the same as one that went through the server. For one that did, this changes nothing.

mod affinity;
mod amount;
mod budget;
mod claim;
mod condition;
mod decode;
mod error;
mod intern;
mod meta;
mod namespace;
mod networks;
mod node;
mod node_delays;
mod persistent_volume;
mod pod;
mod pod_affinity;
mod ports;
mod requests;
mod selector;
mod spread;
mod storage;
#[cfg(test)]
mod tests;
mod timestamp;
mod toleration;
mod unsupported;
mod volume;

pub use affinity::NodeAffinityObject;
pub use budget::DisruptionBudgetObject;
pub use claim::ClaimObject;
pub use error::{Problem, WireError};
pub use intern::Interner;
pub use meta::Identity;
pub use namespace::NamespaceObject;
pub use node::NodeObject;
pub use node_delays::{NodeDelays, NodeDelaysObject, SpecDigest};
pub use persistent_volume::PersistentVolumeObject;
pub use pod::PodObject;
pub use selector::{LabelledObject, SelectingObject};
pub use storage::{
    CsiDriverObject, CsiNodeObject, StorageCapacityObject, StorageClassObject, VolumeAttachmentObject,
};
