//! What the checks would say of a node if other pods were on it.

use std::sync::Arc;

use super::filters::Filters;
use super::{Cycle, NodeFilter, NodeView, Rejection, Usage, Verdict};
use crate::model::{Node, Pod};

/// A node with pods added to it and taken from it, in thought alone (upstream: `NodeInfo.Snapshot` with
/// `CycleState.Clone`).
pub struct Trial<'f> {
    cycle: Cycle<'f>,
    node: NodeView<'f>,
    usage: Usage,
    checks: Vec<(usize, Check<'f>)>,
}

/// A check, copied only if it has a state that pods change.
enum Check<'f> {
    Shared(&'f dyn NodeFilter),
    Own(Box<dyn NodeFilter + 'f>),
}

// === impl Trial ===

impl<'f> Trial<'f> {
    /// The node as it is.
    pub(super) fn of(filters: &'f Filters<'_>, node: NodeView<'f>) -> Self {
        let checks = filters.checks.iter().map(|(idx, check)| (*idx, Check::copy(check.as_ref()))).collect();
        Self { cycle: filters.cycle, node, usage: node.usage.clone(), checks }
    }

    /// Adds a pod.
    pub fn add(&mut self, pod: &Arc<Pod>) {
        self.usage.add(pod);
        self.tell(|check, node| check.pod_added(pod, node));
    }

    /// Takes a pod away.
    pub fn remove(&mut self, pod: &Pod) {
        self.usage.remove(pod);
        self.tell(|check, node| check.pod_removed(pod, node));
    }

    /// Judges the node; by which plugin it is rejected, and why.
    ///
    /// Room is left for the pods that are nominated to the node and go first. They may as well not come, so
    /// the pod has to fit both with them and without
    /// (upstream: `frameworkImpl.RunFilterPluginsWithNominatedPods`).
    pub fn judge(&self) -> Result<(), (usize, Rejection)> {
        let Cycle { pod, snapshot, .. } = self.cycle;
        let mut ahead = snapshot.nominations.ahead_of(pod, self.node.slot).peekable();
        if ahead.peek().is_some() {
            let mut with_nominated = self.copy();
            ahead.for_each(|other| with_nominated.add(other));
            with_nominated.judge_as_it_is()?;
        }
        self.judge_as_it_is()
    }

    fn judge_as_it_is(&self) -> Result<(), (usize, Rejection)> {
        let node = self.view();
        for (idx, check) in &self.checks {
            if let Verdict::Rejected(rejection) = check.get().filter(node) {
                return Err((*idx, rejection));
            }
        }
        Ok(())
    }

    fn copy(&self) -> Trial<'_> {
        let checks = self.checks.iter().map(|(idx, check)| (*idx, Check::copy(check.get()))).collect();
        Trial { cycle: self.cycle, node: self.node, usage: self.usage.clone(), checks }
    }

    fn view(&self) -> NodeView<'_> {
        NodeView { usage: &self.usage, ..self.node }
    }

    fn tell(&mut self, mut change: impl FnMut(&mut dyn NodeFilter, NodeView<'_>)) {
        let node: &Node = self.node.node;
        let view = NodeView { slot: self.node.slot, node, usage: &self.usage };
        for (_, check) in &mut self.checks {
            if let Check::Own(check) = check {
                change(check.as_mut(), view);
            }
        }
    }
}

// === impl Check ===

impl<'f> Check<'f> {
    fn copy(check: &'f dyn NodeFilter) -> Self {
        check.fork().map_or(Self::Shared(check), Self::Own)
    }

    fn get(&self) -> &dyn NodeFilter {
        match self {
            Self::Shared(check) => *check,
            Self::Own(check) => check.as_ref(),
        }
    }
}
