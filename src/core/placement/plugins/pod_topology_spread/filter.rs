//! Filter (upstream: `plugins/podtopologyspread/filtering.go`).

use std::rc::Rc;

use super::PodTopologySpread;
use super::constraint::{Constraint, constraints};
use crate::model::{Pod, WhenUnsatisfiable};
use crate::placement::{Cycle, Domain, NodeFilter, NodeView, Reason, Rejection, Verdict};

const NO_LABEL: Reason =
    Reason::Fixed("node(s) didn't match pod topology spread constraints (missing required label)");
const TOO_UNEVEN: Reason = Reason::Fixed("node(s) didn't match pod topology spread constraints");

/// The constraints that have to be kept.
#[derive(Clone)]
pub(super) struct Check<'a> {
    cycle: Cycle<'a>,
    found: Rc<Vec<Spread<'a>>>,
    /// Pods that are thought to be on nodes or not.
    changes: Vec<Change>,
}

/// How pods are spread over the domains of a constraint.
struct Spread<'a> {
    constraint: Constraint<'a>,
    /// How many pods of the pod's own kind come with the pod: 1 if it is one of those that count.
    selfs: i64,
    /// How many pods are in each domain; none for domains that don't count.
    by_domain: Vec<Option<i64>>,
    num_domains: i64,
    /// The two domains with the fewest pods.
    emptiest: [Option<(Domain, i64)>; 2],
}

/// A change of the number of pods in one domain of the constraint at an index.
#[derive(Clone)]
struct Change {
    constraint: usize,
    domain: Domain,
    by: i64,
}

// === impl Check ===

impl<'a> Check<'a> {
    /// What there is to check for the pod, if anything.
    pub(super) fn of(plugin: &'a PodTopologySpread, cycle: Cycle<'a>) -> Option<Self> {
        let constraints = constraints(plugin, cycle, WhenUnsatisfiable::DoNotSchedule);
        if constraints.is_empty() {
            return None;
        }
        let mut spreads: Vec<Spread<'_>> =
            constraints.into_iter().map(|constraint| Spread::new(constraint, cycle)).collect();
        let by_slot: Vec<Vec<i64>> =
            spreads.iter().map(|spread| spread.constraint.count_by_slot(cycle)).collect();
        for node in cycle.snapshot.nodes.iter() {
            if !has_all_labels(&spreads, node) {
                continue;
            }
            for (spread, by_slot) in spreads.iter_mut().zip(&by_slot) {
                if spread.constraint.includes(cycle.pod, node.node) {
                    spread.add(node, by_slot.get(node.slot.idx()).copied().unwrap_or(0));
                }
            }
        }
        for spread in &mut spreads {
            spread.find_emptiest();
        }
        Some(Self { cycle, found: Rc::new(spreads), changes: Vec::new() })
    }

    /// Tries out what would be with so many more pods such as `pod` on a node. As upstream, a pod that is
    /// ending counts here.
    fn change(&mut self, pod: &Pod, node: NodeView<'_>, by: i64) {
        let judged = self.cycle.pod;
        if pod.key.namespace != judged.key.namespace || !has_all_labels(&self.found, node) {
            return;
        }
        for (idx, Spread { constraint, .. }) in self.found.iter().enumerate() {
            if !constraint.selector.matches(&pod.labels) || !constraint.includes(judged, node.node) {
                continue;
            }
            let Some(domain) = constraint.topology.of(node.slot) else { continue };
            let same = |change: &&mut Change| change.constraint == idx && change.domain == domain;
            match self.changes.iter_mut().find(same) {
                Some(change) => change.by += by,
                None => self.changes.push(Change { constraint: idx, domain, by }),
            }
        }
    }

    /// How much more or less is in a domain than was found.
    fn changed(&self, idx: usize, domain: Domain) -> i64 {
        let changes = self.changes.iter().filter(|it| it.constraint == idx && it.domain == domain);
        changes.map(|change| change.by).sum()
    }

