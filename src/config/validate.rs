//! Checks of fields (upstream: `apis/config/validation/validation.go`).

use super::Configuration;
use super::error::{FieldErrors, Path};

/// What is wrong with a configuration.
pub(super) fn validate(config: &Configuration) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    config.client_connection.validate(&Path::new("clientConnection"), &mut errors);
    config.leader_election.validate(&Path::new("leaderElection"), &mut errors);
    if config.parallelism <= 0 {
        let detail = "should be an integer value greater than zero";
        errors.invalid(Path::new("parallelism"), config.parallelism, detail);
    }
    profiles(config, &Path::new("profiles"), &mut errors);
    percentage(config.percentage_of_nodes_to_score, Path::new("percentageOfNodesToScore"), &mut errors);
    backoff(config, &mut errors);
    if config.extenders > 0 {
        let detail = "extenders are not supported; what an extender does has to be a plugin of a profile";
        errors.forbidden(Path::new("extenders"), detail);
    }
    errors.into_result()
}

fn profiles(config: &Configuration, path: &Path, errors: &mut FieldErrors) {
    for (idx, profile) in config.profiles.iter().enumerate() {
        let own = path.index(idx);
        profile.validate(&own, &config.api_version, errors);
        let same_name = |other: &super::ProfileConfiguration| other.scheduler_name == profile.scheduler_name;
        if let Some(first) = config.profiles.iter().take(idx).rposition(same_name) {
            let first = path.index(first).child("schedulerName").to_string();
            errors.duplicate(own.child("schedulerName"), first);
        }
        let Some(canon) = config.profiles.first() else { continue };
        if !profile.own.sort_alike(&canon.own) {
            let path = own.child("plugins").child("queueSort");
            errors.invalid(path, &profile.own, "must be the same for all profiles");
        }
        let sources = profile.delays();
        if !sources.is_empty() && sources != config.delays() {
            let detail = "sources must be the same for all profiles";
            errors.forbidden(own.child("pluginConfig"), detail);
        } else if profile.delay_rules().is_some_and(|rules| rules != config.delay_rules()) {
            let detail = "arguments of NetworkDelay must be the same for all profiles";
            errors.forbidden(own.child("pluginConfig"), detail);
        }
    }
}

pub(super) fn percentage(value: i32, path: Path, errors: &mut FieldErrors) {
    if !(0..=100).contains(&value) {
        errors.invalid(path, value, "not in valid range [0-100]");
    }
}

fn backoff(config: &Configuration, errors: &mut FieldErrors) {
    let (initial, max) = (config.pod_initial_backoff_seconds, config.pod_max_backoff_seconds);
    if initial <= 0 {
        errors.invalid(Path::new("podInitialBackoffSeconds"), initial, "must be greater than 0");
    }
    if max < initial {
        let detail = "must be greater than or equal to PodInitialBackoffSeconds";
        errors.invalid(Path::new("podMaxBackoffSeconds"), max, detail);
    }
}
