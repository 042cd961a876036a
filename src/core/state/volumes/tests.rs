use super::super::tests::{Bench, bound, node, pod};
use super::super::{BindOutcome, Change, Event, StorageChange};
use super::*;
use crate::model::{
    Claim, ClaimRef, Node, NodeSelector, PersistentVolume, Pod, PodVolume, RequirementOp, StorageClass,
    Version,
};
use crate::placement::testing::on_label;

/// A class whose claims wait for their pods, a volume `v1` of it that node `a` alone reaches, and claims `data`
/// and `other` of the class.
fn bench() -> Bench {
    let mut bench = Bench::new();
    for name in ["a", "b"] {
        let labels = [("host", name)].into_iter().collect();
        bench.apply(Event::Nodes(Change::Put(Box::new(Node { labels, ..node(name) }))));
    }
    let class = StorageClass { waits_for_consumer: true, ..StorageClass::named("local") };
    let made = StorageClass { provisioner: "csi.example.com".into(), ..class.clone() };
    let made = StorageClass { name: "made".into(), ..made };
    tell(&mut bench, StorageChange::Classes(Change::Reset(vec![class, made])));
    tell(&mut bench, StorageChange::Claims(Change::Reset(vec![claim("data"), claim("other")])));
    tell(&mut bench, StorageChange::Volumes(Change::Reset(vec![volume()])));
    bench
}

fn tell(bench: &mut Bench, change: StorageChange) {
    bench.apply(Event::Storage(change));
}

fn tell_claim(bench: &mut Bench, claim: Claim) {
    tell(bench, StorageChange::Claims(Change::Put(Box::new(claim))));
}

fn tell_volume(bench: &mut Bench, volume: PersistentVolume) {
    tell(bench, StorageChange::Volumes(Change::Put(Box::new(volume))));
}

fn claim(name: &str) -> Claim {
    Claim { class: "local".into(), version: Version(1), ..Claim::named("default", name) }
}

fn volume() -> PersistentVolume {
    let terms = [on_label("host", RequirementOp::In, &["a"])].into();
    PersistentVolume {
        class: "local".into(),
        version: Version(1),
        available: true,
        affinity: Some(NodeSelector { terms }),
        ..PersistentVolume::named("v1")
    }
}

/// The volume once it is written that it is for `data`.
fn claimed() -> PersistentVolume {
    let claim = claim("data");
    let reference = ClaimRef { key: claim.key, uid: Some(claim.uid) };
    PersistentVolume { claim: Some(reference), version: Version(2), ..volume() }
}

/// The claim once it is bound.
fn complete(name: &str) -> Claim {
    Claim { volume: Some("v1".into()), bind_completed: true, version: Version(3), ..claim(name) }
}

fn using(pod_name: &str, claim: &str) -> Pod {
    Pod { volumes: [PodVolume::Claim(claim.into())].into(), ..pod(pod_name, 1) }
}

fn written(bench: &mut Bench, pod: &Pod, version: u64) {
    let outcome = VolumesOutcome { written: vec![Version(version)], failed: None };
    bench.apply(Event::Volumes(PodRef::of(pod), outcome));
}

fn refused(bench: &mut Bench, pod: &Pod, why: &str) {
    bench.apply(Event::Volumes(PodRef::of(pod), VolumesOutcome::failed(why)));
}

/// A pod whose volume was written and which waits until it is bound.
fn waiting() -> (Bench, Pod) {
    let (mut bench, web) = (bench(), using("web", "data"));
    bench.put(&web);
    expect(&mut bench, &["write 1 volumes of web"]);
    written(&mut bench, &web, 2);
    expect(&mut bench, &[]);
    (bench, web)
}

/// What is to be done now. Where the pod is told to go is left out; one test looks at that.
#[track_caller]
fn expect(bench: &mut Bench, expected: &[&str]) {
    let mut actions = bench.actions();
    actions.retain(|action| !action.starts_with("nominate "));
    assert_eq!(actions, expected);
}

fn used(bench: &Bench) -> i64 {
    bench.state.snapshot().nodes.iter().map(|node| node.usage.num_pods()).sum()
}

#[test]
fn a_pod_is_bound_once_its_claims_are() {
    let (mut bench, web) = waiting();
    assert_eq!(used(&bench), 1);
    // The claim is bound, but that the volume is for it was told by an earlier reading only.
    tell_claim(&mut bench, complete("data"));
    expect(&mut bench, &[]);
    tell_volume(&mut bench, claimed());
    expect(&mut bench, &["bind web to a"]);
    bench.bind(&web, BindOutcome::Bound);
    expect(&mut bench, &["announce web on a"]);
}

