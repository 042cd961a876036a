//! What is to be installed: what was said now, what was chosen before, what this release has.

use edge_api::names::{NAMESPACE, SCHEDULER, SCHEDULER_CONFIG};
use kube::Error;
use serde_json::Value;

use super::Install;
use crate::cluster::is_forbidden;
use crate::failure::Failure;
use crate::files;
use crate::installation::manifests::{DEFAULT_PROFILE, OWN_PROFILE, SETTINGS, Settings, read_values};
use crate::installation::store::Store;

/// The image of this release; a development build has none.
pub(crate) const RELEASE_IMAGE: Option<&str> = option_env!("EDGE_IMAGE");

/// The name of a profile, which is written into pods and into YAML.
pub(super) fn profile(text: &str) -> Result<String, String> {
    let is_fine = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-' || it == '.';
    if text.is_empty() || text.len() > 253 || !text.chars().all(is_fine) {
        return Err("the name of a scheduler has lower-case letters, digits, - and .".to_owned());
    }
    Ok(text.to_owned())
}

/// The settings of the installation that is there, and the image that it runs; none to whom may not see them.
pub(crate) async fn remembered(store: Store<'_>) -> Result<(Settings, Option<String>), Error> {
    let visible = |answer: Result<Option<Value>, Error>| match answer {
        Err(error) if is_forbidden(&error) => Ok(None),
        answer => answer,
    };
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{SCHEDULER_CONFIG}");
    let config = visible(store.get(&path).await)?;
    let annotations = config.as_ref().and_then(|it| it.pointer("/metadata/annotations"));
    let text = annotations.and_then(|it| it.get(SETTINGS)?.as_str());
    // What a later version wrote there may have more to it; what is known counts.
    let settings = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{SCHEDULER}");
    let deployment = visible(store.get(&path).await)?;
    let image = deployment.as_ref().and_then(|it| it.pointer("/spec/template/spec/containers/0/image"));
    Ok((settings, image.and_then(Value::as_str).map(ToOwned::to_owned)))
}

/// What was said now, over what was chosen before.
pub(super) fn settings(said: &Install, before: Settings) -> Result<Settings, Failure> {
    let mut profiles = if said.profiles.is_empty() { before.profiles } else { said.profiles.clone() };
    if said.replace_default {
        profiles.push(DEFAULT_PROFILE.to_owned());
    }
    let mut once: Vec<String> = Vec::new();
    for name in profiles.into_iter().filter(|name| name != OWN_PROFILE) {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    if said.profiles.iter().any(|name| name == DEFAULT_PROFILE) && !said.replace_default {
        let failure = Failure::usage("profile default-scheduler is kube-scheduler's");
        return Err(failure.with_hint("--replace-default takes its place"));
    }
    Ok(Settings {
        ha: said.ha.unwrap_or(before.ha),
        host_network: said.host_network.unwrap_or(before.host_network),
        profiles: once,
        registry: said.registry.clone().or(before.registry),
        overrides: if said.filename.is_empty() { before.overrides } else { overrides(said)? },
    })
}

fn overrides(said: &Install) -> Result<Vec<Value>, Failure> {
    let mut parts = Vec::new();
    for path in &said.filename {
        let file = files::read(path)?;
        let read = read_values(&file.text);
        parts.extend(read.map_err(|error| Failure::new(format!("{}: {error}", file.name)))?);
    }
    Ok(parts)
}

/// The image to run. A development build has none of its own and keeps the one that runs.
pub(super) fn image(
    said: &Install,
    settings: &Settings,
    running: Option<String>,
    name: &str,
) -> Result<String, Failure> {
    if let Some(image) = &said.image {
        return Ok(image.clone());
    }
    match (RELEASE_IMAGE, &settings.registry) {
        (Some(image), Some(registry)) => Ok(in_registry(image, registry)),
        (Some(image), None) => Ok(image.to_owned()),
        (None, _) => running.ok_or_else(|| {
            let failure = Failure::usage("this is a development build, which has no image of its own");
            failure.with_hint(format!(
                "\"{name} install --image REFERENCE\" names one; deploy/image.sh makes one from built binaries"
            ))
        }),
    }
}

/// The image of the same name in another registry.
fn in_registry(image: &str, registry: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    format!("{}/{name}", registry.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_keeps_its_name_in_another_registry() {
        let image = "ghcr.io/kubectl-edge/edge-scheduler:v1@sha256:00";
        assert_eq!(
            in_registry(image, "r.example.org:5000/m/"),
            "r.example.org:5000/m/edge-scheduler:v1@sha256:00"
        );
    }

    #[test]
    fn a_profile_is_a_name() {
        assert!(profile("custom-scheduler").is_ok());
        for wrong in ["", "a b", "a\nb", "Upper", "a:b"] {
            assert!(profile(wrong).is_err(), "{wrong:?}");
        }
    }
}
