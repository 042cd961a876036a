//! The nouns of the scheduler, free of any wire format.

mod affinity;
mod label;
mod name;
mod namespace;
mod node;
mod pod;
mod quantity;
mod resource;
mod taint;
mod time;
mod timestamp;
mod unit;
mod vmi;

pub use affinity::{NodeAffinity, NodeSelector, NodeSelectorTerm, PreferredTerm, Requirement, RequirementOp};
pub use label::{Labels, is_label_value};
pub use name::{Name, NodeName, PodKey, PodUid, ResourceName};
pub use namespace::Namespace;
pub use node::{Image, Node};
pub use pod::{HostPort, Owner, Phase, Pod, PodImages, Protocol, Version};
pub use quantity::{Quantity, QuantityError};
pub use resource::{NonZeroRequest, Resources};
pub use taint::{Taint, TaintEffect, Toleration, TolerationOp};
pub use time::Time;
pub use timestamp::Timestamp;
pub use unit::{Bytes, Delay, DelayError, MilliCpu};
pub use vmi::Vmis;
