//! Claims, volumes and what else there is of storage, and disruption budgets, as data.

use edge_core::state::{Change, Event, StorageChange};
use edge_core::wire::{
    ClaimObject, CsiDriverObject, CsiNodeObject, DisruptionBudgetObject, Interner, PersistentVolumeObject,
    StorageCapacityObject, StorageClassObject, VolumeAttachmentObject,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;

/// An object of a kind of storage as it will be written, its status included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Storage(pub Value);

/// Kinds with the collections that hold them.
pub(crate) const COLLECTIONS: [(&str, &str); 8] = [
    ("StorageClass", "/apis/storage.k8s.io/v1/storageclasses"),
    ("CSIDriver", "/apis/storage.k8s.io/v1/csidrivers"),
    ("CSINode", "/apis/storage.k8s.io/v1/csinodes"),
    ("CSIStorageCapacity", "/apis/storage.k8s.io/v1/namespaces/default/csistoragecapacities"),
    ("PersistentVolume", "/api/v1/persistentvolumes"),
    ("PersistentVolumeClaim", "/api/v1/namespaces/default/persistentvolumeclaims"),
    ("VolumeAttachment", "/apis/storage.k8s.io/v1/volumeattachments"),
    ("PodDisruptionBudget", "/apis/policy/v1/namespaces/default/poddisruptionbudgets"),
];

/// A PodDisruptionBudget named by the value of the label `app` that it selects, by which so many pods may go.
pub fn budget(app: &str, allowed: u32) -> Storage {
    Storage(json!({
        "kind": "PodDisruptionBudget", "metadata": {"name": app},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": app}}},
        "status": {"disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1},
    }))
}

/// A claim of 5 GiB of this class; an empty class is none.
pub fn claim(name: &str, class: &str) -> Storage {
    Storage(json!({
        "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "resources": {"requests": {"storage": "5Gi"}}},
    }))
}

/// A free volume of 5 GiB of this class that every node reaches.
pub fn volume(name: &str, class: &str) -> Storage {
    Storage(json!({
        "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class, "capacity": {"storage": "5Gi"},
            "csi": {"driver": "csi.example.com", "volumeHandle": format!("handle-{name}")}},
        "status": {"phase": "Available"},
    }))
}

/// A class whose claims wait for their first pod. Without a provisioner no volumes are made.
pub fn waiting_class(name: &str, provisioner: Option<&str>) -> Storage {
    Storage(json!({
        "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": provisioner.unwrap_or("kubernetes.io/no-provisioner"),
        "volumeBindingMode": "WaitForFirstConsumer",
    }))
}

/// What a node can attach of a driver.
pub fn csi_node(node: &str, driver: &str, limit: Option<u32>) -> Storage {
    Storage(json!({
        "kind": "CSINode", "metadata": {"name": node},
        "spec": {"drivers": [{"name": driver, "nodeID": node, "topologyKeys": [],
            "allocatable": limit.map(|limit| json!({"count": limit}))}]},
    }))
}

/// A driver that tells how much storage there is, or doesn't.
pub fn csi_driver(name: &str, tells: bool) -> Storage {
    Storage(json!({"kind": "CSIDriver", "metadata": {"name": name}, "spec": {"storageCapacity": tells}}))
}

/// How much storage of a class the nodes with this label reach.
pub fn capacity(name: &str, class: &str, (key, value): (&str, &str), amount: &str) -> Storage {
    Storage(json!({
        "kind": "CSIStorageCapacity", "metadata": {"name": name}, "storageClassName": class,
        "nodeTopology": {"matchLabels": {key: value}}, "capacity": amount,
    }))
}

/// A volume that is attached to a node.
pub fn attachment(name: &str, volume: &str, node: &str) -> Storage {
    Storage(json!({
        "kind": "VolumeAttachment", "metadata": {"name": name},
        "spec": {"attacher": "csi.example.com", "nodeName": node, "source": {"persistentVolumeName": volume}},
    }))
}

/// What edge-scheduler is told of these objects, as the API server gave them back.
pub(crate) fn events(written: &[Value], interner: &mut Interner) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for object in written {
        let text = object.to_string();
        let change = match object["kind"].as_str().unwrap_or_default() {
            "PodDisruptionBudget" => {
                let read = serde_json::from_str::<DisruptionBudgetObject>(&text)?.into_budget(interner)?;
                events.push(Event::DisruptionBudgets(Change::Put(Box::new(read))));
                continue;
            }
            "PersistentVolumeClaim" => {
                let read = serde_json::from_str::<ClaimObject>(&text)?.into_claim(interner)?;
                StorageChange::Claims(Change::Put(Box::new(read)))
            }
            "PersistentVolume" => {
                let read = serde_json::from_str::<PersistentVolumeObject>(&text)?.into_volume(interner)?;
                StorageChange::Volumes(Change::Put(Box::new(read)))
            }
            "StorageClass" => {
                let read = serde_json::from_str::<StorageClassObject>(&text)?.into_class(interner)?;
                StorageChange::Classes(Change::Put(Box::new(read)))
            }
            "CSINode" => {
                let read = serde_json::from_str::<CsiNodeObject>(&text)?.into_csi_node(interner)?;
                StorageChange::CsiNodes(Change::Put(Box::new(read)))
            }
            "CSIDriver" => {
                let read = serde_json::from_str::<CsiDriverObject>(&text)?.into_csi_driver(interner)?;
                StorageChange::CsiDrivers(Change::Put(Box::new(read)))
            }
            "CSIStorageCapacity" => {
                let read = serde_json::from_str::<StorageCapacityObject>(&text)?.into_capacity(interner)?;
                StorageChange::Capacities(Change::Put(Box::new(read)))
            }
            _ => {
                let read =
                    serde_json::from_str::<VolumeAttachmentObject>(&text)?.into_attachment(interner)?;
                StorageChange::Attachments(Change::Put(Box::new(read)))
            }
        };
        events.push(Event::Storage(change));
    }
    Ok(events)
}

