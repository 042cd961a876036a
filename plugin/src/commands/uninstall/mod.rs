//! `kubectl edge uninstall`.

mod remove;
mod report;

use std::time::Duration;

use clap::Args;
use edge_api::names::NAMESPACE;

use super::label::DryRun;
use crate::args::values;
use crate::failure::{Ending, Failure};
use crate::installation::inventory::{self, Dependent, NodeLabels};
use crate::installation::manifests::DEFAULT_PROFILE;
use crate::installation::object::Object;
use crate::installation::owner::owner_of;
use crate::installation::rivals;
use crate::installation::store::Store;
use crate::session::Session;
use crate::view::Output;
use report::UninstallReport;

/// Remove the scheduler and its agents, and prove that nothing is left
///
/// What goes is listed first. Labels of nodes go if this plugin set them and nobody else claims
/// them. Pods that are bound keep running where they are.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Uninstall {
    /// Leave the labels that label-cloud and label-dpdk gave nodes
    #[arg(long)]
    keep_labels: bool,
    /// Go on although workloads still ask for this scheduler, or something of others goes too
    #[arg(long)]
    force: bool,
    /// Give workloads that ask for this scheduler back to the default one; restarts their pods
    #[arg(long)]
    reset_workloads: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Only say what would be done; "server" has the server check it
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    dry_run: DryRun,
    /// How long to wait until everything is gone
    #[arg(long, value_parser = values::timeout, default_value = "2m", value_name = "TIME")]
    timeout: Duration,
}

const EXAMPLES: &str = "\
Examples:
  kubectl edge uninstall --dry-run=client
  kubectl edge uninstall --reset-workloads
  kubectl edge uninstall --yes --keep-labels

Exit codes: 4 if a permission is missing, 124 if something was still there after --timeout.";

/// What there is.
pub(super) struct Found {
    pub(super) objects: Vec<Object>,
    pub(super) labels: Vec<NodeLabels>,
    pub(super) dependents: Vec<Dependent>,
    pub(super) node_delays: usize,
}

// === impl Uninstall ===

impl Uninstall {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let cluster = session.connect().await?;
        let store = Store { cluster: &cluster };
        let at_fault = |error| {
            let failure = cluster.problem(error);
            if failure.error.to_string().contains("forbidden") {
                failure.ending(Ending::Partial)
            } else {
                failure
            }
        };
        session.talk.busy("looking for what is installed");
        let found = self.find(store).await.map_err(at_fault)?;
        if found.objects.is_empty() && found.labels.is_empty() {
            session.talk.note("nothing is installed");
            return Ok(Output::ok(UninstallReport::new(&found, self.dry_run)));
        }
        let report = UninstallReport::new(&found, self.dry_run);
        if self.dry_run != DryRun::None {
            if self.dry_run == DryRun::Server {
                remove::try_all(store, &found).await.map_err(at_fault)?;
            }
            return Ok(Output::ok(report));
        }
        self.refuse(store, &found).await?;
        session.talk.note(&format!("To be deleted:\n{}", report.list().trim_end()));
        let context = cluster.context.as_deref().unwrap_or(&cluster.server);
        session.talk.confirm(&format!("{} on {context}. Proceed?", report.question()), self.yes)?;
        if self.reset_workloads {
            remove::reset(session, store, &found.dependents).await?;
        }
        remove::all(session, store, &found, self.timeout).await?;
        remove::prove(session, store, self.timeout).await?;
        Ok(Output::ok(report))
    }

    async fn find(&self, store: Store<'_>) -> Result<Found, kube::Error> {
        let objects = inventory::objects(store).await?;
        let served = inventory::served(&objects);
        let dependents =
            if objects.is_empty() { Vec::new() } else { inventory::dependents(store, &served).await? };
        let labels = if self.keep_labels { Vec::new() } else { inventory::node_labels(store).await? };
        let node_delays = inventory::node_delays(store).await?;
        Ok(Found { objects, labels, dependents, node_delays })
    }

    /// Refuses what would harm, unless it is forced.
    async fn refuse(&self, store: Store<'_>, found: &Found) -> Result<(), Failure> {
        if self.force {
            return Ok(());
        }
        if let Some((object, owner)) = found.objects.iter().find_map(|it| Some((it, owner_of(it.value())?))) {
            let failure = Failure::new(format!("{object} belongs to {owner}"));
            return Err(
                failure.with_hint("remove it there; --force removes it here, and there it may come back")
            );
        }
        let stuck: Vec<&Dependent> =
            found.dependents.iter().filter(|it| !self.reset_workloads || it.pod_spec.is_none()).collect();
        if let Some(first) = stuck.first() {
            let more =
                if stuck.len() == 1 { String::new() } else { format!(" and {} more", stuck.len() - 1) };
            let failure = Failure::new(format!("{}{more} would find no scheduler any more", first.shown));
            let hint = if self.reset_workloads {
                "jobs and bare pods can't be given back: delete them, or go on by --force"
            } else {
                "--reset-workloads gives them back to the default scheduler; --force leaves them waiting"
            };
            return Err(failure.with_hint(hint));
        }
        let problem = |error| store.cluster.problem(error);
        let is_default = inventory::served(&found.objects).iter().any(|name| name == DEFAULT_PROFILE);
        if is_default && !rivals::is_kube_scheduler_alive(store).await.map_err(problem)? {
            let failure =
                Failure::new("this is the cluster's only scheduler: kube-scheduler's Lease is not renewed");
            return Err(failure.with_hint("start kube-scheduler first; --force goes on without one"));
        }
        let tenants = inventory::tenants(store).await.map_err(problem)?;
        if let Some(first) = tenants.first() {
            let more =
                if tenants.len() == 1 { String::new() } else { format!(" and {} more", tenants.len() - 1) };
            let failure =
                Failure::new(format!("namespace {NAMESPACE} holds what is not ours: {first}{more}"));
            return Err(failure.with_hint("move it elsewhere; --force deletes it with the namespace"));
        }
        Ok(())
    }
}
