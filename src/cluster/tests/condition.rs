//! Conditions: in order, and never after the binding.

use std::time::Duration;

use edge_core::model::{NodeName, Time};
use edge_core::state::{Action, BindOutcome, Binding, Event, NominatedNode, Report, ReportReason};
use serde_json::json;
use tokio::sync::mpsc;

use super::{Answer, Asked, Server, actor, failure, success, web};

fn report(message: &str) -> Action {
    Action::Report(Report {
        pod: web(),
        scheduler_name: "edge-scheduler".into(),
        generation: 7,
        reason: ReportReason::Unschedulable,
        message: message.to_owned(),
        condition_changed: true,
        first: true,
        tried: Time::ZERO,
        nominated_node: NominatedNode::Unchanged,
    })
}

fn is_condition(asked: &Asked) -> bool {
    asked.line.starts_with("PATCH /api/v1/")
}

/// Reports so against a server whose answers to conditions are scripted; the conditions it was asked to write.
async fn conditions(
    messages: &[&str],
    answer: impl Fn(usize) -> Answer + Send + Sync + 'static,
) -> Vec<serde_json::Value> {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let (server, client) = Server::start(move |asked, _| {
        if !is_condition(asked) {
            return Answer::Hang;
        }
        answer(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    });
    let (events, _received) = mpsc::channel(1);
    let mut actor = actor(client, events);
    for message in messages {
        actor.execute(report(message));
    }
    tokio::time::sleep(Duration::from_mins(5)).await;
    server.asked().into_iter().filter(is_condition).map(|asked| asked.body).collect()
}

fn message(patch: &serde_json::Value) -> &str {
    patch["status"]["conditions"][0]["message"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_condition_says_why_the_pod_waits() {
    let mut patches = conditions(&["0/1 nodes are available: 1 Insufficient cpu."], |_| success()).await;
    assert_eq!(patches.len(), 1);
    let at = patches[0]["status"]["conditions"][0]["lastTransitionTime"].take();
    let at = at.as_str().unwrap();
    assert!(at.len() == 20 && at.ends_with('Z'), "{at}");
    assert_eq!(
        patches[0],
        json!({"metadata": {"uid": "uid-1"}, "status": {"conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "observedGeneration": 7,
            "message": "0/1 nodes are available: 1 Insufficient cpu.",
            "lastProbeTime": null, "lastTransitionTime": null,
        }]}})
    );
}

#[tokio::test(start_paused = true)]
async fn conditions_of_a_pod_are_written_in_order() {
    let slow = |_| Answer::SayAfter(Duration::from_secs(3), 200, "{}".to_owned());
    let patches = conditions(&["first", "second", "third"], slow).await;
    assert_eq!(patches.iter().map(message).collect::<Vec<_>>(), ["first", "second", "third"]);
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_tried_again_and_another_is_not() {
    let passing = |before| if before < 2 { failure(503, "busy") } else { success() };
    assert_eq!(conditions(&["text"], passing).await.len(), 3);
    assert_eq!(conditions(&["text"], |_| failure(500, "broken")).await.len(), 4);
    for code in [403, 404, 409, 422] {
        assert_eq!(conditions(&["text"], move |_| failure(code, "no")).await.len(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_was_not_written_is_written_with_the_next_report_though_it_says_the_same() {
    let (server, client) =
        Server::start(
            |asked, before| {
                if is_condition(asked) && before < 8 { failure(500, "broken") } else { success() }
            },
        );
    let (events, _received) = mpsc::channel(1);
    let mut actor = actor(client, events);
    let mut written = Vec::new();
    for condition_changed in [true, false, false, false] {
        let Action::Report(said) = report("text") else { panic!("it is a report") };
        actor.execute(Action::Report(Report { condition_changed, ..said }));
        tokio::time::sleep(Duration::from_mins(1)).await;
        written.push(server.asked().iter().filter(|asked| is_condition(asked)).count());
    }
    // Four tries that fail, some more because of that, and none any more once it is written.
    assert!(written[0] == 4 && written[1] > 4 && written[2] == written[3], "{written:?}");
}

#[tokio::test(start_paused = true)]
async fn a_binding_waits_for_the_condition_before_it() {
    let (server, client) = Server::start(|asked, _| {
        if is_condition(asked) {
            Answer::SayAfter(Duration::from_secs(3), 200, "{}".to_owned())
        } else {
            success()
        }
    });
    let (events, mut received) = mpsc::channel(1);
    let mut actor = actor(client, events);
    let begin = tokio::time::Instant::now();
    actor.execute(report("text"));
    let node = NodeName::from("edge-1");
    actor.execute(Action::Bind(Binding { pod: web(), node, annotations: Vec::new() }));
    let event = received.recv().await.unwrap();
    assert!(matches!(event, Event::Bind(_, BindOutcome::Bound)), "{event:?}");
    assert_eq!(begin.elapsed().as_secs(), 3);
    assert!(server.lines().last().unwrap().contains("binding"));
}

#[tokio::test(start_paused = true)]
async fn where_a_pod_is_nominated_to_is_written_with_its_condition_or_alone() {
    let (server, client) =
        Server::start(|asked, _| if is_condition(asked) { success() } else { Answer::Hang });
    let (events, _received) = mpsc::channel(1);
    let mut actor = actor(client, events);
    let Action::Report(full) = report("text") else { panic!("not a report") };
    let nominated_node = NominatedNode::Is(NodeName::from("edge-1"));
    actor.execute(Action::Report(Report { nominated_node, condition_changed: false, ..full.clone() }));
    actor.execute(Action::Report(Report { nominated_node: NominatedNode::None, ..full.clone() }));
    actor.execute(Action::Report(full));
    actor.execute(Action::Nominate(web(), Some(NodeName::from("edge-2"))));
    actor.execute(Action::Nominate(web(), None));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let written: Vec<_> = server.asked().into_iter().filter(is_condition).map(|asked| asked.body).collect();
    let nominated: Vec<_> = written.iter().map(|body| body["status"].get("nominatedNodeName")).collect();
    let (first, second, none) = (json!("edge-1"), json!("edge-2"), json!(null));
    assert_eq!(nominated, [Some(&first), Some(&none), None, Some(&second), Some(&none)]);
    assert_eq!(written[4], json!({"metadata": {"uid": "uid-1"}, "status": {"nominatedNodeName": null}}));
}
