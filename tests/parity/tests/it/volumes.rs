//! Claims, volumes and disks.

use parity::storage::{attachment, capacity, claim, csi_driver, csi_node, volume, waiting_class};
use parity::{ClusterState, Container, Node, Pod, Storage, node, pod, state};
use serde_json::json;

use crate::support::check;

const DRIVER: &str = "csi.example.com";
const NO_VOLUME: &str = "node(s) didn't find available persistent volumes to bind";
const TOO_MANY: &str = "node(s) exceed max volume count";

/// Two nodes in two zones.
fn zones() -> [Node; 2] {
    let zoned = |name: &str, zone: &str| node(name).label("topology.kubernetes.io/zone", zone);
    [zoned("a", "east"), zoned("b", "west")]
}

fn with(objects: impl IntoIterator<Item = Storage>) -> ClusterState {
    state(zones()).storage(objects).pod(web())
}

fn web() -> Pod {
    pod().claim("data")
}

fn east(volume: Storage) -> Storage {
    volume.reached_from("topology.kubernetes.io/zone", &["east"])
}

fn everywhere(reason: &str) -> String {
    format!("0/2 nodes are available: 2 {reason}.")
}

fn of_pod(reason: &str) -> String {
    format!("0/2 nodes are available: {reason}.")
}

#[test]
fn claims_that_can_not_be_used() {
    let missing = of_pod("persistentvolumeclaim \"data\" not found");
    check("a claim that is missing", with([]), &missing);
    let immediate = of_pod("pod has unbound immediate PersistentVolumeClaims");
    check("a claim of no class", with([claim("data", "")]), &immediate);
    check("a claim of a class that is missing", with([claim("data", "local")]), &immediate);
    let now = waiting_class("now", Some(DRIVER)).with("volumeBindingMode", "Immediate".into());
    check("a claim that does not wait for its pod", with([now, claim("data", "now")]), &immediate);
    let lost = of_pod("persistentvolumeclaim \"data\" bound to non-existent persistentvolume \"v1\"");
    check("a claim whose volume is lost", with([claim("data", "").bound_to("v1").phase("Lost")]), &lost);
    let half = claim("data", "local").with("volumeName", "v1".into());
    check("a claim that is half bound", with([waiting_class("local", None), half]), &immediate);
}

