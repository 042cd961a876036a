//! Pods that measure delays for somebody else, such as Goldpinger's: where they are and where they answer.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use edge_core::model::NodeName;
use kube::api::ListParams;
use kube::core::request::Request;
use serde::Deserialize;

use super::answer::within;

/// A pod that is asked what it measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub pod: String,
    /// Its node.
    pub node: NodeName,
    /// Its addresses.
    pub pod_ips: Vec<IpAddr>,
    /// Its node's.
    pub host_ips: Vec<IpAddr>,
    /// Where it answers.
    pub address: SocketAddr,
}

/// Finds such pods.
#[derive(Clone)]
pub struct Directory {
    client: kube::Client,
}

/// Of pods what is needed here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodList {
    items: Vec<Pod>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pod {
    metadata: PodMetadata,
    spec: PodSpec,
    status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodMetadata {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    node_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    #[serde(rename = "podIPs")]
    pod_ips: Vec<Ip>,
    #[serde(rename = "hostIPs")]
    host_ips: Vec<Ip>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ip {
    ip: String,
}

// === impl Directory ===

impl Directory {
    /// Asks this server.
    pub fn new(client: kube::Client) -> Self {
        Self { client }
    }

    /// The running pods with these labels, in a namespace or, if that is empty, in all, by node in ascending order.
    /// Those without an address are left out.
    pub async fn instances(
        &self,
        namespace: &str,
        selector: &str,
        port: u16,
        timeout: Duration,
    ) -> Result<Vec<Instance>, String> {
        let path = if namespace.is_empty() {
            "/api/v1/pods".into()
        } else {
            format!("/api/v1/namespaces/{namespace}/pods")
        };
        // From the server's cache: a moment's delay does no harm here.
        let params = ListParams::default().labels(selector).fields("status.phase=Running").match_any();
        let request = Request::new(path).list(&params).map_err(|error| error.to_string())?;
        let list = within(timeout, self.client.request::<PodList>(request)).await;
        let list = list.map_err(|failure| failure.to_string())?;
        let mut instances: Vec<Instance> =
            list.items.into_iter().filter_map(|pod| Instance::of(pod, port)).collect();
        instances.sort_by(|a, b| (&a.node, &a.pod).cmp(&(&b.node, &b.pod)));
        Ok(instances)
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}

// === impl Instance ===

impl Instance {
    fn of(pod: Pod, port: u16) -> Option<Self> {
        let Pod { metadata, spec, status } = pod;
        let addresses =
            |ips: Vec<Ip>| ips.into_iter().filter_map(|ip| ip.ip.parse().ok()).collect::<Vec<IpAddr>>();
        let pod_ips = addresses(status.pod_ips);
        let address = SocketAddr::new(*pod_ips.first()?, port);
        Some(Self {
            pod: metadata.name,
            node: NodeName::new(spec.node_name),
            host_ips: addresses(status.host_ips),
            pod_ips,
            address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_asked_at_its_first_address() {
        let json = r#"{"items": [
            {"metadata": {"name": "gp-1"}, "spec": {"nodeName": "edge-1"},
             "status": {"podIPs": [{"ip": "fd00::5"}, {"ip": "10.244.0.5"}], "hostIPs": [{"ip": "192.168.0.1"}]}},
            {"metadata": {"name": "gp-2"}, "spec": {"nodeName": "edge-2"}, "status": {}}]}"#;
        let list: PodList = serde_json::from_str(json).unwrap();
        let found: Vec<Instance> = list.items.into_iter().filter_map(|pod| Instance::of(pod, 8080)).collect();
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!(one.address.to_string(), "[fd00::5]:8080");
        assert_eq!((one.node.as_str(), one.pod_ips.len(), one.host_ips.len()), ("edge-1", 2, 1));
    }
}
