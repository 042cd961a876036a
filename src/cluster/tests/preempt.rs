//! Pods that are taken away: the condition first, then the deletion, the last pod last.

use std::time::Duration;

use edge_core::model::{NodeName, PodKey, PodUid};
use edge_core::state::{Action, Event, PodRef, PreemptOutcome, Preemption, Victim};
use serde_json::json;
use tokio::sync::mpsc;

use super::{Answer, Asked, Server, actor, failure, success};

fn victim(name: &str) -> Victim {
    let pod = PodRef { key: PodKey::new("shop", name), uid: PodUid::from(&*format!("uid-of-{name}")) };
    Victim { pod, generation: 3, has_condition: false }
}

fn preemption(victims: &[Victim]) -> Preemption {
    let preemptor = PodRef { key: PodKey::new("shop", "high"), uid: PodUid::from("uid-of-high") };
    let scheduler_name = "edge-scheduler".into();
    Preemption { preemptor, scheduler_name, node: NodeName::from("edge-1"), victims: victims.to_vec() }
}

/// Takes these pods away by a server that answers so; what it was asked, and the outcome.
async fn take(
    victims: &[Victim],
    answer: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static,
) -> (Vec<Asked>, PreemptOutcome) {
    let (server, client) = Server::start(answer);
    let (events, mut received) = mpsc::channel(1);
    let mut actor = actor(client, events);
    actor.execute(Action::Preempt(preemption(victims)));
    let Event::Preempted(asked, outcome) = received.recv().await.unwrap() else { panic!("another event") };
    assert_eq!(asked, preemption(victims));
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(received.try_recv().is_err(), "a second event");
    (server.asked(), outcome)
}

fn names(outcome: &PreemptOutcome) -> Vec<&str> {
    let mut names: Vec<&str> = outcome.deleted.iter().map(|pod| &*pod.key.name).collect();
    names.sort_unstable();
    names
}

fn ends_with(asked: &Asked, name: &str) -> bool {
    asked.line.trim_end_matches('?').trim_end_matches("/status").ends_with(name)
}

#[tokio::test(start_paused = true)]
async fn a_victim_gets_its_condition_and_is_deleted_by_its_uid() {
    let (mut asked, outcome) = take(&[victim("web")], |_, _| success()).await;
    assert_eq!((names(&outcome), outcome.failed), (vec!["web"], false));
    let lines: Vec<&str> = asked.iter().map(|asked| &*asked.line).collect();
    let path = "/api/v1/namespaces/shop/pods/web";
    assert_eq!(lines, [format!("PATCH {path}/status?"), format!("DELETE {path}?")]);
    let at = asked[0].body["status"]["conditions"][0]["lastTransitionTime"].take();
    assert!(at.as_str().unwrap().ends_with('Z'), "{at}");
    assert_eq!(
        asked[0].body,
        json!({"metadata": {"uid": "uid-of-web"}, "status": {"conditions": [{
            "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
            "message": "edge-scheduler: preempting to accommodate a higher priority pod",
            "observedGeneration": 3, "lastProbeTime": null, "lastTransitionTime": null,
        }]}})
    );
    // The time it takes to end is the pod's own.
    assert_eq!(asked[1].body, json!({"preconditions": {"uid": "uid-of-web"}}));
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_is_there_is_not_written_again() {
    let (asked, _) = take(&[Victim { has_condition: true, ..victim("web") }], |_, _| success()).await;
    assert_eq!(asked.len(), 1);
    assert!(asked[0].line.starts_with("DELETE"));
}

#[tokio::test(start_paused = true)]
async fn the_last_victim_goes_last() {
    let slow = |asked: &Asked, _| {
        let pause = if ends_with(asked, "slow") { 5 } else { 0 };
        Answer::SayAfter(Duration::from_secs(pause), 200, "{}".to_owned())
    };
    let (asked, outcome) = take(&[victim("slow"), victim("quick"), victim("last")], slow).await;
    assert_eq!(names(&outcome), ["last", "quick", "slow"]);
    let of_last = asked.iter().position(|asked| ends_with(asked, "last")).unwrap();
    assert!(asked[of_last..].iter().all(|asked| ends_with(asked, "last")), "{asked:?}");
    assert_eq!(asked.len() - of_last, 2);
}

#[tokio::test(start_paused = true)]
async fn a_victim_that_is_gone_is_no_failure_and_not_told() {
    for status in [404, 409] {
        let gone =
            move |asked: &Asked, _| if ends_with(asked, "gone") { failure(status, "no") } else { success() };
        let (_, outcome) = take(&[victim("gone"), victim("last")], gone).await;
        assert_eq!((names(&outcome), outcome.failed), (vec!["last"], false));
    }
}

#[tokio::test(start_paused = true)]
async fn if_one_stays_the_last_one_stays_too() {
    let refused = |asked: &Asked, _| {
        let is_it = ends_with(asked, "refused") && asked.line.starts_with("DELETE");
        if is_it { failure(403, "forbidden") } else { success() }
    };
    let (asked, outcome) = take(&[victim("refused"), victim("last")], refused).await;
    assert_eq!((names(&outcome), outcome.failed), (vec![], true));
    assert!(!asked.iter().any(|asked| ends_with(asked, "last")), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_tried_again_and_in_the_end_it_is_one() {
    let passing = |_: &Asked, before| if before < 2 { failure(503, "busy") } else { success() };
    let (asked, outcome) = take(&[victim("web")], passing).await;
    assert_eq!((names(&outcome), outcome.failed, asked.len()), (vec!["web"], false, 4));
    let (asked, outcome) = take(&[victim("web")], |_, _| Answer::Hang).await;
    assert_eq!((names(&outcome), outcome.failed, asked.len()), (vec![], true, 3));
    let (_, outcome) = take(&[victim("web")], |_, _| Answer::Panic).await;
    assert!(outcome.failed);
}
