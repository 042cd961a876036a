//! `kubectl edge drill`: what would happen if a node died.

use std::sync::Arc;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use edge_core::model::{Node, NodeName, Pod, Resources, Taint, TaintEffect};
use edge_core::placement::{NodeSlot, is_backup};
use serde::Serialize;

use crate::cluster::Gaps;
use crate::commands::version::differing_versions;
use crate::completing::nodes;
use crate::failure::{Ending, Failure};
use crate::look::{Look, Mark};
use crate::session::Session;
use crate::view::{API_VERSION, Output, Report};
use crate::world::{Served, World};

/// Show what would happen to its pods if a node died; nothing is touched
///
/// Pods are placed anew by the scheduler's own code, one after the other, by priority. Covered: room is
/// kept for it by its backup. Moved: another node has room for it. Lost: nowhere, or nothing would make
/// it anew.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = EXAMPLES)]
pub(crate) struct Drill {
    /// The nodes, one after the other: each dies alone
    #[arg(value_name = "NODE", required_unless_present = "all", add = ArgValueCompleter::new(nodes))]
    nodes: Vec<String>,
    /// All nodes, one after the other
    #[arg(long, conflicts_with = "nodes")]
    all: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DrillReport {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<Death>,
}

/// What happens when a node dies.
#[derive(Serialize)]
struct Death {
    node: String,
    pods: usize,
    covered: usize,
    moved: usize,
    lost: usize,
    fates: Vec<Fate>,
}

#[derive(Serialize)]
struct Fate {
    namespace: String,
    pod: String,
    #[serde(rename = "fate")]
    is: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

const EXAMPLES: &str = "\
Exit codes: 0 no pod would be lost, 1 failed, 3 pods would be lost, 4 partial.

Examples:
  kubectl edge drill edge-3
  kubectl edge drill --all -o json";

// === impl Drill ===

impl Drill {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let cluster = session.connect().await?;
        let mut gaps = Gaps::default();
        session.talk.busy("reading nodes, pods and delays");
        let served = Served::read(&cluster, &mut gaps).await?;
        let mut world = World::read(&cluster, &served, &mut gaps).await?;
        let mut warnings = served.warnings();
        warnings.extend(world.unreadable.iter().map(|it| format!("passed over: {it}")));
        warnings.extend(differing_versions(&cluster).await);
        let names: Vec<NodeName> = if self.all {
            world.snapshot.nodes.iter().map(|node| node.node.name.clone()).collect()
        } else {
            self.nodes.iter().map(|name| NodeName::new(name.strip_prefix("node/").unwrap_or(name))).collect()
        };
        let (mut items, mut failures) = (Vec::new(), Vec::new());
        for name in names {
            match die(&mut world, &served, &name) {
                Some(death) => items.push(death),
                None => failures.push(Failure::new(format!("nodes \"{name}\" not found"))),
            }
        }
        let is_lost = items.iter().any(|death| death.lost > 0);
        let ending = if is_lost { Ending::Findings } else { Ending::Ok };
        let report = DrillReport { api_version: API_VERSION, kind: "Drill", items };
        let output = Output::ok(report).ending(ending).with_warnings(warnings);
        Ok(output.with_gaps(gaps.into_messages()).with_failures(failures))
    }
}

/// Has the node die, places its pods anew, and puts everything back.
fn die(world: &mut World, served: &Served, name: &NodeName) -> Option<Death> {
    let slot = world.snapshot.nodes.slot(name.as_str())?;
    let node = world.snapshot.nodes.get(slot)?.node.clone();
    let mut pods: Vec<Arc<Pod>> = world.snapshot.nodes.get(slot)?.usage.pods.clone();
    pods.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.key.cmp(&b.key)));
    let backups: Vec<Option<NodeSlot>> = pods.iter().map(|pod| backup(world, served, pod, slot)).collect();
    world.snapshot.nodes.put(dead(&node));
    for pod in &pods {
        world.snapshot.remove_pod(pod, slot);
    }
    let mut fates: Vec<Option<Fate>> = pods.iter().map(|pod| doomed(pod)).collect();
    let mut placed = Vec::new();
    for ((pod, backup), fate) in pods.iter().zip(backups).zip(&mut fates) {
        if let Some(backup) = backup.filter(|_| makes_anew(pod)) {
            *fate = Some(Fate::new(pod, COVERED, Some(world.name(backup).to_string()), None));
            // It is there for those that have to be near it; its room is counted as that of the backup.
            let there = Arc::new(Pod { requests: Resources::default(), ..(**pod).clone() });
            world.snapshot.add_pod(&there, backup);
            placed.push((there, backup));
        }
    }
    // A pod may have to be near one that died with it, so those that found no place are tried again when one did.
    loop {
        let before = placed.len();
        for (pod, fate) in pods.iter().zip(&mut fates).filter(|(pod, _)| makes_anew(pod)) {
            if fate.as_ref().is_none_or(|fate| fate.is == LOST) {
                *fate = Some(place_anew(world, served, pod, &mut placed));
            }
        }
        if placed.len() == before {
            break;
        }
    }
    for (pod, slot) in &placed {
        world.snapshot.remove_pod(pod, *slot);
    }
    world.snapshot.nodes.put(node);
    for pod in &pods {
        world.snapshot.add_pod(pod, slot);
    }
    let fates: Vec<Fate> = fates.into_iter().flatten().collect();
    let count = |fate: &str| fates.iter().filter(|it: &&Fate| it.is == fate).count();
    let (covered, moved, lost) = (count(COVERED), count(MOVED), count(LOST));
    Some(Death { node: name.to_string(), pods: fates.len(), covered, moved, lost, fates })
}

