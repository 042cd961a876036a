//! What a pod's claims need is written in order, against the versions it was decided from.

use std::sync::Arc;

use edge_core::model::{Claim, PersistentVolume, Version};
use edge_core::placement::VolumeWrite;
use edge_core::state::{Action, Event, VolumesOutcome, WriteVolumes};
use serde_json::json;
use tokio::sync::mpsc;

use super::{Answer, Asked, Server, failure, web};
use crate::clock::Clock;
use crate::cluster::Actor;
use crate::lease::Tenure;

fn writes() -> Vec<VolumeWrite> {
    let volume =
        PersistentVolume { uid: "uid-v".into(), version: Version(5), ..PersistentVolume::named("v1") };
    let claim = |name: &str, version| Claim {
        uid: format!("uid-{name}").into(),
        version: Version(version),
        ..Claim::named("shop", name)
    };
    vec![
        VolumeWrite::Bind { volume: Arc::new(volume), claim: Arc::new(claim("data", 6)) },
        VolumeWrite::Provision { claim: Arc::new(claim("logs", 7)), node: "n1".into() },
    ]
}

/// Writes against a server that answers so; what came of it and what the server was asked.
async fn write(
    script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static,
) -> (VolumesOutcome, Vec<Asked>) {
    let (server, client) = Server::start(script);
    let (events, mut received) = mpsc::channel(1);
    let mut actor = Actor::new(client.into(), Tenure::always(), Clock::start(), events, None);
    actor.execute(Action::WriteVolumes(WriteVolumes { pod: web(), writes: writes() }));
    let Some(Event::Volumes(pod, outcome)) = received.recv().await else { panic!("no outcome") };
    assert_eq!(pod, web());
    (outcome, server.asked())
}

fn now_at(version: &str) -> Answer {
    Answer::Say(200, json!({"metadata": {"resourceVersion": version}}).to_string())
}

#[tokio::test(start_paused = true)]
async fn volumes_and_claims_are_written_by_uid_and_version() {
    let (outcome, asked) = write(|_, before| now_at(if before == 0 { "8" } else { "9" })).await;
    assert_eq!(outcome, VolumesOutcome { written: vec![Version(8), Version(9)], failed: None });
    let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(
        lines,
        ["PATCH /api/v1/persistentvolumes/v1?", "PATCH /api/v1/namespaces/shop/persistentvolumeclaims/logs?",]
    );
    assert_eq!(
        asked[0].body,
        json!({
            "metadata": {"uid": "uid-v", "resourceVersion": "5",
                "annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}},
            "spec": {"claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "shop",
                "name": "data", "uid": "uid-data", "resourceVersion": "6"}},
        })
    );
    assert_eq!(
        asked[1].body,
        json!({"metadata": {"uid": "uid-logs", "resourceVersion": "7",
            "annotations": {"volume.kubernetes.io/selected-node": "n1"}}})
    );
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_written_ends_it_with_what_was() {
    let check = async |second: fn() -> Answer, why: &str| {
        let (outcome, asked) = write(move |_, before| if before == 0 { now_at("8") } else { second() }).await;
        assert_eq!((outcome.written, asked.len()), (vec![Version(8)], 2));
        let failed = outcome.failed.unwrap();
        assert!(failed.contains(why), "{failed}");
    };
    check(|| failure(409, "the object has been modified"), "the object has been modified").await;
    check(|| failure(404, "no"), "persistentvolumeclaims \"logs\" not found").await;
    check(|| failure(403, "forbidden"), "forbidden").await;
    check(|| Answer::Hang, "no answer within 10 s").await;
    let (outcome, asked) = write(|_, _| failure(500, "etcd")).await;
    assert_eq!((outcome.written.len(), asked.len()), (0, 1));
    let (outcome, _) = write(|_, _| Answer::Panic).await;
    assert_eq!(outcome, VolumesOutcome::failed("the request was given up"));
}
