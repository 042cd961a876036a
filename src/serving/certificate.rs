//! The serving certificate.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tracing::{info, warn};

use super::settings::CertificateFiles;

/// How often the files are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file can't be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not as it should be.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// None could be made.
    #[error("a self-signed certificate can't be made: {0}")]
    SelfSigned(String),
}

/// The certificate that new connections are given.
#[derive(Debug)]
pub(super) struct Certificate {
    current: RwLock<Arc<CertifiedKey>>,
}

/// What the files said when they were last read.
type Contents = (Vec<u8>, Vec<u8>);

// === impl Certificate ===

impl Certificate {
    fn new(key: CertifiedKey) -> Self {
        Self { current: RwLock::new(Arc::new(key)) }
    }

    /// Makes one and writes it to these files.
    pub(super) fn make_files(files: &CertificateFiles) -> Result<(), CertificateError> {
        if files.certificate.exists() && files.key.exists() {
            return Ok(());
        }
        let made = make().map_err(|error| CertificateError::SelfSigned(error.to_string()))?;
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |source| CertificateError::Unreadable { path, source }
        };
        if let Some(folder) = files.key.parent() {
            std::fs::create_dir_all(folder).map_err(unwritable(folder))?;
        }
        let mut key = OpenOptions::new();
        let key = key.write(true).create(true).truncate(true).mode(0o600).open(&files.key);
        let mut key = key.map_err(unwritable(&files.key))?;
        key.write_all(made.signing_key.serialize_pem().as_bytes()).map_err(unwritable(&files.key))?;
        std::fs::write(&files.certificate, made.cert.pem()).map_err(unwritable(&files.certificate))
    }

    /// One for `localhost`, which nobody vouches for and whose key is nowhere but in memory.
    pub(super) fn self_signed(provider: &CryptoProvider) -> Result<Self, CertificateError> {
        let wrong = |error: &dyn std::fmt::Display| CertificateError::SelfSigned(error.to_string());
        let made = make().map_err(|error| wrong(&error))?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(|error| wrong(&error))?;
        let key = CertifiedKey::from_der(vec![made.cert.der().clone()], key, provider);
        Ok(Self::new(key.map_err(|error| wrong(&error))?))
    }

    /// The one of these files, and the task that reads them again when they change. Files that are not
    /// right leave in force what was read before.
    pub(super) fn of_files(
        files: CertificateFiles,
        provider: &Arc<CryptoProvider>,
    ) -> Result<(Arc<Self>, impl Future<Output = ()> + Send + 'static), CertificateError> {
        let contents = read(&files)?;
        let this = Arc::new(Self::new(parse(&files, &contents, provider)?));
        let follow = Arc::clone(&this).follow(files, contents, Arc::clone(provider));
        Ok((this, follow))
    }

    async fn follow(
        self: Arc<Self>,
        files: CertificateFiles,
        mut seen: Contents,
        provider: Arc<CryptoProvider>,
    ) {
        let mut complaint = String::new();
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let changed = match read(&files) {
                Ok(contents) if contents == seen => continue,
                Ok(contents) => {
                    let parsed = parse(&files, &contents, &provider);
                    seen = contents;
                    parsed
                }
                Err(error) => Err(error),
            };
            match changed {
                Ok(key) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                    complaint.clear();
                    info!(file = %files.certificate.display(), "the serving certificate was read again");
                }
                Err(error) if error.to_string() == complaint => (),
                Err(error) => {
                    complaint = error.to_string();
                    warn!(%error, "the new serving certificate can't be used; the old one stays");
                }
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn make() -> Result<rcgen::CertifiedKey<rcgen::KeyPair>, rcgen::Error> {
    rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
}

fn read(files: &CertificateFiles) -> Result<Contents, CertificateError> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| CertificateError::Unreadable { path: path.to_owned(), source })
    };
    Ok((read(&files.certificate)?, read(&files.key)?))
}

fn parse(
    files: &CertificateFiles,
    (certificate, key): &Contents,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificateError> {
    let malformed =
        |path: &Path, problem: String| CertificateError::Malformed { path: path.to_owned(), problem };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|error| malformed(&files.certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(malformed(&files.certificate, "there is no certificate in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| malformed(&files.key, error.to_string()))?;
    // It also compares the key with the certificate.
    CertifiedKey::from_der(chain, key, provider).map_err(|error| malformed(&files.key, error.to_string()))
}
