//! What every node says of a pod: [`super::place`] asks no further once it knows where a pod goes, an explanation
//! wants to know why it does not go elsewhere.

use super::filters::{Prepared, prepare};
use super::{Cycle, NodeSlot, Profile, Rejection, Snapshot};
use crate::model::{NodeName, Pod};

/// What was found of a pod.
#[derive(Debug)]
pub enum Explanation {
    /// Each node was asked.
    Asked(Vec<NodeVerdict>),
    /// No node fits, whatever it is like; the plugin and what it says. There is no plugin where the pod asks for
    /// something that is not supported.
    Rejected(&'static str, Rejection),
    /// Delays from these nodes have to be loaded first.
    AwaitDelays(Vec<NodeName>),
}

/// What a node says of a pod.
#[derive(Debug)]
pub struct NodeVerdict {
    /// The node.
    pub slot: NodeSlot,
    /// Which plugin rejected it first and why; none if the pod fits there.
    pub rejection: Option<(&'static str, Rejection)>,
}

/// Asks every node about `pod`, by the very checks by which it is placed. Every node is in the answer once, so what
/// is counted over them adds up.
pub fn explain(snapshot: &Snapshot, pod: &Pod, profile: &Profile) -> Explanation {
    let filters = match prepare(Cycle::of(pod, snapshot), profile) {
        Prepared::Filters(filters) => filters,
        Prepared::Rejected(_, diagnosis) => {
            let plugin = profile.plugins().iter().find(|it| diagnosis.plugins.contains(it.idx));
            let plugin = plugin.map_or("", |it| it.plugin.name());
            let unsaid = || Rejection::unresolvable("the pod was rejected");
            return Explanation::Rejected(plugin, diagnosis.pre_filter.unwrap_or_else(unsaid));
        }
        Prepared::AwaitDelays(nodes) => return Explanation::AwaitDelays(nodes),
    };
    let mut verdicts = Vec::new();
    filters.for_each_node(|node| {
        let rejection = filters.judge(node).err();
        let rejection = rejection.map(|(idx, rejection)| (profile.name_of(idx), rejection));
        verdicts.push(NodeVerdict { slot: node.slot, rejection });
    });
    if let Some((plugin, rejection)) = filters.left_out() {
        let asked: std::collections::HashSet<NodeSlot> = verdicts.iter().map(|it| it.slot).collect();
        let left_out = snapshot.nodes.iter().filter(|node| !asked.contains(&node.slot));
        verdicts.extend(
            left_out
                .map(|node| NodeVerdict { slot: node.slot, rejection: Some((plugin, rejection.clone())) }),
        );
    }
    Explanation::Asked(verdicts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;
    use crate::placement::{Decision, place};

    /// Three nodes, one without room, one cordoned.
    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (name, is_cordoned) in [("a", false), ("b", true), ("c", false)] {
            let node = crate::model::Node { unschedulable: is_cordoned, ..crate::model::Node::named(name) };
            snapshot.nodes.put(node);
        }
        snapshot
    }

    #[test]
    fn every_node_is_in_the_answer_and_the_counts_are_those_of_the_message() {
        let labels: Labels = [("delay_nowhere", "5")].into_iter().collect();
        let profile = Profile::with_all_plugins("edge-scheduler");
        let pod = Pod { labels, ..Pod::pending("default", "web") };
        let Explanation::Rejected(plugin, rejection) = explain(&snapshot(), &pod, &profile) else {
            panic!("an anchor that is not there rejects the pod itself")
        };
        assert_eq!(plugin, "NetworkDelay");
        let Decision::Reject(error) = place(&snapshot(), &pod, &profile) else { panic!("it fits nowhere") };
        assert!(error.to_string().contains(rejection.reason.as_str()), "{error}");

        let pod = Pod::pending("default", "web");
        let snapshot = snapshot();
        let Explanation::Asked(verdicts) = explain(&snapshot, &pod, &profile) else { panic!("it is judged") };
        assert_eq!(verdicts.len(), snapshot.nodes.len());
        let rejected: Vec<&str> = verdicts.iter().filter_map(|it| Some(it.rejection.as_ref()?.0)).collect();
        assert!(rejected.contains(&"NodeUnschedulable"), "{rejected:?}");
    }
}
