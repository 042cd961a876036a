//! Profiles: which plugins judge the pods of one `schedulerName`.

mod assemble;
mod lists;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use assemble::ProfileError;
pub use lists::{ListedPlugin, PluginList, PluginLists};

use super::plugins::Registration;
use super::plugins::backup_reservation::BackupReservation;
use super::plugins::cloud_offload::{CloudOffload, CloudOffloadMode};
use super::plugins::vmi_capacity::{VmiCapacity, VmiCapacityMode};
use super::{BackupRule, Plugin, Point};
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

/// The plugins that judge the pods of one scheduler name.
pub struct Profile {
    /// The `schedulerName` of the pods.
    pub scheduler_name: Name,
    /// The plugins, in the order of the registry.
    plugins: Vec<Arc<Enabled>>,
    /// Those that run at each extension point, in the order in which they run.
    points: [Vec<Arc<Enabled>>; Point::ALL.len()],
}

/// A set of plugins, by their place in the registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PluginSet(u64);

// === impl Profile ===

impl Profile {
    /// The profiles that the bare binary serves.
    pub const KNOWN: [&str; 3] = ["edge-scheduler", "custom-scheduler", "contrail-scheduler"];

    /// A profile known by name:
    /// - `edge-scheduler`: everything, pods without a delay constraint preferably on cloud nodes;
    /// - `custom-scheduler`: the BME scheduler's rules, such pods on cloud nodes only;
    /// - `contrail-scheduler`: the Contrail CN2 scheduler's rules, pods on DPDK nodes with VMIs left only;
    /// - `default-scheduler`: kube-scheduler's rules, and delay and VMIs only for pods that ask.
    pub fn known(scheduler_name: &str) -> Option<Self> {
        let is_known = Self::KNOWN.contains(&scheduler_name) || scheduler_name == "default-scheduler";
        is_known.then(|| Self::with_all_plugins(scheduler_name))
    }

    /// All plugins of the registry with the weights they have by default and the arguments that are the
    /// default for a profile of this name.
    pub fn with_all_plugins(scheduler_name: &str) -> Self {
        let build = |registration: &Registration| default_plugin(scheduler_name, registration);
        // The defaults can always be set up, as a test shows, so that the other arm is never taken.
        Self::assemble(scheduler_name, &PluginLists::defaults(), build).unwrap_or_else(|_| Self {
            scheduler_name: scheduler_name.into(),
            plugins: Vec::new(),
            points: Point::ALL.map(|_| Vec::new()),
        })
    }

    /// Sets up the plugins that `lists` enable, each made by `build`. The lists are complete:
    /// [`PluginLists::defaults`], changed by what is configured.
    pub fn assemble(
        scheduler_name: &str,
        lists: &PluginLists,
        build: impl FnMut(&'static Registration) -> Box<dyn Plugin>,
    ) -> Result<Self, ProfileError> {
        assemble::assemble(scheduler_name, lists, build)
    }

    /// These plugins, each at all extension points that place a pod.
    #[cfg(test)]
    pub(crate) fn of_plugins(plugins: impl IntoIterator<Item = Enabled>) -> Self {
        let plugins: Vec<Arc<Enabled>> = plugins.into_iter().map(Arc::new).collect();
        let points = Point::ALL.map(|_| plugins.clone());
        Self { scheduler_name: "test".into(), plugins, points }
    }

    /// The plugins, in the order of the registry.
    pub fn plugins(&self) -> &[Arc<Enabled>] {
        &self.plugins
    }

    /// The plugins that run at this extension point, in the order in which they run.
    pub fn at(&self, point: Point) -> &[Arc<Enabled>] {
        self.points.get(point as usize).map_or(&[], Vec::as_slice)
    }

    /// The name of the plugin at this place of the registry; empty if the profile has none there.
    pub(crate) fn name_of(&self, plugin: usize) -> &'static str {
        let found = self.plugins.iter().find(|enabled| enabled.idx == plugin);
        found.map_or("", |enabled| enabled.plugin.name())
    }

    /// The place in the registry of the plugin of this name, if the profile has it.
    pub(crate) fn place_of(&self, name: &str) -> Option<usize> {
        self.plugins.iter().find(|enabled| enabled.plugin.name() == name).map(|enabled| enabled.idx)
    }

    /// Where among the plugins at this extension point the one at this place of the registry runs, if it
    /// does.
    pub(crate) fn rank(&self, point: Point, plugin: usize) -> Option<usize> {
        self.at(point).iter().position(|enabled| enabled.idx == plugin)
    }

    /// The plugins that are asked to prepare a check: those at PreFilter, and after them those at Filter
    /// alone.
    pub(crate) fn preparing(&self) -> impl Iterator<Item = &Enabled> {
        let at_filter = self.at(Point::Filter).iter();
        let alone = at_filter.filter(|enabled| self.rank(Point::PreFilter, enabled.idx).is_none());
        self.at(Point::PreFilter).iter().chain(alone).map(Arc::as_ref)
    }

    /// The same profile with the plugin of this name replaced by one with other arguments.
    #[must_use]
    pub fn with(mut self, plugin: Box<dyn Plugin>) -> Self {
        let Some(old) = self.plugins.iter().find(|it| it.plugin.name() == plugin.name()) else { return self };
        let new = Arc::new(Enabled { idx: old.idx, weight: old.weight, plugin });
        for list in self.points.iter_mut().chain([&mut self.plugins]) {
            for enabled in list.iter_mut().filter(|it| it.idx == new.idx) {
                *enabled = Arc::clone(&new);
            }
        }
        self
    }

    /// The same profile without the plugins of these names.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        for list in self.points.iter_mut().chain([&mut self.plugins]) {
            list.retain(|enabled| !names.contains(&enabled.plugin.name()));
        }
        self
    }

    /// How pods are covered by backups, if they are.
    pub fn backup_rule(&self) -> Option<BackupRule> {
        self.at(Point::Reserve).iter().find_map(|enabled| enabled.plugin.backup_rule())
    }

    /// Whether `pod` may be tried; else why not (PreEnqueue), and by which plugin.
    pub fn gate(&self, pod: &crate::model::Pod) -> Option<(usize, super::Reason)> {
        let gates = self.at(Point::PreEnqueue).iter();
        gates.into_iter().find_map(|enabled| Some((enabled.idx, enabled.plugin.pre_enqueue(pod)?)))
    }
}

/// A plugin with the arguments that are the default for a profile of this name.
fn default_plugin(scheduler_name: &str, registration: &Registration) -> Box<dyn Plugin> {
    match registration.name {
        "BackupReservation" => Box::new(BackupReservation::default_of_profile(scheduler_name)),
        "CloudOffload" => {
            Box::new(CloudOffload::with_mode(CloudOffloadMode::default_of_profile(scheduler_name)))
        }
        "VMICapacity" => {
            Box::new(VmiCapacity::with_mode(VmiCapacityMode::default_of_profile(scheduler_name)))
        }
        _ => (registration.build)(),
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

    /// The places in the registry of the plugins in the set.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..super::plugins::REGISTRY.len()).filter(move |idx| self.contains(*idx))
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
