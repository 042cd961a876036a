//! Flags of the HTTPS server (upstream: `apiserver/pkg/server/options/serving.go`).

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::serving::{CertificateFiles, CertificateSource, ServingSettings, TlsVersion};

/// Where and how HTTPS is served.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Secure serving flags")]
pub struct ServingArgs {
    /// The IP address on which to listen for the --secure-port port. An unspecified one (0.0.0.0 or ::) means all.
    #[arg(long, value_name = "IP", default_value = "0.0.0.0")]
    pub bind_address: IpAddr,
    /// The port on which to serve HTTPS with authentication and authorization. If 0, HTTPS is not served at all.
    #[arg(long, value_name = "PORT", default_value_t = 10259)]
    pub secure_port: u16,
    /// The folder where the certificate and key are (kube-scheduler.crt, kube-scheduler.key), unless
    /// --tls-cert-file and --tls-private-key-file are given. Without any of these a self-signed certificate
    /// is made, kept in memory, or in this folder if it is given.
    #[arg(long, value_name = "DIR")]
    pub cert_dir: Option<PathBuf>,
    /// File with the X.509 certificate for HTTPS, CA certificates after it.
    #[arg(long, value_name = "FILE", requires = "tls_private_key_file")]
    pub tls_cert_file: Option<PathBuf>,
    /// File with the private key that matches --tls-cert-file.
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    pub tls_private_key_file: Option<PathBuf>,
    /// Cipher suites, by their Go names. Default: those of the TLS library.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub tls_cipher_suites: Vec<String>,
    /// Key exchange mechanisms, as numbers of Go's `CurveID`. Default: those of the TLS library.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub tls_curve_preferences: Vec<u16>,
    /// The lowest TLS version: `VersionTLS12` (the default) or `VersionTLS13`. Older ones are never spoken.
    #[arg(long, value_name = "VERSION", value_parser = ["VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"])]
    pub tls_min_version: Option<String>,
    /// A pair of certificate and key files, optionally with domain patterns: "a.crt,a.key:*.example.com,b.org".
    #[arg(long, value_name = "CERT,KEY[:DOMAINS]")]
    pub tls_sni_cert_key: Vec<String>,
    /// Speak HTTP/1.1 only.
    #[arg(long, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = ArgAction::Set, value_parser = super::bool::parse)]
    pub disable_http2_serving: bool,
    /// The most streams in one HTTP/2 connection; 0 is the library's default.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub http2_max_streams_per_connection: u32,
    /// Share the port with other processes (`SO_REUSEPORT`).
    #[arg(long, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = ArgAction::Set, value_parser = super::bool::parse)]
    pub permit_port_sharing: bool,
    /// Share the address with sockets that are about to close (`SO_REUSEADDR`).
    #[arg(long, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = ArgAction::Set, value_parser = super::bool::parse)]
    pub permit_address_sharing: bool,
}

// === impl ServingArgs ===

impl ServingArgs {
    /// The settings that the flags ask for; none if nothing is served.
    pub fn settings(self) -> Result<Option<ServingSettings>, String> {
        let Self {
            bind_address,
            secure_port,
            cert_dir,
            tls_cert_file,
            tls_private_key_file,
            tls_cipher_suites: cipher_suites,
            tls_curve_preferences: key_exchange_groups,
            tls_min_version,
            tls_sni_cert_key,
            // There is no other than HTTP/1.1.
            disable_http2_serving: _,
            http2_max_streams_per_connection: _,
            permit_port_sharing,
            // It always is.
            permit_address_sharing: _,
        } = self;
        if !tls_sni_cert_key.is_empty() {
            return Err(
                "--tls-sni-cert-key is not supported; give one certificate by --tls-cert-file".to_owned()
            );
        }
        let certificate = match (tls_cert_file, tls_private_key_file, cert_dir) {
            (Some(certificate), Some(key), _) => {
                CertificateSource::Files(CertificateFiles { certificate, key })
            }
            (_, _, Some(folder)) => CertificateSource::MadeFiles(CertificateFiles {
                certificate: folder.join("kube-scheduler.crt"),
                key: folder.join("kube-scheduler.key"),
            }),
            _ => CertificateSource::Memory,
        };
        let min_version = match tls_min_version.as_deref() {
            Some("VersionTLS13") => TlsVersion::V13,
            _ => TlsVersion::V12,
        };
        Ok((secure_port != 0).then_some(ServingSettings {
            bind_address,
            secure_port,
            certificate,
            min_version,
            cipher_suites,
            key_exchange_groups,
            permit_port_sharing,
        }))
    }
}
