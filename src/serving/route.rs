//! Which path is what.

use std::sync::Arc;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::guard::Guard;
use super::health::Health;
use super::pages::Pages;
use super::reply::{self, Reply};
use crate::metrics::{CONTENT_TYPE, Metrics, MetricsError, Query, render_resources};

/// Everything that is shown.
pub struct Site {
    /// Who may see it.
    pub guard: Arc<Guard>,
    /// How the scheduler is.
    pub health: Health,
    /// How it is set up.
    pub pages: Pages,
    /// What is measured.
    pub metrics: Metrics,
    /// Where what the core counts is asked for.
    pub looks: mpsc::Sender<Query>,
}

// === impl Site ===

impl Site {
    /// Answers a request.
    pub(super) async fn answer(
        &self,
        request: &Request<Incoming>,
        certificates: &[CertificateDer<'static>],
    ) -> Reply {
        let path = request.uri().path();
        if let Err(refusal) = self.guard.admit(request.method(), path, request.headers(), certificates).await
        {
            return refusal;
        }
        match path {
            "/metrics" => self.metrics().await,
            "/metrics/slis" => metrics_text(self.metrics.health.render()),
            "/metrics/resources" => self.resources().await,
            "/configz" => self.pages.configz(),
            "/flagz" => self.pages.flagz(request.headers()),
            "/statusz" => self.pages.statusz(request.headers()),
            _ => {
                let health = self.health.answer(request.uri());
                health.unwrap_or_else(|| reply::failure(StatusCode::NOT_FOUND, "404 page not found"))
            }
        }
    }

    async fn metrics(&self) -> Reply {
        let Some(facts) = self.look(Query::Facts).await else { return ending() };
        metrics_text(self.metrics.render(&facts))
    }

    async fn resources(&self) -> Reply {
        let Some(pods) = self.look(Query::Resources).await else { return ending() };
        // One who doesn't lead says nothing, so that nothing is counted twice.
        reply::of(CONTENT_TYPE, pods.map(|pods| render_resources(&pods)).unwrap_or_default())
    }

    /// Asks the core; none if it is coming to its end.
    async fn look<T>(&self, query: impl FnOnce(oneshot::Sender<T>) -> Query) -> Option<T> {
        let (to, answer) = oneshot::channel();
        self.looks.send(query(to)).await.ok()?;
        answer.await.ok()
    }
}

fn metrics_text(text: Result<String, MetricsError>) -> Reply {
    match text {
        Ok(text) => reply::of(CONTENT_TYPE, text),
        Err(error) => reply::failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn ending() -> Reply {
    reply::failure(StatusCode::SERVICE_UNAVAILABLE, "process is shutting down")
}
