//! What an installation consists of: the files in `deploy/`, which kustomize and the Helm chart apply too.

use std::fmt::Write;

use edge_api::names;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::object::{Object, ObjectError};
use super::overlay::lay_over;

/// The files, in the order of `deploy/base/kustomization.yaml`.
const BASE: [(&str, &str); 11] = [
    ("namespace.yaml", include_str!("../../../deploy/base/namespace.yaml")),
    ("nodedelays-crd.yaml", include_str!("../../../deploy/base/nodedelays-crd.yaml")),
    ("nodedelays-policy.yaml", include_str!("../../../deploy/base/nodedelays-policy.yaml")),
    ("fencing.yaml", include_str!("../../../deploy/base/fencing.yaml")),
    ("priority.yaml", include_str!("../../../deploy/base/priority.yaml")),
    ("scheduler-rbac.yaml", include_str!("../../../deploy/base/scheduler-rbac.yaml")),
    ("scheduler-config.yaml", include_str!("../../../deploy/base/scheduler-config.yaml")),
    ("scheduler.yaml", include_str!("../../../deploy/base/scheduler.yaml")),
    ("probe-rbac.yaml", include_str!("../../../deploy/base/probe-rbac.yaml")),
    ("probe.yaml", include_str!("../../../deploy/base/probe.yaml")),
    ("viewer-rbac.yaml", include_str!("../../../deploy/base/viewer-rbac.yaml")),
];
const HA_OBJECTS: &str = include_str!("../../../deploy/components/ha/disruption-budget.yaml");
const HA_PARTS: [&str; 1] = [include_str!("../../../deploy/components/ha/scheduler.yaml")];
const HOST_NETWORK_PARTS: [&str; 2] = [
    include_str!("../../../deploy/components/host-network/namespace.yaml"),
    include_str!("../../../deploy/components/host-network/probe.yaml"),
];

/// The profile that is always served.
pub(crate) const OWN_PROFILE: &str = "edge-scheduler";
/// The profile that is kube-scheduler's.
pub(crate) const DEFAULT_PROFILE: &str = "default-scheduler";
/// The label of everything that belongs to an installation.
pub(crate) const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "edge-scheduler");
/// The annotation of the ConfigMap that keeps what was asked for, so that an upgrade need not be told again.
pub(crate) const SETTINGS: &str = "kubectl-edge.dev/settings";
/// The annotation of the scheduler's pods that follows its configuration, so that a change restarts them.
const CONFIG_HASH: &str = "kubectl-edge.dev/config-sha256";

/// What can be chosen of an installation, apart from the image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Whether there is a second replica.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ha: bool,
    /// Whether agents use the nodes' own network.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) host_network: bool,
    /// Profiles besides the one that is always served, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) profiles: Vec<String>,
    /// The registry to take a release's image from instead of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registry: Option<String>,
    /// Parts of objects, laid over them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) overrides: Vec<Value>,
}

