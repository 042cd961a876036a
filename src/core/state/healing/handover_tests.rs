//! Scenarios of holds and handovers.

use std::time::Duration;

use super::HealthNews;
use super::cover_bench::{Bench, backup, on, pod, replica};
use crate::health::{LeaseSeen, Seen, Sighting};
use crate::model::{Pod, Version};
use crate::placement::HANDOVER_TAINT;
use crate::state::{Action, Change, CoverOutcome, Defect, Event};

// === impl Bench ===

impl Bench {
    /// What kubelets and agents say each few seconds, but for those of nodes that are down.
    pub(super) fn beat(&mut self, down: &[&str]) {
        let second = self.now.since(crate::model::Time::ZERO).as_secs();
        let names: Vec<String> = self.nodes.iter().map(|node| node.name.to_string()).collect();
        let up: Vec<&String> = names.iter().filter(|name| !down.contains(&name.as_str())).collect();
        for name in &up {
            let seen = LeaseSeen { node: name.as_str().into(), version: Version(second + 1) };
            self.apply(Event::Health(HealthNews::Leases(vec![Change::Put(Box::new(seen))])));
        }
        self.down_since.retain(|name, _| down.contains(&name.as_str()));
        for name in down {
            self.down_since.entry((*name).to_owned()).or_insert(self.now);
        }
        let missed = |name: &String| {
            let since = self.down_since.get(name);
            since.map_or(0, |since| u16::try_from(self.now.since(*since).as_secs()).unwrap() + 1)
        };
        let sightings = up.iter().map(|from| {
            let peers = names.iter().filter(|peer| *peer != *from);
            Sighting {
                from: from.as_str().into(),
                told: second + 1,
                every: Duration::from_mins(10),
                starved: false,
                leaving: false,
                peers: peers.map(|peer| Seen { peer: peer.as_str().into(), missed: missed(peer) }).collect(),
            }
        });
        let sightings = sightings.collect();
        self.apply(Event::Health(HealthNews::Sighted(sightings)));
    }

    /// Lets time pass second by second while these nodes are down.
    pub(super) fn pass_without(&mut self, down: &[&str], seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now + Duration::from_secs(1);
            self.beat(down);
            self.run();
        }
    }

    /// The scheduler dies and starts anew while these nodes are down.
    pub(super) fn restart_without(&mut self, down: &[&str]) {
        self.restart();
        for name in down {
            let seen = LeaseSeen { node: (*name).into(), version: Version(1) };
            self.apply(Event::Health(HealthNews::Leases(vec![Change::Put(Box::new(seen))])));
        }
        self.beat(down);
    }

    pub(super) fn is_tainted(&self, name: &str) -> bool {
        let node = self.nodes.iter().find(|node| node.name.as_str() == name).unwrap();
        node.taints.iter().any(|taint| &*taint.key == HANDOVER_TAINT)
    }

    /// Where a pod is that does not end.
    pub(super) fn place_of(&self, name: &str) -> Option<String> {
        let pod = self.pods.iter().find(|pod| &*pod.key.name == name && !pod.terminating)?;
        pod.node.as_ref().map(ToString::to_string)
    }
}

fn web(name: &str, gib: i64) -> Pod {
    replica(pod(name, gib, "10"), "web", "5d")
}

fn full(node: &str, gib: i64) -> Pod {
    let name = format!("full-{node}");
    on(Pod { scheduler_name: "default-scheduler".into(), ..pod(&name, gib, "0") }, node, None)
}

/// A pod of 2 GiB on `a`, covered by `b`; all nodes are full but for that.
fn full_cluster() -> Vec<Pod> {
    vec![
        on(web("web-1", 2), "a", Some("b")),
        backup("edge-backup-b-1", "b", 2),
        full("a", 6),
        full("b", 6),
        full("c", 8),
        full("d", 8),
    ]
}

#[test]
fn a_replacement_gets_the_room_that_was_kept_for_it() {
    let mut bench = Bench::new(&full_cluster());
    bench.pass_without(&[], 20);
    bench.expect(&[]);
    bench.pass_without(&["a"], 3);
    bench.expect(&["taint b: true"]);
    bench.pass_without(&["a"], 9);
    bench.expect(&[
        "evict web-1 from a",
        "take 2 from b",
        "web-1+ to b, backup none",
        "taint b: false",
        "backup of web-1+ missing",
    ]);
    assert_eq!(bench.held(), "");
    bench.pass_without(&["a"], 40);
    bench.expect(&[]);
    assert!(bench.state.snapshot().backups.holds.is_empty());
}

