//! Bounds and improvement: against all arrangements of small problems, and with the checker at every step.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

const EFFORT: Effort = Effort { rounds: 300, tolerance: 0.001 };

/// A random problem: nodes 0 to `nodes`, and pods of any size on any two nodes they may be on.
fn subjects(random: &mut Random, nodes: u32, pods: u32, movable: bool) -> (Vec<Room>, Vec<Subject>) {
    let room = |memory| demand(1_000, memory, 100);
    let rooms = (0..nodes).map(|node| Room { node: NodeSlot(node), room: room(40) }).collect();
    let subject = |idx| {
        let mut allowed: Vec<NodeSlot> = (0..nodes).map(NodeSlot).collect();
        for last in (1..allowed.len()).rev() {
            allowed.swap(last, random.below(last + 1));
        }
        allowed.truncate(2 + random.below(allowed.len() - 1));
        Subject {
            pod: uid(idx),
            primary: allowed[0],
            backup: Some(allowed[1]),
            allowed: allowed.into(),
            demand: demand(10 * random.below(3), 1 + random.below(3), random.below(2)),
            movable,
        }
    };
    (rooms, (0..pods).map(subject).collect())
}

/// The least memory that is reserved if each pod is on the pair that it may be on.
fn least_memory(subjects: &[Subject], moves: bool) -> i64 {
    fn go(rest: &[Subject], moves: bool, shares: &mut BTreeMap<(NodeSlot, NodeSlot), i64>) -> i64 {
        let Some((subject, rest)) = rest.split_first() else {
            let mut reserves: BTreeMap<NodeSlot, i64> = BTreeMap::new();
            for ((_, backup), share) in shares {
                let reserve = reserves.entry(*backup).or_default();
                *reserve = share.max(reserve).to_owned();
            }
            return reserves.values().sum();
        };
        let stays = [subject.primary];
        let primaries = if moves { &*subject.allowed } else { &stays[..] };
        let mut least = i64::MAX;
        for primary in primaries {
            for backup in subject.allowed.iter().filter(|node| *node != primary) {
                *shares.entry((*primary, *backup)).or_default() += subject.demand.memory.0;
                least = least.min(go(rest, moves, shares));
                *shares.entry((*primary, *backup)).or_default() -= subject.demand.memory.0;
            }
        }
        least
    }
    go(subjects, moves, &mut BTreeMap::new())
}

fn memory_bound(problem: &Problem, freedom: Freedom) -> i64 {
    let bounds = bound(problem, freedom, EFFORT);
    bounds.iter().find(|bound| bound.kind == Kind::Memory).unwrap().lower
}

#[test]
fn no_arrangement_of_a_small_problem_beats_the_bound_and_the_best_one_is_found() {
    let mut random = Random(0x0b0d);
    let (mut tight, mut best) = (0, 0);
    for round in 0..60 {
        let movable = round % 2 == 0;
        let (rooms, mut subjects) = subjects(&mut random, 4, if movable { 4 } else { 6 }, movable);
        for subject in &mut subjects {
            subject.demand = demand(0, subject.demand.memory.0, 0);
        }
        let problem = Problem::new(&rooms, &subjects);
        let freedom = if movable { Freedom::Pods } else { Freedom::Backups };
        let (lower, least) = (memory_bound(&problem, freedom), least_memory(&subjects, movable));
        assert!(lower <= least, "{lower} > {least}: {subjects:?}");
        tight += usize::from(lower == least);
        let moves = if movable { subjects.len() } else { 0 };
        let plan = improve(&problem, Budget { steps: 200, moves, room: 0 }, 1);
        assert!(plan.after.memory.0 >= least && plan.after.memory <= plan.before.memory, "{plan:?}");
        best += usize::from(plan.after.memory.0 == least);
    }
    assert!(tight >= 30 && best >= 57, "of 60 bounds {tight} are tight, {best} plans the best there are");
}

#[test]
fn the_bound_for_so_many_moves_lies_between_that_for_none_and_that_for_all() {
    let mut random = Random(0x30e5);
    for _ in 0..40 {
        let (rooms, subjects) = subjects(&mut random, 5, 8, true);
        let problem = Problem::new(&rooms, &subjects);
        let still = memory_bound(&problem, Freedom::Backups);
        let bounds: Vec<i64> = (0..9).map(|moves| memory_bound(&problem, Freedom::Moves(moves))).collect();
        assert!(bounds.windows(2).all(|pair| pair[0] >= pair[1]), "{bounds:?}");
        // Both are found by search, so one may be a little less than it could be.
        assert!(
            bounds[0] + 1 >= still && bounds[8] <= memory_bound(&problem, Freedom::Pods) + 1,
            "{still}: {bounds:?}"
        );
        for moves in 0..4 {
            let plan = improve(&problem, Budget { steps: 100, moves, room: 0 }, 1);
            assert!(plan.steps.iter().filter(|step| step.moves).count() <= moves, "{plan:?}");
            assert!(plan.after.memory.0 >= bounds[moves], "{plan:?} {bounds:?}");
        }
    }
}

