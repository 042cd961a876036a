//! The control plane on which states are written and judged.

use std::collections::BTreeMap;
use std::time::Duration;

use controlplane::{Component, ControlPlane, KubeScheduler, Options, wait_for};
use serde_json::{Value, json};

use crate::log::{self, Log};
use crate::object::{Object, namespace};
use crate::ours::{self, Written};
use crate::storage::COLLECTIONS;
use crate::upstream::{self, PODS};
use crate::{ClusterState, Difference, Error, Judgement, Outcome, Pod, profiles};

/// A control plane with kube-scheduler, on which one state after the other is judged.
#[derive(Debug)]
pub struct Bed {
    log: Log,
    cluster: ControlPlane,
    /// For names that are never used twice.
    count: u64,
    /// Whether the state that is written has storage.
    has_storage: bool,
    /// Where the objects of the state are.
    objects: Vec<String>,
    /// The namespaces of all states so far, which are never deleted, for no controller would empty them.
    namespaces: BTreeMap<String, Value>,
}

/// A state that is written and that kube-scheduler has seen.
#[derive(Debug)]
struct Ready {
    written: Written,
    mark: Option<String>,
    /// Whether kube-scheduler has begun to bind volumes, which changes them.
    spent: bool,
}

/// How long anything may take. Far above what it does take, so that a slow machine is no failure.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);
/// The label by which a copy of the pod is pinned to a node; its value is the node's name.
pub(crate) const NODE_LABEL: &str = "parity.test/node";
/// The label that tells the last node written of a state from all others before it.
pub(crate) const MARK_LABEL: &str = "parity.test/mark";
/// The priority class of pods that go after all others.
pub(crate) const LAST_CLASS: &str = "last";

const NODES: &str = "/api/v1/nodes";

/// The namespaces that pods may be in.
const NAMESPACES: [&str; 3] = ["default", "shop", "lab"];
/// The label that the server gives each namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// How often a difference is looked at again that may come of kube-scheduler's not knowing all objects yet.
const RETRIES: usize = 3;

/// The priority classes that pods may name, and their values. There is one more, `never`, as high as `high`, whose pods
/// preempt nobody.
const PRIORITY_CLASSES: [(&str, i64); 4] =
    [("high", 1000), ("middle", 500), ("low", -10), (LAST_CLASS, -2_147_483_648)];

/// The runtime class that pods may name, with its overhead, node selector and tolerations.
pub(crate) const RUNTIME_CLASS: &str = "heavy";

// === impl Bed ===

impl Bed {
    /// Starts a control plane in which kube-scheduler judges by the profiles of [`crate::profiles`].
    pub fn start() -> Result<Self, Error> {
        let options = Options {
            kube_scheduler: KubeScheduler::Config(profiles::configuration()),
            name: "parity".to_owned(),
            ..Options::default()
        };
        // With its own defaults kube-scheduler never schedules in batches, because spreading can't be batched; without
        // that plugin it would, and then it reuses scores.
        let options = options
            .flag(Component::KubeScheduler, log::FLAG)
            // Nobody plays the controller that would let go of claims and volumes that are deleted.
            .flag(Component::ApiServer, "--disable-admission-plugins=StorageObjectInUseProtection")
            .flag(Component::KubeScheduler, "--feature-gates=OpportunisticBatching=false");
        let cluster = ControlPlane::start(options)?;
        let log = Log::open(&cluster.log(Component::KubeScheduler))?;
        let mut bed = Self {
            log,
            cluster,
            count: 0,
            has_storage: false,
            objects: Vec::new(),
            namespaces: BTreeMap::new(),
        };
        bed.create_classes()?;
        for name in NAMESPACES {
            bed.write_namespace(&namespace(name, &[]))?;
        }
        Ok(bed)
    }

    /// Has both judge the pod.
    pub fn judge(&mut self, state: &ClusterState) -> Result<Result<Judgement, Box<Difference>>, Error> {
        let mut ready = self.write(state)?;
        self.judge_on(&mut ready, state)
    }

    /// Has both judge the pod, and then a copy of it pinned to each node, each on the same state. So the feasible nodes
    /// are found one by one too.
    pub fn judge_each(&mut self, state: &ClusterState) -> Result<Result<Judgement, Box<Difference>>, Error> {
        let mut ready = self.write(state)?;
        let judgement = match self.judge_on(&mut ready, state)? {
            Ok(judgement) if judgement.outcome != Outcome::Gated => judgement,
            other => return Ok(other),
        };
        for node in &state.nodes {
            let pinned = state.pinned_to(node.name());
            if ready.spent {
                ready = self.write(state)?;
            }
            let found = match self.judge_on(&mut ready, &pinned)? {
                Ok(found) => found,
                difference => return Ok(difference),
            };
            let comparable = !judgement.is_error() && !state.pod.is_spread_by_its_selector();
            if comparable && judgement.admits(node.name()) != found.admits(node.name()) {
                return Err(Error::Contradiction(format!(
                    "the pod: {judgement}the pod on {}: {found}",
                    node.name()
                )));
            }
        }
        Ok(Ok(judgement))
    }

