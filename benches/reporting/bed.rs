//! The bed: a control plane with nodes, and the driver that reports as agents do.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use controlplane::{Component, ControlPlane, FakeNode, Options, Usage};
use edge_api::{NodeDelaysStatus, PeerDelay, Transport};
use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use crate::scheduler::Scheduler;
use crate::{Cli, say};

pub(crate) const NODE_DELAYS: &str = "/apis/kubectl-edge.dev/v1alpha1/nodedelays";
pub(crate) const SCHEDULER: &str = "system:serviceaccount:edge-system:edge-scheduler";
const AGENT: &str = "system:serviceaccount:edge-system:edge-probe";
/// How many agents report at once where all do.
const AT_ONCE: usize = 64;

/// A control plane and what we know of it.
pub(crate) struct Bed {
    pub(crate) cluster: ControlPlane,
    pub(crate) client: Client,
    pub(crate) cli: Cli,
}

/// What the API server has counted of `NodeDelays`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) writes: f64,
    pub(crate) events: f64,
    pub(crate) bytes: f64,
}

// === impl Bed ===

impl Bed {
    pub(crate) async fn make(cli: Cli) -> anyhow::Result<Self> {
        let options = Options { name: "reporting".to_owned(), ..Options::default() }.user(SCHEDULER, &[]);
        let cluster = ControlPlane::start(options)?;
        cluster.kubectl(&[
            "apply",
            "--server-side",
            "-k",
            concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/base"),
        ])?;
        let nodes: Vec<FakeNode> = (0..cli.nodes).map(|idx| FakeNode::new(name(idx))).collect();
        say(&format!("making {} nodes", cli.nodes));
        cluster.add_nodes(&nodes)?;
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Self { client: Client::try_from(config)?, cluster, cli })
    }

    /// The most memory of a scheduler that knows nodes and no delays.
    pub(crate) async fn memory_without_delays(&self) -> anyhow::Result<controlplane::Bytes> {
        let scheduler = Scheduler::start(&self.cluster, "")?;
        for _ in 0..600 {
            if scheduler
                .shown("scheduler_cache_size{type=\"nodes\"}")
                .is_ok_and(|it| it.ends_with(&format!(" {}", self.cli.nodes)))
            {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        Ok(scheduler.usage()?.peak_rss)
    }

    pub(crate) async fn await_objects(&self) -> anyhow::Result<()> {
        for _ in 0..1800 {
            let list = self.cluster.client().get(&format!("{NODE_DELAYS}?limit=1"));
            let left = list.map(|list| list["metadata"]["remainingItemCount"].as_u64().unwrap_or(0));
            if left.is_ok_and(|left| usize::try_from(left + 1).is_ok_and(|count| count >= self.cli.nodes)) {
                return Ok(());
            }
            sleep(Duration::from_secs(1)).await;
        }
        anyhow::bail!("the scheduler did not make an object for each node")
    }

    /// Every agent reports once; the bytes they sent.
    pub(crate) async fn all_report(&self) -> anyhow::Result<usize> {
        let reports = (0..self.cli.nodes).map(|idx| self.report(idx, 0));
        let sent: Vec<anyhow::Result<usize>> =
            futures::stream::iter(reports).buffer_unordered(AT_ONCE).collect().await;
        sent.into_iter().sum()
    }

    /// Agents report in turn, each as often as it is asked to; how many reports a second that were.
    pub(crate) async fn report_for(&self, window: Duration, every: Duration) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let gap = every.div_f64(f64::from(u32::try_from(self.cli.nodes)?));
        let count = u32::try_from(window.as_micros() / gap.as_micros().max(1))?;
        let reports = (0..count).map(|turn| async move {
            sleep_until(begun + gap * turn).await;
            self.report(turn as usize % self.cli.nodes, 1 + turn).await
        });
        let mut reports = futures::stream::iter(reports).buffer_unordered(AT_ONCE);
        while let Some(sent) = reports.next().await {
            sent?;
        }
        Ok(f64::from(count) / begun.elapsed().as_secs_f64())
    }

    async fn report(&self, idx: usize, turn: u32) -> anyhow::Result<usize> {
        let body = serde_json::to_vec(&json!({
            "apiVersion": edge_api::API_VERSION,
            "kind": "NodeDelays",
            "metadata": {"name": name(idx)},
            "status": self.status(idx, turn),
        }))?;
        let len = body.len();
        let request = http::Request::patch(format!(
            "{NODE_DELAYS}/{}/status?fieldManager=edge-probe&force=true",
            name(idx)
        ))
        .header("content-type", "application/apply-patch+yaml");
        let request = as_agent(request, &name(idx)).body(body)?;
        self.client.request::<serde::de::IgnoredAny>(request).await.with_context(|| name(idx))?;
        Ok(len)
    }

    fn status(&self, idx: usize, turn: u32) -> NodeDelaysStatus {
        let row = |step: usize| {
            let micros = u32::try_from(step * 300 + idx % 97).unwrap_or_default() + turn % 50;
            PeerDelay {
                peer: name((idx + step) % self.cli.nodes),
                min_micros: Some(micros),
                p50_micros: Some(micros + 120),
                p95_micros: Some(micros + 900),
                jitter_micros: Some(80),
                samples: 32,
                age_ms: Some(700),
                ..PeerDelay::default()
            }
        };
        let mut rows: Vec<PeerDelay> = (1..=self.cli.rows).map(row).collect();
        rows.sort_by(|a, b| a.peer.cmp(&b.peer));
        let mut status = NodeDelaysStatus {
            addresses: vec![format!("10.{}.{}.2:10270", idx / 256, idx % 256)],
            reported_at: Some(MicroTime(Timestamp::now())),
            report_every_ms: Some(140_000),
            transport: Some(Transport::Udp),
            ..NodeDelaysStatus::default()
        };
        status.set_rows(rows);
        status
    }

    pub(crate) fn report_every(&self) -> anyhow::Result<Duration> {
        let object = self.cluster.client().get(&format!("{NODE_DELAYS}/{}", name(0)))?;
        let millis = object["spec"]["reportEveryMs"].as_u64().context("nobody says how often to report")?;
        Ok(Duration::from_millis(millis))
    }

    /// Waits until nobody writes any more.
    pub(crate) async fn await_quiet(&self) -> anyhow::Result<()> {
        let mut before = self.counted().await?.writes;
        for _ in 0..100 {
            sleep(Duration::from_secs(15)).await;
            let writes = self.counted().await?.writes;
            if writes <= before {
                return Ok(());
            }
            before = writes;
        }
        anyhow::bail!("the plan does not settle")
    }

    pub(crate) async fn counted(&self) -> anyhow::Result<Counted> {
        let text = self.client.request_text(http::Request::get("/metrics").body(Vec::new())?).await?;
        let mut counted = Counted::default();
        for line in text.lines().filter(|line| line.contains("resource=\"nodedelays\"")) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let value: f64 = value.parse()?;
            let is_write = ["APPLY", "PATCH", "POST", "PUT"]
                .iter()
                .any(|verb| name.contains(&format!("verb=\"{verb}\"")));
            match name.split('{').next() {
                Some("apiserver_request_total") if is_write => counted.writes += value,
                Some("apiserver_watch_events_sizes_count") => counted.events += value,
                Some("apiserver_watch_events_sizes_sum") => counted.bytes += value,
                _ => (),
            }
        }
        Ok(counted)
    }

    pub(crate) fn cpu(&self, scheduler: &Scheduler) -> anyhow::Result<BTreeMap<&'static str, Usage>> {
        let (api, etcd) = (self.cluster.usage(Component::ApiServer)?, self.cluster.usage(Component::Etcd)?);
        Ok([("kube-apiserver", api), ("etcd", etcd), ("edge-scheduler", scheduler.usage()?)].into())
    }
}

/// A request as the probe agent of this node sends it.
pub(crate) fn as_agent(request: http::request::Builder, node: &str) -> http::request::Builder {
    let request = request.header("impersonate-user", AGENT);
    request.header("impersonate-extra-authentication.kubernetes.io%2fnode-name", node)
}

pub(crate) fn name(idx: usize) -> String {
    format!("node-{idx:04}")
}
