//! What the scheduler tells of nodes that are not well: its events.

use std::collections::BTreeMap;

use edge_api::names::SCHEDULER;
use edge_core::state::{NodeNotice, NodeReason};
use serde::Serialize;

use crate::cluster::{Cluster, Gaps};
use crate::failure::Failure;
use crate::world::events::Event;
use crate::world::list;

/// What the scheduler thinks of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Verdict {
    /// Its neighbours don't reach it.
    Suspect,
    /// It has failed.
    Lost,
    /// It was lost and is back.
    Returning,
    /// The scheduler says nothing, but the cluster hears nothing of the node.
    NotReady,
}

/// What was told of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) verdict: Verdict,
    /// Why nothing is done about it.
    pub(super) frozen: Option<String>,
}

/// What was told of all that is not well.
#[derive(Debug, Default)]
pub(super) struct News {
    /// By UID of the node.
    pub(super) nodes: BTreeMap<String, Told>,
    /// By UID of the pod: why it was not taken off its node.
    pub(super) refused: BTreeMap<String, String>,
}

/// What the scheduler says before the reason why a pod stays.
const STAYS: &str = "but the pod stays: ";

// === impl Verdict ===

impl Verdict {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Suspect => "suspect",
            Self::Lost => "lost",
            Self::Returning => "returning",
            Self::NotReady => "not ready",
        }
    }
}

// === impl News ===

impl News {
    /// Reads what the API still remembers, which is half an hour at least of what lasts.
    pub(super) async fn read(cluster: &Cluster, gaps: &mut Gaps) -> Result<Self, Failure> {
        let (needs, left_out) = ("list events.events.k8s.io", "what the scheduler says of nodes");
        let of_nodes = format!(
            "/apis/events.k8s.io/v1/namespaces/default/events\
             ?fieldSelector=regarding.kind%3DNode%2CreportingController%3D{SCHEDULER}"
        );
        let listed = list::<Event>(cluster, &of_nodes).await;
        let nodes = gaps.allow(cluster, listed, needs, left_out)?.unwrap_or_default();
        let of_pods = "/apis/events.k8s.io/v1/events?fieldSelector=reason%3DFailoverRefused";
        let listed = list::<Event>(cluster, of_pods).await;
        let left_out = "pods that could not be taken off their nodes";
        let pods =
            gaps.allow(cluster, listed, &format!("{needs} in all namespaces"), left_out)?.unwrap_or_default();
        let why = |event: Event| {
            let why = event.note.split_once(STAYS).map(|(_, why)| why.to_owned());
            (event.regarding.uid, why.unwrap_or(event.note))
        };
        Ok(Self {
            nodes: told(nodes.into_iter().flatten().collect()),
            refused: pods.into_iter().flatten().map(why).collect(),
        })
    }
}

/// How it is with each node after all that was told of it.
fn told(mut events: Vec<Event>) -> BTreeMap<String, Told> {
    events.sort_by(|a, b| (a.at, &a.metadata.name).cmp(&(b.at, &b.metadata.name)));
    let mut nodes: BTreeMap<String, Told> = BTreeMap::new();
    for event in events {
        let uid = event.regarding.uid;
        let frozen = NodeNotice::withheld(&event.note).map(ToOwned::to_owned);
        let verdict = match NodeReason::parse(&event.reason) {
            Some(NodeReason::NodeSuspect) => Verdict::Suspect,
            Some(NodeReason::NodeLost) => Verdict::Lost,
            Some(NodeReason::NodeReturned) => Verdict::Returning,
            Some(NodeReason::NodeReached | NodeReason::NodeRecovered) => {
                nodes.remove(&uid);
                continue;
            }
            Some(NodeReason::FailoverFrozen | NodeReason::FailoverResumed) => {
                if let Some(known) = nodes.get_mut(&uid) {
                    known.frozen = frozen;
                }
                continue;
            }
            Some(NodeReason::NodeFenced) | None => continue,
        };
        nodes.insert(uid, Told { verdict, frozen });
    }
    nodes
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::world::events::{EventName, Regarding};

    /// What is made of these reasons and notes, the oldest first.
    #[track_caller]
    fn check(events: &[(&str, &str)], expected: Option<(Verdict, Option<&str>)>) {
        let event = |(idx, (reason, note)): (usize, &(&str, &str))| Event {
            metadata: EventName { name: format!("edge-1.{idx}") },
            reason: (*reason).to_owned(),
            note: (*note).to_owned(),
            regarding: Regarding { uid: "1".to_owned() },
            at: Timestamp::from_second(i64::try_from(idx).unwrap()).ok(),
            ..Event::default()
        };
        let mut events: Vec<Event> = events.iter().enumerate().map(event).collect();
        events.reverse();
        let found = told(events).remove("1");
        let found = found.as_ref().map(|it| (it.verdict, it.frozen.as_deref()));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_last_word_counts() {
        const FROZEN: &str = "Failovers are frozen; no pod is taken off it: too much";
        check(&[], None);
        check(&[("NodeSuspect", "")], Some((Verdict::Suspect, None)));
        check(&[("NodeSuspect", ""), ("NodeReached", "")], None);
        check(&[("NodeSuspect", ""), ("NodeLost", "")], Some((Verdict::Lost, None)));
        check(&[("NodeLost", FROZEN)], Some((Verdict::Lost, Some("too much"))));
        check(&[("NodeSuspect", ""), ("FailoverFrozen", FROZEN)], Some((Verdict::Suspect, Some("too much"))));
        check(&[("NodeLost", FROZEN), ("FailoverResumed", "")], Some((Verdict::Lost, None)));
        check(&[("NodeLost", FROZEN), ("NodeReturned", "")], Some((Verdict::Returning, None)));
        check(&[("NodeLost", ""), ("NodeReturned", ""), ("NodeRecovered", "")], None);
        // What it was about is forgotten, and what others tell of nodes is not ours.
        check(&[("FailoverFrozen", FROZEN)], None);
        check(&[("NodeNotReady", "")], None);
    }
}
