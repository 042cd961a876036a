//! Watches: whatever goes wrong, what they say converges to what is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use edge_core::state::{Change, Event, Watched};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Answer, Asked, Server, failure};
use crate::cluster::watch;

fn pod(name: &str, version: u32) -> Value {
    json!({"kind": "Pod", "metadata": {
        "namespace": "shop", "name": name, "uid": format!("uid-{name}"), "resourceVersion": version.to_string()}})
}

/// A pod that can be decoded but means nothing.
fn absurd(name: &str, version: u32) -> Value {
    let mut pod = pod(name, version);
    pod["spec"] = json!({"containers": [{"resources": {"requests": {"cpu": "-1"}}}]});
    pod
}

/// A pod that can't be decoded.
fn garbled(name: &str, version: u32) -> Value {
    let mut pod = pod(name, version);
    pod["spec"] = json!({"priority": "high"});
    pod
}

fn said(kind: &str, object: &Value) -> String {
    // The server writes the type first.
    format!("{{\"type\": \"{kind}\", \"object\": {object}}}\n")
}

/// The mark of the end of a streamed list.
fn end_of_list(version: u32) -> String {
    let annotations = json!({"k8s.io/initial-events-end": "true"});
    let metadata = json!({"resourceVersion": version.to_string(), "annotations": annotations});
    said("BOOKMARK", &json!({"kind": "Pod", "apiVersion": "v1", "metadata": metadata}))
}

fn stream(lines: &[String]) -> Answer {
    Answer::Say(200, lines.concat())
}

fn list(pods: &[Value], version: u32, proceed: &str) -> Answer {
    let metadata = json!({"resourceVersion": version.to_string(), "continue": proceed});
    let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": pods});
    Answer::Say(200, list.to_string())
}

