//! `kubectl edge version`.

use clap::Args;
use serde::Serialize;

use crate::failure::Failure;
use crate::view::{API_VERSION, Output, Paint, Report};

/// Print the version
#[derive(Debug, Args)]
pub(crate) struct Version {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionReport {
    api_version: &'static str,
    kind: &'static str,
    client_version: ClientVersion,
    #[serde(skip)]
    name: String,
}

#[derive(Serialize)]
struct ClientVersion {
    version: &'static str,
    platform: String,
}

// === impl Version ===

impl Version {
    #[expect(clippy::unnecessary_wraps, reason = "every command has this signature")]
    pub(super) fn run(&self, name: &str) -> Result<Output, Failure> {
        let Self {} = self;
        let client_version = ClientVersion { version: env!("CARGO_PKG_VERSION"), platform: platform() };
        let name = name.to_owned();
        Ok(Output::ok(VersionReport { api_version: API_VERSION, kind: "Version", client_version, name }))
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

// === impl VersionReport ===

impl Report for VersionReport {
    fn table(&self, _paint: Paint) -> String {
        let ClientVersion { version, platform } = &self.client_version;
        format!("{} {version} {platform}\n", self.name)
    }
}
