//! The delays that count now, for who looks at all of them.

use super::State;
use crate::delay::DelaySource;
use crate::layers::{Known, Member};
use crate::model::Time;
use crate::placement::NodeSlot;

/// What is known from some of the nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPart {
    /// These nodes, and the delays between each and any other.
    pub known: Known,
    /// Where to go on; none at the end.
    pub next: Option<NodeSlot>,
}

// === impl State ===

impl State {
    /// The fresh delays of `most` nodes from `from` on, so that nobody has to wait for all of them to be gone through.
    /// Delays that stay in force because nothing is heard of a node are no fresh ones.
    pub fn known_delays(&self, from: NodeSlot, most: usize, now: Time) -> KnownPart {
        let mut part = KnownPart::default();
        let end = (from.idx() + most).min(self.snapshot.nodes.num_slots());
        for view in
            (from.idx()..end).filter_map(|idx| self.snapshot.nodes.get(NodeSlot(u32::try_from(idx).ok()?)))
        {
            part.known.members.push(Member { slot: view.slot, name: view.node.name.clone() });
            self.known_from(view.slot, now, &mut part.known);
        }
        part.next = u32::try_from(end).ok().map(NodeSlot).filter(|_| end < self.snapshot.nodes.num_slots());
        part
    }

    fn known_from(&self, from: NodeSlot, now: Time, known: &mut Known) {
        let delays = &self.snapshot.delays;
        let is_there = |to: NodeSlot| to != from && self.snapshot.nodes.get(to).is_some();
        if let Some(row) = delays.row(from).filter(|_| !delays.is_unheard(from)) {
            let cells = (0..).map(NodeSlot).zip(row.cells());
            let pairs = cells.filter_map(|(to, delay)| Some((from, to, (*delay)?)));
            known.pairs.extend(pairs.filter(|(_, to, _)| is_there(*to)));
            return;
        }
        let measured = delays.measured();
        let sources = [DelaySource::Probe, DelaySource::Goldpinger, DelaySource::File];
        let told = sources.into_iter().flat_map(|source| measured.reported(source, from));
        let mut peers: Vec<NodeSlot> = told.map(|row| row.peer).filter(|to| is_there(*to)).collect();
        peers.sort_unstable();
        peers.dedup();
        let fresh = |to: NodeSlot| Some((from, to, measured.pair(from, to, now).fresh()?));
        known.pairs.extend(peers.into_iter().filter_map(fresh));
    }
}