#[test]
fn interchangeable_nodes_need_a_share_for_each_other_node() {
    let allowed: Arc<[NodeSlot]> = (0..11).map(NodeSlot).collect();
    let rooms: Vec<Room> =
        allowed.iter().map(|node| Room { node: *node, room: demand(0, 1_000, 0) }).collect();
    let subject = |idx: u32| Subject {
        pod: uid(idx),
        primary: NodeSlot(idx % 11),
        backup: Some(NodeSlot((idx + 1) % 11)),
        allowed: allowed.clone(),
        demand: demand(0, 7, 0),
        movable: true,
    };
    let problem = Problem::new(&rooms, &(0..110).map(subject).collect::<Vec<Subject>>());
    // 110 pods of 7 on 11 nodes: a tenth of what they demand, in whole pods.
    assert_eq!(memory_bound(&problem, Freedom::Pods), 77);
    let plan = improve(&problem, Budget { steps: 2_000, moves: 0, room: 0 }, 1);
    assert!((plan.before.memory.0, plan.after.memory.0) <= (770, 84), "{plan:?}");
}

/// The state between two steps, as the checker wants it.
fn checked(
    rooms: &[Room],
    subjects: &[Subject],
    book: &Book,
    held: Option<(NodeSlot, &Resources)>,
    reserves: &Book,
) -> Vec<Violation> {
    let pods: Vec<CheckedPod> = subjects
        .iter()
        .map(|subject| {
            let covered = book.of(&subject.pod).unwrap();
            let allowed = subject.allowed.iter().copied().collect();
            let (primary, backup) = (covered.primary, Some(covered.backup));
            CheckedPod { pod: subject.pod.clone(), primary, backup, allowed, demand: subject.demand.clone() }
        })
        .collect();
    let nodes: Vec<CheckedNode> = rooms
        .iter()
        .map(|room| {
            let mut requested = Resources::default();
            book.covered_on(room.node).for_each(|(_, covered)| requested.add(&covered.demand));
            if let Some((_, demand)) = held.filter(|(node, _)| *node == room.node) {
                requested.add(demand);
            }
            let mut reserve = book.reserve(room.node);
            reserve.raise_to(&reserves.reserve(room.node));
            CheckedNode { node: room.node, alive: true, allocatable: room.room.clone(), requested, reserve }
        })
        .collect();
    check(&pods, &nodes)
}

#[test]
fn every_step_of_a_plan_is_sound_before_in_and_after_it() {
    let mut random = Random(0x57e9);
    let mut n_steps = 0;
    for round in 0..40 {
        let (mut rooms, subjects) = subjects(&mut random, 6, 24, true);
        let mut book = Book::default();
        for subject in &subjects {
            let (primary, backup) = (subject.primary, subject.backup.unwrap());
            let demand = subject.demand.clone();
            book.put(subject.pod.clone(), Covered { primary, backup, demand });
        }
        // Just enough room everywhere, and a little more on some nodes.
        for room in &mut rooms {
            room.room = book.reserve(room.node);
            book.covered_on(room.node).for_each(|(_, covered)| room.room.add(&covered.demand));
            room.room.add(&demand(random.below(30), random.below(6), random.below(3)));
        }
        let plan = improve(&Problem::new(&rooms, &subjects), Budget { steps: 50, moves: 6, room: 0 }, round);
        assert_eq!(checked(&rooms, &subjects, &book, None, &book), []);
        for step in &plan.steps {
            let before = book.clone();
            let demand = book.of(&step.pod).unwrap().demand.clone();
            assert_eq!(step.moves, book.of(&step.pod).unwrap().primary != step.primary);
            let covered = Covered { primary: step.primary, backup: step.backup, demand: demand.clone() };
            // What is new is made while the pod is where it was, too.
            let mut both = before.clone();
            both.put(PodUid::new("new"), covered.clone());
            let held = step.moves.then_some((step.primary, &demand));
            assert_eq!(checked(&rooms, &subjects, &before, held, &both), [], "{step:?}");
            book.put(step.pod.clone(), covered);
            assert_eq!(checked(&rooms, &subjects, &book, None, &book), [], "{step:?}");
            n_steps += 1;
        }
        let mut after = Resources::default();
        book.backups().for_each(|node| after.add(&book.reserve(node)));
        assert_eq!(triple(&after), triple(&plan.after));
    }
    assert!(n_steps > 100, "{n_steps}");
}

