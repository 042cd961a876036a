//! The nouns of the scheduler, free of any wire format.

mod affinity;
mod budget;
mod feature;
mod label;
mod name;
mod namespace;
mod node;
mod pod;
mod quantity;
mod resource;
mod selector;
mod storage;
mod taint;
mod time;
mod timestamp;
mod unit;
mod vmi;
mod volume;

pub use affinity::{NodeAffinity, NodeSelector, NodeSelectorTerm, PreferredTerm, Requirement, RequirementOp};
pub use budget::DisruptionBudget;
pub use feature::NodeFeatures;
pub use label::{Labels, is_label_value};
pub use name::{Name, NodeName, PodKey, PodUid, ResourceName};
pub use namespace::Namespace;
pub use node::{Image, Node};
pub use pod::{HostPort, Owner, Phase, Pod, PodImages, Protocol, Version};
pub use quantity::{Quantity, QuantityError};
pub use resource::{NonZeroRequest, Resources};
pub use selector::LabelSelector;
pub use storage::{CsiDriver, CsiNode, StorageCapacity, StorageClass, VolumeAttachment};
pub use taint::{Taint, TaintEffect, Toleration, TolerationOp};
pub use time::Time;
pub use timestamp::Timestamp;
pub use unit::{Bytes, Delay, DelayError, MilliCpu, StorageSize};
pub use vmi::Vmis;
pub use volume::{AccessModes, Claim, ClaimKey, ClaimRef, Disk, PersistentVolume, PodVolume, VolumeSource};
