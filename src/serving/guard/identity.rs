//! Who asks (upstream: `apiserver/pkg/authentication/request`).

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Guard;
use super::settings::RequestHeaderSettings;
use super::trust::is_vouched_for;
use crate::cluster::review::{User, review_token};

const AUTHENTICATED: &str = "system:authenticated";

// === impl Guard ===

impl Guard {
    /// Who asks; an error if somebody shows what is not good. Whoever shows nothing is anonymous.
    pub(super) async fn identify(
        &self,
        headers: &HeaderMap,
        certificates: &[CertificateDer<'static>],
    ) -> Result<User, String> {
        let mut wrong = Vec::new();
        for identified in [self.by_proxy(headers, certificates), self.by_certificate(certificates)] {
            match identified {
                Ok(Some(user)) => return Ok(authenticated(user)),
                Ok(None) => (),
                Err(why) => wrong.push(why),
            }
        }
        match self.by_token(headers).await {
            Ok(Some(user)) => Ok(authenticated(user)),
            Ok(None) if wrong.is_empty() => Ok(anonymous()),
            Ok(None) => Err(wrong.join(", ")),
            Err(why) => Err(why),
        }
    }

    fn by_proxy(
        &self,
        headers: &HeaderMap,
        certificates: &[CertificateDer<'static>],
    ) -> Result<Option<User>, String> {
        let anchors = self.trust.anchors();
        let Some((verifier, proxy)) = &anchors.request_header else { return Ok(None) };
        let [certificate, intermediates @ ..] = certificates else { return Ok(None) };
        is_vouched_for(verifier.as_ref(), certificate, intermediates)?;
        let name = subject(certificate)?.name;
        if !proxy.allowed_names.is_empty() && !proxy.allowed_names.contains(&name) {
            return Err(format!("the proxy {name:?} is not allowed to say who asks"));
        }
        Ok(said_by_proxy(headers, proxy))
    }

    fn by_certificate(&self, certificates: &[CertificateDer<'static>]) -> Result<Option<User>, String> {
        let anchors = self.trust.anchors();
        let Some(verifier) = &anchors.client else { return Ok(None) };
        let [certificate, intermediates @ ..] = certificates else { return Ok(None) };
        is_vouched_for(verifier.as_ref(), certificate, intermediates)?;
        subject(certificate).map(Some)
    }

    async fn by_token(&self, headers: &HeaderMap) -> Result<Option<User>, String> {
        let Some(token) = bearer(headers) else { return Ok(None) };
        let Some(client) = &self.authentication else { return Ok(None) };
        let unknown = || "invalid bearer token".to_owned();
        let key = token.to_owned();
        if let Some(known) = self.users.get(&key) {
            return known.map(Some).ok_or_else(unknown);
        }
        let _permit = self.reviews.acquire().await.map_err(|error| error.to_string())?;
        let user = review_token(client, token).await?;
        self.users.put(key, user.clone(), self.settings.token_ttl);
        user.map(Some).ok_or_else(unknown)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Whom the proxy names, if it names anybody.
fn said_by_proxy(headers: &HeaderMap, proxy: &RequestHeaderSettings) -> Option<User> {
    let text = |value: &http::HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
    let first = |names: &[String]| {
        let mut values = names.iter().filter_map(|name| headers.get(name.as_str())).map(text);
        values.find(|value| !value.is_empty()).unwrap_or_default()
    };
    let name = first(&proxy.username_headers);
    let groups = proxy.group_headers.iter().flat_map(|name| headers.get_all(name.as_str())).map(text);
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for prefix in &proxy.extra_header_prefixes {
        let prefix = prefix.to_ascii_lowercase();
        for (header, value) in headers {
            if let Some(key) = header.as_str().strip_prefix(&prefix) {
                extra.entry(key.to_owned()).or_default().push(text(value));
            }
        }
    }
    let user = User { uid: first(&proxy.uid_headers), groups: groups.collect(), extra, name };
    (!user.name.is_empty()).then_some(user)
}

/// Whom a certificate names: the common name, and the organizations as groups.
fn subject(certificate: &CertificateDer<'_>) -> Result<User, String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let subject = parsed.subject();
    let name = subject.iter_common_name().find_map(|name| name.as_str().ok()).unwrap_or_default();
    if name.is_empty() {
        return Err("the client certificate has no common name".to_owned());
    }
    let groups = subject.iter_organization().filter_map(|group| group.as_str().ok().map(str::to_owned));
    Ok(User { name: name.to_owned(), groups: groups.collect(), ..User::default() })
}

fn authenticated(mut user: User) -> User {
    if !user.groups.iter().any(|group| group == AUTHENTICATED) && user.name != anonymous().name {
        user.groups.push(AUTHENTICATED.to_owned());
    }
    user
}

fn anonymous() -> User {
    User {
        name: "system:anonymous".to_owned(),
        groups: vec!["system:unauthenticated".to_owned()],
        ..User::default()
    }
}
