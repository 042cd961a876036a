//! `kubectl edge latency`: everything, or a row a node.

use serde::Serialize;

use super::matrix;
use super::nodes::Row;
use super::scene::{Coverage, Scene};
use crate::look::Look;
use crate::view::{API_VERSION, Output, Report};

/// Above so many nodes there is a row for each in place of the table of all pairs.
const WHOLE: usize = 12;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    api_version: &'static str,
    kind: &'static str,
    coverage: Coverage,
    items: Vec<Row>,
}

/// All pairs if there are few, else a row a node.
pub(super) fn show(scene: &Scene) -> Output {
    if scene.nodes.len() <= WHOLE {
        return matrix::all(scene);
    }
    let items = scene.nodes.iter().map(|node| Row::of(scene, node)).collect();
    let coverage = scene.coverage();
    let report = Summary { api_version: API_VERSION, kind: "NodeLatencyList", coverage, items };
    Output::ok(report).with_gaps(scene.gaps.clone())
}

impl Report for Summary {
    fn table(&self, look: Look) -> String {
        let rows = self.items.iter().map(Row::cells).collect();
        let heads = ["NODE", "NEAREST", "MEDIAN", "WORST", "MEASURED", "STALE", "AGE"];
        format!("{}{}", look.caption(&self.coverage.head()), look.columns(heads, rows))
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.iter().map(|it| format!("node/{}", it.node)).collect())
    }
}