// === impl Storage ===

impl Storage {
    /// The collection that it is in.
    pub(crate) fn collection(&self) -> &'static str {
        let kind = self.0["kind"].as_str().unwrap_or_default();
        COLLECTIONS.iter().find(|(known, _)| *known == kind).map_or("/", |(_, path)| path)
    }

    /// Sets a field of the spec, or of an object that has none.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        match self.0["spec"].as_object_mut() {
            Some(spec) => _ = spec.insert(field.to_owned(), value),
            None => self.0[field] = value,
        }
        self
    }

    /// Adds an annotation.
    #[must_use]
    pub fn annotate(mut self, key: &str, value: &str) -> Self {
        self.0["metadata"]["annotations"][key] = value.into();
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.0["metadata"]["labels"][key] = value.into();
        self
    }

    /// Sets the phase of the status.
    #[must_use]
    pub fn phase(mut self, phase: &str) -> Self {
        self.0["status"]["phase"] = phase.into();
        self
    }

    /// Binds a claim to a volume.
    #[must_use]
    pub fn bound_to(self, volume: &str) -> Self {
        self.with("volumeName", volume.into())
            .annotate("pv.kubernetes.io/bind-completed", "yes")
            .phase("Bound")
    }

    /// Sets how a claim or a volume is accessed.
    #[must_use]
    pub fn access(self, mode: &str) -> Self {
        self.with("accessModes", json!([mode]))
    }

    /// Sets how large a claim wants its volume, or how large a volume is.
    #[must_use]
    pub fn size(mut self, amount: &str) -> Self {
        if self.0["kind"] == "PersistentVolume" {
            self.0["spec"]["capacity"]["storage"] = amount.into();
        } else {
            self.0["spec"]["resources"]["requests"]["storage"] = amount.into();
        }
        self
    }

    /// Lets only the nodes with this label reach a volume.
    #[must_use]
    pub fn reached_from(self, key: &str, values: &[&str]) -> Self {
        let term = crate::pod::on_label(key, "In", values);
        self.with("nodeAffinity", json!({"required": {"nodeSelectorTerms": [term]}}))
    }
}
