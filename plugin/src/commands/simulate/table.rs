//! How people see what `simulate` found out.

use super::report::{Clustering, Met, Pending, Placed, Radius, SimulationReport, Timing};
use super::reserve::ReserveReport;
use crate::look::Look;
use crate::view::Report;

// === impl SimulationReport ===

impl SimulationReport {
    /// The namespace is told only where there is more than the default one.
    fn is_qualified(&self) -> bool {
        let placed = self.placed.iter().map(|pod| &pod.namespace);
        placed.chain(self.pending.iter().map(|pod| &pod.namespace)).any(|namespace| namespace != "default")
    }

    fn summary(&self, look: Look) -> String {
        let (placed, pending) = (self.placed.len(), self.pending.len());
        let count = format!("{placed} of {} pods placed on {} nodes", placed + pending, self.nodes);
        let count = if pending == 0 { look.good(&count) } else { look.warning(&count) };
        format!("{count}\n{}\n", self.timing.sentence())
    }
}

impl Report for SimulationReport {
    fn table(&self, look: Look) -> String {
        let qualified = self.is_qualified();
        let mut parts = Vec::new();
        if !self.placed.is_empty() {
            let rows = self.placed.iter().flat_map(|pod| pod.rows(qualified)).collect();
            parts.push(look.columns(["POD", "NODE", "BACKUP", "ANCHOR", "DELAY", "BOUND"], rows));
        }
        if !self.pending.is_empty() {
            let rows = self.pending.iter().map(|pod| pod.row(qualified)).collect();
            parts.push(look.columns(["PENDING", "WHY"], rows));
        }
        parts.extend(self.reserve.part(look, "RESERVED"));
        parts.push(self.summary(look));
        if let Some(clustering) = &self.clustering {
            parts.extend(clustering.parts(self, look, qualified));
        }
        parts.join("\n")
    }
}

// === impl Clustering ===

impl Clustering {
    fn parts(&self, exact: &SimulationReport, look: Look, qualified: bool) -> Vec<String> {
        let runs = [
            run("radius", exact.placed.len(), exact.pending.len(), &exact.timing),
            run("cluster", self.placed.len(), self.pending.len(), &self.timing),
        ];
        let heads = ["ADMITTED BY", "PLACED", "PENDING", "MEDIAN", "P99", "TOTAL"];
        let mut parts = vec![look.columns(heads, runs.into())];
        if !self.radii.is_empty() {
            let rows = self.radii.iter().map(|radius| radius.row(qualified)).collect();
            parts.push(look.columns(["ANCHOR", "BOUND", "NODES", "IN CLUSTER", "KEPT"], rows));
        }
        parts.extend(self.reserve.part(look, "RESERVED IN CLUSTERS"));
        parts.push(self.summary(look));
        parts
    }

    fn summary(&self, look: Look) -> String {
        let (nodes, kept) =
            self.radii.iter().fold((0, 0), |(nodes, kept), it| (nodes + it.nodes, kept + it.kept));
        let text = format!("clusters keep {kept} of {nodes} nodes ({})", share(kept, nodes));
        let text = if kept < nodes { look.warning(&text) } else { look.good(&text) };
        format!("{text}\nlayers made in {}\n", show_micros(self.layering_microseconds))
    }
}

fn run(name: &str, placed: usize, pending: usize, timing: &Timing) -> [String; 6] {
    let shown = [timing.median_microseconds, timing.p99_microseconds, timing.total_microseconds];
    let [median, p99, total] = shown.map(show_micros);
    [name.to_owned(), placed.to_string(), pending.to_string(), median, p99, total]
}

// === impl ReserveReport ===

impl ReserveReport {
    fn part(&self, look: Look, head: &str) -> Option<String> {
        let sentence = self.sentence()?;
        let rows = self.rows();
        if rows.is_empty() {
            return Some(sentence);
        }
        let heads = [head, "COVERED", "ONLINE", "OFFLINE", "BOUND", "WITH PODS MOVED"];
        Some(look.columns(heads, rows) + &sentence)
    }
}

// === impl Placed ===

impl Placed {
    /// A row for each constraint; one if there is none. The pod is told in the first.
    fn rows(&self, qualified: bool) -> Vec<[String; 6]> {
        let name = display_name(&self.namespace, &self.pod, qualified);
        let pod = [name, self.node.clone(), self.backup.clone().unwrap_or_else(|| "-".to_owned())];
        if self.delays.is_empty() {
            let [pod, node, backup] = pod;
            return vec![[pod, node, backup, "-".to_owned(), "-".to_owned(), "-".to_owned()]];
        }
        let rest = std::iter::repeat([const { String::new() }; 3]);
        let heads = std::iter::once(pod).chain(rest);
        heads.zip(&self.delays).map(|(pod, met)| met.row(pod)).collect()
    }
}

// === impl Met ===

impl Met {
    fn row(&self, [pod, node, backup]: [String; 3]) -> [String; 6] {
        // Where a workload is matters; a node is where it is.
        let anchor = match &self.from {
            Some(from) if *from != self.anchor => format!("{} on {from}", self.anchor),
            Some(_) | None => self.anchor.clone(),
        };
        let delay = self.delay_ms.as_ref().map_or("-".to_owned(), |delay| format!("{} ms", delay.0));
        [pod, node, backup, anchor, delay, format!("{} ms", self.bound_ms.0)]
    }
}

// === impl Pending ===

impl Pending {
    fn row(&self, qualified: bool) -> [String; 2] {
        [display_name(&self.namespace, &self.pod, qualified), self.message.clone()]
    }
}

// === impl Radius ===

impl Radius {
    fn row(&self, qualified: bool) -> [String; 5] {
        let anchor = display_name(&self.namespace, &self.anchor, qualified);
        let bound = format!("{} ms", self.bound_ms.0);
        [anchor, bound, self.nodes.to_string(), self.kept.to_string(), share(self.kept, self.nodes)]
    }
}

// === impl Timing ===

impl Timing {
    fn sentence(&self) -> String {
        let Self {
            decisions,
            min_microseconds,
            median_microseconds,
            p99_microseconds,
            max_microseconds,
            total_microseconds,
        } = self;
        let durations =
            [min_microseconds, median_microseconds, p99_microseconds, max_microseconds, total_microseconds];
        let [min, median, p99, max, total] = durations.map(|micros| show_micros(*micros));
        format!("{decisions} decisions in {total}: min {min}, median {median}, p99 {p99}, max {max}")
    }
}

fn show_micros(micros: f64) -> String {
    if micros < 1000.0 { format!("{micros:.1} µs") } else { format!("{:.1} ms", micros / 1000.0) }
}

fn share(part: usize, whole: usize) -> String {
    (part * 100).checked_div(whole).map_or("-".to_owned(), |percent| format!("{percent} %"))
}

fn display_name(namespace: &str, name: &str, qualified: bool) -> String {
    if qualified { format!("{namespace}/{name}") } else { name.to_owned() }
}
