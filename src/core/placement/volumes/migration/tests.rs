use super::*;

fn zonal(source: Disk, labels: &[(&str, &str)], terms: &[&[(&str, &str)]]) -> PersistentVolume {
    let requirement = |(key, value): &(&str, &str)| Requirement {
        key: (*key).into(),
        op: RequirementOp::In,
        values: [(*value).into()].into(),
    };
    let term = |pairs: &&[(&str, &str)]| NodeSelectorTerm {
        expressions: pairs.iter().map(requirement).collect(),
        fields: Box::default(),
    };
    let terms: Box<[_]> = terms.iter().map(term).collect();
    PersistentVolume {
        labels: labels.iter().copied().collect(),
        affinity: (!terms.is_empty()).then_some(NodeSelector { terms }),
        source: VolumeSource::Disk(source),
        ..PersistentVolume::named("v")
    }
}

fn csi_node(migrated: &[&str]) -> CsiNode {
    CsiNode {
        name: "n".into(),
        version: crate::model::Version::UNKNOWN,
        drivers: Box::default(),
        migrated: migrated.iter().map(|plugin| (*plugin).into()).collect(),
    }
}

fn gce() -> Disk {
    Disk::Gce { name: "d".into(), read_only: false }
}

#[track_caller]
fn check_handle(disk: Disk, labels: &[(&str, &str)], expected: Option<(&str, &str)>) {
    let attached = attached_volume(&zonal(disk, labels, &[]), Some(&csi_node(&[])));
    assert_eq!(attached.as_ref().map(|(driver, handle)| (&**driver, &**handle)), expected);
}

#[test]
fn the_driver_has_its_own_name_for_a_disk() {
    let zone = "projects/UNSPECIFIED/zones/eu-west1-b/disks/d";
    let region = "projects/UNSPECIFIED/regions/eu-west1/disks/d";
    let unknown = "projects/UNSPECIFIED/zones/UNSPECIFIED/disks/d";
    check_handle(gce(), &[], Some((GCE.driver, unknown)));
    check_handle(gce(), &[(ZONE, "eu-west1-b")], Some((GCE.driver, zone)));
    check_handle(gce(), &[(BETA_ZONE, "eu-west1-b__eu-west1-c")], Some((GCE.driver, region)));
    check_handle(gce(), &[(ZONE, "eu-west1-b__eu-west2-c")], None);
    for (id, handle) in [
        ("vol-1", Some("vol-1")),
        ("aws://eu-1a/vol-1", Some("vol-1")),
        ("aws:///vol-1", Some("vol-1")),
        ("aws:///disk-1", None),
    ] {
        check_handle(Disk::Aws { id: id.into() }, &[], handle.map(|handle| (AWS.driver, handle)));
    }
    check_handle(Disk::Azure { uri: "/d".into(), managed: true }, &[], Some((AZURE.driver, "/d")));
    check_handle(Disk::Azure { uri: "/d".into(), managed: false }, &[], None);
    check_handle(Disk::Cinder { id: "c".into() }, &[], Some((CINDER.driver, "c")));
}

#[test]
fn only_a_node_with_drivers_attaches_disks_by_them() {
    assert_eq!(attached_volume(&zonal(gce(), &[], &[]), None), None);
    assert_eq!(attached_disk(&gce(), None), None);
    assert!(attached_disk(&gce(), Some(&csi_node(&[]))).is_some());
}

#[track_caller]
fn check_affinity(volume: &PersistentVolume, expected: &PersistentVolume) {
    let expected = match &expected.affinity {
        None => Affinity::Anywhere,
        Some(selector) => Affinity::Selector(Cow::Borrowed(selector)),
    };
    assert_eq!(affinity_on(volume, Some(&csi_node(&[GCE.plugin]))), expected);
}

#[test]
fn zones_are_said_in_the_words_of_the_driver_where_it_attaches() {
    let driver = "topology.gke.io/zone";
    let by_affinity = zonal(gce(), &[], &[&[(ZONE, "east"), ("disk", "ssd")]]);
    check_affinity(&by_affinity, &zonal(gce(), &[], &[&[(driver, "east"), ("disk", "ssd")]]));
    let by_label = zonal(gce(), &[(ZONE, "east")], &[&[("disk", "ssd")]]);
    check_affinity(&by_label, &zonal(gce(), &[], &[&[("disk", "ssd"), (driver, "east")]]));
    let beta = zonal(gce(), &[], &[&[(BETA_ZONE, "east"), (BETA_REGION, "eu")]]);
    check_affinity(&beta, &zonal(gce(), &[], &[&[(driver, "east"), (REGION, "eu")]]));
    check_affinity(&zonal(gce(), &[], &[]), &zonal(gce(), &[], &[]));
    let unsaid = zonal(gce(), &[(ZONE, "a-b-c__d-e-f")], &[]);
    assert_eq!(affinity_on(&unsaid, Some(&csi_node(&[GCE.plugin]))), Affinity::Unknown);
    assert_eq!(affinity_on(&unsaid, Some(&csi_node(&[]))), Affinity::Anywhere);
}
