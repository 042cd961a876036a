//! A site: edge nodes on links with set delay, a node apart for the scheduler, and all that an installation brings.
//!
//! ```text
//!            10 ms            10 ms
//!   edge-1 ───────── edge-2 ───────── edge-3         hub: 80 ms from each
//!      └───────────── 40 ms ─────────────┘
//! ```
//!
//! Delays are round-trip times between pods of these nodes, and nothing else takes these links: who talks to the API
//! server does so over a network of its own.

use crate::{
    image,
    installed::{self, SOON, items},
    paths,
};
use controlplane::{ControlPlane, KubeScheduler, NODE_IMAGE, Options, RealNode, wait_for};
use links::{HostSpec, Link, Network, Place};
use serde_json::{Value, json};
use std::{
    fs,
    time::{Duration, Instant},
};

/// The node that the scheduler is on, and no workload.
pub(crate) const HUB: &str = "hub";
/// The nodes whose power is cut.
pub(crate) const EDGES: [&str; 3] = ["edge-1", "edge-2", "edge-3"];

/// What all requests of processors are multiples of, in thousandths, but for the agents'.
pub(crate) const UNIT: u64 = 100;
/// What an agent requests.
const AGENT: u64 = 10;
/// What an edge node has: room for all covered pods at once, and one unit more.
pub(crate) const EDGE_CPU: u64 = AGENT + 11 * UNIT;
/// More than the room that covered pods and backups leave.
const MANY: usize = 26;

pub(crate) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const NODE_DELAYS: &str = "/apis/kubectl-edge.dev/v1alpha1/nodedelays";
/// The pods of the Deployment that takes what room it can get.
pub(crate) const FILLERS: &str = "/api/v1/namespaces/default/pods?labelSelector=app%3Dfiller";

/// A workload with a delay constraint.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) name: &'static str,
    pub(crate) anchor: &'static str,
    /// In ms: far from all delays that there are.
    pub(crate) bound: u64,
    pub(crate) replicas: usize,
    pub(crate) units: u64,
    pub(crate) is_fast: bool,
}

/// Those that are near one end can be on two nodes, the others on all three.
pub(crate) const APPS: [App; 5] = [
    App { name: "near-1", anchor: "edge-1", bound: 25, replicas: 1, units: 2, is_fast: false },
    App { name: "near-3", anchor: "edge-3", bound: 25, replicas: 1, units: 2, is_fast: false },
    App { name: "middle", anchor: "edge-2", bound: 25, replicas: 2, units: 1, is_fast: false },
    App { name: "wide", anchor: "edge-1", bound: 60, replicas: 2, units: 1, is_fast: false },
    App { name: "fast", anchor: "edge-2", bound: 25, replicas: 2, units: 1, is_fast: true },
];

/// All of it ends with the value.
pub(crate) struct Site {
    // First, so that nothing is forwarded any more when the nodes go.
    network: Network,
    pub(crate) cluster: ControlPlane,
    /// The token of an account that may read metrics.
    scraper: String,
}

/// Round-trip time between two nodes, in ms.
pub(crate) fn millis(one: &str, other: &str) -> u64 {
    let place = |name: &str| EDGES.iter().position(|edge| *edge == name);
    match (place(one), place(other)) {
        (Some(one), Some(other)) => [0, 10, 40][one.abs_diff(other)],
        _ => 80,
    }
}

// === impl Site ===

impl Site {
    /// Starts everything and deploys the workloads; they need not be placed yet.
    pub(crate) fn start() -> Self {
        let archive = image::archive();
        installed::build_plugin();
        let edges = EDGES.map(|name| RealNode::new(name).milli_cpu(EDGE_CPU));
        let options = Options {
            controller_manager: true,
            kube_scheduler: KubeScheduler::Default,
            ..Options::default()
        };
        let options = options.real([RealNode::new(HUB)]).real(edges);
        let cluster = ControlPlane::start(options).unwrap();
        let network = lay_links(&cluster);
        cluster.import_image(archive).unwrap();
        cluster.kubectl(&["taint", "node", HUB, "node-role.kubernetes.io/control-plane:NoSchedule"]).unwrap();
        install(&cluster);
        for app in &APPS {
            cluster.client().create(DEPLOYMENTS, &app.deployment()).unwrap();
        }
        cluster.client().create(DEPLOYMENTS, &filler()).unwrap();
        let scraper = paths::scraper(&cluster);
        Self { network, cluster, scraper }
    }

    /// Waits for a condition; if it does not come about, shows what an operator would look at.
    pub(crate) fn wait<T>(&self, what: &str, probe: impl FnMut() -> Result<T, String>) -> T {
        let (mut probe, mut last) = (probe, String::new());
        let found = wait_for(what, SOON, || {
            let seen = probe();
            Ok(seen.map_err(|reason| last = reason).ok())
        });
        found.unwrap_or_else(|error| panic!("{error}: {last}\n{}", installed::state(&self.cluster)))
    }

