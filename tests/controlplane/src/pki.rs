//! Certificates and keys: an authority of our own for each control plane, its serving certificate, certificates of clients
//! such as kubelets, the key that signs service account tokens.
//!
//! The API server could sign its own certificate, but that one is an authority and an end entity in one, which rustls
//! refuses.

use crate::error::{Context, Error};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

/// The files, all PEM, and the authority's certificate as clients need it.
#[derive(Debug)]
pub(crate) struct Pki {
    /// The authority's certificate.
    pub(crate) authority: PathBuf,
    /// The certificate of all servers.
    pub(crate) serving: PathBuf,
    /// Its key.
    pub(crate) serving_key: PathBuf,
    /// The certificate that the API server shows to kubelets.
    pub(crate) kubelet_client: PathBuf,
    /// Its key.
    pub(crate) kubelet_client_key: PathBuf,
    /// Signs service account tokens.
    pub(crate) account_key: PathBuf,
    /// Verifies them.
    pub(crate) account_public_key: PathBuf,
    /// The authority's certificate, PEM.
    pub(crate) authority_pem: String,
    /// The authority's certificate, DER.
    pub(crate) authority_der: Vec<u8>,
    issuer: Authority,
}

/// What a client shows of itself, PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its certificate.
    pub certificate: String,
    /// The certificate's key.
    pub key: String,
}

/// The names and addresses under which servers may be reached. The last address is the service address of
/// `kubernetes.default`.
const NAMES: [&str; 6] = [
    "localhost",
    "127.0.0.1",
    "kubernetes",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "10.96.0.1",
];

// === impl Pki ===

impl Pki {
    /// Makes everything anew in `folder`; servers may be reached at `address` too.
    pub(crate) fn create(folder: &Path, address: Option<Ipv4Addr>) -> Result<Self, Error> {
        let pems = Pems::generate(address).map_err(|error| invalid(&error))?;
        let write = |name: &str, pem: &str| {
            let file = folder.join(name);
            fs::write(&file, pem).context(|| file.display().to_string()).map(|()| file)
        };
        let kubelet_client = identity(&pems.issuer, "kube-apiserver", "system:masters")?;
        Ok(Self {
            kubelet_client: write("kubelet-client.crt", &kubelet_client.certificate)?,
            kubelet_client_key: write("kubelet-client.key", &kubelet_client.key)?,
            authority: write("ca.crt", &pems.authority)?,
            serving: write("serving.crt", &pems.serving)?,
            serving_key: write("serving.key", &pems.serving_key)?,
            account_key: write("accounts.key", &pems.account.serialize_pem())?,
            account_public_key: write("accounts.pub", &pems.account.public_key_pem())?,
            authority_pem: pems.authority,
            authority_der: pems.issuer.der().to_vec(),
            issuer: pems.issuer,
        })
    }

    /// A certificate for a client that the API server takes for this user of this group.
    pub(crate) fn identity(&self, user: &str, group: &str) -> Result<Identity, Error> {
        identity(&self.issuer, user, group)
    }
}

// === impl Identity ===

impl Identity {
    /// That of a client that no API server knows.
    pub fn stranger(user: &str, group: &str) -> Result<Self, Error> {
        let authority = || CertifiedIssuer::self_signed(authority()?, KeyPair::generate()?);
        identity(&authority().map_err(|error| invalid(&error))?, user, group)
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn identity(authority: &Authority, user: &str, group: &str) -> Result<Identity, Error> {
    let sign = || {
        let key = KeyPair::generate()?;
        let certificate = client(user, group)?.signed_by(&key, authority)?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    };
    sign().map_err(|error| invalid(&error))
}

fn invalid(error: &rcgen::Error) -> Error {
    Error::Invalid(format!("certificates: {error}"))
}

struct Pems {
    authority: String,
    issuer: Authority,
    serving: String,
    serving_key: String,
    account: KeyPair,
}

// === impl Pems ===

impl Pems {
    fn generate(address: Option<Ipv4Addr>) -> Result<Self, rcgen::Error> {
        let issuer = CertifiedIssuer::self_signed(authority()?, KeyPair::generate()?)?;
        let serving_key = KeyPair::generate()?;
        let serving = serving(address)?.signed_by(&serving_key, &issuer)?;
        Ok(Self {
            authority: issuer.pem(),
            issuer,
            serving: serving.pem(),
            serving_key: serving_key.serialize_pem(),
            account: KeyPair::generate()?,
        })
    }
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name.push(DnType::CommonName, "control plane authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn serving(address: Option<Ipv4Addr>) -> Result<CertificateParams, rcgen::Error> {
    let names = NAMES.map(str::to_owned).into_iter().chain(address.map(|address| address.to_string()));
    let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, "control plane");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn client(user: &str, group: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name.push(DnType::CommonName, user);
    params.distinguished_name.push(DnType::OrganizationName, group);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
