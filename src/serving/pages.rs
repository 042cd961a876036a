//! `/configz`, `/flagz` and `/statusz` (upstream: `component-base/configz`, `apiserver/pkg/server/{flagz,statusz}`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, StatusCode};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::reply::{self, Reply};

/// What the pages call the program.
const COMPONENT: &str = "edge-scheduler";
/// The version of Kubernetes whose scheduler's rules are followed.
const EMULATION_VERSION: &str = "1.36";
/// The paths that are listed, sorted.
const PATHS: [&str; 7] = ["/configz", "/flagz", "/healthz", "/livez", "/metrics", "/readyz", "/statusz"];

/// What the pages show.
#[derive(Clone, Debug)]
pub struct Pages {
    /// The configuration in force, as `KubeSchedulerConfiguration`.
    pub configuration: Value,
    /// The flags in force, by name.
    pub flags: BTreeMap<String, String>,
    /// When the process began.
    pub started: Timestamp,
}

/// The forms in which a page can be had.
enum Form {
    Text,
    Structured { version: &'static str, yaml: bool },
}

// === impl Pages ===

impl Pages {
    pub(super) fn configz(&self) -> Reply {
        reply::of("application/json", json!({"componentconfig": self.configuration}).to_string())
    }

    pub(super) fn flagz(&self, headers: &HeaderMap) -> Reply {
        let structured = || json!({"flags": self.flags});
        page("Flagz", headers, structured, |text| {
            for (name, value) in &self.flags {
                // Writing to a string can't fail.
                _ = writeln!(text, "{name}={value}");
            }
        })
    }

    pub(super) fn statusz(&self, headers: &HeaderMap) -> Reply {
        let up = Timestamp::now().duration_since(self.started).unsigned_abs();
        let structured = || {
            json!({
                "startTime": format!("{:.0}", self.started),
                "uptimeSeconds": up.as_secs(),
                "goVersion": "",
                "binaryVersion": env!("CARGO_PKG_VERSION"),
                "emulationVersion": EMULATION_VERSION,
                "paths": PATHS,
            })
        };
        page("Statusz", headers, structured, |text| {
            let started = self.started.strftime("%a %b %e %H:%M:%S UTC %Y");
            _ = writeln!(text, "\nStarted: {started}\nUp: {}", in_words(up));
            _ = writeln!(text, "Binary version: {}", env!("CARGO_PKG_VERSION"));
            _ = writeln!(text, "Emulation version: {EMULATION_VERSION}\nPaths: {}", PATHS.join(" "));
        })
    }
}

/// A page in the form that is asked for.
fn page(
    kind: &str,
    headers: &HeaderMap,
    structured: impl FnOnce() -> Value,
    write: impl FnOnce(&mut String),
) -> Reply {
    let Some(form) = negotiate(kind, headers) else {
        let message =
            "only the following media types are accepted: application/json, application/yaml, text/plain";
        return reply::status(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message);
    };
    match form {
        Form::Text => {
            let mut text = format!(
                "\n{COMPONENT} {}\nWarning: This endpoint is not meant to be machine parseable, has no formatting \
                 compatibility guarantees and is for debugging purposes only.\n",
                kind.to_ascii_lowercase()
            );
            write(&mut text);
            reply::text(text)
        }
        Form::Structured { version, yaml } => {
            let mut object = structured();
            object["kind"] = kind.into();
            object["apiVersion"] = format!("config.k8s.io/{version}").into();
            object["metadata"] = json!({"name": COMPONENT});
            // JSON is YAML.
            let content_type = if yaml { "application/yaml" } else { "application/json" };
            let mut reply = reply::of(content_type, format!("{object}\n"));
            if version == "v1alpha1" {
                let page = kind.to_ascii_lowercase();
                let warning = format!(
                    "299 - \"This version of the {page} endpoint is deprecated. Please use a newer version.\""
                );
                if let Ok(warning) = HeaderValue::from_str(&warning) {
                    reply.headers_mut().insert("Warning", warning);
                }
            }
            reply
        }
    }
}

/// The first form that is accepted and that there is. Structured ones have to be asked for by kind, group and
/// version.
fn negotiate(kind: &str, headers: &HeaderMap) -> Option<Form> {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.trim().is_empty() {
        return Some(Form::Text);
    }
    accept.split(',').find_map(|clause| {
        let mut parts = clause.split(';').map(str::trim);
        let media_type = parts.next()?;
        let parameters: BTreeMap<&str, &str> = parts.filter_map(|part| part.split_once('=')).collect();
        let version = match (parameters.get("as"), parameters.get("g"), parameters.get("v")) {
            (Some(as_kind), Some(&"config.k8s.io"), Some(&"v1beta1")) if *as_kind == kind => Some("v1beta1"),
            (Some(as_kind), Some(&"config.k8s.io"), Some(&"v1alpha1")) if *as_kind == kind => {
                Some("v1alpha1")
            }
            _ => None,
        };
        match media_type {
            "application/json" => Some(Form::Structured { version: version?, yaml: false }),
            "application/yaml" => Some(Form::Structured { version: version?, yaml: true }),
            "text/plain" | "text/*" | "*/*" => Some(Form::Text),
            _ => None,
        }
    })
}

fn in_words(up: Duration) -> String {
    let seconds = up.as_secs();
    format!("{} hr {:02} min {:02} sec", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
