//! Nodes that fail: their neighbours and their Leases tell, and their pods are started elsewhere or stay.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use controlplane::{Client, FakeNode, Options};
use edge_api::{NodeDelaysStatus, PeerDelay, Transport};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::bed::{Bed, NODE_DELAYS, PODS, Replica};
use crate::node_delays::agent;

pub(crate) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
pub(crate) const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const STATEFUL_SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";

/// Nodes in a line, 10 ms a step, each with an agent; a scheduler that has no more permissions than an installation
/// gives it. KWOK plays the kubelets, so Leases are renewed.
pub(crate) struct Line {
    pub(crate) bed: Bed,
    scheduler: Replica,
    pub(crate) names: Vec<String>,
    agents: Vec<Client>,
    /// Whom each agent misses.
    missed: RefCell<BTreeMap<usize, BTreeSet<usize>>>,
    reports: Cell<u32>,
}

// === impl Line ===

impl Line {
    pub(crate) fn start(nodes: usize) -> Self {
        let names: Vec<String> = (1..=nodes).map(|idx| format!("edge-{idx}")).collect();
        // Nobody answers at these addresses (RFC 6666).
        let fake =
            |(idx, name): (usize, &String)| FakeNode::new(name).internal_ip(&format!("100::{}", idx + 1));
        let fakes: Vec<FakeNode> = names.iter().enumerate().map(fake).collect();
        let options = Options { kwok: true, controller_manager: true, ..Options::default() };
        let bed = Bed::installed(options, &fakes);
        let scheduler =
            bed.replica_of_installation("scheduler", ("NetworkDelay", "{sources: [{probe: {}}]}"), &[]);
        let agents = names.iter().map(|name| agent(&bed, name)).collect();
        let (missed, reports) = (RefCell::default(), Cell::default());
        let line = Self { bed, scheduler, names, agents, missed, reports };
        line.wait("objects of all nodes", || {
            line.names.iter().all(|name| line.object(name).is_some()).then_some(())
        });
        (0..nodes).for_each(|node| line.report(node));
        line.wait("neighbours to be told", || {
            let told = |name: &String| line.object(name)?["spec"]["peers"].as_array().map(Vec::len);
            line.names.iter().all(|name| told(name) == Some(nodes - 1)).then_some(())
        });
        line
    }

    pub(crate) fn wait<T>(&self, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        let seen = controlplane::wait_for(what, crate::bed::DEADLINE, || Ok(probe()));
        seen.unwrap_or_else(|error| panic!("{error}\n{}", self.scheduler.log()))
    }

    fn object(&self, node: &str) -> Option<Value> {
        self.bed.cp.client().get(&format!("{NODE_DELAYS}/{node}")).ok()
    }

    /// The agent of a node says how far the others are, and whom it misses.
    fn report(&self, node: usize) {
        self.reports.set(self.reports.get() + 1);
        let missed = self.missed.borrow();
        let row = |(idx, peer): (usize, &String)| {
            let micros = Some(u32::try_from(idx.abs_diff(node)).unwrap() * 10_000);
            let is_missed = missed.get(&node).is_some_and(|missed| missed.contains(&idx));
            PeerDelay {
                peer: peer.clone(),
                min_micros: micros,
                p50_micros: micros,
                p95_micros: micros,
                samples: 32,
                missed: if is_missed { 3 } else { 0 },
                age_ms: Some(self.reports.get()),
                ..PeerDelay::default()
            }
        };
        let mut status = NodeDelaysStatus {
            addresses: vec![format!("10.0.0.{}:10270", node + 1)],
            transport: Some(Transport::Udp),
            report_every_ms: Some(60_000),
            ..NodeDelaysStatus::default()
        };
        let others = self.names.iter().enumerate().filter(|(idx, _)| *idx != node);
        status.set_rows(others.map(row).collect());
        let name = &self.names[node];
        let object = json!({
            "apiVersion": edge_api::API_VERSION, "kind": "NodeDelays", "metadata": {"name": name}, "status": status,
        });
        self.agents[node].apply(&format!("{NODE_DELAYS}/{name}/status"), "edge-probe", &object).unwrap();
    }

