//! PostFilter: what is done for a pod that fits nowhere (upstream: `frameworkImpl.RunPostFilterPlugins`).

use std::sync::Arc;

use super::filters::Filters;
use super::plugins::REGISTRY;
use super::{Cycle, Diagnosis, NodeSlot, NodeView, Observer, Point, PointStatus, Profile, Reason, Trial};
use crate::model::{NodeName, Pod};

/// A pod that fits nowhere, as PostFilter finds it.
pub struct Unschedulable<'a> {
    /// The pod and what it was judged against.
    pub cycle: Cycle<'a>,
    /// What was found.
    pub diagnosis: &'a Diagnosis,
    pub(super) filters: &'a Filters<'a>,
    pub(super) profile: &'a Profile,
}

/// A node on which the pod fits once other pods are gone.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The node.
    pub slot: NodeSlot,
    /// Its name.
    pub node: NodeName,
    /// The pods that have to go, the most important one first; never empty.
    pub victims: Vec<Arc<Pod>>,
    /// How many of them break a PodDisruptionBudget.
    pub violations: usize,
}

/// What becomes of the nomination of a pod that fits nowhere (upstream: `NominatingInfo`).
#[derive(Clone, Debug, Default)]
pub enum Nomination {
    /// It stays as it is.
    Keep,
    /// The pod is nominated to no node any more.
    #[default]
    GiveUp,
    /// The pod is nominated to this node, and the pods that it needs the room of are taken away.
    Preempt(Candidate),
}

/// The outcome of PostFilter.
pub enum PostFilter {
    /// The plugin has nothing to say of this pod.
    Skip,
    /// The pod will fit there.
    Nominate(Candidate),
    /// The plugin can't help, and says why.
    Reject {
        /// What it says, if anything.
        said: Option<Reason>,
        /// Whether the pod's nomination is over.
        gives_up: bool,
    },
    /// The plugin can't say, which ends PostFilter: what others said counts no more, and none is asked after it.
    Fail(Reason),
}

/// Asks the plugins of the profile in turn until one can help; what they say and what is done.
pub(super) fn run(
    unschedulable: &Unschedulable<'_>,
    observer: &mut dyn Observer,
) -> (Option<Reason>, Nomination) {
    if unschedulable.cycle.pod.unsupported.is_some() {
        // Taking pods away helps no pod that this version refuses.
        return (None, Nomination::GiveUp);
    }
    let (status, said, nomination) = ask(unschedulable, observer);
    observer.spent(Point::PostFilter);
    observer.ended(Point::PostFilter, status);
    (said, nomination)
}

fn ask(
    unschedulable: &Unschedulable<'_>,
    observer: &mut dyn Observer,
) -> (PointStatus, Option<Reason>, Nomination) {
    let mut said: Vec<Reason> = Vec::new();
    let (mut keeps, mut gave_up) = (false, false);
    for enabled in unschedulable.profile.at(Point::PostFilter) {
        observer.asked(enabled.plugin.name(), Point::PostFilter, 1);
        match enabled.plugin.post_filter(unschedulable) {
            PostFilter::Skip => (),
            PostFilter::Nominate(candidate) => {
                return (PointStatus::Success, None, Nomination::Preempt(candidate));
            }
            PostFilter::Fail(reason) => return (PointStatus::Error, Some(reason), Nomination::Keep),
            PostFilter::Reject { said: reason, gives_up } => {
                said.extend(reason);
                gave_up |= gives_up;
                keeps |= !gives_up;
            }
        }
    }
    let nomination = if keeps && !gave_up { Nomination::Keep } else { Nomination::GiveUp };
    let said = match said.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(Reason::said(several.iter().map(Reason::as_str).collect::<Vec<_>>().join(", "))),
    };
    (PointStatus::Unschedulable, said, nomination)
}

// === impl Unschedulable ===

impl<'a> Unschedulable<'a> {
    /// Whether PreFilter came to the plugin of this name, or would have but for a plugin of ours: what those reject is
    /// told as if they were asked last.
    pub fn pre_filtered(&self, plugin: &str) -> bool {
        if self.diagnosis.plugins.iter().any(|idx| REGISTRY.get(idx).is_some_and(|it| it.is_ours)) {
            return true;
        }
        let mut plugins = self.profile.at(Point::PreFilter).iter();
        plugins.any(|it| it.plugin.name() == plugin && self.filters.asked.contains(it.idx))
    }

    /// The checks that rejected the pod, to try them on a changed node.
    pub fn trial(&self, node: NodeView<'a>) -> Trial<'a> {
        Trial::of(self.filters, node)
    }
}
