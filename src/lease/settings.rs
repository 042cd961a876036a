//! Settings of leader election, with upstream's defaults and limits.

use std::time::Duration;

use edge_config::LeaderElectionConfiguration;

/// A retry is put off by up to this many times the period, so that replicas don't ask in step.
pub(super) const JITTER_FACTOR: f64 = 1.2;

/// Which Lease is held, and how (upstream: `LeaderElectionConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// For how long after a renewal others leave it alone.
    pub lease_duration: Duration,
    /// For how long the leader tries to renew before it gives up.
    pub renew_deadline: Duration,
    /// How long to wait between tries.
    pub retry_period: Duration,
}

/// Settings that can't work. The texts name the fields as `KubeSchedulerConfiguration` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The Lease would run out while it is being renewed.
    #[error("leaseDuration must be greater than renewDeadline")]
    LeaseDuration,
    /// There would be a single try.
    #[error("renewDeadline must be greater than retryPeriod*JitterFactor")]
    RenewDeadline,
    /// A Lease counts whole seconds.
    #[error("leaseDuration must be at least one second")]
    ShortLease,
    /// The server would be asked without a pause.
    #[error("retryPeriod must be greater than zero")]
    RetryPeriod,
    /// Without a name there is no Lease.
    #[error("resourceName is required")]
    Name,
    /// Nor without a namespace.
    #[error("resourceNamespace is required")]
    Namespace,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self::of(&LeaderElectionConfiguration::default())
    }
}

impl Settings {
    /// Those of the configuration.
    pub fn of(config: &LeaderElectionConfiguration) -> Self {
        Self {
            namespace: config.resource_namespace.clone(),
            name: config.resource_name.clone(),
            lease_duration: config.lease_duration.get(),
            renew_deadline: config.renew_deadline.get(),
            retry_period: config.retry_period.get(),
        }
    }

    /// Whether they can work (upstream: `NewLeaderElector`).
    pub fn check(&self) -> Result<(), SettingsError> {
        let Self { namespace, name, lease_duration, renew_deadline, retry_period } = self;
        match () {
            () if *lease_duration <= *renew_deadline => Err(SettingsError::LeaseDuration),
            () if *renew_deadline <= retry_period.mul_f64(JITTER_FACTOR) => Err(SettingsError::RenewDeadline),
            () if *lease_duration < Duration::from_secs(1) => Err(SettingsError::ShortLease),
            () if retry_period.is_zero() => Err(SettingsError::RetryPeriod),
            () if name.is_empty() => Err(SettingsError::Name),
            () if namespace.is_empty() => Err(SettingsError::Namespace),
            () => Ok(()),
        }
    }

    /// How long a request may take: two of them fit before the deadline.
    pub(super) fn request_timeout(&self) -> Duration {
        (self.renew_deadline / 2).max(Duration::from_secs(1))
    }
}

/// A name that no other process has: `<host>_<uuid>`, as upstream's.
pub fn identity() -> std::io::Result<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    Ok(format!("{}_{}", host.trim(), uuid.trim()))
}