    /// Replaces the state that was there before by this one.
    fn write(&mut self, state: &ClusterState) -> Result<Ready, Error> {
        self.clear()?;
        let mut written = Written { storage: self.write_storage(state)?, ..Written::default() };
        self.write_objects(state, &mut written)?;
        for node in &state.nodes {
            let node = node.clone().label(NODE_LABEL, node.name());
            written.nodes.push(self.cluster.client().create(NODES, &node.0)?);
        }
        for (idx, pod) in state.placed.iter().enumerate() {
            written.placed.push(self.write_placed(pod, &format!("placed-{idx}"))?);
        }
        let mark = if written.nodes.is_empty() { None } else { Some(self.mark(&mut written.nodes)?) };
        Ok(Ready { written, mark, spent: false })
    }

    /// Deletes all pods and nodes, and waits until kube-scheduler knows of none.
    fn clear(&mut self) -> Result<(), Error> {
        for namespace in NAMESPACES {
            self.cluster.client().delete(&format!("{}?gracePeriodSeconds=0", pods_of(namespace)))?;
        }
        self.cluster.client().delete(NODES)?;
        if std::mem::take(&mut self.has_storage) {
            for (_, path) in COLLECTIONS {
                self.cluster.client().delete(path)?;
            }
        }
        for object in std::mem::take(&mut self.objects) {
            // By default some kinds wait for a controller that lets go of their pods.
            self.cluster.client().delete(&format!("{object}?propagationPolicy=Background"))?;
        }
        wait_for("kube-scheduler to forget the state before", LIMIT, || {
            self.count += 1;
            let seen = upstream::has_seen(&self.cluster, &format!("canary-{}", self.count), None)?;
            Ok(seen.then_some(()))
        })?;
        Ok(())
    }

    /// Writes the objects that are neither nodes nor pods, and notes them and all namespaces there are.
    fn write_objects(&mut self, state: &ClusterState, written: &mut Written) -> Result<(), Error> {
        let (namespaces, others): (Vec<_>, Vec<_>) =
            state.objects.iter().partition(|object| object.kind() == "Namespace");
        for name in NAMESPACES {
            let named = namespaces.iter().find(|object| object.name() == name);
            self.write_namespace(named.copied().unwrap_or(&namespace(name, &[])))?;
        }
        written.objects.extend(self.namespaces.values().cloned());
        for object in others {
            written.objects.push(self.cluster.client().create(&object.collection(), &object.0)?);
            self.objects.push(object.path());
        }
        Ok(())
    }

    /// Creates a namespace, or gives the one that is there these labels and no others.
    fn write_namespace(&mut self, object: &Object) -> Result<(), Error> {
        let client = self.cluster.client();
        let mut labels = object.0["metadata"]["labels"].clone();
        labels[NAME_LABEL] = object.name().into();
        let written = match self.namespaces.get(object.name()) {
            Some(known) if known["metadata"]["labels"] == labels => return Ok(()),
            Some(known) => {
                let mut written = client.get(&object.path())?;
                written["metadata"]["labels"] = labels;
                debug_assert_eq!(written["metadata"]["name"], known["metadata"]["name"]);
                client.replace(&object.path(), &written)?
            }
            None if object.name() == "default" => client.get(&object.path())?,
            None => client.create(&object.collection(), &object.0)?,
        };
        self.namespaces.insert(object.name().to_owned(), written);
        Ok(())
    }

    /// Marks the nodes until kube-scheduler knows of the marks, and gives the mark of the last one.
    ///
    /// Whenever a pod is tried, kube-scheduler takes a copy of every node that changed, and into the copy goes how many
    /// nodes have each of its images at that time. If nodes come later, that is wrong until the node changes again. So
    /// no pod is tried while nodes come, and if a canary was early, all nodes are changed again.
    fn mark(&mut self, nodes: &mut [Value]) -> Result<String, Error> {
        let mark = wait_for("kube-scheduler to know the state", LIMIT, || {
            self.count += 1;
            let mark = format!("m{}", self.count);
            let last = nodes.len() - 1;
            for (idx, node) in nodes.iter_mut().enumerate() {
                let label = if idx == last { mark.clone() } else { format!("{mark}-{idx}") };
                let path = format!("{NODES}/{}", node["metadata"]["name"].as_str().unwrap_or_default());
                let patch = json!({"metadata": {"labels": {MARK_LABEL: label}}});
                *node = self.cluster.client().merge(&path, &patch)?;
            }
            let seen = upstream::has_seen(&self.cluster, &format!("canary-{}", self.count), Some(&mark))?;
            Ok(seen.then_some(mark))
        })?;
        Ok(mark)
    }

