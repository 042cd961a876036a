//! Who may see what, as the API server says (upstream: `apiserver/pkg/{authentication,authorization}/…factory`).
//!
//! Somebody is known by a client certificate of the cluster, by an authenticating proxy before us, or by a
//! token that the API server is asked about (`TokenReview`); else they are anonymous. Whether they may is asked
//! too (`SubjectAccessReview`). Both answers are kept for a few seconds.

mod access;
mod cache;
mod identity;
mod settings;
mod trust;

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use tokio::sync::Semaphore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tracing::debug;

pub use settings::{GuardSettings, RequestHeaderSettings};
pub use trust::TrustError;

use super::reply::{self, Reply};
use cache::Cache;
use trust::Trust;

use crate::cluster::review::{Access, User};

/// How many reviews may be on their way at once: strangers must not make us a burden for the API server.
const PARALLEL_REVIEWS: usize = 16;

/// Decides who may see what.
pub struct Guard {
    settings: GuardSettings,
    /// Asks who the bearer of a token is; none if nobody can be asked.
    authentication: Option<kube::Client>,
    /// Asks what somebody may do.
    authorization: Option<kube::Client>,
    trust: Trust,
    reviews: Semaphore,
    users: Cache<String, Option<User>>,
    accesses: Cache<(User, Method, String), Access>,
}

// === impl Guard ===

impl Guard {
    /// A guard that asks by these clients, and the task that keeps up with the certificates it trusts.
    pub async fn new(
        settings: GuardSettings,
        authentication: Option<kube::Client>,
        authorization: Option<kube::Client>,
    ) -> Result<(Arc<Self>, impl Future<Output = ()> + Send + 'static), TrustError> {
        let trust = Trust::load(&settings, authentication.as_ref()).await?;
        let this = Arc::new(Self {
            settings,
            authentication,
            authorization,
            trust,
            reviews: Semaphore::new(PARALLEL_REVIEWS),
            users: Cache::default(),
            accesses: Cache::default(),
        });
        let guard = Arc::clone(&this);
        Ok((this, async move { guard.trust.follow(&guard.settings, guard.authentication.as_ref()).await }))
    }

    /// Lets a request pass, or answers it.
    pub(super) async fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        certificates: &[CertificateDer<'static>],
    ) -> Result<(), Reply> {
        let user = match self.identify(headers, certificates).await {
            Ok(user) => user,
            Err(why) => {
                debug!(path, why, "unable to authenticate the request");
                return Err(reply::status(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized"));
            }
        };
        let name = user.name.clone();
        match self.access(user, method, path).await {
            Ok(Access { allowed: true, .. }) => Ok(()),
            Ok(Access { allowed: false, reason }) => {
                let verb = method.as_str().to_ascii_lowercase();
                let mut message = format!("forbidden: User {name:?} cannot {verb} path {path:?}");
                if !reason.is_empty() {
                    message = format!("{message}: {reason}");
                }
                Err(reply::status(StatusCode::FORBIDDEN, "Forbidden", &message))
            }
            Err(why) => {
                let message = format!("Internal Server Error: {path:?}: {why}");
                Err(reply::failure(StatusCode::INTERNAL_SERVER_ERROR, message))
            }
        }
    }
}
