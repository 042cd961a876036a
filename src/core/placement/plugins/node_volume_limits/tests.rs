use std::sync::Arc;

use super::*;
use crate::model::{Claim, Disk, PersistentVolume, StorageClass, VolumeAttachment, VolumeSource};
use crate::placement::testing::{TestPod, filter_in, node, pod, snapshot};
use crate::placement::{ClusterEvent, Snapshot};

const DRIVER: &str = "csi.example.com";

/// A cluster whose node can attach so many volumes of the driver, with volumes `v1` to `v4`, claims `c1` to
/// `c4` that are bound to them, and a claim `new` of a class of the driver. `c4` is of another driver.
fn cluster(limit: Option<i64>, placed: &[&[&str]]) -> Snapshot {
    let node = placed.iter().fold(node("n"), |node, claims| node.placed(using(claims)));
    let mut snapshot = snapshot(&[node]);
    let volumes = &mut snapshot.volumes;
    let drivers = [(DRIVER.into(), limit)].into();
    volumes.csi_nodes.put(Arc::new(CsiNode { drivers, ..CsiNode::named("n") }));
    for number in 1..=4 {
        let driver = if number == 4 { "other.example.com" } else { DRIVER }.into();
        let source = VolumeSource::Csi { driver, handle: format!("h{number}").into() };
        let name = format!("v{number}");
        volumes.volumes.put(Arc::new(PersistentVolume { source, ..PersistentVolume::named(&name) }));
        let claim = Claim::named("default", &format!("c{number}"));
        volumes.claims.put(Arc::new(Claim { volume: Some(name.as_str().into()), ..claim }));
    }
    let class = StorageClass { provisioner: DRIVER.into(), ..StorageClass::named("fast") };
    volumes.classes.put(Arc::new(class));
    volumes.claims.put(Arc::new(Claim { class: "fast".into(), ..Claim::named("default", "new") }));
    snapshot
}

fn using(claims: &[&str]) -> TestPod {
    claims.iter().fold(pod(&format!("user-{}", claims.join("-"))), |pod, claim| pod.claim(claim))
}

#[track_caller]
fn check(limit: Option<i64>, placed: &[&[&str]], wanted: &[&str], fits: bool) {
    let expected = if fits { "fits".to_owned() } else { format!("preemptible: {TOO_MANY}") };
    let snapshot = cluster(limit, placed);
    assert_eq!(filter_in(&NodeVolumeLimits, &using(wanted), &snapshot), expected, "{placed:?} {wanted:?}");
}

#[test]
fn a_node_attaches_no_more_volumes_than_it_can() {
    check(Some(2), &[], &["c1", "c2"], true);
    check(Some(2), &[], &["c1", "c2", "c3"], false);
    check(Some(2), &[&["c1"], &["c2"]], &["c3"], false);
    check(Some(0), &[], &["c1"], false);
    check(None, &[&["c1"], &["c2"]], &["c3"], true);
}

#[test]
fn a_volume_counts_once_however_many_pods_use_it() {
    check(Some(2), &[&["c1"], &["c1", "c2"]], &["c1", "c2"], true);
    check(Some(2), &[&["c1"], &["c1"]], &["c2"], true);
    check(Some(1), &[&["c1"], &["c2"]], &["c1"], true);
}

#[test]
fn a_driver_counts_its_own_volumes() {
    check(Some(1), &[&["c4"]], &["c1"], true);
    check(Some(1), &[&["c1"]], &["c4"], true);
}

#[test]
fn a_volume_that_is_yet_to_be_made_counts() {
    check(Some(1), &[&["c1"]], &["new"], false);
    check(Some(1), &[&["new"]], &["c1"], false);
    check(Some(1), &[&["new"]], &["new"], true);
    check(Some(2), &[&["new"]], &["c1"], true);
}

#[test]
fn a_volume_that_is_attached_but_used_by_no_pod_counts() {
    let attach = |snapshot: &mut Snapshot, node: &str| {
        let attachment = VolumeAttachment {
            attacher: DRIVER.into(),
            node: node.into(),
            volume: Some("v1".into()),
            ..VolumeAttachment::named("a1")
        };
        snapshot.volumes.attachments.put(Arc::new(attachment));
    };
    for (on, placed, wanted, fits) in [
        ("n", &[][..], "c2", false),
        ("other", &[], "c2", true),
        ("n", &[&["c1"][..]], "c2", false),
        ("n", &[&["c1"]], "c1", true),
        // As upstream: what is attached for the pod itself counts twice until a pod is there that uses it.
        ("n", &[], "c1", false),
    ] {
        let mut snapshot = cluster(Some(1), placed);
        attach(&mut snapshot, on);
        let found = filter_in(&NodeVolumeLimits, &using(&[wanted]), &snapshot);
        assert_eq!(found == "fits", fits, "{on} {placed:?} {wanted}: {found}");
    }
}

#[test]
fn a_claim_that_is_missing_is_named() {
    let expected = "final: looking up PVC default/none: persistentvolumeclaim \"none\" not found";
    assert_eq!(filter_in(&NodeVolumeLimits, &using(&["none"]), &cluster(None, &[])), expected);
    check(Some(1), &[&["none"]], &["c1"], true);
}

#[test]
fn a_disk_counts_for_the_driver_that_has_taken_it_over() {
    let disk = |id: &str| PodVolume::Disk(Disk::Cinder { id: id.into() });
    let mut snapshot = snapshot(&[node("n").placed(pod("other").volume(disk("a")))]);
    let drivers = [("cinder.csi.openstack.org".into(), Some(1))].into();
    snapshot.volumes.csi_nodes.put(Arc::new(CsiNode { drivers, ..CsiNode::named("n") }));
    let found = filter_in(&NodeVolumeLimits, &pod("web").volume(disk("b")), &snapshot);
    assert_eq!(found, format!("preemptible: {TOO_MANY}"));
    assert_eq!(filter_in(&NodeVolumeLimits, &pod("web").volume(disk("a")), &snapshot), "fits");
}

#[test]
fn only_more_room_may_cure() {
    let web = using(&["c1"]);
    let cured = |event: &ClusterEvent<'_>| NodeVolumeLimits.cured_by(&web, event);
    let limit = |limit| CsiNode { drivers: [(DRIVER.into(), limit)].into(), ..CsiNode::named("n") };
    for (old, new, expected) in [
        (Some(limit(Some(1))), limit(Some(2)), true),
        (Some(limit(Some(1))), limit(None), true),
        (Some(limit(Some(2))), limit(Some(1)), false),
        (Some(limit(None)), limit(Some(1)), false),
        (None, limit(Some(1)), true),
    ] {
        let event = StorageEvent::CsiNodeChanged { old: old.as_ref(), new: &new };
        assert_eq!(cured(&ClusterEvent::Storage(event)), expected, "{old:?} {new:?}");
    }
    assert!(cured(&ClusterEvent::PodFreed(&using(&["c2"]))));
    assert!(!cured(&ClusterEvent::PodFreed(&pod("plain"))));
    assert!(cured(&ClusterEvent::Storage(StorageEvent::Detached(&VolumeAttachment::named("a")))));
    let claim = Claim::named("default", "c1");
    assert!(cured(&ClusterEvent::Storage(StorageEvent::ClaimChanged { old: None, new: &claim })));
    assert!(!cured(&ClusterEvent::Storage(StorageEvent::ClaimChanged { old: Some(&claim), new: &claim })));
}
