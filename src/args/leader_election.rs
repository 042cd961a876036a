//! Flags of the leader election, as kube-scheduler has them (`component-base/config/options`).

use std::time::Duration;

use clap::Args;

use super::bool;
use crate::config::{LeaderElectionConfiguration, parse_duration};

/// How the replica that binds is found. What is given goes before the configuration file.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Leader election flags")]
pub struct LeaderElectionArgs {
    /// Take part in the election of a leader before binding anything. Needed where there is more than one replica.
    /// [default: true]
    #[arg(long, value_name = "BOOL", default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = clap::ArgAction::Set, value_parser = bool::parse)]
    pub leader_elect: Option<bool>,
    /// How long replicas that don't lead wait, from a renewal they have seen, before they try to take over. [default: 15s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub leader_elect_lease_duration: Option<Duration>,
    /// How long the leader tries to renew before it gives up. Must be less than the lease duration. [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub leader_elect_renew_deadline: Option<Duration>,
    /// How long to wait between tries to acquire or renew. [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub leader_elect_retry_period: Option<Duration>,
    /// The kind of object that is held; there is one. [default: leases]
    #[arg(long, value_name = "KIND")]
    pub leader_elect_resource_lock: Option<String>,
    /// The name of the Lease. [default: edge-scheduler]
    #[arg(long, value_name = "NAME")]
    pub leader_elect_resource_name: Option<String>,
    /// The namespace of the Lease. [default: the pod's own, outside of a pod kube-system]
    #[arg(long, value_name = "NAMESPACE")]
    pub leader_elect_resource_namespace: Option<String>,
}

// === impl LeaderElectionArgs ===

impl LeaderElectionArgs {
    /// Sets what was given (upstream: `ApplyLeaderElectionTo`).
    pub fn apply_to(&self, config: &mut LeaderElectionConfiguration) {
        let Self {
            leader_elect,
            leader_elect_lease_duration: lease_duration,
            leader_elect_renew_deadline: renew_deadline,
            leader_elect_retry_period: retry_period,
            leader_elect_resource_lock: lock,
            leader_elect_resource_name: name,
            leader_elect_resource_namespace: namespace,
        } = self.clone();
        set(&mut config.leader_elect, leader_elect);
        set(&mut config.lease_duration, lease_duration.map(Into::into));
        set(&mut config.renew_deadline, renew_deadline.map(Into::into));
        set(&mut config.retry_period, retry_period.map(Into::into));
        set(&mut config.resource_lock, lock);
        set(&mut config.resource_name, name);
        set(&mut config.resource_namespace, namespace);
    }
}

/// Sets a field to what was given, if anything was.
pub(super) fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *field = given;
    }
}
