//! Programs are built once; `go` is a script here that takes a moment and notes each call.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

const FAKE_GO: &str = r#"#!/bin/sh
case "$1" in
list) echo "$FAKE/module" ;;
build)
    shift 4 # build -trimpath -ldflags FLAGS, before -o FILE PACKAGE
    echo "$3" >>"$FAKE/calls"
    case "$3" in *"$BROKEN") echo "main.go:1: nothing compiles" >&2; exit 1 ;; esac
    sleep 0.3
    touch "$2" ;;
esac
"#;

fn fake_go(folder: &Path) {
    let go = folder.join("go");
    fs::write(&go, FAKE_GO).unwrap();
    fs::set_permissions(&go, fs::Permissions::from_mode(0o755)).unwrap();
    for stage in ["node/fast", "node/heartbeat-with-lease", "pod/fast"] {
        let folder = folder.join("module/kustomize/stage").join(stage);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("kustomization.yaml"), "kind: Kustomization\n").unwrap();
        fs::write(folder.join("stage.yaml"), format!("stage: {stage}\n")).unwrap();
    }
}

fn build(folder: &Path, broken: &str) -> Command {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_controlplane"));
    command
        .arg("build")
        .env("PATH", path)
        .env("FAKE", folder)
        .env("BROKEN", broken)
        .env("EDGE_CONTROL_PLANE_CACHE", folder.join("cache"))
        .env_remove("KUBEBUILDER_ASSETS")
        .stderr(Stdio::piped());
    command
}

fn calls(folder: &Path) -> Vec<String> {
    let mut calls: Vec<String> =
        fs::read_to_string(folder.join("calls")).unwrap().lines().map(str::to_owned).collect();
    calls.sort();
    calls
}

const ALL: [&str; 13] = [
    "controlplane.test/node",
    "github.com/containerd/containerd/v2/cmd/containerd",
    "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
    "github.com/containerd/containerd/v2/cmd/ctr",
    "github.com/containernetworking/plugins/plugins/ipam/host-local",
    "github.com/containernetworking/plugins/plugins/main/loopback",
    "github.com/containernetworking/plugins/plugins/main/ptp",
    "go.etcd.io/etcd/server/v3",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
    "k8s.io/kubernetes/cmd/kube-scheduler",
    "k8s.io/kubernetes/cmd/kubelet",
    "sigs.k8s.io/kwok/cmd/kwok",
];

#[test]
fn processes_that_ask_at_the_same_time_build_once() {
    let folder = tempfile::tempdir().unwrap();
    fake_go(folder.path());
    let builds: Vec<_> = (0..3).map(|_| build(folder.path(), "none").spawn().unwrap()).collect();
    let outputs: Vec<_> = builds.into_iter().map(|build| build.wait_with_output().unwrap()).collect();

    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    assert_eq!(calls(folder.path()), ALL);
    let words: String = outputs.iter().map(|output| String::from_utf8_lossy(&output.stderr)).collect();
    assert!(
        words.contains("waiting for another process that builds") && words.contains("first time only"),
        "{words}"
    );
}

#[test]
fn the_stages_of_kwok_lie_beside_it_without_kustomizations() {
    let folder = tempfile::tempdir().unwrap();
    fake_go(folder.path());
    assert!(build(folder.path(), "none").output().unwrap().status.success());

    let entries = fs::read_dir(folder.path().join("cache")).unwrap();
    let kwok =
        entries.map(|entry| entry.unwrap().path()).find(|path| path.display().to_string().contains("kwok-v"));
    let stages = fs::read_to_string(kwok.unwrap().join("stages.yaml")).unwrap();
    assert_eq!(
        stages,
        "stage: node/fast\n\n---\nstage: node/heartbeat-with-lease\n\n---\nstage: pod/fast\n\n---\n"
    );
}

#[test]
fn a_failed_build_shows_the_compilers_words_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    fake_go(folder.path());
    let failed = build(folder.path(), "kwok").output().unwrap();
    let words = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && words.contains("main.go:1: nothing compiles"), "{words}");

    assert!(build(folder.path(), "none").output().unwrap().status.success());
    assert_eq!(calls(folder.path()).len(), ALL.len() + 1);
}
