//! `metadata`.

use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::model::{Name, Owner, Version};

use super::decode::{KeptAnnotations, Pairs, Presence, or_default};
use super::error::{Fault, Problem};
use super::intern::Interner;

/// Which object it is, in a reading of which version: what even an object that can't be used still tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The namespace, empty for an object that is in none.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The UID, empty if it has none.
    pub uid: String,
    /// The resource version, empty if it has none.
    pub resource_version: String,
}

/// The part of an object's metadata that is read, with as much of its annotations as `A` keeps.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Meta<A = KeptAnnotations>
where
    A: Default,
{
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) uid: Option<String>,
    resource_version: Option<String>,
    pub(super) generation: Option<i64>,
    deletion_timestamp: Presence,
    pub(super) labels: Pairs<String>,
    pub(super) annotations: A,
    #[serde(deserialize_with = "or_default")]
    owner_references: Vec<OwnerReference>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct OwnerReference {
    kind: Option<String>,
    name: Option<String>,
    uid: Option<String>,
    controller: Option<bool>,
}

// === impl Identity ===

impl Identity {
    /// Reads the identity of any object in JSON, however wrong the rest of it is.
    pub fn of_json(object: &str) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Object {
            metadata: Metadata,
        }

        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Metadata {
            namespace: String,
            name: String,
            uid: String,
            resource_version: String,
        }

        let Object { metadata: Metadata { namespace, name, uid, resource_version } } =
            serde_json::from_str(object).unwrap_or_default();
        Self { namespace, name, uid, resource_version }
    }
}

/// `namespace/name`, or the name alone.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

// === impl Meta ===

impl<A: Default> Meta<A> {
    pub(super) fn identity(&self) -> Identity {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Identity {
            namespace: text(&self.namespace),
            name: text(&self.name),
            uid: text(&self.uid),
            resource_version: text(&self.resource_version),
        }
    }

    /// The object's name, which it must have.
    pub(super) fn required_name(&self) -> Result<&str, Fault> {
        match self.name.as_deref() {
            Some(name) if !name.is_empty() => Ok(name),
            Some(_) | None => Err(Problem::Missing.at("metadata.name")),
        }
    }

    /// The namespace; an object that names none is in `default`.
    pub(super) fn namespace_or_default(&self) -> &str {
        self.namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or("default")
    }

    /// The UID; an object from a file has none and its name stands in.
    pub(super) fn uid_or(&self, fallback: impl FnOnce() -> String) -> Name {
        match self.uid.as_deref() {
            Some(uid) if !uid.is_empty() => uid.into(),
            Some(_) | None => fallback().into(),
        }
    }

    /// How new the reading is; a version that is no integer can't be compared and counts as unknown.
    pub(super) fn version(&self) -> Version {
        let version = self.resource_version.as_deref().and_then(|version| version.parse().ok());
        version.map_or(Version::UNKNOWN, Version)
    }

    /// Whether deletion has begun.
    pub(super) fn is_terminating(&self) -> bool {
        matches!(self.deletion_timestamp, Some(IgnoredAny))
    }

    /// The object's name for a message.
    pub(super) fn name_or_unnamed(&self) -> String {
        self.name.as_deref().unwrap_or("(unnamed)").to_owned()
    }

    /// The UID of the controlling owner.
    pub(super) fn controller_uid(&self) -> Option<Name> {
        let owner = self.owner_references.iter().find(|owner| owner.controller == Some(true))?;
        owner.uid.as_deref().map(Name::from)
    }

    /// The controlling owner; other owners decide nothing here.
    pub(super) fn controller(&self, interner: &mut Interner) -> Option<Owner> {
        let owner = self.owner_references.iter().find(|owner| owner.controller == Some(true))?;
        Some(Owner {
            kind: interner.intern(owner.kind.as_deref().unwrap_or_default()),
            name: interner.intern(owner.name.as_deref().unwrap_or_default()),
        })
    }
}
