//! The nodes of a control plane: many made at once, failing and coming back.

use crate::{
    component::{Component, FAILED_LABEL},
    control_plane::ControlPlane,
    error::Error,
    node::{FakeNode, condition},
    real::{NodeNetwork, RealNodes},
    wait::wait_for,
};
use serde_json::{Value, json};
use std::{
    path::Path,
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// How long nodes may take to come to life, besides what their number adds.
const READY: Duration = Duration::from_mins(1);

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

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
        in_parallel(nodes, |node| self.await_lease(node.name(), limit))
    }

    fn add_node(&self, node: &FakeNode) -> Result<(), Error> {
        let created = self.client().create("/api/v1/nodes", &node.object())?;
        let taints = created["spec"]["taints"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !taints.iter().any(|taint| taint["key"] == NOT_READY) {
            return Ok(());
        }
        // The API server taints every new node, and the controller manager takes long to see that these are Ready.
        let own = json!({"spec": {"taints": node.all_taints()}});
        self.client().merge(&node_path(node.name()), &own).map(drop)
    }

    /// Lets a node fail as if its power was cut.
    ///
    /// A real node's power is cut: all its processes end at one instant, and nothing more is heard of it.
    ///
    /// With KWOK (by the label [`FAILED_LABEL`]) its Lease is no longer renewed, and pods on it neither start nor end, as
    /// soon as KWOK's watch brings the label, which takes milliseconds; the rest is left to whoever watches, as in
    /// life. Without KWOK there is no Lease to miss, so what the controller manager would do in the end is written at
    /// once: Ready is Unknown, and the taints `unreachable`.
    pub fn fail_node(&self, name: &str) -> Result<(), Error> {
        if let Some(real) = self.real_node(name) {
            return real.cut_power(name);
        }
        let label = json!({"metadata": {"labels": {FAILED_LABEL: ""}}});
        self.client().merge(&node_path(name), &label)?;
        if self.pid(Component::Kwok).is_some() {
            return Ok(());
        }
        let status = json!({"status": {"conditions": [condition("Unknown", "NodeStatusUnknown")]}});
        self.client().strategic_merge(&format!("{}/status", node_path(name)), &status)?;
        self.change_taints(name, |taints| {
            taints.retain(|taint| taint["key"] != UNREACHABLE);
            for effect in ["NoSchedule", "NoExecute"] {
                taints.push(json!({"key": UNREACHABLE, "effect": effect}));
            }
        })
    }

    /// Lets a failed node come back under its name, with the pods it had; a real one starts anew, with the disk it had.
    pub fn recover_node(&self, name: &str) -> Result<(), Error> {
        if let Some(real) = self.real_node(name) {
            return real.restore_power(name);
        }
        self.client().merge(&node_path(name), &json!({"metadata": {"labels": {FAILED_LABEL: null}}}))?;
        if self.pid(Component::Kwok).is_some() {
            return Ok(());
        }
        let status = json!({"status": {"conditions": [condition("True", "KubeletReady")]}});
        self.client().strategic_merge(&format!("{}/status", node_path(name)), &status)?;
        self.change_taints(name, |taints| taints.retain(|taint| taint["key"] != UNREACHABLE))
    }

    /// Gives all real nodes an image, from an archive that `ctr images import` understands.
    pub fn import_image(&self, archive: &Path) -> Result<(), Error> {
        self.real.as_ref().map_or(Ok(()), |real| real.import(archive))
    }

    /// Where a real node is in the network, for links of one's own between nodes.
    pub fn node_network(&self, node: &str) -> Result<NodeNetwork, Error> {
        let real = self.real_node(node);
        real.ok_or_else(|| Error::Invalid(format!("there is no real node {node:?}")))?.network(node)
    }

    /// A command to be run in the namespaces of a real node: its processes, mounts, network.
    pub fn node_command(&self, node: &str, program: &str) -> Result<Command, Error> {
        let real = self.real_node(node);
        real.ok_or_else(|| Error::Invalid(format!("there is no real node {node:?}")))?.command(node, program)
    }

    fn real_node(&self, name: &str) -> Option<&RealNodes> {
        self.real.as_ref().filter(|real| real.contains(name))
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

fn node_path(name: &str) -> String {
    format!("/api/v1/nodes/{name}")
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
