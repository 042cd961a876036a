//! `kubectl edge version`.

use clap::Args;
use edge_api::names::{NAMESPACE, SCHEDULER};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;
use serde::Serialize;

use crate::cluster::{Cluster, Gaps, is_not_found};
use crate::failure::Failure;
use crate::look::Look;
use crate::session::Session;
use crate::view::{API_VERSION, Output, Report};

/// Print the versions of the plugin, the scheduler and the cluster
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// The plugin's only; nothing is contacted
    #[arg(long)]
    client: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionReport {
    api_version: &'static str,
    kind: &'static str,
    client_version: ClientVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduler_version: Option<String>,
    #[serde(skip)]
    is_installed: bool,
}

#[derive(Serialize)]
struct ClientVersion {
    version: &'static str,
    platform: String,
}

// === impl Version ===

impl Version {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let client_version = ClientVersion { version: env!("CARGO_PKG_VERSION"), platform: platform() };
        let mut report = VersionReport {
            api_version: API_VERSION,
            kind: "Version",
            client_version,
            server_version: None,
            scheduler_version: None,
            is_installed: true,
        };
        if self.client {
            return Ok(Output::ok(report));
        }
        let mut gaps = Gaps::default();
        // As kubectl does: the client's version is told even if the server can't be reached.
        match report.ask(session, &mut gaps).await {
            Ok(()) => Ok(Output::ok(report).with_gaps(gaps.into_messages())),
            Err(failure) => Ok(Output::ok(report).with_failures(vec![failure])),
        }
    }
}

/// Operating system and architecture as Kubernetes names them.
fn platform() -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    format!("{os}/{arch}")
}

/// What is to be said where the installed scheduler has another version: what is foretold here is what a scheduler of
/// the same version does.
pub(super) async fn differing_versions(cluster: &Cluster) -> Option<String> {
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    let deployed = version_of(&api.get(SCHEDULER).await.ok()?)?;
    differing(deployed.trim_start_matches('v'), env!("CARGO_PKG_VERSION"))
}

fn differing(theirs: &str, ours: &str) -> Option<String> {
    // Images have names of all kinds; what is no version says nothing.
    let is_version = theirs.starts_with(|it: char| it.is_ascii_digit());
    (is_version && theirs != ours).then(|| {
        format!(
            "the scheduler has version {theirs}, the plugin {ours}: it may decide otherwise than is told here"
        )
    })
}

/// What the Deployment says of the scheduler's version: its label, else the tag of its image.
fn version_of(deployment: &Deployment) -> Option<String> {
    let labels = deployment.metadata.labels.as_ref();
    if let Some(version) = labels.and_then(|labels| labels.get("app.kubernetes.io/version")) {
        return Some(version.clone());
    }
    let containers = &deployment.spec.as_ref()?.template.spec.as_ref()?.containers;
    let image =
        containers.iter().find(|it| it.name == SCHEDULER).or_else(|| containers.first())?.image.as_ref()?;
    let name = image.split_once('@').map_or(image.as_str(), |(name, _)| name);
    let (_, tag) = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))?;
    Some(tag.to_owned())
}

// === impl VersionReport ===

impl VersionReport {
    async fn ask(&mut self, session: &Session, gaps: &mut Gaps) -> Result<(), Failure> {
        let cluster = session.connect().await?;
        let server = cluster.client.apiserver_version().await.map_err(|error| cluster.problem(error))?;
        self.server_version = Some(server.git_version);
        self.ask_for_scheduler(&cluster, gaps).await
    }

    async fn ask_for_scheduler(&mut self, cluster: &Cluster, gaps: &mut Gaps) -> Result<(), Failure> {
        let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), NAMESPACE);
        let answer = match api.get(SCHEDULER).await {
            Err(error) if is_not_found(&error) => {
                self.is_installed = false;
                return Ok(());
            }
            answer => answer,
        };
        let needs = format!("get deployments in namespace {NAMESPACE}");
        if let Some(deployment) = gaps.allow(cluster, answer, &needs, "the scheduler's version")? {
            self.scheduler_version = version_of(&deployment);
        }
        Ok(())
    }
}

impl Report for VersionReport {
    fn table(&self, _look: Look) -> String {
        let ClientVersion { version, platform } = &self.client_version;
        let mut lines = vec![format!("Client Version: {version} {platform}\n")];
        if let Some(version) = &self.server_version {
            lines.push(format!("Server Version: {version}\n"));
            let scheduler = match &self.scheduler_version {
                Some(version) => version.as_str(),
                None if self.is_installed => "unknown",
                None => "not installed",
            };
            lines.push(format!("Scheduler Version: {scheduler}\n"));
        }
        lines.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_version_differs() {
        assert_eq!(differing("0.1.0", "0.1.0"), None);
        assert_eq!(differing("latest", "0.1.0"), None);
        let said = differing("0.2.0", "0.1.0").unwrap();
        assert!(said.starts_with("the scheduler has version 0.2.0, the plugin 0.1.0: "), "{said}");
    }
}
