use super::*;
use crate::model::{
    AccessModes, ClaimRef, CsiDriver, CsiNode, LabelSelector, NodeSelector, PodUid, Requirement,
    RequirementOp, StorageCapacity, StorageSize,
};
use crate::placement::testing::{TestPod, filter_in, node, on_label, pod, snapshot};
use crate::placement::{Cycle, Snapshot};

const GIB: i64 = 1 << 30;

fn plugin() -> VolumeBinding {
    VolumeBinding::default()
}

/// A node in zone `east`, and classes: `local` of volumes that are there, `made` of volumes that are made, both
/// for claims that wait for their pod; and `now`, whose claims don't.
fn cluster() -> Snapshot {
    let mut snapshot = snapshot(&[node("n").label("zone", "east")]);
    let class = |name: &str, provisioner: &str, waits_for_consumer| StorageClass {
        provisioner: provisioner.into(),
        waits_for_consumer,
        ..StorageClass::named(name)
    };
    snapshot.volumes.classes.put(Arc::new(class("local", "kubernetes.io/no-provisioner", true)));
    snapshot.volumes.classes.put(Arc::new(class("made", "csi.example.com", true)));
    snapshot.volumes.classes.put(Arc::new(class("now", "csi.example.com", false)));
    snapshot
}

/// A claim of 5 GiB.
fn claim(name: &str, class: &str) -> Claim {
    let requested = Some(StorageSize::of_bytes(5 * GIB));
    Claim { class: class.into(), requested, ..Claim::named("default", name) }
}

/// A free volume of the class `local` that is in this zone.
fn volume(name: &str, gib: i64, zone: &str) -> PersistentVolume {
    let terms = [on_label("zone", RequirementOp::In, &[zone])].into();
    PersistentVolume {
        class: "local".into(),
        capacity: StorageSize::of_bytes(gib * GIB),
        available: true,
        affinity: Some(NodeSelector { terms }),
        ..PersistentVolume::named(name)
    }
}

fn bound(name: &str, volume: &str) -> Claim {
    Claim { volume: Some(volume.into()), bind_completed: true, ..claim(name, "local") }
}

fn web() -> TestPod {
    pod("web").claim("data")
}

#[track_caller]
fn check(claims: &[Claim], volumes: &[PersistentVolume], expected: &str) {
    check_in(cluster(), &web(), claims, volumes, expected);
}

#[track_caller]
fn check_in(
    mut snapshot: Snapshot,
    pod: &Pod,
    claims: &[Claim],
    volumes: &[PersistentVolume],
    expected: &str,
) {
    fill(&mut snapshot, claims, volumes);
    assert_eq!(filter_in(&plugin(), pod, &snapshot), expected);
}

fn fill(snapshot: &mut Snapshot, claims: &[Claim], volumes: &[PersistentVolume]) {
    for claim in claims {
        snapshot.volumes.claims.put(Arc::new(claim.clone()));
    }
    for volume in volumes {
        snapshot.volumes.volumes.put(Arc::new(volume.clone()));
    }
}

#[test]
fn a_pod_without_claims_is_of_no_concern() {
    let snapshot = cluster();
    let pre_filter = |pod: &Pod| matches!(plugin().pre_filter(Cycle::of(pod, &snapshot)), PreFilter::Skip);
    assert!(pre_filter(&pod("web")));
    let disk = PodVolume::Disk(crate::model::Disk::Cinder { id: "d".into() });
    assert!(pre_filter(&pod("web").volume(disk)));
}

#[test]
fn a_claim_that_can_not_be_used_is_told_before_any_node_is_looked_at() {
    check(&[], &[], "pod: final: persistentvolumeclaim \"data\" not found");
    let lost = Claim { lost: true, ..bound("data", "v1") };
    let text = "pod: final: persistentvolumeclaim \"data\" bound to non-existent persistentvolume \"v1\"";
    check(&[lost], &[], text);
    let going = Claim { terminating: true, ..bound("data", "v1") };
    check(&[going], &[], "pod: final: persistentvolumeclaim \"data\" is being deleted");
    let immediate = format!("pod: final: {IMMEDIATE_UNBOUND}");
    check(&[claim("data", "now")], &[], &immediate);
    check(&[claim("data", "")], &[], &immediate);
    check(&[claim("data", "unknown")], &[], &immediate);
    // It is meant for a volume, but not bound to it yet.
    check(&[Claim { volume: Some("v1".into()), ..claim("data", "local") }], &[], &immediate);
}

