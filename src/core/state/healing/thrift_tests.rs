//! Less reserve, step by step, with the checker looking at each second.

use super::cover_bench::{node, on};
use super::moves_bench::{Field, RULE, of};
use super::{CoverInUse, LessReserve};
use crate::cover::{Budget, CheckedNode, CheckedPod, Plan, Problem, Step, Violation, check, improve};
use crate::model::{Bytes, Pod, PodUid, Resources};
use crate::placement::{BACKUP_NAMESPACE, BACKUP_NODE_ANNOTATION, MoveRule, NodeSlot, Reoptimize};
use crate::random::Random;
use crate::state::Event;

const NODES: [&str; 4] = ["a", "b", "c", "d"];
const GIB: i64 = 16;
const SAVING: MoveRule = MoveRule { reoptimize: Reoptimize::Pods, ..RULE };

fn memory(gib: i64) -> Resources {
    Resources { memory: Bytes(gib << 30), ..Resources::default() }
}

fn slot(name: &str) -> NodeSlot {
    NodeSlot(u32::from(name.as_bytes()[0]))
}

/// What is wrong with who is covered where, as the pods say it.
fn wrong(field: &Field) -> Vec<Violation> {
    let sum = |name: &str, of_backups: bool| {
        let pods =
            field.bench.pods.iter().filter(|pod| (&*pod.key.namespace == BACKUP_NAMESPACE) == of_backups);
        let here = pods.filter(|pod| pod.node.as_ref().is_some_and(|node| node.as_str() == name));
        here.map(|pod| pod.requests.memory.0 >> 30).sum()
    };
    let nodes = NODES.map(|name| CheckedNode {
        node: slot(name),
        alive: true,
        allocatable: memory(GIB),
        requested: memory(sum(name, false)),
        reserve: memory(sum(name, true)),
    });
    let pods = field.bench.pods.iter().filter(|pod| &*pod.key.namespace == "default" && !pod.terminating);
    let checked = |pod: &Pod| {
        let bound: u32 = pod.labels.get("delay_a")?.parse().ok()?;
        let allowed = NODES.iter().filter(|name| **name == "a" || field.delay("a", name) <= bound);
        Some(CheckedPod {
            pod: pod.uid.clone(),
            primary: slot(pod.node.as_ref()?.as_str()),
            backup: pod.annotations.get(BACKUP_NODE_ANNOTATION).map(slot),
            allowed: allowed.map(|name| slot(name)).collect(),
            demand: pod.requests.clone(),
        })
    };
    check(&pods.filter_map(checked).collect::<Vec<_>>(), &nodes)
}

fn reserved(field: &Field) -> i64 {
    let backups = field.bench.pods.iter().filter(|pod| &*pod.key.namespace == BACKUP_NAMESPACE);
    backups.map(|pod| pod.requests.memory.0 >> 30).sum()
}

fn in_use(field: &Field) -> Option<CoverInUse> {
    field.bench.state.cover_in_use(field.bench.now)
}

/// Somebody looks for less, as the shell has it done, and what is found is done.
fn save(field: &mut Field, seed: u64) -> Plan {
    let CoverInUse { rooms, subjects, moves, room } = in_use(field).unwrap();
    let plan = improve(&Problem::new(&rooms, &subjects), Budget { steps: 50, moves, room }, seed);
    field.bench.apply(Event::LessReserve(Box::new(LessReserve { plan: plan.clone(), bounds: Vec::new() })));
    plan
}

#[track_caller]
fn pass_and_check(field: &mut Field, seconds: u64) {
    for _ in 0..seconds {
        field.pass(1);
        assert_eq!(wrong(field), [], "{:#?}", field.bench.done);
    }
}

#[test]
fn pods_of_different_nodes_come_to_share_a_backup() {
    let pods = [on(of("p", "p", 2, "40"), "a", Some("b")), on(of("q", "q", 2, "40"), "c", Some("d"))];
    let backups = MoveRule { reoptimize: Reoptimize::Backups, ..RULE };
    let mut field = Field::with(backups, &NODES.map(|name| node(name, GIB)), &pods);
    assert_eq!(reserved(&field), 4);
    let plan = save(&mut field, 1);
    assert_eq!((plan.before, plan.after), (memory(4), memory(2)));
    pass_and_check(&mut field, 100);
    assert_eq!(reserved(&field), 2, "{}", field.bench.held());
    assert_eq!(field.done(), [] as [&str; 0], "nobody was moved");
}

