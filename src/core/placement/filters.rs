//! PreFilter and Filter (upstream: `pkg/scheduler/framework/runtime/framework.go`).

use std::collections::BTreeSet;

use super::memory::{Column, Recollection};
use super::{
    Cycle, Diagnosis, Enabled, NodeFilter, NodeSlot, NodeView, Observer, Placement, PluginSet, Point,
    PointStatus, PreFilter, Profile, Reason, Rejection, Resolvable, Revision, Trial, Verdict,
};
use crate::model::NodeName;

/// The checks of all plugins that have something to check for the pod.
pub(super) struct Filters<'a> {
    pub(super) cycle: Cycle<'a>,
    /// In the order of Filter, each with its plugin's place in the registry.
    pub(super) checks: Vec<(usize, Box<dyn NodeFilter + 'a>)>,
    /// Those of plugins that are asked at PreFilter but not at Filter.
    unasked: Vec<(usize, Box<dyn NodeFilter + 'a>)>,
    /// The plugins that were asked at PreFilter.
    pub(super) asked: PluginSet,
    narrowed: Option<Narrowed>,
}

/// The only nodes that are looked at.
#[derive(Default)]
struct Narrowed {
    /// Their names; some may be of no node.
    names: BTreeSet<NodeName>,
    /// The plugins that named them, by their place in the registry.
    by: PluginSet,
    /// The names of those plugins, sorted for the message.
    plugins: BTreeSet<&'static str>,
}

/// The checks, of which those that are local are asked only if their word is not remembered.
struct Recall<'r, 'a> {
    filters: &'r Filters<'a>,
    /// The places of the local ones among the checks, and of the others.
    local: Vec<usize>,
    other: Vec<usize>,
    known: &'r mut Column<Option<u8>>,
}

/// What PreFilter came to.
pub(super) enum Prepared<'a> {
    /// Nodes are to be checked with these.
    Filters(Filters<'a>),
    /// No node fits, whatever it is like.
    Rejected(Filters<'a>, Diagnosis),
    /// Delays from these nodes have to be loaded first.
    AwaitDelays(Vec<NodeName>),
}

/// PreFilter (upstream: `frameworkImpl.RunPreFilterPlugins`).
///
/// A rejection that preemption can't cure ends it. After one that it may cure the other plugins are
/// still asked, because one of them may know that it can't; of several such the last is reported.
pub(super) fn prepare<'a>(cycle: Cycle<'a>, profile: &'a Profile) -> Prepared<'a> {
    let mut filters = Filters {
        cycle,
        checks: Vec::new(),
        unasked: Vec::new(),
        asked: PluginSet::default(),
        narrowed: None,
    };
    if let Some(unsupported) = cycle.pod.unsupported {
        return filters.reject(PluginSet::default(), Rejection::unresolvable(unsupported));
    }
    let mut awaited = Vec::new();
    let mut rejected = None;
    for Enabled { idx, plugin, weight: _ } in profile.preparing() {
        filters.asked.insert(*idx);
        match plugin.pre_filter(cycle) {
            PreFilter::Skip => (),
            PreFilter::Check(check) => filters.add(profile, *idx, check),
            PreFilter::Narrow(names, check) => {
                filters.add(profile, *idx, check);
                let narrowed = filters.narrow(*idx, plugin.name(), names);
                if narrowed.names.is_empty() {
                    let (by, rejection) = (narrowed.by, narrowed.rejection());
                    return filters.reject(by, rejection);
                }
            }
            PreFilter::Reject(rejection) => match rejection.resolvable {
                Resolvable::No => return filters.reject(PluginSet::of(*idx), rejection),
                Resolvable::ByPreemption => rejected = Some((*idx, rejection)),
            },
            PreFilter::AwaitDelays(nodes) => awaited.extend(nodes),
        }
    }
    match rejected {
        _ if !awaited.is_empty() => Prepared::AwaitDelays(awaited),
        None => Prepared::Filters(filters.in_order(profile)),
        Some((idx, rejection)) => {
            let mut plugins = filters.narrowed.as_ref().map(|narrowed| narrowed.by).unwrap_or_default();
            plugins.insert(idx);
            filters.in_order(profile).reject(plugins, rejection)
        }
    }
}

// === impl Prepared ===

impl Prepared<'_> {
    /// Tells how PreFilter ended, and which plugins were asked.
    pub(super) fn tell(&self, profile: &Profile, observer: &mut dyn Observer) {
        let status = match self {
            Self::Filters(filters) => {
                for (plugin, _) in filters.checks.iter().chain(&filters.unasked) {
                    observer.asked(profile.name_of(*plugin), Point::PreFilter, 1);
                }
                PointStatus::Success
            }
            Self::AwaitDelays(_) => PointStatus::Wait,
            Self::Rejected(_, diagnosis) => match &diagnosis.pre_filter {
                Some(Rejection { resolvable: Resolvable::ByPreemption, .. }) => PointStatus::Unschedulable,
                Some(_) | None => PointStatus::UnschedulableAndUnresolvable,
            },
        };
        observer.ended(Point::PreFilter, status);
    }
}

// === impl Filters ===

impl<'a> Filters<'a> {
    fn add(&mut self, profile: &Profile, plugin: usize, check: Box<dyn NodeFilter + 'a>) {
        match profile.rank(Point::Filter, plugin) {
            Some(_) => self.checks.push((plugin, check)),
            None => self.unasked.push((plugin, check)),
        }
    }

    /// With the checks in the order of Filter, which may not be that of PreFilter.
    fn in_order(mut self, profile: &Profile) -> Self {
        self.checks.sort_by_key(|(plugin, _)| profile.rank(Point::Filter, *plugin));
        self
    }

    /// PreFilter rejects the pod.
    fn reject(self, plugins: PluginSet, rejection: Rejection) -> Prepared<'a> {
        let diagnosis = Diagnosis { pre_filter: Some(rejection), plugins, ..Diagnosis::default() };
        Prepared::Rejected(self, diagnosis)
    }

    fn narrow(&mut self, idx: usize, plugin: &'static str, names: Vec<NodeName>) -> &Narrowed {
        let names = names.into_iter();
        let names = match self.narrowed.take() {
            None => Narrowed { names: names.collect(), ..Narrowed::default() },
            Some(narrowed) => {
                let names = names.filter(|name| narrowed.names.contains(name)).collect();
                Narrowed { names, ..narrowed }
            }
        };
        let narrowed = self.narrowed.insert(names);
        narrowed.by.insert(idx);
        narrowed.plugins.insert(plugin);
        narrowed
    }

    /// Calls `look` on every node that PreFilter left in; how many there are.
    pub(super) fn for_each_node(&self, look: impl FnMut(NodeView<'_>)) -> usize {
        let snapshot = self.cycle.snapshot;
        match &self.narrowed {
            None => {
                snapshot.nodes.iter().for_each(look);
                snapshot.nodes.len()
            }
            Some(narrowed) => {
                let named = narrowed.names.iter().filter_map(|name| snapshot.nodes.find(name.as_str()));
                named.map(look).count()
            }
        }
    }

    /// Calls `look` on every node that may fit as far as one check says of all at once. Which check that is, and how many
    /// nodes it rejects so; none if no check does.
    fn for_each_in_reach(&self, mut look: impl FnMut(NodeSlot, Revision)) -> Option<(usize, usize)> {
        let nodes = &self.cycle.snapshot.nodes;
        let mut checks = self.checks.iter().enumerate();
        let Some((at, reach)) = checks.find_map(|(at, (_, check))| Some((at, check.reach()?))) else {
            nodes.revisions().for_each(|(slot, revision)| look(slot, revision));
            return None;
        };
        let reached = reach.into_iter().filter_map(|slot| Some((slot, nodes.revision(slot)?)));
        let reached = reached.map(|(slot, revision)| look(slot, revision)).count();
        Some((at, nodes.len().saturating_sub(reached)))
    }

    /// With this plugin not asked at Filter, only at Reserve.
    pub(super) fn not_asking(mut self, profile: &Profile, plugin: &str) -> Self {
        let checks = std::mem::take(&mut self.checks).into_iter();
        let (unasked, checks): (Vec<_>, Vec<_>) =
            checks.partition(|(idx, _)| profile.name_of(*idx) == plugin);
        self.checks = checks;
        self.unasked.extend(unasked);
        self
    }

    /// Whether PreFilter left a node in.
    pub(super) fn leave_in(&self, node: NodeView<'_>) -> bool {
        self.narrowed.as_ref().is_none_or(|narrowed| narrowed.names.contains(&node.node.name))
    }

    /// What this plugin checks for the pod, if anything.
    pub(super) fn check_of(&self, plugin: usize) -> Option<&dyn NodeFilter> {
        let mut checks = self.checks.iter().chain(&self.unasked);
        checks.find(|(idx, _)| *idx == plugin).map(|(_, check)| check.as_ref())
    }

    /// Reserve.
    pub(super) fn reserve(&self, profile: &Profile, node: NodeView<'_>, feasible: usize) -> Placement {
        let checks = |point| profile.at(point).iter().filter_map(|enabled| self.check_of(enabled.idx));
        let annotations = checks(Point::Reserve).flat_map(|check| check.reserve(node)).collect();
        let volumes = checks(Point::PreBind).find_map(|check| check.volume_plan(node));
        Placement { slot: node.slot, node: node.node.name.clone(), feasible, annotations, volumes }
    }

    /// Which of the checks rejects the node first, if any does. Room is left for nominated pods that go first.
    fn rejected_at(&self, node: NodeView<'_>) -> Option<usize> {
        if !self.leaves_room_on(node.slot) {
            return self.checks.iter().position(|(_, check)| !check.admits(node));
        }
        let (plugin, _) = Trial::of(self, node).judge().err()?;
        self.checks.iter().position(|(idx, _)| *idx == plugin)
    }

    /// The same, and by which plugin and why.
    pub(super) fn judge(&self, node: NodeView<'_>) -> Result<(), (usize, Rejection)> {
        if self.leaves_room_on(node.slot) {
            return Trial::of(self, node).judge();
        }
        for (idx, check) in &self.checks {
            if let Verdict::Rejected(rejection) = check.filter(node) {
                return Err((*idx, rejection));
            }
        }
        Ok(())
    }

    /// Which plugin left nodes out before they were asked, and what is said of them; none if none did.
    pub(super) fn left_out(&self) -> Option<(&'static str, Rejection)> {
        let narrowed = self.narrowed.as_ref()?;
        Some((narrowed.plugins.first().copied()?, narrowed.left_out()))
    }

    fn leaves_room_on(&self, slot: NodeSlot) -> bool {
        let Cycle { pod, snapshot, .. } = self.cycle;
        !snapshot.nominations.is_empty() && snapshot.nominations.ahead_of(pod, slot).next().is_some()
    }
}

// === impl Recall ===

impl<'r, 'a> Recall<'r, 'a> {
    fn new(filters: &'r Filters<'a>, recollection: &'r mut Recollection) -> Self {
        let is_local = |at: &usize| filters.checks.get(*at).is_some_and(|(_, check)| check.is_local());
        let (local, other): (Vec<usize>, Vec<usize>) = (0..filters.checks.len()).partition(is_local);
        let mut judges = PluginSet::default();
        for (plugin, _) in local.iter().filter_map(|at| filters.checks.get(*at)) {
            judges.insert(*plugin);
        }
        Self { filters, local, other, known: recollection.judged_by(judges) }
    }

    /// As [`Filters::rejected_at`].
    fn rejected_at(&mut self, slot: NodeSlot, revision: Revision) -> Option<usize> {
        let filters = self.filters;
        let nodes = &filters.cycle.snapshot.nodes;
        if filters.leaves_room_on(slot) {
            return filters.rejected_at(nodes.get(slot)?);
        }
        let Some(known) = self.known.get(slot, revision) else {
            let at = filters.rejected_at(nodes.get(slot)?);
            let first = at.and_then(|at| self.local.iter().position(|local| *local == at));
            // Where another check comes first, the local ones after it were not asked.
            if at.is_none() || first.is_some() {
                self.known.put(slot, revision, first.and_then(|first| u8::try_from(first).ok()));
            }
            return at;
        };
        let known = known.and_then(|first| self.local.get(usize::from(first))).copied();
        let mut before = self.other.iter().copied().take_while(|at| known.is_none_or(|known| *at < known));
        let rejects = |at: &usize| {
            let check = filters.checks.get(*at);
            check.zip(nodes.get(slot)).is_some_and(|((_, check), node)| !check.admits(node))
        };
        before.find(rejects).or(known)
    }
}

// === impl Narrowed ===

impl Narrowed {
    /// What is said of the pod where no name is left.
    fn rejection(&self) -> Rejection {
        let text = match self.plugins.first() {
            Some(plugin) if self.plugins.len() == 1 => format!("node(s) didn't satisfy plugin {plugin}"),
            _ => format!("node(s) didn't satisfy plugin(s) [{}] simultaneously", self.plugin_list()),
        };
        Rejection::unresolvable(Reason::said(text))
    }

    /// What is said of each node that is not looked at.
    fn left_out(&self) -> Rejection {
        let text = format!("node(s) didn't satisfy plugin(s) [{}]", self.plugin_list());
        Rejection::unresolvable(Reason::said(text))
    }

    fn plugin_list(&self) -> String {
        self.plugins.iter().copied().collect::<Vec<_>>().join(" ")
    }
}

/// Filter, over every node. The node that the pod is nominated to is tried first, alone: it is likely the
/// only one that fits (upstream: `evaluateNominatedNode`).
pub(super) fn find_feasible(filters: &Filters<'_>) -> Vec<NodeSlot> {
    find_feasible_counted(filters, None).0
}

/// The same, and tells how often each plugin was asked.
pub(super) fn find_feasible_observed(
    profile: &Profile,
    filters: &Filters<'_>,
    recollection: Option<&mut Recollection>,
    observer: &mut dyn Observer,
) -> Vec<NodeSlot> {
    let (feasible, rejected) = find_feasible_counted(filters, recollection);
    // Each node that came as far as a check was either rejected there or later, or is feasible.
    let mut asked = feasible.len() + rejected.iter().sum::<usize>();
    for ((plugin, _), rejected) in filters.checks.iter().zip(rejected) {
        observer.asked(profile.name_of(*plugin), Point::Filter, asked);
        asked -= rejected;
    }
    feasible
}

/// The feasible nodes, and how many others each check rejected first.
fn find_feasible_counted(
    filters: &Filters<'_>,
    recollection: Option<&mut Recollection>,
) -> (Vec<NodeSlot>, Vec<usize>) {
    let Cycle { pod, snapshot, .. } = filters.cycle;
    let mut rejected = vec![0; filters.checks.len()];
    let nominated = snapshot.nominations.of(&pod.uid).and_then(|slot| snapshot.nodes.get(slot));
    if let Some(node) = nominated.filter(|node| filters.rejected_at(*node).is_none()) {
        return (vec![node.slot], rejected);
    }
    let mut feasible = Vec::new();
    let mut note = |slot: NodeSlot, at: Option<usize>| match at.and_then(|at| rejected.get_mut(at)) {
        None => feasible.push(slot),
        Some(rejected) => *rejected += 1,
    };
    let out_of_reach = match recollection {
        _ if filters.narrowed.is_some() => {
            filters.for_each_node(|node| note(node.slot, filters.rejected_at(node)));
            None
        }
        Some(recollection) => {
            let mut recall = Recall::new(filters, recollection);
            filters.for_each_in_reach(|slot, revision| note(slot, recall.rejected_at(slot, revision)))
        }
        None => filters.for_each_in_reach(|slot, _| {
            if let Some(node) = snapshot.nodes.get(slot) {
                note(slot, filters.rejected_at(node));
            }
        }),
    };
    if let Some((at, nodes)) = out_of_reach
        && let Some(rejected) = rejected.get_mut(at)
    {
        *rejected += nodes;
    }
    (feasible, rejected)
}

/// Filter, over every node again, for a pod that fits nowhere: what each node was rejected for.
pub(super) fn diagnose(filters: &Filters<'_>) -> Diagnosis {
    let mut diagnosis = Diagnosis::default();
    let looked_at = filters.for_each_node(|node| {
        if let Err((idx, rejection)) = filters.judge(node) {
            diagnosis.plugins.insert(idx);
            diagnosis.note(node.slot, rejection);
        }
    });
    if let Some(narrowed) = &filters.narrowed {
        diagnosis.plugins = diagnosis.plugins.union(narrowed.by);
        let left_out = filters.cycle.snapshot.nodes.len() - looked_at;
        diagnosis.left_out = Some((narrowed.left_out(), left_out));
    }
    diagnosis
}