    /// Creates what there is of storage, before the nodes, so that it is known when they are. A status is written
    /// afterwards, because a new object has none.
    fn write_storage(&mut self, state: &ClusterState) -> Result<Vec<Value>, Error> {
        let client = self.cluster.client();
        self.has_storage |= !state.storage.is_empty();
        let mut written = Vec::new();
        for object in &state.storage {
            let path = object.collection();
            let mut created = client.create(path, &object.0)?;
            let name = object.0["metadata"]["name"].as_str().unwrap_or_default();
            if object.0["status"] != Value::Null {
                created =
                    client.merge(&format!("{path}/{name}/status"), &json!({"status": object.0["status"]}))?;
            }
            created["kind"] = object.0["kind"].clone();
            written.push(created);
        }
        Ok(written)
    }

    /// Creates a placed pod. Its status is written afterwards, because a new pod has none, and so is its deletion.
    fn write_placed(&self, pod: &Pod, name: &str) -> Result<Value, Error> {
        let client = self.cluster.client();
        let mut object = pod.0.clone();
        object["metadata"]["name"] = name.into();
        let terminating = object["metadata"]["deletionTimestamp"].take() != Value::Null;
        let status = object["status"].take();
        let pods = pods_of(object["metadata"]["namespace"].as_str().unwrap_or("default"));
        let mut created = client.create(&pods, &object)?;
        if status != Value::Null {
            created = client.merge(&format!("{pods}/{name}/status"), &json!({"status": status}))?;
        }
        if terminating {
            created = client.delete(&format!("{pods}/{name}?gracePeriodSeconds=600"))?;
        }
        Ok(created)
    }

    fn judge_on(
        &mut self,
        ready: &mut Ready,
        state: &ClusterState,
    ) -> Result<Result<Judgement, Box<Difference>>, Error> {
        let mut found = self.try_judge_on(ready, state)?;
        // Other objects come to kube-scheduler by watches of their own, of which no canary tells.
        let retries = if state.objects.is_empty() { 0 } else { RETRIES };
        for _ in 0..retries {
            if found.is_err() && !ready.spent {
                found = self.try_judge_on(ready, state)?;
            }
        }
        Ok(found)
    }

    fn try_judge_on(
        &mut self,
        ready: &mut Ready,
        state: &ClusterState,
    ) -> Result<Result<Judgement, Box<Difference>>, Error> {
        self.count += 1;
        let name = format!("judged-{}", self.count);
        let mut object = state.pod.0.clone();
        object["metadata"]["name"] = name.as_str().into();
        let created = self.cluster.client().create(PODS, &object)?;
        let upstream = upstream::judge(&self.cluster, &mut self.log, &created, ready.mark.as_deref())?;
        ready.spent |= upstream::binds_volumes(&self.cluster, &name)? || !upstream.preemption.is_empty();
        upstream::delete(&self.cluster, &name)?;
        let ours = ours::judge(&ready.written, &created)?;
        let what = upstream.compare(&ours);
        if what.is_empty() {
            return Ok(Ok(upstream));
        }
        Ok(Err(Box::new(Difference { what, state: state.clone(), upstream, ours })))
    }

    /// Creates the classes that pods may name, and waits until the API server admits pods of them.
    fn create_classes(&self) -> Result<(), Error> {
        let client = self.cluster.client();
        for (name, value) in PRIORITY_CLASSES {
            let class = json!({"metadata": {"name": name}, "value": value});
            client.create("/apis/scheduling.k8s.io/v1/priorityclasses", &class)?;
        }
        let never = json!({"metadata": {"name": "never"}, "value": 1000, "preemptionPolicy": "Never"});
        client.create("/apis/scheduling.k8s.io/v1/priorityclasses", &never)?;
        client.create("/apis/node.k8s.io/v1/runtimeclasses", &runtime_class())?;
        let mut pod = crate::pod().with("priorityClassName", LAST_CLASS.into());
        pod.0["metadata"]["name"] = "probe".into();
        wait_for("the API server to know the classes", LIMIT, || {
            match client.create(&format!("{PODS}?dryRun=All"), &pod.0) {
                Err(controlplane::Error::Refused { status: 403 | 404, .. }) => Ok(None),
                other => other.map(Some),
            }
        })?;
        Ok(())
    }
}

/// The pods of a namespace.
fn pods_of(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

fn runtime_class() -> Value {
    json!({
        "metadata": {"name": RUNTIME_CLASS},
        "handler": "heavy",
        "overhead": {"podFixed": {"cpu": "250m", "memory": "120Mi"}},
        "scheduling": {
            "nodeSelector": {"kubernetes.io/runtime": RUNTIME_CLASS},
            "tolerations": [{"key": "runtime", "operator": "Equal", "value": RUNTIME_CLASS}],
        },
    })
}
