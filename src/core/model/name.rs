//! Names, each a type of its own so that a node is never taken for a pod.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Any other name (a namespace, a scheduler, a label): shared text that is cheap to clone.
pub type Name = Arc<str>;

/// The name of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Name);

/// The UID of a pod: unlike its name it is never used twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodUid(Name);

/// The name of a resource other than CPU, memory and ephemeral storage, such as `example.com/gpu`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName(Name);

/// Namespace and name of a pod, printed as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodKey {
    /// The pod's namespace.
    pub namespace: Name,
    /// The pod's name in that namespace.
    pub name: Name,
}

// === impl PodKey ===

impl PodKey {
    /// The key of pod `name` in `namespace`.
    pub fn new(namespace: impl Into<Name>, name: impl Into<Name>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for PodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            /// Wraps the name.
            pub fn new(name: impl Into<Name>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }
    };
}

name_type!(NodeName);
name_type!(PodUid);
name_type!(ResourceName);