#[test]
fn the_claim_of_an_ephemeral_volume_is_the_pods_own() {
    let pod = pod("web").volume(PodVolume::Ephemeral("web-data".into())).build();
    let pod = Pod { uid: PodUid::from("uid-1"), ..pod };
    let waits = "pod: final: waiting for ephemeral volume controller to create the persistentvolumeclaim \"web-data\"";
    check_in(cluster(), &pod, &[], &[], waits);
    let strange = "pod: final: PVC default/web-data was not created for pod default/web (pod is not owner)";
    check_in(cluster(), &pod, &[bound("web-data", "v1")], &[], strange);
    let own = Claim { controller: Some("uid-1".into()), ..bound("web-data", "v1") };
    check_in(cluster(), &pod, &[own], &[volume("v1", 5, "east")], "fits");
}

#[test]
fn the_volume_of_a_bound_claim_has_to_be_reached() {
    check(&[bound("data", "v1")], &[volume("v1", 5, "east")], "fits");
    check(&[bound("data", "v1")], &[volume("v1", 5, "west")], &format!("final: {OUT_OF_REACH}"));
    check(&[bound("data", "v1")], &[], &format!("final: {VOLUME_MISSING}"));
    let anywhere = PersistentVolume { affinity: None, ..volume("v1", 5, "west") };
    check(&[bound("data", "v1")], &[anywhere], "fits");
}

#[test]
fn a_claim_that_waits_for_its_pod_finds_a_volume_that_will_do() {
    let none = format!("final: {NO_VOLUME}");
    let wanted = || claim("data", "local");
    let there = || volume("v1", 5, "east");
    check(&[wanted()], &[there()], "fits");
    check(&[wanted()], &[], &none);
    check(&[wanted()], &[volume("v1", 4, "east")], &none);
    check(&[wanted()], &[volume("v1", 5, "west")], &none);
    check(&[wanted()], &[PersistentVolume { available: false, ..there() }], &none);
    check(&[wanted()], &[PersistentVolume { terminating: true, ..there() }], &none);
    check(&[wanted()], &[PersistentVolume { block: true, ..there() }], &none);
    check(&[wanted()], &[PersistentVolume { class: "other".into(), ..there() }], &none);
    check(&[wanted()], &[PersistentVolume { attributes_class: "gold".into(), ..there() }], &none);
    let [(_, one_pod), (_, one_node), ..] = AccessModes::WORDS;
    let both = PersistentVolume { access_modes: one_pod.union(one_node), ..there() };
    check(&[Claim { access_modes: one_node, ..wanted() }], &[both], "fits");
    check(&[Claim { access_modes: one_node, ..wanted() }], &[there()], &none);
    let requirement =
        Requirement { key: "disk".into(), op: RequirementOp::In, values: ["ssd".into()].into() };
    let selector = Some(LabelSelector::All([requirement].into()));
    let labelled = PersistentVolume { labels: [("disk", "ssd")].into_iter().collect(), ..there() };
    check(&[Claim { selector: selector.clone(), ..wanted() }], &[there()], &none);
    check(&[Claim { selector, ..wanted() }], &[labelled], "fits");
}

#[test]
fn a_volume_that_is_meant_for_a_claim_goes_to_no_other() {
    let none = format!("final: {NO_VOLUME}");
    let meant = |name: &str, uid: Option<&str>, available| PersistentVolume {
        claim: Some(ClaimRef { key: ClaimKey::new("default", name), uid: uid.map(Into::into) }),
        available,
        ..volume("v1", 5, "east")
    };
    let wanted = || claim("data", "local");
    check(&[wanted()], &[meant("other", None, true)], &none);
    check(&[wanted()], &[meant("data", None, false)], "fits");
    check(&[wanted()], &[meant("data", Some("default/data"), false)], "fits");
    check(&[wanted()], &[meant("data", Some("an earlier one"), true)], &none);
}

