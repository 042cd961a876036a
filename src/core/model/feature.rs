//! Features that nodes declare and pods require (upstream: `component-helpers/nodedeclaredfeatures`).

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeFeatures(u8);

// === impl NodeFeatures ===

impl NodeFeatures {
    /// A container's end can restart the whole pod.
    pub const RESTART_ALL_CONTAINERS: Self = Self(1);
    /// A pod in the host's network can have users of its own.
    pub const USER_NAMESPACES_HOST_NETWORK: Self = Self(2);

    /// The features that pods can require. Upstream's registry has more, which only an update can.
    const NAMES: [(&str, Self); 2] = [
        ("RestartAllContainersOnContainerExits", Self::RESTART_ALL_CONTAINERS),
        ("UserNamespacesHostNetworkSupport", Self::USER_NAMESPACES_HOST_NETWORK),
    ];

    /// The feature of this name; one that no pod can require is none.
    pub fn named(name: &str) -> Self {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map_or(Self::default(), |(_, feature)| *feature)
    }

    /// The features of both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all features of `other` are among these.
    pub fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Self> for NodeFeatures {
    fn from_iter<T: IntoIterator<Item = Self>>(features: T) -> Self {
        features.into_iter().fold(Self::default(), Self::with)
    }
}
