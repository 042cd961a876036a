//! The book against brute force, the choice by tables, and the checker by one defect at a time.

mod solving;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{Bytes, MilliCpu, PodUid, Resources};
use crate::placement::NodeSlot;
use crate::random::Random;

fn uid(idx: u32) -> PodUid {
    PodUid::new(format!("pod-{idx:02}"))
}

fn demand(cpu: i64, memory: i64, gpu: i64) -> Resources {
    let mut demand = Resources { cpu: MilliCpu(cpu), memory: Bytes(memory), ..Resources::default() };
    if gpu > 0 {
        demand.set_scalar("example.com/gpu".into(), gpu);
    }
    demand
}

fn covered(primary: u32, backup: u32, demand: Resources) -> Covered {
    Covered { primary: NodeSlot(primary), backup: NodeSlot(backup), demand }
}

/// A book of pods on a node with a backup on another and so much memory.
fn book(pods: &[(u32, u32, i64)]) -> Book {
    let mut book = Book::default();
    for (idx, (primary, backup, memory)) in (0..).zip(pods) {
        book.put(uid(idx), covered(*primary, *backup, demand(0, *memory, 0)));
    }
    book
}

/// What a node has to reserve, from the definition.
fn reserve(pods: &BTreeMap<PodUid, Covered>, backup: NodeSlot) -> (i64, i64, i64) {
    let mut sums: BTreeMap<NodeSlot, (i64, i64, i64)> = BTreeMap::new();
    for pod in pods.values().filter(|pod| pod.backup == backup) {
        let sum = sums.entry(pod.primary).or_default();
        sum.0 = sum.0.saturating_add(pod.demand.cpu.0);
        sum.1 = sum.1.saturating_add(pod.demand.memory.0);
        sum.2 = sum.2.saturating_add(pod.demand.scalar(&"example.com/gpu".into()));
    }
    sums.values().fold((0, 0, 0), |max, sum| (max.0.max(sum.0), max.1.max(sum.1), max.2.max(sum.2)))
}

fn triple(resources: &Resources) -> (i64, i64, i64) {
    (resources.cpu.0, resources.memory.0, resources.scalar(&"example.com/gpu".into()))
}

#[test]
fn the_book_is_exact_whatever_is_entered_and_struck_out() {
    let mut random = Random(0xb00c);
    for _ in 0..200 {
        let (mut book, mut reference) = (Book::default(), BTreeMap::new());
        for _ in 0..60 {
            let pod = uid(random.below(12));
            if random.below(3_u32) == 0 {
                assert_eq!(book.remove(&pod), reference.remove(&pod));
            } else {
                // A huge amount shows that sums which saturate come down again.
                let cpu = if random.below(20_u32) == 0 { i64::MAX } else { random.below(5) };
                let demand = demand(cpu, random.below(4), random.below(3));
                let entry = covered(random.below(4), random.below(4), demand);
                let (before, increment) = (book.clone(), {
                    let mut without = book.clone();
                    without.remove(&pod);
                    (
                        without.reserve(entry.backup),
                        without.increment(entry.primary, entry.backup, &entry.demand),
                    )
                });
                assert_eq!(before.len(), reference.len());
                assert_eq!(book.put(pod.clone(), entry.clone()), reference.insert(pod, entry.clone()));
                let mut grown = increment.0;
                grown.add(&increment.1);
                assert_eq!(triple(&grown), triple(&book.reserve(entry.backup)));
            }
            compare(&book, &reference);
        }
    }
}

#[track_caller]
fn compare(book: &Book, reference: &BTreeMap<PodUid, Covered>) {
    assert_eq!((book.len(), book.is_empty()), (reference.len(), reference.is_empty()));
    for slot in (0..4).map(NodeSlot) {
        assert_eq!(triple(&book.reserve(slot)), reserve(reference, slot));
        let pods = |choice: &dyn Fn(&Covered) -> bool| -> BTreeSet<PodUid> {
            reference.iter().filter(|(_, pod)| choice(pod)).map(|(uid, _)| uid.clone()).collect()
        };
        let on: BTreeSet<PodUid> = book.covered_on(slot).map(|(uid, _)| uid.clone()).collect();
        let by: BTreeSet<PodUid> = book.covered_by(slot).map(|(uid, _)| uid.clone()).collect();
        assert_eq!((on, by), (pods(&|pod| pod.primary == slot), pods(&|pod| pod.backup == slot)));
    }
    let backups: BTreeSet<NodeSlot> = reference.values().map(|pod| pod.backup).collect();
    let primaries: BTreeSet<NodeSlot> = reference.values().map(|pod| pod.primary).collect();
    assert!(book.backups().eq(backups) && book.primaries().eq(primaries));
    assert!(reference.iter().all(|(uid, pod)| book.of(uid) == Some(pod)));
}