/// What is to be written before `pod` goes to the node.
#[track_caller]
fn check_plan(pod: &Pod, claims: &[Claim], volumes: &[PersistentVolume], expected: &[&str]) {
    let mut snapshot = cluster();
    fill(&mut snapshot, claims, volumes);
    let plugin = plugin();
    let PreFilter::Check(check) = plugin.pre_filter(Cycle::of(pod, &snapshot)) else { panic!("no check") };
    let plan = check.volume_plan(snapshot.nodes.iter().next().unwrap());
    let lines = plan.iter().flat_map(|plan| &plan.writes).map(|write| match write {
        VolumeWrite::Bind { volume, claim } => format!("bind {} to {}", volume.name, claim.key.name),
        VolumeWrite::Provision { claim, node } => format!("make {} for {node}", claim.key.name),
    });
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

#[test]
fn the_smallest_volume_that_will_do_is_taken_and_each_only_once() {
    let volumes = [volume("v1", 9, "east"), volume("v2", 7, "east"), volume("v3", 6, "west")];
    check_plan(&web(), &[claim("data", "local")], &volumes, &["bind v2 to data"]);
    let small = Claim { requested: Some(StorageSize::of_bytes(GIB)), ..claim("logs", "local") };
    let claims = [claim("data", "local"), small];
    check_plan(&web().claim("logs"), &claims, &volumes, &["bind v2 to logs", "bind v1 to data"]);
    check_plan(&web(), &[bound("data", "v1")], &volumes, &[]);
}

#[test]
fn volumes_are_made_where_none_is_there() {
    check_plan(&web(), &[claim("data", "made")], &[], &["make data for n"]);
    let there = PersistentVolume { class: "made".into(), ..volume("v1", 5, "east") };
    check_plan(&web(), &[claim("data", "made")], &[there], &["bind v1 to data"]);
    let selected = |node: &str| Claim { selected_node: Some(node.into()), ..claim("data", "made") };
    check_plan(&web(), &[selected("n")], &[], &["make data for n"]);
    check(&[selected("other")], &[], &format!("final: {NO_VOLUME}"));
}

#[test]
fn volumes_are_made_only_where_the_class_allows() {
    let allowing = |terms: &[&[(&str, &str)]]| {
        let requirement = |(key, value): &(&str, &str)| Requirement {
            key: (*key).into(),
            op: RequirementOp::In,
            values: [(*value).into()].into(),
        };
        let mut snapshot = cluster();
        snapshot.volumes.classes.put(Arc::new(StorageClass {
            provisioner: "csi.example.com".into(),
            waits_for_consumer: true,
            allowed_topologies: terms.iter().map(|term| term.iter().map(requirement).collect()).collect(),
            ..StorageClass::named("made")
        }));
        snapshot
    };
    let none = format!("final: {NO_VOLUME}");
    let claims = [claim("data", "made")];
    check_in(allowing(&[&[("zone", "east")]]), &web(), &claims, &[], "fits");
    check_in(allowing(&[&[("zone", "west")]]), &web(), &claims, &[], &none);
    check_in(allowing(&[&[("zone", "west")], &[("zone", "east")]]), &web(), &claims, &[], "fits");
    check_in(allowing(&[&[("zone", "east"), ("rack", "1")]]), &web(), &claims, &[], &none);
    check_in(allowing(&[&[]]), &web(), &claims, &[], &none);
}

#[test]
fn a_driver_that_tells_how_much_it_has_is_not_asked_for_more() {
    let telling = |gib: i64, zone: &str, storage_capacity| {
        let mut snapshot = cluster();
        let driver = CsiDriver { storage_capacity, ..CsiDriver::named("csi.example.com") };
        snapshot.volumes.drivers.put(Arc::new(driver));
        let requirement =
            Requirement { key: "zone".into(), op: RequirementOp::In, values: [zone.into()].into() };
        snapshot.volumes.capacities.put(Arc::new(StorageCapacity {
            class: "made".into(),
            topology: Some(LabelSelector::All([requirement].into())),
            limit: Some(StorageSize::of_bytes(gib * GIB)),
            ..StorageCapacity::named("default", "c1")
        }));
        snapshot
    };
    let none = format!("final: {NO_SPACE}");
    let claims = [claim("data", "made")];
    check_in(telling(5, "east", true), &web(), &claims, &[], "fits");
    check_in(telling(4, "east", true), &web(), &claims, &[], &none);
    check_in(telling(5, "west", true), &web(), &claims, &[], &none);
    check_in(telling(4, "west", false), &web(), &claims, &[], "fits");
    let of_any_size = Claim { requested: None, ..claim("data", "made") };
    check_in(telling(4, "east", true), &web(), &[of_any_size], &[], "fits");
}

#[test]
fn reasons_stand_in_upstreams_order() {
    let pod = web().claim("more");
    let claims = |missing: &str| [bound("data", missing), claim("more", "local")];
    let both = format!("final: {OUT_OF_REACH}, {NO_VOLUME}");
    check_in(cluster(), &pod, &claims("v1"), &[volume("v1", 5, "west")], &both);
    check_in(cluster(), &pod, &claims("v1"), &[], &format!("final: {NO_VOLUME}, {VOLUME_MISSING}"));
}

#[test]
fn what_is_assumed_counts() {
    let mut snapshot = cluster();
    fill(&mut snapshot, &[claim("data", "local"), claim("other", "local")], &[volume("v1", 5, "east")]);
    let write = VolumeWrite::Bind {
        volume: Arc::clone(snapshot.volumes.volumes.get(&"v1".into()).unwrap()),
        claim: Arc::clone(snapshot.volumes.claims.get(&ClaimKey::new("default", "other")).unwrap()),
    };
    assert!(write.marks_volume());
    write.assume(&mut snapshot.volumes);
    assert_eq!(filter_in(&plugin(), &web(), &snapshot), format!("final: {NO_VOLUME}"));
    assert_eq!(filter_in(&plugin(), &pod("web").claim("other"), &snapshot), "fits");
    assert!(write.revert(&mut snapshot.volumes).is_some());
    assert_eq!(filter_in(&plugin(), &web(), &snapshot), "fits");
}

#[track_caller]
fn check_cured(event: StorageEvent<'_>, expected: bool) {
    assert_eq!(plugin().cured_by(&web(), &ClusterEvent::Storage(event)), expected, "{event:?}");
}

#[test]
fn only_what_changes_the_pods_chances_may_cure() {
    let (own, other) = (claim("data", "local"), claim("other", "local"));
    check_cured(StorageEvent::ClaimChanged { old: Some(&own), new: &own }, true);
    check_cured(StorageEvent::ClaimChanged { old: None, new: &other }, false);
    let volume = volume("v1", 5, "east");
    check_cured(StorageEvent::VolumeChanged { old: Some(&volume), new: &volume }, true);
    let class = StorageClass::named("made");
    let allowing = StorageClass { allowed_topologies: [Box::default()].into(), ..class.clone() };
    check_cured(StorageEvent::ClassChanged { old: None, new: &class }, true);
    check_cured(StorageEvent::ClassChanged { old: Some(&class), new: &class }, false);
    check_cured(StorageEvent::ClassChanged { old: Some(&allowing), new: &class }, true);
    let csi_node = CsiNode::named("n");
    check_cured(StorageEvent::CsiNodeChanged { old: None, new: &csi_node }, true);
    check_cured(StorageEvent::CsiNodeChanged { old: Some(&csi_node), new: &csi_node }, false);
    let (silent, telling) =
        (CsiDriver::named("d"), CsiDriver { storage_capacity: true, ..CsiDriver::named("d") });
    check_cured(StorageEvent::CsiDriverChanged { old: Some(&telling), new: &silent }, true);
    check_cured(StorageEvent::CsiDriverChanged { old: Some(&silent), new: &telling }, false);
    let capacity = |gib: i64| StorageCapacity {
        limit: Some(StorageSize::of_bytes(gib * GIB)),
        ..StorageCapacity::named("default", "c")
    };
    check_cured(StorageEvent::CapacityChanged { old: Some(&capacity(1)), new: &capacity(2) }, true);
    check_cured(StorageEvent::CapacityChanged { old: Some(&capacity(2)), new: &capacity(1) }, false);
}
