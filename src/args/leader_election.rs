//! Flags of the leader election, as kube-scheduler has them (`component-base/config/options`).

use std::time::Duration;

use clap::Args;

use super::duration;
use crate::lease::Settings;

/// How the replica that binds is found.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Leader election flags")]
pub struct LeaderElectionArgs {
    /// Take part in the election of a leader before binding anything. Needed where there is more than one replica.
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = clap::ArgAction::Set)]
    pub leader_elect: bool,
    /// How long replicas that don't lead wait, from a renewal they have seen, before they try to take over.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration::parse)]
    pub leader_elect_lease_duration: Duration,
    /// How long the leader tries to renew before it gives up. Must be less than the lease duration.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    pub leader_elect_renew_deadline: Duration,
    /// How long to wait between tries to acquire or renew.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::parse)]
    pub leader_elect_retry_period: Duration,
    /// The kind of object that is held; there is one.
    #[arg(long, value_name = "KIND", default_value = "leases", value_parser = ["leases"])]
    pub leader_elect_resource_lock: String,
    /// The name of the Lease.
    #[arg(long, value_name = "NAME", default_value = "edge-scheduler")]
    pub leader_elect_resource_name: String,
    /// The namespace of the Lease. Default: the pod's own, outside of a pod kube-system.
    #[arg(long, value_name = "NAMESPACE")]
    pub leader_elect_resource_namespace: Option<String>,
}

// === impl LeaderElectionArgs ===

impl LeaderElectionArgs {
    /// The settings that the flags ask for; none if there is no election.
    pub fn settings(self) -> Option<Settings> {
        let Self {
            leader_elect,
            leader_elect_lease_duration: lease_duration,
            leader_elect_renew_deadline: renew_deadline,
            leader_elect_retry_period: retry_period,
            leader_elect_resource_lock: _,
            leader_elect_resource_name: name,
            leader_elect_resource_namespace: namespace,
        } = self;
        let namespace = namespace.unwrap_or_else(crate::lease::default_namespace);
        leader_elect.then_some(Settings { namespace, name, lease_duration, renew_deadline, retry_period })
    }
}
