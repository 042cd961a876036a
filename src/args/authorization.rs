//! Flags of the delegated authorization (upstream: `apiserver/pkg/server/options/authorization.go`).

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::parse_duration;

/// How it is found out what a request may do.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Authorization flags")]
pub struct AuthorizationArgs {
    /// Paths that everybody may read; a `*` at the end stands for any rest.
    #[arg(long, value_name = "PATH", value_delimiter = ',', default_value = "/healthz,/readyz,/livez")]
    pub authorization_always_allow_paths: Vec<String>,
    /// A kubeconfig that may create subjectaccessreviews.authorization.k8s.io. Without it, the service account of the pod;
    /// outside of a pod all that isn't always allowed is forbidden.
    #[arg(long, value_name = "FILE")]
    pub authorization_kubeconfig: Option<PathBuf>,
    /// For how long a permission is remembered.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub authorization_webhook_cache_authorized_ttl: Duration,
    /// For how long a refusal is remembered.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub authorization_webhook_cache_unauthorized_ttl: Duration,
}
