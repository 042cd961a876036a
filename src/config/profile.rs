//! A profile, complete (upstream: `setDefaults_KubeSchedulerProfile`).

use edge_core::delay::DelayRules;
use edge_core::placement::{PluginLists, Profile};

use super::args::{Context, Kind, PluginArgs};
use super::error::{ConfigError, FieldErrors, Path};
use super::form::{KubeSchedulerProfile, PluginConfig};
use super::plugins::{self, Plugins};
use crate::Source;

/// A profile with all that is by default.
#[derive(Debug)]
pub(super) struct ProfileConfiguration {
    pub(super) scheduler_name: String,
    pub(super) percentage_of_nodes_to_score: Option<i32>,
    /// What the profile says about plugins itself.
    pub(super) own: Plugins,
    /// The defaults, changed by that.
    pub(super) lists: PluginLists,
    /// The arguments of its plugins, by name.
    pub(super) args: Vec<Box<dyn PluginArgs>>,
    /// The plugins for which it gives arguments, in its own order.
    configured: Vec<String>,
}

// === impl ProfileConfiguration ===

impl ProfileConfiguration {
    /// Fills in the defaults. What is wrong with arguments is added to `problems`.
    pub(super) fn complete(
        profile: KubeSchedulerProfile,
        idx: usize,
        api_version: &str,
        problems: &mut Vec<String>,
    ) -> Self {
        let KubeSchedulerProfile {
            scheduler_name,
            percentage_of_nodes_to_score,
            plugins: own,
            plugin_config,
        } = profile;
        let scheduler_name = scheduler_name.unwrap_or_default();
        let own_lists = own.lists(api_version);
        let context =
            |plugin: &str| Context { scheduler_name: &scheduler_name, enabled: own_lists.enables(plugin) };
        let mut args = Vec::new();
        for (number, PluginConfig { name, args: given }) in plugin_config.iter().enumerate() {
            // One that has none is told with the fields.
            if let Some(kind) = Kind::of_plugin(name) {
                let root = format!("profiles[{idx}].pluginConfig[{number}].args");
                args.extend(kind.decode(given, &root, &context(name), problems));
            }
        }
        let configured: Vec<String> = plugin_config.into_iter().map(|it| it.name).collect();
        let lists = PluginLists::defaults().changed_by(own_lists.clone());
        for name in Kind::plugins() {
            if lists.enables(name) && !configured.iter().any(|it| it == name) {
                args.extend(Kind::of_plugin(name).and_then(|kind| kind.default_args(&context(name))));
            }
        }
        args.sort_by_key(|args| args.name());
        Self { scheduler_name, percentage_of_nodes_to_score, own, lists, args, configured }
    }

    pub(super) fn validate(&self, path: &Path, api_version: &str, errors: &mut FieldErrors) {
        if self.scheduler_name.is_empty() {
            errors.required(path.child("schedulerName"), "");
        }
        if let Some(percentage) = self.percentage_of_nodes_to_score {
            super::validate::percentage(percentage, path.child("percentageOfNodesToScore"), errors);
        }
        self.own.validate(&path.child("plugins"), api_version, errors);
        for (idx, name) in self.configured.iter().enumerate() {
            let path = path.child("pluginConfig").index(idx);
            if self.configured.iter().take(idx).any(|it| it == name) {
                errors.duplicate(path.clone(), name);
            } else if let Some(args) = self.args.iter().find(|args| args.name() == name) {
                args.check(&path.child("args"), errors);
            } else if plugins::is_removed(name) {
                if api_version == super::V1 {
                    errors.invalid(path, name, plugins::was_removed(api_version));
                }
            } else {
                errors.unsupported(path.child("name"), name, &Kind::plugins());
            }
        }
    }

    /// Sets up the profile.
    pub(super) fn profile(&self) -> Result<Profile, ConfigError> {
        let args = |name: &str| self.args.iter().find(|args| args.name() == name);
        let build = |registration: &edge_core::placement::plugins::Registration| {
            args(registration.name).and_then(|args| args.build()).unwrap_or_else(registration.build)
        };
        Profile::assemble(&self.scheduler_name, &self.lists, build)
            .map_err(|why| ConfigError::Profile { scheduler_name: self.scheduler_name.clone(), why })
    }

    /// Where delays come from, if the profile says.
    pub(super) fn delays(&self) -> Vec<Source> {
        self.args.iter().flat_map(|args| args.sources()).collect()
    }

    /// What is made of them, if the profile says.
    pub(super) fn delay_rules(&self) -> Option<DelayRules> {
        self.args.iter().find_map(|args| args.rules())
    }

    /// The image of backups, if the profile says.
    pub(super) fn backup_image(&self) -> Option<&str> {
        self.args.iter().find_map(|args| args.image())
    }
}