fn show(event: &Event) -> String {
    match event {
        Event::Pods(Change::Reset(pods)) => {
            let names: Vec<&str> = pods.iter().map(|pod| &*pod.key.name).collect();
            format!("reset {}", names.join(" ")).trim_end().to_owned()
        }
        Event::Pods(Change::Put(pod)) => format!("put {}", pod.key.name),
        Event::Pods(Change::Gone(pod)) => format!("gone {} {}", pod.key.name, pod.uid),
        Event::Namespaces(Change::Reset(namespaces)) => {
            let names: Vec<&str> = namespaces.iter().map(|namespace| &*namespace.name).collect();
            format!("namespaces {}", names.join(" ")).trim_end().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

/// What the watch of pods says, given what the server answers to its requests one after the other. After the
/// last the server hangs.
async fn check(
    script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static,
    expected: &[&str],
) -> Vec<String> {
    check_kind("pods", script, expected).await
}

/// The same of another kind. Of all others the server says nothing.
async fn check_kind(
    kind: &'static str,
    script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static,
    expected: &[&str],
) -> Vec<String> {
    let is_other = move |asked: &Asked| !asked.line.contains(&format!("/{kind}?"));
    let count = AtomicUsize::new(0);
    let (server, client) = Server::start(move |asked, _| {
        if is_other(asked) {
            return Answer::Hang;
        }
        script(asked, count.fetch_add(1, Ordering::Relaxed))
    });
    let (events, mut received) = mpsc::channel(4);
    let watches: Vec<_> = watch::all(&client, &events).into_iter().map(tokio::spawn).collect();
    let mut seen = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_secs(45), received.recv()).await {
        seen.push(show(&event));
    }
    assert_eq!(seen, expected);
    for watch in watches {
        assert!(!watch.is_finished());
        watch.abort();
    }
    server.asked().into_iter().filter(|asked| !is_other(asked)).map(|asked| asked.line).collect()
}

#[tokio::test(start_paused = true)]
async fn a_streamed_list_is_one_reset_and_changes_follow() {
    let lines = check(
        |_, before| match before {
            0 => stream(&[
                said("ADDED", &pod("a", 1)),
                said("ADDED", &pod("b", 2)),
                end_of_list(5),
                said("MODIFIED", &pod("a", 6)),
                said("ADDED", &pod("c", 7)),
                said("DELETED", &pod("b", 8)),
            ]),
            _ => Answer::Hang,
        },
        &["reset a b", "put a", "put c", "gone b uid-b"],
    )
    .await;
    assert!(lines[0].contains("sendInitialEvents=true"), "{lines:?}");
    // The connection ended: the watch goes on where it was, and nothing is listed again.
    assert!(lines[1].contains("watch=true") && lines[1].contains("resourceVersion=8"), "{lines:?}");
    assert!(!lines[1].contains("sendInitialEvents"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_stream_lists_is_asked_page_by_page() {
    for code in [400, 422] {
        let lines = check(
            move |asked, before| match before {
                0 => failure(code, "sendInitialEvents is forbidden for watch"),
                1 => list(&[pod("a", 1), garbled("x", 1)], 5, "more"),
                2 => list(&[pod("b", 2)], 5, ""),
                3 if asked.line.contains("watch=true") => stream(&[said("MODIFIED", &pod("b", 6))]),
                _ => Answer::Hang,
            },
            &["reset a b", "put b"],
        )
        .await;
        assert!(lines[1].contains("limit=500") && lines[2].contains("continue=more"), "{lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn objects_that_can_not_be_read_are_skipped_and_the_rest_goes_on() {
    check(
        |_, before| match before {
            0 => stream(&[
                said("ADDED", &garbled("x", 1)),
                said("ADDED", &pod("a", 2)),
                said("ADDED", &absurd("y", 3)),
                end_of_list(5),
                said("MODIFIED", &garbled("a", 6)),
                said("MODIFIED", &absurd("a", 7)),
                said("ADDED", &pod("b", 8)),
                // Their end counts all the same.
                said("DELETED", &garbled("a", 9)),
                said("DELETED", &absurd("b", 10)),
            ]),
            _ => Answer::Hang,
        },
        &["reset a", "put b", "gone a uid-a", "gone b uid-b"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_breaks_off_is_never_half_told() {
    check(
        |_, before| match before {
            0 => failure(500, "starting"),
            1 => Answer::Break,
            2 => stream(&[said("ADDED", &pod("a", 1))]),
            3 => stream(&[said("ADDED", &pod("b", 2)), end_of_list(5)]),
            _ => Answer::Hang,
        },
        &["reset b"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_too_old_begins_with_a_new_list() {
    let too_old = json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired",
        "message": "too old resource version: 5 (9)", "metadata": {}});
    check(
        move |_, before| match before {
            0 => stream(&[said("ADDED", &pod("a", 1)), end_of_list(5)]),
            1 => stream(&[said("ERROR", &too_old)]),
            2 => stream(&[said("ADDED", &pod("b", 9)), end_of_list(10)]),
            _ => Answer::Hang,
        },
        &["reset a", "reset b"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_asked_at_least_every_five_seconds() {
    let lines = check(
        |_, before| match before {
            0..20 => failure(503, "away"),
            20 => stream(&[end_of_list(5)]),
            _ => Answer::Hang,
        },
        &[],
    );
    // 0.2 + 0.4 + … + 3.2 s, then 5 s each; the check gives up after 45 s without a word.
    let lines = lines.await;
    assert!((12..=15).contains(&lines.len()), "{}", lines.len());
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_nobody_listens() {
    let (_server, client) = Server::start(|_, _| stream(&[end_of_list(5)]));
    let (events, received) = mpsc::channel(1);
    drop(received);
    let mut names = Vec::new();
    for watch in watch::all(&client, &events) {
        names.push(watch.await);
    }
    assert_eq!(names.first_chunk(), Some(&["pod", "node", "namespace"]));
    // That of the nodes' Leases is no kind that decisions wait for.
    assert_eq!(names.len(), Watched::ALL.len() + 1);
}

/// What the server answers to a request that the scheduler has no permission for.
fn forbidden(_: &Asked, _: usize) -> Answer {
    failure(403, "namespaces is forbidden")
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_watched_counts_as_empty() {
    let lines = check_kind("namespaces", forbidden, &["namespaces"]).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    // Without pods and nodes there is nothing to be done, so these are waited for.
    check_kind("pods", forbidden, &[]).await;
    check_kind("nodes", forbidden, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_be_watched_later_is_listed_then() {
    let namespace = json!({"kind": "Namespace", "metadata": {"name": "shop", "resourceVersion": "1"}});
    let count = AtomicUsize::new(0);
    let (_server, client) = Server::start(move |asked, _| {
        if !asked.line.contains("/namespaces?") {
            return Answer::Hang;
        }
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => forbidden(asked, 0),
            1 => stream(&[said("ADDED", &namespace), end_of_list(5)]),
            _ => Answer::Hang,
        }
    });
    let (events, mut received) = mpsc::channel(4);
    let watches: Vec<_> = watch::all(&client, &events).into_iter().map(tokio::spawn).collect();
    for expected in ["namespaces", "namespaces shop"] {
        assert_eq!(show(&received.recv().await.unwrap()), expected);
    }
    watches.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn node_delays_are_looked_for_until_the_server_knows_them() {
    let object = json!({"kind": "NodeDelays", "metadata": {"name": "edge-1", "resourceVersion": "1"}});
    let count = AtomicUsize::new(0);
    let (server, client) = Server::start(move |_, _| match count.fetch_add(1, Ordering::Relaxed) {
        0..3 => failure(404, "the server could not find the requested resource"),
        3 => stream(&[said("ADDED", &object), end_of_list(5)]),
        _ => Answer::Hang,
    });
    let (told, mut received) = mpsc::channel(4);
    let watch = tokio::spawn(watch::node_delays(&client, told));
    let mut seen = Vec::new();
    for _ in 0..2 {
        match received.recv().await {
            Some(Change::Reset(all)) => {
                seen.push(all.iter().map(|it| it.node.to_string()).collect::<Vec<_>>());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, [vec![], vec!["edge-1".to_owned()]], "there are none, and that is told once");
    let line = server.asked()[0].line.clone();
    assert!(line.contains("/apis/kubectl-edge.dev/v1alpha1/nodedelays?"), "{line}");
    watch.abort();
}
