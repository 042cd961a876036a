//! Kubeconfig files, written as JSON, which is YAML too.

use crate::{
    error::{Context, Error},
    pki::Identity,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// Who connects to what.
pub(crate) struct Kubeconfig<'a> {
    /// The API server's address.
    pub(crate) url: &'a str,
    /// PEM certificate of the authority that vouches for it.
    pub(crate) authority: &'a str,
    /// The user's name.
    pub(crate) user: &'a str,
    /// How the user proves it.
    pub(crate) credential: Credential<'a>,
}

/// What proves who a user is.
pub(crate) enum Credential<'a> {
    /// A token that the API server knows.
    Token(&'a str),
    /// A certificate of the cluster's authority.
    Certificate(&'a Identity),
}

// === impl Kubeconfig ===

impl Kubeconfig<'_> {
    /// Writes it, readable by the owner alone as kubectl and helm demand.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Error> {
        let Self { url, authority, user, credential } = self;
        let credential = match credential {
            Credential::Token(token) => json!({"token": token}),
            Credential::Certificate(Identity { certificate, key }) => json!({
                "client-certificate-data": BASE64_STANDARD.encode(certificate),
                "client-key-data": BASE64_STANDARD.encode(key),
            }),
        };
        let value = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "controlplane",
            "contexts": [{"name": "controlplane", "context": {"cluster": "controlplane", "user": user}}],
            "clusters": [{"name": "controlplane", "cluster": {
                "server": url,
                "certificate-authority-data": BASE64_STANDARD.encode(authority),
            }}],
            "users": [{"name": user, "user": credential}],
        });
        fs::write(file, format!("{value:#}\n"))
            .and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(0o600)))
            .context(|| file.display().to_string())
    }
}
