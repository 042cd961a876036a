use super::*;
use crate::delay::file::{MatrixRows, Metadata, make_pods, parse_nodes, parse_pods};
use crate::random::Random;

const EDGE: [&str; 3] = ["edge-1", "edge-2", "edge-3"];

/// One cloud node and three edge nodes on a line, 10 ms apart; the cloud is 50 ms away.
fn scenario(manifests: &str) -> Scenario {
    let metadata = Metadata::parse(r#"{"cloud": 0, "edge-1": 1, "edge-2": 2, "edge-3": 3}"#).unwrap();
    let matrix = "0 50 50 50\n50 0 10 20\n50 10 0 10\n50 20 10 0\n";
    let names: Vec<NodeName> = metadata.iter().map(|(name, _)| name.clone()).collect();
    let delays = DelayFiles::read(matrix.as_bytes(), metadata, &names).unwrap();
    let mut nodes = parse_nodes(r#"{"name": "cloud", "allocatable_memory": "64Gi", "cloud": true}"#).unwrap();
    for name in EDGE {
        nodes.extend(parse_nodes(&format!(r#"{{"name": "{name}", "allocatable_memory": "8Gi"}}"#)).unwrap());
    }
    let pods = make_pods(&parse_pods(manifests).unwrap().workloads, &nodes).unwrap();
    Scenario { nodes, pods, delays }
}

fn deployment(name: &str, labels: &str, memory: &str) -> String {
    format!(
        "---
kind: Deployment
metadata: {{name: {name}}}
spec:
  template:
    metadata: {{labels: {{{labels}}}}}
    spec:
      schedulerName: custom-scheduler
      containers: [{{name: c, resources: {{requests: {{memory: {memory}}}}}}}]
"
    )
}

/// A deployment whose pods have no backups.
fn without_backup(name: &str, labels: &str, memory: &str) -> String {
    let uncovered = "metadata: {annotations: {kubectl-edge.dev/backup: 'false'}, labels";
    deployment(name, labels, memory).replace("metadata: {labels", uncovered)
}

/// The outcome, a line for each pod.
fn show(outcome: &Outcome) -> Vec<String> {
    let bound = |it: &MetBound| {
        let from = it.from.as_ref().map_or("itself".to_owned(), |(from, delay)| format!("{from} {delay}"));
        format!(" [{} {from} <= {}]", it.anchor, it.bound)
    };
    let name = |pod: &PodKey| pod.name.split('-').next().unwrap().to_owned();
    let placed = outcome.placed.iter().map(|it| {
        format!("{} on {}{}", name(&it.pod), it.node, it.delays.iter().map(bound).collect::<String>())
    });
    // What is said of preemption is the same everywhere: nobody here has a higher priority than another.
    let found = |message: &str| message.split(" no new claims").next().unwrap().to_owned();
    let pending = outcome.pending.iter().map(|it| format!("{} waits: {}", name(&it.pod), found(&it.message)));
    placed.chain(pending).collect()
}

#[track_caller]
fn check(manifests: &str, rule: impl Fn(&Scenario) -> RadiusRule, expected: &[&str]) {
    let scenario = scenario(manifests);
    let outcome = scenario.run(&rule(&scenario), &mut || Duration::ZERO);
    assert_eq!(show(&outcome), expected);
}

fn clustered(scenario: &Scenario) -> RadiusRule {
    RadiusRule::Clustered(Arc::new(scenario.layers()))
}

#[test]
fn pods_are_placed_by_the_rules_of_the_scheduler() {
    let manifests = [
        deployment("near", "delay_edge-3: '0'", "1Gi"),
        deployment("far", "delay_edge-1: '10', delay_edge-3: '10'", "1Gi"),
        deployment("free", "app: free", "1Gi"),
    ];
    check(
        &manifests.concat(),
        |_| RadiusRule::Exact,
        &[
            "near on edge-3 [edge-3 edge-3 0 <= 0]",
            "far on edge-2 [edge-1 edge-1 10 <= 10] [edge-3 edge-3 10 <= 10]",
            "free on cloud",
        ],
    );
}

#[test]
fn a_pod_whose_anchor_comes_later_is_placed_in_the_end() {
    let manifests = [
        deployment("follower", "delay_leader: '0'", "1Gi"),
        deployment("leader", "delay_edge-2: '0', delay_leader: '5'", "1Gi"),
    ];
    check(
        &manifests.concat(),
        |_| RadiusRule::Exact,
        &[
            "follower on edge-2 [leader edge-2 0 <= 0]",
            "leader on edge-2 [edge-2 edge-2 0 <= 0] [leader itself <= 5]",
        ],
    );
}

#[test]
fn what_stays_pending_says_why() {
    let manifests = [
        deployment("lost", "delay_nowhere: '5'", "1Gi"),
        deployment("big", "delay_edge-1: '10'", "9Gi"),
        deployment("odd", "delay_edge-1: 'fast'", "1Gi"),
        "---\nkind: Pod\nmetadata: {name: gated}\nspec: {schedulerName: edge-scheduler, schedulingGates: [{name: g}]}\n"
            .to_owned(),
    ];
    check(
        &manifests.concat(),
        |_| RadiusRule::Exact,
        &[
            "lost waits: 0/4 nodes are available: anchor nowhere is not placed: there is no such node, and no workload nowhere in namespace default has a pod on a node.",
            "big waits: 0/4 nodes are available: 2 Insufficient memory, 2 node(s) exceeded the delay to edge-1 (10 ms).",
            "odd waits: 0/4 nodes are available: label delay_edge-1: value \"fast\" is not a number of milliseconds; give a number of milliseconds such as \"25\".",
            "gated waits: waiting for scheduling gates: [g]",
        ],
    );
}

#[test]
fn clusters_lose_nodes_that_are_within_the_radius() {
    let manifests = ["a", "b"].map(|name| without_backup(name, "delay_edge-3: '10'", "6Gi")).concat();
    check(
        &manifests,
        |_| RadiusRule::Exact,
        &["a on edge-2 [edge-3 edge-3 10 <= 10]", "b on edge-3 [edge-3 edge-3 0 <= 10]"],
    );
    check(
        &manifests,
        clustered,
        &[
            "a on edge-3 [edge-3 edge-3 0 <= 10]",
            "b waits: 0/4 nodes are available: 1 Insufficient memory, 1 node(s) were outside the cluster of edge-3 (10 ms), 2 node(s) exceeded the delay to edge-3 (10 ms).",
        ],
    );
    let scenario = scenario(&manifests);
    let outcome = scenario.run(&clustered(&scenario), &mut || Duration::ZERO);
    let counts: Vec<(usize, usize)> =
        outcome.radii.iter().map(|radius| (radius.nodes, radius.kept)).collect();
    assert_eq!(counts, [(2, 1)]);
}

#[test]
fn a_pod_whose_manifest_says_its_node_is_there_from_the_start() {
    let bound = "---
kind: Pod
metadata: {name: bound}
spec: {nodeName: edge-1, containers: [{name: c, resources: {requests: {memory: 5Gi}}}]}
";
    check(
        &(deployment("late", "delay_edge-1: '0'", "4Gi") + bound),
        |_| RadiusRule::Exact,
        &[
            "bound on edge-1",
            "late waits: 0/4 nodes are available: 1 Insufficient memory, 3 node(s) exceeded the delay to edge-1 (0 ms).",
        ],
    );
}

#[test]
fn decisions_are_timed_one_by_one() {
    let scenario =
        scenario(&(deployment("a", "delay_edge-1: '0'", "1Gi") + &deployment("b", "app: b", "1Gi")));
    let mut ticks = 0;
    let outcome = scenario.run(&RadiusRule::Exact, &mut || {
        ticks += 1;
        Duration::from_millis(ticks)
    });
    assert_eq!(outcome.decisions, [Duration::from_millis(1); 2]);
}

#[test]
fn names_without_a_counterpart_are_told() {
    let mut scenario = scenario(&deployment("a", "app: a", "1Gi"));
    scenario.nodes.push(Node::named("edge-9"));
    scenario.nodes.remove(0);
    let (without_row, without_node) = scenario.unmatched();
    assert_eq!((without_row, without_node), (vec![&"edge-9".into()], vec![&"cloud".into()]));
}

#[test]
fn every_pair_of_a_cluster_is_within_the_delay_and_no_two_clusters_could_be_one() {
    let mut random = Random(0x5eed);
    for _ in 0..200 {
        let size = 1 + random.below(14);
        // Few distinct values, so that there are ties.
        let cells: Vec<Vec<u64>> = (0..size).map(|_| (0..size).map(|_| random.below(12)).collect()).collect();
        let far = |i: usize, j: usize| if i == j { 0 } else { cells[i][j].max(cells[j][i]) };
        let line = |row: &Vec<u64>| row.iter().map(u64::to_string).collect::<Vec<_>>().join(" ") + "\n";
        let text: String = cells.iter().map(line).collect();
        let names: Vec<NodeName> = (0..size).map(|idx| NodeName::new(format!("n{idx}"))).collect();
        let json = (0..size).map(|idx| format!("\"n{idx}\": {idx}")).collect::<Vec<_>>().join(",");
        let metadata = Metadata::parse(&format!("{{{json}}}")).unwrap();
        let rows = MatrixRows::read(text.as_bytes(), &(0..size).collect::<Vec<_>>()).unwrap();
        let bound = random.below(12);
        let delay = Delay::from_micros(u32::try_from(bound * 1000).unwrap()).unwrap();
        let layers = Layers::new(&DelayFiles { metadata, rows }, &names.iter().collect::<Vec<_>>(), [delay]);
        let members = |i: usize| -> Vec<usize> {
            (0..size).filter(|j| layers.are_together(&names[i], &names[*j], delay)).collect()
        };
        let diameter = |a: &[usize], b: &[usize]| {
            a.iter().flat_map(|i| b.iter().map(move |j| (*i, *j))).map(|(i, j)| far(i, j)).max().unwrap()
        };
        for i in 0..size {
            let own = members(i);
            assert!(diameter(&own, &own) <= bound, "a pair of {own:?} is over {bound} in\n{text}");
            for j in (0..size).filter(|j| !own.contains(j)) {
                assert!(
                    diameter(&own, &members(j)) > bound,
                    "{i} and {j} could be one within {bound} in\n{text}"
                );
            }
        }
    }
}

#[test]
fn backups_take_up_room() {
    let manifests = ["a", "b"].map(|name| deployment(name, "delay_edge-3: '10'", "6Gi")).concat();
    check(
        &manifests,
        |_| RadiusRule::Exact,
        &[
            "a on edge-2 [edge-3 edge-3 10 <= 10]",
            "b waits: 0/4 nodes are available: 2 Insufficient memory, 2 node(s) exceeded the delay to edge-3 (10 ms).",
        ],
    );
}

#[test]
fn what_is_reserved_is_told_and_what_could_be() {
    // Of the outer nodes each has the middle one within 10 ms, and nobody else: with a pod on each they would share it.
    let manifests = [
        deployment("left", "delay_edge-1: '10'", "1Gi"),
        deployment("right", "delay_edge-3: '10'", "2Gi"),
        deployment("alone", "delay_edge-1: '0'", "1Gi"),
        without_backup("bare", "delay_edge-1: '10'", "1Gi"),
        deployment("free", "app: free", "1Gi"),
    ];
    let outcome = scenario(&manifests.concat()).run(&RadiusRule::Exact, &mut || Duration::ZERO);
    let backups: Vec<(&str, &str)> = outcome
        .placed
        .iter()
        .filter_map(|it| Some((it.pod.name.split('-').next()?, it.backup.as_ref()?.as_str())))
        .collect();
    assert_eq!(backups, [("left", "edge-1"), ("right", "edge-2")]);
    let reserve = outcome.reserve;
    let uncovered: Vec<&str> = reserve.uncovered.iter().map(|(key, _)| &key.name[..5]).collect();
    assert_eq!((reserve.cover.subjects.len(), uncovered), (2, vec!["alone"]));
    let gib = |amount: i64| amount >> 30;
    let all: Vec<[i64; 6]> = reserve
        .resources()
        .iter()
        .map(|it| [it.demand, it.allocatable, it.online, it.offline, it.bound, it.moved].map(gib))
        .collect();
    assert_eq!(all, [[3, 88, 3, 3, 3, 2]]);
}

#[test]
fn what_came_about_pod_by_pod_takes_no_less_than_what_is_arranged_afterwards() {
    let mut random = Random(0xba5e);
    let (mut saved, mut moved) = (0, 0);
    for _ in 0..30 {
        let manifests: Vec<String> = (0..14)
            .map(|idx| {
                let labels = format!("delay_edge-{}: '{}'", 1 + random.below(3), 10 * (1 + random.below(2)));
                deployment(&format!("p{idx}"), &labels, &format!("{}Mi", 100 + 50 * random.below(4)))
            })
            .collect();
        let reserve = scenario(&manifests.concat()).run(&RadiusRule::Exact, &mut || Duration::ZERO).reserve;
        assert_eq!(reserve.uncovered, []);
        let resources = reserve.resources();
        let [memory] = &resources[..] else { panic!("{resources:?}") };
        assert!(memory.bound <= memory.offline && memory.moved <= memory.offline, "{memory:?}");
        assert!(memory.offline <= memory.online && memory.online <= memory.demand, "{memory:?}");
        saved += usize::from(memory.offline < memory.online);
        moved += usize::from(memory.moved < memory.offline);
    }
    assert!(saved > 0 && moved > 0, "{saved} {moved}");
}
