//! `kubectl edge install`.

mod choices;
mod diff;
mod report;
mod wait;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use edge_api::names::PLUGIN_MANAGER;

use super::label::DryRun;
use crate::args::values;
use crate::cluster::Cluster;
use crate::failure::{Ending, Failure};
use crate::installation::finding::{Finding, Level, summary};
use crate::installation::manifests::{self, Settings};
use crate::installation::object::Object;
use crate::installation::owner::handed_over;
use crate::installation::plan::{Change, Plan, Step};
use crate::installation::preflight::{self, Wanted};
use crate::installation::store::{Force, Mode, Store};
use crate::session::Session;
use crate::view::Output;
pub(crate) use choices::{RELEASE_IMAGE, remembered};
pub(crate) use wait::rollouts;

use report::{ExportReport, InstallReport};

/// Install the scheduler and its agents, or upgrade them in place
///
/// What was chosen at the last installation stays as it is unless it is chosen anew. Nothing is
/// written before the cluster was looked at and the server was asked what would change.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Install {
    /// A second replica on another node, and a PodDisruptionBudget
    #[arg(long, value_parser = values::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    ha: Option<bool>,
    /// A profile to serve besides edge-scheduler, such as custom-scheduler; can be repeated
    #[arg(long = "profile", value_name = "NAME", value_delimiter = ',', value_parser = choices::profile)]
    profiles: Vec<String>,
    /// Take kube-scheduler's place: serve default-scheduler too
    #[arg(long)]
    replace_default: bool,
    /// Agents measure on the nodes' own network; Pod Security of the namespace becomes privileged
    #[arg(long, value_parser = values::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    host_network: Option<bool>,
    /// The image to run, instead of the one of this release
    #[arg(long, value_name = "REFERENCE")]
    image: Option<String>,
    /// The registry, and folder in it, that has this release's image
    #[arg(long, value_name = "REGISTRY", conflicts_with = "image")]
    registry: Option<String>,
    /// Parts of objects to be laid over them, as YAML; can be repeated
    #[arg(short, long, value_name = "FILE")]
    filename: Vec<PathBuf>,
    /// Forget what was chosen at the last installation
    #[arg(long)]
    reset: bool,
    /// Make objects ours that belong to Helm, GitOps or somebody else
    #[arg(long)]
    take_over: bool,
    /// Show what would change, and change nothing; exit code 3 if something would
    #[arg(long, conflicts_with_all = ["export", "dry_run"])]
    diff: bool,
    /// Print the manifests, and ask no server
    #[arg(long, conflicts_with = "dry_run")]
    export: bool,
    /// Only say what would be done; "server" has the server check it
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    dry_run: DryRun,
    /// Whether to wait until all is ready
    #[arg(long, value_parser = values::boolean, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_name = "BOOL")]
    wait: bool,
    /// How long to wait
    #[arg(long, value_parser = values::timeout, default_value = "5m", value_name = "TIME")]
    timeout: Duration,
}

const EXAMPLES: &str = "\
Examples:
  kubectl edge install
  kubectl edge install --ha --profile custom-scheduler
  kubectl edge install --diff
  kubectl edge install --export > edge-scheduler.yaml
  kubectl edge install --registry registry.example.org/mirror
  kubectl edge install --replace-default      # once kube-scheduler is stopped

Exit codes: 3 if --diff shows something, 4 if a permission is missing, 124 if it was not ready in time.";

/// What is to be installed.
struct Target {
    settings: Settings,
    image: String,
    objects: Vec<Object>,
    profiles: Vec<String>,
}

// === impl Install ===

impl Install {
    /// Whether no server is asked.
    pub(super) fn is_offline(&self) -> bool {
        self.export || self.dry_run == DryRun::Client
    }

    /// Prints manifests, or what would be applied.
    pub(super) fn offline(&self, session: &Session) -> Result<Output, Failure> {
        let target = self.target(session, Settings::default(), None)?;
        if self.export {
            return Ok(Output::ok(ExportReport::new(target.objects)?));
        }
        let step = |object| Step { object, live: None, after: None, change: Change::Created };
        let plan = Plan { steps: target.objects.into_iter().map(step).collect(), conflicts: Vec::new() };
        Ok(Output::ok(InstallReport::new(&plan, &target.image, target.profiles, self.dry_run)))
    }

