//! Names of the objects that make up an installation.

/// The namespace of everything namespaced.
pub const NAMESPACE: &str = "edge-system";
/// Deployment, ServiceAccount and Lease of the scheduler.
pub const SCHEDULER: &str = "edge-scheduler";
/// ConfigMap with the scheduler's configuration.
pub const SCHEDULER_CONFIG: &str = "edge-scheduler-config";
/// DaemonSet and ServiceAccount of the probe agents.
pub const PROBE: &str = "edge-probe";
/// Secret with the keys that authenticate echoes; made in the cluster by the leader.
pub const PROBE_KEY: &str = "edge-probe-key";
/// In that Secret, the key that agents send with. Under any other name are keys that they accept as well: a new one
/// has to be known everywhere before it is used, and the old one stays valid while somebody may use it.
pub const PROBE_KEY_CURRENT: &str = "current";
/// In that Secret, the key that is accepted too: the next one, or the last one.
pub const PROBE_KEY_OTHER: &str = "other";
/// The UDP and TCP port that agents answer on.
pub const PROBE_PORT: u16 = 10270;
/// The TCP port where agents serve health and metrics.
pub const PROBE_HEALTH_PORT: u16 = 10271;
/// ConfigMap with the layers; made in the cluster by the leader.
pub const LAYERS: &str = "edge-layers";
/// In that ConfigMap, where they stand, as JSON.
pub const LAYERS_KEY: &str = "layers.json";
/// PriorityClass of backups.
pub const BACKUP_PRIORITY: &str = "edge-backup";
/// Field manager of what the plugin applies.
pub const PLUGIN_MANAGER: &str = "kubectl-edge";
/// Field manager of what the scheduler applies.
pub const SCHEDULER_MANAGER: &str = "edge-scheduler";
/// Field manager of what a probe agent applies.
pub const PROBE_MANAGER: &str = "edge-probe";
