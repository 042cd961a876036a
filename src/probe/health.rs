//! Health and metrics, over plain HTTP: there is nothing secret in them, and the kubelet asks from the node itself.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use super::clock;
use super::counters::Counters;
use crate::metrics::{CONTENT_TYPE, MetricsError, ProbeFacts, ProbeMetrics};
use crate::serving::reply::{self, Reply};

/// How many connections are served at once; further ones wait.
const CONNECTIONS: usize = 16;
/// How long a connection may stay.
const LONGEST: Duration = Duration::from_mins(1);
/// How long the head of a request may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to rest where the system gives no more connections.
const PAUSE: Duration = Duration::from_millis(100);

/// Why health and metrics are not served.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The port can't be listened on.
    #[error("health and metrics on {address}: {why}; choose another by --health-bind-address")]
    Listen {
        /// The address and port.
        address: SocketAddr,
        /// Why not.
        why: io::Error,
    },
    /// The metrics can't be made.
    #[error("metrics: {0}")]
    Metrics(#[from] MetricsError),
}

/// A port that is listened on.
pub(super) struct Health {
    listener: TcpListener,
    site: Arc<Site>,
}

struct Site {
    counters: Counters,
    metrics: ProbeMetrics,
}

// === impl Health ===

impl Health {
    pub(super) async fn bind(
        address: SocketAddr,
        counters: Counters,
        metrics: ProbeMetrics,
    ) -> Result<Self, HealthError> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|why| HealthError::Listen { address, why })?;
        info!(%address, "serving health and metrics");
        Ok(Self { listener, site: Arc::new(Site { counters, metrics }) })
    }

    /// Serves for ever.
    pub(super) async fn serve(self) -> Infallible {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // The semaphore is never closed.
            let permit = Arc::clone(&permits).acquire_owned().await.ok();
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    debug!(%error, "a connection was not accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let site = Arc::clone(&self.site);
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let reply = site.answer(&request);
                    async move { Ok::<_, Infallible>(reply) }
                });
                let served = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), service);
                if !matches!(timeout(LONGEST, served).await, Ok(Ok(()))) {
                    debug!("a connection ended early");
                }
                drop(permit);
            });
        }
    }
}

// === impl Site ===

impl Site {
    fn answer(&self, request: &Request<Incoming>) -> Reply {
        match request.uri().path() {
            "/readyz" if !self.counters.is_answering() => {
                reply::failure(StatusCode::INTERNAL_SERVER_ERROR, "waiting for keys")
            }
            "/healthz" | "/livez" | "/readyz" => self.health(),
            "/metrics" => match self.metrics.render(&self.facts()) {
                Ok(text) => reply::of(CONTENT_TYPE, text),
                Err(error) => reply::failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            },
            _ => reply::failure(StatusCode::NOT_FOUND, "404 page not found"),
        }
    }

    /// Well as long as its threads live. The API server is no part of it: an agent goes on without.
    fn health(&self) -> Reply {
        match &self.counters.stuck(clock::now())[..] {
            [] => reply::text("ok"),
            stuck => {
                let message = format!("no sign of life: {}", stuck.join(", "));
                reply::failure(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }

    fn facts(&self) -> ProbeFacts {
        ProbeFacts {
            answered: self.counters.get(|it| &it.answered),
            lost: self.counters.get(|it| &it.lost),
            echoed: self.counters.get(|it| &it.echoed),
            refused: self.counters.get(|it| &it.refused),
            reported: self.counters.get(|it| &it.reported),
            unreported: self.counters.get(|it| &it.unreported),
            peers: self.counters.get(|it| &it.peers),
            is_starved: self.counters.is_starved(),
        }
    }
}
