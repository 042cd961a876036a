//! The authorities whose client certificates are good: of flags, or of the cluster
//! (upstream: `apiserver/pkg/server/options/authentication.go`, `dynamiccertificates/configmap_cafile_content.go`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tracing::{info, warn};

use super::settings::{GuardSettings, RequestHeaderSettings};
use crate::cluster::review::{LookupError, authentication_config};

/// How often files and the cluster are looked at.
const POLL_INTERVAL: Duration = Duration::from_mins(1);

/// Why the authorities are not known.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file named by a flag can't be used.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The cluster's can't be read, and without them the scheduler shall not run.
    #[error("configmap extension-apiserver-authentication in kube-system can't be read: {0}")]
    Lookup(String),
}

/// The authorities in force.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    /// Of users.
    pub(super) client: Option<Arc<dyn ClientCertVerifier>>,
    /// Of an authenticating proxy, and what it may say.
    pub(super) request_header: Option<(Arc<dyn ClientCertVerifier>, RequestHeaderSettings)>,
}

/// The authorities, kept up to date.
#[derive(Debug, Default)]
pub(super) struct Trust {
    anchors: RwLock<Arc<Anchors>>,
    /// What was read at first.
    loaded: Sources,
}

/// What the anchors are made of; made anew only when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sources {
    client: Option<(String, Vec<u8>)>,
    request_header: Option<(String, Vec<u8>, RequestHeaderSettings)>,
}

// === impl Trust ===

impl Trust {
    /// Reads everything once.
    pub(super) async fn load(
        settings: &GuardSettings,
        client: Option<&kube::Client>,
    ) -> Result<Self, TrustError> {
        let sources = read_files(settings)?;
        let looked_up = look_up(settings, client).await;
        let sources = match looked_up {
            Ok(config) => sources.or_of_cluster(&config),
            Err(error) if !settings.tolerate_lookup_failure => {
                return Err(TrustError::Lookup(error.to_string()));
            }
            Err(error) => {
                warn!(
                    %error,
                    "configmap extension-apiserver-authentication in kube-system can't be read: client certificates \
                     of the cluster are not accepted; bind the role extension-apiserver-authentication-reader of \
                     that namespace, or name the authority by --client-ca-file"
                );
                sources
            }
        };
        let this = Self { loaded: sources, ..Self::default() };
        this.set(&this.loaded);
        Ok(this)
    }

    /// Reads everything now and then.
    pub(super) async fn follow(&self, settings: &GuardSettings, client: Option<&kube::Client>) {
        let mut seen = self.loaded.clone();
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            // What can't be read now stays as it was.
            let Ok(sources) = read_files(settings) else { continue };
            let Ok(config) = look_up(settings, client).await else { continue };
            let sources = sources.or_of_cluster(&config);
            if sources != seen {
                self.set(&sources);
                seen = sources;
            }
        }
    }

    /// The authorities in force now.
    pub(super) fn anchors(&self) -> Arc<Anchors> {
        Arc::clone(&self.anchors.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, Sources { client, request_header }: &Sources) {
        let client = client.as_ref().and_then(|(name, pem)| told(name, verifier(pem)));
        let request_header = request_header
            .as_ref()
            .and_then(|(name, pem, proxy)| Some((told(name, verifier(pem))?, proxy.clone())));
        *self.anchors.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Anchors { client, request_header });
    }
}

// === impl Sources ===

impl Sources {
    /// What the flags don't name is taken from the cluster.
    fn or_of_cluster(mut self, config: &BTreeMap<String, String>) -> Self {
        let pem = |key: &str| {
            let text = config.get(key).filter(|text| !text.trim().is_empty())?;
            Some((
                format!("{key} of configmap extension-apiserver-authentication"),
                text.clone().into_bytes(),
            ))
        };
        let list = |key: &str| -> Vec<String> {
            config.get(key).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
        };
        self.client = self.client.or_else(|| pem("client-ca-file"));
        if self.request_header.is_none()
            && let Some((name, pem)) = pem("requestheader-client-ca-file")
        {
            let proxy = RequestHeaderSettings {
                client_ca_file: None,
                allowed_names: list("requestheader-allowed-names"),
                username_headers: list("requestheader-username-headers"),
                uid_headers: list("requestheader-uid-headers"),
                group_headers: list("requestheader-group-headers"),
                extra_header_prefixes: list("requestheader-extra-headers-prefix"),
            };
            self.request_header = Some((name, pem, proxy));
        }
        self
    }
}

fn read_files(settings: &GuardSettings) -> Result<Sources, TrustError> {
    let read = |path: &Path| {
        let problem = |problem: String| TrustError::File { path: path.to_owned(), problem };
        let pem = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
        verifier(&pem).map_err(problem)?;
        Ok((path.display().to_string(), pem))
    };
    let proxy = &settings.request_header;
    let request_header = proxy.client_ca_file.as_deref().map(read).transpose()?;
    Ok(Sources {
        client: settings.client_ca_file.as_deref().map(read).transpose()?,
        request_header: request_header.map(|(name, pem)| (name, pem, proxy.clone())),
    })
}

async fn look_up(
    settings: &GuardSettings,
    client: Option<&kube::Client>,
) -> Result<BTreeMap<String, String>, LookupError> {
    match client {
        Some(client) if !settings.skip_lookup => authentication_config(client).await,
        Some(_) | None => Ok(BTreeMap::new()),
    }
}

fn told<T>(name: &str, made: Result<T, String>) -> Option<T> {
    match made {
        Ok(made) => {
            info!(authority = name, "client certificates are accepted");
            Some(made)
        }
        Err(problem) => {
            warn!(authority = name, problem, "can't be used; its certificates are not accepted");
            None
        }
    }
}

fn verifier(pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map(|verifier| verifier as Arc<dyn ClientCertVerifier>).map_err(|error| error.to_string())
}

/// Whether an authority vouches for a client's certificate now.
pub(super) fn is_vouched_for(
    verifier: &dyn ClientCertVerifier,
    certificate: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<(), String> {
    let verified = verifier.verify_client_cert(certificate, intermediates, UnixTime::now());
    verified.map(|_| ()).map_err(|error| error.to_string())
}
