//! Resources one by one.

use crate::model::{Bytes, MilliCpu, ResourceName, Resources};

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// CPU, in milli-CPU.
    Cpu,
    /// Memory, in bytes.
    Memory,
    /// Ephemeral storage, in bytes.
    EphemeralStorage,
    /// Another resource, in its own unit.
    Scalar(ResourceName),
}

// === impl Kind ===

impl Kind {
    /// The resources that `resources` has an amount of that is not 0.
    pub(super) fn all_in(resources: &Resources) -> impl Iterator<Item = Self> {
        let plain = [Self::Cpu, Self::Memory, Self::EphemeralStorage].into_iter();
        let scalars = resources.scalars.iter().map(|(name, _)| Self::Scalar(name.clone()));
        plain.chain(scalars).filter(|kind| kind.of(resources) != 0)
    }

    /// How much of it `resources` has.
    pub fn of(&self, resources: &Resources) -> i64 {
        match self {
            Self::Cpu => resources.cpu.0,
            Self::Memory => resources.memory.0,
            Self::EphemeralStorage => resources.ephemeral_storage.0,
            Self::Scalar(name) => resources.scalar(name),
        }
    }

    /// Sets how much of it `resources` has.
    pub(super) fn set(&self, resources: &mut Resources, amount: i64) {
        match self {
            Self::Cpu => resources.cpu = MilliCpu(amount),
            Self::Memory => resources.memory = Bytes(amount),
            Self::EphemeralStorage => resources.ephemeral_storage = Bytes(amount),
            Self::Scalar(name) => resources.set_scalar(name.clone(), amount),
        }
    }
}
