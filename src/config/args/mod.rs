//! Arguments of plugins: one file a kind and one line in [`KINDS`]
//! (upstream: `kube-scheduler/config/v1/types_pluginargs.go`, `apis/config/validation`).

mod backup_reservation;
mod cloud_offload;
mod default_preemption;
mod dynamic_resources;
mod inter_pod_affinity;
mod moves;
mod network_delay;
mod node_affinity;
mod node_resources_balanced_allocation;
mod node_resources_fit;
mod pod_topology_spread;
mod resources;
mod shape;
mod vmi_capacity;
mod volume_binding;

use std::fmt::Debug;

use edge_core::delay::DelayRules;
use edge_core::placement::Plugin;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};

use super::decode;
use super::error::{FieldErrors, Path};
use crate::Source;

/// The kinds of arguments.
const KINDS: &[Kind] = &[
    Kind::of::<backup_reservation::BackupReservationArgs>(),
    Kind::of::<cloud_offload::CloudOffloadArgs>(),
    Kind::of::<default_preemption::DefaultPreemptionArgs>(),
    Kind::of::<dynamic_resources::DynamicResourcesArgs>(),
    Kind::of::<inter_pod_affinity::InterPodAffinityArgs>(),
    Kind::of::<network_delay::NetworkDelayArgs>(),
    Kind::of::<node_affinity::NodeAffinityArgs>(),
    Kind::of::<node_resources_balanced_allocation::NodeResourcesBalancedAllocationArgs>(),
    Kind::of::<node_resources_fit::NodeResourcesFitArgs>(),
    Kind::of::<pod_topology_spread::PodTopologySpreadArgs>(),
    Kind::of::<vmi_capacity::VmiCapacityArgs>(),
    Kind::of::<volume_binding::VolumeBindingArgs>(),
];

/// What a plugin's arguments are, in the form of `v1`.
trait Args: Debug + DeserializeOwned + Serialize + Send + Sync + 'static {
    /// The plugin.
    const PLUGIN: &'static str;

    /// Fills in the defaults that depend on the profile or on other arguments.
    fn complete(&mut self, _profile: &Context<'_>) {}

    /// What is wrong with them.
    fn validate(&self, _path: &Path, _errors: &mut FieldErrors) {}

    /// The plugin with these arguments; none if the arguments don't change it.
    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        None
    }

    /// Where delays come from, if they say.
    fn delays(&self) -> Vec<Source> {
        Vec::new()
    }

    /// What is made of them, if they say.
    fn delay_rules(&self) -> Option<DelayRules> {
        None
    }

    /// The image of backups, if they say.
    fn backup_image(&self) -> Option<&str> {
        None
    }
}

/// The arguments of some plugin, complete.
pub(super) trait PluginArgs: Debug + Send + Sync {
    /// The plugin's name.
    fn name(&self) -> &'static str;
    /// What is wrong with them.
    fn check(&self, path: &Path, errors: &mut FieldErrors);
    /// The plugin with these arguments; none if the arguments don't change it.
    fn build(&self) -> Option<Box<dyn Plugin>>;
    /// Where delays come from, if they say.
    fn sources(&self) -> Vec<Source>;
    /// What is made of them, if they say.
    fn rules(&self) -> Option<DelayRules>;
    /// The image of backups, if they say.
    fn image(&self) -> Option<&str>;
    /// As they are written.
    fn to_json(&self) -> serde_json::Value;
}

/// The profile that arguments are for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// Its name.
    pub(super) scheduler_name: &'a str,
    /// Whether the profile itself enables the plugin by its name.
    pub(super) enabled: bool,
}

type Decode = fn(&Value, &str, &Context<'_>, &mut Vec<String>) -> Option<Box<dyn PluginArgs>>;

/// A kind of arguments.
pub(super) struct Kind {
    plugin: &'static str,
    decode: Decode,
}

// === impl Kind ===

impl Kind {
    const fn of<T: Args>() -> Self {
        Self { plugin: T::PLUGIN, decode: decode::<T> }
    }

    /// The kind of this plugin's arguments, if it has any.
    pub(super) fn of_plugin(plugin: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.plugin == plugin)
    }

    /// The names of the plugins that have arguments.
    pub(super) fn plugins() -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.plugin).collect()
    }

    /// Decodes arguments, which stand at `root`.
    pub(super) fn decode(
        &self,
        args: &Value,
        root: &str,
        context: &Context<'_>,
        problems: &mut Vec<String>,
    ) -> Option<Box<dyn PluginArgs>> {
        let args = self.without_type(args, root, problems)?;
        (self.decode)(&args, root, context, problems)
    }

    /// The arguments where a profile gives none.
    pub(super) fn default_args(&self, context: &Context<'_>) -> Option<Box<dyn PluginArgs>> {
        (self.decode)(&Value::Mapping(Mapping::new()), "", context, &mut Vec::new())
    }

    /// The arguments without `apiVersion` and `kind`, which may stand there and then have to be right.
    fn without_type(&self, args: &Value, root: &str, problems: &mut Vec<String>) -> Option<Value> {
        let mut fields = match args {
            Value::Mapping(fields) => fields.clone(),
            Value::Null => Mapping::new(),
            _ => {
                problems.push(format!("{root}: has to be an object"));
                return None;
            }
        };
        let expected = format!("{}Args", self.plugin);
        if let Some(kind) = fields.remove("kind").filter(|kind| kind.as_str() != Some(&expected)) {
            let plugin = self.plugin;
            problems
                .push(format!("{root}: args for plugin {plugin} were not of type {expected}, got {kind:?}"));
        }
        let version = fields.remove("apiVersion");
        let is_known = |version: &Value| version.as_str().is_some_and(|it| super::VERSIONS.contains(&it));
        if let Some(version) = version.filter(|version| !is_known(version)) {
            problems.push(format!("{root}: no kind {expected:?} is registered for version {version:?}"));
        }
        Some(Value::Mapping(fields))
    }
}

fn decode<T: Args>(
    args: &Value,
    root: &str,
    context: &Context<'_>,
    problems: &mut Vec<String>,
) -> Option<Box<dyn PluginArgs>> {
    let mut args: T = decode::strict(args, root, problems)?;
    args.complete(context);
    Some(Box::new(args))
}

impl<T: Args> PluginArgs for T {
    fn name(&self) -> &'static str {
        T::PLUGIN
    }

    fn check(&self, path: &Path, errors: &mut FieldErrors) {
        self.validate(path, errors);
    }

    fn build(&self) -> Option<Box<dyn Plugin>> {
        self.plugin()
    }

    fn sources(&self) -> Vec<Source> {
        self.delays()
    }

    fn rules(&self) -> Option<DelayRules> {
        self.delay_rules()
    }

    fn image(&self) -> Option<&str> {
        self.backup_image()
    }

    fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = json.as_object_mut() {
            fields.insert("apiVersion".to_owned(), super::V1.into());
            fields.insert("kind".to_owned(), format!("{}Args", T::PLUGIN).into());
        }
        json
    }
}
