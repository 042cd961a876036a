//! The tables.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::args::Plan;
use crate::contender::Contender;
use crate::machine::Machine;
use crate::measure::Run;
use crate::topology::{ANCHORS, BOUND_MS};
use crate::workload::Workload;

/// All runs, in rounds.
#[derive(Debug, Default)]
pub(crate) struct Report {
    runs: BTreeMap<(usize, Workload), BTreeMap<Contender, Vec<Run>>>,
}

/// How the figures were had, below the tables.
const NOTES: &str = "\
All pods were made before the scheduler started. pods/s: from the first binding to the last, median (lowest to highest)
of all rounds; from start: from the start of the process to the last binding. Of the limit: the ratio to the plain binder's
median. Every second round goes backwards, because each finds what the one before it left for the servers to clear away.
CPU: user and system time of the scheduler's process from its start until it had written its last event, median;
servers': that of etcd and kube-apiserver together. Peak RSS: `VmHWM`, the highest of all rounds. Events: how many
`Scheduled` events were written, lowest of all rounds. Checked after each run: every pod is bound, no node holds more than
it has room for, and with delays all placements of edge-scheduler are within their bounds.
";

// === impl Report ===

impl Report {
    /// Adds a run.
    pub(crate) fn add(&mut self, nodes: usize, workload: Workload, contender: Contender, run: Run) {
        self.runs.entry((nodes, workload)).or_default().entry(contender).or_default().push(run);
    }

    /// The tables and what is to be known of them.
    pub(crate) fn to_markdown(&self, machine: &Machine, plan: &Plan) -> String {
        let mut text = String::new();
        for ((nodes, workload), contenders) in &self.runs {
            let pods = plan.pods;
            let with = match workload {
                Workload::Plain => String::new(),
                Workload::Delay => format!(" (one constraint of {BOUND_MS} ms per pod, {ANCHORS} anchors)"),
            };
            line(&mut text, &format!("### {nodes} nodes, {pods} pods, {workload}{with}\n"));
            line(
                &mut text,
                "| scheduler | pods/s | of the limit | from start | CPU ms/pod | servers' | peak RSS MiB | events |",
            );
            line(&mut text, "|---|--:|--:|--:|--:|--:|--:|--:|");
            for (contender, runs) in contenders {
                line(&mut text, &row(*contender, runs, contenders.get(&Contender::Limit)));
            }
            line(&mut text, "");
        }
        let counting =
            median(self.runs.values().flat_map(BTreeMap::values).flatten().map(Run::counting_per_pod));
        line(&mut text, &format!("{machine} {} rounds, {} in flight.\n", plan.rounds, plan.in_flight));
        text.push_str(NOTES);
        line(&mut text, &format!("Counting the bindings took the bench {counting:.2} ms of CPU per pod."));
        text
    }
}

fn row(contender: Contender, runs: &[Run], limit: Option<&Vec<Run>>) -> String {
    let (low, high) = range(runs.iter().map(Run::rate));
    let rate = median(runs.iter().map(Run::rate));
    let ratio = match limit {
        Some(limit) => format!("{:.2}", rate / median(limit.iter().map(Run::rate))),
        None => "–".to_owned(),
    };
    let since_start = median(runs.iter().map(Run::rate_since_start));
    let cpu = median(runs.iter().map(Run::cpu_per_pod));
    let servers = median(runs.iter().map(Run::servers_per_pod));
    let rss = runs.iter().map(|run| run.peak_rss.mebibytes()).max().unwrap_or_default();
    let events = runs.iter().map(|run| run.events).min().unwrap_or_default();
    format!(
        "| {contender} | {rate:.0} ({low:.0}–{high:.0}) | {ratio} | {since_start:.0} | {cpu:.2} | {servers:.2} | {rss} | {events} |"
    )
}

fn line(text: &mut String, words: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(text, "{words}");
}

/// The middle value; between two, their mean.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |idx: usize| values.get(idx).copied().unwrap_or(f64::NAN);
    f64::midpoint(at(values.len().saturating_sub(1) / 2), at(values.len() / 2))
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, 0.0), |(low, high), value| (value.min(low), value.max(high)))
}
