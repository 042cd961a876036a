//! Scenarios of cover: events in, actions out, under a clock that the test sets.

use std::time::Duration;

use super::cover_bench::{Bench, backup, node, on, pod, tainted};
use crate::model::{Node, Owner, Phase, Pod, PodKey};
use crate::placement::testing::on_name;
use crate::placement::{BACKUP_ANNOTATION, BACKUP_NAMESPACE, BackupPolicy};
use crate::state::{Action, BackupPod, CoverOutcome, Event};

#[test]
fn a_pod_is_bound_with_its_backup_and_room_is_kept_there() {
    let mut bench = Bench::new(&[]);
    bench.put(pod("web", 2, "10"));
    bench.run();
    let [bound, made] = bench.done.as_slice() else { panic!("{:?}", bench.done) };
    let other = if bound.contains("to a") { "b" } else { "a" };
    assert!(bound.ends_with(&format!("backup {other}")), "{bound}");
    assert_eq!(made, &format!("make 2 on {other}"));
    assert_eq!((bench.state.cover_count().covered, bench.state.cover_count().uncovered), (1, 0));
}

#[test]
fn pods_of_different_nodes_share_what_is_reserved() {
    let mut bench = Bench::new(&[on(pod("one", 2, "0"), "a", None)]);
    bench.done.clear();
    // One that is larger than what there is: the rest is added.
    assert_eq!(bench.state.missing_backups().count(), 1, "0 ms from a is a itself alone");
    let mut bench = Bench::new(&[on(pod("one", 2, "10"), "a", None)]);
    bench.expect(&["make 2 on b", "one has its backup on b"]);
    bench.put(on(pod("two", 3, "20"), "c", None));
    bench.expect(&["make 1 on b", "two has its backup on b"]);
    bench.put(on(pod("three", 1, "20"), "c", None));
    bench.pass(1);
    // Four of c on b are two more; on a they are one.
    bench.expect(&["make 1 on a", "three has its backup on a"]);
    assert_eq!(bench.held(), "a:1 b:2+1");
    // A few pieces are as good as one.
    bench.pass(70);
    bench.expect(&[]);
}

/// A pod that nobody covers.
fn bare(name: &str, gib: i64, node: &str) -> Pod {
    let covered = [(BACKUP_ANNOTATION, "false")].into_iter().collect();
    Pod { annotations: covered, ..on(pod(name, gib, "30"), node, None) }
}

#[test]
fn backups_become_one_where_no_other_scheduler_places_anything_meanwhile() {
    let merged = ["taint b: true", "make 2 on b", "take 3 from b", "taint b: false"];
    // Too much is reserved, and nothing of it can go.
    let one = on(pod("one", 2, "10"), "a", Some("b"));
    let mut bench = Bench::new(&[one.clone(), backup("edge-backup-b-1", "b", 3)]);
    bench.pass(59);
    bench.expect(&[]);
    bench.pass(5);
    bench.expect(&merged);
    assert_eq!(bench.held(), "b:2");
    // There is no room for both: it stays.
    let other = bare("other", 4, "b");
    let mut bench = Bench::new(&[one, backup("edge-backup-b-1", "b", 3), other]);
    bench.pass(100);
    bench.expect(&[]);
    // Many pieces, none of them too much.
    let large = on(pod("large", 5, "10"), "a", Some("b"));
    let pieces = (1..=5).map(|idx| backup(&format!("edge-backup-b-{idx}"), "b", 1));
    let pods: Vec<Pod> = pieces.chain([large]).collect();
    let mut bench = Bench::with(BackupPolicy::BestEffort, &[node("a", 8), node("b", 11)], &pods);
    bench.pass(70);
    assert_eq!(bench.held(), "b:5", "{:?}", bench.done);
}

#[test]
fn cover_is_rebuilt_from_what_is_written() {
    let pods = [on(pod("one", 2, "10"), "a", Some("b")), backup("edge-backup-b-7", "b", 2)];
    let mut bench = Bench::new(&pods);
    bench.expect(&[]);
    bench.pass(100);
    bench.expect(&[]);
    // An orphan goes, and a backup that somebody took away is made again.
    let mut bench = Bench::new(&[pods[0].clone(), pods[1].clone(), backup("edge-backup-d-1", "d", 1)]);
    bench.pass(15);
    bench.expect(&["take 1 from d"]);
    bench.gone("edge-backup-b-7");
    bench.expect(&[]);
    bench.pass(3);
    bench.expect(&["make 2 on b"]);
    assert!(bench.pods.iter().any(|pod| &*pod.key.name == "edge-backup-b-8"), "{:?}", bench.pods);
}

