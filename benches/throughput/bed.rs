//! A control plane with nodes and, before every run, the same backlog of pods.
//!
//! The servers stay and the pods are made anew. To start the servers anew on a copy of the data would be as quick, but a
//! server that has not seen many changes yet gives its watches room for ten events, and breaks them off under load.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use controlplane::{Component, ControlPlane, FakeNode, KubeScheduler, Options, Usage};
use serde_json::Value;

use crate::say;
use crate::topology::{DelayFiles, Topology};
use crate::workload::{NODE_MEMORY_MIB, NODE_MILLI_CPU, NODE_PODS, SCHEDULER_NAME, Workload};

/// Everything the contenders meet.
pub(crate) struct Bed {
    /// etcd and the API server, and kube-scheduler when it is its turn.
    pub(crate) cluster: ControlPlane,
    /// The nodes and their delays.
    pub(crate) topology: Topology,
    /// The delays as files, for the workload that needs them.
    pub(crate) delays: Option<DelayFiles>,
    /// What the pods ask for.
    pub(crate) workload: Workload,
    /// How many pods wait.
    pub(crate) pods: usize,
}

/// What runs, for the report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    /// Of the API server and kube-scheduler.
    pub(crate) kubernetes: String,
    /// Of etcd.
    pub(crate) etcd: String,
}

/// Where the pods are.
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";
/// Where the events are.
pub(crate) const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";

/// How long the servers may take to become quiet.
const PATIENCE: Duration = Duration::from_mins(1);

// === impl Bed ===

impl Bed {
    /// Starts a control plane and makes the nodes.
    pub(crate) fn make(nodes: usize, pods: usize, workload: Workload) -> anyhow::Result<Self> {
        say(&format!("making {nodes} nodes for {pods} pods ({workload})"));
        let options = Options {
            kube_scheduler: KubeScheduler::Config(kube_scheduler_config()),
            name: "bench".to_owned(),
            ..Options::default()
        };
        let options = options.flag(Component::ApiServer, "--delete-collection-workers=8");
        let cluster = ControlPlane::start(options)?;
        cluster.stop(Component::KubeScheduler)?;
        let topology = Topology::new(nodes);
        let delays = (workload == Workload::Delay).then(|| topology.write()).transpose()?;
        let bed = Self { cluster, topology, delays, workload, pods };
        bed.add_nodes()?;
        Ok(bed)
    }

    /// Takes away what the last run left, makes all pods, and waits until the servers have nothing left to do.
    pub(crate) fn refill(&self) -> anyhow::Result<()> {
        self.delete_all(PODS)?;
        self.delete_all(EVENTS)?;
        self.add_pods()?;
        for server in [Component::ApiServer, Component::Etcd] {
            await_quiet(|| Ok(self.cluster.usage(server)?))?;
        }
        Ok(())
    }

    /// The version of the store, from which a watch sees everything that happens later.
    pub(crate) fn store_version(&self) -> anyhow::Result<String> {
        let list = self.cluster.client().get("/api/v1/pods?limit=1")?;
        let version = list["metadata"]["resourceVersion"].as_str();
        Ok(version.context("the list of pods has no version")?.to_owned())
    }

    /// What runs.
    pub(crate) fn versions(&self) -> anyhow::Result<Versions> {
        let log = fs::read_to_string(self.cluster.log(Component::Etcd))?;
        let etcd = log.split_once("\"etcd-version\":\"").and_then(|(_, rest)| rest.split_once('"'));
        let kubernetes = self.cluster.client().get("/version")?;
        Ok(Versions {
            kubernetes: kubernetes["gitVersion"].as_str().unwrap_or("?").to_owned(),
            etcd: etcd.map_or("?", |(version, _)| version).to_owned(),
        })
    }

    fn add_nodes(&self) -> anyhow::Result<()> {
        let node = |idx| {
            FakeNode::new(self.topology.name(idx))
                .cpu(format!("{NODE_MILLI_CPU}m"))
                .memory(format!("{NODE_MEMORY_MIB}Mi"))
                .pods(NODE_PODS)
        };
        let nodes: Vec<FakeNode> = (0..self.topology.len()).map(node).collect();
        Ok(self.cluster.add_nodes(&nodes)?)
    }

    fn add_pods(&self) -> anyhow::Result<()> {
        const THREADS: usize = 8;
        let next = AtomicUsize::new(0);
        let work = || -> anyhow::Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.pods {
                    return Ok(());
                }
                let pod: Value = self.workload.pod(number, &self.topology);
                self.cluster.client().create(PODS, &pod)?;
            }
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
        })
    }

    fn delete_all(&self, path: &str) -> anyhow::Result<()> {
        let client = self.cluster.client();
        let deadline = Instant::now() + PATIENCE * 10;
        let is_empty = || -> anyhow::Result<bool> {
            let list = client.get(&format!("{path}?limit=1"))?;
            Ok(list["items"].as_array().is_none_or(Vec::is_empty))
        };
        while !is_empty()? {
            ensure!(Instant::now() < deadline, "{path} can't be emptied");
            // It is cut short after a minute; what is left is seen by the next look.
            let _ = client.delete(&format!("{path}?gracePeriodSeconds=0"));
        }
        Ok(())
    }
}

/// Waits until a process uses less than 3 % of a processor.
pub(crate) fn await_quiet(usage: impl Fn() -> anyhow::Result<Usage>) -> anyhow::Result<()> {
    const LOOK: Duration = Duration::from_millis(500);
    let deadline = Instant::now() + PATIENCE;
    let mut before = usage()?.cpu;
    loop {
        thread::sleep(LOOK);
        let now = usage()?.cpu;
        if now.saturating_sub(before) * 33 < LOOK || Instant::now() > deadline {
            return Ok(());
        }
        before = now;
    }
}

/// Waits until `probe` gives a number of at least `enough`, or no longer grows; gives the last number.
pub(crate) fn await_number(
    enough: usize,
    probe: impl Fn() -> anyhow::Result<usize>,
) -> anyhow::Result<usize> {
    let mut last = probe()?;
    while last < enough {
        thread::sleep(Duration::from_secs(1));
        let now = probe()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

/// The default plugins under the name that the pods ask for. Its limits of 50 requests a second would be all that is
/// measured.
fn kube_scheduler_config() -> String {
    format!(
        "apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {{qps: 10000, burst: 10000}}
leaderElection: {{leaderElect: false}}
profiles: [{{schedulerName: {SCHEDULER_NAME}}}]
"
    )
}
