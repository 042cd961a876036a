//! Whether a node answers over another transport than the agents' UDP: TCP to where its kubelet listens. Whoever
//! refuses is there.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use edge_core::state::Knock;
use futures::future::join_all;
use kube::api::GetParams;
use kube::core::Request;
use serde::Deserialize;
use tokio::net::TcpStream;
use tracing::{debug, info, warn};

use super::answer::within;

/// How long the API server may take to say where.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long the node may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Where kubelets listen that don't say.
const KUBELET_PORT: u16 = 10250;

/// What is read of a Node.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Node {
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    addresses: Vec<Address>,
    daemon_endpoints: Endpoints,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Endpoints {
    kubelet_endpoint: Endpoint,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Endpoint {
    port: u16,
}

/// Knocks at a node.
pub(super) async fn knock(client: &kube::Client, node: &str) -> Knock {
    let request = Request::new("/api/v1/nodes").get(node, &GetParams::default());
    let answer = async { client.request::<Node>(request.map_err(kube::Error::BuildRequest)?).await };
    match within(TIMEOUT, answer).await {
        Ok(found) => {
            let knock = knock_at(&found.doors()).await;
            info!(%node, ?knock, "knocked at its kubelet's port");
            knock
        }
        Err(error) => {
            warn!(%node, %error, "it can't be asked whether it is there");
            Knock::Unknown
        }
    }
}

async fn knock_at(doors: &[SocketAddr]) -> Knock {
    if doors.is_empty() {
        return Knock::Unknown;
    }
    let answers = join_all(doors.iter().map(|door| answers(*door))).await;
    if answers.contains(&true) { Knock::Answers } else { Knock::Silent }
}

/// Whether somebody is there.
async fn answers(door: SocketAddr) -> bool {
    match tokio::time::timeout(PATIENCE, TcpStream::connect(door)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            debug!(%door, %error, "no connection");
            matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
        }
        Err(_) => false,
    }
}

// === impl Node ===

impl Node {
    fn doors(&self) -> Vec<SocketAddr> {
        let Status { addresses, daemon_endpoints: Endpoints { kubelet_endpoint } } = &self.status;
        let port = if kubelet_endpoint.port == 0 { KUBELET_PORT } else { kubelet_endpoint.port };
        let internal = addresses.iter().filter(|address| address.kind == "InternalIP");
        let ips = internal.filter_map(|address| address.address.parse::<IpAddr>().ok());
        ips.map(|ip| SocketAddr::new(ip, port)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_refuses_is_there() {
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let doors = [&open, &closed].map(|it| it.local_addr().unwrap());
        drop(closed);
        assert_eq!(knock_at(&doors[..1]).await, Knock::Answers);
        assert_eq!(knock_at(&doors[1..]).await, Knock::Answers);
        assert_eq!(knock_at(&[]).await, Knock::Unknown);
    }

    #[test]
    fn it_is_the_kubelet_that_is_asked() {
        let node: Node = serde_json::from_str(
            r#"{"status": {"addresses": [{"type": "Hostname", "address": "a"},
                {"type": "InternalIP", "address": "10.0.0.1"}, {"type": "InternalIP", "address": "fd00::1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10251}}}}"#,
        )
        .unwrap();
        let doors: Vec<String> = node.doors().iter().map(ToString::to_string).collect();
        assert_eq!(doors, ["10.0.0.1:10251", "[fd00::1]:10251"]);
        let bare: Node = serde_json::from_str(r#"{"status": {"addresses": null}}"#).unwrap_or_default();
        assert!(bare.doors().is_empty());
    }
}
