//! The cover of a cluster as a problem to be solved: nodes and pods by number, amounts in whole grains.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Kind;
use super::grid::Grid;
use crate::model::{PodUid, Resources};
use crate::placement::NodeSlot;

/// A node that covered pods and backups may be on.
#[derive(Clone, Debug)]
pub struct Room {
    /// The node.
    pub node: NodeSlot,
    /// What covered pods on it and what it reserves may take together: what it has, less what other pods request.
    pub room: Resources,
}

/// A pod whose cover is to be improved.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The pod.
    pub pod: PodUid,
    /// The node it is on.
    pub primary: NodeSlot,
    /// The node its backup is on; none if it has none.
    pub backup: Option<NodeSlot>,
    /// The nodes it may be on, and so its backup, whatever room there is. Pods with the same ones share the list.
    pub allowed: Arc<[NodeSlot]>,
    /// What it requests.
    pub demand: Resources,
    /// Whether it may be moved itself, and not its backup alone.
    pub movable: bool,
}

/// Who could be covered where.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(super) nodes: Vec<NodeSlot>,
    pub(super) kinds: Vec<Measure>,
    /// Room in grains: a row for each kind, a column for each node.
    pub(super) room: Grid,
    /// Sets of nodes that pods may be on, sorted.
    pub(super) classes: Vec<Vec<u32>>,
    pub(super) pods: Vec<Item>,
}

/// A resource, and how it is counted.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    pub(super) kind: Kind,
    /// The largest amount that every demand is a multiple of.
    pub(super) grain: i64,
    /// What a grain counts: all nodes' room of a resource counts alike.
    pub(super) price: i64,
}

/// A pod.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) pod: PodUid,
    pub(super) class: usize,
    pub(super) primary: u32,
    /// [`NOWHERE`] if it has none.
    pub(super) backup: u32,
    pub(super) movable: bool,
    /// In grains, by kind.
    pub(super) demand: Vec<i64>,
}

/// Where the backup is of a pod that has none: no node has this number.
pub(super) const NOWHERE: u32 = u32::MAX;

/// What the room of all nodes counts together, for each resource.
const PRICE_OF_ALL: i64 = 1 << 40;

// === impl Problem ===

impl Problem {
    /// Numbers nodes and pods. A pod whose node or backup node is not listed is left out, and so is a node that is
    /// not listed from the nodes a pod may be on.
    pub fn new(rooms: &[Room], subjects: &[Subject]) -> Self {
        let rooms: BTreeMap<NodeSlot, &Resources> = rooms.iter().map(|it| (it.node, &it.room)).collect();
        let numbers: HashMap<NodeSlot, u32> = rooms.keys().copied().zip(0..).collect();
        let kinds = Measure::all(&rooms, subjects);
        let mut room = Grid::new(kinds.len(), rooms.len());
        for (row, measure) in (0..).zip(&kinds) {
            for (column, resources) in (0..).zip(rooms.values()) {
                room.set(row, column, measure.kind.of(resources).div_euclid(measure.grain));
            }
        }
        let mut problem = Self {
            nodes: rooms.keys().copied().collect(),
            kinds,
            room,
            classes: Vec::new(),
            pods: Vec::new(),
        };
        let mut known = BTreeMap::new();
        for subject in subjects {
            problem.add(subject, &numbers, &mut known);
        }
        problem
    }

    fn add(
        &mut self,
        subject: &Subject,
        numbers: &HashMap<NodeSlot, u32>,
        known: &mut BTreeMap<Vec<u32>, usize>,
    ) {
        let number = |node: &NodeSlot| numbers.get(node).copied();
        let backup = subject.backup.as_ref().map_or(Some(NOWHERE), number);
        let (Some(primary), Some(backup)) = (number(&subject.primary), backup) else { return };
        let nodes: BTreeSet<u32> = subject.allowed.iter().filter_map(number).collect();
        let nodes: Vec<u32> = nodes.into_iter().collect();
        let class = *known.entry(nodes).or_insert_with_key(|nodes| {
            self.classes.push(nodes.clone());
            self.classes.len() - 1
        });
        let grains = |measure: &Measure| measure.kind.of(&subject.demand) / measure.grain;
        self.pods.push(Item {
            pod: subject.pod.clone(),
            class,
            primary,
            backup,
            movable: subject.movable,
            demand: self.kinds.iter().map(grains).collect(),
        });
    }

    /// The nodes that a pod may be on.
    pub(super) fn allowed(&self, item: &Item) -> &[u32] {
        self.classes.get(item.class).map_or(&[], Vec::as_slice)
    }

    /// Whether a pod may be on a node.
    pub(super) fn may_be_on(&self, item: &Item, node: u32) -> bool {
        self.allowed(item).binary_search(&node).is_ok()
    }

    /// The numbers of all nodes.
    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }
}

// === impl Measure ===

impl Measure {
    /// All resources that a pod demands.
    fn all(rooms: &BTreeMap<NodeSlot, &Resources>, subjects: &[Subject]) -> Vec<Self> {
        let kinds: BTreeSet<Kind> = subjects.iter().flat_map(|it| Kind::all_in(&it.demand)).collect();
        let measure = |kind: Kind| {
            let grain = subjects.iter().fold(0, |divisor, it| gcd(divisor, kind.of(&it.demand)));
            let total: i64 = rooms.values().map(|room| kind.of(room).max(0) / grain.max(1)).sum();
            Self { kind, grain: grain.max(1), price: (PRICE_OF_ALL / total.max(1)).max(1) }
        };
        kinds.into_iter().map(measure).collect()
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
