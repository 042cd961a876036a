//! The cluster as the scheduler's core sees it, read once.
//!
//! What is told about a pod here is told by the very functions that place it, so it can't differ from what a
//! scheduler of the same version does.

pub(crate) mod events;
mod judge;
mod lists;
mod measured;
mod moves;
mod reports;
mod served;

pub(crate) use judge::{Judgement, Miss, ScoredNode, relaxed};
pub(crate) use lists::list;
pub(crate) use measured::{Cell, Freshness, Measured, Pair, Statistic};
pub(crate) use moves::Moves;
pub(crate) use served::Served;

use std::sync::Arc;
use std::time::Duration;

use edge_core::cover::Covered;
use edge_core::delay::DelayTable;
use edge_core::model::{NodeName, Pod, SelectorKind, Time};
use edge_core::placement::{BACKUP_NODE_ANNOTATION, NodeSlot, Snapshot};
use edge_core::wire::{
    ClaimObject, CsiDriverObject, CsiNodeObject, DisruptionBudgetObject, Interner, LabelledObject,
    NamespaceObject, NodeObject, PersistentVolumeObject, PodObject, SelectingObject, StorageCapacityObject,
    StorageClassObject, VolumeAttachmentObject, WireError,
};
use serde::de::DeserializeOwned;

use crate::cluster::{Cluster, Gaps};
use crate::failure::Failure;
use reports::Reports;

/// The cluster.
pub(crate) struct World {
    /// What pods are judged against.
    pub(crate) snapshot: Snapshot,
    /// Pods that have no node yet.
    pub(crate) waiting: Vec<Pod>,
    /// What was measured between nodes.
    pub(crate) measured: Measured,
    /// Shares equal texts.
    pub(crate) interner: Interner,
    /// Objects that can't be read, each with the reason.
    pub(crate) unreadable: Vec<String>,
}

/// Reads objects of one kind into the world.
struct Reader<'a> {
    cluster: &'a Cluster,
    gaps: &'a mut Gaps,
    world: &'a mut World,
}

/// When it is, as the core counts time: so long after its origin that whatever is told lies behind it.
fn now() -> Time {
    const AFTER: Duration = Duration::from_hours(24 * 365 * 100);
    Time::from_origin(AFTER)
}

// === impl World ===

impl World {
    /// Reads everything that the scheduler watches. What is forbidden is a gap; nodes and pods are needed.
    pub(crate) async fn read(cluster: &Cluster, served: &Served, gaps: &mut Gaps) -> Result<Self, Failure> {
        let mut world = Self {
            snapshot: Snapshot { delays: DelayTable::new(served.rules.clone()), ..Snapshot::default() },
            waiting: Vec::new(),
            measured: Measured::default(),
            interner: Interner::default(),
            unreadable: Vec::new(),
        };
        let mut reader = Reader { cluster, gaps, world: &mut world };
        reader.nodes_and_pods().await?;
        let reports = Reports::read(cluster, gaps).await?;
        reports.tell(&mut world);
        world.measured = reports.measured(&served.rules);
        let mut reader = Reader { cluster, gaps, world: &mut world };
        reader.others().await?;
        reader.storage().await?;
        Ok(world)
    }

    fn put_pod(&mut self, pod: Pod) {
        if pod.phase.is_terminal() {
            return;
        }
        match &pod.node {
            Some(node) => {
                let slot = self.snapshot.nodes.slot_of(node);
                self.put_cover(&pod, slot);
                self.snapshot.add_pod(&Arc::new(pod), slot);
            }
            None => self.waiting.push(pod),
        }
    }
}

impl World {
    /// Where the pod says that its backup is.
    fn put_cover(&mut self, pod: &Pod, primary: NodeSlot) {
        let told = pod.annotations.get(BACKUP_NODE_ANNOTATION).filter(|_| !pod.terminating);
        let backup = told.map(|name| self.snapshot.nodes.slot_of(&NodeName::from(name)));
        if let Some(backup) = backup.filter(|backup| *backup != primary) {
            let covered = Covered { primary, backup, demand: pod.requests.clone() };
            self.snapshot.backups.book.put(pod.uid.clone(), covered);
        }
    }
}

// === impl Reader ===

