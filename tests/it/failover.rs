//! The figures of `docs/healing.md`: each of 30 nodes dies in turn, and how soon its pods are bound elsewhere.
//!
//! ```sh
//! cargo test --test it failover -- --ignored --nocapture --test-threads=1     # three quarters of an hour
//! ```
//!
//! The agents are real, on links with set delay. KWOK plays the kubelets. What is covered, and where a pod may be, is
//! judged from the pods and the set delays alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use controlplane::{FakeNode, KubeScheduler, Options, wait_for};
use k8s_openapi::ByteString;
use links::{Host, HostSpec, Link, Network, Relay, Running};
use serde_json::{Value, json};

use crate::bed::{Bed, PODS, Replica};
use crate::handover::{bytes, items, requested};
use crate::healing::{DEPLOYMENTS, annotated_template};
use crate::node_delays::agents_kubeconfig;
use crate::survey::{KEY, names};

const NODES: usize = 30;
const COLUMNS: usize = 6;
const APPS: usize = 50;
const REPLICAS: usize = 4;
/// What of every node others leave free.
const LEFT_FREE: i64 = 3 << 29;
/// Of two nodes that fail soon after one another the second one's pods wait, `fast` or not.
const APART: Duration = Duration::from_mins(1);
/// How long cover may take to be whole again, and pods to be bound again.
const PATIENCE: Duration = Duration::from_mins(10);

/// A cluster on links; all of it ends with the value.
struct Fleet {
    agents: BTreeMap<usize, Running>,
    _relays: Vec<Relay>,
    network: Network,
    schedulers: Vec<Replica>,
    /// When the last node died, if one did.
    died: Option<Instant>,
    bed: Bed,
    names: Vec<String>,
    configs: Vec<PathBuf>,
    folder: PathBuf,
}

/// A pod as the checker sees it.
struct Seen {
    app: usize,
    node: Option<usize>,
    backup: Option<usize>,
    memory: i64,
}

/// Round-trip time between nodes on a grid, in ms: 2, and 6 for each step.
fn millis(one: usize, other: usize) -> f64 {
    let step = |one: usize, other: usize| f64::from(u32::try_from(one.abs_diff(other)).unwrap());
    let (x, y) = (step(one % COLUMNS, other % COLUMNS), step(one / COLUMNS, other / COLUMNS));
    if one == other { 0.0 } else { 2.0 + 6.0 * x.hypot(y) }
}

fn anchor_of(app: usize) -> usize {
    app * 7 % NODES
}

/// In ms: two steps at least, so that there are several nodes within it.
fn bound_of(app: usize) -> u32 {
    [17, 21, 26][app % 3]
}

fn is_fast(app: usize) -> bool {
    app.is_multiple_of(5)
}

fn memory_of(app: usize) -> &'static str {
    ["128Mi", "200Mi", "256Mi", "384Mi", "500Mi", "768Mi", "1Gi"][app % 7]
}

fn deployment(app: usize, names: &[String], scheduler: &str) -> Value {
    let name = format!("app-{app}");
    let delay = format!("delay_{}", names[anchor_of(app)]);
    let labels = json!({"app": name, "run": "failover", delay: bound_of(app).to_string()});
    let annotations = if is_fast(app) { json!({"kubectl-edge.dev/failover": "fast"}) } else { json!({}) };
    let mut template = annotated_template(&labels, &annotations);
    template["spec"]["schedulerName"] = scheduler.into();
    template["spec"]["containers"][0]["resources"]["requests"] =
        json!({"cpu": "50m", "memory": memory_of(app)});
    let spec =
        json!({"replicas": REPLICAS, "selector": {"matchLabels": {"app": name}}, "template": template});
    json!({"metadata": {"name": name}, "spec": spec})
}

/// The pods that don't end, by their applications.
fn live(bed: &Bed, names: &[String]) -> Vec<Seen> {
    let place = |name: &Value| name.as_str().and_then(|name| names.iter().position(|it| it == name));
    let pods = items(bed, &format!("{PODS}?labelSelector=run%3Dfailover&resourceVersion=0"));
    let live = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    live.map(|pod| Seen {
        app: pod["metadata"]["labels"]["app"].as_str().unwrap()["app-".len()..].parse().unwrap(),
        node: place(&pod["spec"]["nodeName"]),
        backup: place(&pod["metadata"]["annotations"]["kubectl-edge.dev/backup-node"]),
        memory: requested(pod),
    })
    .collect()
}

