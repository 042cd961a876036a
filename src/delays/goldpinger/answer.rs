//! What Goldpinger answers (its `swagger.yml` and `pkg/models`). It leaves out what is zero or false.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cluster::Instance;

/// The answer to `/check_all`: by instance what it answered to `/check`.
#[derive(Debug)]
pub(super) struct CheckAll {
    responses: BTreeMap<String, Response>,
}

/// The answer to `/check`: what one instance last measured.
#[derive(Debug, Default)]
pub(super) struct Check {
    /// By peer, which is named by its pod or its node.
    pub(super) results: BTreeMap<String, PodResult>,
}

/// What came of the last request to a peer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct PodResult {
    /// Whether it was answered. If not, the time is that of giving up.
    #[serde(rename = "OK")]
    pub(super) ok: bool,
    /// When it began, by the measuring host's clock.
    #[serde(rename = "PingTime")]
    pub(super) ping_time: Option<String>,
    /// The peer's address.
    #[serde(rename = "PodIP")]
    pub(super) pod_ip: Option<String>,
    /// Its host's.
    #[serde(rename = "HostIP")]
    pub(super) host_ip: Option<String>,
    /// In whole milliseconds, cut off; nothing stands for less than one.
    #[serde(rename = "response-time-ms")]
    pub(super) millis: Option<f64>,
}

/// One instance's part of the answer of all.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Response {
    #[serde(rename = "PodIP")]
    pod_ip: Option<String>,
    #[serde(rename = "HostIP")]
    host_ip: Option<String>,
    #[serde(rename = "response")]
    check: Option<WireCheck>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireCheck {
    #[serde(rename = "podResults")]
    results: Option<BTreeMap<String, Box<RawValue>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireCheckAll<'a> {
    #[serde(borrow)]
    responses: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
}

// === impl CheckAll ===

impl CheckAll {
    /// Reads an answer. A part that can't be read is left out, and costs no other one.
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let wire: WireCheckAll<'_> = serde_json::from_slice(body)?;
        let parts = wire.responses.unwrap_or_default().into_iter();
        let read =
            parts.filter_map(|(key, raw)| Some((key.into_owned(), serde_json::from_str(raw.get()).ok()?)));
        Ok(Self { responses: read.collect() })
    }

    /// The rows of the instances that answered.
    pub(super) fn rows(self, instances: &[Instance]) -> Vec<(&Instance, Check)> {
        let row = |(key, response): (String, Response)| {
            let Response { pod_ip, host_ip, check } = response;
            let instance = find(instances, &key, pod_ip.as_deref(), host_ip.as_deref())?;
            Some((instance, Check::of(check?)))
        };
        self.responses.into_iter().filter_map(row).collect()
    }
}

// === impl Check ===

impl Check {
    /// Reads an answer. A result that can't be read is left out, and costs no other one.
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body).map(Self::of)
    }

    fn of(wire: WireCheck) -> Self {
        let results = wire.results.unwrap_or_default().into_iter();
        let read = results.filter_map(|(key, raw)| Some((key, serde_json::from_str(raw.get()).ok()?)));
        Self { results: read.collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.results.len()
    }
}

/// The instance that an answer means: by the address of its pod, else by its name, which is that of its pod or, with
/// `DISPLAY_NODENAME`, of its node, else by the address of its host.
pub(super) fn find<'a>(
    instances: &'a [Instance],
    key: &str,
    pod_ip: Option<&str>,
    host_ip: Option<&str>,
) -> Option<&'a Instance> {
    let address = |text: Option<&str>| text.and_then(|text| text.parse::<IpAddr>().ok());
    let (pod_ip, host_ip) = (address(pod_ip), address(host_ip));
    let by_pod = || instances.iter().find(|it| it.pod == key);
    let by_node = || instances.iter().find(|it| it.node.as_str() == key);
    let by_host_ip = || instances.iter().find(|it| host_ip.is_some_and(|ip| it.host_ips.contains(&ip)));
    let by_pod_ip = instances.iter().find(|it| pod_ip.is_some_and(|ip| it.pod_ips.contains(&ip)));
    by_pod_ip.or_else(by_pod).or_else(by_node).or_else(by_host_ip)
}
