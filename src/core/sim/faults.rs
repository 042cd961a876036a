//! Which faults a run has, and how often: chosen by its seed.
//!
//! Each fault is off in half of the runs and has a random rate in the others (*swarm testing*): a run
//! with a few faults reaches states that one with all of them drowns in noise.

use std::time::Duration;

use super::agents;
use super::rng::{Permille, Rng};
use crate::delay::DelayRules;

/// The rates of all faults, and the size of the cluster they strike.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    /// Size and pace.
    pub(super) shape: Shape,
    /// Between the server's watches and the scheduler.
    pub(super) watch: WatchFaults,
    /// Between the agents that measure and the scheduler.
    pub(super) report: ReportFaults,
    /// Between the scheduler's requests and the server.
    pub(super) request: RequestFaults,
    /// In the cluster.
    pub(super) cluster: ClusterFaults,
    /// In machines and between them.
    pub(super) failure: FailureFaults,
}

/// Size and pace of a run.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// How many nodes there are at first.
    pub(super) nodes: usize,
    /// How many workloads there are at most.
    pub(super) workloads: usize,
    /// How many things happen in the cluster.
    pub(super) happenings: u64,
    /// How far apart they are at most, in milliseconds.
    pub(super) pause: u64,
    /// How many bindings may be on their way.
    pub(super) max_in_flight: usize,
    /// When waiting pods are tried again for no reason. In most runs never, so that a lost wake-up is not
    /// healed by it.
    pub(super) max_unschedulable: Duration,
    /// How often the scheduler gives up delays that it doesn't use.
    pub(super) delay_sweep: Duration,
    /// How often agents report, and what that is worth; none if nothing is measured.
    pub(super) measured: Option<(Duration, DelayRules)>,
    /// Whether pods are covered by backups.
    pub(super) covered: bool,
    /// Whether pods are moved, and less reserve is looked for.
    pub(super) moving: bool,
    /// Whether machines can fail, and somebody tells of it.
    pub(super) failing: bool,
}

/// Faults of watches. Each is so many in a thousand messages.
#[derive(Clone, Debug, Default)]
pub(super) struct WatchFaults {
    /// A message takes seconds.
    pub(super) late: Permille,
    /// A message comes twice.
    pub(super) doubled: Permille,
    /// A message comes once more long after, when newer ones of the object were delivered.
    pub(super) straggling: Permille,
    /// Messages of different objects overtake each other.
    pub(super) reordered: bool,
    /// A connection breaks, what was on its way is missed, and all objects are listed anew.
    pub(super) broken: Permille,
    /// A broken connection is taken up again from a while before it broke, without a list.
    pub(super) resumed: Permille,
}

/// Faults of reports. Each is so many in a thousand reports or rows of them.
#[derive(Clone, Debug, Default)]
pub(super) struct ReportFaults {
    /// A report takes seconds.
    pub(super) late: Permille,
    /// A report comes twice.
    pub(super) doubled: Permille,
    /// A report never comes.
    pub(super) missing: Permille,
    /// An agent doesn't get its share of CPU.
    pub(super) starved: Permille,
    /// All probes of a pair are lost.
    pub(super) lost: Permille,
    /// A pair has few samples.
    pub(super) few: Permille,
    /// It is another source that reports.
    pub(super) other_source: Permille,
}

/// Faults of requests. Each is so many in a thousand requests.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestFaults {
    /// 429: not written.
    pub(super) throttled: Permille,
    /// 500: not written.
    pub(super) error_before: Permille,
    /// 500: written.
    pub(super) error_after: Permille,
    /// No reply; written.
    pub(super) reply_lost: Permille,
    /// No reply; written only after the scheduler gave up on it.
    pub(super) written_later: Permille,
    /// No reply; never written.
    pub(super) never_written: Permille,
    /// 403: not written.
    pub(super) refused: Permille,
    /// 409 though nothing is wrong.
    pub(super) false_conflict: Permille,
    /// A pod can't be read.
    pub(super) unreadable: Permille,
    /// The scheduler dies before it writes a binding.
    pub(super) crash_before: Permille,
    /// The scheduler dies when it has sent a binding, and never hears of it.
    pub(super) crash_after: Permille,
}

/// Things that happen in the cluster, by their weight among each other.
#[derive(Clone, Debug, Default)]
pub(super) struct ClusterFaults {
    /// The scheduler dies.
    pub(super) crash: u64,
    /// A node is deleted.
    pub(super) node_removed: u64,
    /// A node's kubelet is silent, and comes back later.
    pub(super) node_silent: u64,
    /// A node is cordoned, or uncordoned.
    pub(super) cordon: u64,
    /// A node gets a taint, or loses it.
    pub(super) taint: u64,
    /// A node gets other labels.
    pub(super) node_relabelled: u64,
    /// A node's capacity changes.
    pub(super) node_resized: u64,
    /// A pod ends.
    pub(super) pod_ended: u64,
    /// A pod is deleted.
    pub(super) pod_deleted: u64,
    /// A pod gets other labels.
    pub(super) pod_relabelled: u64,
    /// A bound pod's requests change in place.
    pub(super) pod_resized: u64,
    /// Another scheduler binds a pod of ours.
    pub(super) pod_taken: u64,
    /// A workload is scaled, rolled out anew or deleted.
    pub(super) workload_changed: u64,
    /// Delays change.
    pub(super) delays_changed: u64,
    /// Delays are not known any more.
    pub(super) delays_removed: u64,
    /// The delay of a link steps.
    pub(super) link_stepped: u64,
}

