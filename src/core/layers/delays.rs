//! Delays between nodes as layers see them: one for a pair, the larger of both directions.

use super::dense::Dense;
use super::sparse::Sparse;
use crate::model::Delay;
use crate::placement::NodeSlot;

/// Delays between nodes.
pub trait Delays {
    /// The larger of both directions between two different nodes; none if it is not known, which counts as
    /// infinite.
    fn between(&self, a: NodeSlot, b: NodeSlot) -> Option<Delay>;

    /// Calls `each` for all delays known from a node. A pair may be told from one end or from both.
    fn each_known(&self, from: NodeSlot, each: &mut dyn FnMut(NodeSlot, Delay));
}

/// What stands for a delay that is not known in tables of microseconds: over every delay there is.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// A table of delays between slots `0..n`, in whichever form is the smaller one: for 5,000 nodes that are all
/// measured 50 MB, for 5,000 of which each is measured with 50 others 4 MB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairDelays {
    pub(super) form: Form,
}

/// How the table is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A cell a pair.
    Dense(Dense),
    /// A list a node.
    Sparse(Sparse),
}

// === impl PairDelays ===

impl PairDelays {
    /// A table over `n` slots in which nothing is known, for about so many known pairs.
    pub fn new(n: usize, pairs: usize) -> Self {
        // A cell takes 4 bytes, a pair in both its lists 16.
        let form = if pairs.saturating_mul(4) > Dense::cells_of(n) {
            Form::Dense(Dense::new(n))
        } else {
            Form::Sparse(Sparse::new(n))
        };
        Self { form }
    }

    /// The delays between `members`, in their order.
    pub(super) fn between_members(members: &[NodeSlot], delays: &(impl Delays + ?Sized)) -> Self {
        let end = members.iter().map(|slot| slot.idx() + 1).max().unwrap_or(0);
        let mut ranks = vec![None; end];
        for (rank, slot) in (0..).zip(members) {
            if let Some(entry) = ranks.get_mut(slot.idx()) {
                *entry = Some(NodeSlot(rank));
            }
        }
        let mut told = 0;
        for slot in members {
            delays.each_known(*slot, &mut |_, _| told += 1);
        }
        // Most pairs are told from both ends.
        let mut table = Self::new(members.len(), told / 2);
        for (rank, slot) in (0..).zip(members) {
            delays.each_known(*slot, &mut |to, delay| {
                if let Some(to) = ranks.get(to.idx()).copied().flatten() {
                    table.put(NodeSlot(rank), to, delay);
                }
            });
        }
        table
    }

    /// Takes in what was measured from one node to another: the larger of what is told of a pair counts. A node's
    /// delay to itself, and slots over the end, are left out.
    pub fn put(&mut self, a: NodeSlot, b: NodeSlot, delay: Delay) {
        if a != b {
            let larger = self.micros(a, b).map_or(delay.as_micros(), |known| known.max(delay.as_micros()));
            self.set(a, b, larger);
        }
    }

    /// Replaces what is known of a pair.
    pub fn replace(&mut self, a: NodeSlot, b: NodeSlot, delay: Option<Delay>) {
        if a != b {
            self.set(a, b, delay.map_or(UNKNOWN, Delay::as_micros));
        }
    }

    /// How many pairs are known.
    pub fn known_pairs(&self) -> usize {
        match &self.form {
            Form::Dense(dense) => dense.known_pairs(),
            Form::Sparse(sparse) => sparse.known_pairs(),
        }
    }

    fn set(&mut self, a: NodeSlot, b: NodeSlot, micros: u32) {
        match &mut self.form {
            Form::Dense(dense) => dense.set(a.idx(), b.idx(), micros),
            Form::Sparse(sparse) => sparse.set(a.idx(), b.idx(), micros),
        }
    }

    fn micros(&self, a: NodeSlot, b: NodeSlot) -> Option<u32> {
        let micros = match &self.form {
            Form::Dense(dense) => dense.get(a.idx(), b.idx()),
            Form::Sparse(sparse) => sparse.get(a.idx(), b.idx()),
        };
        (micros != UNKNOWN).then_some(micros)
    }
}

impl Delays for PairDelays {
    fn between(&self, a: NodeSlot, b: NodeSlot) -> Option<Delay> {
        Delay::from_micros(self.micros(a, b)?).ok()
    }

    fn each_known(&self, from: NodeSlot, each: &mut dyn FnMut(NodeSlot, Delay)) {
        let mut tell = |to: usize, micros: u32| {
            if let (Ok(to), Ok(delay)) = (u32::try_from(to), Delay::from_micros(micros)) {
                each(NodeSlot(to), delay);
            }
        };
        match &self.form {
            Form::Dense(dense) => dense.each_known(from.idx(), &mut tell),
            Form::Sparse(sparse) => sparse.each_known(from.idx(), &mut tell),
        }
    }
}
