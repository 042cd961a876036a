//! Setting up a profile's plugins (upstream: `framework/runtime/framework.go`, `NewFramework`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lists::{ListedPlugin, PluginList, PluginLists};
use super::{Enabled, Profile};
use crate::placement::plugins::{REGISTRY, Registration};
use crate::placement::{Plugin, Point};

/// Why a profile can't be set up. The texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// There is no plugin of this name.
    #[error("{point}Plugin {name:?} does not exist")]
    Unknown {
        /// Where it is enabled; the first extension point if by multiPoint.
        point: Point,
        /// Its name.
        name: String,
    },
    /// The plugin has no such extension point.
    #[error("plugin {name:?} does not extend {point}Plugin plugin")]
    NotExtended {
        /// Where it is enabled.
        point: Point,
        /// Its name.
        name: String,
    },
    /// The plugin is enabled twice.
    #[error("plugin {name:?} already registered as \"{point}Plugin\"")]
    Twice {
        /// Where it is enabled.
        point: Point,
        /// Its name.
        name: String,
    },
    /// Exactly one plugin has to order the queue.
    #[error(
        "only one queue sort plugin required for profile with scheduler name {scheduler_name:?}, but got {count}"
    )]
    QueueSort {
        /// The profile.
        scheduler_name: String,
        /// How many there are.
        count: usize,
    },
    /// Nothing would bind.
    #[error("at least one bind plugin is needed for profile with scheduler name {scheduler_name:?}")]
    NoBind {
        /// The profile.
        scheduler_name: String,
    },
}

/// The plugins that run at each extension point, by name.
type Order<'a> = BTreeMap<Point, Vec<&'a str>>;

/// Sets up the plugins that `lists` enable, each made by `build`.
pub(super) fn assemble(
    scheduler_name: &str,
    lists: &PluginLists,
    mut build: impl FnMut(&'static Registration) -> Box<dyn Plugin>,
) -> Result<Profile, ProfileError> {
    let order = order(lists)?;
    let count = |point: Point| order.get(&point).map_or(0, Vec::len);
    let scheduler = || scheduler_name.to_owned();
    if count(Point::QueueSort) != 1 {
        let count = count(Point::QueueSort);
        return Err(ProfileError::QueueSort { scheduler_name: scheduler(), count });
    }
    if count(Point::Bind) == 0 {
        return Err(ProfileError::NoBind { scheduler_name: scheduler() });
    }
    let needed = REGISTRY.iter().enumerate().filter(|(_, it)| lists.enables(it.name));
    let plugins: Vec<Arc<Enabled>> = needed
        .map(|(idx, it)| Arc::new(Enabled { idx, plugin: build(it), weight: weight(lists, it.name) }))
        .collect();
    let find = |name: &&str| plugins.iter().find(|enabled| enabled.plugin.name() == *name).cloned();
    let points = Point::ALL.map(|point| order.get(&point).into_iter().flatten().filter_map(find).collect());
    Ok(Profile { scheduler_name: scheduler_name.into(), plugins, points })
}

/// The weight of a plugin's score: what its own list says goes before multiPoint, and 0 is 1
/// (upstream: `getValidScoreWeights`).
fn weight(lists: &PluginLists, name: &str) -> i64 {
    let at_score = lists.at(Point::Score).map_or(&[][..], |list| &list.enabled);
    let listed = at_score.iter().chain(&lists.multi_point.enabled).find(|it| it.name == name);
    match listed.map_or(0, |it| it.weight) {
        0 => 1,
        weight => weight.into(),
    }
}

fn order(lists: &PluginLists) -> Result<Order<'_>, ProfileError> {
    let mut order = Order::new();
    for point in Point::SET_UP {
        let own = lists.at(point).map_or(Ok(Vec::new()), |list| own_order(point, list))?;
        order.insert(point, own);
    }
    if !lists.multi_point.enabled.is_empty() {
        for point in Point::SET_UP {
            let own = order.remove(&point).unwrap_or_default();
            order.insert(point, with_multi_point(point, own, lists)?);
        }
    }
    Ok(order)
}

/// The plugins that the list of one extension point enables (upstream: `updatePluginList`).
fn own_order(point: Point, list: &PluginList) -> Result<Vec<&str>, ProfileError> {
    let mut names: Vec<&str> = Vec::new();
    for ListedPlugin { name, weight: _ } in &list.enabled {
        let registration = find(point, name)?;
        if !registration.points.contains(&point) {
            return Err(ProfileError::NotExtended { point, name: name.clone() });
        }
        if names.contains(&registration.name) {
            return Err(ProfileError::Twice { point, name: name.clone() });
        }
        names.push(registration.name);
    }
    Ok(names)
}

/// Adds the plugins that multiPoint enables (upstream: `expandMultiPointPlugins`). First come those that
/// both name, in the order of the extension point's own list; then those of multiPoint; then the others.
fn with_multi_point<'a>(
    point: Point,
    own: Vec<&'a str>,
    lists: &'a PluginLists,
) -> Result<Vec<&'a str>, ProfileError> {
    let disabled = lists.at(point).map_or(&[][..], |list| &list.disabled);
    if lists.at(point).is_some_and(PluginList::disables_all) {
        return Ok(own);
    }
    let (mut overridden, mut expanded) = (Vec::new(), Vec::new());
    for ListedPlugin { name, weight: _ } in &lists.multi_point.enabled {
        let registration = find(point, name)?;
        if !registration.points.contains(&point) || disabled.contains(name) {
            continue;
        }
        if own.contains(&registration.name) {
            overridden.push(registration.name);
        } else if expanded.contains(&registration.name) {
            return Err(ProfileError::Twice { point, name: name.clone() });
        } else {
            expanded.push(registration.name);
        }
    }
    let (first, last): (Vec<&str>, Vec<&str>) = own.into_iter().partition(|name| overridden.contains(name));
    Ok([first, expanded, last].concat())
}

fn find(point: Point, name: &str) -> Result<&'static Registration, ProfileError> {
    let registration = REGISTRY.iter().find(|it| it.name == name);
    registration.ok_or_else(|| ProfileError::Unknown { point, name: name.to_owned() })
}
