use super::*;
use crate::model::{Claim, Node};
use crate::placement::testing::{TestPod, filter, filter_in, names, node, pod, snapshot};
use crate::placement::{NodeSlot, Snapshot};

fn gce(read_only: bool) -> Disk {
    Disk::Gce { name: "d".into(), read_only }
}

fn iscsi(iqn: &str, read_only: bool) -> Disk {
    Disk::Iscsi { iqn: iqn.into(), read_only }
}

fn rbd(monitors: &[&str], image: &str, read_only: bool) -> Disk {
    Disk::Rbd { monitors: names(monitors), pool: "rbd".into(), image: image.into(), read_only }
}

fn with(disk: &Disk) -> TestPod {
    pod("web").volume(PodVolume::Disk(disk.clone()))
}

#[track_caller]
fn check_disks(wanted: &Disk, used: &Disk, conflict: bool) {
    let node = node("n").placed(with(used));
    let expected = if conflict { format!("preemptible: {DISK_IN_USE}") } else { "fits".into() };
    assert_eq!(filter(&VolumeRestrictions, &with(wanted), &node), expected, "{wanted:?} {used:?}");
    let freed = VolumeRestrictions.cured_by(&with(wanted), &ClusterEvent::PodFreed(&with(used)));
    assert_eq!(freed, conflict);
}

#[test]
fn a_disk_is_attached_to_a_node_once_unless_all_only_read_it() {
    check_disks(&gce(false), &gce(false), true);
    check_disks(&gce(true), &gce(false), true);
    check_disks(&gce(true), &gce(true), false);
    check_disks(&gce(false), &Disk::Gce { name: "other".into(), read_only: false }, false);
    let aws = |id: &str| Disk::Aws { id: id.into() };
    check_disks(&aws("vol-1"), &aws("vol-1"), true);
    check_disks(&aws("vol-1"), &aws("vol-2"), false);
    check_disks(&iscsi("a", false), &iscsi("a", false), true);
    check_disks(&iscsi("a", true), &iscsi("a", true), false);
    check_disks(&iscsi("a", false), &iscsi("b", false), false);
    check_disks(&rbd(&["m1", "m2"], "i", false), &rbd(&["m2", "m3"], "i", false), true);
    check_disks(&rbd(&["m1"], "i", false), &rbd(&["m2"], "i", false), false);
    check_disks(&rbd(&["m1"], "i", false), &rbd(&["m1"], "j", false), false);
    check_disks(&rbd(&["m1"], "i", true), &rbd(&["m1"], "i", true), false);
    check_disks(&aws("d"), &gce(false), false);
    let azure = Disk::Azure { uri: "d".into(), managed: true };
    check_disks(&azure, &azure, false);
}

/// A cluster of a node and a claim of these access modes, used by so many pods.
fn claimed(mode: &str, users: usize) -> Snapshot {
    let mut snapshot = snapshot(&[node("n")]);
    let (_, access_modes) = AccessModes::WORDS.into_iter().find(|(word, _)| *word == mode).unwrap();
    let claim = Claim { access_modes, ..Claim::named("default", "data") };
    snapshot.volumes.claims.put(Arc::new(claim));
    for _ in 0..users {
        snapshot.volumes.add_uses(&pod("other").claim("data"), NodeSlot(0));
    }
    snapshot
}

#[test]
fn a_claim_for_one_pod_is_used_by_one() {
    let web = pod("web").claim("data");
    let in_use = format!("preemptible: {CLAIM_IN_USE}");
    assert_eq!(filter_in(&VolumeRestrictions, &web, &claimed("ReadWriteOncePod", 0)), "fits");
    assert_eq!(filter_in(&VolumeRestrictions, &web, &claimed("ReadWriteOncePod", 1)), in_use);
    assert_eq!(filter_in(&VolumeRestrictions, &web, &claimed("ReadWriteOnce", 1)), "fits");
    let mut freed = claimed("ReadWriteOncePod", 1);
    freed.volumes.remove_uses(&pod("other").claim("data"), NodeSlot(0));
    assert_eq!(filter_in(&VolumeRestrictions, &web, &freed), "fits");
    let mut elsewhere = claimed("ReadWriteOncePod", 0);
    elsewhere.nodes.slot_of(&"gone".into());
    elsewhere.volumes.add_uses(&pod("other").claim("data"), NodeSlot(1));
    assert_eq!(filter_in(&VolumeRestrictions, &web, &elsewhere), "fits");
}

#[test]
fn a_claim_that_is_missing_is_named() {
    let missing = "pod: final: persistentvolumeclaim \"data\" not found";
    assert_eq!(filter(&VolumeRestrictions, &pod("web").claim("data"), &node("n")), missing);
}

#[test]
fn without_its_user_the_claim_can_be_used() {
    let (web, user) = (pod("web").claim("data").build(), pod("other").claim("data").build());
    let stranger = Pod::pending("elsewhere", "other");
    let stranger = Pod { volumes: user.volumes.clone(), ..stranger };
    let snapshot = claimed("ReadWriteOncePod", 1);
    let node = snapshot.nodes.iter().next().unwrap();
    let PreFilter::Check(check) = VolumeRestrictions.pre_filter(Cycle::of(&web, &snapshot)) else {
        panic!("nothing to check")
    };
    let mut fork = check.fork().unwrap();
    fork.pod_removed(&stranger, node);
    assert_ne!(fork.filter(node), Verdict::Fits);
    fork.pod_removed(&user, node);
    assert_eq!(fork.filter(node), Verdict::Fits);
    fork.pod_added(&user, node);
    assert_ne!(fork.filter(node), Verdict::Fits);
    assert_ne!(check.filter(node), Verdict::Fits);
}

#[test]
fn what_frees_the_claim_or_makes_it_may_cure() {
    let web = pod("web").claim("data");
    let cured = |event: ClusterEvent<'_>| VolumeRestrictions.cured_by(&web, &event);
    assert!(cured(ClusterEvent::PodFreed(&pod("other").claim("data"))));
    assert!(!cured(ClusterEvent::PodFreed(&pod("other").claim("logs"))));
    let (claim, other) = (Claim::named("default", "data"), Claim::named("shop", "data"));
    assert!(cured(ClusterEvent::Storage(StorageEvent::ClaimChanged { old: None, new: &claim })));
    assert!(!cured(ClusterEvent::Storage(StorageEvent::ClaimChanged { old: None, new: &other })));
    assert!(!cured(ClusterEvent::Storage(StorageEvent::ClaimChanged { old: Some(&claim), new: &claim })));
    assert!(cured(ClusterEvent::NodeAdded(&Node::named("n"))));
}
