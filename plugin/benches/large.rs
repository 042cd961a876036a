//! The plugin on a large cluster, beside its targets: `cargo bench -p kubectl-edge --bench large -- --help`.
//!
//! A control plane is started, nodes are made, and for each a report of its delays to others. Then each command is run
//! some times as a process of its own; the fastest counts, since all else is what the machine does beside it. What the
//! server and the connection take is measured by a client that reads the same pages and does nothing with them.

#![expect(clippy::print_stdout, reason = "that is what a benchmark is for")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use controlplane::{ControlPlane, FakeNode, Options};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

/// How large, and how often.
#[derive(Parser)]
struct Cli {
    /// How many nodes.
    #[arg(long, default_value_t = 5_000)]
    nodes: usize,
    /// How many others each has measured.
    #[arg(long, default_value_t = 48)]
    rows: usize,
    /// How often each command is run.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a run of the plugin took.
struct Taken {
    time: Duration,
    /// The most memory it had, in kB.
    memory: u64,
}

/// What is run, and what it may take beyond the server's own time.
struct Case {
    name: &'static str,
    args: &'static [&'static str],
    /// The program's name: completion goes by it.
    program: &'static str,
    /// What the server is asked for, for its own time.
    pages: &'static [&'static str],
    limit: Duration,
    memory_limit: u64,
}

const NODE_DELAYS: &str = "/apis/kubectl-edge.dev/v1alpha1/nodedelays";
const NODES: &str = "/api/v1/nodes";
const PARALLEL: usize = 32;
const SITES: usize = 40;
const MB: u64 = 1000;