#[test]
fn backups_leave_nodes_that_are_cordoned_or_not_well() {
    for closed in [Node { unschedulable: true, ..node("b", 8) }, tainted("b", "node.kubernetes.io/not-ready")]
    {
        let pods = [on(pod("one", 2, "20"), "a", Some("b")), backup("edge-backup-b-1", "b", 2)];
        let mut bench = Bench::new(&pods);
        bench.expect(&[]);
        bench.put_node(closed);
        bench.expect(&["make 2 on c", "one has its backup on c"]);
        bench.pass(15);
        bench.expect(&["take 2 from b"]);
    }
    // The taint of a handover keeps new ones off, and not what is there.
    let pods = [on(pod("one", 2, "20"), "a", Some("b")), backup("edge-backup-b-1", "b", 2)];
    let mut bench = Bench::new(&pods);
    bench.put_node(tainted("b", "kubectl-edge.dev/handover"));
    bench.pass(20);
    bench.expect(&[]);
}

#[test]
fn a_pod_that_can_not_be_covered_is_bound_and_covered_later() {
    let mut bench = Bench::new(&[]);
    bench.put_node(Node { unschedulable: true, ..node("b", 8) });
    bench.put(on(pod("one", 2, "10"), "a", None));
    bench.expect(&["backup of one missing"]);
    bench.put_node(node("b", 8));
    bench.pass(2);
    bench.expect(&["backup of one found", "make 2 on b", "one has its backup on b"]);
}

#[test]
fn where_cover_is_required_a_pod_waits_for_it() {
    let nodes = [node("a", 8), Node { unschedulable: true, ..node("b", 8) }];
    let mut bench = Bench::with(BackupPolicy::Required, &nodes, &[]);
    bench.put(pod("one", 2, "10"));
    bench.run();
    let said = bench.done.join("\n");
    assert!(said.contains("1 node(s) had no other node for the pod's backup"), "{said}");
    bench.done.clear();
    bench.put_node(node("b", 8));
    bench.pass(30);
    assert_eq!(bench.done.len(), 2, "{:?}", bench.done);
}

#[test]
fn an_annotation_that_can_not_be_read_keeps_the_pod_waiting() {
    let mut bench = Bench::new(&[]);
    let annotations = [(BACKUP_ANNOTATION, "maybe")].into_iter().collect();
    bench.put(Pod { annotations, ..pod("one", 1, "10") });
    bench.run();
    let said = "annotation kubectl-edge.dev/backup: value \"maybe\" is neither \"true\" nor \"false\"";
    assert!(bench.done.join("\n").contains(said), "{:?}", bench.done);
}

#[test]
fn what_the_server_refuses_is_told_once_and_tried_less_and_less() {
    let mut bench = Bench::new(&[]);
    bench.refuses = Some("exceeded quota".to_owned());
    bench.put(on(pod("one", 2, "10"), "a", None));
    bench.expect(&["make 2 on b", "one has its backup on b", "Refused(\"exceeded quota\")"]);
    assert_eq!(bench.state.cover_count().uncovered, 1);
    bench.pass(600);
    let tries = std::mem::take(&mut bench.done);
    assert!((5..12).contains(&tries.len()) && tries.iter().all(|it| it == "make 2 on b"), "{tries:?}");
    bench.refuses = None;
    bench.pass(301);
    bench.expect(&["make 2 on b", "Made"]);
    assert_eq!(bench.state.cover_count().uncovered, 0);
}

