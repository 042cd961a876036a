//! `kubectl edge explain`: why a pod waits, why it is where it is, or whether it would fit.

mod changes;
mod report;
mod subject;

use std::path::PathBuf;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use edge_core::delay::DelayConstraints;
use edge_core::model::Pod;

use crate::cluster::Gaps;
use crate::commands::version::differing_versions;
use crate::completing::workloads;
use crate::failure::{Ending, Failure};
use crate::session::Session;
use crate::view::Output;
use crate::world::{Served, World};
use report::{ExplainReport, Explained};
use subject::Subject;

/// Explain why a pod waits, why it is where it is, or whether it would fit
///
/// Each node is counted once, for what stops the pod there first, so that the counts add up. It is
/// judged by the code that the scheduler runs, with what the cluster says now.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = EXAMPLES)]
pub(crate) struct Explain {
    /// A pod, or a workload: its first pod that waits, else one that it would make
    #[arg(value_name = "POD|KIND/NAME", required_unless_present = "filename", add = ArgValueCompleter::new(workloads))]
    subject: Option<String>,
    /// Pods of the manifests in a file: would they fit?
    #[arg(short, long, value_name = "FILE", conflicts_with = "subject")]
    filename: Option<PathBuf>,
    /// Name every node, not only how many
    #[arg(long)]
    all_nodes: bool,
}

const EXAMPLES: &str = "\
Exit codes: 0 it has a place or would fit, 1 failed, 3 it fits nowhere or a bound is
broken, 4 partial.

Examples:
  kubectl edge explain video-7c9d-abcde
  kubectl edge explain deploy/video -n demo
  kubectl edge explain -f video.yaml";

// === impl Explain ===

impl Explain {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let manifests = self.filename.as_deref().map(subject::of_file).transpose()?;
        let cluster = session.connect().await?;
        let mut gaps = Gaps::default();
        session.talk.busy("reading nodes, pods and delays");
        let served = Served::read(&cluster, &mut gaps).await?;
        let mut world = World::read(&cluster, &served, &mut gaps).await?;
        let versions = differing_versions(&cluster).await;
        let subjects = match (&self.subject, manifests) {
            (_, Some(pods)) => pods.into_iter().map(Subject::would_be).collect(),
            (Some(name), None) => vec![subject::find(&mut world, &cluster, name).await?],
            (None, None) => Vec::new(),
        };
        let mut warnings = served.warnings();
        warnings.extend(world.unreadable.iter().map(|it| format!("passed over: {it}")));
        warnings.extend(versions);
        let explained: Vec<Explained> =
            subjects.into_iter().map(|subject| explain(&mut world, &served, subject)).collect();
        let fits = explained.iter().all(Explained::is_well);
        let ending = if fits { Ending::Ok } else { Ending::Findings };
        let report = ExplainReport::new(explained, self.all_nodes);
        Ok(Output::ok(report).ending(ending).with_warnings(warnings).with_gaps(gaps.into_messages()))
    }
}

fn explain(world: &mut World, served: &Served, subject: Subject) -> Explained {
    let profile = served.profile(&subject.pod.scheduler_name);
    // Where it is it has room by itself, so it is taken out to see what else it could choose.
    let pod = lifted(world, &subject.pod);
    let judgement = world.judge(&pod, &profile);
    let scored = world.scored(&pod, &profile);
    let slacks = slacks(world, &subject.pod);
    let changes =
        if judgement.fits.is_empty() { changes::smallest(world, &pod, &profile) } else { Vec::new() };
    let gate = profile.gate(&subject.pod).map(|(_, reason)| reason.to_string());
    Explained::new(world, subject, judgement, scored, slacks, changes, gate, served)
}

/// The pod as it was before it had a place; its place is given back for the time of the question.
fn lifted(world: &mut World, pod: &Pod) -> Pod {
    if let Some(node) = &pod.node
        && let Some(slot) = world.snapshot.nodes.slot(node.as_str())
    {
        world.snapshot.remove_pod(pod, slot);
    }
    Pod { node: None, ..pod.clone() }
}

/// How far a placed pod is from its anchors, in the order of its constraints.
fn slacks(world: &World, pod: &Pod) -> Vec<report::Slack> {
    let Ok(constraints) = DelayConstraints::of_pod(pod) else { return Vec::new() };
    let slot = pod.node.as_ref().and_then(|node| world.snapshot.nodes.slot(node.as_str()));
    let slack = |it: &edge_core::delay::DelayConstraint| {
        let delay = slot.and_then(|slot| world.delay_to(pod, it, constraints.replicas, slot));
        report::Slack::new(it.anchor.to_string(), it.bound, delay)
    };
    constraints.list.iter().map(slack).collect()
}