#[track_caller]
fn check_choice(pods: &[(u32, u32, i64)], memory: i64, free: &[(u32, i64)], expected: Option<(u32, i64)>) {
    let allocatable = demand(1_000, 100, 0);
    let candidates: Vec<Candidate<'_>> = free
        .iter()
        .map(|(node, free)| Candidate {
            node: NodeSlot(*node),
            allocatable: &allocatable,
            free: demand(1_000, *free, 0),
        })
        .collect();
    let choice = choose(&book(pods), NodeSlot(0), &demand(0, memory, 0), &candidates, |_| true);
    assert_eq!(choice.map(|it| (it.node.0, it.increment.memory.0)), expected);
}

#[test]
fn the_reserve_that_grows_least_is_chosen() {
    // Node 3 reserves 8 for node 2, of which node 0 uses nothing.
    check_choice(&[(2, 3, 8)], 8, &[(1, 100), (3, 0)], Some((3, 0)));
    // It would grow by 1; a new one by 9.
    check_choice(&[(2, 3, 8)], 9, &[(1, 100), (3, 1)], Some((3, 1)));
    // Node 0 has used it up, and node 4 has 2 left.
    check_choice(&[(2, 3, 8), (0, 3, 8), (2, 4, 4), (0, 4, 2)], 3, &[(3, 50), (4, 50)], Some((4, 1)));
}

#[test]
fn among_equal_ones_the_least_loaded_is_chosen_and_then_the_lowest_slot() {
    check_choice(&[], 5, &[(1, 50), (2, 60), (3, 60)], Some((2, 5)));
    check_choice(&[(9, 1, 7), (9, 2, 7)], 5, &[(1, 3), (2, 4)], Some((2, 0)));
}

#[test]
fn a_node_without_room_and_the_pods_own_node_are_not_chosen() {
    check_choice(&[], 5, &[(1, 4), (2, 5)], Some((2, 5)));
    check_choice(&[], 5, &[(0, 100), (1, 4)], None);
    // It is overfull, but nothing is added.
    check_choice(&[(2, 3, 8)], 8, &[(3, -4)], Some((3, 0)));
    check_choice(&[], 5, &[], None);
}

#[test]
fn a_resource_that_there_is_less_of_is_dearer() {
    let allocatable = demand(1_000, 1_000, 4);
    let candidate =
        |node| Candidate { node: NodeSlot(node), allocatable: &allocatable, free: allocatable.clone() };
    let mut book = Book::default();
    book.put(uid(1), covered(8, 1, demand(100, 0, 0)));
    book.put(uid(2), covered(8, 2, demand(0, 0, 1)));
    let choice =
        choose(&book, NodeSlot(0), &demand(100, 0, 1), &[candidate(1), candidate(2)], |_| true).unwrap();
    assert_eq!((choice.node, choice.increment), (NodeSlot(2), demand(100, 0, 0)));
}

/// Two pods on nodes 0 and 1 that share a backup on node 2.
fn sound() -> (Vec<CheckedPod>, Vec<CheckedNode>) {
    let pod = |idx: u32| CheckedPod {
        pod: uid(idx),
        primary: NodeSlot(idx),
        backup: Some(NodeSlot(2)),
        allowed: (0..3).map(NodeSlot).collect(),
        demand: demand(100, 10, 1),
    };
    let node = |idx: u32| CheckedNode {
        node: NodeSlot(idx),
        alive: true,
        allocatable: demand(100, 10, 1),
        requested: if idx < 2 { demand(100, 10, 1) } else { Resources::default() },
        reserve: if idx < 2 { Resources::default() } else { demand(100, 10, 1) },
    };
    ((0..2).map(pod).collect(), (0..3).map(node).collect())
}

#[track_caller]
fn check_finds(expected: &[&str], spoil: impl Fn(&mut Vec<CheckedPod>, &mut Vec<CheckedNode>)) {
    let (mut pods, mut nodes) = sound();
    spoil(&mut pods, &mut nodes);
    let found: BTreeSet<String> = check(&pods, &nodes).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected.iter().map(ToString::to_string).collect());
}

