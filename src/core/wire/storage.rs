//! Storage classes, CSI drivers, what nodes can attach, and how much storage there is, as the API has it.

use serde::Deserialize;

use crate::model::{
    CsiDriver, CsiNode, NodeName, Requirement, RequirementOp, StorageCapacity, StorageClass, StorageSize,
    VolumeAttachment,
};

use super::amount::Amounts;
use super::claim::{annotation, name};
use super::decode::{Amount, Pairs, or_default};
use super::error::{Fault, Problem, WireError};
use super::intern::Interner;
use super::meta::{Identity, Meta};
use super::selector::LabelSelectorObject;

const BINDING_MODES: &str = "Immediate, WaitForFirstConsumer";
const MIGRATED: &str = "storage.alpha.kubernetes.io/migrated-plugins";

/// A StorageClass as the API has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StorageClassObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
    #[serde(deserialize_with = "or_default")]
    provisioner: String,
    volume_binding_mode: Option<String>,
    #[serde(deserialize_with = "or_default")]
    allowed_topologies: Vec<TopologyTerm>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TopologyTerm {
    #[serde(deserialize_with = "or_default")]
    match_label_expressions: Vec<TopologyExpression>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct TopologyExpression {
    #[serde(deserialize_with = "or_default")]
    key: String,
    #[serde(deserialize_with = "or_default")]
    values: Vec<String>,
}

/// A CSINode as the API has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CsiNodeObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta<Pairs<String>>,
    #[serde(deserialize_with = "or_default")]
    spec: CsiNodeSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CsiNodeSpec {
    #[serde(deserialize_with = "or_default")]
    drivers: Vec<NodeDriver>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NodeDriver {
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    allocatable: Allocatable,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Allocatable {
    count: Option<i64>,
}

/// A CSIDriver as the API has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CsiDriverObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
    #[serde(deserialize_with = "or_default")]
    spec: CsiDriverSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CsiDriverSpec {
    storage_capacity: Option<bool>,
}

/// A CSIStorageCapacity as the API has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StorageCapacityObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
    #[serde(deserialize_with = "or_default")]
    storage_class_name: String,
    node_topology: Option<LabelSelectorObject>,
    capacity: Option<Amount>,
    maximum_volume_size: Option<Amount>,
}

/// A VolumeAttachment as the API has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct VolumeAttachmentObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
    #[serde(deserialize_with = "or_default")]
    spec: AttachmentSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AttachmentSpec {
    #[serde(deserialize_with = "or_default")]
    attacher: String,
    #[serde(deserialize_with = "or_default")]
    node_name: String,
    #[serde(deserialize_with = "or_default")]
    source: AttachmentSource,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AttachmentSource {
    persistent_volume_name: Option<String>,
}

// === impl StorageClassObject ===

impl StorageClassObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and turns it into a class.
    pub fn into_class(self, interner: &mut Interner) -> Result<StorageClass, WireError> {
        self.read(interner).map_err(|fault| fault.of("storageclass", self.metadata.name_or_unnamed()))
    }

    fn read(&self, interner: &mut Interner) -> Result<StorageClass, Fault> {
        let waits_for_consumer = match self.volume_binding_mode.as_deref() {
            None | Some("Immediate") => false,
            Some("WaitForFirstConsumer") => true,
            Some(other) => return Err(Problem::word(other, BINDING_MODES).at("volumeBindingMode")),
        };
        Ok(StorageClass {
            name: interner.intern(self.metadata.required_name()?),
            version: self.metadata.version(),
            provisioner: interner.intern(&self.provisioner),
            waits_for_consumer,
            allowed_topologies: self.allowed_topologies.iter().map(|term| term.read(interner)).collect(),
        })
    }
}

// === impl TopologyTerm ===

impl TopologyTerm {
    fn read(&self, interner: &mut Interner) -> Box<[Requirement]> {
        let expressions = self.match_label_expressions.iter();
        let requirements = expressions.map(|TopologyExpression { key, values }| Requirement {
            key: interner.intern(key),
            op: RequirementOp::In,
            values: interner.names(values),
        });
        requirements.collect()
    }
}

// === impl CsiNodeObject ===

impl CsiNodeObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and turns it into what a node can attach.
    pub fn into_csi_node(self, interner: &mut Interner) -> Result<CsiNode, WireError> {
        self.read(interner).map_err(|fault| fault.of("csinode", self.metadata.name_or_unnamed()))
    }

    fn read(&self, interner: &mut Interner) -> Result<CsiNode, Fault> {
        let migrated = annotation(&self.metadata.annotations, MIGRATED).unwrap_or_default().split(',');
        Ok(CsiNode {
            name: NodeName::new(interner.intern(self.metadata.required_name()?)),
            version: self.metadata.version(),
            migrated: migrated.filter(|name| !name.is_empty()).map(|name| interner.intern(name)).collect(),
            drivers: self
                .spec
                .drivers
                .iter()
                .map(|NodeDriver { name, allocatable }| (interner.intern(name), allocatable.count))
                .collect(),
        })
    }
}

// === impl CsiDriverObject ===

impl CsiDriverObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and turns it into a driver.
    pub fn into_csi_driver(self, interner: &mut Interner) -> Result<CsiDriver, WireError> {
        let name = self.metadata.required_name().map(|name| interner.intern(name));
        Ok(CsiDriver {
            name: name.map_err(|fault| fault.of("csidriver", self.metadata.name_or_unnamed()))?,
            version: self.metadata.version(),
            storage_capacity: self.spec.storage_capacity.unwrap_or(false),
        })
    }
}

