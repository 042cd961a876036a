//! A namespace as the API has it.

use serde::Deserialize;

use crate::model::Namespace;

use super::decode::or_default;
use super::error::{Fault, WireError};
use super::intern::Interner;
use super::meta::{Identity, Meta};

/// A namespace as the API has it; only its labels are read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NamespaceObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
}

// === impl NamespaceObject ===

impl NamespaceObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and turns it into a namespace.
    pub fn into_namespace(self, interner: &mut Interner) -> Result<Namespace, WireError> {
        self.read(interner).map_err(|fault| {
            fault.of("namespace", self.metadata.name.as_deref().unwrap_or("(unnamed)").to_owned())
        })
    }

    fn read(&self, interner: &mut Interner) -> Result<Namespace, Fault> {
        Ok(Namespace {
            name: interner.intern(self.metadata.required_name()?),
            labels: interner.labels(&self.metadata.labels.0),
        })
    }
}
