//! The scheduler's metrics (upstream: `pkg/scheduler/metrics/metrics.go`).

use edge_core::cover::Kind;
use edge_core::model::{Resources, Time};
use edge_core::placement::{Point, PointStatus};
use edge_core::state::{
    Announcement, CoverCount, Evicted, MoveNotice, MoveTurn, Preemption, Report, ReportReason, ReserveGap,
};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};

use super::family::Stability::{Alpha, Beta, Stable};
use super::family::{Families, buckets};
use super::{Facts, MetricsError};
use crate::cluster::shortfall;

/// From so many attempts on they are not told apart.
const MANY_ATTEMPTS: u32 = 15;

/// The scheduler's metrics.
#[derive(Clone)]
pub struct SchedulerMetrics {
    attempts: IntCounterVec,
    attempt_duration: HistogramVec,
    algorithm_duration: Histogram,
    point_duration: HistogramVec,
    evaluations: IntCounterVec,
    pod_attempts: Histogram,
    sli_duration: HistogramVec,
    preemption_victims: Histogram,
    preemption_attempts: IntCounter,
    pending: IntGaugeVec,
    incoming: IntCounterVec,
    unschedulable: IntGaugeVec,
    running: IntGaugeVec,
    cached: IntGaugeVec,
    leads: IntGaugeVec,
    delay_rows: IntGaugeVec,
    measured_pairs: IntGaugeVec,
    measured_bytes: IntGaugeVec,
    delay_violations: IntGaugeVec,
    unwell: IntGaugeVec,
    frozen: IntGaugeVec,
    failovers: IntCounterVec,
    moves: IntCounterVec,
    moving: IntGaugeVec,
    backup_pods: IntGaugeVec,
    backup_reserved: IntGaugeVec,
    backup_covered: IntGaugeVec,
    backup_needed: IntGaugeVec,
    backup_bound: IntGaugeVec,
    backup_gap: IntGaugeVec,
    undecodable: IntCounterVec,
    forbidden: IntGaugeVec,
}

// === impl SchedulerMetrics ===

