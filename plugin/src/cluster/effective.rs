//! What the kubeconfig files and the flags come to (client-go: `DirectClientConfig`).

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderName, HeaderValue, Uri};
use kube::Config;
use kube::config::{AuthInfo, Cluster, Context, ExecAuthCluster, Kubeconfig};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{files, proxy};
use crate::args::Connection;
use crate::failure::{Failure, Hint};

/// Where kubectl looks for a server that nobody named.
const DEFAULT_SERVER: &str = "http://localhost:8080";
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Cluster, user and namespace.
pub(super) struct Effective {
    pub(super) cluster: Cluster,
    pub(super) user: AuthInfo,
    /// The user's name, for messages.
    user_name: String,
    pub(super) namespace: String,
    pub(super) context: Option<String>,
    is_in_cluster: bool,
}

/// A flag that was given, and not as an empty word, which is as good as none.
fn given(flag: Option<&String>) -> Option<String> {
    flag.filter(|value| !value.is_empty()).cloned()
}

// === impl Effective ===

impl Effective {
    /// Reads everything.
    pub(super) fn load(flags: &Connection) -> Result<Self, Failure> {
        Self::of(&files::load(flags)?, flags)
    }

    /// What these files and flags come to.
    pub(super) fn of(files: &Kubeconfig, flags: &Connection) -> Result<Self, Failure> {
        let (context_name, context) = context(files, flags)?;
        let cluster_name = given(flags.cluster.as_ref()).or_else(|| non_empty(&context.cluster));
        let cluster = cluster(files, flags, cluster_name.as_deref())?;
        let user_name = given(flags.user.as_ref()).or_else(|| context.user.clone());
        let user = user(files, flags, user_name.as_deref())?;
        let namespace = given(flags.namespace.as_ref());
        let named = context.namespace.clone().filter(|name| !name.is_empty());
        let is_default = cluster.server.as_deref() == Some(DEFAULT_SERVER) && is_plain(&user);
        let is_in_cluster = is_default && is_in_pod();
        let ambient = || if is_in_cluster { namespace_of_pod() } else { None };
        Ok(Self {
            cluster,
            user,
            user_name: user_name.unwrap_or_default(),
            namespace: namespace.or(named).or_else(ambient).unwrap_or_else(|| "default".to_owned()),
            context: context_name,
            is_in_cluster,
        })
    }

    /// The API server's address.
    pub(super) fn server(&self) -> String {
        if self.is_in_cluster {
            return "the API server of this pod".to_owned();
        }
        with_scheme(self.cluster.server.as_deref().unwrap_or(DEFAULT_SERVER))
    }

    /// The same as the client has it. `name` is what the plugin was called by.
    pub(super) fn into_config(mut self, name: &str) -> Result<Config, Failure> {
        if self.is_in_cluster {
            let mut config = Config::incluster().hint("KUBERNETES_SERVICE_HOST says that this is a pod")?;
            config.headers = headers(name);
            return Ok(config);
        }
        let address = self.server();
        let url: Uri = address.parse().map_err(|_| wrong_address(&address))?;
        let mut config = Config::new(url.clone());
        config.headers = headers(name);
        config.default_namespace.clone_from(&self.namespace);
        config.accept_invalid_certs = self.cluster.insecure_skip_tls_verify.unwrap_or_default();
        config.disable_compression = self.cluster.disable_compression.unwrap_or_default();
        config.tls_server_name = self.cluster.tls_server_name.clone().filter(|it| !it.is_empty());
        config.proxy_url = proxy::on_the_way(self.cluster.proxy_url.as_deref(), &url)?;
        config.root_cert = self.authority()?;
        self.settle_user(url.scheme_str() == Some("https"))?;
        config.auth_info = self.user;
        Ok(config)
    }

