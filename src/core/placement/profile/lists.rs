//! Which plugins a profile enables and disables, before they are set up
//! (upstream: `apis/config/v1/default_plugins.go`).

use std::collections::{BTreeMap, BTreeSet};

use crate::placement::Point;
use crate::placement::plugins::REGISTRY;

/// A plugin in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPlugin {
    /// Its name.
    pub name: String,
    /// The weight of its score; 0 means 1.
    pub weight: i32,
}

/// What a profile says about the plugins of one extension point (upstream: `PluginSet`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginList {
    /// These run, in this order.
    pub enabled: Vec<ListedPlugin>,
    /// These don't; `*` is all of them.
    pub disabled: Vec<String>,
}

/// What a profile says about plugins (upstream: `Plugins`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginLists {
    /// For every extension point that a plugin has.
    pub multi_point: PluginList,
    /// For single extension points.
    pub points: BTreeMap<Point, PluginList>,
}

/// In a list of disabled plugins: all of them.
pub(crate) const ALL: &str = "*";

// === impl ListedPlugin ===

impl ListedPlugin {
    /// The plugin of this name, its score of weight 1.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), weight: 0 }
    }
}

// === impl PluginList ===

impl PluginList {
    /// Whether everything that isn't enabled by name is disabled.
    pub(crate) fn disables_all(&self) -> bool {
        self.disabled.iter().any(|name| name == ALL)
    }

    /// This list as the default, changed by `custom` (upstream: `mergePluginSet`).
    ///
    /// A plugin that both enable keeps its place and takes over the weight that `custom` gives, even if
    /// that is none. What only `custom` enables comes last. Nothing is checked here: a plugin that `custom`
    /// names twice stays twice.
    fn changed_by(self, custom: PluginList) -> Self {
        let disabled = [custom.disabled, self.disabled].concat();
        let disables = |name: &str| disabled.iter().any(|it| it == name);
        let mut replaced = BTreeSet::new();
        let mut enabled = Vec::new();
        if !disables(ALL) {
            for default in self.enabled.into_iter().filter(|it| !disables(&it.name)) {
                // Of two of one name the later counts, as in upstream's map.
                match custom.enabled.iter().enumerate().rev().find(|(_, it)| it.name == default.name) {
                    None => enabled.push(default),
                    Some((idx, custom)) => {
                        replaced.insert(idx);
                        enabled.push(custom.clone());
                    }
                }
            }
        }
        let others = custom.enabled.into_iter().enumerate().filter(|(idx, _)| !replaced.contains(idx));
        enabled.extend(others.map(|(_, plugin)| plugin));
        Self { enabled, disabled }
    }
}

// === impl PluginLists ===

impl PluginLists {
    /// What holds where a profile says nothing: all plugins at all their extension points, in the order of
    /// the registry (upstream: `getDefaultPlugins`).
    pub fn defaults() -> Self {
        let enabled =
            REGISTRY.iter().map(|it| ListedPlugin { name: it.name.to_owned(), weight: it.weight }).collect();
        let multi_point = PluginList { enabled, disabled: Vec::new() };
        Self { multi_point, points: BTreeMap::new() }
    }

    /// These lists as the default, changed by `custom` (upstream: `mergePlugins`).
    #[must_use]
    pub fn changed_by(mut self, custom: Self) -> Self {
        self.multi_point = self.multi_point.changed_by(custom.multi_point);
        for (point, list) in custom.points {
            let default = self.points.remove(&point).unwrap_or_default();
            self.points.insert(point, default.changed_by(list));
        }
        self
    }

    /// What is said about one extension point.
    pub fn at(&self, point: Point) -> Option<&PluginList> {
        self.points.get(&point)
    }

    /// Whether a plugin is enabled by its name.
    pub fn enables(&self, name: &str) -> bool {
        let lists = self.points.values().chain([&self.multi_point]);
        lists.flat_map(|list| &list.enabled).any(|plugin| plugin.name == name)
    }
}
