//! Amounts of resources, requested or allocatable.

use super::{Bytes, MilliCpu, ResourceName};

/// An amount of every resource. Extended resources are sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
    /// Ephemeral storage.
    pub ephemeral_storage: Bytes,
    /// Extended resources, huge pages and attachable volumes, in their own units.
    pub scalars: Vec<(ResourceName, i64)>,
}

/// CPU and memory of a pod for scoring: a container that requests none counts as 100 m and 200 MiB
/// (upstream: `pkg/scheduler/util/pod_resources.go`), so that pods without requests are spread too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NonZeroRequest {
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
}

// === impl Resources ===

impl Resources {
    /// The amount of an extended resource, 0 if it is not listed.
    pub fn scalar(&self, name: &ResourceName) -> i64 {
        match self.scalars.binary_search_by(|(candidate, _)| candidate.cmp(name)) {
            Ok(idx) => self.scalars.get(idx).map_or(0, |(_, amount)| *amount),
            Err(_) => 0,
        }
    }

    /// Sets the amount of an extended resource.
    pub fn set_scalar(&mut self, name: ResourceName, amount: i64) {
        match self.scalars.binary_search_by(|(candidate, _)| candidate.cmp(&name)) {
            Ok(idx) => {
                if let Some(entry) = self.scalars.get_mut(idx) {
                    entry.1 = amount;
                }
            }
            Err(idx) => self.scalars.insert(idx, (name, amount)),
        }
    }

    /// Adds every resource of `other`.
    pub fn add(&mut self, other: &Self) {
        self.cpu += other.cpu;
        self.memory += other.memory;
        self.ephemeral_storage += other.ephemeral_storage;
        for (name, amount) in &other.scalars {
            let sum = self.scalar(name).saturating_add(*amount);
            self.set_scalar(name.clone(), sum);
        }
    }

    /// Takes every resource of `other` away.
    pub fn subtract(&mut self, other: &Self) {
        self.cpu -= other.cpu;
        self.memory -= other.memory;
        self.ephemeral_storage -= other.ephemeral_storage;
        for (name, amount) in &other.scalars {
            let rest = self.scalar(name).saturating_sub(*amount);
            self.set_scalar(name.clone(), rest);
        }
    }

    /// How much of each resource this has more than `other`, and nothing of those that it has not.
    #[must_use]
    pub fn exceeding(&self, other: &Self) -> Self {
        let over = |amount: i64, other: i64| if amount > 0 { amount.saturating_sub(other).max(0) } else { 0 };
        let scalars =
            self.scalars.iter().map(|(name, amount)| (name.clone(), over(*amount, other.scalar(name))));
        Self {
            cpu: MilliCpu(over(self.cpu.0, other.cpu.0)),
            memory: Bytes(over(self.memory.0, other.memory.0)),
            ephemeral_storage: Bytes(over(self.ephemeral_storage.0, other.ephemeral_storage.0)),
            scalars: scalars.filter(|(_, amount)| *amount > 0).collect(),
        }
    }

    /// Whether it is nothing of any resource.
    pub fn is_nothing(&self) -> bool {
        let Self { cpu, memory, ephemeral_storage, scalars } = self;
        cpu.0 == 0
            && memory.0 == 0
            && ephemeral_storage.0 == 0
            && scalars.iter().all(|(_, amount)| *amount == 0)
    }

    /// Raises every resource to at least that of `other`.
    pub fn raise_to(&mut self, other: &Self) {
        self.cpu = self.cpu.max(other.cpu);
        self.memory = self.memory.max(other.memory);
        self.ephemeral_storage = self.ephemeral_storage.max(other.ephemeral_storage);
        for (name, amount) in &other.scalars {
            let raised = self.scalar(name).max(*amount);
            self.set_scalar(name.clone(), raised);
        }
    }
}

// === impl NonZeroRequest ===

impl NonZeroRequest {
    /// Adds `other`.
    pub fn add(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.memory += other.memory;
    }

    /// Takes `other` away.
    pub fn subtract(&mut self, other: Self) {
        self.cpu -= other.cpu;
        self.memory -= other.memory;
    }
}