#[test]
fn a_plan_is_the_same_for_the_same_seed() {
    let (rooms, subjects) = subjects(&mut Random(0xd1ce), 6, 30, true);
    let problem = Problem::new(&rooms, &subjects);
    let budget = Budget { steps: 40, moves: 5, room: 0 };
    assert_eq!(improve(&problem, budget, 7), improve(&problem, budget, 7));
}

/// A pod's node, its backup, the nodes it may be on, and what it demands.
type Compact<'a> = (u32, Option<u32>, &'a [u32], i64);

/// Nodes of so much memory; pods by number. What is done so that all are covered, with pod, node and backup of each
/// step.
#[track_caller]
fn check_mended(rooms: &[i64], pods: &[Compact<'_>], room: usize, expected: &[(u32, u32, u32)]) {
    let rooms: Vec<Room> = (0..)
        .zip(rooms)
        .map(|(node, room)| Room { node: NodeSlot(node), room: demand(0, *room, 0) })
        .collect();
    let subject = |(idx, (primary, backup, allowed, memory)): (u32, &Compact<'_>)| Subject {
        pod: uid(idx),
        primary: NodeSlot(*primary),
        backup: backup.map(NodeSlot),
        allowed: allowed.iter().copied().map(NodeSlot).collect(),
        demand: demand(0, *memory, 0),
        movable: true,
    };
    let subjects: Vec<Subject> = (0..).zip(pods).map(subject).collect();
    let plan = improve(&Problem::new(&rooms, &subjects), Budget { steps: 0, moves: 0, room }, 1);
    let number = |pod: &PodUid| (0..10).find(|idx| uid(*idx) == *pod).unwrap();
    let steps = plan.steps.iter().map(|step| (number(&step.pod), step.primary.0, step.backup.0));
    assert_eq!(steps.collect::<Vec<_>>(), expected);
}

#[test]
fn others_make_room_for_the_backup_of_a_pod_that_has_none() {
    // There is room for it.
    check_mended(&[9, 9], &[(0, None, &[0, 1], 2)], 0, &[(0, 0, 1)]);
    // Another pod of its node is covered where alone it could be, and can be covered elsewhere.
    let one = (0, None, &[0, 1][..], 2);
    let shifts: [Compact<'_>; 2] = [one, (0, Some(1), &[0, 1, 2], 1)];
    check_mended(&[9, 2, 1], &shifts, 0, &[(1, 0, 2), (0, 0, 1)]);
    // What is covered there of a third node is in nobody's way.
    check_mended(&[9, 2, 9], &[one, (2, Some(1), &[1, 2], 2)], 0, &[(0, 0, 1)]);
    // A pod is where the backup could be.
    let moves: [Compact<'_>; 3] = [one, (1, Some(2), &[1, 2, 3], 1), (1, Some(2), &[1, 2, 3], 2)];
    check_mended(&[9, 3, 3, 1], &moves, 0, &[]);
    check_mended(&[9, 4, 3, 1], &moves, 1, &[(1, 3, 2), (0, 0, 1)]);
    // Two of them have to go.
    check_mended(&[9, 3, 3, 3], &moves, 1, &[(2, 3, 2), (0, 0, 1)]);
    check_mended(&[9, 2, 3, 1], &moves, 1, &[]);
    // Nothing helps.
    check_mended(&[9, 1, 9], &[one, (0, Some(2), &[0, 1, 2], 1)], 2, &[]);
}

#[test]
fn a_pod_without_a_backup_goes_elsewhere_itself_if_no_other_one_can() {
    let pods: [Compact<'_>; 2] = [(0, None, &[0, 1, 2], 2), (0, Some(1), &[0, 1], 2)];
    check_mended(&[4, 2, 2], &pods, 0, &[(0, 0, 2)]);
    check_mended(&[4, 2, 1], &pods, 1, &[]);
    check_mended(&[4, 4, 1], &pods, 0, &[(0, 0, 1)]);
    check_mended(&[4, 3, 1], &pods, 1, &[]);
}
