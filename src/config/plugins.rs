//! `profiles[].plugins` (upstream: `kube-scheduler/config/v1/types.go`).

use edge_core::placement::{ListedPlugin, PluginList, PluginLists, Point};
use serde::{Deserialize, Serialize};

use super::error::{FieldErrors, Path};

/// What a profile says about plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Plugins {
    multi_point: PluginSet,
    pre_enqueue: PluginSet,
    queue_sort: PluginSet,
    pre_filter: PluginSet,
    filter: PluginSet,
    post_filter: PluginSet,
    pre_score: PluginSet,
    score: PluginSet,
    reserve: PluginSet,
    permit: PluginSet,
    pre_bind: PluginSet,
    bind: PluginSet,
    post_bind: PluginSet,
    placement_generate: PluginSet,
    placement_score: PluginSet,
}

/// What it says about those of one extension point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct PluginSet {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    enabled: Vec<PluginEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disabled: Vec<PluginEntry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct PluginEntry {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<i32>,
}

/// Plugins that `v1` knows no more. What they checked is NodeVolumeLimits' task, for all volumes are those of
/// CSI drivers by now.
const REMOVED: [&str; 4] = ["AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits"];

// === impl Plugins ===

impl Plugins {
    /// What can be wrong before it is known which plugins there are.
    pub(super) fn validate(&self, path: &Path, api_version: &str, errors: &mut FieldErrors) {
        let extensions =
            [("placementGenerate", &self.placement_generate), ("placementScore", &self.placement_score)];
        for (field, set) in extensions.into_iter().filter(|(_, set)| !set.enabled.is_empty()) {
            let _ = set;
            errors.forbidden(path.child(field), "placing pods in groups is not supported");
        }
        if api_version != super::V1 {
            return;
        }
        for (point, set) in self.points() {
            for (idx, plugin) in set.enabled.iter().enumerate().filter(|(_, it)| is_removed(&it.name)) {
                let path = path.child(field(point)).child("enabled").index(idx);
                errors.invalid(path, &plugin.name, was_removed(api_version));
            }
        }
        if self.queue_sort.enabled.len() > 1 {
            let path = path.child("queueSort").child("Enabled");
            let detail = "only one queue sort plugin can be enabled";
            errors.invalid(path, self.queue_sort.enabled.len(), detail);
        }
    }

    /// Whether both say the same about the order of the queue.
    pub(super) fn sort_alike(&self, other: &Self) -> bool {
        self.queue_sort == other.queue_sort
    }

    /// The same as lists. In versions before `v1`, plugins that were removed then are passed over.
    pub(super) fn lists(&self, api_version: &str) -> PluginLists {
        let list = |set: &PluginSet| set.list(api_version != super::V1);
        PluginLists {
            multi_point: list(&self.multi_point),
            points: self.points().map(|(point, set)| (point, list(set))).into(),
        }
    }

    fn points(&self) -> [(Point, &PluginSet); 12] {
        Point::ALL.map(|point| (point, self.at(point)))
    }

    fn at(&self, point: Point) -> &PluginSet {
        match point {
            Point::PreEnqueue => &self.pre_enqueue,
            Point::QueueSort => &self.queue_sort,
            Point::PreFilter => &self.pre_filter,
            Point::Filter => &self.filter,
            Point::PostFilter => &self.post_filter,
            Point::PreScore => &self.pre_score,
            Point::Score => &self.score,
            Point::Reserve => &self.reserve,
            Point::Permit => &self.permit,
            Point::PreBind => &self.pre_bind,
            Point::Bind => &self.bind,
            Point::PostBind => &self.post_bind,
        }
    }

    fn at_mut(&mut self, point: Point) -> &mut PluginSet {
        match point {
            Point::PreEnqueue => &mut self.pre_enqueue,
            Point::QueueSort => &mut self.queue_sort,
            Point::PreFilter => &mut self.pre_filter,
            Point::Filter => &mut self.filter,
            Point::PostFilter => &mut self.post_filter,
            Point::PreScore => &mut self.pre_score,
            Point::Score => &mut self.score,
            Point::Reserve => &mut self.reserve,
            Point::Permit => &mut self.permit,
            Point::PreBind => &mut self.pre_bind,
            Point::Bind => &mut self.bind,
            Point::PostBind => &mut self.post_bind,
        }
    }
}

impl From<&PluginLists> for Plugins {
    fn from(lists: &PluginLists) -> Self {
        let mut plugins = Self { multi_point: PluginSet::from(&lists.multi_point), ..Self::default() };
        for (point, list) in &lists.points {
            *plugins.at_mut(*point) = PluginSet::from(list);
        }
        plugins
    }
}

// === impl PluginSet ===

impl PluginSet {
    fn list(&self, without_removed: bool) -> PluginList {
        let kept = self.enabled.iter().filter(|it| !(without_removed && is_removed(&it.name)));
        let listed =
            |it: &PluginEntry| ListedPlugin { name: it.name.clone(), weight: it.weight.unwrap_or(0) };
        PluginList {
            enabled: kept.map(listed).collect(),
            disabled: self.disabled.iter().map(|it| it.name.clone()).collect(),
        }
    }
}

impl From<&PluginList> for PluginSet {
    fn from(list: &PluginList) -> Self {
        let enabled = |it: &ListedPlugin| PluginEntry { name: it.name.clone(), weight: Some(it.weight) };
        let disabled = |name: &String| PluginEntry { name: name.clone(), weight: Some(0) };
        Self {
            enabled: list.enabled.iter().map(enabled).collect(),
            disabled: list.disabled.iter().map(disabled).collect(),
        }
    }
}

/// The field of an extension point.
fn field(point: Point) -> &'static str {
    match point {
        Point::PreEnqueue => "preEnqueue",
        Point::QueueSort => "queueSort",
        Point::PreFilter => "preFilter",
        Point::Filter => "filter",
        Point::PostFilter => "postFilter",
        Point::PreScore => "preScore",
        Point::Score => "score",
        Point::Reserve => "reserve",
        Point::Permit => "permit",
        Point::PreBind => "preBind",
        Point::Bind => "bind",
        Point::PostBind => "postBind",
    }
}

/// Whether `v1` knows this plugin no more.
pub(super) fn is_removed(plugin: &str) -> bool {
    REMOVED.contains(&plugin)
}

pub(super) fn was_removed(api_version: &str) -> String {
    format!("was invalid in version \"v1\" (KubeSchedulerConfiguration is version {api_version:?})")
}