#[test]
fn what_is_refused_for_its_size_keeps_nothing_else_from_being_made() {
    let mut bench = Bench::new(&[]);
    bench.largest = 2;
    bench.put(on(pod("large", 4, "10"), "a", None));
    bench.expect(&["make 4 on b", "large has its backup on b", "Refused(\"too large\")"]);
    bench.pass(100);
    bench.done.clear();
    // Another one, elsewhere, which is made in spite of it, and soon. It is told neither that it is over nor once more that
    // it is not.
    bench.put(on(pod("small", 1, "30"), "a", None));
    bench.pass(2);
    assert!(bench.done.iter().any(|it| it.starts_with("make 1 on")), "{:?}", bench.done);
    bench.pass(60);
    let done = std::mem::take(&mut bench.done);
    assert_eq!(done.iter().filter(|it| it.starts_with("make 1 on")).count(), 1, "{done:?}");
    assert!(done.iter().filter(|it| *it == "make 4 on b").count() < 8, "{done:?}");
    assert!(!done.iter().any(|it| it.starts_with("Refused") || it == "Made"), "{done:?}");
    bench.put(on(pod("more", 1, "30"), "a", None));
    bench.run();
    assert!(bench.done.iter().any(|it| it.starts_with("make 1 on")), "at once: {:?}", bench.done);
    bench.done.clear();
    // It is over when nobody needs it any more, too.
    bench.gone("large");
    bench.pass(1);
    assert!(bench.done.contains(&"Made".to_owned()), "{:?}", bench.done);
}

#[test]
fn a_refusal_of_which_nobody_needs_the_end_is_forgotten() {
    let mut bench = Bench::with(BackupPolicy::Required, &["a", "b", "c"].map(|name| node(name, 8)), &[]);
    bench.refuses = Some("exceeded quota".to_owned());
    bench.put(on(pod("one", 2, "10"), "a", None));
    bench.run();
    bench.put(pod("two", 1, "20"));
    bench.run();
    assert!(bench.done.iter().any(|it| it.contains("exceeded quota. ")), "it waits: {:?}", bench.done);
    bench.refuses = None;
    bench.gone("one");
    bench.done.clear();
    bench.pass(60);
    assert!(bench.done.iter().any(|it| it.starts_with("two to ")), "{:?}", bench.done);
}

#[test]
fn a_refusal_counts_once_however_many_were_asked_for_at_once() {
    let mut bench = Bench::new(&[]);
    bench.refuses = Some("exceeded quota".to_owned());
    for (name, node) in [("one", "a"), ("two", "b"), ("three", "c"), ("four", "d")] {
        bench.put(on(pod(name, 3, "30"), node, None));
    }
    bench.run();
    bench.refuses = None;
    bench.done.clear();
    bench.pass(3);
    assert!(bench.done.contains(&"Made".to_owned()), "after two seconds, not more: {:?}", bench.done);
}

#[test]
fn what_comes_to_nothing_again_and_again_is_told_once() {
    let mut bench = Bench::new(&[]);
    bench.put(on(pod("one", 2, "10"), "a", None));
    let (mut tries, mut is_up) = (0, false);
    for second in 0..700 {
        is_up |= second == 400;
        while let Some(action) = bench.state.next(bench.now) {
            match action {
                Action::CreateBackup(BackupPod { key, .. }) if !is_up => {
                    tries += 1;
                    let outcome = CoverOutcome::Unknown("failed calling webhook".to_owned());
                    bench.apply(Event::BackupMade(key, outcome));
                }
                other => bench.answer(other),
            }
        }
        bench.now = bench.now + Duration::from_secs(1);
    }
    assert!((8..20).contains(&tries), "less and less: {tries}");
    let told: Vec<&String> =
        bench.done.iter().filter(|it| it.starts_with("Refused") || *it == "Made").collect();
    assert_eq!(told, ["Refused(\"failed calling webhook\")", "Made"]);
}

#[test]
fn a_pod_larger_than_any_other_node_of_its_radius_has_no_backup_and_that_is_said_once() {
    let nodes = [node("a", 16), node("b", 8), node("c", 8)];
    let mut bench = Bench::with(BackupPolicy::BestEffort, &nodes, &[]);
    bench.put(on(pod("large", 12, "20"), "a", None));
    bench.expect(&["backup of large missing"]);
    bench.pass(300);
    bench.expect(&[]);
    assert_eq!(bench.state.cover_count().uncovered, 1);
}