    /// Installs.
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let cluster = session.connect().await?;
        let store = Store { cluster: &cluster };
        let problem = |error| cluster.problem(error);
        let (remembered, running) = choices::remembered(store).await.map_err(problem)?;
        let remembered = if self.reset { Settings::default() } else { remembered };
        let target = self.target(session, remembered, running)?;
        let wanted =
            Wanted { settings: &target.settings, objects: &target.objects, profiles: &target.profiles };
        session.talk.busy("looking at the cluster");
        let findings = preflight::look(store, &wanted).await.map_err(problem)?;
        tell(session, &cluster, &findings)?;
        session.talk.busy("asking what would change");
        let force = if self.take_over { Force::Yes } else { Force::No };
        let plan = Plan::make(store, &target.objects, force).await;
        let plan = plan.map_err(|error| about(error.object, cluster.problem(error.error)))?;
        refuse_conflicts(&plan)?;
        if self.diff {
            return Ok(diff::output(&plan));
        }
        let report = InstallReport::new(&plan, &target.image, target.profiles, self.dry_run);
        if self.dry_run == DryRun::Server {
            return Ok(Output::ok(report));
        }
        apply(session, store, &plan, force).await?;
        if !self.wait {
            return Ok(Output::ok(report));
        }
        let rollouts = wait::until_ready(session, store, self.timeout).await?;
        Ok(Output::ok(report.with_rollouts(rollouts)))
    }

    /// What is to be installed, from what was said now, what was chosen before and the image that runs.
    fn target(
        &self,
        session: &Session,
        before: Settings,
        running: Option<String>,
    ) -> Result<Target, Failure> {
        let settings = choices::settings(self, before)?;
        let image = choices::image(self, &settings, running, &session.name)?;
        let at_fault = |error| Failure::new(error).with_hint("the objects are shown by --export");
        let objects = manifests::render(&settings, &image).map_err(at_fault)?;
        let profiles = manifests::profiles(&objects).map_err(Failure::new)?;
        Ok(Target { settings, image, objects, profiles })
    }
}

/// Tells what the look at the cluster found; anything that is in the way ends it.
fn tell(session: &Session, cluster: &Cluster, findings: &[Finding]) -> Result<(), Failure> {
    let look = session.talk.look();
    let context = cluster.context.as_deref().unwrap_or("none");
    session.talk.note(&format!("context    {context} ({})", cluster.server));
    session.talk.note(&format!("preflight  {}", summary(findings)));
    for finding in findings.iter().filter(|it| it.level != Level::Passed) {
        session.talk.note(finding.lines(look).trim_end());
    }
    let mut failed = findings.iter().filter(|it| it.level == Level::Failed);
    let Some(first) = failed.next() else { return Ok(()) };
    let more = failed.count();
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    let failure = Failure::new(format!("{}: {}{more}", first.code, first.message));
    let failure = failure.with_hint(first.fix.clone().unwrap_or_default());
    Err(if first.code == "EDGE-P02" { failure.ending(Ending::Partial) } else { failure })
}

fn refuse_conflicts(plan: &Plan) -> Result<(), Failure> {
    let Some(first) = plan.conflicts.first() else { return Ok(()) };
    let more = plan.conflicts.len() - 1;
    let more = if more == 0 { String::new() } else { format!(", and {more} more objects") };
    let failure = Failure::new(format!("{first}{more}"));
    Err(failure.with_hint("change it where it comes from, or make it ours by --take-over"))
}

/// The same, with the object that it is about.
fn about(object: Option<String>, failure: Failure) -> Failure {
    let Some(object) = object else { return failure };
    Failure { error: anyhow::Error::msg(format!("{object}: {}", failure.error)), ..failure }
}

/// Writes what is not yet as it should be.
async fn apply(session: &Session, store: Store<'_>, plan: &Plan, force: Force) -> Result<(), Failure> {
    let mut written = 0;
    for step in plan.steps.iter().filter(|step| step.change != Change::Unchanged) {
        session.talk.busy(&format!("{} {}", step.object, step.change));
        if let Err(error) = write(store, step, force).await {
            session.talk.note(&format!("applied    {written} objects before the one that failed"));
            return Err(about(Some(step.object.to_string()), store.cluster.problem(error)));
        }
        written += 1;
    }
    if written > 0 {
        session.talk.note(&format!("applied    {written} objects, field manager {PLUGIN_MANAGER}"));
    }
    Ok(())
}

async fn write(store: Store<'_>, step: &Step, force: Force) -> Result<(), kube::Error> {
    let path = step.object.path();
    if step.change == Change::Deleted {
        return store.delete(&path, Mode::Real).await.map(drop);
    }
    if let Some(change) = step.live.as_ref().and_then(handed_over).filter(|_| force == Force::Yes) {
        store.merge(&path, &change, Mode::Real).await?;
    }
    store.apply(&step.object, Mode::Real, force).await.map(drop)
}
