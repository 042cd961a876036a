//! What happened to the nodes, in the words of `kubectl label`.

use serde::Serialize;

use super::{DryRun, Label};
use crate::look::{Look, plain};
use crate::view::{API_VERSION, Report};

/// What happened to the nodes, or which have the label.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LabelReport {
    api_version: &'static str,
    kind: &'static str,
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<&'static str>,
    items: Vec<Change>,
    #[serde(skip)]
    suffix: &'static str,
}

/// What happened to a node.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    node: String,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

// === impl LabelReport ===

impl LabelReport {
    pub(super) fn changed(label: &Label, items: Vec<Change>, dry_run: DryRun) -> Self {
        let (dry_run, suffix) = dry_run.shown();
        let label = format!("{}={}", label.key, label.value);
        Self { api_version: API_VERSION, kind: "NodeLabelList", label, dry_run, items, suffix }
    }

    pub(super) fn listed(label: &Label, nodes: Vec<String>) -> Self {
        let items = nodes.into_iter().map(|node| Change { node, result: LISTED, note: None }).collect();
        Self::changed(label, items, DryRun::None)
    }
}

const LISTED: &str = "present";

impl Report for LabelReport {
    fn table(&self, look: Look) -> String {
        if self.items.iter().any(|it| it.result == LISTED) {
            let rows = self.items.iter().map(|it| [it.node.clone(), self.label.clone()]).collect();
            return look.columns(["NAME", "LABEL"], rows);
        }
        let heads: Vec<String> = self
            .items
            .iter()
            .map(|it| format!("node/{} {}{}", plain(&it.node), it.result, self.suffix))
            .collect();
        let width = heads.iter().map(String::len).max().unwrap_or_default();
        let lines = heads.iter().zip(&self.items).map(|(head, it)| match &it.note {
            Some(note) => format!("{head:width$}   {}\n", look.faint(note)),
            None => format!("{head}\n"),
        });
        lines.collect()
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.iter().map(|it| format!("node/{}", it.node)).collect())
    }
}

// === impl Change ===

impl Change {
    fn new(node: &str, result: &'static str, note: Option<String>) -> Self {
        Self { node: node.to_owned(), result, note }
    }

    pub(super) fn added(node: &str, note: Option<String>) -> Self {
        Self::new(node, "labeled", note)
    }

    pub(super) fn removed(node: &str, note: Option<String>) -> Self {
        Self::new(node, "unlabeled", note)
    }

    /// The node has the label already.
    pub(super) fn unchanged(node: &str, note: Option<String>) -> Self {
        Self::new(node, "not labeled", note)
    }

    /// There is no label to be taken away.
    pub(super) fn absent(node: &str, key: &str) -> Self {
        Self::new(node, "not labeled", Some(format!("label {key:?} not found")))
    }

    /// The node does not qualify.
    pub(super) fn skipped(node: &str, why: &str) -> Self {
        Self::new(node, "skipped", Some(why.to_owned()))
    }
}
