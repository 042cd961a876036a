//! Layers as a scheduler keeps them: linked in full now and then, and kept true in between.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Coverage, Layer, Layers, Member, PairDelays};
use crate::model::{Delay, Time};
use crate::placement::NodeSlot;

/// Up to so many nodes layers are linked in full each time: it takes some milliseconds.
const LINKED_UP_TO: usize = 500;
/// So often they are linked in full at least. In between they stay true, but what came nearer is not joined.
const LINKED_EVERY: Duration = Duration::from_mins(10);

/// The delays that count at some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The nodes.
    pub members: Vec<Member>,
    /// The delays between two of them. A pair may be told twice; the larger delay counts.
    pub pairs: Vec<(NodeSlot, NodeSlot, Delay)>,
}

/// The layers as of the last look.
#[derive(Clone, Debug, Default)]
pub struct LayerKeeper {
    layers: Layers,
    coverage: Coverage,
    linked: Option<Time>,
}

// === impl LayerKeeper ===

impl LayerKeeper {
    /// Makes the layers those of these delay values, true of what is known at `now`.
    pub fn look(&mut self, known: &Known, bounds: &BTreeSet<Delay>, now: Time) {
        let Known { members, pairs } = known;
        let end = members.iter().map(|member| member.slot.idx() + 1).max().unwrap_or(0);
        let mut table = PairDelays::new(end, pairs.len());
        for (a, b, delay) in pairs {
            table.put(*a, *b, *delay);
        }
        let is_due = self.linked.is_none_or(|linked| linked + LINKED_EVERY <= now);
        if is_due || members.len() <= LINKED_UP_TO {
            (self.layers, self.coverage) = Layers::link(members, bounds.iter().copied(), &table);
            self.linked = Some(now);
            return;
        }
        self.layers.refresh(members, &table);
        self.layers.set_bounds(bounds, &table);
        self.coverage = Coverage {
            known: table.known_pairs(),
            pairs: members.len() * members.len().saturating_sub(1) / 2,
        };
    }

    /// The layers, in ascending order of their delay values.
    pub fn layers(&self) -> Vec<Layer> {
        self.layers.layers()
    }

    /// Which part of the pairs has a delay that counts.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }
}

#[cfg(test)]
mod tests {
    use super::super::verify;
    use super::*;
    use crate::model::NodeName;
    use crate::random::Random;

    /// So many nodes on a line, a random number of ms apart; pairs over 100 ms are not measured.
    fn known(n: u32, random: &mut Random) -> Known {
        let places: Vec<u32> = (0..n).map(|_| random.below(5_000)).collect();
        let members =
            (0..n).map(|slot| Member { slot: NodeSlot(slot), name: NodeName::new(format!("n{slot:04}")) });
        let ms = |a: u32, b: u32| places[a as usize].abs_diff(places[b as usize]);
        let pairs = (0..n).flat_map(|a| (0..a).map(move |b| (a, b))).filter(|(a, b)| ms(*a, *b) <= 100);
        let delay = |(a, b)| (NodeSlot(a), NodeSlot(b), Delay::from_micros(ms(a, b) * 1_000).unwrap());
        Known { members: members.collect(), pairs: pairs.map(delay).collect() }
    }

    #[test]
    fn layers_stay_true_between_full_links() {
        let mut random = Random(7);
        let mut keeper = LayerKeeper::default();
        let millis = |list: &[u32]| list.iter().map(|ms| Delay::from_micros(ms * 1_000).unwrap()).collect();
        for (minute, bounds) in (0..).zip([&[10, 30][..], &[10, 30], &[30, 50], &[10], &[5, 10, 80], &[80]]) {
            let bounds: BTreeSet<Delay> = millis(bounds);
            let mut known = known(520 + 10 * minute, &mut random);
            // Some go.
            known.members.retain(|_| random.below(20_u32) > 0);
            let slots: BTreeSet<NodeSlot> = known.members.iter().map(|it| it.slot).collect();
            known.pairs.retain(|(a, b, _)| slots.contains(a) && slots.contains(b));
            keeper.look(&known, &bounds, Time::from_origin(Duration::from_secs(60 * u64::from(minute))));
            let mut table = PairDelays::new(600, known.pairs.len());
            known.pairs.iter().for_each(|(a, b, delay)| table.put(*a, *b, *delay));
            let slots: Vec<NodeSlot> = slots.into_iter().collect();
            let layers = keeper.layers();
            assert_eq!(verify(&slots, &layers, &table), Ok(()), "minute {minute}");
            assert!(layers.iter().map(|layer| layer.bound).eq(bounds));
            assert_eq!(keeper.coverage().known, known.pairs.len());
        }
    }
}
