//! Nodes that are not well, and what on them waits for somebody.

use std::collections::BTreeMap;

use edge_core::model::{Node, Pod};
use edge_core::placement::{NodeSlot, is_backup};
use edge_core::state::{CONFIRMED_ANNOTATION, FENCED_ANNOTATION, Fate, OUT_OF_SERVICE, is_healed};
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::told::{News, Verdict};
use crate::cluster::{Cluster, Gaps};
use crate::failure::Failure;
use crate::world::{Served, World, list};

/// A node that is not well.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unwell {
    pub(super) node: String,
    #[serde(skip)]
    pub(super) uid: String,
    pub(super) verdict: Verdict,
    /// Why nothing is done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frozen: Option<String>,
    /// When its kubelet renewed its Lease last, by that machine's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lease_renewed: Option<Timestamp>,
    /// Whether somebody confirmed that it is off, and its Lease was not renewed since.
    pub(super) confirmed: bool,
    /// Whether it is tainted as out of service, or will be: somebody said that it stays off.
    pub(super) fenced: bool,
    /// How many pods may be started elsewhere without a fence.
    pub(super) stateless: usize,
    /// Pods that wait for somebody.
    pub(super) pods: Vec<Waiting>,
}

/// A pod that waits for somebody.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Waiting {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) waits_for: Wait,
    pub(super) why: String,
}

/// What a pod waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Wait {
    /// Somebody says that the node is off.
    Confirmation,
    /// Somebody says that the node is off and stays off, so that there can't be two of it.
    Fence,
    /// It may not go; somebody has to see to it.
    Decision,
}

/// A Lease of a node.
#[derive(Deserialize)]
struct Lease {
    metadata: LeaseMeta,
    #[serde(default)]
    spec: LeaseSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseMeta {
    name: String,
    resource_version: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LeaseSpec {
    renew_time: Option<Timestamp>,
}

/// Where kubelets keep their Leases.
pub(super) const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
/// Why there must never be two of a pod that nothing controls.
const BARE: &str = "it has no controller";
/// Taints that a node gets that is not heard of (upstream: `core/v1.TaintNode…`).
const UNHEARD: [&str; 2] = ["node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"];

// === impl Wait ===

impl Wait {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Fence => "fence",
            Self::Decision => "decision",
        }
    }
}

/// Reads which nodes are not well, and their pods.
pub(super) async fn unwell(
    cluster: &Cluster,
    world: &World,
    served: &Served,
    gaps: &mut Gaps,
) -> Result<Vec<Unwell>, Failure> {
    let news = News::read(cluster, gaps).await?;
    let leases = list::<Lease>(cluster, LEASES).await;
    let leases =
        gaps.allow(cluster, leases, "list leases in kube-node-lease", "when nodes were last heard of")?;
    let leases = leases.unwrap_or_default().into_iter().flatten();
    let leases: BTreeMap<String, Lease> = leases.map(|it| (it.metadata.name.clone(), it)).collect();
    let mut found: Vec<Unwell> = world
        .snapshot
        .nodes
        .iter()
        .filter_map(|view| {
            let lease = leases.get(view.node.name.as_str());
            of_node(world, served, &news, view.slot, view.node, lease)
        })
        .collect();
    found.sort_by(|a, b| a.node.cmp(&b.node));
    Ok(found)
}

/// How it is with a node; none if nothing says that it is not well.
fn of_node(
    world: &World,
    served: &Served,
    news: &News,
    slot: NodeSlot,
    node: &Node,
    lease: Option<&Lease>,
) -> Option<Unwell> {
    let is_tainted = |keys: &[&str]| node.taints.iter().any(|taint| keys.contains(&&*taint.key));
    let (verdict, frozen) = match news.nodes.get(&*node.uid) {
        Some(told) => (told.verdict, told.frozen.clone()),
        None if is_tainted(&UNHEARD) => (Verdict::NotReady, None),
        None => return None,
    };
    let says = |key| {
        let version = node.annotations.get(key);
        lease.is_some_and(|lease| version == Some(&*lease.metadata.resource_version))
    };
    let stays_off = says(FENCED_ANNOTATION);
    let confirmed = stays_off || says(CONFIRMED_ANNOTATION);
    let mut unwell = Unwell {
        node: node.name.to_string(),
        uid: node.uid.to_string(),
        verdict,
        frozen: frozen.filter(|_| !confirmed),
        lease_renewed: lease.and_then(|lease| lease.spec.renew_time),
        confirmed,
        fenced: stays_off || is_tainted(&[OUT_OF_SERVICE]),
        stateless: 0,
        pods: Vec::new(),
    };
    let pods = world.snapshot.nodes.get(slot).map(|view| view.usage.pods.clone()).unwrap_or_default();
    for pod in pods.iter().filter(|pod| served.has(&pod.scheduler_name) && is_healed(pod)) {
        unwell.take_in(pod, Fate::of(pod, &world.snapshot), news);
    }
    unwell.pods.sort_by(|a, b| (&a.namespace, &a.pod).cmp(&(&b.namespace, &b.pod)));
    Some(unwell)
}

// === impl Unwell ===

impl Unwell {
    fn take_in(&mut self, pod: &Pod, fate: Fate, news: &News) {
        if pod.terminating || is_backup(pod) || fate == Fate::Stays {
            return;
        }
        let refused = news.refused.get(pod.uid.as_str());
        self.stateless += usize::from(fate > Fate::AfterFencing);
        let wait = match (fate, &self.frozen) {
            _ if self.verdict == Verdict::Returning => None,
            _ if refused.is_some() => refused.map(|why| (Wait::Decision, why.clone())),
            (Fate::AfterFencing, _) if self.verdict == Verdict::Suspect => None,
            (Fate::AfterFencing, _) if !self.fenced => Some((Wait::Fence, why_alone(pod))),
            (_, Some(why)) => Some((Wait::Confirmation, format!("frozen: {why}"))),
            (_, None) => None,
        };
        self.pods.extend(wait.map(|(waits_for, why)| Waiting {
            namespace: pod.key.namespace.to_string(),
            pod: pod.key.name.to_string(),
            waits_for,
            why,
        }));
    }

    /// How many pods wait for a fence that nothing would make anew.
    pub(super) fn bare(&self) -> usize {
        self.pods.iter().filter(|it| it.waits_for == Wait::Fence && it.why == BARE).count()
    }

    /// How many pods wait for this.
    pub(super) fn count(&self, wait: Wait) -> usize {
        self.pods.iter().filter(|it| it.waits_for == wait).count()
    }
}

/// Why there must never be two of a pod.
fn why_alone(pod: &Pod) -> String {
    match pod.owner.as_ref().map(|owner| &*owner.kind) {
        None => BARE.to_owned(),
        Some("ReplicaSet") => "its volume is for one node at a time".to_owned(),
        Some("Job") => "of a Job".to_owned(),
        Some(kind) => format!("of a {kind}"),
    }
}