impl SchedulerMetrics {
    #[expect(clippy::too_many_lines, reason = "a list")]
    pub(super) fn new(families: &Families) -> Result<Self, MetricsError> {
        // Nobody waits on permit yet, so no value of it is shown, as upstream.
        families.histograms(
            "scheduler_permit_wait_duration_seconds",
            Beta,
            "Duration of waiting on permit.",
            &["result"],
            buckets(0.001, 2.0, 15)?,
        )?;
        Ok(Self {
            attempts: families.counters(
                "scheduler_schedule_attempts_total",
                Stable,
                "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be \
                 scheduled, while 'error' means an internal scheduler problem.",
                &["result", "profile"],
            )?,
            attempt_duration: families.histograms(
                "scheduler_scheduling_attempt_duration_seconds",
                Stable,
                "Scheduling attempt latency in seconds (scheduling algorithm + binding)",
                &["result", "profile"],
                buckets(0.001, 2.0, 15)?,
            )?,
            algorithm_duration: families.histogram(
                "scheduler_scheduling_algorithm_duration_seconds",
                Alpha,
                "Scheduling algorithm latency in seconds",
                buckets(0.001, 2.0, 15)?,
            )?,
            point_duration: families.histograms(
                "scheduler_framework_extension_point_duration_seconds",
                Stable,
                "Latency for running all plugins of a specific extension point.",
                &["extension_point", "status", "profile"],
                buckets(0.0001, 2.0, 12)?,
            )?,
            evaluations: families.counters(
                "scheduler_plugin_evaluation_total",
                Beta,
                "Number of attempts to schedule pods by each plugin and the extension point (available only in \
                 PreFilter, Filter, PreScore, and Score).",
                &["plugin", "extension_point", "profile"],
            )?,
            pod_attempts: families.histogram(
                "scheduler_pod_scheduling_attempts",
                Stable,
                "Number of attempts to successfully schedule a pod.",
                buckets(1.0, 2.0, 5)?,
            )?,
            sli_duration: families.histograms(
                "scheduler_pod_scheduling_sli_duration_seconds",
                Beta,
                "E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and \
                 might involve multiple scheduling attempts.",
                &["attempts"],
                buckets(0.01, 2.0, 20)?,
            )?,
            preemption_victims: families.histogram(
                "scheduler_preemption_victims",
                Stable,
                "Number of selected preemption victims",
                buckets(1.0, 2.0, 7)?,
            )?,
            preemption_attempts: families.counter(
                "scheduler_preemption_attempts_total",
                Stable,
                "Total preemption attempts in the cluster till now",
            )?,
            pending: families.gauges(
                "scheduler_pending_pods",
                Stable,
                "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; 'backoff' \
                 means number of pods in backoffQ; 'unschedulable' means number of pods in unschedulablePods that \
                 the scheduler attempted to schedule and failed; 'gated' is the number of unschedulable pods that \
                 the scheduler never attempted to schedule because they are gated.",
                &["queue"],
            )?,
            incoming: families.counters(
                "scheduler_queue_incoming_pods_total",
                Stable,
                "Number of pods added to scheduling queues by event and queue type.",
                &["queue", "event"],
            )?,
            unschedulable: families.gauges(
                "scheduler_unschedulable_pods",
                Beta,
                "The number of unschedulable pods broken down by plugin name. A pod will increment the gauge for \
                 all plugins that caused it to not schedule and so this metric have meaning only when broken down \
                 by plugin.",
                &["plugin", "profile"],
            )?,
            running: families.gauges(
                "scheduler_goroutines",
                Beta,
                "Number of running goroutines split by the work they do such as binding.",
                &["operation"],
            )?,
            cached: families.gauges(
                "scheduler_cache_size",
                Alpha,
                "Number of nodes, pods, and assumed (bound) pods in the scheduler cache.",
                &["type"],
            )?,
            leads: families.gauges(
                "leader_election_master_status",
                Alpha,
                "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates \
                 master. 'name' is the string used to identify the lease. Please make sure to group by name.",
                &["name"],
            )?,
            delay_rows: families.gauges(
                "edge_scheduler_delay_rows",
                Alpha,
                "Number of nodes from which delays are kept, because a pod is bound by them.",
                &[],
            )?,
            measured_pairs: families.gauges(
                "edge_scheduler_measured_pairs",
                Alpha,
                "Number of pairs of nodes with measurements, by direction and source.",
                &[],
            )?,
            measured_bytes: families.gauges(
                "edge_scheduler_measured_bytes",
                Alpha,
                "Bytes of memory that measurements take.",
                &[],
            )?,
            delay_violations: families.gauges(
                "edge_scheduler_delay_violations",
                Alpha,
                "Number of delay constraints of placed pods that are broken.",
                &[],
            )?,
            unwell: families.gauges(
                "edge_scheduler_unwell_nodes",
                Alpha,
                "Number of nodes that are not simply alive, by what is thought of them.",
                &["verdict"],
            )?,
            frozen: families.gauges(
                "edge_scheduler_failover_frozen",
                Alpha,
                "1 while no pod is taken off a failed node, because so much fails that it may be us.",
                &[],
            )?,
            failovers: families.counters(
                "edge_scheduler_failovers_total",
                Alpha,
                "Number of pods that were taken off failed nodes, by result.",
                &["result"],
            )?,
            moves: families.counters(
                "edge_scheduler_moves_total",
                Alpha,
                "Number of pods that were evicted to be made anew elsewhere, or should have been, by why and result.",
                &["reason", "result"],
            )?,
            moving: families.gauges(
                "edge_scheduler_moving_pods",
                Alpha,
                "Number of pods that are being moved.",
                &[],
            )?,
            backup_pods: families.gauges(
                "edge_scheduler_backup_pods",
                Alpha,
                "Number of placed pods that are to have a backup, by whether all that it takes is reserved.",
                &["state"],
            )?,
            backup_reserved: families.gauges(
                "edge_scheduler_backup_reserved",
                Alpha,
                "What backups hold on a node, in thousandths of a core, bytes, or the resource's own unit.",
                &["node", "resource"],
            )?,
            backup_covered: families.gauges(
                "edge_scheduler_backup_covered",
                Alpha,
                "What the pods that have a backup request together, in thousandths of a core, bytes, or the resource's own unit.",
                &["resource"],
            )?,
            backup_needed: families.gauges(
                "edge_scheduler_backup_needed",
                Alpha,
                "What was to be reserved on all nodes together when less was last looked for, by resource.",
                &["resource"],
            )?,
            backup_bound: families.gauges(
                "edge_scheduler_backup_bound",
                Alpha,
                "What has to be reserved at least, whatever backups and the pods that may move are where: the lower bound of then.",
                &["resource"],
            )?,
            backup_gap: families.gauges(
                "edge_scheduler_backup_gap_permille",
                Alpha,
                "By how much the former is over the latter, in thousandths of it.",
                &["resource"],
            )?,
            undecodable: families.counters(
                "edge_scheduler_undecodable_objects_total",
                Alpha,
                "Number of readings of objects that could not be understood and were skipped, by kind.",
                &["kind"],
            )?,
            forbidden: families.gauges(
                "edge_scheduler_missing_permission",
                Alpha,
                "1 for each resource without whose optional permission the scheduler goes on.",
                &["resource"],
            )?,
        })
    }