#[test]
fn without_a_hold_there_is_no_room_for_it() {
    let mut bench = Bench::new(&full_cluster()).with_defect(Some(Defect::NothingHeld));
    bench.pass_without(&[], 20);
    bench.pass_without(&["a"], 14);
    assert_eq!(bench.place_of("web-1+"), None, "{:?}", bench.done);
}

#[test]
fn whoever_is_bound_before_the_room_is_free_is_refused() {
    let mut bench = Bench::new(&full_cluster()).with_defect(Some(Defect::BoundBeforeRoom));
    bench.pass_without(&[], 20);
    bench.pass_without(&["a"], 14);
    assert!(bench.done.iter().any(|line| line.ends_with("OutOfmemory")), "{:?}", bench.done);
}

#[test]
fn what_is_kept_for_others_is_made_anew() {
    // The pods of a need 3 GiB on b, and those of c need 2 GiB of it.
    let pods = [
        on(web("web-1", 1), "a", Some("b")),
        on(web("web-2", 2), "a", Some("b")),
        on(replica(pod("other", 2, "20"), "other", "5d"), "c", Some("b")),
        backup("edge-backup-b-1", "b", 3),
        full("a", 5),
        full("b", 3),
        full("c", 6),
        full("d", 8),
    ];
    let mut bench = Bench::new(&pods);
    bench.pass_without(&[], 20);
    bench.expect(&[]);
    bench.pass_without(&["a"], 13);
    let places = ["web-1+", "web-2+"].map(|name| bench.place_of(name));
    assert_eq!(places, [Some("b".to_owned()), Some("b".to_owned())], "{:?}", bench.done);
    assert!(!bench.done.iter().any(|line| line.contains("OutOf")), "{:?}", bench.done);
    bench.pass_without(&["a"], 20);
    assert_eq!(bench.held(), "b:2", "{:?}", bench.done);
    assert!(!bench.is_tainted("b"));
}

#[test]
fn a_new_replica_set_of_the_deployment_counts() {
    let mut bench = Bench::new(&full_cluster());
    bench.pass_without(&[], 20);
    bench.pass_without(&["a"], 10);
    let ends = bench.pods[0].clone();
    bench.put(Pod { terminating: true, ..ends });
    bench.put(replica(pod("new", 2, "10"), "web", "77"));
    bench.run();
    assert_eq!(bench.place_of("new"), Some("b".to_owned()), "{:?}", bench.done);
    // One of another workload has no hold.
    let mut bench = Bench::new(&full_cluster());
    bench.pass_without(&[], 20);
    bench.pass_without(&["a"], 10);
    let ends = bench.pods[0].clone();
    bench.put(Pod { terminating: true, ..ends });
    bench.put(replica(pod("new", 2, "10"), "shop", "77"));
    bench.run();
    assert_eq!(bench.place_of("new"), None, "{:?}", bench.done);
}

#[test]
fn a_hold_that_nobody_takes_ends() {
    let mut bench = Bench::new(&full_cluster());
    bench.pass_without(&[], 20);
    bench.pass_without(&["a"], 10);
    let ends = bench.pods[0].clone();
    bench.put(Pod { terminating: true, ..ends });
    bench.pass_without(&["a"], 29);
    assert_eq!((bench.held().as_str(), bench.is_tainted("b")), ("b:2", true));
    bench.pass_without(&["a"], 2);
    assert!(!bench.is_tainted("b"));
    bench.pass_without(&["a"], 15);
    assert_eq!(bench.held(), "");
}

#[test]
fn a_pod_that_its_kubelet_refused_leaves_the_hold_to_the_next() {
    let mut bench = Bench::new(&full_cluster());
    bench.pass_without(&[], 20);
    // Somebody whom no taint keeps off comes when the backup goes.
    bench.pass_without(&["a"], 10);
    let ends = bench.pods[0].clone();
    bench.put(Pod { terminating: true, ..ends.clone() });
    bench.succeed(&ends);
    while let Some(action) = bench.state.next(bench.now) {
        let goes = matches!(action, Action::DeleteBackup(_));
        bench.answer(action);
        if goes {
            let thief = Pod { scheduler_name: "default-scheduler".into(), ..pod("thief", 1, "0") };
            bench.put(on(thief, "b", None));
        }
    }
    assert!(bench.done.contains(&"web-1+ is refused on b: OutOfmemory".to_owned()), "{:?}", bench.done);
    bench.gone("thief");
    bench.pass_without(&["a"], 12);
    assert_eq!(bench.place_of("web-1++"), Some("b".to_owned()), "{:?}", bench.done);
}

