//! The configuration in the form of the API (upstream: `kube-scheduler/config/v1/types.go`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plugins::Plugins;
use super::{ClientConnectionConfiguration, Configuration, KIND, LeaderElectionConfiguration, V1};
use crate::profile::ProfileConfiguration;

/// A configuration. What is absent is what it is by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct KubeSchedulerConfiguration {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) parallelism: i32,
    pub(super) leader_election: LeaderElectionConfiguration,
    pub(super) client_connection: ClientConnectionConfiguration,
    pub(super) enable_profiling: bool,
    pub(super) enable_contention_profiling: Option<bool>,
    pub(super) percentage_of_nodes_to_score: i32,
    pub(super) pod_initial_backoff_seconds: i64,
    pub(super) pod_max_backoff_seconds: i64,
    pub(super) profiles: Vec<KubeSchedulerProfile>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extenders: Vec<serde_yaml::Value>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) delay_cache_until_active: bool,
}

/// A profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct KubeSchedulerProfile {
    pub(super) scheduler_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) percentage_of_nodes_to_score: Option<i32>,
    pub(super) plugins: Plugins,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) plugin_config: Vec<PluginConfig>,
}

/// Arguments of a plugin. They are decoded once it is known which profile they are for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PluginConfig {
    pub(super) name: String,
    pub(super) args: serde_yaml::Value,
}

// === impl KubeSchedulerConfiguration ===

impl Default for KubeSchedulerConfiguration {
    fn default() -> Self {
        Self {
            api_version: V1.to_owned(),
            kind: KIND.to_owned(),
            parallelism: 16,
            leader_election: LeaderElectionConfiguration::default(),
            client_connection: ClientConnectionConfiguration::default(),
            enable_profiling: true,
            enable_contention_profiling: None,
            percentage_of_nodes_to_score: 0,
            pod_initial_backoff_seconds: 1,
            pod_max_backoff_seconds: 10,
            profiles: Vec::new(),
            extenders: Vec::new(),
            delay_cache_until_active: false,
        }
    }
}

impl From<&Configuration> for KubeSchedulerConfiguration {
    fn from(complete: &Configuration) -> Self {
        Self {
            api_version: V1.to_owned(),
            kind: KIND.to_owned(),
            parallelism: complete.parallelism,
            leader_election: complete.leader_election.clone(),
            client_connection: complete.client_connection.clone(),
            enable_profiling: complete.enable_profiling,
            enable_contention_profiling: Some(complete.enable_contention_profiling),
            percentage_of_nodes_to_score: complete.percentage_of_nodes_to_score,
            pod_initial_backoff_seconds: complete.pod_initial_backoff_seconds,
            pod_max_backoff_seconds: complete.pod_max_backoff_seconds,
            profiles: complete.profiles.iter().map(KubeSchedulerProfile::from).collect(),
            extenders: Vec::new(),
            delay_cache_until_active: complete.delay_cache_until_active,
        }
    }
}

// === impl KubeSchedulerProfile ===

impl KubeSchedulerProfile {
    /// A profile that says nothing but its name.
    pub(super) fn named(scheduler_name: &str) -> Self {
        Self { scheduler_name: Some(scheduler_name.to_owned()), ..Self::default() }
    }
}

impl From<&ProfileConfiguration> for KubeSchedulerProfile {
    fn from(complete: &ProfileConfiguration) -> Self {
        let config = |args: Value, name: &str| PluginConfig {
            name: name.to_owned(),
            args: serde_yaml::to_value(args).unwrap_or_default(),
        };
        Self {
            scheduler_name: Some(complete.scheduler_name.clone()),
            percentage_of_nodes_to_score: complete.percentage_of_nodes_to_score,
            plugins: Plugins::from(&complete.lists),
            plugin_config: complete.args.iter().map(|args| config(args.to_json(), args.name())).collect(),
        }
    }
}

impl Configuration {
    /// Fills in the defaults (upstream: `SetDefaults_KubeSchedulerConfiguration`). What is wrong with the
    /// arguments of plugins is added to `problems`.
    pub(super) fn complete(form: KubeSchedulerConfiguration, problems: &mut Vec<String>) -> Self {
        let KubeSchedulerConfiguration {
            api_version,
            kind: _,
            parallelism,
            mut leader_election,
            mut client_connection,
            enable_profiling,
            enable_contention_profiling,
            percentage_of_nodes_to_score,
            pod_initial_backoff_seconds,
            pod_max_backoff_seconds,
            mut profiles,
            extenders,
            delay_cache_until_active,
        } = form;
        leader_election.complete();
        client_connection.complete();
        if profiles.is_empty() {
            profiles.push(KubeSchedulerProfile::default());
        }
        if let [only] = &mut profiles[..] {
            only.scheduler_name.get_or_insert_with(|| "default-scheduler".to_owned());
        }
        let profiles = profiles.into_iter().enumerate();
        let profiles = profiles
            .map(|(idx, profile)| ProfileConfiguration::complete(profile, idx, &api_version, problems))
            .collect();
        Self {
            api_version,
            parallelism,
            leader_election,
            client_connection,
            enable_profiling,
            enable_contention_profiling: enable_contention_profiling.unwrap_or(enable_profiling),
            percentage_of_nodes_to_score,
            pod_initial_backoff_seconds,
            pod_max_backoff_seconds,
            delay_cache_until_active,
            extenders: extenders.len(),
            profiles,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}
