//! What is kept ready for pods whose node dies.

use std::collections::{BTreeMap, BTreeSet};

use edge_api::names::NAMESPACE;
use edge_core::cover::{Book, Covered};
use edge_core::model::{Bytes, MilliCpu, NodeName, Pod, PodUid, Resources};
use edge_core::placement::{BACKUP_NODE_ANNOTATION, BackupRule, NodeSlot, Snapshot, WantsBackup, is_backup};
use edge_core::wire::{Interner, PodObject};
use kube::Error;
use serde::Serialize;

use crate::cluster::Cluster;
use crate::world::{Served, list};

/// What is kept ready for pods whose node dies.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Backups {
    /// Placed pods that are to have a backup and have one, and all that is to be reserved there is.
    covered: usize,
    /// Those that have none, or not all of it.
    uncovered: usize,
    /// Nodes that reserve something.
    nodes: usize,
    milli_cpu: i64,
    memory_bytes: i64,
    /// Nodes on which less is reserved than is needed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    short: Vec<String>,
}

/// What is read of the cluster's pods.
#[derive(Default)]
struct Reader {
    nodes: Snapshot,
    book: Book,
    /// Pods that are to have a backup.
    wanting: Vec<PodUid>,
    /// What backups hold, by node.
    held: BTreeMap<NodeSlot, Resources>,
}

// === impl Backups ===

impl Backups {
    /// Counts as the scheduler does: what pods say of their backups, and what the backups that are there request.
    pub(super) async fn read(cluster: &Cluster, served: &Served) -> Result<Self, Error> {
        let mut reader = Reader::default();
        for name in &served.names {
            let Some(rule) = served.profile(name).backup_rule() else { continue };
            let path =
                format!("/api/v1/pods?fieldSelector=spec.schedulerName%3D{name}%2Cspec.nodeName%21%3D");
            pods(cluster, &path).await?.iter().for_each(|pod| reader.take_in(pod, rule));
        }
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
        pods(cluster, &path).await?.iter().for_each(|pod| reader.take_in_backup(pod));
        Ok(reader.count())
    }

    /// Whether there is anything to tell.
    pub(super) fn are_wanted(&self) -> bool {
        self.covered + self.uncovered > 0
    }

    /// Whether all is as it should be.
    pub(super) fn are_complete(&self) -> bool {
        self.uncovered == 0
    }

    pub(super) fn shown(&self) -> String {
        let Self { covered, uncovered, nodes, milli_cpu, memory_bytes, short } = self;
        let (all, mebibytes) = (covered + uncovered, memory_bytes >> 20);
        let nodes = if *nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
        let short = match &short[..] {
            [] => String::new(),
            [first] => format!(", too little on {first}"),
            [first, others @ ..] => format!(", too little on {first} and {} more", others.len()),
        };
        format!(
            "{covered} of {all} pods covered, {milli_cpu}m CPU and {mebibytes}Mi reserved on {nodes}{short}"
        )
    }
}

/// The pods at this path that can be read.
async fn pods(cluster: &Cluster, path: &str) -> Result<Vec<Pod>, Error> {
    let mut interner = Interner::default();
    let objects = list::<PodObject>(cluster, path).await?.into_iter().flatten();
    Ok(objects.filter_map(|object| object.into_pod(&mut interner).ok()).collect())
}

// === impl Reader ===

impl Reader {
    fn slot(&mut self, name: &NodeName) -> NodeSlot {
        self.nodes.nodes.slot_of(name)
    }

    fn take_in(&mut self, pod: &Pod, rule: BackupRule) {
        let Some(primary) = pod.node.as_ref().map(|node| self.slot(node)) else { return };
        if pod.terminating || pod.phase.is_terminal() || rule.wants(pod) != WantsBackup::Yes {
            return;
        }
        self.wanting.push(pod.uid.clone());
        let told = pod.annotations.get(BACKUP_NODE_ANNOTATION).map(NodeName::from);
        if let Some(backup) = told.map(|name| self.slot(&name)).filter(|backup| *backup != primary) {
            let covered = Covered { primary, backup, demand: pod.requests.clone() };
            self.book.put(pod.uid.clone(), covered);
        }
    }

    fn take_in_backup(&mut self, pod: &Pod) {
        let Some(slot) = pod.node.as_ref().map(|node| self.slot(node)) else { return };
        if is_backup(pod) && !pod.terminating && !pod.phase.is_terminal() {
            self.held.entry(slot).or_default().add(&pod.requests);
        }
    }

    fn count(self) -> Backups {
        let nothing = Resources::default();
        let is_short = |slot: &NodeSlot| {
            let held = self.held.get(slot).unwrap_or(&nothing);
            !self.book.reserve(*slot).exceeding(held).is_nothing()
        };
        let short: BTreeSet<NodeSlot> = self.book.backups().filter(is_short).collect();
        let is_covered = |uid: &&PodUid| self.book.of(uid).is_some_and(|it| !short.contains(&it.backup));
        let covered = self.wanting.iter().filter(is_covered).count();
        let sum = self.held.values().fold(Resources::default(), |mut sum, held| {
            sum.add(held);
            sum
        });
        let (MilliCpu(milli_cpu), Bytes(memory_bytes)) = (sum.cpu, sum.memory);
        let name = |slot: &NodeSlot| self.nodes.nodes.name(*slot).map(ToString::to_string);
        Backups {
            covered,
            uncovered: self.wanting.len() - covered,
            nodes: self.held.len(),
            milli_cpu,
            memory_bytes,
            short: short.iter().filter_map(name).collect(),
        }
    }
}
