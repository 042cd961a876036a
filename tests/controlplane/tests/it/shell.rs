//! `controlplane up` and `controlplane down`.

use controlplane::ProcessId;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn run(temporary: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_controlplane"));
    command.args(args).env("TMPDIR", temporary).output().unwrap()
}

/// The owner is named in the folder's name.
fn owner(kubeconfig: &Path) -> ProcessId {
    let name = kubeconfig.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    ProcessId::of(name.split('-').nth(1).unwrap().parse().unwrap()).unwrap()
}

#[test]
fn up_prints_the_kubeconfig_and_returns_and_down_ends_it() {
    let temporary = tempfile::tempdir().unwrap();
    let up = run(temporary.path(), &["up", "--kwok", "--kube-scheduler", "--nodes", "2"]);
    assert!(up.status.success(), "{up:?}");
    let kubeconfig = PathBuf::from(String::from_utf8(up.stdout).unwrap().strip_suffix('\n').unwrap());
    let owner = owner(&kubeconfig);
    assert!(owner.is_alive());

    let nodes = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .args(["get", "nodes", "-o", "name"])
        .output();
    assert_eq!(String::from_utf8(nodes.unwrap().stdout).unwrap(), "node/node-1\nnode/node-2\n");

    let path = kubeconfig.to_str().unwrap();
    assert!(run(temporary.path(), &["down", path]).status.success());
    assert!(!owner.is_alive() && !kubeconfig.exists());
    assert!(run(temporary.path(), &["down", path]).status.success(), "a second time there is nothing to do");
}

#[test]
fn up_says_why_nothing_was_started() {
    let temporary = tempfile::tempdir().unwrap();
    let up = run(temporary.path(), &["up", "--flag", "kube-apiserver=--nonsense"]);

    assert!(!up.status.success() && up.stdout.is_empty());
    assert!(String::from_utf8(up.stderr).unwrap().contains("unknown flag: --nonsense"));
}