    /// The certificates that vouch for the server.
    fn authority(&self) -> Result<Option<Vec<Vec<u8>>>, Failure> {
        let Cluster { certificate_authority_data: data, certificate_authority: file, .. } = &self.cluster;
        let (pem, whence) = match (data.as_deref(), file.as_deref()) {
            (Some(data), _) if !data.is_empty() => {
                (BASE64_STANDARD.decode(data).ok(), "certificate-authority-data".to_owned())
            }
            (_, Some(file)) if !file.is_empty() => {
                let read = fs::read(file);
                let failed = || format!("can't read certificate-authority {file}");
                (Some(anyhow::Context::with_context(read, failed)?), file.to_owned())
            }
            _ => return Ok(None),
        };
        let certificates: Option<Vec<Vec<u8>>> = pem.and_then(|pem| {
            let certificates = CertificateDer::pem_slice_iter(&pem).map(|it| it.map(|it| it.to_vec()).ok());
            certificates.collect::<Option<Vec<_>>>()
        });
        match certificates.filter(|it| !it.is_empty()) {
            Some(certificates) => Ok(Some(certificates)),
            None => Err(Failure::new(format!("{whence} holds no certificate"))),
        }
    }

    /// Settles what kubectl does in ways of its own.
    fn settle_user(&mut self, is_secure: bool) -> Result<(), Failure> {
        let user = &mut self.user;
        let is_more = user.impersonate_uid.is_some()
            || user.impersonate_groups.is_some()
            || user.impersonate_user_extra.is_some();
        if is_more && user.impersonate.is_none() {
            let failure = Failure::new("uid, groups or extra are given without a user to impersonate");
            return Err(failure.with_hint("--as names the user"));
        }
        if !is_secure {
            // Secrets are never sent in the open; who is impersonated is none.
            *user = AuthInfo {
                impersonate: user.impersonate.take(),
                impersonate_uid: user.impersonate_uid.take(),
                impersonate_groups: user.impersonate_groups.take(),
                impersonate_user_extra: user.impersonate_user_extra.take(),
                ..AuthInfo::default()
            };
            return Ok(());
        }
        if user.token.is_some() && user.username.is_some() {
            let name = &self.user_name;
            let both = format!("user {name:?} has a token and a password; only one of them can be used");
            return Err(Failure::new(both).with_hint("\"kubectl config view\" shows where they come from"));
        }
        if user.token.is_none()
            && let Some(file) = user.token_file.take().filter(|it| !it.is_empty())
        {
            let read = fs::read_to_string(&file);
            let token = anyhow::Context::with_context(read, || format!("can't read tokenFile {file}"))?;
            user.token = Some(token.trim().to_owned().into());
        }
        if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
            exec.cluster = Some(ExecAuthCluster::try_from(&self.cluster)?);
        }
        Ok(())
    }
}

fn context(files: &Kubeconfig, flags: &Connection) -> Result<(Option<String>, Context), Failure> {
    let flag = given(flags.context.as_ref());
    let Some(name) = flag.or_else(|| files.current_context.clone()) else {
        return Ok((None, Context::default()));
    };
    let found = files.contexts.iter().find(|it| it.name == name).and_then(|it| it.context.clone());
    let known: Vec<&str> = files.contexts.iter().map(|it| it.name.as_str()).collect();
    let context = found.ok_or_else(|| missing("context", &name, &known))?;
    Ok((Some(name), context))
}

fn cluster(files: &Kubeconfig, flags: &Connection, name: Option<&str>) -> Result<Cluster, Failure> {
    let found = files.clusters.iter().find(|it| Some(it.name.as_str()) == name);
    if let (Some(name), None) = (given(flags.cluster.as_ref()), found) {
        let known: Vec<&str> = files.clusters.iter().map(|it| it.name.as_str()).collect();
        return Err(missing("cluster", &name, &known));
    }
    let mut cluster = found.and_then(|it| it.cluster.clone()).unwrap_or_default();
    let master = || env::var("KUBERNETES_MASTER").ok().filter(|it| !it.is_empty());
    let server = given(flags.server.as_ref());
    let tls_server_name = given(flags.tls_server_name.as_ref());
    // A server of one's own has a name of its own.
    if server.is_some() || tls_server_name.is_some() {
        cluster.tls_server_name = tls_server_name;
    }
    cluster.server = server
        .or_else(|| cluster.server.take().filter(|it| !it.is_empty()))
        .or_else(master)
        .or_else(|| Some(DEFAULT_SERVER.to_owned()));
    let authority = given(flags.certificate_authority.as_ref());
    let is_insecure = flags.insecure_skip_tls_verify.unwrap_or_default();
    if is_insecure && authority.is_some() {
        let both = "--certificate-authority and --insecure-skip-tls-verify exclude each other";
        return Err(Failure::usage(both));
    }
    if is_insecure || authority.is_some() {
        cluster.insecure_skip_tls_verify = Some(is_insecure);
        cluster.certificate_authority = authority;
        cluster.certificate_authority_data = None;
    }
    if flags.disable_compression.unwrap_or_default() {
        cluster.disable_compression = Some(true);
    }
    Ok(cluster)
}

