//! Connections: TLS, then HTTP/1.1.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    self, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme, SupportedCipherSuite,
};
use tracing::{debug, info};

use super::certificate::{Certificate, CertificateError};
use super::route::Site;
use super::settings::{CertificateSource, ServingSettings, TlsVersion};

/// How many connections are served at once; further ones wait.
const CONNECTIONS: usize = 256;
const BACKLOG: u32 = 1024;
/// How long a handshake and the head of a request may take (upstream: `ReadHeaderTimeout`).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_TIMEOUT: Duration = Duration::from_secs(32);
/// How long to rest where the system gives no more connections.
const PAUSE: Duration = Duration::from_millis(100);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port can't be listened on.
    #[error("failed to listen on {address}: {source}; choose another by --bind-address and --secure-port")]
    Listen {
        /// The address and port.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// There is no certificate.
    #[error("serving certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// TLS can't work as it is set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// A port that is listened on.
pub struct Listener {
    socket: TcpListener,
    acceptor: TlsAcceptor,
    /// Keeps up with the certificate's files.
    follow: BoxFuture<'static, ()>,
}

// === impl Listener ===

impl Listener {
    /// Begins to listen.
    pub fn bind(settings: &ServingSettings) -> Result<Self, ServeError> {
        let address = SocketAddr::new(settings.bind_address, settings.secure_port);
        let provider = Arc::new(provider(settings));
        let (certificate, follow) = match settings.certificate.clone() {
            CertificateSource::Memory => {
                (Arc::new(Certificate::self_signed(&provider)?), std::future::pending().boxed())
            }
            CertificateSource::Files(files) => {
                let (certificate, follow) = Certificate::of_files(files, &provider)?;
                (certificate, follow.boxed())
            }
            CertificateSource::MadeFiles(files) => {
                Certificate::make_files(&files)?;
                let (certificate, follow) = Certificate::of_files(files, &provider)?;
                (certificate, follow.boxed())
            }
        };
        let versions: &[_] = match settings.min_version {
            TlsVersion::V12 => &[&TLS12, &TLS13],
            TlsVersion::V13 => &[&TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(Arc::new(AnyCertificate { provider }))
            .with_cert_resolver(certificate);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let socket = listen(address, settings.permit_port_sharing)
            .map_err(|source| ServeError::Listen { address, source })?;
        info!(%address, "serving securely");
        Ok(Self { socket, acceptor: TlsAcceptor::from(Arc::new(config)), follow })
    }

    /// Serves for ever.
    pub async fn serve(self, site: Arc<Site>) -> Infallible {
        let Self { socket, acceptor, follow } = self;
        let mut follow = pin!(follow.fuse());
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // The semaphore is never closed.
            let permit = Arc::clone(&permits).acquire_owned().await.ok();
            let stream = loop {
                tokio::select! {
                    () = &mut follow => (),
                    accepted = socket.accept() => match accepted {
                        Ok((stream, _)) => break stream,
                        Err(error) => {
                            debug!(%error, "a connection was not accepted");
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                }
            };
            let (acceptor, site) = (acceptor.clone(), Arc::clone(&site));
            tokio::spawn(async move {
                serve_connection(stream, acceptor, site).await;
                drop(permit);
            });
        }
    }
}

/// The library's algorithms, less those that the settings leave out.
fn provider(settings: &ServingSettings) -> CryptoProvider {
    let mut provider = ring::default_provider();
    let ServingSettings { cipher_suites: suites, key_exchange_groups: groups, .. } = settings;
    if !suites.is_empty() {
        let is_named = |suite: &SupportedCipherSuite| {
            let name = format!("{:?}", suite.suite());
            suite.tls13().is_some()
                || suites
                    .iter()
                    .any(|wanted| wanted.trim_end_matches("_SHA256") == name.trim_end_matches("_SHA256"))
        };
        provider.cipher_suites.retain(is_named);
    }
    if !groups.is_empty() {
        provider.kx_groups.retain(|group| groups.contains(&u16::from(group.name())));
    }
    provider
}

fn listen(address: SocketAddr, share: bool) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // What an earlier process has left in the kernel must not keep a new one from starting.
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(share)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn serve_connection(stream: TcpStream, acceptor: TlsAcceptor, site: Arc<Site>) {
    let stream = match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return debug!(%error, "TLS handshake failed"),
        Err(_) => return debug!("TLS handshake took too long"),
    };
    let (_, session) = stream.get_ref();
    let certificates: Arc<[CertificateDer<'static>]> =
        session.peer_certificates().unwrap_or_default().to_vec().into();
    let service = service_fn(move |request| {
        let (site, certificates) = (Arc::clone(&site), Arc::clone(&certificates));
        async move { Ok::<_, Infallible>(site.answer(&request, &certificates).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        debug!(%error, "a connection ended early");
    }
}

/// Takes any certificate of a client whose key it has. Who vouches for it is looked at with each request,
/// because the authorities may change (upstream: `tls.RequestClientCert`).
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
