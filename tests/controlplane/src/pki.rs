//! Certificates and keys: an authority of our own for each control plane, its serving certificate, the key that signs
//! service account tokens.
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
    /// Signs service account tokens.
    pub(crate) account_key: PathBuf,
    /// Verifies them.
    pub(crate) account_public_key: PathBuf,
    /// The authority's certificate, PEM.
    pub(crate) authority_pem: String,
    /// The authority's certificate, DER.
    pub(crate) authority_der: Vec<u8>,
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
    /// Makes everything anew in `folder`.
    pub(crate) fn create(folder: &Path) -> Result<Self, Error> {
        let pems = Pems::generate().map_err(|error| Error::Invalid(format!("certificates: {error}")))?;
        let write = |name: &str, pem: &str| {
            let file = folder.join(name);
            fs::write(&file, pem).context(|| file.display().to_string()).map(|()| file)
        };
        Ok(Self {
            authority: write("ca.crt", &pems.authority)?,
            serving: write("serving.crt", &pems.serving)?,
            serving_key: write("serving.key", &pems.serving_key)?,
            account_key: write("accounts.key", &pems.account.serialize_pem())?,
            account_public_key: write("accounts.pub", &pems.account.public_key_pem())?,
            authority_pem: pems.authority,
            authority_der: pems.authority_der,
        })
    }
}

struct Pems {
    authority: String,
    authority_der: Vec<u8>,
    serving: String,
    serving_key: String,
    account: KeyPair,
}

// === impl Pems ===

impl Pems {
    fn generate() -> Result<Self, rcgen::Error> {
        let authority = CertifiedIssuer::self_signed(authority()?, KeyPair::generate()?)?;
        let serving_key = KeyPair::generate()?;
        let serving = serving()?.signed_by(&serving_key, &authority)?;
        Ok(Self {
            authority: authority.pem(),
            authority_der: authority.der().to_vec(),
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

fn serving() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, "control plane");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