fn user(files: &Kubeconfig, flags: &Connection, name: Option<&str>) -> Result<AuthInfo, Failure> {
    let found = files.auth_infos.iter().find(|it| Some(it.name.as_str()) == name);
    if let (Some(name), None) = (given(flags.user.as_ref()), found) {
        let known: Vec<&str> = files.auth_infos.iter().map(|it| it.name.as_str()).collect();
        return Err(missing("user", &name, &known));
    }
    let mut user = found.and_then(|it| it.auth_info.clone()).unwrap_or_default();
    if let Some(file) = given(flags.client_certificate.as_ref()) {
        (user.client_certificate, user.client_certificate_data) = (Some(file), None);
    }
    if let Some(file) = given(flags.client_key.as_ref()) {
        (user.client_key, user.client_key_data) = (Some(file), None);
    }
    let token = given(flags.token.as_ref()).map(Into::into);
    user.token = token.or(user.token.take());
    user.username = given(flags.username.as_ref()).or(user.username.take());
    user.password = given(flags.password.as_ref()).map(Into::into).or(user.password.take());
    user.impersonate =
        given(flags.impersonate.as_ref()).or(user.impersonate.take()).and_then(|it| non_empty(&it));
    user.impersonate_uid = given(flags.as_uid.as_ref()).or(user.impersonate_uid.take());
    if !flags.as_group.is_empty() {
        user.impersonate_groups = Some(flags.as_group.clone());
    }
    let extras = flags.as_user_extra.iter().filter_map(|extra| extra.split_once('='));
    let mut by_key: HashMap<String, Vec<String>> = HashMap::new();
    for (key, value) in extras {
        by_key.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    if !by_key.is_empty() {
        user.impersonate_user_extra.get_or_insert_default().extend(by_key);
    }
    Ok(user)
}

fn missing(kind: &str, name: &str, known: &[&str]) -> Failure {
    let failure = Failure::new(format!("{kind} {name:?} does not exist"));
    match known {
        [] => failure.with_hint("no kubeconfig was found; KUBECONFIG or --kubeconfig names one"),
        known => failure.with_hint(format!("there is {}", known.join(", "))),
    }
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether nothing at all is known of the user.
fn is_plain(user: &AuthInfo) -> bool {
    user.token.is_none()
        && user.token_file.is_none()
        && user.username.is_none()
        && user.client_certificate.is_none()
        && user.client_certificate_data.is_none()
        && user.exec.is_none()
        && user.auth_provider.is_none()
        && user.impersonate.is_none()
}

fn is_in_pod() -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    is_set("KUBERNETES_SERVICE_HOST")
        && is_set("KUBERNETES_SERVICE_PORT")
        && Path::new(SERVICE_ACCOUNT).join("token").is_file()
}

fn namespace_of_pod() -> Option<String> {
    let named = env::var("POD_NAMESPACE").ok().and_then(|it| non_empty(&it));
    named.or_else(|| non_empty(fs::read_to_string(Path::new(SERVICE_ACCOUNT).join("namespace")).ok()?.trim()))
}

/// kubectl takes an address without a scheme for plain HTTP.
fn with_scheme(address: &str) -> String {
    if address.contains("://") { address.to_owned() } else { format!("http://{address}") }
}

fn wrong_address(address: &str) -> Failure {
    let failure = Failure::new(format!("server {address:?} is no URL"));
    failure.with_hint("it should be like https://10.0.0.1:6443")
}

/// What the server's audit log shows of us, as kubectl does it.
fn headers(name: &str) -> Vec<(HeaderName, HeaderValue)> {
    let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    let agent = format!("kubectl-edge/{} ({platform})", env!("CARGO_PKG_VERSION"));
    let values =
        [(http::header::USER_AGENT, agent), (HeaderName::from_static("kubectl-command"), name.to_owned())];
    values
        .into_iter()
        .filter_map(|(header, value)| Some((header, HeaderValue::from_str(&value).ok()?)))
        .collect()
}
