//! Lists of amounts (upstream: `ResourceList`).

use crate::model::{Bytes, MilliCpu, NonZeroRequest, Quantity, ResourceName, Resources, StorageSize};

use super::decode::{Amount, Pairs};
use super::error::Fault;
use super::intern::Interner;

/// A list of amounts as it stands in the API.
pub(super) type AmountPairs = Pairs<Amount>;

pub(super) const CPU: &str = "cpu";
pub(super) const MEMORY: &str = "memory";
const STORAGE: &str = "storage";
const EPHEMERAL_STORAGE: &str = "ephemeral-storage";
const PODS: &str = "pods";
const HUGE_PAGES: &str = "hugepages-";

/// Amounts by resource, in thousandths: upstream adds exact amounts and rounds the sum up, and the
/// API server rounds what it stores up to thousandths. An absent resource differs from one that is 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Amounts<'a>(Vec<(&'a str, i128)>);

/// Whether a resource is huge pages of some size.
pub(super) fn is_huge_pages(name: &str) -> bool {
    name.starts_with(HUGE_PAGES)
}

/// Whether pod-level resources may name this resource (upstream: `IsSupportedPodLevelResource`).
pub(super) fn is_pod_level(name: &str) -> bool {
    name == CPU || name == MEMORY || is_huge_pages(name)
}

/// Whether a resource may be overcommitted (upstream: `IsOvercommitAllowed`).
pub(super) fn is_overcommittable(name: &str) -> bool {
    (!name.contains('/') || name.contains("kubernetes.io/")) && !is_huge_pages(name)
}

/// Whether the scheduler counts a resource that isn't built in (upstream: `IsScalarResourceName`).
fn is_scalar(name: &str) -> bool {
    is_huge_pages(name)
        || name.starts_with("attachable-volumes-")
        || name.contains("kubernetes.io/")
        || (name.contains('/') && !name.starts_with("requests."))
}

fn round_up(thousandths: i128) -> i64 {
    let whole = thousandths.saturating_add(999).div_euclid(1000);
    i64::try_from(whole).unwrap_or(i64::MAX)
}

// === impl Amounts ===

impl<'a> Amounts<'a> {
    /// Checks and takes over a list.
    pub(super) fn read(pairs: &'a AmountPairs) -> Result<Self, Fault> {
        let mut amounts = Self(Vec::with_capacity(pairs.0.len()));
        for (name, Amount(amount)) in &pairs.0 {
            let amount = amount.as_ref().map_err(|problem| problem.clone().at(name))?;
            amounts.set(name, Self::exact(*amount));
        }
        Ok(amounts)
    }

    /// An amount in thousandths.
    pub(super) fn exact(amount: Quantity) -> i128 {
        let milli = amount.milli_value();
        // A thousandth is of no account in an amount too large for 64 bits of thousandths.
        if milli == i64::MAX { i128::from(amount.value()).saturating_mul(1000) } else { i128::from(milli) }
    }

    pub(super) fn of(amounts: &[(&'a str, i128)]) -> Self {
        Self(amounts.to_vec())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn retain(&mut self, keep: fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    pub(super) fn get(&self, name: &str) -> Option<i128> {
        self.0.iter().find(|(candidate, _)| *candidate == name).map(|(_, amount)| *amount)
    }

    pub(super) fn set(&mut self, name: &'a str, amount: i128) {
        self.update(name, amount, |_, new| new);
    }

    /// Takes over what isn't listed yet.
    pub(super) fn default_to(&mut self, other: &Self) {
        self.merge(other, |present, _| present);
    }

    /// Adds every amount (upstream: `addResourceList`).
    pub(super) fn add(&mut self, other: &Self) {
        self.merge(other, i128::saturating_add);
    }

    /// Raises every amount to that of `other` (upstream: `maxResourceList`).
    pub(super) fn raise_to(&mut self, other: &Self) {
        self.merge(other, Ord::max);
    }

    fn merge(&mut self, other: &Self, combine: fn(i128, i128) -> i128) {
        for (name, amount) in other.iter() {
            self.update(name, amount, combine);
        }
    }

    fn update(&mut self, name: &'a str, amount: i128, combine: fn(i128, i128) -> i128) {
        match self.0.iter_mut().find(|(candidate, _)| *candidate == name) {
            Some((_, present)) => *present = combine(*present, amount),
            None => self.0.push((name, amount)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, i128)> {
        self.0.iter().copied()
    }

    /// The size of a volume, if that is listed.
    pub(super) fn storage(&self) -> Option<StorageSize> {
        self.get(STORAGE).map(StorageSize)
    }

    /// CPU, rounded up.
    pub(super) fn cpu(&self) -> MilliCpu {
        MilliCpu(i64::try_from(self.get(CPU).unwrap_or(0)).unwrap_or(i64::MAX))
    }

    /// Memory, rounded up.
    pub(super) fn memory(&self) -> Bytes {
        Bytes(round_up(self.get(MEMORY).unwrap_or(0)))
    }

    /// CPU and memory alone.
    pub(super) fn non_zero(&self) -> NonZeroRequest {
        NonZeroRequest { cpu: self.cpu(), memory: self.memory() }
    }

    /// How many pods, if that is listed.
    pub(super) fn pods(&self) -> i64 {
        round_up(self.get(PODS).unwrap_or(0))
    }

    /// All of it, rounded up, as the scheduler counts it (upstream: `framework.Resource.Add`).
    pub(super) fn into_resources(self, interner: &mut Interner) -> Resources {
        let mut resources = Resources {
            cpu: self.cpu(),
            memory: self.memory(),
            ephemeral_storage: Bytes(round_up(self.get(EPHEMERAL_STORAGE).unwrap_or(0))),
            scalars: Vec::new(),
        };
        for (name, amount) in self.iter().filter(|(name, _)| is_scalar(name)) {
            resources.set_scalar(ResourceName::new(interner.intern(name)), round_up(amount));
        }
        resources
    }
}
