//! A small blocking client of the API server: JSON in, JSON out, connections kept alive, shared by threads.

use crate::error::Error;
use serde_json::Value;
use std::time::Duration;
use ureq::{
    Agent,
    http::{Method, Request, Response},
    tls::{Certificate, RootCerts, TlsConfig},
};

/// A client with one user's token.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    url: String,
    token: String,
}

// === impl Client ===

impl Client {
    /// A client for `url` that trusts this authority alone.
    pub(crate) fn new(url: String, token: String, authority_der: &[u8]) -> Self {
        let authority = Certificate::from_der(authority_der).to_owned();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[authority])).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(1)))
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .build()
            .into();
        Self { agent, url, token }
    }

    /// The same connections as another user.
    #[must_use]
    pub fn with_token(&self, token: String) -> Self {
        Self { token, ..self.clone() }
    }

    /// Reads an object or a list, e.g. `/api/v1/nodes/edge-1`.
    pub fn get(&self, path: &str) -> Result<Value, Error> {
        self.send(&Method::GET, path, None)
    }

    /// Creates an object: posts it to its collection, e.g. `/api/v1/nodes`.
    pub fn create(&self, path: &str, object: &Value) -> Result<Value, Error> {
        self.send(&Method::POST, path, Some(("application/json", object)))
    }

    /// Replaces an object.
    pub fn replace(&self, path: &str, object: &Value) -> Result<Value, Error> {
        self.send(&Method::PUT, path, Some(("application/json", object)))
    }

    /// Applies a JSON merge patch; a null deletes a field.
    pub fn merge(&self, path: &str, patch: &Value) -> Result<Value, Error> {
        self.send(&Method::PATCH, path, Some(("application/merge-patch+json", patch)))
    }

    /// Applies a strategic merge patch, in which conditions and taints are merged by their keys.
    pub fn strategic_merge(&self, path: &str, patch: &Value) -> Result<Value, Error> {
        self.send(&Method::PATCH, path, Some(("application/strategic-merge-patch+json", patch)))
    }

    /// Applies an object (or its status, by the path) server-side, as this field manager; a field that the object does
    /// not know is an error.
    pub fn apply(&self, path: &str, manager: &str, object: &Value) -> Result<Value, Error> {
        let path = format!("{path}?fieldManager={manager}&force=true&fieldValidation=Strict");
        self.send(&Method::PATCH, &path, Some(("application/apply-patch+yaml", object)))
    }

    /// Deletes an object.
    pub fn delete(&self, path: &str) -> Result<Value, Error> {
        self.send(&Method::DELETE, path, None)
    }

    /// Whether `url` answers 200, for readiness; the body does not matter.
    pub(crate) fn is_ok(&self, url: &str) -> bool {
        let request = Request::get(url).header("authorization", format!("Bearer {}", self.token)).body(());
        request.is_ok_and(|request| self.agent.run(request).is_ok_and(|answer| answer.status().is_success()))
    }

    fn send(&self, method: &Method, path: &str, body: Option<(&str, &Value)>) -> Result<Value, Error> {
        let unreachable = |error: ureq::Error| Error::Unreachable {
            method: method.to_string(),
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut answer = self.exchange(method, path, body).map_err(unreachable)?;
        let text = answer.body_mut().with_config().limit(u64::MAX).read_to_vec().map_err(unreachable)?;
        let value = serde_json::from_slice(&text)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&text).into_owned()));
        if answer.status().is_success() {
            return Ok(value);
        }
        let message =
            value.get("message").and_then(Value::as_str).map_or_else(|| value.to_string(), str::to_owned);
        let status = answer.status().as_u16();
        Err(Error::Refused { method: method.to_string(), path: path.to_owned(), status, message })
    }

    fn exchange(
        &self,
        method: &Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", self.token));
        match body {
            Some((kind, value)) => {
                self.agent.run(request.header("content-type", kind).body(value.to_string())?)
            }
            None => self.agent.run(request.body(())?),
        }
    }
}
