//! Pods that take up room on nodes, assumed ones included (upstream: `pkg/scheduler/backend/cache`).
//!
//! ```text
//!            assume              confirm (watch)
//!  pending ──────────► Assumed ─────────────────► Confirmed ──► gone (deleted, ended)
//!     ▲                  │
//!     └──── forget ──────┘  the binding did not come about
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{Pod, PodKey, PodUid};
use crate::placement::{NodeSlot, Snapshot};

/// The placed pods.
#[derive(Debug, Default)]
pub struct Cache {
    placed: HashMap<PodKey, Placed>,
}

/// A pod that takes up room.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The pod.
    pub pod: Arc<Pod>,
    /// Where.
    pub slot: NodeSlot,
    /// Whether the server has said so, or only we have decided so.
    pub confirmed: bool,
}

// === impl Cache ===

impl Cache {
    /// The placed pod of this name, if there is one.
    pub fn get(&self, key: &PodKey) -> Option<&Placed> {
        self.placed.get(key)
    }

    /// All placed pods, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Placed> {
        self.placed.values()
    }

    /// Counts a pod; one of the same name that was counted before is counted no longer and given back.
    pub fn put(&mut self, snapshot: &mut Snapshot, placed: Placed) -> Option<Placed> {
        let old = self.remove(snapshot, &placed.pod.key);
        snapshot.add_pod(&placed.pod, placed.slot);
        self.placed.insert(placed.pod.key.clone(), placed);
        old
    }

    /// Counts a pod no longer.
    pub fn remove(&mut self, snapshot: &mut Snapshot, key: &PodKey) -> Option<Placed> {
        let placed = self.placed.remove(key)?;
        snapshot.remove_pod(&placed.pod, placed.slot);
        Some(placed)
    }

    /// The placed pods that `listed` doesn't have, by UID.
    pub fn missing_from(&self, listed: &HashSet<PodUid>) -> Vec<Arc<Pod>> {
        let missing = self.placed.values().filter(|placed| !listed.contains(&placed.pod.uid));
        let mut missing: Vec<Arc<Pod>> = missing.map(|placed| placed.pod.clone()).collect();
        missing.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        missing
    }
}
