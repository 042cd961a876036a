//! Names, labels and buckets against upstream's list, and the rules of promlint.

use std::collections::BTreeMap;

use edge_core::model::{NodeName, PodKey, Time};
use edge_core::placement::{Observer, Point, PointStatus};
use edge_core::state::{Announcement, NominatedNode, PodRef, Report, ReportReason};

use super::*;

/// A metric of upstream: name, type, labels, and its buckets' number, first and last.
type Upstream<'a> = (&'a str, &'a str, &'a [&'a str], Option<(usize, &'a str, &'a str)>);

/// Upstream's stable and beta metrics of the scheduler (`test/instrumentation/testdata`).
#[rustfmt::skip]
const UPSTREAM: [Upstream<'_>; 13] = [
    ("scheduler_framework_extension_point_duration_seconds", "histogram", &["extension_point", "profile", "status"], Some((12, "0.0001", "0.2048"))),
    ("scheduler_goroutines", "gauge", &["operation"], None),
    ("scheduler_pending_pods", "gauge", &["queue"], None),
    ("scheduler_plugin_evaluation_total", "counter", &["extension_point", "plugin", "profile"], None),
    ("scheduler_pod_scheduling_attempts", "histogram", &[], Some((5, "1", "16"))),
    ("scheduler_pod_scheduling_sli_duration_seconds", "histogram", &["attempts"], Some((20, "0.01", "5242.88"))),
    ("scheduler_preemption_attempts_total", "counter", &[], None),
    ("scheduler_preemption_victims", "histogram", &[], Some((7, "1", "64"))),
    ("scheduler_queue_incoming_pods_total", "counter", &["event", "queue"], None),
    ("scheduler_schedule_attempts_total", "counter", &["profile", "result"], None),
    ("scheduler_scheduling_attempt_duration_seconds", "histogram", &["profile", "result"], Some((15, "0.001", "16.384"))),
    ("scheduler_unschedulable_pods", "gauge", &["plugin", "profile"], None),
    ("kubernetes_build_info", "gauge", &["build_date", "compiler", "git_commit", "git_tree_state", "git_version", "go_version", "major", "minor", "platform"], None),
];

fn seconds(seconds: u64) -> Time {
    Time::from_origin(std::time::Duration::from_secs(seconds))
}

/// The text after one pod was bound and another was not.
fn shown() -> String {
    let metrics = Metrics::new(["scheduler_cache_size".to_owned()]).unwrap();
    let pod = PodRef { key: PodKey::new("shop", "web"), uid: "uid-1".into() };
    let announcement = Announcement {
        pod: pod.clone(),
        scheduler_name: "edge-scheduler".into(),
        node: NodeName::from("edge-1"),
        attempts: 15,
        first_tried: seconds(1),
        tried: seconds(9),
    };
    metrics.scheduler.bound(&announcement, seconds(10));
    let report = Report {
        pod,
        scheduler_name: "edge-scheduler".into(),
        generation: 1,
        reason: ReportReason::Unschedulable,
        message: String::new(),
        condition_changed: true,
        first: true,
        tried: seconds(10),
        nominated_node: NominatedNode::Unchanged,
    };
    metrics.scheduler.failed(&report, seconds(10));
    let mut timer = CycleTimer::new(metrics.scheduler.clone());
    timer.begin(&"edge-scheduler".into());
    timer.asked("NodeResourcesFit", Point::Filter, 7);
    timer.spent(Point::Filter);
    timer.ended(Point::Filter, PointStatus::Success);
    timer.finish();
    let facts = Facts {
        incoming: [(("active", "UnschedulablePodAdd"), 3)].into(),
        unschedulable: vec![("NodeResourcesFit", "edge-scheduler".to_owned(), 2)],
        lease: Some(("edge-scheduler".to_owned(), true)),
        ..Facts::default()
    };
    // A counter that was read before is not counted twice.
    metrics.render(&facts).unwrap();
    metrics.render(&facts).unwrap()
}

#[test]
fn names_labels_and_buckets_are_upstreams() {
    let text = shown();
    for (name, kind, labels, buckets) in UPSTREAM {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}\n{text}");
        assert!(text.contains(&format!("# HELP {name} [")), "{name}");
        let begins = |line: &&str| {
            line.starts_with(&format!("{name}{{"))
                || line.starts_with(&format!("{name}_bucket{{"))
                || line.starts_with(&format!("{name} "))
        };
        let lines: Vec<&str> = text.lines().filter(begins).collect();
        let shown = labels_of(lines[0]);
        let shown: Vec<&str> = shown.keys().copied().filter(|label| *label != "le").collect();
        assert_eq!(shown, labels, "{name}");
        if let Some((count, first, last)) = buckets {
            let bounds: Vec<String> =
                lines.iter().filter_map(|line| labels_of(line).get("le").map(ToString::to_string)).collect();
            let bounds = &bounds[..bounds.iter().position(|bound| bound == "+Inf").unwrap()];
            assert_eq!((bounds.len(), &*bounds[0], &*bounds[count - 1]), (count, first, last), "{name}");
        }
    }
}

#[test]
fn what_happened_is_counted() {
    let text = shown();
    for line in [
        r#"scheduler_schedule_attempts_total{profile="edge-scheduler",result="scheduled"} 1"#,
        r#"scheduler_schedule_attempts_total{profile="edge-scheduler",result="unschedulable"} 1"#,
        r#"scheduler_scheduling_attempt_duration_seconds_sum{profile="edge-scheduler",result="scheduled"} 1"#,
        r#"scheduler_pod_scheduling_sli_duration_seconds_sum{attempts="15+"} 9"#,
        r#"scheduler_plugin_evaluation_total{extension_point="Filter",plugin="NodeResourcesFit",profile="edge-scheduler"} 7"#,
        r#"scheduler_framework_extension_point_duration_seconds_count{extension_point="Filter",profile="edge-scheduler",status="Success"} 1"#,
        r#"scheduler_queue_incoming_pods_total{event="UnschedulablePodAdd",queue="active"} 3"#,
        r#"scheduler_unschedulable_pods{plugin="NodeResourcesFit",profile="edge-scheduler"} 2"#,
        r#"leader_election_master_status{name="edge-scheduler"} 1"#,
        "scheduler_scheduling_algorithm_duration_seconds_count 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    assert!(!text.contains("scheduler_cache_size"), "it is disabled");
    let memory = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    assert!(memory.unwrap().parse::<f64>().unwrap() > 1e6);
}

fn labels_of(line: &str) -> BTreeMap<&str, &str> {
    let Some((_, rest)) = line.split_once('{') else { return BTreeMap::new() };
    let (labels, _) = rest.rsplit_once("\"}").unwrap();
    labels.split("\",").map(|label| label.split_once("=\"").unwrap()).collect()
}
