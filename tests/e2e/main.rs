//! Kubernetes' own end-to-end tests of scheduling (`k8s.io/kubernetes/test/e2e/scheduling`), with
//! edge-scheduler in kube-scheduler's place.
//!
//! `cargo test --test e2e` runs them on a bed of a controller manager and four KWOK nodes, prints how each
//! ended, and fails if one fails that `specs.txt` lists: those that kube-scheduler itself passes on this
//! bed. `cargo test --test e2e -- --scheduler kube-scheduler` runs it, to renew that list.

#[cfg(test)]
mod report;

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use controlplane::{ControlPlane, FakeNode, KubeScheduler, Options};
use report::{Ended, Spec};

/// What kube-scheduler passes on this bed, a spec a line.
const PASSED_BY_KUBE_SCHEDULER: &str = include_str!("specs.txt");

/// Specs that need hardware, a cloud or a feature gate carry a label that says so.
const LABELS: &str = "sig-scheduling && Feature: isEmpty && FeatureGate: isEmpty";

/// Runs Kubernetes' end-to-end tests of scheduling.
#[derive(Parser)]
struct Args {
    /// Who schedules.
    #[arg(long, value_enum, default_value_t = Scheduler::EdgeScheduler)]
    scheduler: Scheduler,
    /// Only the specs that match this regular expression.
    #[arg(long, value_name = "REGEX")]
    focus: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scheduler {
    EdgeScheduler,
    KubeScheduler,
}

/// Our scheduler; it ends with the value.
struct Running(Child);

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let suite = controlplane::end_to_end_tests()?;
    let kube_scheduler = match args.scheduler {
        Scheduler::EdgeScheduler => KubeScheduler::Off,
        Scheduler::KubeScheduler => KubeScheduler::Default,
    };
    let options = Options { controller_manager: true, kwok: true, kube_scheduler, ..Options::default() };
    let cluster = ControlPlane::start(options)?;
    let zones = ["a", "a", "b", "b"];
    let nodes: Vec<FakeNode> = zones.iter().zip(1..).map(|(zone, number)| node(number, zone)).collect();
    cluster.add_nodes(&nodes)?;
    let folder = tempfile::tempdir()?;
    let _scheduler = match args.scheduler {
        Scheduler::EdgeScheduler => Some(start(&cluster, folder.path())?),
        Scheduler::KubeScheduler => None,
    };
    let report = folder.path().join("report.json");
    run(&suite, &cluster, &args, &report)?;
    let specs = report::read(&report)?;
    ensure!(!specs.is_empty(), "no spec was run");
    Ok(judge(&specs, &args))
}

fn node(number: u32, zone: &str) -> FakeNode {
    FakeNode::new(format!("node-{number}"))
        .cpu("4")
        .memory("8Gi")
        .resource("ephemeral-storage", "20Gi")
        .internal_ip(&format!("192.0.2.{number}"))
        .label("topology.kubernetes.io/zone", zone)
}

fn start(cluster: &ControlPlane, folder: &Path) -> anyhow::Result<Running> {
    let config = folder.join("config.yaml");
    let text = format!(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n\
         leaderElection:\n  leaderElect: false\nclientConnection:\n  kubeconfig: {}\n\
         profiles:\n- schedulerName: default-scheduler\n",
        cluster.kubeconfig().display()
    );
    std::fs::write(&config, text)?;
    let log = std::fs::File::create(cluster.folder().join("edge-scheduler.log"))?;
    let child = Command::new(env!("CARGO_BIN_EXE_edge-scheduler"))
        .arg("--config")
        .arg(config)
        .args(["--secure-port=0", "-v=2"])
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()?;
    Ok(Running(child))
}

fn run(suite: &Path, cluster: &ControlPlane, args: &Args, report: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(suite);
    command.arg(format!("--kubeconfig={}", cluster.kubeconfig().display()));
    command.args(["--provider=skeleton", "--ginkgo.no-color", "--ginkgo.timeout=1h"]);
    command.arg(format!("--ginkgo.label-filter={LABELS}"));
    command.arg(format!("--ginkgo.json-report={}", report.display()));
    command.args(args.focus.iter().map(|focus| format!("--ginkgo.focus={focus}")));
    let log = cluster.folder().join("e2e.log");
    println!("the specs' own words: {}", log.display());
    let output = std::fs::File::create(log)?;
    // A failed spec is in the report; here only whether the suite could be run at all.
    command.stdout(output.try_clone()?).stderr(output).status().context("running the suite")?;
    Ok(())
}

/// Prints how each spec ended, and whether all is as it must be.
fn judge(specs: &[Spec], args: &Args) -> ExitCode {
    let required: Vec<&str> = PASSED_BY_KUBE_SCHEDULER.lines().collect();
    let mut missed = 0;
    for Spec { name, ended } in specs {
        let is_missed = required.contains(&name.as_str()) && *ended != Ended::Passed;
        missed += usize::from(is_missed);
        println!("{ended:8} {name}{}", if is_missed { "   <-- kube-scheduler passes it" } else { "" });
    }
    let passed = specs.iter().filter(|spec| spec.ended == Ended::Passed).count();
    println!(
        "{passed} of {} passed, {} of {} required",
        specs.len(),
        required.len() - missed,
        required.len()
    );
    let all_there = required.iter().all(|name| specs.iter().any(|spec| spec.name == *name));
    ExitCode::from(u8::from(missed > 0 || (!all_there && args.focus.is_none())))
}

// === impl Running ===

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