    /// A node's Lease is renewed once more, and then it is some seconds old: so much later than that do its neighbours
    /// miss it that the Lease is no sign of life, and it is not about to run out either.
    pub(crate) fn renewed_before_it_is_missed(&self, node: &str) {
        let lease = format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}");
        let renewed = json!({"spec": {"renewTime": MicroTime(Timestamp::now())}});
        self.bed.cp.client().merge(&lease, &renewed).unwrap();
        self.wait("the Lease to be four seconds old", || {
            let lease = self.bed.cp.client().get(&lease).ok()?;
            let renewed: Timestamp = lease["spec"]["renewTime"].as_str()?.parse().ok()?;
            (Timestamp::now().duration_since(renewed).as_secs() >= 4).then_some(())
        });
    }

    /// All of `from` say that they miss these, and nobody else.
    pub(crate) fn miss(&self, from: &[usize], nodes: &[usize]) {
        for node in from {
            let others = nodes.iter().copied().filter(|other| other != node);
            self.missed.borrow_mut().insert(*node, others.collect());
            self.report(*node);
        }
    }

    /// All but these.
    pub(crate) fn others(&self, nodes: &[usize]) -> Vec<usize> {
        (0..self.names.len()).filter(|node| !nodes.contains(node)).collect()
    }

    /// Nodes lose their power; the others notice.
    pub(crate) fn kill(&self, nodes: &[usize]) {
        for node in nodes {
            self.bed.cp.fail_node(&self.names[*node]).unwrap();
        }
        self.miss(&self.others(nodes), nodes);
    }

    pub(crate) fn index(&self, node: &str) -> usize {
        self.names.iter().position(|name| name == node).unwrap()
    }

    /// The pods of an application that don't end, with their nodes.
    pub(crate) fn live(&self, app: &str) -> Vec<(String, Option<String>)> {
        let list = self.bed.cp.client().get(&format!("{PODS}?labelSelector=app={app}")).unwrap();
        let pods = list["items"].as_array().unwrap().iter();
        let live = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let named = live.map(|pod| {
            let node = pod["spec"]["nodeName"].as_str().map(ToOwned::to_owned);
            (pod["metadata"]["name"].as_str().unwrap().to_owned(), node)
        });
        named.collect()
    }

    /// Waits until so many pods of an application are on nodes that `holds` accepts; the nodes.
    pub(crate) fn placed(&self, app: &str, count: usize, holds: impl Fn(&str) -> bool) -> Vec<String> {
        self.wait(&format!("{count} pods of {app}"), || {
            let live = self.live(app);
            let nodes: Vec<String> = live.into_iter().filter_map(|(_, node)| node).collect();
            (nodes.len() == count && nodes.iter().all(|node| holds(node))).then_some(nodes)
        })
    }

    /// Waits until such an event is there on a node.
    pub(crate) fn told(&self, node: &str, reason: &str) {
        self.told_of_one(&[node], reason);
    }

    /// Waits until such an event is there on one of these nodes.
    fn told_of_one(&self, nodes: &[&str], reason: &str) {
        let path = "/apis/events.k8s.io/v1/namespaces/default/events";
        self.wait(&format!("{reason} on one of {nodes:?}"), || {
            let list = self.bed.cp.client().get(path).unwrap();
            let is_it = |event: &Value| {
                event["regarding"]["kind"] == "Node"
                    && nodes.iter().any(|node| event["regarding"]["name"] == *node)
                    && event["reason"] == reason
            };
            list["items"].as_array()?.iter().any(is_it).then_some(())
        });
    }

    fn deploy(&self, app: &str, replicas: u32, anchor: &str, ms: &str) {
        let labels = json!({"app": app, format!("delay_{anchor}"): ms});
        let object = json!({
            "metadata": {"name": app},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": app}}, "template": template(&labels)},
        });
        self.bed.cp.client().create(DEPLOYMENTS, &object).unwrap();
    }

    /// A Deployment whose pods want to be started elsewhere at once, on this node and the next.
    fn deploy_fast(&self, app: &str, node: &str) {
        let labels = json!({"app": app, format!("delay_{node}"): "10"});
        let fast = json!({"kubectl-edge.dev/failover": "fast"});
        let template = annotated_template(&labels, &fast);
        let object = json!({
            "metadata": {"name": app},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": app}}, "template": template},
        });
        self.bed.cp.client().create(DEPLOYMENTS, &object).unwrap();
    }

    /// A Job on a node, with so many pods that may fail, that lets its pods go.
    fn run_job(&self, app: &str, node: &str, backoff_limit: u32) {
        let mut template =
            annotated_template(&json!({"app": app}), &json!({"kubectl-edge.dev/failover": "true"}));
        template["spec"]["restartPolicy"] = "Never".into();
        template["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": node});
        let object = json!({
            "metadata": {"name": app}, "spec": {"backoffLimit": backoff_limit, "template": template},
        });
        self.bed.cp.client().create(JOBS, &object).unwrap();
    }

    /// A StatefulSet of one pod, which is on a node that a pod of this other application is on too.
    pub(crate) fn deploy_stateful(&self, app: &str, beside: Option<&str>) {
        let mut template = template(&json!({"app": app}));
        if let Some(other) = beside {
            let term = json!({
                "labelSelector": {"matchLabels": {"app": other}}, "topologyKey": "kubernetes.io/hostname",
            });
            template["spec"]["affinity"] =
                json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
        }
        let object = json!({
            "metadata": {"name": app},
            "spec": {
                "replicas": 1, "serviceName": app, "selector": {"matchLabels": {"app": app}}, "template": template,
            },
        });
        self.bed.cp.client().create(STATEFUL_SETS, &object).unwrap();
    }
}

