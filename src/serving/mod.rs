//! What the scheduler shows of itself, over HTTPS (upstream: `cmd/kube-scheduler/app/server.go`).
//!
//! ```text
//!  listen (TLS, HTTP/1.1) ─► authn (who is it?) ─► authz (may they?) ─► route ─► health, pages, metrics
//! ```
//!
//! | module | subject |
//! |---|---|
//! | `settings` | addresses, files, times |
//! | `certificate` | the serving certificate: of files, which may change, or made at start |
//! | `listen` | connections |
//! | `reply` | answers, with upstream's headers and texts |
//! | `route` | which path is what |
//! | `health` | `/healthz`, `/livez`, `/readyz` |
//! | `pages` | `/configz`, `/flagz`, `/statusz` |
//! | `guard` | authentication and authorization, delegated to the API server |

mod certificate;
pub mod guard;
mod health;
mod listen;
mod pages;
pub(crate) mod reply;
mod route;
mod settings;

pub use health::Health;
pub use listen::{Listener, ServeError};
pub use pages::Pages;
pub use route::Site;
pub use settings::{CertificateFiles, CertificateSource, ServingSettings, TlsVersion};