/// What fails in machines and between them, by its weight among each other; and beside that a rate.
#[derive(Clone, Debug, Default)]
pub(super) struct FailureFaults {
    /// So many in a thousand of what happens in the cluster are failures.
    pub(super) share: Permille,
    /// So many probes in a thousand are lost, each by itself.
    pub(super) loss: Permille,
    /// A machine is off, or on again.
    pub(super) power: u64,
    /// A machine reaches nobody.
    pub(super) cut: u64,
    /// A machine reaches nobody for seconds, again and again.
    pub(super) flap: u64,
    /// A machine reaches all but its neighbours.
    pub(super) probes_cut: u64,
    /// A machine reaches all but the server.
    pub(super) uplink_cut: u64,
    /// Half of the machines reach only each other.
    pub(super) half_cut: u64,
    /// Those of a zone do.
    pub(super) zone_cut: u64,
    /// Many probes are lost at once.
    pub(super) storm: u64,
    /// An agent doesn't get its share of CPU.
    pub(super) starved: u64,
    /// An agent is rolled out anew.
    pub(super) rollout: u64,
    /// The server answers nobody.
    pub(super) outage: u64,
    /// The scheduler reaches nobody.
    pub(super) scheduler_cut: u64,
    /// What the scheduler is told is old.
    pub(super) stale: u64,
    /// Somebody fences a machine that is off.
    pub(super) fenced: u64,
    /// Somebody confirms that a machine is off.
    pub(super) confirmed: u64,
    /// Another scheduler fills the cluster.
    pub(super) filled: u64,
}

// === impl Faults ===

impl Faults {
    /// The faults of a run.
    pub(super) fn of(rng: &mut Rng) -> Self {
        let shape = Shape::of(rng);
        Self::of_shape(shape, rng)
    }

    /// The faults of a run of this size and pace.
    pub(super) fn of_shape(shape: Shape, rng: &mut Rng) -> Self {
        let mut rate = |most| if rng.chance(500) { rng.between(1, most) } else { 0 };
        let watch = WatchFaults {
            late: rate(300),
            doubled: rate(300),
            straggling: rate(200),
            reordered: rate(1) == 1,
            broken: rate(30),
            resumed: rate(1_000),
        };
        let request = RequestFaults {
            throttled: rate(200),
            error_before: rate(200),
            error_after: rate(200),
            reply_lost: rate(200),
            written_later: rate(200),
            never_written: rate(200),
            refused: rate(100),
            false_conflict: rate(100),
            unreadable: rate(500),
            crash_before: rate(30),
            crash_after: rate(30),
        };
        let cluster = ClusterFaults {
            crash: rate(2),
            node_removed: rate(8),
            // Where machines fail, they do so by themselves.
            node_silent: if shape.failing { 0 } else { rate(8) },
            cordon: rate(8),
            taint: rate(8),
            node_relabelled: rate(8),
            node_resized: rate(8),
            pod_ended: rate(20),
            pod_deleted: rate(20),
            pod_relabelled: rate(20),
            pod_resized: rate(8),
            pod_taken: rate(8),
            workload_changed: rate(20),
            delays_changed: rate(20),
            delays_removed: rate(20),
            link_stepped: rate(40),
        };
        let report = ReportFaults {
            late: rate(300),
            doubled: rate(300),
            missing: rate(700),
            starved: rate(200),
            lost: rate(300),
            few: rate(300),
            other_source: rate(500),
        };
        let failure = if shape.failing { FailureFaults::of(rate) } else { FailureFaults::default() };
        Self { shape, watch, report, request, cluster, failure }
    }

    /// From now on nothing goes wrong.
    pub(super) fn stop(&mut self) {
        self.watch = WatchFaults::default();
        self.report = ReportFaults::default();
        self.request = RequestFaults::default();
        self.cluster = ClusterFaults::default();
        self.failure = FailureFaults::default();
    }
}

// === impl FailureFaults ===

impl FailureFaults {
    /// Failures, by who draws their rates.
    fn of(mut rate: impl FnMut(u64) -> u64) -> Self {
        Self {
            share: 100,
            loss: rate(200),
            power: 8 + rate(8),
            cut: rate(8),
            flap: rate(20),
            probes_cut: rate(8),
            uplink_cut: rate(8),
            half_cut: rate(4),
            zone_cut: rate(4),
            storm: rate(4),
            starved: rate(8),
            rollout: rate(8),
            outage: rate(4),
            scheduler_cut: rate(4),
            stale: rate(8),
            fenced: rate(8),
            confirmed: rate(8),
            filled: rate(8),
        }
    }
}

// === impl Shape ===

impl Shape {
    fn of(rng: &mut Rng) -> Self {
        // Failures are for the long runs.
        Self::of_kind(false, rng)
    }

    /// Of a run in which machines fail.
    pub(super) fn of_failing(rng: &mut Rng) -> Self {
        Self::of_kind(true, rng)
    }

    fn of_kind(failing: bool, rng: &mut Rng) -> Self {
        // Slow runs last long enough for the timers of minutes to fire, and failures take their time.
        let pause =
            if failing || rng.chance(100) { rng.between(2_000, 20_000) } else { rng.between(20, 1_500) };
        let never = Duration::from_hours(24);
        Self {
            nodes: rng.below(6) + 2,
            workloads: rng.below(8) + 2,
            happenings: if failing { rng.between(10, 60) } else { rng.between(20, 250) },
            pause,
            max_in_flight: if rng.chance(300) { rng.below(4) + 1 } else { 100 },
            max_unschedulable: if rng.chance(125) { Duration::from_mins(5) } else { never },
            delay_sweep: Duration::from_secs(if rng.chance(500) { rng.between(1, 20) } else { 300 }),
            measured: rng.chance(400).then(|| (Duration::from_secs(rng.between(1, 15)), agents::rules(rng))),
            // That is for the long runs.
            covered: false,
            moving: false,
            failing,
        }
    }
}
