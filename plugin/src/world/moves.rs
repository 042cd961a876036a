//! What the scheduler tells of moves: its events, which the API keeps for an hour by default.

use std::collections::BTreeMap;

use edge_core::state::{MoveNotice, MoveTurn};
use futures::future::join_all;
use kube::Error;

use super::events::Event;
use super::list;
use crate::cluster::Cluster;

/// What became of the pods that were moved, or should be.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// So many were evicted, with room held for what replaces them.
    pub(crate) moved: usize,
    /// By UID of a pod that is still where it should not be: why.
    pub(crate) unmoved: BTreeMap<String, String>,
}

// === impl Moves ===

impl Moves {
    /// Reads what the API still remembers.
    pub(crate) async fn read(cluster: &Cluster) -> Result<Self, Error> {
        let by_reason = MoveTurn::REASONS.map(|reason| async move {
            let path = format!("/apis/events.k8s.io/v1/events?fieldSelector=reason%3D{reason}");
            list::<Event>(cluster, &path).await
        });
        let mut events = Vec::new();
        for listed in join_all(by_reason).await {
            // One that can't be read tells nothing.
            events.extend(listed?.into_iter().flatten());
        }
        Ok(Self::of(events))
    }

    /// The last word on each pod counts.
    fn of(mut events: Vec<Event>) -> Self {
        events.sort_by_key(Event::last_told);
        let mut moves = Self::default();
        for event in events {
            let uid = event.regarding.uid;
            if let Some(why) = MoveNotice::unmoved(&event.note) {
                moves.unmoved.insert(uid, why.to_owned());
            } else {
                moves.moved += 1;
                moves.unmoved.remove(&uid);
            }
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::world::events::{Regarding, Series};

    #[test]
    fn the_last_word_counts() {
        let event = |uid: &str, note: &str, told: i64, again: Option<i64>| Event {
            note: note.to_owned(),
            regarding: Regarding { uid: uid.to_owned() },
            at: Timestamp::from_second(told).ok(),
            series: again.map(|at| Series { last_observed_time: Timestamp::from_second(at).ok() }),
            ..Event::default()
        };
        let moves = Moves::of(vec![
            event("a", "It should be moved, as it is far; but no node is better: none fits", 1, Some(9)),
            event("a", "It should be moved, as it is far; but it stays: a budget", 5, None),
            event("b", "It should be moved, as it is far; but it is not evicted: a budget", 1, None),
            event("b", "Evicted from node edge-1; room is held on node edge-2", 2, None),
        ]);
        assert_eq!(moves.moved, 1);
        assert_eq!(moves.unmoved, BTreeMap::from([("a".to_owned(), "none fits".to_owned())]));
    }
}
