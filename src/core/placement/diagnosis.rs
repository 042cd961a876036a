//! Why a pod fits nowhere, in upstream's words (`pkg/scheduler/framework/types.go`, `FitError`).

use std::collections::HashMap;
use std::fmt;

use super::{NodeSlot, Nomination, PluginSet, Reason, Rejection, Resolvable};

/// What was found about a pod that fits nowhere.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// A rejection of the pod before any node was looked at.
    pub pre_filter: Option<Rejection>,
    /// The rejections, each distinct one once.
    pub rejections: Vec<Rejection>,
    /// Which of `rejections` each node got.
    pub nodes: Vec<(NodeSlot, u32)>,
    /// The rejection of nodes that PreFilter left out, and how many they are.
    pub left_out: Option<(Rejection, usize)>,
    /// The plugins that rejected.
    pub plugins: PluginSet,
    /// What PostFilter says, where it ran: why preemption doesn't help either.
    pub post_filter: Option<Reason>,
}

/// A pod fits nowhere.
#[derive(Clone, Debug, Default)]
pub struct FitError {
    /// How many nodes there are.
    pub num_nodes: usize,
    /// What was found.
    pub diagnosis: Diagnosis,
    /// What PostFilter has come to: whether room is made for the pod.
    pub nomination: Nomination,
}

// === impl Diagnosis ===

impl Diagnosis {
    /// Notes that `slot` was rejected.
    pub fn note(&mut self, slot: NodeSlot, rejection: Rejection) {
        // Neighbouring nodes are mostly rejected for the same reason, so the search begins at the end.
        let idx = self.rejections.iter().rposition(|known| *known == rejection).unwrap_or_else(|| {
            self.rejections.push(rejection);
            self.rejections.len() - 1
        });
        self.nodes.push((slot, u32::try_from(idx).unwrap_or(u32::MAX)));
    }

    /// Whether it could help to take pods away from `slot`.
    pub fn resolvable_on(&self, slot: NodeSlot) -> Resolvable {
        let rejection = || {
            let (_, idx) = self.nodes.iter().find(|(rejected, _)| *rejected == slot)?;
            self.rejections.get(*idx as usize)
        };
        self.pre_filter.as_ref().or_else(rejection).map_or(Resolvable::No, |rejection| rejection.resolvable)
    }

    /// The nodes that taking pods away could help on.
    pub fn resolvable(&self) -> impl Iterator<Item = NodeSlot> {
        let helps = |idx: u32| {
            let rejection = self.rejections.get(idx as usize);
            rejection.is_some_and(|rejection| rejection.resolvable == Resolvable::ByPreemption)
        };
        self.nodes.iter().filter(move |(_, idx)| helps(*idx)).map(|(slot, _)| *slot)
    }

    /// How many nodes have each reason, as `<count> <reason>`, sorted as text, as upstream sorts them.
    fn histogram(&self) -> Vec<String> {
        let mut per_rejection = vec![0_usize; self.rejections.len()];
        for (_, idx) in &self.nodes {
            if let Some(count) = per_rejection.get_mut(*idx as usize) {
                *count += 1;
            }
        }
        let counted = self.rejections.iter().zip(per_rejection);
        let left_out = self.left_out.iter().map(|(rejection, count)| (rejection, *count));
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for (rejection, count) in counted.chain(left_out).filter(|(_, count)| *count > 0) {
            for reason in rejection.reasons() {
                *counts.entry(reason.as_str()).or_default() += count;
            }
        }
        let mut lines: Vec<String> =
            counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        lines.sort();
        lines
    }
}

// === impl FitError ===

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.num_nodes == 0 {
            return f.write_str("no nodes available to schedule pods");
        }
        write!(f, "0/{} nodes are available:", self.num_nodes)?;
        // A rejection before Filter is that of every node, so the nodes are not counted beside it.
        let found = match &self.diagnosis.pre_filter {
            Some(rejection) => rejection.reasons().map(ToString::to_string).collect(),
            None => self.diagnosis.histogram(),
        };
        if !found.is_empty() {
            write!(f, " {}.", found.join(", "))?;
        }
        match &self.diagnosis.post_filter {
            Some(said) => write!(f, " {said}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(reasons: &[&'static str]) -> Rejection {
        let [reason, more @ ..] = reasons else { panic!("a rejection has a reason") };
        let more = more.iter().map(|reason| Reason::from(*reason)).collect();
        Rejection { more, ..Rejection::unschedulable(*reason) }
    }

    #[track_caller]
    fn check(diagnosis: Diagnosis, num_nodes: usize, expected: &str) {
        let nomination = Nomination::default();
        assert_eq!(FitError { num_nodes, diagnosis, nomination }.to_string(), expected);
    }

    fn noted(rejections: &[&[&'static str]]) -> Diagnosis {
        let mut diagnosis = Diagnosis::default();
        for (slot, reasons) in (0..).map(NodeSlot).zip(rejections) {
            diagnosis.note(slot, rejection(reasons));
        }
        diagnosis
    }

    #[test]
    fn reasons_are_counted_over_the_nodes_and_sorted_as_text() {
        check(noted(&[&["Insufficient cpu"][..]; 3]), 3, "0/3 nodes are available: 3 Insufficient cpu.");
        let mut rejections = vec![&["Insufficient memory"][..]; 10];
        rejections.extend([&["b"][..], &["a"], &["a"], &["b"]]);
        check(noted(&rejections), 14, "0/14 nodes are available: 10 Insufficient memory, 2 a, 2 b.");
    }

    #[test]
    fn a_node_with_two_reasons_counts_for_both() {
        check(
            noted(&[&["Too many pods", "Insufficient cpu"], &["Insufficient cpu"]]),
            2,
            "0/2 nodes are available: 1 Too many pods, 2 Insufficient cpu.",
        );
    }

    #[test]
    fn nodes_left_out_count_too() {
        let left_out = Some((rejection(&["other"]), 3));
        let diagnosis = Diagnosis { left_out, ..noted(&[&["other"], &["mine"]]) };
        check(diagnosis, 5, "0/5 nodes are available: 1 mine, 4 other.");
        let left_out = Some((rejection(&["other"]), 0));
        check(Diagnosis { left_out, ..noted(&[&["mine"]]) }, 1, "0/1 nodes are available: 1 mine.");
    }

    #[test]
    fn a_rejection_before_filter_stands_alone() {
        let pre_filter = Some(rejection(&["first", "second"]));
        let diagnosis = Diagnosis { pre_filter, ..noted(&[&["mine"]]) };
        check(diagnosis, 4, "0/4 nodes are available: first, second.");
    }

    #[test]
    fn what_post_filter_says_comes_last() {
        let post_filter = Some(Reason::from("preemption: no."));
        let diagnosis = Diagnosis { post_filter: post_filter.clone(), ..noted(&[&["mine"]]) };
        check(diagnosis, 1, "0/1 nodes are available: 1 mine. preemption: no.");
        let pre_filter = Some(rejection(&["first"]));
        let diagnosis = Diagnosis { pre_filter, post_filter, ..Diagnosis::default() };
        check(diagnosis, 1, "0/1 nodes are available: first. preemption: no.");
    }

    #[test]
    fn without_nodes_or_reasons_little_is_said() {
        check(Diagnosis::default(), 0, "no nodes available to schedule pods");
        check(Diagnosis::default(), 2, "0/2 nodes are available:");
    }
}
