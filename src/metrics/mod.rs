//! Metrics: upstream's names, labels, buckets and texts, and ours.
//!
//! The core measures nothing. What it decided it hands out as values, what it counts is read when somebody
//! looks ([`Facts`]), and how long an extension point took is timed from outside ([`CycleTimer`]).
//!
//! | module | subject |
//! |---|---|
//! | `family` | making families of metrics, with upstream's stability in the text |
//! | `scheduler` | `scheduler_*`, and `edge_scheduler_*` |
//! | `facts` | what is read from the core when somebody looks |
//! | `timer` | timing of extension points |
//! | `client` | `rest_client_*`: requests to the API server |
//! | `process` | `process_*` of `/proc` |
//! | `health` | `kubernetes_healthcheck*`: how health checks ended |
//! | `probe` | `edge_probe_*`: the probe agent's |
//! | `resources` | `kube_pod_resource_*` |

mod client;
mod facts;
mod family;
mod health;
mod probe;
mod process;
mod resources;
mod scheduler;
#[cfg(test)]
mod tests;
mod timer;

use std::collections::BTreeSet;

use prometheus::TextEncoder;

pub use client::{ClientMetrics, RequestTimer, TimedRequests};
pub use facts::{Facts, Interest, Query};
pub use health::HealthMetrics;
pub use probe::{ProbeFacts, ProbeMetrics};
pub use resources::{PodAmounts, render as render_resources};
pub use scheduler::SchedulerMetrics;
pub use timer::CycleTimer;

use family::Families;

/// The text format that Prometheus reads.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric could not be made or shown.
pub type MetricsError = prometheus::Error;

/// All metrics of the process.
#[derive(Clone)]
pub struct Metrics {
    families: Families,
    /// Requests to the API server.
    pub client: ClientMetrics,
    /// The scheduler's own.
    pub scheduler: SchedulerMetrics,
    /// How health checks ended.
    pub health: HealthMetrics,
    process: process::ProcessMetrics,
    disabled: BTreeSet<String>,
}

// === impl Metrics ===

impl Metrics {
    /// All of them at zero; those that are disabled by name are never shown.
    pub fn new(disabled: impl IntoIterator<Item = String>) -> Result<Self, MetricsError> {
        let families = Families::default();
        family::build_info(&families)?;
        Ok(Self {
            client: ClientMetrics::new(&families)?,
            scheduler: SchedulerMetrics::new(&families)?,
            health: HealthMetrics::new()?,
            process: process::ProcessMetrics::new(&families)?,
            families,
            disabled: disabled.into_iter().collect(),
        })
    }

    /// Everything, as text.
    pub fn render(&self, facts: &Facts) -> Result<String, MetricsError> {
        self.scheduler.set(facts);
        self.process.read();
        let mut families = self.families.registry.gather();
        families.retain(|family| !self.disabled.contains(family.name()));
        TextEncoder::new().encode_to_string(&families)
    }
}
