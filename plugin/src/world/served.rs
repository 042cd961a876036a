//! Which scheduler names the installed scheduler serves.

use edge_api::names::{NAMESPACE, SCHEDULER_CONFIG};
use edge_core::placement::Profile;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use serde::Deserialize;

use crate::cluster::{Cluster, Gaps, is_not_found};
use crate::failure::Failure;

/// The scheduler names that are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// The names; the first is what pods are given that have none.
    pub(crate) names: Vec<String>,
    /// Whether they were read from the cluster.
    pub(crate) is_known: bool,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    profiles: Vec<ProfileName>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileName {
    scheduler_name: Option<String>,
}

// === impl Served ===

impl Default for Served {
    /// What the bare binary serves.
    fn default() -> Self {
        Self { names: Profile::KNOWN.map(str::to_owned).to_vec(), is_known: false }
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
        let map = gaps.allow(cluster, answer, &needs, "the scheduler names that are served")?;
        let texts = map.and_then(|map| map.data).unwrap_or_default();
        let names = texts.values().filter_map(|text| serde_yaml::from_str::<Configuration>(text).ok());
        let names: Vec<String> =
            names.flat_map(|it| it.profiles).filter_map(|it| it.scheduler_name).collect();
        Ok(if names.is_empty() { Self::default() } else { Self { names, is_known: true } })
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

    /// The profile by which pods of this scheduler are judged here, and whether it is that one.
    pub(crate) fn profile(&self, name: &str) -> (Profile, bool) {
        match Profile::known(name) {
            Some(profile) => (profile, true),
            None => (Profile::with_all_plugins(name), self.has(name)),
        }
    }
}