#[test]
fn an_anchor_beside_the_pod_counts_where_its_backup_is() {
    let labels = [("delay_db", "0")].into_iter().collect();
    let web = Pod { labels, ..pod("web", 1, "0") };
    let pods =
        [on(pod("db", 1, "10"), "a", Some("b")), backup("edge-backup-b-1", "b", 2), on(web, "a", None)];
    let mut bench = Bench::new(&pods);
    bench.pass(2);
    // 0 ms from where the database would be, not from where it is.
    bench.expect(&["web has its backup on b"]);
}

#[test]
fn a_pod_that_ends_leaves_its_reserve_a_while() {
    let pods = [on(pod("one", 2, "10"), "a", Some("b")), backup("edge-backup-b-1", "b", 2)];
    let mut bench = Bench::new(&pods);
    bench.put(Pod { terminating: true, ..pods[0].clone() });
    bench.pass(5);
    bench.expect(&[]);
    bench.pass(8);
    bench.expect(&["take 2 from b"]);
}

#[test]
fn a_kubelet_that_refuses_a_backup_gets_none_for_a_while() {
    let pods = [on(pod("one", 2, "20"), "a", Some("b")), backup("edge-backup-b-1", "b", 2)];
    let mut bench = Bench::new(&pods);
    bench.put(Pod { phase: Phase::Failed, ..pods[1].clone() });
    bench.expect(&["take 2 from b", "make 2 on c", "one has its backup on c"]);
}

#[test]
fn requests_of_unknown_outcome_are_sent_again_under_the_same_name() {
    let mut bench = Bench::new(&[]);
    bench.put(on(pod("one", 2, "10"), "a", None));
    let mut names = Vec::new();
    for _ in 0..40 {
        while let Some(action) = bench.state.next(bench.now) {
            match action {
                Action::CreateBackup(BackupPod { key, .. }) => {
                    names.push(key.name.clone());
                    bench.apply(Event::BackupMade(key, CoverOutcome::Unknown("time-out".to_owned())));
                }
                other => bench.answer(other),
            }
        }
        bench.now = bench.now + Duration::from_secs(1);
    }
    names.dedup();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["edge-backup-b-1"]);
    // The watch tells that it was made after all.
    bench.put(backup("edge-backup-b-1", "b", 2));
    bench.done.clear();
    bench.pass(60);
    bench.expect(&["Made"]);
    assert!(bench.state.cache().get(&PodKey::new(BACKUP_NAMESPACE, "edge-backup-b-1")).unwrap().confirmed);
}

/// A pod of a DaemonSet that waits for this node.
fn awaiting(name: &str, node: &str, gib: i64) -> Pod {
    let owner = Some(Owner { kind: "DaemonSet".into(), name: "agent".into() });
    let terms = [on_name(&[&[node]])].into();
    let required = Some(crate::model::NodeSelector { terms });
    let node_affinity = crate::model::NodeAffinity { required, ..Default::default() };
    Pod { owner, node_affinity, scheduler_name: "default-scheduler".into(), ..pod(name, gib, "0") }
}

#[test]
fn the_place_of_a_pod_is_left_to_one_that_belongs_to_the_node() {
    let nodes = ["a", "b", "c"].map(|name| Node { allowed_pods: 1, ..node(name, 8) });
    let pods = [on(pod("one", 2, "20"), "a", Some("b")), backup("edge-backup-b-1", "b", 2)];
    let mut bench = Bench::with(BackupPolicy::BestEffort, &nodes, &pods);
    bench.expect(&[]);
    // There is room for it, but no place.
    bench.put(awaiting("agent", "b", 1));
    bench.expect(&["take 2 from b", "make 2 on c", "one has its backup on c"]);
    bench.put(awaiting("second", "c", 0));
    bench.expect(&["backup of one missing", "take 2 from c", "one has its backup on none"]);
}

#[test]
fn room_is_left_to_a_pod_that_belongs_to_the_node() {
    let pods = [on(pod("one", 4, "20"), "a", Some("b")), backup("edge-backup-b-1", "b", 4)];
    let mut bench = Bench::new(&pods);
    bench.expect(&[]);
    bench.put(awaiting("agent", "b", 6));
    bench.expect(&["take 4 from b", "make 4 on c", "one has its backup on c"]);
}
