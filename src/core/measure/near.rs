//! Near ones: whom coordinates put nearest to a node, without lists that change at every breath of the network.

use super::coordinates::{Coordinate, Coordinates};
use super::roster::Id;

/// Who is in a list stays in it while no more than this many times as many as it holds are nearer.
const STAYS_WITHIN: usize = 2;
/// How many nodes at most are looked at in a step: 5,000 of them take 25 million distances.
const LOOKS: usize = 1_000;
/// In so many steps everybody is looked at, because others may have moved.
const TURN: usize = 64;
/// A node is looked at when it moved by this share of the distance to the farthest in its list, and this far in ms.
const MOVED: (f32, f32) = (0.1, 0.5);

/// The lists of near ones.
#[derive(Debug, Default)]
pub(super) struct Near {
    /// By number, in no order.
    lists: Vec<List>,
    /// Whose turn it is.
    turn: usize,
}

#[derive(Clone, Debug, Default)]
struct List {
    members: Vec<Id>,
    /// Where the node was when its list was made, and how far its farthest member.
    made: Option<(Coordinate, f32)>,
}

// === impl Near ===

impl Near {
    /// Makes room for numbers below `end`, and takes out those who went.
    pub(super) fn resize(&mut self, end: usize, went: &[Id]) {
        self.lists.resize(end, List::default());
        for id in went {
            if let Some(list) = self.lists.get_mut(id.idx()) {
                *list = List::default();
            }
        }
        for list in self.lists.iter_mut().filter(|list| list.members.iter().any(|it| went.contains(it))) {
            list.members.retain(|member| !went.contains(member));
            list.made = None;
        }
    }

    pub(super) fn of(&self, id: Id) -> &[Id] {
        self.lists.get(id.idx()).map_or(&[], |list| &list.members)
    }

    /// Begins with this list, which a plan before had.
    pub(super) fn adopt(&mut self, id: Id, members: Vec<Id>) {
        if let Some(list) = self.lists.get_mut(id.idx()) {
            list.members = members;
        }
    }

    /// Brings lists up to date, and says whose changed.
    pub(super) fn refresh(&mut self, ids: &[Id], coordinates: &Coordinates, size: usize) -> Vec<Id> {
        let settled: Vec<(Id, Coordinate)> = ids
            .iter()
            .filter_map(|id| Some((*id, *coordinates.get(*id)?)))
            .filter(|(_, at)| at.is_settled())
            .collect();
        let turn = self.turn % TURN;
        self.turn = turn + 1;
        let mut changed = Vec::new();
        let mut looks = 0;
        for (id, at) in &settled {
            let Some(list) = self.lists.get_mut(id.idx()) else { continue };
            if looks < LOOKS && (id.idx() % TURN == turn || list.is_old(at)) {
                looks += 1;
                if list.renew(*id, at, &settled, size) {
                    changed.push(*id);
                }
            }
        }
        changed
    }
}

// === impl List ===

impl List {
    fn is_old(&self, at: &Coordinate) -> bool {
        self.made
            .as_ref()
            .is_none_or(|(then, farthest)| at.moved_from(then) > MOVED.1.max(farthest * MOVED.0))
    }

    /// Whether it changed.
    fn renew(&mut self, own: Id, at: &Coordinate, all: &[(Id, Coordinate)], size: usize) -> bool {
        let others = all.iter().filter(|(id, _)| *id != own);
        let mut nearest: Vec<(f32, Id)> = others.map(|(id, other)| (at.to(other), *id)).collect();
        let kept = size * STAYS_WITHIN;
        if nearest.len() > kept {
            nearest.select_nth_unstable_by(kept, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            nearest.truncate(kept);
        }
        nearest.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut members: Vec<Id> =
            nearest.iter().map(|it| it.1).filter(|id| self.members.contains(id)).collect();
        members.truncate(size);
        let vacant = size - members.len();
        let new: Vec<Id> =
            nearest.iter().map(|it| it.1).filter(|id| !members.contains(id)).take(vacant).collect();
        members.extend(new);
        let farthest = nearest.get(..size.min(nearest.len())).and_then(<[_]>::last).map_or(0.0, |it| it.0);
        self.made = Some((*at, farthest));
        members.sort_unstable();
        let changed = members != self.members;
        self.members = members;
        changed
    }
}
