//! Notices: small, counted, and never in the way.

use std::time::{Duration, Instant};

use edge_core::delay::{Anchor, DelayConstraint, Turn};
use edge_core::model::{Delay, NodeName, PodKey, PodUid, Time};
use edge_core::state::{
    Action, Announcement, BindOutcome, Binding, DelayTurn, Event, NominatedNode, PodRef, Preempted, Report,
    ReportReason,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Answer, Server, actor, failure, success, web};
use crate::cluster::notice::Notice;
use crate::cluster::series::{SeriesCache, Write};

fn failed(message: &str) -> Report {
    Report {
        pod: web(),
        scheduler_name: "edge-scheduler".into(),
        generation: 1,
        reason: ReportReason::Unschedulable,
        message: message.to_owned(),
        condition_changed: false,
        first: true,
        tried: Time::ZERO,
        nominated_node: NominatedNode::Unchanged,
    }
}

fn announcement() -> Announcement {
    let (first_tried, tried) = (Time::ZERO, Time::ZERO);
    let (scheduler_name, node) = ("edge-scheduler".into(), NodeName::from("edge-1"));
    Announcement { pod: web(), scheduler_name, node, attempts: 1, first_tried, tried }
}

/// Executes actions against a server that knows no notices and takes all of them.
async fn execute(actions: Vec<Action>) -> Vec<super::Asked> {
    let (server, client) =
        Server::start(
            |asked, _| if asked.line.starts_with("PATCH") { failure(404, "no") } else { success() },
        );
    let (events, _received) = mpsc::channel(1);
    let mut actor = actor(client, events);
    for action in actions {
        actor.execute(action);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    server.asked()
}

/// Takes what is different each time out of a notice.
fn take_times(notice: &mut Value) {
    let name = notice["metadata"]["name"].take();
    let (pod, number) = name.as_str().unwrap().split_once('.').unwrap();
    assert!(pod == "web" && u128::from_str_radix(number, 16).is_ok(), "{name}");
    let time = notice["eventTime"].take();
    assert_eq!(time.as_str().unwrap().len(), "2026-01-31T12:00:00.000001Z".len(), "{time}");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(notice["reportingInstance"].take(), format!("edge-scheduler-{}", host.trim()));
}

#[tokio::test(start_paused = true)]
async fn a_bound_pod_is_announced() {
    let mut asked = execute(vec![Action::Announce(announcement())]).await;
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST /apis/events.k8s.io/v1/namespaces/shop/events?");
    take_times(&mut asked[0].body);
    assert_eq!(
        asked[0].body,
        json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"namespace": "shop", "name": null},
            "type": "Normal", "reason": "Scheduled", "action": "Binding",
            "note": "Successfully assigned shop/web to edge-1",
            "regarding": {"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "web", "uid": "uid-1"},
            "reportingController": "edge-scheduler", "reportingInstance": null, "eventTime": null,
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_repeated_notice_is_counted_and_written_anew_if_it_has_expired() {
    let report = || Action::Report(failed("no room"));
    let asked = execute(vec![report(), report(), report()]).await;
    let name = asked[0].body["metadata"]["name"].as_str().unwrap();
    let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
    let post = "POST /apis/events.k8s.io/v1/namespaces/shop/events?";
    let patch = format!("PATCH /apis/events.k8s.io/v1/namespaces/shop/events/{name}?");
    // The third is only counted.
    assert_eq!(lines, [post, &patch, post]);
    assert_eq!(asked[1].body["series"]["count"], 2);
    assert_eq!(asked[1].body.as_object().unwrap().len(), 1);
    assert_eq!(asked[2].body["metadata"]["name"], name);
    assert_eq!(asked[2].body["series"], asked[1].body["series"]);
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_tried_again_and_another_is_not() {
    for (code, tries) in [(503, 3), (403, 1), (409, 1)] {
        let (server, client) = Server::start(move |_, _| failure(code, "no"));
        let (events, _received) = mpsc::channel(1);
        let mut actor = actor(client, events);
        actor.execute(Action::Announce(announcement()));
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(server.asked().len(), tries, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn notices_hold_up_no_binding_and_are_dropped_when_too_many_wait() {
    let (server, client) =
        Server::start(|asked, _| if asked.line.contains("events") { Answer::Hang } else { success() });
    let (events, mut received) = mpsc::channel(1);
    let mut actor = actor(client, events);
    for _ in 0..10_000 {
        actor.execute(Action::Announce(announcement()));
    }
    let node = NodeName::from("edge-1");
    actor.execute(Action::Bind(Binding { pod: web(), node, annotations: Vec::new() }));
    let begin = tokio::time::Instant::now();
    let event = received.recv().await.unwrap();
    assert!(matches!(event, Event::Bind(_, BindOutcome::Bound)), "{event:?}");
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(server.lines().iter().filter(|line| line.contains("events")).count(), 32);
}

#[test]
fn a_note_is_cut_where_the_api_ends_it() {
    for (message, length) in [("x".repeat(1024), 1024), ("x".repeat(1025), 1024), ("ä".repeat(600), 1024)] {
        let report = failed(&message);
        let note = Notice::failed_scheduling(&report).note;
        assert_eq!(note.len(), length);
        assert_eq!(note.ends_with(" ..."), message.len() > 1024);
    }
}

#[test]
fn a_long_name_still_makes_a_valid_one() {
    let mut report = failed("text");
    report.pod.key.name = format!("{}-.{}", "x".repeat(229), "y".repeat(22)).into();
    let name = Notice::failed_scheduling(&report).to_body("host").metadata.name;
    assert!(name.len() <= 253 && name.starts_with(&format!("{}.", "x".repeat(229))), "{name}");
}

/// What is written of the same notice at these seconds: `N`ew, `R`epeated with its count, or nothing.
#[track_caller]
fn check_series(at_seconds: &[u64], expected: &[&str]) {
    let mut cache = SeriesCache::default();
    let origin = Instant::now();
    let report = failed("no room");
    let notice = Notice::failed_scheduling(&report);
    let mut written = Vec::new();
    for seconds in at_seconds {
        let now = origin + Duration::from_secs(*seconds);
        written.extend(cache.sweep(now).iter().map(show));
        written
            .push(cache.record(&notice, || notice.to_body("host"), now).as_ref().map_or(String::new(), show));
    }
    assert_eq!(written, expected, "{at_seconds:?}");
}

fn show(write: &Write) -> String {
    match write {
        Write::New(_) => "new".to_owned(),
        Write::Repeat(body) => format!("count {}", body.series.as_ref().unwrap().count),
        Write::Final(_, count) => format!("final {}", count.count),
    }
}

#[test]
fn a_series_is_written_at_its_begin_now_and_then_and_at_its_end() {
    check_series(&[0], &["new"]);
    check_series(&[0, 300], &["new", "count 2"]);
    check_series(&[0, 300, 600, 900], &["new", "count 2", "", ""]);
    // Over six minutes apart: the count is final, and the next notice begins anew.
    check_series(&[0, 300, 600, 1000], &["new", "count 2", "", "final 3", "new"]);
    check_series(&[0, 300, 700], &["new", "count 2", "new"]);
    check_series(&[0, 400], &["new", "new"]);
    let half_hour: Vec<u64> = (0..=8).map(|idx| idx * 300).collect();
    check_series(&half_hour, &["new", "count 2", "", "", "", "", "", "count 8", ""]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_was_taken_away_is_told_for_whom() {
    let preemptor = PodRef { key: PodKey::new("other", "high"), uid: PodUid::from("uid-2") };
    let scheduler_name = "edge-scheduler".into();
    let preempted = Preempted { victim: web(), preemptor, scheduler_name, node: NodeName::from("edge-1") };
    let mut asked = execute(vec![Action::AnnouncePreempted(preempted)]).await;
    assert_eq!(asked.len(), 1);
    let mut notice = asked[0].body.take();
    take_times(&mut notice);
    let pod = |namespace: &str, name: &str, uid: &str| json!({"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": name, "uid": uid});
    assert_eq!(
        notice,
        json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"namespace": "shop", "name": null},
            "type": "Normal", "reason": "Preempted", "action": "Preempting",
            "note": "Preempted by pod uid-2 on node edge-1",
            "regarding": pod("shop", "web", "uid-1"), "related": pod("other", "high", "uid-2"),
            "reportingController": "edge-scheduler", "reportingInstance": null, "eventTime": null,
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_bound_that_is_broken_is_told_with_the_delay_and_where_it_is_measured_from() {
    let told = |micros, turn| {
        let [delay, bound] = [micros, 25_000].map(|micros| Delay::from_micros(micros).unwrap());
        let constraint = DelayConstraint { anchor: Anchor { name: "db".into(), kind: None }, bound };
        let (scheduler_name, from) = ("edge-scheduler".into(), NodeName::from("edge-4"));
        Action::AnnounceDelay(DelayTurn { pod: web(), scheduler_name, constraint, from, delay, turn })
    };
    let asked = execute(vec![told(31_200, Turn::Exceeded), told(24_000, Turn::Restored)]).await;
    let shown = asked.iter().map(|asked| {
        let field = |name: &str| asked.body[name].as_str().unwrap().to_owned();
        format!("{} {}: {}", field("type"), field("reason"), field("note"))
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "Warning DelayExceeded: The delay to db on node edge-4 is 31.2 ms, over the bound of 25 ms",
            "Normal DelayRestored: The delay to db on node edge-4 is 24 ms, again within the bound of 25 ms",
        ]
    );
}