pub(crate) fn template(labels: &Value) -> Value {
    annotated_template(labels, &json!({}))
}

pub(crate) fn annotated_template(labels: &Value, annotations: &Value) -> Value {
    let requests = json!({"cpu": "100m", "memory": "500Mi"});
    let container =
        json!({"name": "main", "image": "example.com/app:1", "resources": {"requests": requests}});
    json!({
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"schedulerName": "edge-scheduler", "containers": [container]},
    })
}

#[test]
fn pods_of_a_dead_node_are_bound_within_their_radius_and_stateful_ones_wait_for_a_fence() {
    let line = Line::start(6);
    line.deploy("web", 3, "edge-3", "10");
    line.placed("web", 3, |_| true);
    line.deploy_stateful("db", Some("web"));
    let node = line.placed("db", 1, |_| true).remove(0);

    let dead = &node;
    line.kill(&[line.index(dead)]);
    line.told(dead, "NodeSuspect");
    line.placed("web", 3, |node| node != dead && ["edge-2", "edge-3", "edge-4"].contains(&node));
    line.told(dead, "NodeLost");
    assert_eq!(line.live("db"), [("db-0".to_owned(), Some(dead.clone()))], "it may still run there");
    let fence = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";
    line.bed.cp.kubectl(&["taint", "node", dead, fence]).unwrap();
    line.placed("db", 1, |node| node != dead);

    line.bed.cp.recover_node(dead).unwrap();
    line.miss(&line.others(&[]), &[]);
    line.told(dead, "NodeReturned");
    println!("{}", line.scheduler.log());
    line.bed.check_permissions(&["edge-scheduler: get leases.coordination.k8s.io in kube-node-lease"]);
}

#[test]
fn a_lease_that_is_renewed_vetoes_and_a_partition_freezes() {
    let line = Line::start(6);
    line.deploy("web", 6, "edge-3", "30");
    let before = line.placed("web", 6, |_| true);
    let pods = line.live("web");

    // Nobody reaches one of them, but its kubelet renews.
    let one = line.index(&before[0]);
    line.renewed_before_it_is_missed(&before[0]);
    line.miss(&line.others(&[one]), &[one]);
    line.told(&line.names[one], "NodeReached");

    // Two are gone at once, which is more than a fifth.
    line.miss(&line.others(&[]), &[]);
    let gone: Vec<usize> = line.others(&[one]).into_iter().take(2).collect();
    line.kill(&gone);
    for node in &gone {
        line.told(&line.names[*node], "NodeLost");
    }
    line.told_of_one(&[&line.names[gone[0]], &line.names[gone[1]]], "FailoverFrozen");
    assert_eq!(line.live("web"), pods, "no pod is taken off a node");
}

#[test]
fn who_wants_it_fast_does_not_wait_for_the_lease_and_a_job_keeps_its_last_chance() {
    let line = Line::start(4);
    line.deploy_fast("quick", "edge-2");
    let node = line.placed("quick", 1, |_| true).remove(0);
    let quick = line.live("quick");

    // The power is cut while nobody has noticed yet, so that pods of Jobs don't run to their end.
    let victim = line.index(&node);
    line.bed.cp.fail_node(&node).unwrap();
    line.run_job("last", &node, 0);
    line.run_job("more", &node, 1);
    line.placed("last", 1, |_| true);
    line.placed("more", 1, |_| true);
    let (last, more) = (line.live("last"), line.live("more"));

    line.renewed_before_it_is_missed(&node);
    line.miss(&line.others(&[victim]), &[victim]);
    line.bed.events_of(&quick[0].0, "Failover");
    line.bed.events_of(&more[0].0, "Failover");
    line.bed.events_of(&last[0].0, "FailoverRefused");
    assert_eq!(line.live("last"), last);
    line.placed("quick", 1, |other| other != node);
    assert!(line.scheduler.log().contains("knocked"), "its node was asked whether it is there");
    line.bed.check_permissions(&["edge-scheduler: get jobs.batch", "edge-scheduler: get nodes"]);
}
