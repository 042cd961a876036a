//! Profiles: which plugins judge the pods of one `schedulerName`.

use super::Plugin;
use super::plugins::cloud_offload::{CloudOffload, CloudOffloadMode};
use super::plugins::{self, Registration};
use crate::model::Name;

/// A plugin as a profile uses it.
pub struct Enabled {
    /// Its place in the registry.
    pub idx: usize,
    /// The plugin with its arguments.
    pub plugin: Box<dyn Plugin>,
    /// The weight of its score.
    pub weight: i64,
}

/// The plugins that judge the pods of one scheduler name, in the order in which they run.
pub struct Profile {
    /// The `schedulerName` of the pods.
    pub scheduler_name: Name,
    /// The plugins.
    pub plugins: Vec<Enabled>,
}

/// A set of plugins, by their place in the registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PluginSet(u64);

// === impl Profile ===

impl Profile {
    /// The profiles that the bare binary serves.
    pub const KNOWN: [&str; 2] = ["edge-scheduler", "custom-scheduler"];

    /// A profile known by name:
    /// - `edge-scheduler`: everything, pods without a delay constraint preferably on cloud nodes;
    /// - `custom-scheduler`: the BME scheduler's rules, such pods on cloud nodes only;
    /// - `default-scheduler`: kube-scheduler's rules, and delay only for pods that ask.
    pub fn known(scheduler_name: &str) -> Option<Self> {
        let offload = match scheduler_name {
            "edge-scheduler" => CloudOffloadMode::Preferred,
            "custom-scheduler" => CloudOffloadMode::Required,
            "default-scheduler" => CloudOffloadMode::Disabled,
            _ => return None,
        };
        let profile = Self::with_all_plugins(scheduler_name);
        Some(profile.with(Box::new(CloudOffload::with_mode(offload))))
    }

    /// All plugins of the registry with their default arguments and weights.
    pub fn with_all_plugins(scheduler_name: &str) -> Self {
        let enable = |(idx, registration): (usize, &Registration)| Enabled {
            idx,
            plugin: (registration.build)(),
            weight: registration.weight,
        };
        let plugins = plugins::REGISTRY.iter().enumerate().map(enable).collect();
        Self { scheduler_name: scheduler_name.into(), plugins }
    }

    /// The same profile with the plugin of this name replaced by one with other arguments.
    #[must_use]
    pub fn with(mut self, plugin: Box<dyn Plugin>) -> Self {
        for enabled in &mut self.plugins {
            if enabled.plugin.name() == plugin.name() {
                enabled.plugin = plugin;
                break;
            }
        }
        self
    }

    /// The same profile without the plugins of these names.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.plugins.retain(|enabled| !names.contains(&enabled.plugin.name()));
        self
    }

    /// Whether `pod` may be tried; else why not (PreEnqueue), and by which plugin.
    pub fn gate(&self, pod: &crate::model::Pod) -> Option<(usize, super::Reason)> {
        self.plugins.iter().find_map(|enabled| Some((enabled.idx, enabled.plugin.pre_enqueue(pod)?)))
    }
}

// === impl PluginSet ===

impl PluginSet {
    /// The plugin at this place of the registry alone.
    pub fn of(idx: usize) -> Self {
        Self(1 << idx)
    }

    /// The plugins of both sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Adds the plugin at this place of the registry.
    pub fn insert(&mut self, idx: usize) {
        self.0 |= 1 << idx;
    }

    /// Whether the plugin at this place of the registry is in the set.
    pub fn contains(self, idx: usize) -> bool {
        self.0 & (1 << idx) != 0
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