    /// A pod was bound, by now.
    pub fn bound(&self, announcement: &Announcement, now: Time) {
        let Announcement { scheduler_name, attempts, first_tried, tried, .. } = announcement;
        self.attempt_ended("scheduled", scheduler_name, now.since(*tried).as_secs_f64());
        self.pod_attempts.observe(f64::from(*attempts));
        let label =
            if *attempts >= MANY_ATTEMPTS { format!("{MANY_ATTEMPTS}+") } else { attempts.to_string() };
        self.sli_duration.with_label_values(&[&label]).observe(now.since(*first_tried).as_secs_f64());
    }

    /// A pod was not bound, by now.
    pub fn failed(&self, report: &Report, now: Time) {
        let result = match report.reason {
            ReportReason::Unschedulable => "unschedulable",
            ReportReason::SchedulerError => "error",
        };
        self.attempt_ended(result, &report.scheduler_name, now.since(report.tried).as_secs_f64());
    }

    /// Pods are taken away for another.
    pub fn preempted(&self, preemption: &Preemption) {
        let victims = u32::try_from(preemption.victims.len()).unwrap_or(u32::MAX);
        self.preemption_victims.observe(f64::from(victims));
    }

    fn attempt_ended(&self, result: &str, profile: &str, seconds: f64) {
        self.attempts.with_label_values(&[result, profile]).inc();
        self.attempt_duration.with_label_values(&[result, profile]).observe(seconds);
    }

    pub(super) fn judged(&self, seconds: f64) {
        self.algorithm_duration.observe(seconds);
    }

    pub(super) fn point_ended(&self, point: Point, status: PointStatus, profile: &str, seconds: f64) {
        if point == Point::PostFilter {
            self.preemption_attempts.inc();
        }
        let labels = [point.name(), status.name(), profile];
        self.point_duration.with_label_values(&labels).observe(seconds);
    }

    pub(super) fn asked(&self, plugin: &str, point: Point, profile: &str, times: usize) {
        let labels = [plugin, point.name(), profile];
        self.evaluations.with_label_values(&labels).inc_by(u64::try_from(times).unwrap_or(u64::MAX));
    }

    /// A pod was taken off a failed node, or is to stay there.
    pub fn evicted(&self, evicted: &Evicted) {
        let result = if evicted.refused.is_some() { "refused" } else { "evicted" };
        self.failovers.with_label_values(&[result]).inc();
    }

    /// A pod is moved, or is not though it should be.
    pub fn moved(&self, notice: &MoveNotice) {
        let result = match notice.turn {
            MoveTurn::Moved { .. } => "evicted",
            MoveTurn::Refused(_) => "refused",
            MoveTurn::Stays(_) => "not_movable",
            MoveTurn::Nowhere(_) => "no_better_node",
        };
        self.moves.with_label_values(&[notice.reason.as_str(), result]).inc();
    }

