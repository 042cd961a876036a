//! Settings of the guard, with upstream's defaults (`apiserver/pkg/server/options/{authentication,authorization}.go`).

use std::path::PathBuf;
use std::time::Duration;

/// How users are known, and who is asked about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// How long an answer about a token is kept.
    pub token_ttl: Duration,
    /// Authorities of client certificates; in place of the cluster's.
    pub client_ca_file: Option<PathBuf>,
    /// The authenticating proxy; in place of the cluster's if it names an authority.
    pub request_header: RequestHeaderSettings,
    /// Don't read the cluster's authorities.
    pub skip_lookup: bool,
    /// Go on without the cluster's authorities if they can't be read.
    pub tolerate_lookup_failure: bool,
    /// How long the answer that somebody may is kept.
    pub authorized_ttl: Duration,
    /// How long the answer that somebody may not is kept.
    pub unauthorized_ttl: Duration,
    /// Paths that everybody may see; with a `*` at the end all that begin so.
    pub always_allow_paths: Vec<String>,
}

/// How a proxy that has authenticated somebody says whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeaderSettings {
    /// Authorities of the proxy's certificate.
    pub client_ca_file: Option<PathBuf>,
    /// The proxy's common names; any if there are none.
    pub allowed_names: Vec<String>,
    /// Headers with the user's name; the first that is there counts.
    pub username_headers: Vec<String>,
    /// Headers with the user's UID; the first that is there counts.
    pub uid_headers: Vec<String>,
    /// Headers with the user's groups.
    pub group_headers: Vec<String>,
    /// What headers begin with that say more of the user.
    pub extra_header_prefixes: Vec<String>,
}

impl Default for GuardSettings {
    fn default() -> Self {
        let ttl = Duration::from_secs(10);
        Self {
            token_ttl: ttl,
            client_ca_file: None,
            request_header: RequestHeaderSettings::default(),
            skip_lookup: false,
            tolerate_lookup_failure: true,
            authorized_ttl: ttl,
            unauthorized_ttl: ttl,
            always_allow_paths: ["/healthz", "/readyz", "/livez"].map(str::to_owned).to_vec(),
        }
    }
}

impl Default for RequestHeaderSettings {
    fn default() -> Self {
        Self {
            client_ca_file: None,
            allowed_names: Vec::new(),
            username_headers: vec!["x-remote-user".to_owned()],
            uid_headers: Vec::new(),
            group_headers: vec!["x-remote-group".to_owned()],
            extra_header_prefixes: vec!["x-remote-extra-".to_owned()],
        }
    }
}