const CASES: [Case; 5] = [
    Case {
        name: "--help",
        args: &["--help"],
        program: "kubectl-edge",
        pages: &[],
        limit: Duration::from_millis(30),
        memory_limit: 200 * MB,
    },
    Case {
        name: "latency matrix --by site",
        args: &["latency", "matrix", "--by", "site"],
        program: "kubectl-edge",
        pages: &[NODES, NODE_DELAYS],
        limit: Duration::from_secs(2),
        memory_limit: 200 * MB,
    },
    Case {
        name: "latency",
        args: &["latency"],
        program: "kubectl-edge",
        pages: &[NODES, NODE_DELAYS],
        limit: Duration::from_secs(2),
        memory_limit: 200 * MB,
    },
    Case {
        name: "status",
        args: &["status"],
        program: "kubectl-edge",
        pages: &[NODE_DELAYS],
        limit: Duration::from_secs(2),
        memory_limit: 200 * MB,
    },
    Case {
        name: "completion of a node's name",
        args: &["latency", "edge-4"],
        program: "kubectl_complete-edge",
        pages: &[],
        limit: Duration::from_millis(300),
        memory_limit: 200 * MB,
    },
];

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // Cargo runs benches in its tests too, for a moment.
    if !cli.bench {
        return Ok(());
    }
    let cluster = ControlPlane::start(Options::default())?;
    fill(&cluster, &cli)?;
    let programs = tempfile::tempdir()?;
    println!("{} nodes, each with {} others measured; the best of {} runs\n", cli.nodes, cli.rows, cli.runs);
    println!("| | time | of it the server's | target beyond that | memory | target |");
    println!("|---|--:|--:|--:|--:|--:|");
    for case in CASES {
        let program = programs.path().join(case.program);
        if !program.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubectl-edge"), &program)?;
        }
        let mut best: Option<Taken> = None;
        let mut server = Duration::MAX;
        for _ in 0..cli.runs {
            let taken = run(&cluster, &program, case.args)?;
            let memory = taken.memory.max(best.as_ref().map_or(0, |best| best.memory));
            let time = taken.time.min(best.as_ref().map_or(Duration::MAX, |best| best.time));
            best = Some(Taken { time, memory });
            server = server.min(read(&cluster, case.pages)?);
        }
        let taken = best.context("no runs")?;
        println!(
            "| `{}` | {:.0} ms | {:.0} ms | {:.0} of {} ms | {} MB | {} MB |",
            case.name,
            millis(taken.time),
            millis(server),
            millis(taken.time.saturating_sub(server)),
            case.limit.as_millis(),
            taken.memory / MB,
            case.memory_limit / MB,
        );
    }
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Makes nodes and reports, and what an installation has beside them.
fn fill(cluster: &ControlPlane, cli: &Cli) -> anyhow::Result<()> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/base");
    let definition = deploy.join("nodedelays-crd.yaml");
    cluster.kubectl(&["apply", "-f", &definition.display().to_string()])?;
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/nodedelays.kubectl-edge.dev"])?;
    let zone = |idx: usize| format!("site-{}", idx % SITES);
    let node = |idx| FakeNode::new(name(idx)).label("topology.kubernetes.io/zone", zone(idx));
    cluster.add_nodes(&(0..cli.nodes).map(node).collect::<Vec<_>>())?;
    let share = cli.nodes.div_ceil(PARALLEL);
    thread::scope(|scope| {
        let shares = (0..cli.nodes).step_by(share).map(|first| first..(first + share).min(cli.nodes));
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(move || share.into_iter().try_for_each(|idx| report(cluster, cli, idx))))
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("panicked")))
    })?;
    // After the reports, because then only agents may write them.
    let mut install = Command::new(env!("CARGO_BIN_EXE_kubectl-edge"));
    install.args(["install", "--wait=false", "--image", "registry.example.org/edge-scheduler:bench"]);
    let output = install.env("KUBECONFIG", cluster.kubeconfig()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn name(idx: usize) -> String {
    format!("edge-{idx:04}")
}

/// What a node's agent reports, as large as they are.
fn report(cluster: &ControlPlane, cli: &Cli, idx: usize) -> anyhow::Result<()> {
    let peers: Vec<usize> = (1..=cli.rows).map(|step| (idx + step * step) % cli.nodes).collect();
    let spec: Vec<Value> = peers
        .iter()
        .map(|peer| json!({"name": name(*peer), "address": "10.128.100.200:10270", "interval": "Near"}))
        .collect();
    let object = json!({"apiVersion": "kubectl-edge.dev/v1alpha1", "kind": "NodeDelays",
        "metadata": {"name": name(idx)}, "spec": {"peers": spec, "reportEveryMs": 60_000}});
    cluster.client().create(NODE_DELAYS, &object)?;
    let row = |peer: &usize| {
        let micros = 1_000 + (idx * 31 + peer * 17) % 60_000;
        json!({"peer": name(*peer), "minMicros": micros, "p50Micros": micros + 210, "p95Micros": micros + 840,
            "jitterMicros": 90, "lost": 0, "samples": 32, "ageMs": 900})
    };
    let now = k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string();
    let status = json!({"source": "Probe", "transport": "UDP", "reportEveryMs": 3_600_000, "measured": cli.rows,
        "addresses": ["10.128.100.200:10270"], "reportedAt": now, "starved": false,
        "leaving": false, "rows": peers.iter().map(row).collect::<Vec<_>>()});
    let path = format!("{NODE_DELAYS}/{}/status", name(idx));
    cluster.client().merge(&path, &json!({"status": status}))?;
    Ok(())
}

/// Runs the plugin to its end.
fn run(cluster: &ControlPlane, program: &Path, args: &[&str]) -> anyhow::Result<Taken> {
    let mut command = Command::new(program);
    command.args(args).env("KUBECONFIG", cluster.kubeconfig()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0;
    while child.try_wait()?.is_none() {
        // It only grows, so the last look has it all but for what came in the last moment.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let most = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        memory = most.and_then(|it| it.split_whitespace().next()?.parse().ok()).unwrap_or(memory);
        thread::sleep(Duration::from_millis(1));
    }
    Ok(Taken { time: begun.elapsed(), memory })
}

/// How long it takes to read all pages and do nothing with them.
fn read(cluster: &ControlPlane, paths: &[&str]) -> anyhow::Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let client = kube::Client::try_from(config)?;
        let begun = Instant::now();
        for path in paths {
            let mut token = String::new();
            loop {
                let mut request = http::Request::get(format!("{path}?limit=500{token}"));
                if *path == NODES {
                    let metadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
                    request = request.header("accept", metadata);
                }
                let text = client.request_text(request.body(Vec::new())?).await?;
                let next = text.split("\"continue\":\"").nth(1).and_then(|rest| rest.split('"').next());
                match next.filter(|next| !next.is_empty()) {
                    Some(next) => token = format!("&continue={next}"),
                    None => break,
                }
            }
        }
        Ok(begun.elapsed())
    })
}
