//! Fake nodes: of any shape, many at once, failing and coming back.

use crate::{
    component::{Component, FAILED_LABEL},
    control_plane::ControlPlane,
    error::Error,
    proc::Bytes,
    wait::wait_for,
};
use serde_json::{Map, Value, json};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// A node to be made. Until told otherwise it has 4 processors, 8 GiB of memory and room for 110 pods.
#[derive(Clone, Debug)]
pub struct FakeNode {
    name: String,
    labels: Map<String, Value>,
    annotations: Map<String, Value>,
    taints: Vec<Value>,
    allocatable: Map<String, Value>,
    capacity: Map<String, Value>,
    unschedulable: bool,
    images: Vec<Value>,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// None is bound to the node.
    NoSchedule,
    /// Other nodes are preferred.
    PreferNoSchedule,
    /// None is bound to the node and those on it are evicted.
    NoExecute,
}

/// How long nodes may take to become Ready, besides what their number adds.
const READY: Duration = Duration::from_mins(1);

// === impl FakeNode ===

impl FakeNode {
    /// A node with this name.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let mut node = Self {
            labels: Map::new(),
            annotations: Map::new(),
            taints: Vec::new(),
            allocatable: Map::new(),
            capacity: Map::new(),
            unschedulable: false,
            images: Vec::new(),
            name: name.clone(),
        };
        for (key, value) in [
            ("kubernetes.io/hostname", name.as_str()),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
        ] {
            node = node.label(key, value);
        }
        node.cpu("4").memory("8Gi").pods(110)
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into().into());
        self
    }

    /// Sets an annotation.
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into().into());
        self
    }

    /// Adds a taint.
    #[must_use]
    pub fn taint(mut self, key: &str, value: &str, effect: Effect) -> Self {
        self.taints.push(json!({"key": key, "value": value, "effect": format!("{effect:?}")}));
        self
    }

    /// Sets what is there of a resource, and as much is allocatable; extended resources have a domain, as in
    /// `example.com/gpu`.
    #[must_use]
    pub fn resource(mut self, name: impl Into<String>, quantity: impl Into<String>) -> Self {
        let (name, quantity) = (name.into(), Value::from(quantity.into()));
        self.capacity.insert(name.clone(), quantity.clone());
        self.allocatable.insert(name, quantity);
        self
    }

    /// Sets what pods may have of a resource, when that is less than what is there.
    #[must_use]
    pub fn allocatable(mut self, name: impl Into<String>, quantity: impl Into<String>) -> Self {
        self.allocatable.insert(name.into(), quantity.into().into());
        self
    }

    /// Sets the processors, e.g. `2` or `1500m`.
    #[must_use]
    pub fn cpu(self, quantity: impl Into<String>) -> Self {
        self.resource("cpu", quantity)
    }

    /// Sets the memory, e.g. `8Gi`.
    #[must_use]
    pub fn memory(self, quantity: impl Into<String>) -> Self {
        self.resource("memory", quantity)
    }

    /// Sets the number of pods there is room for.
    #[must_use]
    pub fn pods(self, count: u32) -> Self {
        self.resource("pods", count.to_string())
    }

    /// Cordons it.
    #[must_use]
    pub fn unschedulable(mut self) -> Self {
        self.unschedulable = true;
        self
    }

    /// Adds an image that the node has already.
    #[must_use]
    pub fn image(mut self, name: &str, size: Bytes) -> Self {
        self.images.push(json!({"names": [name], "sizeBytes": size.0}));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own, and the one that the controller manager would add to a cordoned node a moment later.
    fn all_taints(&self) -> Vec<Value> {
        let cordon = json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
        self.taints.iter().cloned().chain(self.unschedulable.then_some(cordon)).collect()
    }

    /// The `Node` object, Ready as if a kubelet had said so. KWOK would do it node by node, and the controller manager
    /// would meanwhile taint those that wait.
    fn object(&self) -> Value {
        let Self { name, labels, annotations, taints: _, allocatable, capacity, unschedulable, images } =
            self;
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
            "spec": {"unschedulable": unschedulable, "taints": self.all_taints()},
            "status": {
                // KWOK sends heartbeats for running nodes.
                "phase": "Running",
                "capacity": capacity,
                "allocatable": allocatable,
                "images": images,
                "conditions": [condition("True", "KubeletReady")],
            },
        })
    }
}

// === impl ControlPlane ===

