//! How nodes that are not well are shown.

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::told::Verdict;
use super::waiting::{Unwell, Wait};
use crate::commands::label::DryRun;
use crate::look::{Look, Mark, plain};
use crate::view::{API_VERSION, Report};

/// The nodes that are not well, and the pods on them that wait for somebody.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailoverReport {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<Unwell>,
    #[serde(skip)]
    now: Timestamp,
}

/// Nodes that were said to be off.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmedReport {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<&'static str>,
    items: Vec<Confirmed>,
    #[serde(skip)]
    suffix: &'static str,
}

/// A node that was said to be off.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Confirmed {
    pub(super) node: String,
    pub(super) result: &'static str,
    /// The version of its Lease for which that holds.
    pub(super) lease_version: String,
}

// === impl FailoverReport ===

impl FailoverReport {
    pub(super) fn new(items: Vec<Unwell>, now: Timestamp) -> Self {
        Self { api_version: API_VERSION, kind: "Failover", items, now }
    }

    /// Whether something waits for somebody.
    pub(super) fn waits(&self) -> bool {
        self.items.iter().any(|it| !it.pods.is_empty())
    }

    /// What is to be done so that it waits no longer.
    pub(super) fn advice(&self, name: &str) -> Vec<String> {
        let first = |wait: Wait| self.items.iter().find(|it| it.count(wait) > 0).map(|it| &it.node);
        let confirm = first(Wait::Confirmation).map(|node| {
            format!("confirmation: if {node} is off, say so by\n  {name} failover --confirm {node}")
        });
        let fence = first(Wait::Fence).map(|node| {
            format!(
                "fence: if {node} is off and stays off, say so by\n  {name} failover --confirm {node} --fence"
            )
        });
        if self.items.is_empty() {
            return vec!["No node is suspect or lost.".to_owned()];
        }
        confirm.into_iter().chain(fence).collect()
    }

    fn nodes(&self, look: Look) -> String {
        let row = |it: &Unwell| {
            let state = [("confirmed", it.confirmed), ("fenced", it.fenced), ("frozen", it.frozen.is_some())];
            let state = state.iter().filter(|(_, is_so)| *is_so).map(|(word, _)| *word);
            let verdict = [it.verdict.as_str()].into_iter().chain(state).collect::<Vec<_>>().join(", ");
            let renewed = it.lease_renewed.map_or_else(|| "-".to_owned(), |at| self.ago(at));
            let waits = [Wait::Confirmation, Wait::Fence, Wait::Decision]
                .map(|wait| (wait, it.count(wait)))
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(wait, count)| format!("{count} for {}", wait.as_str()))
                .collect::<Vec<_>>();
            let waits = if waits.is_empty() { "-".to_owned() } else { waits.join(", ") };
            let mark = match it.verdict {
                _ if !it.pods.is_empty() => Mark::Error,
                Verdict::Returning => Mark::Faint,
                Verdict::Suspect | Verdict::Lost | Verdict::NotReady => Mark::Warning,
            };
            (mark, [it.node.clone(), verdict, renewed, waits])
        };
        look.marked(["NODE", "STATE", "LEASE RENEWED", "PODS WAIT"], self.items.iter().map(row).collect())
    }

    /// How long ago that was, as kubectl tells ages.
    fn ago(&self, at: Timestamp) -> String {
        match self.now.duration_since(at).as_secs().max(0) {
            seconds @ ..120 => format!("{seconds}s ago"),
            seconds @ ..7_200 => format!("{}m ago", seconds / 60),
            seconds @ ..172_800 => format!("{}h ago", seconds / 3600),
            seconds => format!("{}d ago", seconds / 86_400),
        }
    }
}

impl Report for FailoverReport {
    fn table(&self, look: Look) -> String {
        if self.items.is_empty() {
            return String::new();
        }
        let rows: Vec<[String; 4]> = self
            .items
            .iter()
            .flat_map(|node| node.pods.iter().map(move |pod| (node, pod)))
            .map(|(node, it)| {
                let pod = format!("{}/{}", it.namespace, it.pod);
                [pod, node.node.clone(), it.waits_for.as_str().to_owned(), it.why.clone()]
            })
            .collect();
        if rows.is_empty() {
            return self.nodes(look);
        }
        format!("{}\n{}", self.nodes(look), look.columns(["POD", "NODE", "WAITS FOR", "BECAUSE"], rows))
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.iter().map(|it| format!("node/{}", it.node)).collect())
    }
}

// === impl ConfirmedReport ===

impl ConfirmedReport {
    pub(super) fn new(items: Vec<Confirmed>, dry_run: DryRun) -> Self {
        let (dry_run, suffix) = dry_run.shown();
        Self { api_version: API_VERSION, kind: "FailoverConfirmationList", dry_run, items, suffix }
    }
}

impl Report for ConfirmedReport {
    fn table(&self, _: Look) -> String {
        let line = |it: &Confirmed| format!("node/{} {}{}\n", plain(&it.node), it.result, self.suffix);
        self.items.iter().map(line).collect()
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.iter().map(|it| format!("node/{}", it.node)).collect())
    }
}