/// The node as the cluster has it once nothing is heard of it: it is an anchor still, but takes no pods.
fn dead(node: &Node) -> Node {
    let taint = |effect| Taint { key: UNREACHABLE.into(), value: "".into(), effect };
    let taints = node.taints.iter().cloned();
    let taints = taints.chain([TaintEffect::NoSchedule, TaintEffect::NoExecute].map(taint));
    Node { taints: taints.collect(), allowed_pods: 0, ..node.clone() }
}

/// The node of the pod's backup, if it would do.
fn backup(world: &mut World, served: &Served, pod: &Arc<Pod>, slot: NodeSlot) -> Option<NodeSlot> {
    world.backup(pod, slot, &served.profile(&pod.scheduler_name))
}

const COVERED: &str = "covered";
const MOVED: &str = "moved";
const LOST: &str = "lost";
/// What a node has that the cluster hears nothing of (upstream: `core/v1.TaintNodeUnreachable`).
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// Whether the pod is made anew elsewhere: not where it belongs to the node itself.
fn makes_anew(pod: &Pod) -> bool {
    let owner = pod.owner.as_ref().map(|owner| &*owner.kind);
    !pod.terminating && !is_backup(pod) && !matches!(owner, None | Some("DaemonSet" | "Node"))
}

/// What becomes of a pod that nothing makes anew; nothing of one that belongs to the node or is ending.
fn doomed(pod: &Pod) -> Option<Fate> {
    let is_lost = pod.owner.is_none() && !pod.terminating && !is_backup(pod);
    let why = || "nothing makes it anew: it has no controller".to_owned();
    is_lost.then(|| Fate::new(pod, LOST, None, Some(why())))
}

/// What becomes of a pod that is made anew.
fn place_anew(world: &mut World, served: &Served, pod: &Pod, placed: &mut Vec<(Arc<Pod>, NodeSlot)>) -> Fate {
    let free = Pod { node: None, ..pod.clone() };
    let profile = served.profile(&pod.scheduler_name);
    match world.choose(&free, &profile) {
        Ok(node) => {
            let is_stateful = pod.owner.as_ref().is_some_and(|owner| &*owner.kind == "StatefulSet");
            let note = is_stateful.then(|| "only once the node is fenced or deleted".to_owned());
            if let Some(slot) = world.snapshot.nodes.slot(node.as_str()) {
                let moved = Arc::new(Pod { node: Some(node.clone()), ..free });
                world.snapshot.add_pod(&moved, slot);
                placed.push((moved, slot));
            }
            Fate::new(pod, MOVED, Some(node.to_string()), note)
        }
        Err(message) => Fate::new(pod, LOST, None, Some(message)),
    }
}

/// What the scheduler says first; after that it tells of preemption, which no row has room for.
fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim_end()
}

// === impl Fate ===

impl Fate {
    fn new(pod: &Pod, is: &'static str, to: Option<String>, why: Option<String>) -> Self {
        let (namespace, name) = (pod.key.namespace.to_string(), pod.key.name.to_string());
        Self { namespace, pod: name, is, to, why }
    }
}

impl Report for DrillReport {
    fn table(&self, look: Look) -> String {
        let row = |it: &Death| {
            let counts = [it.pods, it.covered, it.moved, it.lost].map(|count| count.to_string());
            let [pods, covered, moved, lost] = counts;
            let mark = if it.lost > 0 { Mark::Error } else { Mark::None };
            (mark, [it.node.clone(), pods, covered, moved, lost])
        };
        if self.items.is_empty() {
            return String::new();
        }
        let table =
            look.marked(["NODE", "PODS", "COVERED", "MOVED", "LOST"], self.items.iter().map(row).collect());
        // Of a single node every pod is told, of many only what would be lost.
        let is_single = self.items.len() == 1;
        let fates = self.items.iter().flat_map(|death| death.fates.iter().map(move |fate| (death, fate)));
        let told: Vec<[String; 5]> = fates
            .filter(|(_, fate)| is_single || look.wide || fate.is == LOST)
            .map(|(death, fate)| {
                let none = || "-".to_owned();
                let pod = format!("{}/{}", fate.namespace, fate.pod);
                let to = fate.to.clone().unwrap_or_else(none);
                let why = fate.why.as_deref().map(|why| first_sentence(why).to_owned());
                [death.node.clone(), pod, fate.is.to_owned(), to, why.unwrap_or_else(none)]
            })
            .collect();
        if told.is_empty() {
            return table;
        }
        format!("{table}\n{}", look.columns(["NODE", "POD", "FATE", "TO", "WHY"], told))
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.iter().map(|it| format!("node/{}", it.node)).collect())
    }
}
