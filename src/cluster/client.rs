//! The connection to the API server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::config::{Config, InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::limit::Limit;
use crate::metrics::ClientMetrics;

/// How long setting up a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection. What to do follows from which setting is at fault. Each tells its cause itself, so that
/// it is told once.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig that was named can't be used.
    #[error("kubeconfig {}: {reason}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: KubeconfigError,
    },
    /// The address that was given is none.
    #[error("--master {address:?} is no URL such as https://10.0.0.1:6443")]
    Master {
        /// What was given.
        address: String,
    },
    /// Nothing was named, and neither a service account nor a kubeconfig was found.
    #[error("no API server: run in a pod, or give --kubeconfig: {0}")]
    NotFound(InferConfigError),
    /// The settings were read but no client can be made of them.
    #[error("the API server can't be used as configured: {0}")]
    Client(kube::Error),
}

/// How many requests about `NodeDelays` are sent a second in the long run, and at once: with what agents write
/// themselves it is to stay far from what hurts the API server.
const NODE_DELAYS_PER_SECOND: f32 = 40.0;
const NODE_DELAYS_AT_ONCE: i32 = 40;

/// Clients for the API server, each with a limit of its own, so that neither the Lease nor bindings wait for
/// what is said of pods.
#[derive(Clone)]
pub struct Clients {
    /// For watches, bindings and conditions.
    pub api: kube::Client,
    /// For events.
    pub events: kube::Client,
    /// For the Lease.
    pub lease: kube::Client,
    /// For `NodeDelays`.
    pub delays: kube::Client,
}

impl From<kube::Client> for Clients {
    /// The same client for everything.
    fn from(client: kube::Client) -> Self {
        Self { api: client.clone(), events: client.clone(), lease: client.clone(), delays: client }
    }
}

/// Clients for the API server that the settings name; without settings that of the service account, or of
/// the user's kubeconfig. At most `qps` requests a second are sent by each, and `burst` at once. Nothing is
/// sent yet. What is sent is counted by `metrics`.
pub async fn connect(
    kubeconfig: Option<&Path>,
    master: Option<&str>,
    (qps, burst): (f32, i32),
    metrics: &ClientMetrics,
) -> Result<Clients, ConnectError> {
    let config = config(kubeconfig, master).await?;
    let client = |limit: Limit| {
        let timer = metrics.layer(&host(&config));
        let builder = ClientBuilder::try_from(config.clone()).map_err(ConnectError::Client)?;
        // Waiting for a turn is no part of a request.
        Ok(builder.with_layer(&timer).with_layer(&limit).build())
    };
    let limit = || Limit::new(qps, burst);
    let delays = Limit::new(NODE_DELAYS_PER_SECOND, NODE_DELAYS_AT_ONCE);
    Ok(Clients {
        api: client(limit())?,
        events: client(limit())?,
        lease: client(limit())?,
        delays: client(delays)?,
    })
}

async fn config(kubeconfig: Option<&Path>, master: Option<&str>) -> Result<Config, ConnectError> {
    let mut config = match (kubeconfig, master) {
        (Some(path), _) => from_file(path).await?,
        (None, Some(address)) => Config::new(read_address(address)?),
        (None, None) => Config::infer().await.map_err(ConnectError::NotFound)?,
    };
    if let Some(address) = master {
        config.cluster_url = read_address(address)?;
    }
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // A request that is repeated below our notice would end in an outcome that is not the first one's.
    config.default_retry = false;
    // The network between them is short, and unpacking would cost more than it saves.
    config.disable_compression = true;
    Ok(config)
}

/// A client for questions about those who ask us: that of a kubeconfig, else of the service account; none
/// outside of a pod (upstream: `DelegatingAuthenticationOptions.getClient`).
pub async fn delegate(
    kubeconfig: Option<&Path>,
    metrics: &ClientMetrics,
) -> Result<Option<kube::Client>, ConnectError> {
    let config = match kubeconfig {
        Some(path) => from_file(path).await?,
        None => match Config::incluster() {
            Ok(config) => config,
            Err(_) => return Ok(None),
        },
    };
    let timer = metrics.layer(&host(&config));
    let builder = ClientBuilder::try_from(config).map_err(ConnectError::Client)?;
    Ok(Some(builder.with_layer(&timer).build()))
}

/// The server's name and port, for the metrics.
fn host(config: &Config) -> String {
    config.cluster_url.authority().map(ToString::to_string).unwrap_or_default()
}

async fn from_file(path: &Path) -> Result<Config, ConnectError> {
    let at_fault = |reason| ConnectError::Kubeconfig { path: path.to_owned(), reason };
    let kubeconfig = Kubeconfig::read_from(path).map_err(at_fault)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(at_fault)
}

fn read_address<T: std::str::FromStr>(address: &str) -> Result<T, ConnectError> {
    let is_url = address.starts_with("https://") || address.starts_with("http://");
    let parsed = if is_url { address.parse().ok() } else { None };
    parsed.ok_or_else(|| ConnectError::Master { address: address.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    async fn check(kubeconfig: Option<&str>, master: Option<&str>, expected: Result<(), &str>) {
        let metrics = Metrics::new([]).unwrap().client;
        let connected = connect(kubeconfig.map(Path::new), master, (50.0, 100), &metrics).await;
        match (connected, expected) {
            (Ok(_), Ok(())) => (),
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error}");
                assert!(std::error::Error::source(&error).is_none(), "its cause would be told twice");
            }
            (connected, _) => panic!("{:?}", connected.map(|_| ())),
        }
    }

    #[tokio::test]
    async fn a_setting_that_is_wrong_is_named() {
        check(None, Some("http://127.0.0.1:8080"), Ok(())).await;
        check(None, Some("https://127.0.0.1:6443"), Ok(())).await;
        check(None, Some("10.0.0.1:6443"), Err(r#"--master "10.0.0.1:6443" is no URL"#)).await;
        check(Some("/does/not/exist"), None, Err("kubeconfig /does/not/exist: ")).await;
    }
}
