//! Settings of serving, with upstream's defaults (`k8s.io/apiserver/pkg/server/options/serving.go`).

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// Where and how to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServingSettings {
    /// The address to listen on.
    pub bind_address: IpAddr,
    /// The port; 0 means not to serve at all.
    pub secure_port: u16,
    /// Where the certificate comes from.
    pub certificate: CertificateSource,
    /// The oldest version of TLS that is spoken.
    pub min_version: TlsVersion,
    /// The cipher suites of TLS 1.2, by IANA's names; all of the library's if there are none.
    pub cipher_suites: Vec<String>,
    /// The groups of the key exchange, by IANA's numbers; all of the library's if there are none.
    pub key_exchange_groups: Vec<u16>,
    /// Whether other processes may listen on the same port.
    pub permit_port_sharing: bool,
}

/// Where the serving certificate comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CertificateSource {
    /// It is made at start and kept in memory.
    #[default]
    Memory,
    /// From files, which are read again when they change.
    Files(CertificateFiles),
    /// From files too; if they aren't there they are made.
    MadeFiles(CertificateFiles),
}

/// Files that hold a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those that vouch for it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2 and newer.
    #[default]
    V12,
    /// 1.3 alone.
    V13,
}

impl Default for ServingSettings {
    fn default() -> Self {
        Self {
            bind_address: Ipv4Addr::UNSPECIFIED.into(),
            secure_port: 10259,
            certificate: CertificateSource::Memory,
            min_version: TlsVersion::V12,
            cipher_suites: Vec::new(),
            key_exchange_groups: Vec::new(),
            permit_port_sharing: false,
        }
    }
}
