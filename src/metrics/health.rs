//! How health checks ended (upstream: `component-base/metrics/prometheus/slis`), shown apart from the rest.

use prometheus::{IntCounterVec, IntGaugeVec, TextEncoder};

use super::MetricsError;
use super::family::Families;
use super::family::Stability::Stable;

/// How each health check ended last, and how often how.
#[derive(Clone, Debug)]
pub struct HealthMetrics {
    families: Families,
    last: IntGaugeVec,
    all: IntCounterVec,
}

// === impl HealthMetrics ===

impl HealthMetrics {
    /// Of checks that nobody has asked for yet.
    pub fn new() -> Result<Self, MetricsError> {
        let families = Families::default();
        Ok(Self {
            last: families.gauges(
                "kubernetes_healthcheck",
                Stable,
                "This metric records the result of a single healthcheck.",
                &["name", "type"],
            )?,
            all: families.counters(
                "kubernetes_healthchecks_total",
                Stable,
                "This metric records the results of all healthcheck.",
                &["name", "type", "status"],
            )?,
            families,
        })
    }

    /// A check of this endpoint ended.
    pub fn observe(&self, check: &str, endpoint: &str, well: bool) {
        self.last.with_label_values(&[check, endpoint]).set(i64::from(well));
        let status = if well { "success" } else { "error" };
        self.all.with_label_values(&[check, endpoint, status]).inc();
    }

    /// Everything, as text.
    pub fn render(&self) -> Result<String, MetricsError> {
        TextEncoder::new().encode_to_string(&self.families.registry.gather())
    }
}
