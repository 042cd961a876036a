//! Why a pod fits nowhere, in upstream's words (`pkg/scheduler/framework/types.go`, `FitError`).

use std::collections::HashMap;
use std::fmt;

use super::{NodeSlot, PluginSet, Rejection};

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
}

/// A pod fits nowhere.
#[derive(Clone, Debug)]
pub struct FitError {
    /// How many nodes there are.
    pub num_nodes: usize,
    /// What was found.
    pub diagnosis: Diagnosis,
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
        if let Some(rejection) = &self.diagnosis.pre_filter {
            let reasons: Vec<&str> = rejection.reasons().map(super::Reason::as_str).collect();
            return write!(f, " {}.", reasons.join(", "));
        }
        let histogram = self.diagnosis.histogram();
        if histogram.is_empty() { Ok(()) } else { write!(f, " {}.", histogram.join(", ")) }
    }
}
