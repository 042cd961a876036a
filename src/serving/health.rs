//! Health (upstream: `k8s.io/apiserver/pkg/server/healthz`).

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{StatusCode, Uri};
use tracing::debug;

use super::reply::{self, Reply};
use crate::clock::Clock;
use crate::lease::Tenure;
use crate::metrics::HealthMetrics;

/// How the scheduler is.
#[derive(Clone, Debug)]
pub struct Health {
    tenure: Tenure,
    /// The Lease's name, if there is an election.
    lease: Option<String>,
    clock: Clock,
    metrics: HealthMetrics,
    synced: Arc<AtomicBool>,
    ending: Arc<AtomicBool>,
}

/// One thing that is looked at: its name, and what is wrong.
type Check = (&'static str, Result<(), String>);

// === impl Health ===

impl Health {
    /// Of a scheduler that knows nothing yet, by this right to act and the name of its Lease.
    pub fn new(tenure: Tenure, lease: Option<String>, clock: Clock, metrics: HealthMetrics) -> Self {
        Self { tenure, lease, clock, metrics, synced: Arc::default(), ending: Arc::default() }
    }

    /// Whether everything that decisions depend on was listed.
    pub fn set_synced(&self, synced: bool) {
        self.synced.store(synced, Ordering::Relaxed);
    }

    /// The scheduler is coming to its end.
    pub fn set_ending(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// The checks behind an endpoint, by upstream's names and in its order; none if it is no such endpoint.
    fn checks(&self, endpoint: &str) -> Option<Vec<Check>> {
        let mut checks: Vec<Check> = match endpoint {
            "healthz" => self.leader_election().into_iter().collect(),
            "livez" => Vec::new(),
            "readyz" => {
                let ending = self.ending.load(Ordering::Relaxed);
                let synced = self.synced.load(Ordering::Relaxed);
                let mut checks: Vec<Check> = self.leader_election().into_iter().collect();
                checks.push(("shutdown", hold(!ending, || "process is shutting down".to_owned())));
                let not_synced = || "handlers are not fully synchronized".to_owned();
                checks.push(("sched-handler-sync", hold(synced, not_synced)));
                checks
            }
            _ => return None,
        };
        if checks.is_empty() {
            checks.push(("ping", Ok(())));
        }
        Some(checks)
    }

    fn leader_election(&self) -> Option<Check> {
        let lease = self.lease.as_ref()?;
        let stuck = self.tenure.is_stuck(self.clock.now());
        Some((
            "leaderElection",
            hold(!stuck, || format!("failed election to renew leadership on lease {lease}")),
        ))
    }

    /// The answer to a request for a health endpoint or one of its checks; none if there is no such path.
    pub(super) fn answer(&self, uri: &Uri) -> Option<Reply> {
        let path = uri.path().strip_prefix('/')?;
        match path.split_once('/') {
            None => self
                .checks(path)
                .map(|checks| self.answer_all(path, &checks, uri.query().unwrap_or_default())),
            Some((endpoint, name)) => {
                let (_, outcome) = self.checks(endpoint)?.into_iter().find(|(check, _)| *check == name)?;
                Some(match outcome {
                    Ok(()) => reply::text("ok"),
                    Err(why) => {
                        let message = format!("internal server error: {why}");
                        reply::failure(StatusCode::INTERNAL_SERVER_ERROR, message)
                    }
                })
            }
        }
    }

    fn answer_all(&self, endpoint: &str, checks: &[Check], query: &str) -> Reply {
        let pairs = || query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut excluded: Vec<&str> =
            pairs().filter(|(name, _)| *name == "exclude").map(|(_, value)| value).collect();
        let verbose = pairs().any(|(name, _)| name == "verbose");
        let (mut text, mut failed) = (String::new(), false);
        for (name, outcome) in checks {
            if !excluded.contains(name) {
                self.metrics.observe(name, endpoint, outcome.is_ok());
            }
            let outcome = match outcome {
                _ if excluded.contains(name) => {
                    excluded.retain(|excluded| excluded != name);
                    format!("[+]{name} excluded: ok")
                }
                Ok(()) => format!("[+]{name} ok"),
                Err(why) => {
                    debug!(endpoint, check = name, why, "a health check failed");
                    failed = true;
                    // Everybody may ask, so why is for those to see who may ask for the check itself.
                    format!("[-]{name} failed: reason withheld")
                }
            };
            // Writing to a string can't fail.
            _ = writeln!(text, "{outcome}");
        }
        if !excluded.is_empty() {
            excluded.sort_unstable();
            excluded.dedup();
            let names: Vec<String> = excluded.iter().map(|name| format!("{name:?}")).collect();
            let names = names.join(",");
            _ = writeln!(text, "warn: some health checks cannot be excluded: no matches for {names}");
        }
        if failed {
            return reply::failure(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("{text}{endpoint} check failed"),
            );
        }
        let mut reply =
            reply::text(if verbose { format!("{text}{endpoint} check passed\n") } else { "ok".to_owned() });
        reply.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        reply
    }
}

fn hold(holds: bool, why_not: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why_not()) }
}
