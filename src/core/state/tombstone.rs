//! What is remembered of deleted objects, so that a late word of one does not bring it back.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::{Node, NodeName, PodUid, Time, Version};

/// How long a deleted object is remembered.
const LIFE: Duration = Duration::from_mins(5);

/// Objects deleted a while ago.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    pods: HashMap<PodUid, Time>,
    nodes: HashMap<NodeName, (Version, Time)>,
}

// === impl Tombstones ===

impl Tombstones {
    /// Remembers that nothing will come of this pod any more.
    pub(super) fn bury_pod(&mut self, uid: PodUid, now: Time) {
        self.pods.insert(uid, now);
    }

    /// Remembers that what was known of this node up to `version` is over. Its name may be used again.
    pub(super) fn bury_node(&mut self, name: NodeName, version: Version, now: Time) {
        if version != Version::UNKNOWN {
            let (last, since) = self.nodes.entry(name).or_default();
            *last = version.max(*last);
            *since = now;
        }
    }

    /// Whether nothing will come of this pod any more.
    pub(super) fn has_pod(&self, uid: &PodUid) -> bool {
        self.pods.contains_key(uid)
    }

    /// Whether this is a word of a node from before its deletion.
    pub(super) fn has_node(&self, node: &Node) -> bool {
        let last = self.nodes.get(&node.name);
        last.is_some_and(|(last, _)| node.version != Version::UNKNOWN && node.version <= *last)
    }

    /// Forgets what was deleted long ago.
    pub(super) fn sweep(&mut self, now: Time) {
        self.pods.retain(|_, since| now.since(*since) < LIFE);
        self.nodes.retain(|_, (_, since)| now.since(*since) < LIFE);
    }
}
