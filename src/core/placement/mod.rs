//! Judging one pod against the nodes: the scheduling framework, its plugins, and [`place`].

mod affinity_index;
mod allocation;
mod backups;
mod budgets;
mod cycle;
mod diagnosis;
mod elsewhere;
mod explain;
mod filters;
mod framework;
mod images;
mod label_index;
mod memory;
mod nominations;
mod normalize;
mod observer;
pub mod plugins;
mod pod_index;
mod point;
mod post_filter;
mod profile;
mod selectors;
mod snapshot;
#[cfg(test)]
pub(crate) mod testing;
mod topology;
mod topology_counts;
mod trial;
mod volumes;
mod workloads;

pub use affinity_index::AffinityIndex;
pub use allocation::{ResourceSpec, ScoredResource};
pub use backups::{
    AtHold, BACKUP_ANNOTATION, BACKUP_LABEL, BACKUP_NAMESPACE, BACKUP_NODE_ANNOTATION, BackupMode,
    BackupPolicy, BackupRule, BackupSearch, Backups, FAILOVER_ANNOTATION, FailoverRule, HANDOVER_TAINT,
    IN_PLACE_OF_ANNOTATION, MOVE_ANNOTATION, MoveRule, NoBackup, NoSearch, Owed, Reoptimize, WantsBackup,
    is_backup, judge_at_hold, unplaced, unreadable,
};
pub use budgets::Budgets;
use cycle::spread;
pub use cycle::{Decision, Placement, PluginScores, Scores, candidates, place, place_observed, scores};
pub use diagnosis::{Diagnosis, FitError};
pub use elsewhere::{Better, Rehearsal, allowed_nodes, better_place, may_go_to};
pub use explain::{Explanation, NodeVerdict, explain};
pub use framework::{
    ClusterEvent, Cycle, MAX_NODE_SCORE, NodeFilter, NodeScorer, Plugin, PreFilter, PreScore, Reason,
    Rejection, Resolvable, Verdict,
};
pub use images::{ImageState, Images};
pub use memory::{Memory, Revision};
pub use nominations::Nominations;
pub use observer::{Observer, PointStatus, Unobserved};
pub use pod_index::{PodCount, PodIndex};
pub use point::Point;
pub use post_filter::{Candidate, Nomination, PostFilter, Unschedulable};
pub use profile::{Enabled, ListedPlugin, PluginList, PluginLists, PluginSet, Profile, ProfileError};
pub use selectors::Selectors;
pub use snapshot::{NodeSlot, NodeView, Nodes, Snapshot, Usage};
pub use topology::{Domain, HOSTNAME, REGION, Topology, ZONE};
pub use trial::Trial;
pub use volumes::{Keyed, Put, StorageEvent, Table, VolumePlan, VolumeWrite, Volumes, check_bound};
pub use workloads::{Workload, WorkloadRef, Workloads};
