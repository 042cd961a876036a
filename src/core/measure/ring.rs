//! The ring: agents in the order of a hash of their names. Each measures the ones after it, so that as many
//! measure it as it measures, all are connected, and who comes or goes changes the lists of its neighbours only.

use super::roster::{Id, Roster};
use crate::random::mix;

/// The agents in the order of their hashes.
#[derive(Debug, Default)]
pub(super) struct Ring {
    order: Vec<Id>,
    /// By number: where the agent stands.
    places: Vec<usize>,
}

// === impl Ring ===

impl Ring {
    pub(super) fn of(roster: &Roster) -> Self {
        let mut hashed: Vec<(u64, Id)> = roster.iter().map(|(name, id)| (hash(name.as_str()), id)).collect();
        // The roster is in the order of names, which decides between equal hashes because sorting is stable.
        hashed.sort_by_key(|(hash, _)| *hash);
        let order: Vec<Id> = hashed.into_iter().map(|(_, id)| id).collect();
        let mut places = vec![0; roster.end()];
        for (place, id) in order.iter().enumerate() {
            if let Some(entry) = places.get_mut(id.idx()) {
                *entry = place;
            }
        }
        Self { order, places }
    }

    /// The next `n` after an agent, fewer if there are no more.
    pub(super) fn after(&self, id: Id, n: usize) -> impl Iterator<Item = Id> {
        let place = self.places.get(id.idx()).copied().unwrap_or(0);
        let n = n.min(self.order.len().saturating_sub(1));
        self.order.iter().cycle().skip(place + 1).take(n).copied()
    }
}

/// FNV-1a, mixed once more, because names often differ in their last character only.
pub(super) fn hash(name: &str) -> u64 {
    let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(fnv)
}
