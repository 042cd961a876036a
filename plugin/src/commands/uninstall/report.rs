//! What an uninstallation is shown as.

use serde::Serialize;

use super::{DryRun, Found};
use crate::look::Look;
use crate::view::{API_VERSION, Report};

/// What goes, or went.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UninstallReport {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<&'static str>,
    items: Vec<String>,
    node_delays: usize,
    node_labels: Vec<String>,
    dependents: Vec<String>,
    #[serde(skip)]
    suffix: &'static str,
}

// === impl UninstallReport ===

impl UninstallReport {
    pub(super) fn new(found: &Found, dry_run: DryRun) -> Self {
        let (dry_run, suffix) = dry_run.shown();
        let labels =
            found.labels.iter().flat_map(|it| it.keys.iter().map(move |key| format!("{}: {key}", it.node)));
        Self {
            api_version: API_VERSION,
            kind: "Uninstallation",
            dry_run,
            items: found.objects.iter().map(ToString::to_string).collect(),
            node_delays: found.node_delays,
            node_labels: labels.collect(),
            dependents: found.dependents.iter().map(|it| it.shown.clone()).collect(),
            suffix,
        }
    }

    /// What goes, a line each.
    pub(super) fn list(&self) -> String {
        self.items.iter().flat_map(|item| ["  ", item, "\n"]).collect()
    }

    /// What goes, in short.
    pub(super) fn question(&self) -> String {
        let counts = [
            (self.items.len(), "object"),
            (self.node_delays, "NodeDelays"),
            (self.node_labels.len(), "node label"),
        ];
        let parts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| {
                let plural = if count == 1 || what.ends_with('s') { "" } else { "s" };
                format!("{count} {what}{plural}")
            })
            .collect();
        format!("Deletes {}", parts.join(", "))
    }
}

impl Report for UninstallReport {
    fn table(&self, _look: Look) -> String {
        let deleted = |item: &String| format!("{item} deleted{}\n", self.suffix);
        let unlabelled = |label: &String| {
            let (node, key) = label.split_once(": ").unwrap_or_default();
            format!("node/{node} unlabeled: {key}{}\n", self.suffix)
        };
        let mut text: String = self.items.iter().map(deleted).collect();
        text.extend(self.node_labels.iter().map(unlabelled));
        text.extend((self.dry_run.is_some()).then(|| {
            let shown = self.dependents.iter().map(|it| format!("{it} asks for this scheduler\n"));
            shown.collect::<String>()
        }));
        text
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.clone())
    }
}
