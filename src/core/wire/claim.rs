//! A PersistentVolumeClaim as the API has it.

use serde::Deserialize;

use crate::model::{AccessModes, Claim, ClaimKey, Name, NodeName};

use super::amount::{AmountPairs, Amounts};
use super::decode::{Pairs, or_default};
use super::error::{Fault, Problem, WireError};
use super::intern::Interner;
use super::meta::{Identity, Meta};
use super::selector::LabelSelectorObject;

const MODES: &str = "ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod";
const VOLUME_MODES: &str = "Filesystem, Block";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// A PersistentVolumeClaim as the API has it; only what placing needs is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClaimObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta<Pairs<String>>,
    #[serde(deserialize_with = "or_default")]
    spec: ClaimSpec,
    #[serde(deserialize_with = "or_default")]
    status: PhaseStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClaimSpec {
    #[serde(deserialize_with = "or_default")]
    access_modes: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    resources: ClaimResources,
    selector: Option<LabelSelectorObject>,
    storage_class_name: Option<String>,
    volume_attributes_class_name: Option<String>,
    volume_mode: Option<String>,
    volume_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ClaimResources {
    requests: AmountPairs,
}

/// A status of which only the phase is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PhaseStatus {
    pub(super) phase: Option<String>,
}

// === impl ClaimObject ===

impl ClaimObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and turns it into a claim.
    pub fn into_claim(self, interner: &mut Interner) -> Result<Claim, WireError> {
        self.read(interner).map_err(|fault| {
            let name = self.metadata.name.as_deref().unwrap_or("(unnamed)");
            fault.of("persistentvolumeclaim", format!("{}/{name}", self.metadata.namespace_or_default()))
        })
    }

    fn read(&self, interner: &mut Interner) -> Result<Claim, Fault> {
        let Self { metadata, spec, status } = self;
        let key = ClaimKey {
            namespace: interner.intern(metadata.namespace_or_default()),
            name: interner.intern(metadata.required_name()?),
        };
        let requests = Amounts::read(&spec.resources.requests)
            .map_err(|fault| fault.under(format_args!("spec.resources.requests")))?;
        let selector = spec.selector.as_ref().map(|selector| selector.read(interner)).transpose();
        let annotation = |key: &str| annotation(&metadata.annotations, key);
        Ok(Claim {
            uid: metadata.uid_or(|| key.to_string()),
            version: metadata.version(),
            terminating: metadata.is_terminating(),
            controller: metadata.controller_uid(),
            class: class(&metadata.annotations, spec.storage_class_name.as_deref(), interner),
            volume: name(spec.volume_name.as_deref(), interner),
            lost: status.phase.as_deref() == Some("Lost"),
            annotated: !metadata.annotations.0.is_empty(),
            bind_completed: annotation(BIND_COMPLETED).is_some(),
            selected_node: annotation(SELECTED_NODE).map(|node| NodeName::new(interner.intern(node))),
            access_modes: access_modes(&spec.access_modes)?,
            requested: requests.storage(),
            selector: selector.map_err(|fault| fault.under(format_args!("spec.selector")))?,
            block: is_block(spec.volume_mode.as_deref())?,
            attributes_class: interner.intern(spec.volume_attributes_class_name.as_deref().unwrap_or("")),
            key,
        })
    }
}

/// The storage class: an annotation goes before the field (upstream:
/// `component-helpers/storage/volume.GetPersistentVolumeClaimClass`).
pub(super) fn class(annotations: &Pairs<String>, field: Option<&str>, interner: &mut Interner) -> Name {
    interner.intern(annotation(annotations, BETA_CLASS).or(field).unwrap_or(""))
}

/// The value of an annotation, if it is there.
pub(super) fn annotation<'a>(annotations: &'a Pairs<String>, key: &str) -> Option<&'a str> {
    annotations.0.iter().find(|(candidate, _)| candidate == key).map(|(_, value)| value.as_str())
}

/// A name; an empty one is none.
pub(super) fn name(text: Option<&str>, interner: &mut Interner) -> Option<Name> {
    text.filter(|text| !text.is_empty()).map(|text| interner.intern(text))
}

pub(super) fn access_modes(words: &[String]) -> Result<AccessModes, Fault> {
    let mut modes = AccessModes::default();
    for (idx, word) in words.iter().enumerate() {
        let known = AccessModes::WORDS.iter().find(|(known, _)| known == word);
        let Some((_, mode)) = known else {
            return Err(Problem::word(word, MODES).at(format!("spec.accessModes[{idx}]")));
        };
        modes = modes.union(*mode);
    }
    Ok(modes)
}

/// Whether a volume is a raw device; a file system unless it says so.
pub(super) fn is_block(mode: Option<&str>) -> Result<bool, Fault> {
    match mode {
        None | Some("" | "Filesystem") => Ok(false),
        Some("Block") => Ok(true),
        Some(other) => Err(Problem::word(other, VOLUME_MODES).at("spec.volumeMode")),
    }
}
