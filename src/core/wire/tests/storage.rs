//! Claims, volumes and what else there is of storage.

use crate::model::{
    AccessModes, Claim, ClaimKey, ClaimRef, Disk, PersistentVolume, PodVolume, StorageSize, Version,
    VolumeSource,
};
use crate::wire::{
    ClaimObject, CsiDriverObject, CsiNodeObject, Interner, PersistentVolumeObject, PodObject,
    StorageCapacityObject, StorageClassObject, VolumeAttachmentObject,
};

macro_rules! read {
    ($object:ty, $read:ident, $json:expr) => {
        serde_json::from_str::<$object>($json).unwrap().$read(&mut Interner::default())
    };
}

#[test]
fn a_claim_is_read() {
    let claim = read!(
        ClaimObject,
        into_claim,
        r#"{"metadata": {"name": "data", "namespace": "shop", "uid": "u1", "resourceVersion": "7",
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{"kind": "Pod", "name": "web", "uid": "u2", "controller": true}],
            "annotations": {"pv.kubernetes.io/bind-completed": "yes", "volume.kubernetes.io/selected-node": "n1",
                "volume.beta.kubernetes.io/storage-class": "gold"}},
          "spec": {"accessModes": ["ReadWriteOncePod", "ReadOnlyMany"], "storageClassName": "silver",
            "resources": {"requests": {"storage": "5Gi"}}, "volumeMode": "Block", "volumeName": "v1",
            "volumeAttributesClassName": "fast",
            "selector": {"matchLabels": {"disk": "ssd"},
                "matchExpressions": [{"key": "rack", "operator": "Exists"}]}},
          "status": {"phase": "Lost"}}"#
    );
    let claim = claim.unwrap();
    let [(_, one_pod), _, (_, read_only), _] = AccessModes::WORDS;
    let requirements = claim.selector.as_ref().unwrap().requirements().len();
    assert_eq!(requirements, 2);
    let expected = Claim {
        uid: "u1".into(),
        version: Version(7),
        terminating: true,
        controller: Some("u2".into()),
        class: "gold".into(),
        volume: Some("v1".into()),
        lost: true,
        annotated: true,
        bind_completed: true,
        selected_node: Some("n1".into()),
        access_modes: one_pod.union(read_only),
        requested: Some(StorageSize::of_bytes(5 << 30)),
        selector: claim.selector.clone(),
        block: true,
        attributes_class: "fast".into(),
        ..Claim::named("shop", "data")
    };
    assert_eq!(claim, expected);
    let bare = read!(ClaimObject, into_claim, r#"{"metadata": {"name": "data", "namespace": "shop"}}"#);
    assert_eq!(bare.unwrap(), Claim::named("shop", "data"));
}

#[test]
fn a_volume_is_read() {
    let volume = read!(
        PersistentVolumeObject,
        into_volume,
        r#"{"metadata": {"name": "v1", "uid": "u1", "labels": {"zone": "east"},
            "annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}},
          "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "100Gi"}, "storageClassName": "gold",
            "claimRef": {"namespace": "shop", "name": "data", "uid": "u2"},
            "csi": {"driver": "csi.example.com", "volumeHandle": "h1"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["east"]}]}]}}},
          "status": {"phase": "Available"}}"#
    );
    let volume = volume.unwrap();
    assert_eq!(volume.affinity.as_ref().unwrap().terms.len(), 1);
    let [_, (_, one_node), ..] = AccessModes::WORDS;
    let expected = PersistentVolume {
        uid: "u1".into(),
        labels: [("zone", "east")].into_iter().collect(),
        class: "gold".into(),
        capacity: StorageSize::of_bytes(100 << 30),
        claim: Some(ClaimRef { key: ClaimKey::new("shop", "data"), uid: Some("u2".into()) }),
        bound_by_controller: true,
        access_modes: one_node,
        available: true,
        affinity: volume.affinity.clone(),
        source: VolumeSource::Csi { driver: "csi.example.com".into(), handle: "h1".into() },
        ..PersistentVolume::named("v1")
    };
    assert_eq!(volume, expected);
}

