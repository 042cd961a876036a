use std::sync::Arc;

use super::*;
use crate::model::{Claim, StorageClass};
use crate::placement::testing::{TestNode, filter_in, node, pod, snapshot};

fn volume(labels: &[(&str, &str)]) -> PersistentVolume {
    PersistentVolume { labels: labels.iter().copied().collect(), ..PersistentVolume::named("v") }
}

#[track_caller]
fn check(labels: &[(&str, &str)], node: TestNode, fits: bool) {
    let mut snapshot = snapshot(&[node]);
    let claim = Claim { volume: Some("v".into()), ..Claim::named("default", "data") };
    snapshot.volumes.claims.put(Arc::new(claim));
    snapshot.volumes.volumes.put(Arc::new(volume(labels)));
    let expected = if fits { "fits".to_owned() } else { format!("final: {ELSEWHERE}") };
    assert_eq!(filter_in(&VolumeZone, &pod("web").claim("data"), &snapshot), expected, "{labels:?}");
}

#[test]
fn a_node_is_where_the_volume_is() {
    let east = || node("n").label(ZONE, "east").label(REGION, "eu");
    check(&[], east(), true);
    check(&[(ZONE, "east")], east(), true);
    check(&[(ZONE, "west")], east(), false);
    check(&[(ZONE, "west__ east")], east(), true);
    check(&[(ZONE, "east"), (REGION, "us")], east(), false);
    check(&[(BETA_ZONE, "east")], east(), true);
    check(&[(BETA_ZONE, "west")], east(), false);
    check(&[(ZONE, "east")], node("n").label(BETA_ZONE, "east"), false);
    check(&[(BETA_ZONE, "east")], node("n").label(BETA_ZONE, "east").label(ZONE, "west"), true);
}

#[test]
fn a_place_that_is_not_said_is_any() {
    check(&[(ZONE, "east")], node("n"), true);
    check(&[(ZONE, "west__")], node("n").label(ZONE, "east"), true);
    check(&[(ZONE, "")], node("n").label(ZONE, "east"), true);
    check(&[("kubernetes.io/hostname", "other")], node("n").label(ZONE, "east"), true);
}

#[track_caller]
fn check_claim(claim: Claim, class: Option<StorageClass>, expected: &str) {
    let mut snapshot = snapshot(&[node("n").label(ZONE, "east")]);
    snapshot.volumes.claims.put(Arc::new(claim));
    if let Some(class) = class {
        snapshot.volumes.classes.put(Arc::new(class));
    }
    assert_eq!(filter_in(&VolumeZone, &pod("web").claim("data"), &snapshot), expected);
}

#[test]
fn a_claim_without_a_volume_has_to_wait_for_its_pod() {
    let claim = || Claim { class: "fast".into(), ..Claim::named("default", "data") };
    let class = |waits_for_consumer| StorageClass { waits_for_consumer, ..StorageClass::named("fast") };
    check_claim(claim(), Some(class(true)), "fits");
    check_claim(claim(), Some(class(false)), "pod: final: PersistentVolume had no name");
    check_claim(claim(), None, "pod: final: storageclass.storage.k8s.io \"fast\" not found");
    let bare = Claim::named("default", "data");
    check_claim(bare, None, "pod: final: PersistentVolumeClaim had no pv name and storageClass name");
    let bound = Claim { volume: Some("v".into()), ..claim() };
    check_claim(bound, None, "pod: final: persistentvolume \"v\" not found");
    let other = Claim::named("default", "other");
    check_claim(other, None, "pod: final: persistentvolumeclaim \"data\" not found");
}

#[test]
fn only_what_changes_the_place_may_cure() {
    let web = pod("web").claim("data");
    let cured = |event: StorageEvent<'_>| VolumeZone.cured_by(&web, &ClusterEvent::Storage(event));
    let (east, west) = (volume(&[(ZONE, "east")]), volume(&[(ZONE, "west")]));
    let labelled = volume(&[(ZONE, "east"), ("app", "db")]);
    assert!(cured(StorageEvent::VolumeChanged { old: None, new: &east }));
    assert!(cured(StorageEvent::VolumeChanged { old: Some(&east), new: &west }));
    assert!(!cured(StorageEvent::VolumeChanged { old: Some(&east), new: &labelled }));
    let waits = StorageClass { waits_for_consumer: true, ..StorageClass::named("fast") };
    assert!(cured(StorageEvent::ClassChanged { old: None, new: &waits }));
    assert!(!cured(StorageEvent::ClassChanged { old: Some(&waits), new: &waits }));
    assert!(!cured(StorageEvent::ClassChanged { old: None, new: &StorageClass::named("slow") }));
    let claim = Claim::named("default", "data");
    assert!(cured(StorageEvent::ClaimChanged { old: Some(&claim), new: &claim }));
    assert!(!cured(StorageEvent::ClaimChanged { old: None, new: &Claim::named("default", "logs") }));
}
