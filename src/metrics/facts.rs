//! What is read from the core when somebody looks.

use edge_core::delay::DelaySource;
use edge_core::health::Verdict;
use edge_core::measure::AnchorInUse;
use edge_core::model::{Name, NodeName, Resources, Time};
use edge_core::placement::{NodeSlot, Profile};
use edge_core::state::{CoverCount, CoverInUse, Incoming, KnownPart, QueueLen, ReserveGap, State};
use tokio::sync::oneshot;

use super::PodAmounts;

/// Somebody looks.
#[derive(Debug)]
pub enum Query {
    /// At the metrics.
    Facts(oneshot::Sender<Box<Facts>>),
    /// At what each pod asks for; nothing is said by one who doesn't lead.
    Resources(oneshot::Sender<Option<Vec<PodAmounts>>>),
    /// At the cover there is, to find a better one; nothing is said while that is not to be changed.
    Cover {
        /// Whether that is asked for even if nobody has lost a backup.
        always: bool,
        /// To whom.
        to: oneshot::Sender<Option<CoverInUse>>,
    },
    /// At what is to be measured.
    Interest(oneshot::Sender<Interest>),
    /// At the delays that count, from some of the nodes.
    Known {
        /// The first of them.
        from: NodeSlot,
        /// How many.
        most: usize,
        /// At this time.
        now: Time,
        /// Who looks.
        to: oneshot::Sender<KnownPart>,
    },
}

/// What a plan of measurements depends on.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    /// The nodes with their UIDs.
    pub nodes: Vec<(NodeName, Name)>,
    /// The anchors that pods name.
    pub anchors: Vec<AnchorInUse>,
}

/// What the core counts.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// How many pods wait where.
    pub pending: QueueLen,
    /// How many pods came into each queue, and by what.
    pub incoming: Incoming,
    /// How many waiting pods each plugin rejected: plugin, profile, pods.
    pub unschedulable: Vec<(&'static str, String, usize)>,
    /// Nodes, pods on nodes, and of those the ones that the server has not confirmed yet.
    pub cached: [(&'static str, usize); 3],
    /// Bindings on their way.
    pub bindings: usize,
    /// Rows of delays in use.
    pub delay_rows: usize,
    /// Pairs of nodes with measurements, counted by direction and source, and the bytes that they take.
    pub measured: (usize, usize),
    /// Delay constraints of placed pods that are broken.
    pub delay_violations: usize,
    /// Nodes that are not simply alive, by what is thought of them.
    pub unwell: [(&'static str, usize); 3],
    /// Whether nothing is done about nodes that fail.
    pub frozen: bool,
    /// Pods that are being moved.
    pub moving: usize,
    /// How many pods are covered by backups, and how many should be and are not.
    pub cover: CoverCount,
    /// What is reserved, by node.
    pub reserves: Vec<(String, Resources)>,
    /// How much is reserved, and how much has to be at least, by resource.
    pub reserve_gap: Vec<ReserveGap>,
    /// What the pods that are covered request together.
    pub covered_requests: Resources,
    /// The name of the Lease, if there is an election, and whether this replica holds it.
    pub lease: Option<(String, bool)>,
}

// === impl Interest ===

impl Interest {
    /// Reads it.
    pub fn of(state: &State) -> Self {
        let nodes = state.snapshot().nodes.iter();
        let nodes = nodes.map(|view| (view.node.name.clone(), view.node.uid.clone())).collect();
        Self { nodes, anchors: state.anchors_in_use() }
    }
}

// === impl Facts ===

impl Facts {
    /// Reads them.
    pub fn of(state: &State) -> Self {
        let (pods, assumed) = state
            .cache()
            .iter()
            .fold((0, 0), |(pods, assumed), placed| (pods + 1, assumed + usize::from(!placed.confirmed)));
        let health = state.health();
        let count =
            |is: fn(&Verdict) -> bool| health.unwell.iter().filter(|(_, verdict)| is(verdict)).count();
        Self {
            pending: state.queue().len(),
            incoming: state.queue().incoming().clone(),
            unschedulable: unschedulable(state),
            cached: [("nodes", state.snapshot().nodes.len()), ("pods", pods), ("assumed_pods", assumed)],
            bindings: state.in_flight(),
            delay_rows: state.snapshot().delays.slots().count(),
            measured: measured(state),
            delay_violations: state.violations().count(),
            unwell: [
                ("suspect", count(|verdict| matches!(verdict, Verdict::Suspect { .. }))),
                ("lost", count(|verdict| verdict.is_lost())),
                ("returning", count(|verdict| matches!(verdict, Verdict::Returning { .. }))),
            ],
            frozen: health.frozen.is_some(),
            moving: state.moving(),
            cover: state.cover_count(),
            reserves: state.reserves().map(|(node, held)| (node.to_string(), held)).collect(),
            reserve_gap: state.reserve_gap().to_vec(),
            covered_requests: state.covered_requests(),
            lease: None,
        }
    }
}

fn measured(state: &State) -> (usize, usize) {
    let measured = state.snapshot().delays.measured();
    let slots =
        (0..state.snapshot().nodes.num_slots()).filter_map(|idx| u32::try_from(idx).ok().map(NodeSlot));
    let of = |slot| {
        [DelaySource::Probe, DelaySource::Goldpinger, DelaySource::File]
            .map(|source| measured.reported(source, slot).len())
            .iter()
            .sum::<usize>()
    };
    (slots.map(of).sum(), measured.size())
}

fn unschedulable(state: &State) -> Vec<(&'static str, String, usize)> {
    let mut found: Vec<(&'static str, String, usize)> = Vec::new();
    for (pod, rejected_by) in state.queue().unschedulable() {
        let Some(profile) = state.profile(&pod.scheduler_name) else { continue };
        let Profile { scheduler_name, .. } = profile;
        for enabled in profile.plugins().iter().filter(|enabled| rejected_by.contains(enabled.idx)) {
            let name = enabled.plugin.name();
            let known = found
                .iter_mut()
                .find(|(plugin, profile, _)| *plugin == name && profile.as_str() == &**scheduler_name);
            match known {
                Some((_, _, count)) => *count += 1,
                None => found.push((name, scheduler_name.to_string(), 1)),
            }
        }
    }
    found
}
