//! A bed whose owner is killed, while another one is there.

use crate::{support::SOON, traces::Traces};
use controlplane::wait_for;
use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

#[test]
fn nothing_of_a_bed_outlives_an_owner_that_is_killed() {
    let temporary = tempfile::tempdir().unwrap();
    let mut owner = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .args(["up", "--foreground", "--real-nodes", "1"])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut kubeconfig = String::new();
    BufReader::new(owner.stdout.take().unwrap()).read_line(&mut kubeconfig).unwrap();
    let kubeconfig = PathBuf::from(kubeconfig.trim());
    let traces = Traces::at(kubeconfig.parent().unwrap());
    let spec = r#"{"spec":{"nodeName":"real-1","automountServiceAccountToken":false}}"#;
    let run = ["run", "pod", "--image", controlplane::NODE_IMAGE, "--overrides", spec];
    let kubectl = |args: &[&str]| {
        Command::new("kubectl").arg("--kubeconfig").arg(&kubeconfig).args(args).output().unwrap()
    };
    assert!(kubectl(&run).status.success());
    let running = || {
        let phase = kubectl(&["get", "pod", "pod", "-o", "jsonpath={.status.phase}"]);
        Ok((phase.stdout == b"Running").then_some(()))
    };
    wait_for("the pod to run", SOON, running).unwrap();
    traces.assert_all_kinds();

    owner.kill().unwrap();
    owner.wait().unwrap();

    traces.assert_none_but_the_folder(SOON);
}
