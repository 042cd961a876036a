//! `kubectl edge status`.

mod backups;

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use edge_api::names::{NAMESPACE, SCHEDULER};
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::install::rollouts;
use crate::cluster::{Cluster, Gaps};
use crate::failure::{Ending, Failure};
use crate::installation::inventory;
use crate::installation::object::Object;
use crate::installation::reports::Reports;
use crate::installation::rollout::Rollout;
use crate::installation::store::Store;
use crate::look::Look;
use crate::session::Session;
use crate::view::{API_VERSION, Output, Report, to_stdout};
use crate::world::{Moves, Served};
use backups::Backups;

/// Show how the installation is, on one screen
///
/// Exit code 3 if nothing is installed or something is not ready; "check" says more.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Status {
    /// Show it again and again
    #[arg(short, long)]
    watch: bool,
}

const EXAMPLES: &str = "\
Examples:
  kubectl edge status
  kubectl edge status -w
  kubectl edge status -o json";

/// How often it is looked with `-w`.
const LOOK: Duration = Duration::from_secs(2);
/// Clears a terminal, as `watch` does.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// How the installation is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusReport {
    api_version: &'static str,
    kind: &'static str,
    is_installed: bool,
    image: String,
    context: Option<String>,
    server: String,
    kubernetes: String,
    profiles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<Leader>,
    /// Whether there is a leader; none if that may not be seen.
    #[serde(skip)]
    leads: Option<bool>,
    rollouts: Vec<Rollout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reports: Option<Reports>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<Pods>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backups: Option<Backups>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moves: Option<MovesReport>,
}

/// Pods that the scheduler moved though nothing is wrong with their nodes, and those that it can't.
#[derive(Serialize)]
struct MovesReport {
    moved: usize,
    unmoved: usize,
}

