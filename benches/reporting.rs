//! Thousands of agents that report, against a real API server: `cargo bench --bench reporting -- --help`.
//!
//! A control plane is started with all that an installation brings, nodes are made, and our scheduler makes an object for
//! each. Then every node's agent reports: once as it comes, and in the window that is measured as often as the scheduler
//! asks for. The agents are a driver that does what an agent does to the API server, the same server-side apply, admitted
//! by the same policy; that they are who they say is told by impersonation, so that no pod is needed for each.
//!
//! What is counted is counted by the API server itself (`apiserver_request_total`, `apiserver_watch_events_sizes`).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use controlplane::{Component, ControlPlane, FakeNode, Options, Port, Usage, usage};
use edge_api::{NodeDelaysStatus, PeerDelay, Transport};
use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

/// What is measured.
#[derive(Parser)]
struct Cli {
    /// How many nodes.
    #[arg(long, default_value_t = 5_000)]
    nodes: usize,
    /// How many peers an agent reports.
    #[arg(long, default_value_t = 40)]
    rows: usize,
    /// How long is measured, in seconds.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

const NODE_DELAYS: &str = "/apis/kubectl-edge.dev/v1alpha1/nodedelays";
const SCHEDULER: &str = "system:serviceaccount:edge-system:edge-scheduler";
const AGENT: &str = "system:serviceaccount:edge-system:edge-probe";
/// How many agents report at once where all do.
const AT_ONCE: usize = 64;

/// A control plane and what we know of it.
struct Bed {
    cluster: ControlPlane,
    client: Client,
    cli: Cli,
}

/// A scheduler that ends with the value.
struct Scheduler {
    child: Child,
    port: Port,
}

/// What the API server has counted of `NodeDelays`.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    writes: f64,
    events: f64,
    bytes: f64,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // Cargo runs benches in its tests too, for a moment.
    if !cli.bench {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(cli))
}

async fn measure(cli: Cli) -> anyhow::Result<()> {
    let bed = Bed::make(cli).await?;
    let without = bed.memory_without_delays().await?;
    let scheduler = Scheduler::start(&bed.cluster, "{probe: {}}")?;
    let begun = Instant::now();
    bed.await_objects().await?;
    say(&format!("an object for each node: {} s", begun.elapsed().as_secs()));
    let begun = Instant::now();
    let sizes = bed.all_report().await?;
    say(&format!("each agent has reported once: {} s", begun.elapsed().as_secs()));
    let begun = Instant::now();
    bed.await_quiet().await?;
    say(&format!("each agent knows whom to measure: {} s", begun.elapsed().as_secs()));
    let every = bed.report_every()?;
    let (before, cpu) = (bed.counted().await?, bed.cpu(&scheduler)?);
    let begun = Instant::now();
    let written = bed.report_for(Duration::from_secs(bed.cli.seconds), every).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let (after, cpu_after) = (bed.counted().await?, bed.cpu(&scheduler)?);
    let per_second = |amount: f64| amount / seconds;
    let (events, bytes) = (after.events - before.events, after.bytes - before.bytes);
    say(&format!("report period asked for: {} s; window: {seconds:.0} s", every.as_secs()));
    say(&format!(
        "API writes a second: {:.1}, of agents {written}",
        per_second(after.writes - before.writes)
    ));
    say(&format!("a report, as sent: {} bytes", sizes / bed.cli.nodes));
    say(&format!(
        "watch: {:.1} events a second, {:.0} bytes each, {:.0} kB/s in all",
        per_second(events),
        bytes / events.max(1.0),
        per_second(bytes) / 1e3
    ));
    for ((name, before), (_, after)) in cpu.iter().zip(&cpu_after) {
        let used = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        say(&format!("{name}: {:.1} % of a core", used / seconds * 100.0));
    }
    let peak = scheduler.usage()?.peak_rss;
    say(&format!("scheduler: {peak} at most, {without} without delays"));
    say(&format!("scheduler's view: {} of {} pairs", scheduler.pairs()?, bed.cli.nodes * bed.cli.rows));
    say(&scheduler.shown("edge_scheduler_measured_bytes")?);
    Ok(())
}

// === impl Bed ===