#[test]
fn the_checker_finds_each_defect() {
    check_finds(&[], |_, _| ());
    check_finds(&["P1: pod-01 has no backup"], |pods, _| pods[1].backup = None);
    check_finds(&[], |pods, _| (pods[1].backup, pods[1].allowed) = (None, [NodeSlot(1)].into()));
    check_finds(&["P1: pod-00 may not be on its backup's node 2"], |pods, _| {
        pods[0].allowed = [NodeSlot(0), NodeSlot(1)].into();
    });
    check_finds(
        &[
            "P1: pod-00 has its backup on node 2, which is dead",
            "P1: pod-01 has its backup on node 2, which is dead",
        ],
        |_, nodes| nodes[2].alive = false,
    );
    check_finds(
        &[
            "P2: node 2 reserves 9 memory and covers 10 of node 0",
            "P2: node 2 reserves 9 memory and covers 10 of node 1",
        ],
        |_, nodes| {
            nodes[2].reserve.memory = Bytes(9);
        },
    );
    check_finds(
        &[
            "P3: of node 2's 0 example.com/gpu 1 are taken",
            "P4: if node 0 is lost, node 2 has too little example.com/gpu for its pods",
            "P4: if node 1 is lost, node 2 has too little example.com/gpu for its pods",
        ],
        |_, nodes| {
            nodes[2].allocatable = demand(100, 10, 0);
        },
    );
}

#[test]
fn the_checker_finds_a_backup_on_the_pods_own_node_and_a_pod_that_is_told_twice() {
    check_finds(
        &[
            "P1: pod-00 has its backup on its own node 0",
            "P4: if node 0 is lost, node 0 has too little cpu for its pods",
            "P2: node 0 reserves 0 cpu and covers 100 of node 0",
            "P4: if node 0 is lost, node 0 has too little example.com/gpu for its pods",
            "P2: node 0 reserves 0 example.com/gpu and covers 1 of node 0",
            "P4: if node 0 is lost, node 0 has too little memory for its pods",
            "P2: node 0 reserves 0 memory and covers 10 of node 0",
        ],
        |pods, _| pods[0].backup = Some(NodeSlot(0)),
    );
    check_finds(
        &["P1: pod-00 is covered twice", "P2: node 2 reserves 100 cpu and covers 200 of node 0"],
        |pods, nodes| {
            pods[1] = pods[0].clone();
            // Of the other resources there is enough.
            (nodes[2].allocatable, nodes[2].reserve) = (demand(200, 20, 2), demand(100, 20, 2));
        },
    );
}

/// By how much reserves grow at least if a pod goes to each site, by trying every other one as its backup.
fn growth_by_trying(book: &Book, wanted: &Resources, sites: &[Site<'_>], free: i64) -> Vec<i64> {
    let total = |kind: &Kind| sites.iter().map(|site| i128::from(kind.of(site.allocatable))).sum::<i128>();
    let parts = |part: &Resources| -> i128 {
        let kinds = [Kind::Cpu, Kind::Memory, Kind::Scalar("example.com/gpu".into())].into_iter();
        kinds.map(|kind| (i128::from(kind.of(part)) << 60) / total(&kind).max(1)).sum()
    };
    let of = |site: &Site<'_>| {
        let others = sites.iter().filter(|other| other.node != site.node);
        let grown = others.map(|other| book.increment(site.node, other.node, wanted));
        let fitting = grown.filter(|grown| grown.memory.0 <= free).map(|grown| parts(&grown));
        let least = fitting.min().unwrap_or(i128::MAX).min(parts(wanted));
        i64::try_from(least * i128::from(GROWS_WHOLLY) / parts(wanted)).unwrap()
    };
    sites.iter().map(of).collect()
}

#[test]
fn the_least_growth_is_what_trying_every_pair_finds() {
    let mut random = Random(0x960);
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let mut book = Book::default();
        let kinds = random.below(3);
        let draw = |random: &mut Random| {
            let cpu = if kinds > 0 { 250 * random.below(4) } else { 0 };
            demand(cpu, 1 + random.below(6), if kinds > 1 { random.below(3) } else { 0 })
        };
        for pod in 0..random.below(60) {
            let (primary, backup) = (random.below(8), random.below(8));
            if primary != backup {
                book.put(uid(pod), covered(primary, backup, draw(&mut random)));
            }
        }
        let allocatable = demand(64_000, 128, 8);
        let nodes = (0..8).filter(|_| random.below(4) > 0).collect::<Vec<u32>>();
        let site = |node: &u32| Site { node: NodeSlot(*node), allocatable: &allocatable };
        let sites: Vec<Site<'_>> = nodes.iter().map(site).collect();
        let (wanted, free) = (draw(&mut random), random.below(8));
        let found = least_growth(&book, &wanted, &sites, |_, increment| increment.memory.0 <= free);
        for (found, tried) in found.iter().zip(growth_by_trying(&book, &wanted, &sites, free)) {
            assert!((found - tried).abs() <= 2, "{found} {tried}: {book:?} {sites:?} {wanted:?} {free}");
            assert_eq!(*found == 0, tried == 0, "{book:?} {sites:?} {wanted:?}");
            seen.insert(found / (GROWS_WHOLLY / 4));
        }
    }
    assert_eq!(seen.len(), 5, "all of nothing, a part, and everything occur: {seen:?}");
}
