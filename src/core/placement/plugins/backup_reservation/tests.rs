//! Which nodes admit a pod, and where its backup is to be.

use super::*;
use crate::cover::Covered;
use crate::model::{Resources, Taint, TaintEffect};
use crate::placement::testing::{TestNode, cluster, node, pod, score_in};
use crate::placement::{BACKUP_LABEL, BACKUP_NAMESPACE, Decision, NodeSlot, Profile, Snapshot, place};

const GIB: i64 = 1 << 30;

/// Nodes a, b and c of 8 GiB.
fn nodes() -> Vec<TestNode> {
    ["a", "b", "c"].map(|name| node(name).cpu(8_000).memory(8 * GIB)).into()
}

/// A pod of so many GiB that asks to be covered.
fn asking(name: &str, gib: i64) -> Pod {
    let annotations = [(BACKUP_ANNOTATION, "true")].into_iter().collect();
    Pod { annotations, ..pod(name).memory(gib * GIB).build() }
}

fn backup(node: &str, gib: i64) -> Pod {
    let labels = [BACKUP_LABEL].into_iter().collect();
    let key = crate::model::PodKey::new(BACKUP_NAMESPACE, format!("edge-backup-{node}-1"));
    Pod { key, labels, uid: node.into(), ..pod("x").memory(gib * GIB).on(node).build() }
}

/// Where the pod goes and where its backup is, or why it goes nowhere.
fn placed(snapshot: &Snapshot, policy: BackupPolicy, pod: &Pod) -> String {
    let rule = BackupRule { mode: BackupMode::OnRequest, policy, ..BackupRule::default() };
    let profile = Profile::with_all_plugins("test").with(Box::new(BackupReservation { rule }));
    match place(snapshot, pod, &profile) {
        Decision::Place(placement) => {
            let backup = placement.annotations.iter().find(|(key, _)| *key == BACKUP_NODE_ANNOTATION);
            format!("{} {}", placement.node, backup.map_or("none", |(_, node)| node))
        }
        Decision::Reject(error) => error.to_string().split(". ").next().unwrap().to_owned(),
        other => format!("{other:?}"),
    }
}

#[track_caller]
fn check(snapshot: &Snapshot, policy: BackupPolicy, pod: &Pod, expected: &str) {
    assert_eq!(placed(snapshot, policy, pod), expected);
}

#[test]
fn the_backup_is_on_another_node_that_the_pod_could_be_on() {
    use BackupPolicy::{BestEffort, Required};
    let on_a = |pod: Pod| Pod { node_selector: [("place", "a")].into_iter().collect(), ..pod };
    let mut nodes = nodes();
    nodes[0] = nodes[0].clone().label("place", "a");
    let lone = cluster(&nodes, &[]);
    check(&lone, BestEffort, &on_a(asking("web", 2)), "a none");
    let said = "0/3 nodes are available: 1 node(s) had no other node for the pod's backup, \
                2 node(s) didn't match Pod's node affinity/selector";
    check(&lone, Required, &on_a(asking("web", 2)), said);
    nodes[1] = nodes[1].clone().label("place", "a").taint(
        "node.kubernetes.io/disk-pressure",
        "",
        TaintEffect::NoSchedule,
    );
    check(&cluster(&nodes, &[]), BestEffort, &on_a(asking("web", 2)), "a none");
    nodes[2] = nodes[2].clone().label("place", "a").cordoned();
    check(&cluster(&nodes, &[]), BestEffort, &on_a(asking("web", 2)), "a none");
    nodes[2].node.unschedulable = false;
    let both = placed(&cluster(&nodes, &[]), Required, &on_a(asking("web", 2)));
    assert!(["a c", "c a"].contains(&&*both), "{both}");
}

#[test]
fn a_node_is_full_of_pods_but_not_of_backups() {
    // Of b's 8 GiB six are a backup's, of c's six a pod's: the one can be used again, the other can't.
    let other = pod("other").memory(6 * GIB).on("c").build();
    let mut snapshot = cluster(&nodes(), &[backup("b", 6), other]);
    let covered = Covered { primary: NodeSlot(2), backup: NodeSlot(1), demand: Resources::default() };
    let demand = Resources { memory: crate::model::Bytes(6 * GIB), ..Resources::default() };
    snapshot.backups.book.put("covered".into(), Covered { demand, ..covered });
    check(&snapshot, BackupPolicy::Required, &asking("web", 5), "a b");
    // What it covers from a as well is too much together.
    check(
        &snapshot,
        BackupPolicy::BestEffort,
        &asking("large", 9),
        "0/3 nodes are available: 3 Insufficient memory",
    );
}