#[test]
fn others_are_told_where_the_pod_will_go_before_it_does() {
    let (mut bench, web) = (bench(), using("web", "data"));
    bench.put(&web);
    bench.expect(&["nominate web to Some(NodeName(\"a\"))", "write 1 volumes of web"]);
    refused(&mut bench, &web, "conflict");
    // It goes there no more.
    bench.expect(&["web: running PreBind plugin \"VolumeBinding\": conflict -> none"]);
    bench.wait(1);
    bench.expect(&["nominate web to Some(NodeName(\"a\"))", "write 1 volumes of web"]);
    // That it was nominated says nothing against it.
    bench.put(&Pod { nominated_node: Some("a".into()), ..web.clone() });
    written(&mut bench, &web, 2);
    tell_volume(&mut bench, claimed());
    tell_claim(&mut bench, complete("data"));
    bench.expect(&["bind web to a"]);
    assert_eq!(used(&bench), 1);
}

#[test]
fn a_pod_is_bound_once_its_volume_was_made() {
    let (mut bench, web) = (bench(), using("web", "new"));
    let new = Claim { class: "made".into(), ..claim("new") };
    tell_claim(&mut bench, new.clone());
    bench.put(&Pod { node_selector: [("host", "b")].into_iter().collect(), ..web.clone() });
    expect(&mut bench, &["write 1 volumes of web"]);
    written(&mut bench, &web, 2);
    let selected = Claim { selected_node: Some("b".into()), annotated: true, version: Version(2), ..new };
    tell_claim(&mut bench, selected.clone());
    expect(&mut bench, &[]);
    let made = Claim { volume: Some("v2".into()), bind_completed: true, version: Version(3), ..selected };
    tell_claim(&mut bench, made);
    expect(&mut bench, &[]);
    tell_volume(&mut bench, PersistentVolume::named("v2"));
    expect(&mut bench, &["bind web to b"]);
}

#[test]
fn two_pods_do_not_take_one_volume() {
    let mut bench = bench();
    let (web, db) = (using("web", "data"), using("db", "other"));
    bench.put(&web);
    bench.put(&db);
    let none = "db: 0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.";
    expect(&mut bench, &["write 1 volumes of web", none]);
    // It was not written, so the volume is free.
    refused(&mut bench, &web, "conflict");
    expect(
        &mut bench,
        &["web: running PreBind plugin \"VolumeBinding\": conflict -> none", "write 1 volumes of db"],
    );
}

#[test]
fn what_was_written_stays_assumed_until_it_is_told() {
    let (mut bench, web) = waiting();
    bench.gone(&web);
    bench.put(&using("db", "other"));
    expect(
        &mut bench,
        &["db: 0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind."],
    );
}

#[test]
fn a_claim_is_not_waited_for_for_ever() {
    let (mut bench, _) = waiting();
    bench.wait(599);
    expect(&mut bench, &[]);
    assert!(bench.state.wake_at() <= bench.now + std::time::Duration::from_secs(1));
    bench.wait(1);
    expect(
        &mut bench,
        &[
            "web: running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded -> none",
        ],
    );
    assert_eq!(used(&bench), 0);
    bench.wait(1);
    expect(&mut bench, &["write 1 volumes of web"]);
}

#[track_caller]
fn check_undone(undo: impl FnOnce(&mut Bench), why: &str) {
    let (mut bench, _) = waiting();
    undo(&mut bench);
    expect(
        &mut bench,
        &[&format!("web: running PreBind plugin \"VolumeBinding\": binding volumes: {why} -> none")],
    );
    assert_eq!(used(&bench), 0);
}

#[test]
fn what_is_undone_is_decided_anew() {
    let reset = |bench: &mut Bench| tell_volume(bench, PersistentVolume { version: Version(3), ..volume() });
    check_undone(reset, "ClaimRef got reset for pv \"v1\"");
    let volume_gone = |bench: &mut Bench| tell(bench, StorageChange::Volumes(Change::Reset(Vec::new())));
    check_undone(volume_gone, "failed to check binding: persistentvolumes \"v1\" not found");
    let claim_gone = |bench: &mut Bench| tell(bench, StorageChange::Claims(Change::Reset(Vec::new())));
    check_undone(claim_gone, "failed to check binding: persistentvolumeclaims \"default/data\" not found");
    let node_gone = |bench: &mut Bench| {
        bench.apply(Event::Nodes(Change::Gone(Box::new(node("a")))));
    };
    check_undone(node_gone, "failed to get node \"a\": node \"a\" not found");
    let relabelled = |bench: &mut Bench| {
        tell_volume(bench, claimed());
        bench.apply(Event::Nodes(Change::Put(Box::new(node("a")))));
    };
    check_undone(
        relabelled,
        "pv \"v1\" node affinity doesn't match node \"a\": no matching NodeSelectorTerms",
    );
}

