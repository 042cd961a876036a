//! `kubectl edge latency FROM [TO]`.

use edge_core::model::Delay;
use serde::Serialize;

use super::scene::{Coverage, Placed, Scene, age, millis};
use crate::failure::Failure;
use crate::look::{Look, Mark};
use crate::view::{API_VERSION, Output, Report};
use crate::world::{Cell, Freshness};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PairList {
    api_version: &'static str,
    kind: &'static str,
    coverage: Coverage,
    from: String,
    items: Vec<Item>,
    /// What pods are judged by, where there are two ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    judged_by_ms: Option<f64>,
    #[serde(skip)]
    judged_by: &'static str,
    #[serde(skip)]
    not_measured: usize,
    #[serde(skip)]
    is_pair: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    from: String,
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p95_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter_ms: Option<f64>,
    lost: u32,
    samples: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    state: &'static str,
    #[serde(skip)]
    cell: Cell,
}

/// What a node measures, or what is between two nodes.
pub(super) fn show(scene: &Scene, from: &str, to: Option<&str>) -> Result<Output, Failure> {
    let from = scene.find(from)?;
    let to = to.map(|to| scene.find(to)).transpose()?;
    let mut items = match to {
        Some(to) => {
            [(from, to), (to, from)].into_iter().filter_map(|(a, b)| Item::between(scene, a, b)).collect()
        }
        None => of_node(scene, from),
    };
    if to.is_none() {
        items.sort_by_key(|item| (item.cell.freshness != Freshness::Fresh, item.cell.delay(scene.statistic)));
    }
    let ends = to.and_then(|to| Some((from.idx?, to.idx?)));
    let judged = ends.and_then(|(a, b)| scene.measured.pair(a, b, scene.judged_by).fresh());
    let not_measured = if to.is_some() { 0 } else { scene.nodes.len().saturating_sub(1 + items.len()) };
    let report = PairList {
        api_version: API_VERSION,
        kind: "LatencyList",
        coverage: scene.coverage(),
        from: from.name.clone(),
        items,
        judged_by_ms: judged.map(Delay::as_millis_f64),
        judged_by: scene.judged_by.name(),
        not_measured,
        is_pair: to.is_some(),
    };
    Ok(Output::ok(report).with_gaps(scene.gaps.clone()))
}

fn of_node(scene: &Scene, from: &Placed) -> Vec<Item> {
    let Some(idx) = from.idx else { return Vec::new() };
    let row = scene.measured.row(idx).iter();
    row.map(|cell| Item::of(&from.name, scene.measured.name(cell.peer), *cell)).collect()
}

// === impl Item ===

impl Item {
    fn between(scene: &Scene, from: &Placed, to: &Placed) -> Option<Self> {
        let cell = scene.measured.cell(from.idx?, to.idx?)?;
        Some(Self::of(&from.name, &to.name, *cell))
    }

    fn of(from: &str, to: &str, cell: Cell) -> Self {
        let ms = |delay: Option<Delay>| delay.map(Delay::as_millis_f64);
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            min_ms: ms(cell.min),
            p50_ms: ms(cell.p50),
            p95_ms: ms(cell.p95),
            jitter_ms: ms(cell.jitter),
            lost: cell.lost,
            samples: cell.samples,
            age_seconds: cell.age.map(|age| age.as_secs()),
            state: match cell.freshness {
                Freshness::Fresh => "measured",
                Freshness::Stale => "stale",
                Freshness::Unanswered => "not answered",
            },
            cell,
        }
    }

    fn mark(&self) -> Mark {
        match self.cell.freshness {
            Freshness::Fresh => Mark::None,
            Freshness::Stale => Mark::Faint,
            Freshness::Unanswered => Mark::Error,
        }
    }

    fn cells(&self) -> [String; 10] {
        let show = |delay: Option<Delay>| delay.map_or("-".to_owned(), millis);
        let Cell { min, p50, p95, jitter, lost, samples, .. } = self.cell;
        let loss = if samples == 0 {
            "-".to_owned()
        } else {
            format!("{:.1}%", f64::from(lost) * 100.0 / f64::from(samples))
        };
        [
            self.from.clone(),
            self.to.clone(),
            show(min),
            show(p50),
            show(p95),
            show(jitter),
            loss,
            samples.to_string(),
            self.age_seconds.map_or("-".to_owned(), age),
            self.state.to_owned(),
        ]
    }
}

impl Report for PairList {
    fn table(&self, look: Look) -> String {
        let heads = ["FROM", "TO", "MIN", "P50", "P95", "JITTER", "LOSS", "N", "AGE", "STATE"];
        let table = look.marked(heads, self.items.iter().map(|item| (item.mark(), item.cells())).collect());
        let head = look.caption(&self.coverage.head());
        let more = (self.not_measured > 0)
            .then(|| format!("{} more nodes are not measured from {}\n", self.not_measured, self.from));
        let judged =
            self.is_pair.then(|| match self.judged_by_ms.and_then(|ms| Delay::from_millis_f64(ms).ok()) {
                Some(delay) => format!(
                    "pods are judged by {} ms: of the fresh directions the larger {}\n",
                    millis(delay),
                    self.judged_by
                ),
                None => "no fresh delay: no pod is admitted by it\n".to_owned(),
            });
        [format!("{head}{table}")].into_iter().chain(more).chain(judged).collect()
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.iter().map(|it| format!("node/{}", it.to)).collect())
    }
}
