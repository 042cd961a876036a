//! Bindings and readings: each ends in one event.

use std::time::Duration;

use edge_core::model::NodeName;
use edge_core::state::{Action, BindOutcome, Binding, Event, ReadOutcome};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Actor, Answer, Clock, Server, Tenure, actor, failure, success, web};

fn binding() -> Action {
    let annotations = vec![("kubectl-edge.dev/decision", "{}".to_owned())];
    Action::Bind(Binding { pod: web(), node: NodeName::from("edge-1"), annotations })
}

/// Executes `action` against a server that answers so; the event it ends in, and how long it took.
async fn execute(action: Action, answer: impl Fn() -> Answer + Send + Sync + 'static) -> (Event, Duration) {
    let (_server, client) = Server::start(move |_, _| answer());
    let (events, mut received) = mpsc::channel(1);
    let mut actor = actor(client, events);
    let begin = Instant::now();
    actor.execute(action);
    let event = received.recv().await.unwrap();
    let took = begin.elapsed();
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(received.try_recv().is_err(), "a second event");
    (event, took)
}

#[track_caller]
fn check(event: &Event, expected: &BindOutcome) {
    let Event::Bind(pod, outcome) = event else { panic!("{event:?}") };
    assert_eq!(*pod, web());
    match (outcome, expected) {
        (BindOutcome::Unknown(message), BindOutcome::Unknown(part)) => {
            assert!(message.contains(part), "{message}");
        }
        (outcome, expected) => assert_eq!(outcome, expected),
    }
}

#[tokio::test(start_paused = true)]
async fn a_binding_names_the_pod_by_its_uid_and_carries_its_annotations() {
    let (server, client) = Server::start(|_, _| success());
    let (events, mut received) = mpsc::channel(1);
    let mut actor = actor(client, events);
    actor.execute(binding());
    check(&received.recv().await.unwrap(), &BindOutcome::Bound);
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST /api/v1/namespaces/shop/pods/web/binding?");
    assert_eq!(
        asked[0].body,
        json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"namespace": "shop", "name": "web", "uid": "uid-1",
                "annotations": {"kubectl-edge.dev/decision": "{}"}},
            "target": {"kind": "Node", "name": "edge-1"},
        })
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_ends_with_the_actor() {
    let (server, client) = Server::start(|_, _| success());
    let (events, mut received) = mpsc::channel(1);
    actor(client, events).execute(binding());
    assert!(received.recv().await.is_none());
    assert!(server.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_server_says_decides_what_follows() {
    let refused = |message: &str| BindOutcome::Refused(message.to_owned());
    let unknown = |part: &str| BindOutcome::Unknown(part.to_owned());
    for (code, expected) in [
        (404, BindOutcome::Gone),
        (409, BindOutcome::Conflict),
        (400, refused("no")),
        (403, refused("no")),
        (422, refused("no")),
        (401, unknown("no")),
        (408, unknown("no")),
        (429, unknown("no")),
        (500, unknown("no")),
        (503, unknown("no")),
        (504, unknown("no")),
    ] {
        check(&execute(binding(), move || failure(code, "no")).await.0, &expected);
    }
    check(&execute(binding(), || Answer::Break).await.0, &unknown("connection reset"));
    check(&execute(binding(), || Answer::Say(200, "<html>".to_owned())).await.0, &unknown("deserializing"));
    check(&execute(binding(), || failure(200, "odd")).await.0, &unknown("odd"));
    check(&execute(binding(), || Answer::Say(502, "<html>".to_owned())).await.0, &unknown("html"));
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_not_waited_for_longer_than_ten_seconds() {
    let (event, took) = execute(binding(), || Answer::Hang).await;
    check(&event, &BindOutcome::Unknown("no answer within 10 s".to_owned()));
    assert_eq!(took.as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_binding_holds_its_place_as_long_as_the_server_asks() {
    let throttled = |seconds: u32| {
        move || {
            let details = json!({"retryAfterSeconds": seconds});
            let status = json!({"status": "Failure", "code": 429, "message": "later", "details": details});
            Answer::Say(429, status.to_string())
        }
    };
    for (asked, held) in [(0, 1), (3, 3), (3600, 5)] {
        let (event, took) = execute(binding(), throttled(asked)).await;
        check(&event, &BindOutcome::Unknown("later".to_owned()));
        assert_eq!(took.as_secs(), held, "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_defect_ends_in_an_event_too() {
    let (event, _) = execute(binding(), || Answer::Panic).await;
    check(&event, &BindOutcome::Unknown(String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_reading_finds_the_pod_or_that_there_is_none() {
    let pod =
        json!({"metadata": {"namespace": "shop", "name": "web", "uid": "uid-2"}, "spec": {"nodeName": "n"}});
    let (found, _) = execute(Action::Read(web()), move || Answer::Say(200, pod.to_string())).await;
    let Event::Read(asked, ReadOutcome::Found(found)) = found else { panic!("{found:?}") };
    assert_eq!((asked, found.uid.as_str(), found.node.unwrap().as_str()), (web(), "uid-2", "n"));
    let (gone, _) = execute(Action::Read(web()), || failure(404, "no")).await;
    assert!(matches!(gone, Event::Read(_, ReadOutcome::Gone)), "{gone:?}");
    for answer in
        [|| failure(500, "no"), || Answer::Hang, || Answer::Say(200, r#"{"metadata": {}}"#.to_owned())]
    {
        let (failed, _) = execute(Action::Read(web()), answer).await;
        assert!(matches!(failed, Event::Read(_, ReadOutcome::Failed)), "{failed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_bindings_are_on_their_way_at_once() {
    let (_server, client) = Server::start(|_, _| {
        Answer::SayAfter(Duration::from_secs(1), 201, r#"{"status": "Success"}"#.to_owned())
    });
    let (events, mut received) = mpsc::channel(1);
    let mut actor = actor(client, events);
    let begin = Instant::now();
    for _ in 0..100 {
        actor.execute(binding());
    }
    for _ in 0..100 {
        check(&received.recv().await.unwrap(), &BindOutcome::Bound);
    }
    assert_eq!(begin.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_bound_by_a_lease_that_may_have_run_out() {
    let (server, client) = Server::start(|_, _| success());
    let (events, mut received) = mpsc::channel(1);
    let (clock, tenure) = (Clock::start(), Tenure::elected(Duration::from_secs(10), Duration::from_secs(15)));
    let mut actor = Actor::new(client.into(), tenure.clone(), clock, events, None);
    for (renewed, bound) in [(true, true), (false, false), (true, true)] {
        if renewed {
            tenure.renew(clock.now());
        }
        tokio::time::sleep(Duration::from_secs(9)).await;
        actor.execute(binding());
        let event = received.recv().await.unwrap();
        assert_eq!(matches!(event, Event::Bind(_, BindOutcome::Bound)), bound, "{event:?}");
    }
    assert_eq!(server.lines().len(), 2, "it was sent");
}
