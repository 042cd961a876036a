//! Components stop and start again, and none outlives its parent.

use crate::support::SOON;
use controlplane::{Component, ControlPlane, Error, FakeNode, Options, ProcessId, wait_for};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

#[test]
fn a_restarted_api_server_has_its_address_and_its_data() {
    let cluster = ControlPlane::start(Options::default()).unwrap();
    cluster.add_nodes(&[FakeNode::new("edge")]).unwrap();
    let before = cluster.pid(Component::ApiServer).unwrap();

    cluster.restart(Component::ApiServer).unwrap();

    assert_ne!(cluster.pid(Component::ApiServer).unwrap(), before);
    cluster.client().get("/api/v1/nodes/edge").unwrap();
}

#[test]
fn a_component_that_the_options_left_out_can_be_started_and_stopped() {
    let cluster = ControlPlane::start(Options::default()).unwrap();
    assert_eq!(cluster.pid(Component::KubeScheduler), None);

    cluster.launch(Component::KubeScheduler).unwrap();
    let scheduler = ProcessId::of(cluster.pid(Component::KubeScheduler).unwrap()).unwrap();
    assert!(scheduler.is_alive());

    cluster.stop(Component::KubeScheduler).unwrap();
    assert!(!scheduler.is_alive());
    cluster.stop(Component::ApiServer).unwrap();
    assert!(matches!(cluster.client().get("/version"), Err(Error::Unreachable { .. })));
}

/// The processes that a process has made.
fn children(parent: u32) -> Vec<ProcessId> {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).unwrap();
    let lists = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("children")).unwrap());
    let pids =
        lists.flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>());
    pids.map(|pid| ProcessId::of(pid).unwrap()).collect()
}

#[test]
fn no_component_outlives_a_parent_that_is_killed() {
    let temporary = tempfile::tempdir().unwrap();
    let mut parent = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .args(["up", "--foreground", "--controller-manager", "--kwok"])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut kubeconfig = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut kubeconfig).unwrap();
    assert!(PathBuf::from(kubeconfig.trim()).is_file());
    let components = children(parent.id());
    assert_eq!(components.len(), 4);
    assert!(components.iter().all(|component| component.is_alive()));

    parent.kill().unwrap();
    parent.wait().unwrap();

    let gone = || Ok((!components.iter().any(|component| component.is_alive())).then_some(()));
    wait_for("the components to end", SOON, gone).unwrap();
}