#[test]
fn where_nodes_can_not_be_tainted_it_goes_on_without() {
    let mut bench = Bench::new(&full_cluster());
    let run = |bench: &mut Bench| {
        while let Some(action) = bench.state.next(bench.now) {
            match action {
                Action::TaintNode(wanted) => {
                    let outcome = CoverOutcome::Refused("forbidden".to_owned());
                    bench.apply(Event::NodeTainted(wanted, outcome));
                }
                other => bench.answer(other),
            }
        }
    };
    for second in 0..34 {
        bench.now = bench.now + Duration::from_secs(1);
        bench.beat(if second < 20 { &[] } else { &["a"] });
        run(&mut bench);
    }
    assert_eq!(bench.place_of("web-1+"), Some("b".to_owned()), "{:?}", bench.done);
}

#[test]
fn pods_that_end_on_a_node_that_lives_hold_nothing() {
    let mut bench = Bench::new(&full_cluster());
    bench.pass_without(&[], 20);
    let ends = bench.pods[0].clone();
    bench.put(Pod { terminating: true, ..ends });
    bench.run();
    assert!(bench.state.snapshot().backups.holds.is_empty());
}

#[test]
fn a_stale_taint_goes() {
    let mut bench = Bench::new(&[]);
    bench.put_node(super::cover_bench::tainted("c", HANDOVER_TAINT));
    bench.pass_without(&[], 40);
    bench.expect(&["taint c: false"]);
}

#[test]
fn a_crash_at_any_write_ends_in_the_same_state() {
    for crash in 0.. {
        let mut bench = Bench::new(&full_cluster());
        bench.pass_without(&[], 20);
        let mut actions = 0;
        let mut has_crashed = false;
        for _ in 0..90 {
            bench.now = bench.now + Duration::from_secs(1);
            bench.beat(&["a"]);
            while let Some(action) = bench.state.next(bench.now) {
                bench.answer(action);
                actions += 1;
                if actions == crash {
                    bench.restart_without(&["a"]);
                    has_crashed = true;
                }
            }
        }
        let replaced: Vec<&Pod> =
            bench.pods.iter().filter(|pod| pod.key.name.starts_with("web") && !pod.terminating).collect();
        assert_eq!(replaced.len(), 1);
        let at = replaced[0].node.as_ref().map(ToString::to_string);
        assert_eq!(at, Some("b".to_owned()), "crash {crash}: {:?}", bench.done);
        assert_eq!(
            (bench.held().as_str(), bench.is_tainted("b")),
            ("", false),
            "crash {crash}: {:?}",
            bench.done
        );
        assert!(!bench.done.iter().any(|line| line.contains("OutOf")), "{:?}", bench.done);
        if !has_crashed && crash > 0 {
            assert!(crash > 5, "nothing was done");
            break;
        }
    }
}

#[test]
fn others_are_kept_off_while_room_is_free() {
    // Two replicas with holds on b; the first takes the only backup away, the second is not made yet.
    let pods = [
        on(web("web-1", 2), "a", Some("b")),
        on(web("web-2", 2), "a", Some("b")),
        backup("edge-backup-b-1", "b", 4),
        full("a", 4),
        full("b", 4),
        full("c", 8),
        full("d", 8),
    ];
    let mut bench = Bench::new(&pods);
    bench.pass_without(&[], 20);
    bench.pass_without(&["a"], 10);
    for name in ["web-1", "web-2"] {
        let ends = bench.pods.iter().find(|pod| &*pod.key.name == name).unwrap().clone();
        bench.put(Pod { terminating: true, ..ends });
    }
    bench.put(web("web-3", 2));
    bench.run();
    assert_eq!(bench.place_of("web-3"), Some("b".to_owned()), "{:?}", bench.done);
    assert_eq!(bench.held(), "");
    // A pod of ours that tolerates the taint comes before the second one.
    let toleration = crate::model::Toleration {
        key: "".into(),
        op: crate::model::TolerationOp::Exists,
        value: "".into(),
        effect: None,
        seconds: None,
    };
    bench.put(Pod { tolerations: [toleration].into(), ..replica(pod("thief", 2, "10"), "thief", "1") });
    bench.run();
    assert_eq!(bench.place_of("thief"), None, "{:?}", bench.done);
    bench.put(web("web-4", 2));
    bench.run();
    assert_eq!(bench.place_of("web-4"), Some("b".to_owned()), "{:?}", bench.done);
}