impl Bed {
    async fn make(cli: Cli) -> anyhow::Result<Self> {
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
    async fn memory_without_delays(&self) -> anyhow::Result<controlplane::Bytes> {
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

    async fn await_objects(&self) -> anyhow::Result<()> {
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
    async fn all_report(&self) -> anyhow::Result<usize> {
        let reports = (0..self.cli.nodes).map(|idx| self.report(idx, 0));
        let sent: Vec<anyhow::Result<usize>> =
            futures::stream::iter(reports).buffer_unordered(AT_ONCE).collect().await;
        sent.into_iter().sum()
    }

    /// Agents report in turn, each as often as it is asked to; how many reports a second that were.
    async fn report_for(&self, window: Duration, every: Duration) -> anyhow::Result<String> {
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
        Ok(format!("{:.1}", f64::from(count) / begun.elapsed().as_secs_f64()))
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
        .header("content-type", "application/apply-patch+yaml")
        .header("impersonate-user", AGENT)
        .header("impersonate-extra-authentication.kubernetes.io%2fnode-name", name(idx))
        .body(body)?;
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

    fn report_every(&self) -> anyhow::Result<Duration> {
        let object = self.cluster.client().get(&format!("{NODE_DELAYS}/{}", name(0)))?;
        let millis = object["spec"]["reportEveryMs"].as_u64().context("nobody says how often to report")?;
        Ok(Duration::from_millis(millis))
    }

    /// Waits until nobody writes any more.
    async fn await_quiet(&self) -> anyhow::Result<()> {
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

    async fn counted(&self) -> anyhow::Result<Counted> {
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

    fn cpu(&self, scheduler: &Scheduler) -> anyhow::Result<BTreeMap<&'static str, Usage>> {
        let (api, etcd) = (self.cluster.usage(Component::ApiServer)?, self.cluster.usage(Component::Etcd)?);
        Ok([("kube-apiserver", api), ("etcd", etcd), ("edge-scheduler", scheduler.usage()?)].into())
    }
}

// === impl Scheduler ===

impl Scheduler {
    fn start(cluster: &ControlPlane, sources: &str) -> anyhow::Result<Self> {
        let port = Port::reserve()?;
        let kubeconfig = cluster.kubeconfig_of(SCHEDULER)?.display();
        let config = format!(
            "{{apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration,
              clientConnection: {{kubeconfig: {kubeconfig}}}, leaderElection: {{leaderElect: false}},
              profiles: [{{schedulerName: edge-scheduler, pluginConfig: [{{name: NetworkDelay, args: {{sources: [{sources}]}}}}]}}]}}"
        );
        let file = cluster.folder().join("scheduler.yaml");
        std::fs::write(&file, config)?;
        let child = Command::new(env!("CARGO_BIN_EXE_edge-scheduler"))
            .arg("--config")
            .arg(&file)
            .args([
                "--bind-address=127.0.0.1",
                "--authorization-always-allow-paths=/metrics",
                "--permit-port-sharing",
            ])
            .arg(format!("--secure-port={}", port.number()))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(cluster.folder().join("scheduler.log"))?)
            .spawn()?;
        Ok(Self { child, port })
    }

    fn usage(&self) -> anyhow::Result<Usage> {
        Ok(usage(self.child.id())?)
    }

    /// The line of a metric.
    fn shown(&self, metric: &str) -> anyhow::Result<String> {
        let url = format!("https://127.0.0.1:{}/metrics", self.port.number());
        let output =
            Command::new("curl").args(["--silent", "--insecure", "--noproxy", "*", &url]).output()?;
        ensure!(output.status.success(), "{url} does not answer");
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().find(|line| line.starts_with(metric));
        Ok(line.with_context(|| format!("no metric {metric}"))?.to_owned())
    }

    fn pairs(&self) -> anyhow::Result<String> {
        let line = self.shown("edge_scheduler_measured_pairs")?;
        Ok(line.rsplit(' ').next().unwrap_or_default().to_owned())
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // What can't be ended has ended.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn name(idx: usize) -> String {
    format!("node-{idx:04}")
}

fn say(text: &str) {
    _ = writeln!(io::stdout(), "{text}");
}