impl Reader<'_> {
    async fn nodes_and_pods(&mut self) -> Result<(), Failure> {
        self.kind("/api/v1/nodes", "list nodes", "nodes", NodeObject::into_node, |world, node| {
            world.snapshot.nodes.put(node);
        })
        .await?;
        self.kind(
            "/api/v1/pods",
            "list pods in all namespaces",
            "what they use",
            PodObject::into_pod,
            World::put_pod,
        )
        .await
    }

    async fn others(&mut self) -> Result<(), Failure> {
        let namespaces = "/api/v1/namespaces";
        self.kind(
            namespaces,
            "list namespaces",
            "their labels",
            NamespaceObject::into_namespace,
            |world, it| {
                world.snapshot.namespaces.insert(it.name, it.labels);
            },
        )
        .await?;
        let budgets = "/apis/policy/v1/poddisruptionbudgets";
        let read = DisruptionBudgetObject::into_budget;
        self.kind(budgets, "list poddisruptionbudgets", "preemption's care for them", read, |world, it| {
            world.snapshot.budgets.put(it);
        })
        .await?;
        for (path, kind) in [
            ("/api/v1/services", SelectorKind::Service),
            ("/api/v1/replicationcontrollers", SelectorKind::ReplicationController),
        ] {
            let read = |it: LabelledObject, interner: &mut Interner| it.into_selector(kind, interner);
            self.selectors(path, read).await?;
        }
        for (path, kind) in [
            ("/apis/apps/v1/replicasets", SelectorKind::ReplicaSet),
            ("/apis/apps/v1/statefulsets", SelectorKind::StatefulSet),
        ] {
            let read = |it: SelectingObject, interner: &mut Interner| it.into_selector(kind, interner);
            self.selectors(path, read).await?;
        }
        Ok(())
    }

    async fn selectors<T: DeserializeOwned>(
        &mut self,
        path: &str,
        read: impl Fn(T, &mut Interner) -> Result<edge_core::model::PodSelector, WireError>,
    ) -> Result<(), Failure> {
        let needs = format!("list {}", path.rsplit('/').next().unwrap_or_default());
        self.kind(path, &needs, "spreading by them", read, |world, it| {
            world.snapshot.selectors.put(it);
        })
        .await
    }

    async fn storage(&mut self) -> Result<(), Failure> {
        macro_rules! storage {
            ($($path:literal, $object:ident, $read:ident, $table:ident;)*) => {$({
                let path = $path;
                let needs = format!("list {}", path.rsplit('/').next().unwrap_or_default());
                self.kind(path, &needs, "what it means to pods with volumes", $object::$read, |world, it| {
                    world.snapshot.volumes.$table.put(Arc::new(it));
                })
                .await?;
            })*};
        }
        storage! {
            "/api/v1/persistentvolumeclaims", ClaimObject, into_claim, claims;
            "/api/v1/persistentvolumes", PersistentVolumeObject, into_volume, volumes;
            "/apis/storage.k8s.io/v1/storageclasses", StorageClassObject, into_class, classes;
            "/apis/storage.k8s.io/v1/csinodes", CsiNodeObject, into_csi_node, csi_nodes;
            "/apis/storage.k8s.io/v1/csidrivers", CsiDriverObject, into_csi_driver, drivers;
            "/apis/storage.k8s.io/v1/csistoragecapacities", StorageCapacityObject, into_capacity, capacities;
            "/apis/storage.k8s.io/v1/volumeattachments", VolumeAttachmentObject, into_attachment, attachments;
        }
        Ok(())
    }

    /// All objects of a kind. One that can't be read is passed over and named.
    async fn kind<T: DeserializeOwned, M>(
        &mut self,
        path: &str,
        needs: &str,
        left_out: &str,
        read: impl Fn(T, &mut Interner) -> Result<M, WireError>,
        put: impl Fn(&mut World, M),
    ) -> Result<(), Failure> {
        let listed = list::<T>(self.cluster, path).await;
        let Some(listed) = self.gaps.allow(self.cluster, listed, needs, left_out)? else { return Ok(()) };
        for object in listed {
            let read = object
                .map_err(|error| format!("{path}: {error}"))
                .and_then(|object| read(object, &mut self.world.interner).map_err(|error| error.to_string()));
            match read {
                Ok(model) => put(self.world, model),
                Err(error) => self.world.unreadable.push(error),
            }
        }
        Ok(())
    }
}