#[track_caller]
fn check_source(spec: &str, expected: &VolumeSource) {
    let json = format!(r#"{{"metadata": {{"name": "v1"}}, "spec": {spec}}}"#);
    assert_eq!(read!(PersistentVolumeObject, into_volume, &json).unwrap().source, *expected, "{spec}");
}

#[test]
fn what_is_behind_a_volume_is_read() {
    let gce = Disk::Gce { name: "d".into(), read_only: true };
    check_source(r#"{"gcePersistentDisk": {"pdName": "d", "readOnly": true}}"#, &VolumeSource::Disk(gce));
    let aws = Disk::Aws { id: "vol-1".into() };
    check_source(r#"{"awsElasticBlockStore": {"volumeID": "vol-1"}}"#, &VolumeSource::Disk(aws));
    check_source(r#"{"iscsi": {"iqn": "i"}}"#, &VolumeSource::Other);
    check_source(r#"{"hostPath": {"path": "/data"}}"#, &VolumeSource::Other);
}

#[track_caller]
fn check_volume(volume: &str, expected: Option<&PodVolume>) {
    let json = format!(
        r#"{{"metadata": {{"name": "web", "namespace": "shop"}}, "spec": {{"volumes": [{volume}]}}}}"#
    );
    let pod = read!(PodObject, into_pod, &json).unwrap();
    assert_eq!(pod.volumes.first(), expected, "{volume}");
}

#[test]
fn volumes_that_a_place_depends_on_are_read() {
    check_volume(
        r#"{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}"#,
        Some(&PodVolume::Claim("data".into())),
    );
    check_volume(
        r#"{"name": "tmp", "ephemeral": {"volumeClaimTemplate": {}}}"#,
        Some(&PodVolume::Ephemeral("web-tmp".into())),
    );
    check_volume(
        r#"{"name": "d", "rbd": {"monitors": ["m"], "image": "i"}}"#,
        Some(&PodVolume::Disk(Disk::Rbd {
            monitors: ["m".into()].into(),
            pool: "rbd".into(),
            image: "i".into(),
            read_only: false,
        })),
    );
    check_volume(
        r#"{"name": "d", "azureDisk": {"diskURI": "/d", "kind": "Managed"}}"#,
        Some(&PodVolume::Disk(Disk::Azure { uri: "/d".into(), managed: true })),
    );
    check_volume(r#"{"name": "d", "emptyDir": {}}"#, None);
    check_volume(r#"{"name": "d", "csi": {"driver": "csi.example.com"}}"#, None);
    check_volume(r#"{"name": "d", "persistentVolumeClaim": null, "hostPath": {"path": "/"}}"#, None);
}

#[test]
fn storage_is_read() {
    let class = read!(
        StorageClassObject,
        into_class,
        r#"{"metadata": {"name": "gold"}, "provisioner": "csi.example.com",
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["east"]}]}]}"#
    );
    let class = class.unwrap();
    assert!(class.waits_for_consumer);
    assert_eq!((&*class.provisioner, class.allowed_topologies[0].len()), ("csi.example.com", 1));
    let csi_node = read!(
        CsiNodeObject,
        into_csi_node,
        r#"{"metadata": {"name": "n1", "annotations":
              {"storage.alpha.kubernetes.io/migrated-plugins": "kubernetes.io/cinder,kubernetes.io/gce-pd"}},
            "spec": {"drivers": [{"name": "d1", "allocatable": {"count": 3}}, {"name": "d2", "allocatable": null}]}}"#
    );
    let csi_node = csi_node.unwrap();
    assert_eq!(*csi_node.drivers, [("d1".into(), Some(3)), ("d2".into(), None)]);
    assert_eq!(csi_node.migrated.len(), 2);
    let driver = r#"{"metadata": {"name": "d1"}, "spec": {"storageCapacity": true}}"#;
    assert!(read!(CsiDriverObject, into_csi_driver, driver).unwrap().storage_capacity);
    let limit = |fields: &str| {
        let json = format!(
            r#"{{"metadata": {{"name": "c", "namespace": "s"}}, "storageClassName": "gold"{fields}}}"#
        );
        read!(StorageCapacityObject, into_capacity, &json).unwrap().limit.map(StorageSize::bytes)
    };
    assert_eq!(limit(""), None);
    assert_eq!(limit(r#", "capacity": "10""#), Some(10));
    assert_eq!(limit(r#", "capacity": "10", "maximumVolumeSize": "4""#), Some(4));
    let attachment = read!(
        VolumeAttachmentObject,
        into_attachment,
        r#"{"metadata": {"name": "a"}, "spec": {"attacher": "d1", "nodeName": "n1",
            "source": {"persistentVolumeName": "v1"}}}"#
    );
    let attachment = attachment.unwrap();
    assert_eq!((attachment.node.as_str(), attachment.volume.as_deref()), ("n1", Some("v1")));
}

#[track_caller]
fn check_claim_error(spec: &str, expected: &str) {
    let json = format!(r#"{{"metadata": {{"name": "data", "namespace": "shop"}}, "spec": {spec}}}"#);
    let error = read!(ClaimObject, into_claim, &json).unwrap_err().to_string();
    assert!(error.starts_with(&format!("persistentvolumeclaim shop/data: {expected}")), "{error}");
}

#[test]
fn an_error_names_the_object_the_field_and_the_fix() {
    check_claim_error(
        r#"{"accessModes": ["Sometimes"]}"#,
        "spec.accessModes[0] is \"Sometimes\"; it must be one of",
    );
    check_claim_error(r#"{"volumeMode": "Tape"}"#, "spec.volumeMode is \"Tape\"; it must be one of");
    check_claim_error(
        r#"{"resources": {"requests": {"storage": "much"}}}"#,
        "spec.resources.requests.storage is \"much\"",
    );
    check_claim_error(
        r#"{"selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}"#,
        "spec.selector.matchExpressions[0].operator is \"Near\"",
    );
}