#[test]
fn ephemeral_volumes() {
    let template = json!({"ephemeral": {"volumeClaimTemplate": {"spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}});
    let judged = state(zones()).pod(pod().volume(template));
    // The bed names pods by a number.
    let judgement = crate::support::with_bed(|bed| bed.judge(&judged)).unwrap();
    let message = crate::support::describe(&judgement.unwrap_or_else(|difference| panic!("{difference}")));
    let waits = "waiting for ephemeral volume controller to create the persistentvolumeclaim";
    assert!(message.contains(waits), "{message}");
}

#[test]
fn volumes_of_bound_claims() {
    let data = || claim("data", "").bound_to("v1");
    check("a volume that all nodes reach", with([volume("v1", ""), data()]), "a b");
    check("a volume that one node reaches", with([east(volume("v1", "")), data()]), "a");
    let far = volume("v1", "").reached_from("topology.kubernetes.io/zone", &["north"]);
    let far = with([far, data()]);
    check(
        "a volume that no node reaches",
        far,
        &everywhere("node(s) didn't match PersistentVolume's node affinity"),
    );
    // Where VolumeZone judges too, it speaks before any node is looked at.
    check("a volume that is missing", with([data()]), &of_pod("persistentvolume \"v1\" not found"));
}

#[test]
fn zones_of_volumes() {
    let data = || claim("data", "").bound_to("v1");
    let labelled = |zone: &str| volume("v1", "").label("topology.kubernetes.io/zone", zone);
    check("a volume in a zone", with([labelled("east"), data()]), "a");
    check("a volume in two zones", with([labelled("east__west"), data()]), "a b");
    let elsewhere = with([labelled("north"), data()]);
    check("a volume elsewhere", elsewhere, &everywhere("node(s) had no available volume zone"));
    let beta = volume("v1", "").label("failure-domain.beta.kubernetes.io/zone", "west");
    check("a volume labelled in the old way", with([beta, data()]), "b");
}

#[test]
fn volumes_for_claims_that_wait_for_their_pod() {
    let local = || waiting_class("local", None);
    let data = || claim("data", "local");
    check("none is there", with([local(), data()]), &everywhere(NO_VOLUME));
    check("one is there", with([local(), data(), volume("v1", "local")]), "a b");
    check("one is there for one node", with([local(), data(), east(volume("v1", "local"))]), "a");
    let fails = |sentence: &str, volume: Storage| {
        check(sentence, with([local(), data(), volume]), &everywhere(NO_VOLUME));
    };
    fails("it is too small", volume("v1", "local").size("4Gi"));
    fails("it is of another class", volume("v1", "other"));
    fails("it is not free", volume("v1", "local").phase("Released"));
    fails("it is a raw device", volume("v1", "local").with("volumeMode", "Block".into()));
    fails("it can't be accessed so", volume("v1", "local").access("ReadOnlyMany"));
    fails("it has other attributes", volume("v1", "local").with("volumeAttributesClassName", "gold".into()));
    let meant =
        |name: &str| volume("v1", "local").with("claimRef", json!({"namespace": "default", "name": name}));
    fails("it is meant for another claim", meant("other"));
    check("it is meant for the claim", with([local(), data(), meant("data").phase("Pending")]), "a b");
    let picky = data().with("selector", json!({"matchLabels": {"disk": "ssd"}}));
    check(
        "it is not selected",
        with([local(), picky.clone(), volume("v1", "local")]),
        &everywhere(NO_VOLUME),
    );
    check("it is selected", with([local(), picky, volume("v1", "local").label("disk", "ssd")]), "a b");
    let two = with([local(), data(), claim("more", "local"), volume("v1", "local")]);
    check("one for two claims", two.pod(web().claim("more")), &everywhere(NO_VOLUME));
}

#[test]
fn volumes_that_are_made() {
    let made = || waiting_class("made", Some(DRIVER));
    let data = || claim("data", "made");
    check("anywhere", with([made(), data()]), "a b");
    let allowed = |zone: &str| {
        let expression = json!({"key": "topology.kubernetes.io/zone", "values": [zone]});
        made().with("allowedTopologies", json!([{"matchLabelExpressions": [expression]}]))
    };
    check("in a zone", with([allowed("west"), data()]), "b");
    check("in a zone that no node is in", with([allowed("north"), data()]), &everywhere(NO_VOLUME));
    let selected = data().annotate("volume.kubernetes.io/selected-node", "b");
    check("for a node that was selected before", with([made(), selected]), "b");
    let gone = data().annotate("volume.kubernetes.io/selected-node", "gone");
    check("for a node that is gone", with([made(), gone]), &everywhere(NO_VOLUME));
}

#[test]
fn storage_that_is_left() {
    let objects = |tells: bool, amount: &str| {
        let east = capacity("c1", "made", ("topology.kubernetes.io/zone", "east"), amount);
        with([waiting_class("made", Some(DRIVER)), claim("data", "made"), csi_driver(DRIVER, tells), east])
    };
    let none = "node(s) did not have enough free storage";
    check("enough where it is told", objects(true, "5Gi"), "a");
    check("too little", objects(true, "4Gi"), &everywhere(none));
    check("a driver that does not tell is asked", objects(false, "4Gi"), "a b");
}

#[test]
fn limits_of_attached_volumes() {
    let bound = |number: u32| {
        let (name, volume_name) = (format!("c{number}"), format!("v{number}"));
        [volume(&volume_name, ""), claim(&name, "").bound_to(&volume_name)]
    };
    let cluster = |limit: Option<u32>| {
        let state =
            state([node("a")]).storage((1..=3).flat_map(bound)).storage([csi_node("a", DRIVER, limit)]);
        state.placed("a", pod().claim("c1"))
    };
    let full = format!("0/1 nodes are available: 1 {TOO_MANY}.");
    check("no limit", cluster(None).pod(pod().claim("c2")), "a");
    check("room for one more", cluster(Some(2)).pod(pod().claim("c2")), "a");
    check("no room", cluster(Some(1)).pod(pod().claim("c2")), &full);
    check("the same volume", cluster(Some(1)).pod(pod().claim("c1")), "a");
    check("one of two too many", cluster(Some(2)).pod(pod().claim("c2").claim("c3")), &full);
    let attached = |volume: &str| cluster(Some(2)).storage([attachment("a1", volume, "a")]);
    check("one is attached still", attached("v3").pod(pod().claim("c2")), &full);
    check("its own is attached already", attached("v2").pod(pod().claim("c2")), &full);
    check("that of a pod is attached", attached("v1").pod(pod().claim("c2")), "a");
    let made = waiting_class("made", Some(DRIVER));
    let making = |limit| cluster(Some(limit)).storage([made.clone(), claim("new", "made")]);
    check("one that is yet to be made", making(1).pod(pod().claim("new")), &full);
    check("room for it", making(2).pod(pod().claim("new")), "a");
}

#[test]
fn claims_and_disks_for_one_pod() {
    let data = claim("data", "").bound_to("v1").access("ReadWriteOncePod");
    let objects = [volume("v1", "").access("ReadWriteOncePod"), data];
    let in_use = "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already \
                  in-use by another pod";
    check("a claim for one pod", with(objects.clone()), "a b");
    check("that another pod uses", with(objects).placed("a", web()), &everywhere(in_use));
    let disk = |read_only: bool| {
        pod().volume(
            json!({"iscsi": {"targetPortal": "10.0.0.1:3260", "iqn": "iqn.2026-01.com.example:d", "lun": 0,
            "readOnly": read_only}}),
        )
    };
    let state = |placed: Pod, wanted: Pod| state([node("a")]).placed("a", placed).pod(wanted);
    let conflict = "0/1 nodes are available: 1 node(s) had no available disk.";
    check("a disk that is in use", state(disk(false), disk(false)), conflict);
    check("a disk that all only read", state(disk(true), disk(true)), "a");
    check("a disk that one writes", state(disk(true), disk(false)), conflict);
}

#[test]
fn features_that_nodes_declare() {
    // The only feature that the API server lets pods require by default.
    let rule = json!({"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [7]}});
    let needy = || {
        let Container(mut main) = Container::new("main");
        main["restartPolicy"] = "Never".into();
        main["restartPolicyRules"] = json!([rule]);
        pod().first(Container(main))
    };
    let declaring = node("b").declares("RestartAllContainersOnContainerExits");
    let missing = "0/1 nodes are available: 1 node(s) didn't match Pod's required features.";
    check("a node that does not declare it", state([node("a")]).pod(needy()), missing);
    check("one that does", state([node("a"), declaring]).pod(needy()), "b");
}