#[test]
fn of_many_nodes_the_one_that_is_a_backup_already_is_found() {
    let nodes: Vec<TestNode> =
        (0..100).map(|idx| node(&format!("n{idx}")).cpu(8_000).memory(8 * GIB)).collect();
    let mut snapshot = cluster(&nodes, &[]);
    let demand = Resources { memory: crate::model::Bytes(2 * GIB), ..Resources::default() };
    snapshot
        .backups
        .book
        .put("covered".into(), Covered { primary: NodeSlot(1), backup: NodeSlot(77), demand });
    let web = asking("web", 2);
    let profile = Profile::with_all_plugins("test");
    let cycle = Cycle::within(&web, &snapshot, &profile);
    for (primary, expected) in [(0, true), (77, false)] {
        let search = BackupSearch::new(cycle, &profile, NodeSlot(primary)).unwrap();
        let backup = search.choose().unwrap();
        assert_eq!(backup == NodeSlot(77), expected, "{backup:?}");
        assert!(search.finds_any());
    }
}

#[test]
fn nodes_that_are_suspect_admit_nobody() {
    let mut snapshot = cluster(&nodes(), &[]);
    snapshot.suspects = [NodeSlot(0), NodeSlot(1)].into();
    let plain = pod("plain").memory(GIB).build();
    check(&snapshot, BackupPolicy::BestEffort, &plain, "c none");
    check(&snapshot, BackupPolicy::BestEffort, &asking("web", 1), "c none");
    snapshot.suspects.insert(NodeSlot(2));
    let said = "0/3 nodes are available: 3 node(s) were suspected to be lost";
    check(&snapshot, BackupPolicy::BestEffort, &plain, said);
}

#[test]
fn an_annotation_that_says_neither_is_named() {
    let annotations = [(BACKUP_ANNOTATION, "maybe")].into_iter().collect();
    let unclear = Pod { annotations, ..pod("web").build() };
    let said = "0/3 nodes are available: annotation kubectl-edge.dev/backup: value \"maybe\" is neither \"true\" nor \"false\"";
    check(&cluster(&nodes(), &[]), BackupPolicy::BestEffort, &unclear, said);
}

#[test]
fn a_word_that_means_nothing_is_named() {
    let said = |key: &'static str, value: &'static str, expected: &str| {
        let pod = Pod { annotations: [(key, value)].into_iter().collect(), ..pod("web").build() };
        check(&cluster(&nodes(), &[]), BackupPolicy::BestEffort, &pod, expected);
    };
    said(
        "kubectl-edge.dev/failover",
        "Fast",
        "0/3 nodes are available: annotation kubectl-edge.dev/failover: value \"Fast\" is none of \"fast\", \"true\", \"false\"",
    );
    said(
        "kubectl-edge.dev/move",
        "never",
        "0/3 nodes are available: annotation kubectl-edge.dev/move: value \"never\" is none of \"true\", \"false\"",
    );
    said("kubectl-edge.dev/failover", "false", "a none");
}

#[test]
fn what_can_cure_wakes_and_nothing_else() {
    let rule = |policy| BackupReservation {
        rule: BackupRule { mode: BackupMode::OnRequest, policy, ..BackupRule::default() },
    };
    let (best, required) = (rule(BackupPolicy::BestEffort), rule(BackupPolicy::Required));
    let (web, plain) = (asking("web", 1), pod("plain").build());
    let freed = ClusterEvent::PodFreed(&plain);
    assert!(required.cured_by(&web, &freed) && !required.cured_by(&plain, &freed));
    assert!(!best.cured_by(&web, &freed));
    assert!(best.cured_by(&web, &ClusterEvent::BackupsChanged));
    let namespace = ClusterEvent::SelectorChanged { namespace: &"default".into() };
    assert!(!required.cured_by(&web, &namespace));
    let old = node("a").node;
    let taints = [Taint { key: "x".into(), value: "".into(), effect: TaintEffect::NoSchedule }].into();
    let new = crate::model::Node { taints, ..old.clone() };
    assert!(required.cured_by(&web, &ClusterEvent::NodeUpdated { old: &old, new: &new }));
}

