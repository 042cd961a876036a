//! Judging one pod against the nodes: the scheduling framework, its plugins, and [`place`].

mod cycle;
mod diagnosis;
mod framework;
pub mod plugins;
mod profile;
mod snapshot;
mod workloads;

pub use cycle::{Decision, Placement, place};
pub use diagnosis::{Diagnosis, FitError};
pub use framework::{
    ClusterEvent, Cycle, MAX_NODE_SCORE, NodeFilter, NodeScorer, Plugin, PreFilter, PreScore, Reason,
    Rejection, Resolvable, Verdict,
};
pub use profile::{Enabled, PluginSet, Profile};
pub use snapshot::{NodeSlot, NodeView, Nodes, Snapshot, Usage};
pub use workloads::{Workload, WorkloadRef, Workloads};