/// How long after the node's death the last of its pods was bound elsewhere, and the last of those that want it fast.
fn bound_again(bed: &Bed, names: &[String], dead: &[usize], died: Instant) -> (Duration, Option<Duration>) {
    let mut fast = None;
    let all = wait_for("all pods to be bound again", PATIENCE, || {
        let pods = live(bed, names);
        let elsewhere = |app: usize| {
            pods.iter()
                .filter(|pod| pod.app == app && pod.node.is_some_and(|node| !dead.contains(&node)))
                .count()
                >= REPLICAS
        };
        if fast.is_none() && (0..APPS).filter(|app| is_fast(*app)).all(elsewhere) {
            fast = Some(died.elapsed());
        }
        Ok((0..APPS).all(elsewhere).then(|| died.elapsed()))
    });
    (all.unwrap(), fast)
}

// === impl Fleet ===

impl Fleet {
    fn start() -> Self {
        let names = names(NODES);
        // Nobody answers at these addresses (RFC 6666).
        let fake =
            |(idx, name): (usize, &String)| FakeNode::new(name).internal_ip(&format!("100::{:x}", idx + 1));
        let fakes: Vec<FakeNode> = names.iter().enumerate().map(fake).collect();
        let options = Options { kwok: true, controller_manager: true, ..Options::default() };
        let bed = Bed::installed(options, &fakes);
        let hosts: Vec<HostSpec> = names.iter().map(HostSpec::new).collect();
        let network = Network::start(1, &hosts).unwrap();
        for (one, name) in names.iter().enumerate() {
            for (other, peer) in names.iter().enumerate().skip(one + 1) {
                let link = Link::with_delay(Duration::from_secs_f64(millis(one, other) / 2_000.0));
                network.set_both(name, peer, link).unwrap();
            }
        }
        let server: SocketAddr = bed.cp.url().trim_start_matches("https://").parse().unwrap();
        let relays = network.hosts().iter().map(|host| Relay::start(host, server).unwrap()).collect();
        let configs = names.iter().map(|name| agents_kubeconfig(&bed, name)).collect();
        let folder = bed.matrix().with_file_name("keys");
        std::fs::create_dir(&folder).unwrap();
        let (agents, schedulers) = (BTreeMap::new(), Vec::new());
        let died = None;
        let mut fleet =
            Self { agents, _relays: relays, network, schedulers, died, bed, names, configs, folder };
        fleet.start_scheduler();
        let secret = fleet.bed.wait("the key", || fleet.bed.cp.client().get(KEY).ok());
        let key: ByteString = serde_json::from_value(secret["data"]["current"].clone()).unwrap();
        std::fs::write(fleet.folder.join("current"), key.0).unwrap();
        (0..NODES).for_each(|node| fleet.start_agent(node));
        fleet.deploy();
        fleet
    }

    /// One more replica of the scheduler.
    fn start_scheduler(&mut self) {
        let name = format!("scheduler-{}", self.schedulers.len());
        let delays = ("NetworkDelay", "{sources: [{probe: {}}]}");
        self.schedulers.push(self.bed.replica_of_installation(&name, delays, &[]));
    }

    fn start_agent(&mut self, node: usize) {
        let host: &Host = self.network.host(&self.names[node]).unwrap();
        let mut command = host.command(env!("CARGO_BIN_EXE_edge-scheduler"));
        command.args(["probe", "-v=2", "--health-bind-address=", "--node-name", host.name()]);
        command.args(["--listen", &host.v4().to_string()]).arg("--key-directory").arg(&self.folder);
        command.arg("--kubeconfig").arg(&self.configs[node]);
        let log = File::create(self.folder.with_file_name(format!("{}.log", host.name()))).unwrap();
        command.stdin(Stdio::null()).stderr(log);
        self.agents.insert(node, host.spawn(command).unwrap());
    }