fn gib(gib: i64) -> Resources {
    Resources { memory: crate::model::Bytes(gib * GIB), ..Resources::default() }
}

/// How nodes a to d score for a pod if these are covered: the node that it is on, its backup's, and how many GiB.
#[track_caller]
fn check_scores(covered: &[(u32, u32, i64)], pod: &Pod, expected: Option<&[i64]>) {
    let nodes = ["a", "b", "c", "d"].map(|name| node(name).cpu(8_000).memory(8 * GIB));
    let mut snapshot = cluster(&nodes, &[]);
    for (idx, (primary, backup, amount)) in covered.iter().enumerate() {
        let covered =
            Covered { primary: NodeSlot(*primary), backup: NodeSlot(*backup), demand: gib(*amount) };
        snapshot.backups.book.put(format!("pod-{idx}").as_str().into(), covered);
    }
    let plugin =
        BackupReservation { rule: BackupRule { mode: BackupMode::OnRequest, ..BackupRule::default() } };
    assert_eq!(score_in(&plugin, pod, &snapshot).as_deref(), expected, "{covered:?}");
}

#[test]
fn nodes_score_by_how_little_has_to_be_reserved() {
    // Who is not to be covered is not scored, nor is anybody while nobody is.
    check_scores(&[(0, 1, 4)], &pod("plain").memory(GIB).build(), None);
    check_scores(&[], &asking("web", 1), None);
    // b covers 4 GiB of a. So much of c and d costs nothing there; pods on a or b need 4 GiB more somewhere.
    check_scores(&[(0, 1, 4)], &asking("web", 4), Some(&[0, 0, 100, 100]));
    check_scores(&[(0, 1, 4)], &asking("web", 2), Some(&[0, 0, 100, 100]));
    // Of 8 GiB, 4 would have to be added.
    check_scores(&[(0, 1, 4)], &asking("web", 8), Some(&[0, 0, 50, 50]));
    // Where c is covered by b as well, and b by c, a part of it is free on each.
    check_scores(&[(0, 1, 4), (2, 1, 3), (1, 2, 2)], &asking("web", 2), Some(&[100, 0, 50, 100]));
    // The reserve of b can't grow beyond what it has.
    check_scores(&[(0, 1, 7)], &asking("web", 8), Some(&[0, 0, 87, 87]));
    check_scores(&[(0, 1, 7), (2, 1, 7), (3, 1, 7)], &asking("web", 2), Some(&[0, 0, 0, 0]));
}

#[test]
fn the_backup_that_is_chosen_grows_by_what_the_score_says() {
    let mut random = crate::random::Random(0x5c0f);
    let profile = Profile::with_all_plugins("test");
    let nodes: Vec<TestNode> =
        (0..7).map(|idx| node(&format!("n{idx}")).cpu(64_000).memory(512 * GIB)).collect();
    for round in 0..200 {
        let mut snapshot = cluster(&nodes, &[]);
        for pod in 0..=random.below(50) {
            let (primary, backup) = (NodeSlot(random.below(7)), NodeSlot(random.below(7)));
            let demand = gib(1 + i64::from(random.below(4_u32)));
            if primary != backup {
                snapshot
                    .backups
                    .book
                    .put(format!("pod-{pod}").as_str().into(), Covered { primary, backup, demand });
            }
        }
        let amount = 1 + i64::from(random.below(4_u32));
        let web = asking("web", amount);
        let scores = score_in(&BackupReservation::default(), &web, &snapshot);
        for (primary, score) in (0..7).map(NodeSlot).zip(scores.unwrap_or_else(|| vec![0; 7])) {
            let search =
                BackupSearch::new(Cycle::within(&web, &snapshot, &profile), &profile, primary).unwrap();
            let grown = snapshot.backups.book.increment(primary, search.choose().unwrap(), &web.requests);
            let expected = 100 - 100 * grown.memory.0 / (amount * GIB);
            assert!((score - expected).abs() <= 1, "round {round}: {score} {expected}");
            assert_eq!(score == 100, expected == 100);
        }
    }
}
