//! Flags of the delegated authentication (upstream: `apiserver/pkg/server/options/authentication.go`).

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};

use super::AuthorizationArgs;
use crate::config::parse_duration;
use crate::serving::guard::{GuardSettings, RequestHeaderSettings};

/// How it is found out who a request is from.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Authentication flags")]
pub struct AuthenticationArgs {
    /// A kubeconfig that may create tokenreviews.authentication.k8s.io. Without it, the service account of the pod; outside
    /// of a pod every request with a token is anonymous and no client CA is looked up.
    #[arg(long, value_name = "FILE")]
    pub authentication_kubeconfig: Option<PathBuf>,
    /// Don't look up in the cluster what is missing of the authentication's configuration.
    #[arg(long, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = ArgAction::Set, value_parser = super::bool::parse)]
    pub authentication_skip_lookup: bool,
    /// For how long the answer about a token is remembered.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub authentication_token_webhook_cache_ttl: Duration,
    /// Go on if the look-up of the configuration fails; all requests may be anonymous then.
    #[arg(long, value_name = "BOOL", default_value = "true", default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = ArgAction::Set, value_parser = super::bool::parse)]
    pub authentication_tolerate_lookup_failure: bool,
    /// A request with a client certificate signed by one of these authorities is from its `CommonName`.
    #[arg(long, value_name = "FILE")]
    pub client_ca_file: Option<PathBuf>,
    /// `CommonNames` of client certificates that may say whom a request is from by its headers; none means any.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub requestheader_allowed_names: Vec<String>,
    /// The authorities that sign the certificates of those who may say so.
    #[arg(long, value_name = "FILE")]
    pub requestheader_client_ca_file: Option<PathBuf>,
    /// Prefixes of headers with more about the user.
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', default_value = "x-remote-extra-")]
    pub requestheader_extra_headers_prefix: Vec<String>,
    /// Headers with the user's groups.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "x-remote-group")]
    pub requestheader_group_headers: Vec<String>,
    /// Headers with the user's UID.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub requestheader_uid_headers: Vec<String>,
    /// Headers with the user's name.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "x-remote-user")]
    pub requestheader_username_headers: Vec<String>,
}

// === impl AuthenticationArgs ===

impl AuthenticationArgs {
    /// The settings that these flags and those of the authorization ask for.
    pub fn settings(self, authorization: AuthorizationArgs) -> GuardSettings {
        let Self {
            authentication_kubeconfig: _,
            authentication_skip_lookup: skip_lookup,
            authentication_token_webhook_cache_ttl: token_ttl,
            authentication_tolerate_lookup_failure: tolerate_lookup_failure,
            client_ca_file,
            requestheader_allowed_names: allowed_names,
            requestheader_client_ca_file,
            requestheader_extra_headers_prefix: extra_header_prefixes,
            requestheader_group_headers: group_headers,
            requestheader_uid_headers: uid_headers,
            requestheader_username_headers: username_headers,
        } = self;
        let AuthorizationArgs {
            authorization_always_allow_paths: always_allow_paths,
            authorization_kubeconfig: _,
            authorization_webhook_cache_authorized_ttl: authorized_ttl,
            authorization_webhook_cache_unauthorized_ttl: unauthorized_ttl,
        } = authorization;
        let request_header = RequestHeaderSettings {
            client_ca_file: requestheader_client_ca_file,
            allowed_names,
            username_headers,
            uid_headers,
            group_headers,
            extra_header_prefixes,
        };
        GuardSettings {
            token_ttl,
            client_ca_file,
            request_header,
            skip_lookup,
            tolerate_lookup_failure,
            authorized_ttl,
            unauthorized_ttl,
            always_allow_paths,
        }
    }
}
