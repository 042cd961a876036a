//! Virtual machine interfaces (VMIs): what attaches a pod to a network on a DPDK node, which can host
//! only so many.

/// How many VMIs a pod has: one for each network it is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vmis {
    /// This many: none for a pod on its node's own network, else one for the cluster's network and one for
    /// each further one.
    Known(u32),
    /// The annotation that lists the further networks can't be read. Such a pod is not placed where VMIs
    /// count.
    Unreadable,
}

// === impl Vmis ===

impl Vmis {
    /// A pod in the cluster's network alone.
    pub const ONE: Self = Self::Known(1);

    /// How many VMIs the pod takes of the node it is on. Where the list of further networks can't be read
    /// none of them can be attached either, so that the cluster's remains.
    pub fn taken(self) -> u32 {
        match self {
            Self::Known(count) => count,
            Self::Unreadable => 1,
        }
    }

    /// Whether the pod asks for networks beside the cluster's.
    pub fn asks_for_more(self) -> bool {
        match self {
            Self::Known(count) => count > 1,
            Self::Unreadable => true,
        }
    }
}

impl Default for Vmis {
    fn default() -> Self {
        Self::ONE
    }
}
