//! `kubectl edge latency top`.

use edge_core::model::Delay;
use serde::Serialize;

use super::Top;
use super::bounds::{Bound, State};
use super::scene::{Coverage, Scene, millis};
use crate::failure::Ending;
use crate::look::{Look, Mark};
use crate::view::{API_VERSION, Output, Report};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TopReport {
    api_version: &'static str,
    kind: &'static str,
    coverage: Coverage,
    bounds: Vec<Bound>,
    held: usize,
    worst: Vec<Worst>,
    asymmetric: Vec<Asymmetric>,
}

#[derive(Serialize)]
struct Worst {
    from: String,
    to: String,
    ms: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asymmetric {
    from: String,
    to: String,
    ms: f64,
    back_ms: f64,
}

/// Directions that differ by less, relatively or absolutely, differ by chance.
const ASYMMETRY: f64 = 1.2;
const ASYMMETRY_MICROS: u32 = 1_000;

// === impl Top ===

impl Top {
    pub(super) fn show(&self, scene: &Scene) -> Output {
        let mut pairs: Vec<(Delay, usize, usize)> = Vec::new();
        for from in scene.nodes.iter().filter_map(|node| node.idx) {
            let row = scene.measured.row(from).iter();
            pairs
                .extend(row.filter_map(|cell| Some((cell.known(scene.statistic).fresh()?, from, cell.peer))));
        }
        pairs.sort_unstable_by(|a, b| b.cmp(a));
        let name = |idx: usize| scene.measured.name(idx).to_owned();
        let worst = pairs.iter().take(self.limit);
        let worst =
            worst.map(|(delay, a, b)| Worst { from: name(*a), to: name(*b), ms: delay.as_millis_f64() });
        let mut uneven: Vec<(Delay, Delay, usize, usize)> = pairs
            .iter()
            .filter_map(|(delay, a, b)| {
                let back = scene.measured.cell(*b, *a)?.known(scene.statistic).fresh()?;
                let is_uneven = delay.as_millis_f64() > ASYMMETRY * back.as_millis_f64()
                    && delay.as_micros() > back.as_micros() + ASYMMETRY_MICROS;
                is_uneven.then_some((*delay, back, *a, *b))
            })
            .collect();
        uneven.sort_unstable_by_key(|(delay, back, ..)| {
            std::cmp::Reverse(delay.as_micros() - back.as_micros())
        });
        let asymmetric = uneven.into_iter().take(self.limit).map(|(delay, back, a, b)| Asymmetric {
            from: name(a),
            to: name(b),
            ms: delay.as_millis_f64(),
            back_ms: back.as_millis_f64(),
        });
        let is_broken = scene.bounds.iter().any(|bound| bound.state == State::Broken);
        let at_risk = scene.bounds.iter().filter(|bound| bound.state != State::Held);
        let report = TopReport {
            api_version: API_VERSION,
            kind: "LatencyTop",
            coverage: scene.coverage(),
            bounds: at_risk.cloned().collect(),
            held: scene.bounds.iter().filter(|bound| bound.state == State::Held).count(),
            worst: worst.collect(),
            asymmetric: asymmetric.collect(),
        };
        let ending = if is_broken { Ending::Findings } else { Ending::Ok };
        Output::ok(report).ending(ending).with_gaps(scene.gaps.clone())
    }
}

fn show_ms(ms: f64) -> String {
    Delay::from_millis_f64(ms).map_or("-".to_owned(), millis)
}

impl Report for TopReport {
    fn table(&self, look: Look) -> String {
        let mut parts = vec![look.caption(&self.coverage.head())];
        if !self.bounds.is_empty() {
            let row = |it: &Bound| {
                let delay = it.delay_ms.map_or("-".to_owned(), show_ms);
                let pod = format!("{}/{}", it.namespace, it.pod);
                let mark = match it.state {
                    State::Broken => Mark::Error,
                    State::Unknown | State::AtRisk => Mark::Warning,
                    State::Held => Mark::None,
                };
                let cells = [
                    pod,
                    it.node.clone(),
                    it.from.clone(),
                    delay,
                    it.limit_ms.to_string(),
                    it.state.word().to_owned(),
                ];
                (mark, cells)
            };
            let heads = ["POD", "NODE", "FROM", "DELAY", "BOUND", "STATE"];
            parts.push(look.marked(heads, self.bounds.iter().map(row).collect()));
        }
        // One line a pod: the words are too long for a column.
        let mut stays: Vec<String> = self.bounds.iter().filter_map(Bound::why_it_stays).collect();
        stays.dedup();
        if !stays.is_empty() {
            parts.push(stays.concat());
        }
        parts.push(format!("{} bounds held, {} at risk, broken or unknown\n", self.held, self.bounds.len()));
        if !self.worst.is_empty() {
            let row = |it: &Worst| [it.from.clone(), it.to.clone(), show_ms(it.ms)];
            parts.push(look.columns(["WORST FROM", "TO", "MS"], self.worst.iter().map(row).collect()));
        }
        if !self.asymmetric.is_empty() {
            let row = |it: &Asymmetric| [it.from.clone(), it.to.clone(), show_ms(it.ms), show_ms(it.back_ms)];
            let heads = ["ASYMMETRIC FROM", "TO", "MS", "AND BACK"];
            parts.push(look.columns(heads, self.asymmetric.iter().map(row).collect()));
        }
        parts.join("\n")
    }
}
