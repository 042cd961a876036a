//! `kubectl edge failover`: what waits for somebody while nodes fail.

mod confirm;
mod report;
mod told;
mod waiting;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use k8s_openapi::jiff::Timestamp;

use self::confirm::Word;
use super::label::DryRun;
use crate::cluster::{Cluster, Gaps};
use crate::completing::nodes;
use crate::failure::{Ending, Failure};
use crate::session::Session;
use crate::view::Output;
use crate::world::{Served, World};
use report::{ConfirmedReport, FailoverReport};

/// Show nodes that fail and what on them waits for you, or confirm that a node is off
///
/// While so much fails at once that the scheduler itself may be cut off, it takes no pod off any
/// node. --confirm says that a node is off, so that its pods are started elsewhere all the same;
/// with --fence those too of which there must never be two. It holds until the node's Lease is
/// renewed: a node that is alive takes it back by itself.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = EXAMPLES)]
pub(crate) struct Failover {
    /// Say that this node is off; can be given several times
    #[arg(long, value_name = "NODE", add = ArgValueCompleter::new(nodes))]
    confirm: Vec<String>,
    /// Say that it stays off too: pods with state are started elsewhere as well
    #[arg(long, requires = "confirm")]
    fence: bool,
    /// Do not ask
    #[arg(short, long, requires = "confirm")]
    yes: bool,
    /// Only say what would be done; "server" has the server check it
    #[arg(long, value_enum, default_value_t, value_name = "HOW", requires = "confirm")]
    dry_run: DryRun,
}

const EXAMPLES: &str = "\
Examples:
  kubectl edge failover
  kubectl edge failover --confirm edge-3
  kubectl edge failover --confirm edge-3 --confirm edge-4 --yes
  kubectl edge failover --confirm edge-3 --fence

Needed: list nodes, pods, events.events.k8s.io, and leases in kube-node-lease; for --confirm
also get leases there, and patch nodes.

Exit codes: 0 nothing waits, 1 failed, 3 something waits, 4 partial.";

// === impl Failover ===

impl Failover {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let cluster = session.connect().await?;
        let mut gaps = Gaps::default();
        session.talk.busy("reading nodes, pods and events");
        let served = Served::read(&cluster, &mut gaps).await?;
        let world = World::read(&cluster, &served, &mut gaps).await?;
        let unwell = waiting::unwell(&cluster, &world, &served, &mut gaps).await?;
        if !self.confirm.is_empty() {
            let candidates = confirm::candidates(&self.confirm, &cluster, &world, &unwell).await?;
            return self.confirmed(session, &cluster, &candidates, gaps).await;
        }
        let report = FailoverReport::new(unwell, Timestamp::now());
        let ending = if report.waits() { Ending::Findings } else { Ending::Ok };
        let notes = report.advice(&session.name);
        Ok(Output::ok(report).ending(ending).with_notes(notes).with_gaps(gaps.into_messages()))
    }

    fn word(&self) -> Word {
        if self.fence { Word::StaysOff } else { Word::IsOff }
    }

    async fn confirmed(
        &self,
        session: &Session,
        cluster: &Cluster,
        candidates: &[confirm::Candidate<'_>],
        gaps: Gaps,
    ) -> Result<Output, Failure> {
        session.show_target(cluster);
        if self.dry_run == DryRun::None {
            confirm::ask(session, candidates, self.word(), self.yes)?;
        }
        let (mut done, mut failures) = (Vec::new(), Vec::new());
        for candidate in candidates {
            match confirm::write(cluster, candidate, self.word(), self.dry_run).await {
                Ok(confirmed) => done.push(confirmed),
                Err(failure) => failures.push(failure),
            }
        }
        let report = ConfirmedReport::new(done, self.dry_run);
        Ok(Output::ok(report).with_gaps(gaps.into_messages()).with_failures(failures))
    }
}