// === impl StorageCapacityObject ===

impl StorageCapacityObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and turns it into an amount of storage.
    pub fn into_capacity(self, interner: &mut Interner) -> Result<StorageCapacity, WireError> {
        self.read(interner).map_err(|fault| {
            let name = self.metadata.name_or_unnamed();
            fault.of("csistoragecapacity", format!("{}/{name}", self.metadata.namespace_or_default()))
        })
    }

    fn read(&self, interner: &mut Interner) -> Result<StorageCapacity, Fault> {
        let Self { metadata, storage_class_name, node_topology, capacity, maximum_volume_size } = self;
        let topology = node_topology.as_ref().map(|selector| selector.read(interner)).transpose();
        Ok(StorageCapacity {
            namespace: interner.intern(metadata.namespace_or_default()),
            name: interner.intern(metadata.required_name()?),
            version: metadata.version(),
            class: interner.intern(storage_class_name),
            topology: topology.map_err(|fault| fault.under(format_args!("nodeTopology")))?,
            limit: match maximum_volume_size {
                Some(amount) => Some(size(amount, "maximumVolumeSize")?),
                None => capacity.as_ref().map(|amount| size(amount, "capacity")).transpose()?,
            },
        })
    }
}

fn size(amount: &Amount, field: &str) -> Result<StorageSize, Fault> {
    let amount = amount.0.as_ref().map_err(|problem| problem.clone().at(field))?;
    Ok(StorageSize(Amounts::exact(*amount)))
}

// === impl VolumeAttachmentObject ===

impl VolumeAttachmentObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and turns it into an attachment.
    pub fn into_attachment(self, interner: &mut Interner) -> Result<VolumeAttachment, WireError> {
        let Self { metadata, spec: AttachmentSpec { attacher, node_name, source } } = &self;
        let own_name = metadata.required_name();
        Ok(VolumeAttachment {
            name: own_name.map_err(|fault| fault.of("volumeattachment", metadata.name_or_unnamed()))?.into(),
            version: metadata.version(),
            attacher: interner.intern(attacher),
            node: NodeName::new(interner.intern(node_name)),
            volume: name(source.persistent_volume_name.as_deref(), interner),
        })
    }
}
