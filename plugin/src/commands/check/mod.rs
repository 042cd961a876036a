//! `kubectl edge check`.

mod looks;
mod reports;

use clap::Args;
use serde::Serialize;

use crate::failure::{Ending, Failure};
use crate::installation::finding::{Finding, Level, summary};
use crate::installation::store::Store;
use crate::look::Look;
use crate::session::Session;
use crate::view::{API_VERSION, Output, Report};
use looks::Facts;

/// Look closely at the installation: what is wrong, and what to do about it
///
/// Every finding has a code that stays the same; docs/codes.md lists them. Nothing is written.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Check {
    /// Show only what is not as it should be
    #[arg(short, long)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  kubectl edge check
  kubectl edge check -q
  kubectl edge check -o json | jq '.groups[].findings[] | select(.level == \"Failed\")'

Exit codes: 3 if something failed, 4 if something could not be looked at.";

/// What was found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckReport {
    api_version: &'static str,
    kind: &'static str,
    summary: String,
    groups: Vec<Group>,
    #[serde(skip)]
    quiet: bool,
}

/// Findings of one subject.
#[derive(Serialize)]
struct Group {
    name: &'static str,
    findings: Vec<Finding>,
}

// === impl Check ===

impl Check {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let cluster = session.connect().await?;
        let store = Store { cluster: &cluster };
        let problem = |error| cluster.problem(error);
        let facts = Facts::gather(store).await.map_err(problem)?;
        let Some(facts) = facts else {
            let failure = Failure::new("nothing is installed").ending(Ending::Findings);
            return Err(failure.with_hint(format!("\"{} install\" installs it", session.name)));
        };
        session.talk.busy("looking closely");
        let groups = vec![
            Group { name: "installation", findings: facts.installation(store).await.map_err(problem)? },
            Group { name: "scheduler", findings: facts.scheduler(store).await.map_err(problem)? },
            Group { name: "agents", findings: facts.agents(store).await.map_err(problem)? },
            Group { name: "pods", findings: facts.pods(store).await.map_err(problem)? },
        ];
        let all: Vec<Finding> = groups.iter().flat_map(|group| group.findings.clone()).collect();
        let has = |level: Level| all.iter().any(|finding| finding.level == level);
        let ending = match (has(Level::Failed), has(Level::Unknown)) {
            (true, _) => Ending::Findings,
            (false, true) => Ending::Partial,
            (false, false) => Ending::Ok,
        };
        let report = CheckReport {
            api_version: API_VERSION,
            kind: "CheckResult",
            summary: summary(&all),
            groups,
            quiet: self.quiet,
        };
        Ok(Output::ok(report).ending(ending))
    }
}

// === impl CheckReport ===

impl Report for CheckReport {
    fn table(&self, look: Look) -> String {
        let mut text = String::new();
        for group in &self.groups {
            let shown = group.findings.iter().filter(|it| !self.quiet || it.level > Level::Skipped);
            let lines: String = shown.map(|finding| finding.lines(look)).collect();
            if !lines.is_empty() {
                text += &[look.strong(group.name), "\n".to_owned(), lines, "\n".to_owned()].concat();
            }
        }
        text + &self.summary + "\n"
    }
}