#[derive(Serialize)]
struct Leader {
    pod: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

/// The pods of all profiles.
#[derive(Default, Serialize)]
struct Pods {
    placed: usize,
    waiting: usize,
}

// === impl Status ===

impl Status {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let cluster = session.connect().await?;
        loop {
            let output = look(session, &cluster).await?;
            if !self.watch {
                return Ok(output);
            }
            if session.view.look().is_terminal() {
                to_stdout(CLEAR)?;
            }
            session.view.print(&output)?;
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn look(session: &Session, cluster: &Cluster) -> Result<Output, Failure> {
    let store = Store { cluster };
    let problem = |error| cluster.problem(error);
    let mut gaps = Gaps::default();
    let version = store.get("/version").await.map_err(problem)?.unwrap_or_default();
    let installed = installed(cluster, &mut gaps).await?;
    let is_installed = !installed.is_empty();
    let profiles = if is_installed { inventory::served(&installed) } else { Vec::new() };
    let rollouts = if is_installed { rollouts(store).await.map_err(problem)? } else { Vec::new() };
    session.talk.busy("reading the agents' reports");
    let reports = Reports::read(store, Timestamp::now()).await;
    let reports = gaps.allow(cluster, reports, "list nodedelays", "what the agents report")?.flatten();
    let pods = pods(store, &profiles).await;
    let pods = gaps.allow(cluster, pods, "list pods", "counts of pods")?;
    let backups = Backups::read(cluster, &served(&installed)).await;
    let backups = gaps.allow(cluster, backups, "list pods", "backups")?;
    let moves = Moves::read(cluster).await;
    let moves = gaps.allow(cluster, moves, "list events.events.k8s.io in all namespaces", "moves")?;
    let moves = moves.map(|it| MovesReport { moved: it.moved, unmoved: it.unmoved.len() });
    let leader = leader(store).await;
    let leader = gaps.allow(cluster, leader, "get leases in edge-system", "the leader")?;
    // One that may not be seen is none that is missing.
    let leads = leader.as_ref().map(Option::is_some).filter(|_| is_installed);
    let image = installed.iter().find(|it| it.kind().name == "Deployment");
    let image = image.map(|it| it.text("/spec/template/spec/containers/0/image").to_owned());
    let report = StatusReport {
        api_version: API_VERSION,
        kind: "InstallationStatus",
        is_installed,
        image: image.unwrap_or_default(),
        context: cluster.context.clone(),
        server: cluster.server.clone(),
        kubernetes: version["gitVersion"].as_str().unwrap_or_default().to_owned(),
        profiles,
        leader: leader.flatten(),
        leads,
        pods: pods.filter(|_| is_installed),
        backups: backups.filter(|_| is_installed),
        moves: moves.filter(|it| is_installed && it.moved + it.unmoved > 0),
        reports: reports.filter(|_| is_installed),
        rollouts,
    };
    let is_well =
        report.is_installed && report.leads != Some(false) && report.rollouts.iter().all(|it| it.is_done);
    let ending = if is_well { Ending::Ok } else { Ending::Findings };
    Ok(Output::ok(report).ending(ending).with_gaps(gaps.into_messages()))
}

/// Configuration and Deployment, as far as they are there.
async fn installed(cluster: &Cluster, gaps: &mut Gaps) -> Result<Vec<Object>, Failure> {
    let store = Store { cluster };
    let mut found = Vec::new();
    let paths = [
        (
            format!("/api/v1/namespaces/{NAMESPACE}/configmaps/edge-scheduler-config"),
            "get configmaps in edge-system",
            "profiles",
        ),
        (
            format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{SCHEDULER}"),
            "get deployments in edge-system",
            "the scheduler",
        ),
    ];
    for (path, needs, left_out) in paths {
        let value = gaps.allow(cluster, store.get(&path).await, needs, left_out)?.flatten();
        found.extend(value.and_then(|it| Object::new(it).ok()));
    }
    Ok(found)
}

/// By what rules pods are judged.
fn served(installed: &[Object]) -> Served {
    let config = installed.iter().find(|it| it.kind().name == "ConfigMap");
    let text = config.and_then(|it| it.value().pointer("/data/config.yaml")?.as_str());
    text.map_or_else(Served::default, Served::of)
}

async fn pods(store: Store<'_>, profiles: &[String]) -> Result<Pods, kube::Error> {
    let mut pods = Pods::default();
    for profile in profiles {
        let query =
            |node: &str| format!("fieldSelector=spec.schedulerName%3D{profile}%2Cspec.nodeName{node}");
        pods.placed += store.count("/api/v1/pods", &query("%21%3D")).await?;
        pods.waiting += store.count("/api/v1/pods", &query("%3D")).await?;
    }
    Ok(pods)
}

async fn leader(store: Store<'_>) -> Result<Option<Leader>, kube::Error> {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{SCHEDULER}");
    let lease = store.get(&path).await?;
    let holder = lease.as_ref().and_then(|it| it.pointer("/spec/holderIdentity")?.as_str());
    let Some(pod) = holder.and_then(|it| it.split('_').next()).filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    let found = store.get(&format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}")).await?;
    let node = found.as_ref().and_then(|it| it.pointer("/spec/nodeName")).and_then(Value::as_str);
    Ok(Some(Leader { pod: pod.to_owned(), node: node.map(ToOwned::to_owned) }))
}

// === impl StatusReport ===

impl Report for StatusReport {
    fn table(&self, look: Look) -> String {
        let mut text = String::new();
        let mut line = |name: &str, rest: &str| {
            let line = format!("{} {rest}", look.strong(&format!("{name:<10}")));
            _ = writeln!(text, "{}", look.fold(&line, 11));
        };
        let context = self.context.as_deref().unwrap_or("none");
        line("cluster", &format!("{context} ({}), Kubernetes {}", self.server, self.kubernetes));
        if !self.is_installed {
            line("scheduler", &format!("{}; \"install\" installs it", look.warning("not installed")));
            return text;
        }
        line("image", &self.image);
        line("profiles", &self.profiles.join(", "));
        for rollout in &self.rollouts {
            let name = if rollout.workload.starts_with("daemonset") { "agents" } else { "scheduler" };
            let shown = format!("{}/{} ready{}", rollout.ready, rollout.wanted, self.beside(name));
            let is_well = rollout.is_done && self.is_complete(name);
            line(name, &if is_well { look.good(&shown) } else { look.warning(&shown) });
            for blocker in &rollout.blockers {
                line("", blocker);
            }
        }
        if let Some(reports) = &self.reports {
            line("delays", &delays(reports));
        }
        if let Some(pods) = &self.pods {
            line("pods", &format!("{} placed, {} waiting", pods.placed, pods.waiting));
        }
        if let Some(backups) = self.backups.as_ref().filter(|it| it.are_wanted()) {
            let shown = backups.shown();
            line("backups", &if backups.are_complete() { look.good(&shown) } else { look.warning(&shown) });
        }
        if let Some(MovesReport { moved, unmoved }) = self.moves {
            line("moves", &format!("{moved} pods moved lately, {unmoved} could not be"));
        }
        text
    }
}

impl StatusReport {
    /// Whether somebody leads, and as many agents report as there are.
    fn is_complete(&self, name: &str) -> bool {
        let agents = self.rollouts.iter().find(|it| it.workload.starts_with("daemonset"));
        match (name, &self.reports, agents) {
            ("scheduler", ..) => self.leads != Some(false),
            (_, Some(reports), Some(agents)) => {
                reports.nodes >= usize::try_from(agents.wanted).unwrap_or(usize::MAX)
            }
            _ => true,
        }
    }

    fn beside(&self, name: &str) -> String {
        match (name, &self.leader, &self.reports) {
            ("scheduler", Some(leader), _) => {
                let node = leader.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
                format!(", leader {}{node}", leader.pod)
            }
            ("scheduler", None, _) if self.leads == Some(false) => {
                ", no leader: nothing is placed".to_owned()
            }
            (_, _, Some(reports)) if name != "scheduler" => format!(", {} report", reports.nodes),
            _ => String::new(),
        }
    }
}

fn delays(reports: &Reports) -> String {
    let Reports { measured, pairs, .. } = reports;
    // What comes from a file nobody was asked to measure.
    let counted = if measured > pairs { measured.to_string() } else { format!("{measured} of {pairs}") };
    let mut parts = vec![format!("{counted} pairs measured")];
    if let (Some(newest), Some(oldest)) = (reports.newest_seconds, reports.oldest_seconds) {
        parts.push(format!("newest {newest} s, oldest {oldest} s old"));
    }
    if reports.silent > 0 {
        parts.push(format!("{} agents silent", reports.silent));
    }
    if !reports.starved.is_empty() {
        parts.push(format!("{} agents lack CPU", reports.starved.len()));
    }
    parts.join(", ")
}
