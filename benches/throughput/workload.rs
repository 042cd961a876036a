//! What the pods of the backlog ask for.

use std::fmt;

use serde_json::{Value, json};

use crate::topology::{BOUND_MS, Topology};

/// The pods' wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Workload {
    /// Processor and memory.
    Plain,
    /// The same, and a delay constraint each. It means nothing to the plain binder and to kube-scheduler.
    Delay,
}

/// The scheduler that all pods name, whoever binds them, so that all contenders are given the same pods.
pub(crate) const SCHEDULER_NAME: &str = "edge-scheduler";

/// What each pod requests, as in upstream's own performance tests: thousandths of a processor.
pub(crate) const POD_MILLI_CPU: u64 = 100;
/// What each pod requests: MiB of memory.
pub(crate) const POD_MEMORY_MIB: u64 = 500;

/// What each node offers, as in upstream's own performance tests: thousandths of a processor.
pub(crate) const NODE_MILLI_CPU: u64 = 4000;
/// What each node offers: MiB of memory.
pub(crate) const NODE_MEMORY_MIB: u64 = 32 << 10;
/// What each node offers: room for pods.
pub(crate) const NODE_PODS: u32 = 110;

// === impl Workload ===

impl Workload {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Delay];

    /// The pod with this number.
    pub(crate) fn pod(self, number: usize, topology: &Topology) -> Value {
        let mut labels = json!({"app": "throughput"});
        if self == Self::Delay {
            let anchor = topology.anchor(number);
            labels[format!("delay_{}", topology.name(anchor))] = BOUND_MS.to_string().into();
        }
        let requests = json!({"cpu": format!("{POD_MILLI_CPU}m"), "memory": format!("{POD_MEMORY_MIB}Mi")});
        let container =
            json!({"name": "main", "image": "example.com/app:1", "resources": {"requests": requests}});
        json!({
            "metadata": {"name": format!("pod-{number:05}"), "labels": labels},
            "spec": {"schedulerName": SCHEDULER_NAME, "containers": [container]},
        })
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Delay => "delay",
        })
    }
}
