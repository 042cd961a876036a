//! The shell blocks of the documents are executed as they stand.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::bed::{Bed, IMAGE};

/// Those whose blocks are for who installs and operates.
const DOCUMENTS: [&str; 5] =
    ["README.md", "docs/install.md", "docs/kubectl-edge.md", "docs/probe.md", "docs/healing.md"];

/// What is not executed here, by how it begins, and why.
const ELSEWHERE: [(&str, &str); 12] = [
    ("demo/run.sh", "it is a step of .ci/run"),
    ("cargo test --workspace", "it is what executes this"),
    ("cargo build --release", "the tests have a build of their own"),
    ("target/release/edge-scheduler --kubeconfig", "tests/it starts it with these flags"),
    ("kubectl krew install", "it takes a release"),
    ("krew/release.sh", "it makes a release"),
    ("deploy/image.sh", "tests/real runs it"),
    ("head -c 32 /dev/urandom > keys/current", "tests/agents runs agents so"),
    ("edge-scheduler probe --standalone", "tests/agents runs agents so"),
    ("edge-scheduler probe --node-name a", "tests/agents runs agents so"),
    ("kubectl edge failover --confirm", "tests/cluster has a node that fails"),
    ("kubectl get nd edge-1 -o yaml", "KWOK's agents make none"),
];

/// A command of a document.
#[derive(Debug)]
struct Line {
    document: &'static str,
    command: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// All lines of shell blocks, without comments.
fn lines(document: &'static str) -> Vec<Line> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let mut is_shell = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(language) = line.strip_prefix("```") {
            is_shell = !is_shell && language == "sh";
        } else if is_shell {
            let command = line.split(" #").next().unwrap_or_default().trim().to_owned();
            found.push(Line { document, command });
        }
    }
    found
}

/// What somebody has in the PATH who follows the documents.
fn path_of_programs(folder: &Path) -> OsString {
    for (name, program) in [
        ("kubectl-edge", PathBuf::from(env!("CARGO_BIN_EXE_kubectl-edge"))),
        ("kubectl", controlplane::kubectl().unwrap()),
        ("helm", controlplane::helm().unwrap()),
    ] {
        symlink(program, folder.join(name)).unwrap();
    }
    let others = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(folder.to_owned()).chain(std::env::split_paths(&others))).unwrap()
}

/// Takes away what is installed, by whomever.
fn clean(bed: &Bed) {
    bed.done(&["uninstall", "--yes", "--force"]);
}

/// What has to be so before a line.
fn prepare(bed: &Bed, command: &str) {
    match command {
        // Two ways to the same.
        "kubectl apply --server-side -k deploy/base"
        | "helm install edge-scheduler deploy/chart --namespace kube-system" => clean(bed),
        "kubectl edge uninstall --dry-run=client" => {
            let helm = controlplane::helm().unwrap();
            let mut helm = Command::new(helm);
            helm.args(["uninstall", "edge-scheduler", "-n", "kube-system", "--wait"]);
            assert!(helm.env("KUBECONFIG", bed.cp.kubeconfig()).status().unwrap().success());
            bed.done(&["install", "--image", IMAGE, "--wait=false"]);
            bed.cp.kubectl(&["delete", "deployment", "web"]).unwrap();
        }
        "kubectl edge status" => {
            // KWOK's pods do nothing, so nobody leads.
            let lease =
                json!({"metadata": {"name": "edge-scheduler"}, "spec": {"holderIdentity": "somebody_1"}});
            let path = "/apis/coordination.k8s.io/v1/namespaces/edge-system/leases";
            bed.cp.client().create(path, &lease).unwrap();
        }
        "kubectl get nd" => _ = bed.done(&["install", "--image", IMAGE, "--wait=false"]),
        _ => (),
    }
}

/// Runs a line on a terminal, and says yes to what is asked.
fn execute(bed: &Bed, path: &OsString, line: &Line) {
    let command = line.command.replacen("cargo run -p kubectl-edge --", "kubectl-edge", 1);
    let is_of_files = command.starts_with("kubectl-edge simulate");
    let folder = root().join(if is_of_files { "plugin/tests/fixtures/bme" } else { "." });
    // As a user: a release knows its image, a development build finds the one that is there.
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &command, "/dev/null"]).current_dir(folder);
    terminal.env("KUBECONFIG", bed.cp.kubeconfig()).env("PATH", path).env_remove("NO_COLOR");
    terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = terminal.spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"y\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let Line { document, command } = line;
    assert!(output.status.success(), "{document}: {command}: {}\n{said}", output.status);
}

/// On a cluster on which nothing is installed, and then again nothing is.
pub(crate) fn what_the_documents_show_works(bed: &Bed) {
    let template = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "example.org/web:1"}]},
    });
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template});
    bed.cp.kubectl(&["delete", "deployment", "web", "--ignore-not-found"]).unwrap();
    let web = json!({"metadata": {"name": "web"}, "spec": spec});
    bed.cp.client().create("/apis/apps/v1/namespaces/default/deployments", &web).unwrap();
    bed.cp.add_nodes(&[controlplane::FakeNode::new("node1")]).unwrap();
    bed.done(&["install", "--image", IMAGE, "--wait=false"]);
    let programs = tempfile::tempdir().unwrap();
    let path = path_of_programs(programs.path());
    let mut executed = 0;
    for line in DOCUMENTS.into_iter().flat_map(lines) {
        if ELSEWHERE.iter().any(|(start, _)| line.command.starts_with(start)) {
            continue;
        }
        prepare(bed, &line.command);
        execute(bed, &path, &line);
        executed += 1;
    }
    assert!(executed >= 12, "{executed}");
    clean(bed);
}

#[test]
fn what_is_executed_elsewhere_is_still_shown() {
    let all: Vec<Line> = DOCUMENTS.into_iter().flat_map(lines).collect();
    for (start, why) in ELSEWHERE {
        assert!(all.iter().any(|line| line.command.starts_with(start)), "{start} ({why})");
    }
}