#[test]
fn a_reserve_grows_before_a_pod_counts_on_it() {
    let pods = [on(of("p", "p", 2, "40"), "a", Some("b")), on(of("q", "q", 1, "40"), "b", Some("c"))];
    let mut field = Field::with(SAVING, &NODES.map(|name| node(name, GIB)), &pods);
    let slot = |name: &str| field.bench.state.snapshot().nodes.find(name).unwrap().slot;
    let step = Step { pod: PodUid::from("default/p"), primary: slot("a"), backup: slot("c"), moves: false };
    let plan = Plan { steps: vec![step.clone()], ..Plan::default() };
    // Who makes no backups lets nothing grow.
    field.bench.refuses = Some("quota".to_owned());
    field.bench.apply(Event::LessReserve(Box::new(LessReserve { plan: plan.clone(), bounds: Vec::new() })));
    pass_and_check(&mut field, 60);
    assert_eq!(field.bench.held(), "b:2 c:1");
    field.bench.refuses = None;
    field.pass(400);
    field.bench.apply(Event::LessReserve(Box::new(LessReserve { plan, bounds: Vec::new() })));
    field.run();
    assert_eq!(field.bench.held(), "b:2 c:1+1", "what is old stands meanwhile");
    pass_and_check(&mut field, 100);
    assert_eq!(field.bench.held(), "c:1+1");
}

#[test]
fn nobody_is_uncovered_while_less_is_reserved() {
    let mut saved = 0;
    for seed in 0..12 {
        let mut random = Random((seed + 1) * 0x9e37_79b9);
        let mut field = Field::with(SAVING, &NODES.map(|name| node(name, GIB)), &[]);
        for idx in 0..10 {
            let (gib, ms) = (1 + random.below(2_i64), ["20", "30", "40"][random.below(3)]);
            field.bench.put(of(&format!("p{idx}"), &format!("p{idx}"), gib, ms));
            field.pass(random.below(5));
        }
        // Some have gone again.
        for idx in 0..4 {
            field.bench.gone(&format!("p{}", 2 * idx));
        }
        field.pass(100);
        let before = reserved(&field);
        let plan = save(&mut field, seed);
        if plan.steps.iter().all(|step| !step.moves) {
            pass_and_check(&mut field, 120);
            assert_eq!(memory(reserved(&field)), plan.after, "{seed}: {plan:?}");
            assert!(reserved(&field) <= before, "{seed}");
        } else {
            // Who replaces a pod that is moved is not covered before it is there, and not on its own node.
            // It is covered where least has to be added at that moment, be it more than was planned: the next plan mends it.
            field.pass(240);
            assert_eq!(wrong(&field), [], "{seed}: {:#?}", field.bench.done);
        }
        saved += before - reserved(&field);
    }
    assert!(saved > 5, "{saved} GiB");
}

#[test]
fn it_can_be_switched_off_and_rests_while_others_move() {
    let pods = [on(of("p", "p", 2, "40"), "a", Some("b"))];
    let mut field = Field::with(RULE, &NODES.map(|name| node(name, GIB)), &pods);
    assert!(in_use(&field).is_none());
    let backups = MoveRule { reoptimize: Reoptimize::Backups, makes_room: false, ..RULE };
    field = Field::with(backups, &NODES.map(|name| node(name, GIB)), &pods);
    let found = in_use(&field).unwrap();
    assert!(found.moves == 0 && found.subjects.iter().all(|subject| !subject.movable));
    field.set_delay("a", "c", 5);
    field.bench.put(on(of("w", "w", 1, "10"), "c", Some("a")));
    field.pass(70);
    field.set_delay("a", "c", 60);
    field.run();
    assert!(field.bench.state.moving() == 1 && in_use(&field).is_none());
}

#[test]
fn a_pod_without_a_backup_gets_one_when_others_are_covered_elsewhere() {
    let nodes = [node("a", GIB), node("b", 3), node("c", 3), node("d", 3)];
    let pods = [on(of("q", "q", 2, "20"), "a", Some("b")), on(of("p", "p", 2, "10"), "a", None)];
    let backups = MoveRule { reoptimize: Reoptimize::Backups, ..RULE };
    let mut field = Field::with(backups, &nodes, &pods);
    assert!(field.bench.state.has_newly_uncovered());
    save(&mut field, 1);
    assert!(!field.bench.state.has_newly_uncovered(), "somebody has looked for it");
    field.pass(100);
    assert_eq!(wrong(&field), []);
    assert_eq!(field.bench.held(), "b:2 c:2");
    assert_eq!(field.done(), [] as [&str; 0], "nobody was moved");
}

#[test]
fn a_pod_is_moved_for_the_backup_of_one_that_has_none() {
    let nodes = [node("a", GIB), node("b", 3), node("c", 3), node("d", 3)];
    let pods = [on(of("r", "r", 2, "20"), "b", Some("c")), on(of("p", "p", 2, "10"), "a", None)];
    let mut field = Field::with(MoveRule { reoptimize: Reoptimize::Backups, ..RULE }, &nodes, &pods);
    assert_eq!(save(&mut field, 1).steps.len(), 2);
    field.pass(100);
    assert_eq!(wrong(&field), []);
    field.expect(&["evict r from b", "r moves from b to a", "r+ to a, backup c"]);
}
