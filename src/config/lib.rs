//! `KubeSchedulerConfiguration` (upstream: `kube-scheduler/config/v1`, `pkg/scheduler/apis/config`).
//!
//! ```text
//!  text ─► Value ─► the form of the API (strict) ─► complete: defaults, plugins merged ─► checked ─► profiles
//!        decode                form                        profile, args                 validate
//! ```
//!
//! All of it is pure: files are read by the caller.

mod args;
mod client_connection;
pub mod decode;
mod duration;
mod error;
mod form;
mod leader_election;
mod names;
mod plugins;
mod profile;
mod source;
#[cfg(test)]
mod tests;
mod validate;

pub use client_connection::ClientConnectionConfiguration;
pub use duration::{GoDuration, parse_duration};
pub use error::{ConfigError, FieldErrors};
pub use leader_election::LeaderElectionConfiguration;
pub use source::{FileSource, GoldpingerSource, Source};

use edge_core::delay::DelayRules;
use edge_core::placement::Profile;
use edge_core::state::Backoff;
use serde_yaml::Value;

use form::KubeSchedulerConfiguration;
use profile::ProfileConfiguration;

/// The version that is written.
const V1: &str = "kubescheduler.config.k8s.io/v1";
/// The versions that are read.
const VERSIONS: [&str; 2] = [V1, "kubescheduler.config.k8s.io/v1beta3"];
const KIND: &str = "KubeSchedulerConfiguration";

/// A configuration, complete.
#[derive(Debug)]
pub struct Configuration {
    /// The version that it was read from.
    api_version: String,
    /// Accepted and checked: one decision is made after another, whatever it says.
    parallelism: i32,
    /// How the replica that binds is found.
    pub leader_election: LeaderElectionConfiguration,
    /// How the API server is spoken to.
    pub client_connection: ClientConnectionConfiguration,
    /// Whether profiles are served under `/debug/pprof/`.
    pub enable_profiling: bool,
    /// Whether lock contention is profiled too.
    pub enable_contention_profiling: bool,
    /// Accepted and checked: every node is looked at, whatever it says.
    percentage_of_nodes_to_score: i32,
    /// How long a pod waits after its first failure, in seconds.
    pod_initial_backoff_seconds: i64,
    /// How long it waits at most.
    pod_max_backoff_seconds: i64,
    /// Whether a standby begins to watch the cluster only when it leads.
    pub delay_cache_until_active: bool,
    /// How many extenders there are; there can be none.
    extenders: usize,
    profiles: Vec<ProfileConfiguration>,
}

// === impl Configuration ===

impl Configuration {
    /// Reads a configuration. Its fields are not checked yet: [`Self::validate`].
    pub fn read(text: &str) -> Result<Self, ConfigError> {
        let document = decode::document(text).map_err(|error| ConfigError::Syntax(error.to_string()))?;
        check_kind(&document)?;
        let mut problems = Vec::new();
        let form: Option<KubeSchedulerConfiguration> = decode::strict(&document, "", &mut problems);
        let read = form.map(|form| Self::complete(form, &mut problems));
        match read {
            Some(read) if problems.is_empty() => Ok(read),
            Some(_) | None => Err(ConfigError::Decoding(problems)),
        }
    }

    /// What the bare binary does: serve the profiles that are known by name, but for `default-scheduler`.
    pub fn bare() -> Self {
        let profiles = Profile::KNOWN.map(form::KubeSchedulerProfile::named).into();
        let form = KubeSchedulerConfiguration { profiles, ..KubeSchedulerConfiguration::default() };
        Self::complete(form, &mut Vec::new())
    }

    /// What is wrong with the fields, if anything (upstream: `ValidateKubeSchedulerConfiguration`).
    pub fn validate(&self) -> Result<(), FieldErrors> {
        validate::validate(self)
    }

    /// Sets up the profiles.
    pub fn profiles(&self) -> Result<Vec<Profile>, ConfigError> {
        self.profiles.iter().map(ProfileConfiguration::profile).collect()
    }

    /// Where delays come from, if a profile says: the same for all that do.
    pub fn delays(&self) -> Vec<Source> {
        let sources = self.profiles.iter().map(ProfileConfiguration::delays);
        sources.into_iter().find(|sources| !sources.is_empty()).unwrap_or_default()
    }

    /// What is made of delays: the same for all profiles that say.
    pub fn delay_rules(&self) -> DelayRules {
        self.profiles.iter().find_map(ProfileConfiguration::delay_rules).unwrap_or_default()
    }

    /// The image of backups where that of the scheduler itself is not known, if a profile says.
    pub fn backup_image(&self) -> Option<&str> {
        self.profiles.iter().find_map(ProfileConfiguration::backup_image)
    }

    /// How long pods wait after failures.
    pub fn backoff(&self) -> Backoff {
        let seconds = |seconds: i64| std::time::Duration::from_secs(seconds.max(0).unsigned_abs());
        Backoff {
            initial: seconds(self.pod_initial_backoff_seconds),
            max: seconds(self.pod_max_backoff_seconds),
        }
    }

    /// The configuration as `v1`, with all defaults.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(form::KubeSchedulerConfiguration::from(self)).unwrap_or_default()
    }

    /// The same as YAML.
    pub fn to_yaml(&self) -> String {
        serde_yaml::to_string(&self.to_json()).unwrap_or_default()
    }
}

/// The document must say what it is.
fn check_kind(document: &Value) -> Result<(), ConfigError> {
    let field = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (field("apiVersion"), field("kind"));
    let (text, valid) = match () {
        () if kind.is_empty() => (format!("Object 'Kind' is missing in {}", summary(document)), false),
        () if version.is_empty() => {
            (format!("Object 'apiVersion' is missing in {}", summary(document)), false)
        }
        () => {
            let registered = VERSIONS.contains(&version) && kind == KIND;
            let known = VERSIONS.join(" and ");
            (
                format!("no kind {kind:?} is registered for version {version:?}; there is {KIND} of {known}"),
                registered,
            )
        }
    };
    if valid { Ok(()) } else { Err(ConfigError::Kind(text)) }
}

/// The fields that a document has.
fn summary(document: &Value) -> String {
    match document.as_mapping() {
        None => "a document that is no object".to_owned(),
        Some(fields) => {
            let names: Vec<&str> = fields.keys().filter_map(Value::as_str).collect();
            format!("an object with the fields [{}]", names.join(" "))
        }
    }
}
