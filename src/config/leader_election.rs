//! `leaderElection` (upstream: `component-base/config/v1alpha1`, `config/validation`).

use serde::{Deserialize, Serialize};

use super::duration::GoDuration;
use super::error::{FieldErrors, Path};

/// How the replica that binds is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LeaderElectionConfiguration {
    /// Whether there is an election.
    pub leader_elect: bool,
    /// For how long after a renewal others leave the Lease alone.
    pub lease_duration: GoDuration,
    /// For how long the leader tries to renew before it gives up.
    pub renew_deadline: GoDuration,
    /// How long to wait between tries.
    pub retry_period: GoDuration,
    /// What is held: `leases`.
    pub resource_lock: String,
    /// The name of the Lease.
    pub resource_name: String,
    /// The namespace of the Lease.
    pub resource_namespace: String,
}

const LEASES: &str = "leases";

/// Where a pod finds the namespace of its own.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

// === impl LeaderElectionConfiguration ===

impl Default for LeaderElectionConfiguration {
    fn default() -> Self {
        Self {
            leader_elect: true,
            lease_duration: GoDuration::from_secs(15),
            renew_deadline: GoDuration::from_secs(10),
            retry_period: GoDuration::from_secs(2),
            resource_lock: LEASES.to_owned(),
            resource_name: "edge-scheduler".to_owned(),
            resource_namespace: default_namespace(),
        }
    }
}

impl LeaderElectionConfiguration {
    /// What was set to nothing is what it is by default.
    pub(super) fn complete(&mut self) {
        let default = Self::default();
        let durations = [
            (&mut self.lease_duration, default.lease_duration),
            (&mut self.renew_deadline, default.renew_deadline),
            (&mut self.retry_period, default.retry_period),
        ];
        for (duration, default) in durations {
            if duration.is_zero() {
                *duration = default;
            }
        }
        let texts = [
            (&mut self.resource_lock, default.resource_lock),
            (&mut self.resource_name, default.resource_name),
            (&mut self.resource_namespace, default.resource_namespace),
        ];
        for (text, default) in texts {
            if text.is_empty() {
                *text = default;
            }
        }
    }

    pub(super) fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if !self.leader_elect {
            return;
        }
        let durations = [
            ("leaseDuration", self.lease_duration),
            ("renewDeadline", self.renew_deadline),
            ("retryPeriod", self.retry_period),
        ];
        for (field, duration) in durations.into_iter().filter(|(_, duration)| !duration.is_positive()) {
            errors.invalid(path.child(field), duration, "must be greater than zero");
        }
        if self.lease_duration <= self.renew_deadline {
            let path = path.child("leaseDuration");
            errors.invalid(path, self.renew_deadline, "must be greater than `RenewDeadline`");
        }
        let texts = [
            ("resourceLock", &self.resource_lock),
            ("resourceNamespace", &self.resource_namespace),
            ("resourceName", &self.resource_name),
        ];
        for (field, _) in texts.into_iter().filter(|(_, text)| text.is_empty()) {
            errors.required(path.child(field), "");
        }
        if self.resource_lock != LEASES {
            let detail = "resourceLock value must be \"leases\"";
            errors.invalid(path.child("resourceLock"), &self.resource_lock, detail);
        }
    }
}

/// The namespace that this pod runs in; outside of a pod `kube-system`.
fn default_namespace() -> String {
    let own = std::fs::read_to_string(OWN_NAMESPACE).unwrap_or_default();
    let own = own.trim();
    if own.is_empty() { "kube-system" } else { own }.to_owned()
}
