//! What is installed: which scheduler names are served, and by what rules their pods are judged.

use std::sync::Arc;

use edge_api::names::{NAMESPACE, SCHEDULER_CONFIG};
use edge_config::{Configuration, Source};
use edge_core::delay::DelayRules;
use edge_core::placement::Profile;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use serde::Deserialize;

use crate::cluster::{Cluster, Gaps, is_not_found};
use crate::failure::Failure;

/// The scheduler names that are served, and their rules.
#[derive(Clone)]
pub(crate) struct Served {
    /// The names; the first is what pods are given that have none.
    pub(crate) names: Vec<String>,
    /// Whether they were read from the cluster.
    pub(crate) is_known: bool,
    /// Which delays count, and for how long.
    pub(crate) rules: DelayRules,
    /// The profiles as they are configured; none if the configuration can't be read here.
    profiles: Vec<Arc<Profile>>,
    /// What differs here from what the scheduler goes by.
    warnings: Vec<String>,
}

/// What is read of a configuration of which this version doesn't understand everything.
#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    profiles: Vec<ProfileName>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileName {
    scheduler_name: Option<String>,
}

/// Where the installed scheduler's configuration is in its `ConfigMap`.
const KEY: &str = "config.yaml";

// === impl Served ===

impl Default for Served {
    /// What the bare binary serves.
    fn default() -> Self {
        Self {
            names: Profile::KNOWN.map(str::to_owned).to_vec(),
            is_known: false,
            rules: DelayRules::default(),
            profiles: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl Served {
    /// Reads the scheduler's configuration. Where there is none, what the bare binary serves.
    pub(crate) async fn read(cluster: &Cluster, gaps: &mut Gaps) -> Result<Self, Failure> {
        let api: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), NAMESPACE);
        let answer = match api.get(SCHEDULER_CONFIG).await {
            Err(error) if is_not_found(&error) => return Ok(Self::default()),
            answer => answer,
        };
        let needs = format!("get configmaps in namespace {NAMESPACE}");
        let map = gaps.allow(cluster, answer, &needs, "the scheduler's own configuration")?;
        let texts = map.and_then(|map| map.data).unwrap_or_default();
        let text = texts.get(KEY).or_else(|| texts.values().next());
        Ok(text.map_or_else(Self::default, |text| Self::of(text)))
    }

    /// What this configuration says.
    pub(crate) fn of(text: &str) -> Self {
        match read(text) {
            Ok((config, profiles)) => Self {
                names: profiles.iter().map(|it| it.scheduler_name.to_string()).collect(),
                is_known: true,
                rules: config.delay_rules(),
                profiles: profiles.into_iter().map(Arc::new).collect(),
                warnings: hidden(&config).into_iter().collect(),
            },
            Err(why) => Self::of_names(text, &why),
        }
    }

    /// The scheduler may be newer than the plugin, and have what this version doesn't know of.
    fn of_names(text: &str, why: &str) -> Self {
        let found = serde_yaml::from_str::<Names>(text).map(|it| it.profiles).unwrap_or_default();
        let found: Vec<String> = found.into_iter().filter_map(|it| it.scheduler_name).collect();
        let default = Self::default();
        let warning = format!(
            "configmap {NAMESPACE}/{SCHEDULER_CONFIG} can't be used here, default arguments are: {why}"
        );
        let is_known = !found.is_empty();
        let names = if is_known { found } else { default.names.clone() };
        Self { names, is_known, warnings: vec![warning], ..default }
    }

    /// Whether pods with this scheduler name are ours.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|served| served == name)
    }

    /// What pods are given that have no scheduler of ours: the first name that is not the default scheduler's.
    pub(crate) fn preferred(&self) -> &str {
        let ours = self.names.iter().find(|name| *name != "default-scheduler");
        ours.or(self.names.first()).map_or("edge-scheduler", String::as_str)
    }

    /// The profile by which pods of this scheduler are judged here.
    pub(crate) fn profile(&self, name: &str) -> Arc<Profile> {
        let configured = self.profiles.iter().find(|it| *it.scheduler_name == *name);
        configured.map_or_else(|| Arc::new(Profile::with_all_plugins(name)), Arc::clone)
    }

    /// What differs here from what the scheduler goes by, to be told.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}

fn read(text: &str) -> Result<(Configuration, Vec<Profile>), String> {
    let config = Configuration::read(text).map_err(|error| error.to_string())?;
    config.validate().map_err(|error| error.to_string())?;
    let profiles = config.profiles().map_err(|error| error.to_string())?;
    Ok((config, profiles))
}

/// A file of delays is on the scheduler's machine.
fn hidden(config: &Configuration) -> Option<String> {
    let has_file = config.delays().iter().any(|source| matches!(source, Source::File(_)));
    has_file.then(|| {
        "the scheduler reads delays from a file: here they are known only where it reports them, which it does for \
         anchors that are in use"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use edge_core::delay::{DelaySource, Statistic};

    use super::*;

    const CONFIG: &str = "
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: edge-scheduler
  pluginConfig:
  - name: NetworkDelay
    args: {statistic: p50, sources: [{goldpinger: {}}, {probe: {}}]}
- schedulerName: mine
  plugins: {multiPoint: {disabled: [{name: NetworkDelay}]}}
";

    #[test]
    fn pods_are_judged_as_it_is_configured() {
        let served = Served::of(CONFIG);
        assert_eq!(
            (&served.names[..], served.is_known),
            (&["edge-scheduler".into(), "mine".into()][..], true)
        );
        assert_eq!(served.rules.statistic, Statistic::P50);
        assert_eq!(served.rules.sources, [DelaySource::Goldpinger, DelaySource::Probe]);
        let has_delays =
            |name: &str| served.profile(name).plugins().iter().any(|it| it.plugin.name() == "NetworkDelay");
        assert!(has_delays("edge-scheduler") && !has_delays("mine") && has_delays("another"));
        assert!(served.warnings().is_empty());
    }

    #[test]
    fn of_a_newer_configuration_the_names_are_known() {
        let served = Served::of(&CONFIG.replace("statistic: p50", "colour: red"));
        assert_eq!((served.names.len(), &served.rules), (2, &DelayRules::default()));
        assert!(served.warnings()[0].contains("unknown field"), "{:?}", served.warnings());
        assert_eq!(Served::of("profiles: 7").names, Profile::KNOWN);
    }
}