#[test]
fn a_provisioner_that_gives_up_is_heard() {
    for (annotated, why) in [
        (true, "provisioning failed for PVC \"new\""),
        (false, "selectedNode annotation reset for PVC \"new\""),
    ] {
        let (mut bench, web) = (bench(), using("web", "new"));
        let new = Claim { class: "made".into(), ..claim("new") };
        tell_claim(&mut bench, new.clone());
        bench.put(&web);
        expect(&mut bench, &["write 1 volumes of web"]);
        written(&mut bench, &web, 2);
        tell_claim(&mut bench, Claim { annotated, version: Version(3), ..new });
        expect(
            &mut bench,
            &[&format!("web: running PreBind plugin \"VolumeBinding\": binding volumes: {why} -> none")],
        );
    }
}

#[test]
fn a_pod_deleted_while_it_waits_leaves_nothing_behind() {
    let (mut bench, web) = waiting();
    bench.gone(&web);
    assert_eq!((used(&bench), bench.state.flights.awaiting_volumes().len()), (0, 0));
    tell_volume(&mut bench, claimed());
    tell_claim(&mut bench, complete("data"));
    bench.wait(700);
    expect(&mut bench, &[]);
}

#[test]
fn a_pod_deleted_while_its_volumes_are_written_leaves_nothing_behind() {
    for fails in [false, true] {
        let (mut bench, web) = (bench(), using("web", "data"));
        bench.put(&web);
        expect(&mut bench, &["write 1 volumes of web"]);
        bench.gone(&web);
        if fails {
            refused(&mut bench, &web, "conflict");
        } else {
            written(&mut bench, &web, 2);
        }
        expect(&mut bench, &[]);
        assert_eq!((used(&bench), bench.state.flights.awaiting_volumes().len()), (0, 0));
        assert_eq!(bench.state.in_flight(), 0);
    }
}

#[test]
fn a_pod_that_another_scheduler_binds_meanwhile_is_waited_for_no_more() {
    let (mut bench, web) = waiting();
    bench.put(&bound(&web, "b"));
    tell_volume(&mut bench, claimed());
    tell_claim(&mut bench, complete("data"));
    expect(&mut bench, &[]);
    assert_eq!(used(&bench), 1);
}

#[test]
fn pods_that_wait_for_volumes_hold_up_nobody_and_are_bound_in_turn() {
    let mut bench = bench();
    bench.state.config.max_in_flight = 1;
    let (web, plain, next) = (using("web", "data"), pod("plain", 0), pod("next", 0));
    let plain = Pod { node_selector: [("host", "b")].into_iter().collect(), ..plain };
    bench.put(&web);
    bench.put(&plain);
    bench.put(&Pod { node_selector: plain.node_selector.clone(), ..next });
    expect(&mut bench, &["write 1 volumes of web"]);
    written(&mut bench, &web, 2);
    expect(&mut bench, &["bind plain to b"]);
    tell_volume(&mut bench, claimed());
    tell_claim(&mut bench, complete("data"));
    expect(&mut bench, &[]);
    bench.bind(&plain, BindOutcome::Bound);
    expect(&mut bench, &["announce plain on b", "bind web to a"]);
    bench.bind(&web, BindOutcome::Bound);
    expect(&mut bench, &["announce web on a", "bind next to b"]);
}

#[test]
fn a_pod_whose_claim_is_not_bound_yet_is_woken_by_its_claim() {
    let mut bench = bench();
    tell_claim(&mut bench, Claim { class: "".into(), ..claim("now") });
    bench.put(&using("web", "now"));
    expect(
        &mut bench,
        &["web: 0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"],
    );
    tell_claim(&mut bench, Claim { version: Version(2), ..complete("other") });
    bench.wait(1);
    expect(&mut bench, &[]);
    tell_claim(&mut bench, Claim { class: "".into(), ..complete("now") });
    expect(&mut bench, &["bind web to a"]);
}

#[test]
fn a_pod_whose_claim_is_missing_is_woken_by_it() {
    let mut bench = bench();
    bench.put(&using("web", "late"));
    expect(
        &mut bench,
        &["web: 0/2 nodes are available: persistentvolumeclaim \"late\" not found. not found"],
    );
    bench.wait(1);
    tell_claim(&mut bench, claim("late"));
    expect(&mut bench, &["write 1 volumes of web"]);
}
