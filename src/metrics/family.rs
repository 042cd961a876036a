//! Making families of metrics (upstream: `component-base/metrics`).

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, exponential_buckets,
};

use super::MetricsError;

/// How much a metric may change, as upstream says it in the text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stability {
    Alpha,
    Beta,
    Stable,
}

/// All families.
#[derive(Clone, Debug, Default)]
pub(super) struct Families {
    pub(super) registry: Registry,
}

// === impl Families ===

impl Families {
    fn register<C: Collector + Clone + 'static>(&self, family: C) -> Result<C, MetricsError> {
        self.registry.register(Box::new(family.clone()))?;
        Ok(family)
    }

    pub(super) fn counter(
        &self,
        name: &str,
        stability: Stability,
        help: &str,
    ) -> Result<IntCounter, MetricsError> {
        self.register(IntCounter::new(name, text(stability, help))?)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        stability: Stability,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, MetricsError> {
        self.register(IntCounterVec::new(Opts::new(name, text(stability, help)), labels)?)
    }

    pub(super) fn gauge(
        &self,
        name: &str,
        stability: Stability,
        help: &str,
    ) -> Result<IntGauge, MetricsError> {
        self.register(IntGauge::new(name, text(stability, help))?)
    }

    pub(super) fn gauges(
        &self,
        name: &str,
        stability: Stability,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, MetricsError> {
        self.register(IntGaugeVec::new(Opts::new(name, text(stability, help)), labels)?)
    }

    pub(super) fn histogram(
        &self,
        name: &str,
        stability: Stability,
        help: &str,
        buckets: Vec<f64>,
    ) -> Result<Histogram, MetricsError> {
        self.register(Histogram::with_opts(HistogramOpts::new(name, text(stability, help)).buckets(buckets))?)
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        stability: Stability,
        help: &str,
        labels: &[&str],
        buckets: Vec<f64>,
    ) -> Result<HistogramVec, MetricsError> {
        let options = HistogramOpts::new(name, text(stability, help)).buckets(buckets);
        self.register(HistogramVec::new(options, labels)?)
    }

    /// A gauge of the process, whose text upstream's client library leaves as it is.
    pub(super) fn plain_gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricsError> {
        self.register(Gauge::new(name, help)?)
    }

    /// A counter of the process.
    pub(super) fn plain_counter(&self, name: &str, help: &str) -> Result<prometheus::Counter, MetricsError> {
        self.register(prometheus::Counter::new(name, help)?)
    }
}

fn text(stability: Stability, help: &str) -> String {
    let stability = match stability {
        Stability::Alpha => "ALPHA",
        Stability::Beta => "BETA",
        Stability::Stable => "STABLE",
    };
    format!("[{stability}] {help}")
}

/// Buckets that grow: so many, from `first`, each `factor` times the one before.
pub(super) fn buckets(first: f64, factor: f64, count: usize) -> Result<Vec<f64>, MetricsError> {
    exponential_buckets(first, factor, count)
}

/// Which program this is (upstream: `component-base/metrics/version.go`).
pub(super) fn build_info(families: &Families) -> Result<(), MetricsError> {
    const LABELS: [&str; 9] = [
        "major",
        "minor",
        "git_version",
        "git_commit",
        "git_tree_state",
        "build_date",
        "go_version",
        "compiler",
        "platform",
    ];
    let labels: GaugeVec = GaugeVec::new(
        Opts::new(
            "kubernetes_build_info",
            text(
                Stability::Beta,
                "A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree \
                 state, build date, Go version, and compiler from which Kubernetes was built, and platform on \
                 which it is running.",
            ),
        ),
        &LABELS,
    )?;
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    let values = [major, minor, version, "", "", "", "", "rustc", &platform];
    labels.with_label_values(&values).set(1.0);
    families.register(labels)?;
    Ok(())
}