    fn deploy(&self) {
        for app in 0..APPS {
            self.bed
                .cp
                .client()
                .create(DEPLOYMENTS, &deployment(app, &self.names, "edge-scheduler"))
                .unwrap();
        }
        self.await_cover();
        // Others take most of what is left, so that room which is not kept is not there.
        let pods = items(&self.bed, "/api/v1/pods");
        for (idx, name) in self.names.iter().enumerate() {
            let here = pods.iter().filter(|pod| pod["spec"]["nodeName"] == **name);
            let taken: i64 = here.map(requested).sum();
            let free = bytes("8Gi") - taken - LEFT_FREE;
            if free > 0 {
                let resources = json!({"requests": {"memory": free.to_string()}});
                let container = json!({"name": "main", "image": "example.com/app:1", "resources": resources});
                let spec = json!({"nodeName": name, "containers": [container]});
                let pod = json!({"metadata": {"name": format!("full-{idx}")}, "spec": spec});
                self.bed.cp.client().create(PODS, &pod).unwrap();
            }
        }
    }

    /// What is wrong with the pods, if anything: every one is bound within its bound, and has a backup within it, on
    /// another node that lives; and on each node real pods keep enough for the loss of any other one.
    fn wrong(&self, dead: &BTreeSet<usize>) -> Option<String> {
        let pods = live(&self.bed, &self.names);
        if pods.len() != APPS * REPLICAS {
            return Some(format!("{} pods", pods.len()));
        }
        let mut needed: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        for Seen { app, node, backup, memory } in &pods {
            let (Some(node), Some(backup)) = (*node, *backup) else {
                return Some(format!("app-{app}: on {node:?}, backup {backup:?}"));
            };
            let is_near = |node: usize| millis(anchor_of(*app), node) <= f64::from(bound_of(*app));
            if !is_near(node)
                || !is_near(backup)
                || node == backup
                || dead.contains(&node)
                || dead.contains(&backup)
            {
                return Some(format!("app-{app}: on {node}, backup {backup}"));
            }
            *needed.entry((backup, node)).or_default() += memory;
        }
        let backups = items(
            &self.bed,
            "/api/v1/namespaces/edge-system/pods?labelSelector=app.kubernetes.io/name%3Dedge-backup",
        );
        let all = items(&self.bed, "/api/v1/pods");
        let on = |pods: &[Value], node: usize| -> i64 {
            let here = pods.iter().filter(|pod| pod["spec"]["nodeName"] == *self.names[node]);
            here.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).map(requested).sum()
        };
        let short = needed.iter().find(|((backup, _), needed)| on(&backups, *backup) < **needed);
        if let Some(((backup, node), needed)) = short {
            return Some(format!("{needed} needed on {backup} for {node}, {} there", on(&backups, *backup)));
        }
        let over = (0..NODES).find(|node| on(&all, *node) > bytes("8Gi"));
        over.map(|node| format!("{node} is overfull"))
    }

    fn await_cover(&self) {
        self.await_cover_without(&BTreeSet::new());
    }

    fn await_cover_without(&self, dead: &BTreeSet<usize>) {
        let mut last = None;
        let whole = wait_for("all pods to be covered", PATIENCE, || {
            last = self.wrong(dead);
            Ok(last.is_none().then_some(()))
        });
        whole.unwrap_or_else(|error| {
            let log = self.schedulers.last().unwrap().log();
            panic!("{error}: {last:?}\n{}\n{log}", self.picture());
        });
    }

    /// A node's power is cut, and perhaps that of the leader with it; how soon its pods are bound elsewhere.
    fn kill(&mut self, node: usize, with_leader: bool) -> (Duration, Option<Duration>) {
        let long_ago = wait_for("the last death to be long ago", 2 * APART, || {
            Ok(self.died.is_none_or(|died| died.elapsed() >= APART).then_some(()))
        });
        long_ago.unwrap();
        let died = Instant::now();
        self.died = Some(died);
        if let Some(mut agent) = self.agents.remove(&node) {
            agent.child().kill().unwrap();
        }
        self.bed.cp.fail_node(&self.names[node]).unwrap();
        if with_leader {
            self.schedulers.remove(0).kill();
        }
        bound_again(&self.bed, &self.names, &[node], died)
    }

    /// The node is back and used again: nodes die one at a time here.
    fn recover(&mut self, node: usize) {
        let name = self.names[node].clone();
        self.bed.cp.recover_node(&name).unwrap();
        self.start_agent(node);
        let used = wait_for("the node to be used again", PATIENCE, || {
            // Whose pods were all `fast` may be back before it is lost.
            let is_of_it = |event: &Value| {
                let is_used =
                    ["NodeReached", "NodeRecovered"].iter().any(|reason| event["reason"] == *reason);
                is_used && event["regarding"]["name"] == *name
            };
            let events = items(&self.bed, "/apis/events.k8s.io/v1/namespaces/default/events");
            Ok(events.iter().any(is_of_it).then_some(()))
        });
        used.unwrap();
    }

    /// Who is where and covered where, a line for each node.
    fn picture(&self) -> String {
        let pods = live(&self.bed, &self.names);
        let app =
            |pod: &Seen| format!("{}:{}", pod.app, pod.backup.map_or("-".to_owned(), |it| it.to_string()));
        let line = |node: usize| {
            let here = pods.iter().filter(|pod| pod.node == Some(node));
            let taken: i64 = here.clone().map(|pod| pod.memory >> 20).sum();
            format!("{node}: {taken} Mi, {}\n", here.map(app).collect::<Vec<_>>().join(" "))
        };
        (0..NODES).map(line).collect()
    }
}

