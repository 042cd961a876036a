//! One run: a scheduler binds the whole backlog.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context;
use controlplane::{Bytes, Component, usage};

use crate::args::Plan;
use crate::bed::{Bed, await_number, await_quiet};
use crate::contender::{Contender, Running};
use crate::counter::{Counter, Window};
use crate::verify;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// How many pods were bound.
    pub(crate) pods: usize,
    /// From the first binding to the last.
    pub(crate) window: Duration,
    /// From the start of the process to the last binding.
    pub(crate) since_start: Duration,
    /// CPU time of the scheduler, from its start until it had nothing left to do.
    pub(crate) cpu: Duration,
    /// The most memory that it had resident.
    pub(crate) peak_rss: Bytes,
    /// How many pods had a `Scheduled` event in the end.
    pub(crate) events: usize,
    /// CPU time of etcd and of kube-apiserver, from the start of the scheduler until it had nothing left to do.
    pub(crate) servers: Duration,
    /// CPU time that the bench itself took meanwhile.
    pub(crate) counting: Duration,
}

/// Lets `contender` bind all pods of `bed`, and checks what it did.
pub(crate) fn run(bed: &Bed, contender: Contender, plan: &Plan) -> anyhow::Result<Run> {
    bed.refill()?;
    let counter = Counter::start(bed.cluster.kubeconfig(), &bed.store_version()?, bed.pods)?;
    let idle = usage(std::process::id())?.cpu;
    let servers = servers_cpu(bed)?;
    let start = Instant::now();
    let scheduler = contender.start(bed, plan.in_flight)?;
    let Window { first, last } = counter.finish().with_context(|| failure(contender, &scheduler))?;
    let counting = usage(std::process::id())?.cpu.saturating_sub(idle);
    // Events may come after their bindings, and they are work too.
    await_quiet(|| scheduler.usage())?;
    let used = scheduler.usage()?;
    let servers = servers_cpu(bed)?.saturating_sub(servers);
    let events = await_number(bed.pods, || verify::events(bed))?;
    drop(scheduler);
    verify::placements(bed, contender).with_context(|| format!("{contender} did wrong"))?;
    Ok(Run {
        pods: bed.pods,
        window: last.duration_since(first),
        since_start: last.duration_since(start),
        cpu: used.cpu,
        peak_rss: used.peak_rss,
        events,
        servers,
        counting,
    })
}

fn servers_cpu(bed: &Bed) -> anyhow::Result<Duration> {
    Ok(bed.cluster.usage(Component::Etcd)?.cpu + bed.cluster.usage(Component::ApiServer)?.cpu)
}

fn failure(contender: Contender, scheduler: &Running<'_>) -> String {
    format!("{contender} did not bind all pods; it said last:\n{}\n", scheduler.last_words())
}

// === impl Run ===

impl Run {
    /// Pods a second, from the first binding to the last.
    pub(crate) fn rate(&self) -> f64 {
        per_second(self.pods.saturating_sub(1), self.window)
    }

    /// Pods a second, from the start of the process to the last binding.
    pub(crate) fn rate_since_start(&self) -> f64 {
        per_second(self.pods, self.since_start)
    }

    /// Milliseconds of CPU time for each pod.
    pub(crate) fn cpu_per_pod(&self) -> f64 {
        self.cpu.as_secs_f64() * 1000.0 / as_f64(self.pods)
    }

    /// Milliseconds of the servers' CPU time for each pod.
    pub(crate) fn servers_per_pod(&self) -> f64 {
        self.servers.as_secs_f64() * 1000.0 / as_f64(self.pods)
    }

    /// Milliseconds of the bench's own CPU time for each pod.
    pub(crate) fn counting_per_pod(&self) -> f64 {
        self.counting.as_secs_f64() * 1000.0 / as_f64(self.pods)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, cpu) = (self.rate(), self.cpu_per_pod());
        let servers = self.servers_per_pod();
        write!(
            f,
            "{rate:.0} pods/s, {cpu:.2} ms of CPU per pod, {servers:.2} the servers', {} at most",
            self.peak_rss
        )
    }
}

fn per_second(count: usize, time: Duration) -> f64 {
    as_f64(count) / time.as_secs_f64().max(1e-3)
}

/// Counts of pods are far below what is exact.
fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