    /// Takes over what is read when somebody looks.
    pub(super) fn set(&self, facts: &Facts) {
        let Facts {
            pending,
            incoming,
            unschedulable,
            cached,
            bindings,
            delay_rows,
            measured: (measured_pairs, measured_bytes),
            delay_violations,
            unwell,
            frozen,
            moving,
            cover,
            reserves,
            reserve_gap,
            covered_requests,
            lease,
        } = facts;
        let set = |gauges: &IntGaugeVec, labels: &[&str], value: usize| {
            gauges.with_label_values(labels).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        let queues = [
            ("active", pending.active),
            ("backoff", pending.backoff),
            ("unschedulable", pending.unschedulable),
            ("gated", pending.gated),
        ];
        for (queue, pods) in queues {
            set(&self.pending, &[queue], pods);
        }
        for ((queue, event), count) in incoming {
            let counter = self.incoming.with_label_values(&[queue, event]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
        self.unschedulable.reset();
        for (plugin, profile, pods) in unschedulable {
            set(&self.unschedulable, &[plugin, profile], *pods);
        }
        for (kind, count) in cached {
            set(&self.cached, &[kind], *count);
        }
        set(&self.running, &["binding"], *bindings);
        set(&self.delay_rows, &[], *delay_rows);
        set(&self.measured_pairs, &[], *measured_pairs);
        set(&self.measured_bytes, &[], *measured_bytes);
        set(&self.delay_violations, &[], *delay_violations);
        for (verdict, nodes) in unwell {
            set(&self.unwell, &[verdict], *nodes);
        }
        set(&self.frozen, &[], usize::from(*frozen));
        set(&self.moving, &[], *moving);
        self.set_cover(*cover, reserves, covered_requests);
        self.set_gap(reserve_gap);
        if let Some((name, leads)) = lease {
            set(&self.leads, &[name], usize::from(*leads));
        }
        for (kind, count) in shortfall::undecodable() {
            let counter = self.undecodable.with_label_values(&[kind]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
        self.forbidden.reset();
        for resource in shortfall::forbidden() {
            set(&self.forbidden, &[resource], 1);
        }
    }

    fn set_cover(&self, cover: CoverCount, reserves: &[(String, Resources)], covered_requests: &Resources) {
        for (state, pods) in [("covered", cover.covered), ("uncovered", cover.uncovered)] {
            self.backup_pods.with_label_values(&[state]).set(i64::try_from(pods).unwrap_or(i64::MAX));
        }
        self.backup_reserved.reset();
        for (node, held) in reserves {
            for (resource, amount) in amounts(held) {
                self.backup_reserved.with_label_values(&[node, resource]).set(amount);
            }
        }
        self.backup_covered.reset();
        for (resource, amount) in amounts(covered_requests) {
            self.backup_covered.with_label_values(&[resource]).set(amount);
        }
    }

    fn set_gap(&self, gaps: &[ReserveGap]) {
        for family in [&self.backup_needed, &self.backup_bound, &self.backup_gap] {
            family.reset();
        }
        for ReserveGap { kind, reserved, bound } in gaps {
            let resource = match kind {
                Kind::Cpu => "cpu",
                Kind::Memory => "memory",
                Kind::EphemeralStorage => "ephemeral_storage",
                Kind::Scalar(name) => name.as_str(),
            };
            self.backup_needed.with_label_values(&[resource]).set(*reserved);
            self.backup_bound.with_label_values(&[resource]).set(*bound);
            let over = i128::from(*reserved) - i128::from(*bound);
            let gap = (over * 1_000).checked_div(i128::from(*bound)).unwrap_or(0);
            self.backup_gap.with_label_values(&[resource]).set(i64::try_from(gap).unwrap_or(i64::MAX));
        }
    }
}

/// The amounts of resources, by their names in metrics.
fn amounts(resources: &Resources) -> impl Iterator<Item = (&str, i64)> {
    let Resources { cpu, memory, ephemeral_storage, scalars } = resources;
    let plain = [("cpu", cpu.0), ("memory", memory.0), ("ephemeral_storage", ephemeral_storage.0)];
    plain.into_iter().chain(scalars.iter().map(|(name, amount)| (name.as_str(), *amount)))
}