    /// How many pods are in the emptiest domain.
    fn lowest(&self, idx: usize, spread: &Spread<'_>) -> i64 {
        let Spread { constraint, by_domain, num_domains, emptiest, .. } = spread;
        if *num_domains < constraint.terms.min_domains {
            return 0;
        }
        let mut changes = self.changes.iter().filter(|change| change.constraint == idx);
        let emptiest = match (changes.next(), changes.next()) {
            (None, _) => emptiest.first().copied().flatten().map(|(_, count)| count),
            (Some(change), None) => {
                let others = emptiest.iter().flatten().find(|(domain, _)| *domain != change.domain);
                let changed = by_domain.get(change.domain.idx()).copied().flatten();
                let changed = changed.map(|count| count + change.by);
                others.map(|(_, count)| *count).into_iter().chain(changed).min()
            }
            (Some(_), Some(_)) => spread.domains().map(|(it, count)| count + self.changed(idx, it)).min(),
        };
        emptiest.unwrap_or(0)
    }

    fn judge(&self, idx: usize, spread: &Spread<'_>, node: NodeView<'_>) -> Verdict {
        let Some(domain) = spread.constraint.topology.of(node.slot) else {
            return Rejection::unresolvable(NO_LABEL).into();
        };
        let found = spread.by_domain.get(domain.idx()).copied().flatten().unwrap_or(0);
        let count = found + self.changed(idx, domain);
        if count + spread.selfs - self.lowest(idx, spread) > spread.constraint.terms.max_skew {
            return Rejection::unschedulable(TOO_UNEVEN).into();
        }
        Verdict::Fits
    }
}

impl NodeFilter for Check<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        let verdicts = self.found.iter().enumerate().map(|(idx, spread)| self.judge(idx, spread, node));
        verdicts.into_iter().find(|verdict| *verdict != Verdict::Fits).unwrap_or(Verdict::Fits)
    }

    fn fork(&self) -> Option<Box<dyn NodeFilter + '_>> {
        Some(Box::new(self.clone()))
    }

    fn pod_added(&mut self, pod: &Pod, node: NodeView<'_>) {
        self.change(pod, node, 1);
    }

    fn pod_removed(&mut self, pod: &Pod, node: NodeView<'_>) {
        self.change(pod, node, -1);
    }
}

/// Whether a node is in a domain of every constraint. Those that are not count for none.
fn has_all_labels(spreads: &[Spread<'_>], node: NodeView<'_>) -> bool {
    spreads.iter().all(|spread| spread.constraint.topology.of(node.slot).is_some())
}

// === impl Spread ===

impl<'a> Spread<'a> {
    fn new(constraint: Constraint<'a>, cycle: Cycle<'a>) -> Self {
        Self {
            selfs: i64::from(constraint.selector.matches(&cycle.pod.labels)),
            by_domain: vec![None; constraint.topology.num_domains()],
            num_domains: 0,
            emptiest: [None; 2],
            constraint,
        }
    }

    /// Counts the pods of a node, and its domain even if there is none.
    fn add(&mut self, node: NodeView<'_>, pods: i64) {
        let domain = self.constraint.topology.of(node.slot);
        let Some(count) = domain.and_then(|domain| self.by_domain.get_mut(domain.idx())) else { return };
        self.num_domains += i64::from(count.is_none());
        *count.get_or_insert(0) += pods;
    }

    /// The domains that count, and how many pods are in each.
    fn domains(&self) -> impl Iterator<Item = (Domain, i64)> {
        let counts = (0..).map(Domain).zip(&self.by_domain);
        counts.filter_map(|(domain, count)| Some((domain, (*count)?)))
    }

    fn find_emptiest(&mut self) {
        let mut emptiest = [None; 2];
        for (domain, count) in self.domains() {
            let [first, second] = emptiest;
            let is_below = |other: Option<(Domain, i64)>| other.is_none_or(|(_, other)| count < other);
            if is_below(first) {
                emptiest = [Some((domain, count)), first];
            } else if is_below(second) {
                emptiest = [first, Some((domain, count))];
            }
        }
        self.emptiest = emptiest;
    }
}
