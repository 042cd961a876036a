//! The report that the suite writes (Ginkgo's JSON report).

use std::fmt;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

/// A spec that was run.
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) ended: Ended,
}

/// How a spec ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ended {
    Passed,
    Failed,
    Skipped,
    #[serde(other)]
    Broken,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Suite {
    spec_reports: Option<Vec<SpecReport>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SpecReport {
    container_hierarchy_texts: Option<Vec<String>>,
    leaf_node_type: String,
    leaf_node_text: String,
    state: Ended,
}

/// The specs of a report that were run, in the order of their names.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Spec>> {
    let text = std::fs::read_to_string(path).context("the suite wrote no report")?;
    let suites: Vec<Suite> = serde_json::from_str(&text).context("the suite's report")?;
    let reports = suites.into_iter().filter_map(|suite| suite.spec_reports).flatten();
    // Specs that the filter left out are in the report too.
    let run = reports.filter(|it| it.leaf_node_type == "It" && it.state != Ended::Skipped);
    let mut specs: Vec<Spec> = run.map(SpecReport::into_spec).collect();
    specs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(specs)
}

// === impl SpecReport ===

impl SpecReport {
    fn into_spec(self) -> Spec {
        let texts = self.container_hierarchy_texts.unwrap_or_default();
        let name = texts.into_iter().chain([self.leaf_node_text]).collect::<Vec<_>>().join(" ");
        Spec { name, ended: self.state }
    }
}

// === impl Ended ===

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
            Self::Broken => "BROKEN",
        })
    }
}