impl ControlPlane {
    /// Makes nodes, many at a time, and waits until pods can be bound to all of them and, with KWOK, all of them live.
    ///
    /// Without KWOK nobody plays the kubelet: they stay Ready, unless a controller manager runs, which declares them
    /// dead after its grace period.
    pub fn add_nodes(&self, nodes: &[FakeNode]) -> Result<(), Error> {
        in_parallel(nodes, |node| self.add_node(node))?;
        if self.pid(Component::Kwok).is_none() {
            return Ok(());
        }
        let limit = READY + Duration::from_millis(20) * u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        in_parallel(nodes, |node| self.await_lease(&node.name, limit))
    }

    fn add_node(&self, node: &FakeNode) -> Result<(), Error> {
        let created = self.client().create("/api/v1/nodes", &node.object())?;
        let taints = created["spec"]["taints"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !taints.iter().any(|taint| taint["key"] == NOT_READY) {
            return Ok(());
        }
        // The API server taints every new node, and the controller manager takes long to see that these are Ready.
        let own = json!({"spec": {"taints": node.all_taints()}});
        self.client().merge(&node_path(&node.name), &own).map(drop)
    }

    /// Lets a node fail as if its power was cut.
    ///
    /// With KWOK (by the label [`FAILED_LABEL`]) its Lease is no longer renewed, and pods on it neither start nor end, as
    /// soon as KWOK's watch brings the label, which takes milliseconds; the rest is left to whoever watches, as in
    /// life. Without KWOK there is no Lease to miss, so what the controller manager would do in the end is written at
    /// once: Ready is Unknown, and the taints `unreachable`.
    pub fn fail_node(&self, name: &str) -> Result<(), Error> {
        let label = json!({"metadata": {"labels": {FAILED_LABEL: ""}}});
        self.client().merge(&node_path(name), &label)?;
        if self.pid(Component::Kwok).is_some() {
            return Ok(());
        }
        let status = json!({"status": {"conditions": [condition("Unknown", "NodeStatusUnknown")]}});
        self.client().strategic_merge(&format!("{}/status", node_path(name)), &status)?;
        self.change_taints(name, |taints| {
            for effect in ["NoSchedule", "NoExecute"] {
                taints.push(json!({"key": UNREACHABLE, "effect": effect}));
            }
        })
    }

    /// Lets a failed node come back under its name, with the pods it had.
    pub fn recover_node(&self, name: &str) -> Result<(), Error> {
        self.client().merge(&node_path(name), &json!({"metadata": {"labels": {FAILED_LABEL: null}}}))?;
        if self.pid(Component::Kwok).is_some() {
            return Ok(());
        }
        let status = json!({"status": {"conditions": [condition("True", "KubeletReady")]}});
        self.client().strategic_merge(&format!("{}/status", node_path(name)), &status)?;
        self.change_taints(name, |taints| taints.retain(|taint| taint["key"] != UNREACHABLE))
    }

    /// Writes the taints anew; the node's version goes along, so that nobody else's change is lost.
    fn change_taints(&self, name: &str, change: impl Fn(&mut Vec<Value>)) -> Result<(), Error> {
        wait_for(&format!("the taints of {name}"), READY, || {
            let mut node = self.client().get(&node_path(name))?;
            let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
            change(&mut taints);
            node["spec"]["taints"] = taints.into();
            match self.client().replace(&node_path(name), &node) {
                Err(Error::Refused { status: 409, .. }) => Ok(None),
                other => other.map(|_| Some(())),
            }
        })
    }

    /// KWOK makes the Lease first, and acts on the node once it has it.
    fn await_lease(&self, name: &str, limit: Duration) -> Result<(), Error> {
        wait_for(&format!("the Lease of node {name}"), limit, || match self.client().get(&lease_path(name)) {
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            other => other.map(|_| Some(())),
        })
    }
}

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

fn node_path(name: &str) -> String {
    format!("/api/v1/nodes/{name}")
}

fn condition(status: &str, reason: &str) -> Value {
    json!({"type": "Ready", "status": status, "reason": reason, "message": ""})
}

fn lease_path(name: &str) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}")
}

/// Runs `act` for all items on a few threads; after an error no new item is begun, and the first error is given.
fn in_parallel<T: Sync>(items: &[T], act: impl Fn(&T) -> Result<(), Error> + Sync) -> Result<(), Error> {
    const THREADS: usize = 16;
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<Error>> = Mutex::default();
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = act(item) {
                next.store(items.len(), Ordering::Relaxed);
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS.min(items.len()) {
            scope.spawn(work);
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
