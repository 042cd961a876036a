//! Completion of the command line: for kubectl, which asks `kubectl_complete-edge`, and for shells.
//!
//! Nothing is ever printed to standard error, which would be in the middle of the line that is being typed. What
//! the cluster doesn't tell in time is left out.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use clap_complete::engine::{CompletionCandidate, complete};
use clap_complete::env::EnvCompleter;
use serde::Deserialize;

use crate::args::{self, Connection, Options};
use crate::cluster::Cluster;
use crate::talk::Talk;
use crate::view::to_stdout;

/// kubectl looks for a program of this name, and the plugin's after it.
const KUBECTL_PREFIX: &str = "kubectl_complete-";
/// To kubectl: what is not listed is no file either.
const NO_FILES: &str = ":4\n";
/// The variable by which a shell's script asks.
pub(crate) const VARIABLE: &str = "KUBECTL_EDGE_COMPLETE";
/// How long the cluster may take: with starting and printing it is under 300 ms.
const PATIENCE: Duration = Duration::from_millis(250);

/// What has been typed so far; completers of values look up in it which cluster is meant.
static TYPED: OnceLock<Vec<OsString>> = OnceLock::new();

/// Serves completion, if it is what the plugin was called for.
pub(crate) fn serve(words: &[OsString]) -> Option<ExitCode> {
    let program = words.first()?;
    let stem = Path::new(program).file_stem()?.to_str()?;
    if let Some(plugin) = stem.strip_prefix(KUBECTL_PREFIX) {
        let name = format!("kubectl {}", plugin.replace('_', "-"));
        return Some(for_kubectl(&name, words));
    }
    let shell = std::env::var_os(VARIABLE).filter(|it| !it.is_empty())?;
    Some(for_shell(&shell, words))
}

/// The last word is the one to complete; it is empty where a new one begins.
fn for_kubectl(name: &str, words: &[OsString]) -> ExitCode {
    let mut lines = String::new();
    for candidate in candidates(name, words.to_vec(), words.len().saturating_sub(1)) {
        let Some(value) = candidate.get_value().to_str() else { continue };
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default();
        let tab = if help.is_empty() { "" } else { "\t" };
        lines.extend([value, tab, help, "\n"]);
    }
    _ = to_stdout(&(lines + NO_FILES));
    ExitCode::SUCCESS
}

/// The shell's script gives the words after `--`.
fn for_shell(shell: &OsStr, words: &[OsString]) -> ExitCode {
    let (Some(shell), Some(name)) = (shell.to_str().and_then(completer), words.first()) else {
        return ExitCode::SUCCESS;
    };
    let typed: Vec<OsString> = words.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    _ = TYPED.set(typed.clone());
    let mut command = args::definition(&args::displayed_name(name));
    let mut out = Vec::new();
    if shell.write_complete(&mut command, typed, std::env::current_dir().ok().as_deref(), &mut out).is_ok() {
        _ = to_stdout(&String::from_utf8_lossy(&out));
    }
    ExitCode::SUCCESS
}

fn candidates(name: &str, typed: Vec<OsString>, idx: usize) -> Vec<CompletionCandidate> {
    _ = TYPED.set(typed.clone());
    let mut command = args::definition(name);
    let folder = std::env::current_dir().ok();
    let mut found = complete(&mut command, typed, idx, folder.as_deref()).unwrap_or_default();
    found.retain(|candidate| !candidate.is_hide_set());
    found
}

/// The completer of a shell.
fn completer(shell: &str) -> Option<&'static dyn EnvCompleter> {
    const SHELLS: [&dyn EnvCompleter; 4] = [
        &clap_complete::env::Bash,
        &clap_complete::env::Zsh,
        &clap_complete::env::Fish,
        &clap_complete::env::Powershell,
    ];
    SHELLS.into_iter().find(|it| it.is(shell))
}

/// The script that makes a shell ask `program`.
pub(crate) fn script(shell: &str, program: &str) -> Option<String> {
    let mut out = Vec::new();
    completer(shell)?.write_registration(VARIABLE, "kubectl_edge", "kubectl-edge", program, &mut out).ok()?;
    String::from_utf8(out).ok()
}

/// Completes names of nodes.
pub(crate) fn nodes(typed: &OsStr) -> Vec<CompletionCandidate> {
    named("/api/v1/nodes", typed, "")
}

/// Completes what a workload is named by: `deploy/`, and then its name.
pub(crate) fn workloads(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed_text) = typed.to_str() else { return Vec::new() };
    let kinds = [
        ("deploy", "/apis/apps/v1", "deployments"),
        ("sts", "/apis/apps/v1", "statefulsets"),
        ("rs", "/apis/apps/v1", "replicasets"),
        ("ds", "/apis/apps/v1", "daemonsets"),
        ("cronjob", "/apis/batch/v1", "cronjobs"),
    ];
    let Some((kind, _)) = typed_text.split_once('/') else {
        let heads = kinds.iter().map(|(kind, ..)| format!("{kind}/"));
        return heads.filter(|head| head.starts_with(typed_text)).map(CompletionCandidate::new).collect();
    };
    let Some((_, group, plural)) = kinds.iter().find(|(known, ..)| *known == kind) else { return Vec::new() };
    let namespace = connection().and_then(|connection| crate::cluster::namespace(&connection).ok());
    let namespace = namespace.unwrap_or_else(|| "default".to_owned());
    named(&format!("{group}/namespaces/{namespace}/{plural}"), typed, &format!("{kind}/"))
}

/// The names of the objects at this path, after this prefix, that begin as what was typed.
fn named(path: &str, typed: &OsStr, prefix: &str) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let names = connection().and_then(|connection| list(&connection, path)).unwrap_or_default();
    let whole = names.into_iter().map(|name| format!("{prefix}{name}"));
    whole.filter(|name| name.starts_with(typed)).map(CompletionCandidate::new).collect()
}

/// The connection that was typed so far.
fn connection() -> Option<Connection> {
    let typed = TYPED.get()?;
    let command = args::definition("kubectl edge").ignore_errors(true);
    Some(args::connection_of(&command.try_get_matches_from(typed).ok()?))
}

#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    cells: Vec<serde_json::Value>,
}

/// Names, the quickest way: out of the server's cache, as a table without the objects.
fn list(connection: &Connection, path: &str) -> Option<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let talk = Talk::silent(Options::default());
    let names = runtime.block_on(async {
        let request = http::Request::get(format!("{path}?resourceVersion=0&includeObject=None"))
            .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
            .body(Vec::new())
            .ok()?;
        let asking = async {
            let cluster = Cluster::connect(connection, "kubectl edge", &talk).await.ok()?;
            cluster.client.request::<Table>(request).await.ok()
        };
        let table = tokio::time::timeout(PATIENCE, asking).await.ok()??;
        Some(table.rows.iter().filter_map(|row| Some(row.cells.first()?.as_str()?.to_owned())).collect())
    });
    runtime.shutdown_background();
    names
}
