//! Making room: by which moves of other pods a pod finds a place that fits nowhere.
//!
//! One pod that leaves the node is tried first, the least important ones before the others. Then two: two pods that
//! leave one node, or one that goes where another one makes room for it. No more: each move takes a pod away that
//! has done nothing wrong.

use crate::placement::NodeSlot;

/// A pod that may be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident<P> {
    /// The pod.
    pub pod: P,
    /// Its priority.
    pub priority: i32,
}

/// A move of one pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop<P> {
    /// The pod.
    pub pod: P,
    /// The node that it leaves.
    pub from: NodeSlot,
    /// The node that it goes to.
    pub to: NodeSlot,
}

/// Moves after which a pod has a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain<P> {
    /// The moves, to be done in this order; one or two.
    pub hops: Vec<Hop<P>>,
    /// The pod's node.
    pub home: NodeSlot,
}

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// So many moves, each of which has pods judged anew.
    pub tries: usize,
}

/// A cluster in which pods can be moved in thought.
pub trait Board {
    /// A pod.
    type Pod: Clone + Ord;

    /// The nodes where the pod could be that needs a place, if they had the room.
    fn homes(&self) -> Vec<NodeSlot>;

    /// Whether that pod fits on a node as things are.
    fn fits(&self, home: NodeSlot) -> bool;

    /// Whether it would fit if these were not there.
    fn fits_without(&self, home: NodeSlot, gone: &[&Self::Pod]) -> bool;

    /// The pods on a node that may be moved.
    fn residents(&self, node: NodeSlot) -> Vec<Resident<Self::Pod>>;

    /// Nodes where a resident could be if they had the room, the best first, its own left out.
    fn places(&self, pod: &Self::Pod) -> Vec<NodeSlot>;

    /// Moves a resident, if there is room for it now and nothing is lost by that; whether it is moved.
    fn try_move(&mut self, hop: &Hop<Self::Pod>) -> bool;

    /// Takes back the last move that was made.
    fn undo(&mut self);
}

/// Two pods that could go together, on their way to be tried.
struct Pair<P> {
    home: NodeSlot,
    /// Who leaves the pod's node.
    first: Resident<P>,
    /// Who leaves too: the same node, or the one that the first goes to.
    second: Resident<P>,
    /// Where the first goes, if the second makes room there.
    by: Option<NodeSlot>,
}

/// The priorities of those who are moved, the highest first: the less the better.
type Cost = (i32, i32);

/// Finds the fewest moves by which the pod gets a place, and of those the ones that move the least important pods:
/// by the highest priority among them, then by the other one. `None` if there are none, or none was found with
/// this effort.
pub fn make_room<B: Board>(board: &mut B, effort: Effort) -> Option<Chain<B::Pod>> {
    let mut search = Search { board, left: effort.tries };
    search.one_move().or_else(|| search.two_moves())
}

/// A search under way.
struct Search<'b, B> {
    board: &'b mut B,
    left: usize,
}

// === impl Search ===

impl<B: Board> Search<'_, B> {
    fn one_move(&mut self) -> Option<Chain<B::Pod>> {
        let mut leaving = Vec::new();
        for home in self.board.homes() {
            for resident in self.board.residents(home) {
                if self.board.fits_without(home, &[&resident.pod]) {
                    leaving.push((resident.priority, leaving.len(), home, resident.pod));
                }
            }
        }
        leaving.sort_unstable();
        for (_, _, home, pod) in leaving {
            for to in self.board.places(&pod) {
                let hop = Hop { pod: pod.clone(), from: home, to };
                if self.works(std::slice::from_ref(&hop), home)? {
                    return Some(Chain { hops: vec![hop], home });
                }
            }
        }
        None
    }

    fn two_moves(&mut self) -> Option<Chain<B::Pod>> {
        let mut pairs = Vec::new();
        for home in self.board.homes() {
            self.pairs_of(home, &mut pairs);
        }
        // Those that were found first stand first among equals.
        pairs.sort_by_key(Pair::cost);
        for pair in pairs {
            for hops in self.ways_of(&pair) {
                if self.works(&hops, pair.home)? {
                    return Some(Chain { hops: hops.into(), home: pair.home });
                }
            }
        }
        None
    }

    fn pairs_of(&self, home: NodeSlot, pairs: &mut Vec<Pair<B::Pod>>) {
        let residents = self.board.residents(home);
        for (idx, first) in residents.iter().enumerate() {
            for second in residents.iter().skip(idx + 1) {
                if self.board.fits_without(home, &[&first.pod, &second.pod]) {
                    pairs.push(Pair { home, first: first.clone(), second: second.clone(), by: None });
                }
            }
            if !self.board.fits_without(home, &[&first.pod]) {
                continue;
            }
            for by in self.board.places(&first.pod) {
                for second in self.board.residents(by) {
                    pairs.push(Pair { home, first: first.clone(), second, by: Some(by) });
                }
            }
        }
    }

    /// Where the two could go, and who first.
    fn ways_of(&self, pair: &Pair<B::Pod>) -> Vec<[Hop<B::Pod>; 2]> {
        let Pair { home, first, second, by } = pair;
        let hop = |who: &Resident<B::Pod>, from, to| Hop { pod: who.pod.clone(), from, to };
        let seconds = self.board.places(&second.pod).into_iter();
        if let Some(by) = by {
            return seconds.map(|to| [hop(second, *by, to), hop(first, *home, *by)]).collect();
        }
        let firsts = self.board.places(&first.pod);
        let both = seconds.flat_map(|to| firsts.iter().map(move |first_to| (*first_to, to)));
        both.map(|(first_to, to)| [hop(first, *home, first_to), hop(second, *home, to)]).collect()
    }

    /// Whether these moves can be made, one after the other, and the pod fits then; none if that can't be tried any more.
    /// All is as it was before.
    fn works(&mut self, hops: &[Hop<B::Pod>], home: NodeSlot) -> Option<bool> {
        let mut made = 0;
        for hop in hops {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            if !self.board.try_move(hop) {
                break;
            }
            made += 1;
        }
        let works = made == hops.len() && self.board.fits(home);
        for _ in 0..made {
            self.board.undo();
        }
        (works || self.left > 0).then_some(works)
    }
}

// === impl Pair ===

impl<P> Pair<P> {
    fn cost(&self) -> Cost {
        let (first, second) = (self.first.priority, self.second.priority);
        (first.max(second), first.min(second))
    }
}