/// The last of these, and of which share each is.
fn sum_up(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
    println!("| {what} | {} | {:.1?} | {:.1?} | {:.1?} |", times.len(), at(50), at(99), at(100));
}

#[test]
#[ignore = "half an hour; how soon is of use on a machine that is not too busy only"]
fn each_node_dies_in_turn() {
    let mut fleet = Fleet::start();
    let (mut all, mut fast) = (Vec::new(), Vec::new());
    for node in 0..NODES {
        fleet.await_cover();
        let pods = live(&fleet.bed, &fleet.names);
        let hit = pods.iter().filter(|pod| pod.node == Some(node)).count();
        let hit_fast = pods.iter().filter(|pod| pod.node == Some(node) && is_fast(pod.app)).count();
        let (last, last_fast) = fleet.kill(node, false);
        println!(
            "{}: {hit} pods, bound again after {last:.1?}, {hit_fast} fast ones after {last_fast:.1?}",
            fleet.names[node]
        );
        fleet.await_cover_without(&[node].into());
        if hit > 0 {
            all.push(last);
            fast.extend(last_fast.filter(|_| hit_fast > 0));
        }
        fleet.recover(node);
    }
    println!("| | nodes | median | p99 | most |\n|---|---|---|---|---|");
    sum_up("the last pod of a node", all);
    sum_up("the last `fast` one", fast);
}

#[test]
#[ignore = "five minutes; how soon is of use on a machine that is not too busy only"]
fn the_leader_dies_with_a_node() {
    let mut fleet = Fleet::start();
    let mut all = Vec::new();
    for node in [3, 14, 27] {
        fleet.start_scheduler();
        fleet.await_cover();
        fleet.schedulers.last().unwrap().await_words("the lease has a new holder");
        let (last, _) = fleet.kill(node, true);
        println!("{}: bound again after {last:.1?}", fleet.names[node]);
        all.push(last);
        fleet.await_cover_without(&[node].into());
        fleet.recover(node);
    }
    println!("| | nodes | median | p99 | most |\n|---|---|---|---|---|");
    sum_up("the leader with it", all);
}

#[test]
#[ignore = "eight minutes: that long it takes"]
fn beside_kube_scheduler_and_its_defaults() {
    let names = names(NODES);
    let fakes: Vec<FakeNode> = names.iter().map(FakeNode::new).collect();
    let options = Options {
        kwok: true,
        controller_manager: true,
        kube_scheduler: KubeScheduler::Default,
        ..Options::default()
    };
    let bed = Bed::with(options, &fakes);
    for app in 0..APPS {
        bed.cp.client().create(DEPLOYMENTS, &deployment(app, &names, "default-scheduler")).unwrap();
    }
    bed.wait("all pods to be bound", || {
        let pods = live(&bed, &names);
        (pods.len() == APPS * REPLICAS && pods.iter().all(|pod| pod.node.is_some())).then_some(())
    });
    let dead = [4, 17];
    let died = Instant::now();
    for node in dead {
        bed.cp.fail_node(&names[node]).unwrap();
    }
    let (last, _) = bound_again(&bed, &names, &dead, died);
    println!("kube-scheduler with its defaults, two nodes: the last pod is bound again after {last:.1?}");
}
