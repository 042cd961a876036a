//! `edge_probe_*`: what a probe agent does.

use prometheus::{IntCounterVec, IntGauge, TextEncoder};

use super::client::ClientMetrics;
use super::family::{self, Families, Stability::Alpha};
use super::{MetricsError, process};

/// All metrics of a probe agent.
#[derive(Clone)]
pub struct ProbeMetrics {
    families: Families,
    /// Requests to the API server.
    pub client: ClientMetrics,
    process: process::ProcessMetrics,
    probes: IntCounterVec,
    echoes: IntCounterVec,
    reports: IntCounterVec,
    peers: IntGauge,
    starved: IntGauge,
}

/// What is read when somebody looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeFacts {
    /// Probes that were answered.
    pub answered: u64,
    /// Probes that were not.
    pub lost: u64,
    /// Probes of others that were answered.
    pub echoed: u64,
    /// Packets that were not answered.
    pub refused: u64,
    /// Reports that were taken.
    pub reported: u64,
    /// Reports that were not.
    pub unreported: u64,
    /// How many peers are probed.
    pub peers: u64,
    /// Whether the agent lacks CPU.
    pub is_starved: bool,
}

// === impl ProbeMetrics ===

impl ProbeMetrics {
    /// All of them at zero.
    pub fn new() -> Result<Self, MetricsError> {
        let families = Families::default();
        family::build_info(&families)?;
        let by_result = |name, help| families.counters(name, Alpha, help, &["result"]);
        Ok(Self {
            client: ClientMetrics::new(&families)?,
            process: process::ProcessMetrics::new(&families)?,
            probes: by_result(
                "edge_probe_probes_total",
                "Number of probes sent, by whether they were answered.",
            )?,
            echoes: by_result(
                "edge_probe_echoes_total",
                "Number of packets received from other agents, by whether they were answered.",
            )?,
            reports: by_result(
                "edge_probe_reports_total",
                "Number of reports to the API server, by whether they were taken.",
            )?,
            peers: families.gauge("edge_probe_peers", Alpha, "Number of peers that are probed.")?,
            starved: families.gauge(
                "edge_probe_starved",
                Alpha,
                "Whether the agent lacks CPU, so that its delays are not trusted.",
            )?,
            families,
        })
    }

    /// Everything, as text.
    pub fn render(&self, facts: &ProbeFacts) -> Result<String, MetricsError> {
        for (family, result, count) in [
            (&self.probes, "answered", facts.answered),
            (&self.probes, "lost", facts.lost),
            (&self.echoes, "answered", facts.echoed),
            (&self.echoes, "refused", facts.refused),
            (&self.reports, "taken", facts.reported),
            (&self.reports, "failed", facts.unreported),
        ] {
            let counter = family.with_label_values(&[result]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
        self.peers.set(i64::try_from(facts.peers).unwrap_or(i64::MAX));
        self.starved.set(facts.is_starved.into());
        self.process.read();
        TextEncoder::new().encode_to_string(&self.families.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = ProbeMetrics::new().unwrap();
        let facts = ProbeFacts { answered: 7, lost: 1, peers: 3, is_starved: true, ..ProbeFacts::default() };
        metrics.render(&facts).unwrap();
        let text = metrics.render(&ProbeFacts { answered: 9, ..facts }).unwrap();
        for line in [
            "edge_probe_probes_total{result=\"answered\"} 9",
            "edge_probe_probes_total{result=\"lost\"} 1",
            "edge_probe_peers 3",
            "edge_probe_starved 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
