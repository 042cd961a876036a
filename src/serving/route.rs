//! Which path is what.

use std::sync::Arc;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::guard::Guard;
use super::health::Health;
use super::pages::Pages;
use super::reply::{self, Reply};

/// Everything that is shown.
pub struct Site {
    /// Who may see it.
    pub guard: Arc<Guard>,
    /// How the scheduler is.
    pub health: Health,
    /// How it is set up.
    pub pages: Pages,
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
            "/configz" => self.pages.configz(),
            "/flagz" => self.pages.flagz(request.headers()),
            "/statusz" => self.pages.statusz(request.headers()),
            _ => {
                let health = self.health.answer(request.uri());
                health.unwrap_or_else(|| reply::failure(StatusCode::NOT_FOUND, "404 page not found"))
            }
        }
    }
}
