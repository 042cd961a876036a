//! `kubectl edge latency export --html`: one file that needs nothing else.

use std::fs;

use serde::Serialize;

use super::Export;
use super::bounds::Bound;
use super::scene::{Coverage, Scene};
use crate::failure::Failure;
use crate::view::{API_VERSION, Output, to_stdout};
use crate::world::{Cell, Freshness, Statistic};

/// The page; what is shown comes in the place of [`PLACE`].
const PAGE: &str = include_str!("page.html");
const PLACE: &str = "/*DATA*/null";

/// What the page shows. Rows are arrays, because there may be hundreds of thousands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    api_version: &'static str,
    kind: &'static str,
    version: &'static str,
    context: Option<&'a str>,
    /// Seconds since 1970; none in reproducible builds of the page.
    made_at: Option<i64>,
    coverage: Coverage,
    /// Which place of a cell constraints are judged by.
    judged_by: usize,
    nodes: Vec<Node<'a>>,
    /// From, to, min, p50, p95 and jitter in microseconds, lost, samples, age in seconds, state.
    cells: Vec<Row>,
    bounds: &'a [Bound],
}

#[derive(Serialize)]
struct Node<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
}

type Micros = Option<u32>;
type Row = (usize, usize, Micros, Micros, Micros, Micros, u32, u32, Option<u64>, u8);

// === impl Export ===

impl Export {
    pub(super) fn show(&self, scene: &Scene) -> Result<Output, Failure> {
        let page = page(scene)?;
        let Some(file) = &self.file else {
            to_stdout(&page)?;
            return Ok(Output::nothing().with_gaps(scene.gaps.clone()));
        };
        let failed = |error| Failure::new(format!("can't write {}: {error}", file.display()));
        fs::write(file, page).map_err(failed)?;
        let note = format!("{} written", file.display());
        Ok(Output::nothing().with_notes(vec![note]).with_gaps(scene.gaps.clone()))
    }
}

fn page(scene: &Scene) -> Result<String, Failure> {
    let mut place_of = vec![None; scene.measured.nodes.len()];
    for (place, idx) in scene.nodes.iter().enumerate().filter_map(|(place, node)| Some((place, node.idx?))) {
        if let Some(slot) = place_of.get_mut(idx) {
            *slot = Some(place);
        }
    }
    let of = |idx: usize| place_of.get(idx).copied().flatten();
    let mut cells = Vec::new();
    for (place, idx) in scene.nodes.iter().enumerate().filter_map(|(place, node)| Some((place, node.idx?))) {
        cells
            .extend(scene.measured.row(idx).iter().filter_map(|cell| Some(row(place, of(cell.peer)?, cell))));
    }
    let reproducible = std::env::var_os("SOURCE_DATE_EPOCH").is_some();
    let data = Data {
        api_version: API_VERSION,
        kind: "LatencyPage",
        version: env!("CARGO_PKG_VERSION"),
        context: scene.context.as_deref(),
        made_at: (!reproducible).then(|| k8s_openapi::jiff::Timestamp::now().as_second()),
        coverage: scene.coverage(),
        judged_by: match scene.judged_by {
            Statistic::Min => 2,
            Statistic::P50 => 3,
            Statistic::P95 => 4,
        },
        nodes: scene.nodes.iter().map(|it| Node { name: &it.name, zone: it.zone.as_deref() }).collect(),
        cells,
        bounds: &scene.bounds,
    };
    // Names come from others: nothing in them may end the script.
    let json = serde_json::to_string(&data)?.replace('<', "\\u003c");
    Ok(PAGE.replacen(PLACE, &json, 1))
}

fn row(from: usize, to: usize, cell: &Cell) -> Row {
    let micros = |delay: Option<edge_core::model::Delay>| delay.map(edge_core::model::Delay::as_micros);
    let state = match cell.freshness {
        Freshness::Fresh => 0,
        Freshness::Stale => 1,
        Freshness::Unanswered => 2,
    };
    let Cell { min, p50, p95, jitter, lost, samples, age, .. } = *cell;
    (
        from,
        to,
        micros(min),
        micros(p50),
        micros(p95.or(p50)),
        micros(jitter),
        lost,
        samples,
        age.map(|it| it.as_secs()),
        state,
    )
}
