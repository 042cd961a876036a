//! One row a node: nearest, median, worst, coverage, age.

use edge_core::model::Delay;
use serde::Serialize;

use super::scene::{Placed, Scene, age, millis};

/// A node in a row.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<To>,
    #[serde(skip_serializing_if = "Option::is_none")]
    median_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worst: Option<To>,
    measured: usize,
    stale: usize,
    peers: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
}

#[derive(Serialize)]
struct To {
    node: String,
    ms: f64,
    #[serde(skip)]
    delay: Delay,
}

// === impl Row ===

impl Row {
    pub(super) fn of(scene: &Scene, node: &Placed) -> Self {
        let row = node.idx.map(|idx| scene.measured.row(idx)).unwrap_or_default();
        let mut known: Vec<(Delay, usize)> =
            row.iter().filter_map(|cell| Some((cell.known(scene.statistic).fresh()?, cell.peer))).collect();
        known.sort_unstable();
        let to = |at: Option<&(Delay, usize)>| {
            let (delay, peer) = at?;
            Some(To { node: scene.measured.name(*peer).to_owned(), ms: delay.as_millis_f64(), delay: *delay })
        };
        let report = node.idx.and_then(|idx| scene.measured.nodes.get(idx)?.report.as_ref());
        Self {
            node: node.name.clone(),
            nearest: to(known.first()),
            median_ms: known.get(known.len() / 2).map(|(delay, _)| delay.as_millis_f64()),
            worst: to(known.last()),
            measured: known.len(),
            stale: row.len() - known.len(),
            peers: scene.nodes.len().saturating_sub(1),
            age_seconds: report.and_then(|report| report.age).map(|age| age.as_secs()),
        }
    }

    pub(super) fn cells(&self) -> [String; 7] {
        let none = || "-".to_owned();
        let to = |to: &Option<To>| {
            to.as_ref().map_or_else(none, |to| format!("{} ({})", millis(to.delay), to.node))
        };
        let median = self.median_ms.and_then(|it| Delay::from_millis_f64(it).ok());
        [
            self.node.clone(),
            to(&self.nearest),
            median.map_or_else(none, millis),
            to(&self.worst),
            format!("{} of {}", self.measured, self.peers),
            self.stale.to_string(),
            self.age_seconds.map_or_else(none, age),
        ]
    }
}