    /// What a list holds, as the server remembers it: that costs least.
    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        let and = if path.contains('?') { '&' } else { '?' };
        items(&self.cluster, &format!("{path}{and}resourceVersion=0"))
    }

    /// Nothing, if the agents of the edge nodes have measured each other, and none of them less than the links take.
    pub(crate) fn measured(&self) -> Result<(), String> {
        let pairs = EDGES.iter().flat_map(|from| EDGES.iter().map(move |to| (*from, *to)));
        for (from, to) in pairs.filter(|(from, to)| from != to) {
            let path = format!("{NODE_DELAYS}/{from}");
            let object = self.cluster.client().get(&path).map_err(|error| error.to_string())?;
            let rows = object["status"]["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
            let row = rows.iter().find(|row| row["peer"] == to);
            let micros = row.and_then(|row| row["p50Micros"].as_u64());
            if micros.is_none_or(|micros| micros < millis(from, to) * 1000) {
                return Err(format!("from {from} to {to}: {micros:?} us"));
            }
        }
        Ok(())
    }

    /// So many pods of kube-scheduler's are to take what room there is.
    fn fill(&self, replicas: usize) {
        let replicas = json!({"spec": {"replicas": replicas}});
        self.cluster.client().merge(&format!("{DEPLOYMENTS}/filler"), &replicas).unwrap();
    }

    /// Kube-scheduler is given more to place than there is room for.
    pub(crate) fn fill_up(&self) {
        self.fill(MANY);
    }

    /// All that kube-scheduler placed goes again; what is on a node without power can't.
    pub(crate) fn empty(&self) {
        self.fill(0);
    }

    /// A node's power is cut: at one instant no packet of it passes any more, and all its processes end.
    pub(crate) fn cut_power(&self, node: &str) {
        self.network.set_all_of(node, Link::default().down()).unwrap();
        self.cluster.fail_node(node).unwrap();
    }

    /// It gets its power back.
    pub(crate) fn restore_power(&self, node: &str) {
        set_delays(&self.network, node);
        self.cluster.recover_node(node).unwrap();
    }

    /// Waits until the scheduler uses all nodes.
    pub(crate) fn await_all_used(&self) {
        // Asking takes a process.
        const AGAIN: Duration = Duration::from_secs(2);
        let mut asked: Option<Instant> = None;
        self.wait("all nodes to be used", || {
            if asked.is_some_and(|asked| asked.elapsed() < AGAIN) {
                return Err("some are not well".to_owned());
            }
            asked = Some(Instant::now());
            let unwell = self.unwell();
            if unwell.is_empty() { Ok(()) } else { Err(unwell.join("\n")) }
        });
    }

    /// What the scheduler's metrics say of nodes that are not used, and of failovers that are frozen.
    fn unwell(&self) -> Vec<String> {
        let address = installed::addresses(&self.cluster).remove(0);
        let metrics = paths::scrape(&address, &self.scraper);
        let names = ["edge_scheduler_unwell_nodes{", "edge_scheduler_failover_frozen "];
        let ours = metrics.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
        let found: Vec<&str> = ours.collect();
        assert_eq!(found.len(), 4, "{metrics}");
        found.into_iter().filter(|line| !line.ends_with(" 0")).map(ToOwned::to_owned).collect()
    }
}

fn lay_links(cluster: &ControlPlane) -> Network {
    let nodes = [&[HUB][..], &EDGES].concat();
    let host = |node: &&str| {
        let network = cluster.node_network(node).unwrap();
        HostSpec::new(*node).place(Place::At(network.namespace)).range(network.pods.parse().unwrap())
    };
    let hosts: Vec<HostSpec> = nodes.iter().map(host).collect();
    let network = Network::start(1, &hosts).unwrap();
    for node in nodes {
        set_delays(&network, node);
    }
    network
}

/// Sets the links of one node to what they are when all is well.
fn set_delays(network: &Network, node: &str) {
    let others = network.hosts().iter().map(links::Host::name).filter(|other| *other != node);
    for other in others {
        let link = Link::with_delay(Duration::from_millis(millis(node, other) / 2));
        network.set_both(node, other, link).unwrap();
    }
}

/// Installs as an operator does who wants the scheduler on one node.
fn install(cluster: &ControlPlane) {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("part.yaml");
    let pods = json!({"spec": {"nodeSelector": {"kubernetes.io/hostname": HUB}}});
    let metadata = json!({"name": "edge-scheduler", "namespace": "edge-system"});
    let text = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": pods}});
    fs::write(&part, text.to_string()).unwrap();
    installed::install_with(cluster, &["-f", part.to_str().unwrap(), "--timeout=4m"]);
}

fn deployment(name: &str, replicas: usize, metadata: &Value, scheduler: &str, units: u64) -> Value {
    let requests = json!({"cpu": format!("{}m", units * UNIT)});
    let container = json!({"name": "main", "image": NODE_IMAGE, "resources": {"requests": requests}});
    let spec = json!({
        "schedulerName": scheduler,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": false,
        "containers": [container],
    });
    let selector = json!({"matchLabels": {"app": name}});
    let template = json!({"metadata": metadata, "spec": spec});
    json!({
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    })
}

/// Pods of kube-scheduler's, each of the smallest size that there is; none yet.
fn filler() -> Value {
    deployment("filler", 0, &json!({"labels": {"app": "filler"}}), "default-scheduler", 1)
}

// === impl App ===

impl App {
    /// Whether it may be on a node, by the set delays.
    pub(crate) fn may_be_on(&self, node: &str) -> bool {
        millis(self.anchor, node) <= self.bound
    }

    fn deployment(&self) -> Value {
        let delay = format!("delay_{}", self.anchor);
        let labels = json!({"app": self.name, "covered": "", delay: self.bound.to_string()});
        let annotations = if self.is_fast { json!({"kubectl-edge.dev/failover": "fast"}) } else { json!({}) };
        let metadata = json!({"labels": labels, "annotations": annotations});
        deployment(self.name, self.replicas, &metadata, "edge-scheduler", self.units)
    }
}