/// Why there is nothing to apply.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenderError {
    /// A part names no object.
    #[error("{0}")]
    Part(#[from] ObjectError),
    /// A part is of an object that is not there.
    #[error("{0} is no object of the installation")]
    NoSuchObject(String),
    /// A manifest can't be read.
    #[error("{0}")]
    Yaml(#[from] serde_yaml::Error),
    /// The configuration can't be read.
    #[error("config.yaml of ConfigMap edge-scheduler-config: {0}")]
    Config(#[source] serde_yaml::Error),
}

/// The objects of an installation, in the order in which they are to be applied.
pub(crate) fn render(settings: &Settings, image: &str) -> Result<Vec<Object>, RenderError> {
    let mut objects = Vec::new();
    for (_, text) in BASE {
        objects.append(&mut read(text)?);
    }
    if settings.ha {
        objects.append(&mut read(HA_OBJECTS)?);
        lay_all_over(&mut objects, parts(&HA_PARTS)?)?;
    }
    if settings.host_network {
        lay_all_over(&mut objects, parts(&HOST_NETWORK_PARTS)?)?;
    }
    let chosen = choices(settings, image, &objects);
    lay_all_over(&mut objects, chosen)?;
    lay_all_over(&mut objects, settings.overrides.clone())?;
    let config = config_of(&objects).to_owned();
    lay_all_over(
        &mut objects,
        vec![template_part(&json!({"metadata": {"annotations": {CONFIG_HASH: sha256(&config)}}}))],
    )?;
    Ok(objects)
}

/// The profiles that these objects serve, in order.
pub(crate) fn profiles(objects: &[Object]) -> Result<Vec<String>, RenderError> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        profiles: Vec<Profile>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Profile {
        scheduler_name: Option<String>,
    }
    let config: Config = serde_yaml::from_str(config_of(objects)).map_err(RenderError::Config)?;
    let names = config.profiles.into_iter();
    Ok(names.map(|it| it.scheduler_name.unwrap_or_else(|| DEFAULT_PROFILE.to_owned())).collect())
}

/// The objects of a text with several, separated by `---`.
pub(crate) fn read_values(text: &str) -> Result<Vec<Value>, serde_yaml::Error> {
    let documents = serde_yaml::Deserializer::from_str(text).map(Value::deserialize);
    documents.filter(|document| !matches!(document, Ok(Value::Null))).collect()
}

/// The objects as a text that can be kept in a repository: the same objects give the same bytes.
pub(crate) fn to_yaml(objects: &[Object]) -> Result<String, serde_yaml::Error> {
    let mut text = String::new();
    for object in objects {
        let separator = if text.is_empty() { "" } else { "---\n" };
        // Writing to a string can't fail.
        _ = write!(text, "{separator}{}", serde_yaml::to_string(object.value())?);
    }
    Ok(text)
}

fn read(text: &str) -> Result<Vec<Object>, RenderError> {
    read_values(text)?.into_iter().map(|value| Ok(Object::new(value)?)).collect()
}

fn parts(texts: &[&str]) -> Result<Vec<Value>, RenderError> {
    let lists = texts.iter().map(|text| Ok(read_values(text)?)).collect::<Result<Vec<_>, RenderError>>()?;
    Ok(lists.into_iter().flatten().collect())
}

/// Lays each part over the object that it names.
fn lay_all_over(objects: &mut [Object], parts: Vec<Value>) -> Result<(), RenderError> {
    for part in parts {
        let named = Object::new(part.clone())?;
        let is_it = |object: &&mut Object| {
            let anywhere = named.namespace().is_none();
            object.kind() == named.kind()
                && object.name() == named.name()
                && (anywhere || object.namespace() == named.namespace())
        };
        let Some(object) = objects.iter_mut().find(is_it) else {
            return Err(RenderError::NoSuchObject(named.to_string()));
        };
        lay_over(object.value_mut(), part);
    }
    Ok(())
}

/// What follows from the settings and the image, as parts.
fn choices(settings: &Settings, image: &str, objects: &[Object]) -> Vec<Value> {
    let container = |name: &str| json!({"containers": [{"name": name, "image": image}]});
    let mut scheduler = container(names::SCHEDULER);
    if settings.profiles.iter().any(|name| name == DEFAULT_PROFILE) {
        // With kube-scheduler gone, the replica that is there places the one that follows it.
        scheduler["schedulerName"] = OWN_PROFILE.into();
    }
    // The profiles end the configuration, so that further ones are further lines.
    let mut config = config_of(objects).to_owned();
    for name in settings.profiles.iter().filter(|name| *name != OWN_PROFILE) {
        _ = writeln!(config, "- schedulerName: {name}");
    }
    let mut config =
        part("v1", "ConfigMap", names::SCHEDULER_CONFIG, json!({"data": {"config.yaml": config}}));
    if *settings != Settings::default() {
        // It is made of what was just read, so it can be written.
        let text = serde_json::to_string(settings).unwrap_or_default();
        config["metadata"]["annotations"] = json!({SETTINGS: text});
    }
    let probe = json!({"spec": {"template": {"spec": container(names::PROBE)}}});
    vec![
        template_part(&json!({"spec": scheduler})),
        config,
        part("apps/v1", "DaemonSet", names::PROBE, probe),
    ]
}

/// A part of the template of the scheduler's pods.
fn template_part(template: &Value) -> Value {
    part("apps/v1", "Deployment", names::SCHEDULER, json!({"spec": {"template": template}}))
}

fn part(api_version: &str, kind: &str, name: &str, mut content: Value) -> Value {
    content["apiVersion"] = api_version.into();
    content["kind"] = kind.into();
    content["metadata"]["name"] = name.into();
    content
}

fn config_of(objects: &[Object]) -> &str {
    let config = objects.iter().find(|it| it.name() == names::SCHEDULER_CONFIG);
    config.map(|it| it.text("/data/config.yaml")).unwrap_or_default()
}

fn sha256(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(objects: &'a [Object], kind: &str, name: &str) -> &'a Value {
        objects.iter().find(|it| it.kind().name == kind && it.name() == name).unwrap().value()
    }

    #[test]
    fn the_manifests_use_the_names_that_the_programs_do() {
        let objects = render(&Settings::default(), "r/e:1").unwrap();
        find(&objects, "Namespace", names::NAMESPACE);
        find(&objects, "PriorityClass", names::BACKUP_PRIORITY);
        let agents = &find(&objects, "DaemonSet", names::PROBE)["spec"]["template"]["spec"];
        assert_eq!(agents["containers"][0]["ports"][0]["containerPort"], names::PROBE_PORT);
        assert_eq!(agents["volumes"][0]["secret"]["secretName"], names::PROBE_KEY);
        let scheduler = &find(&objects, "Deployment", names::SCHEDULER)["spec"]["template"]["spec"];
        assert_eq!(scheduler["volumes"][0]["configMap"]["name"], names::SCHEDULER_CONFIG);
        assert_eq!(scheduler["containers"][0]["image"], "r/e:1");
        assert!(objects.iter().all(|it| it.value()["metadata"]["labels"][PART_OF.0] == PART_OF.1));
        assert_eq!(profiles(&objects).unwrap(), [OWN_PROFILE]);
    }

    #[test]
    fn a_part_that_can_not_be_laid_over_is_named() {
        let refused = |part: Value| {
            let settings = Settings { overrides: vec![part], ..Settings::default() };
            render(&settings, "r/e:1").unwrap_err().to_string()
        };
        let named = |kind: &str, name: &str| json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}});
        assert_eq!(refused(named("Deployment", "x")), "deployment.apps/x is no object of the installation");
        assert_eq!(
            refused(named("StatefulSet", "x")),
            "StatefulSet of apps/v1 is no kind that an installation has"
        );
        assert_eq!(refused(json!({"kind": "x"})), "an object needs apiVersion, kind and metadata.name");
    }

    #[test]
    fn the_same_choices_give_the_same_bytes() {
        let settings = Settings { ha: true, profiles: vec!["a".to_owned()], ..Settings::default() };
        let yaml = || to_yaml(&render(&settings, "r/e:1").unwrap()).unwrap();
        assert_eq!(yaml(), yaml());
        assert_ne!(yaml(), to_yaml(&render(&Settings::default(), "r/e:1").unwrap()).unwrap());
    }
}
