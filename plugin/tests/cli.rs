//! What a user of the plugin sees without a cluster: help, tables, JSON and errors, compared with `tests/snapshots`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod snapshot;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILES: [&str; 9] =
    ["simulate", "-d", "delays.txt", "-m", "metadata.json", "-n", "nodes.json", "-p", "pods"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The plugin, where the files of the BME demo are.
fn plugin<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-edge"));
    command.args(args).current_dir(here().join("tests/fixtures/bme")).env_remove("NO_COLOR");
    // No cluster of the machine's.
    command.env("KUBECONFIG", "/nowhere").env_remove("KUBERNETES_SERVICE_HOST");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A line without durations and platform.
fn steady(line: &str) -> String {
    if let Some((head, _)) = line.split_once("icroseconds\": ") {
        let comma = if line.ends_with(',') { "," } else { "" };
        return format!("{head}icroseconds\": [DURATION]{comma}");
    }
    if let Some((head, _)) = line.split_once("Microseconds: ") {
        return format!("{head}Microseconds: [DURATION]");
    }
    let is_timing =
        ["ADMITTED BY", "radius ", "cluster ", "layers made in"].iter().any(|head| line.starts_with(head))
            || line.contains(" decisions in ");
    if !is_timing {
        return line.replace(&platform(), "[PLATFORM]");
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let next = words.iter().skip(1).copied().chain([""]);
    let is_unit = |word: &str| ["µs", "ms"].contains(&word.trim_end_matches([',', ':']));
    let shown = words.iter().zip(next).filter(|(word, _)| !is_unit(word));
    shown.map(|(word, next)| if is_unit(next) { "[DURATION]" } else { word }).collect::<Vec<_>>().join(" ")
}

fn platform() -> String {
    let arch = std::env::consts::ARCH.replace("x86_64", "amd64").replace("aarch64", "arm64");
    format!("{}/{arch}", std::env::consts::OS.replace("macos", "darwin"))
}

#[track_caller]
fn check(snapshot: &str, args: &[&str]) {
    let output = plugin(args).output().unwrap();
    let steady = |bytes: &[u8]| text(bytes).lines().map(|line| steady(line) + "\n").collect::<String>();
    let (out, err) = (steady(&output.stdout), steady(&output.stderr));
    snapshot::compare(snapshot, &snapshot::shown(args, &out, &err, output.status.code()));
}

/// `simulate` with further arguments.
#[track_caller]
fn check_simulate(snapshot: &str, further: &[&str]) {
    check(snapshot, &[&FILES, further].concat());
}

#[test]
fn help() {
    check("help", &["help"]);
    check("help-simulate", &["help", "simulate"]);
    check("help-simulate-short", &["simulate", "-h"]);
    check("help-version", &["version", "--help"]);
    check("help-options", &["options"]);
    check("help-label-cloud", &["label-cloud", "--help"]);
    check("help-label-dpdk", &["label-dpdk", "--help"]);
    check("help-delay", &["delay", "--help"]);
    check("help-delay-set", &["delay", "set", "--help"]);
    check("help-delay-unset", &["delay", "unset", "--help"]);
    check("help-delay-get", &["delay", "get", "--help"]);
    check("help-delay-lint", &["delay", "lint", "--help"]);
    check("help-latency", &["latency", "--help"]);
    check("help-latency-matrix", &["latency", "matrix", "--help"]);
    check("help-latency-top", &["latency", "top", "--help"]);
    check("help-latency-probe", &["latency", "probe", "--help"]);
    check("help-latency-export", &["latency", "export", "--help"]);
    check("help-explain", &["explain", "--help"]);
    check("help-drill", &["drill", "--help"]);
    check("help-failover", &["failover", "--help"]);
    check("help-completion", &["completion", "--help"]);
}

#[test]
fn installing_without_a_server() {
    for command in ["install", "uninstall", "status", "check"] {
        check(&format!("help-{command}"), &["help", command]);
    }
    check("install-no-image", &["install", "--export"]);
    check("install-dry-run", &["install", "--dry-run=client", "--ha", "--image", "r/e:1"]);
    check("install-dry-run-json", &["install", "--dry-run=client", "--image", "r/e:1", "-o", "json"]);
    check(
        "install-default-profile",
        &["install", "--export", "--image", "r/e:1", "--profile", "default-scheduler"],
    );
    check("install-odd-profile", &["install", "--export", "--image", "r/e:1", "--profile", "a b"]);
    check("install-no-file", &["install", "--export", "--image", "r/e:1", "-f", "gone.yaml"]);
    check("install-odd-part", &["install", "--export", "--image", "r/e:1", "-f", "pods/request-1.yaml"]);
}

#[test]
fn version() {
    check("version", &["version", "--client"]);
    check("version-json", &["version", "--client", "-o", "json"]);
    check("version-unreachable", &["version", "-s", "https://127.0.0.1:1"]);
    check("version-flag", &["--version"]);
}

#[test]
fn the_four_bme_requests() {
    check_simulate("simulate", &[]);
    check_simulate("simulate-json", &["-o", "json"]);
    check_simulate("simulate-yaml", &["-o", "yaml"]);
    check_simulate("simulate-both", &["-b"]);
    check_simulate("simulate-both-json", &["-b", "-o", "json"]);
}

#[test]
fn json_and_yaml_are_the_same_object() {
    let run = |format: &str| plugin(&[&FILES[..], &["-b", "-o", format]].concat()).output().unwrap().stdout;
    let json: serde_json::Value = serde_json::from_slice(&run("json")).unwrap();
    let yaml: serde_json::Value = serde_yaml::from_slice(&run("yaml")).unwrap();
    for object in [&json, &yaml] {
        assert!(object["timing"]["maxMicroseconds"].as_f64() > Some(0.0), "{object}");
        assert_eq!(object["apiVersion"], "kubectl-edge.dev/v1alpha1");
    }
    assert_eq!(json["placed"], yaml["placed"]);
    assert_eq!(json["clustering"]["radii"], yaml["clustering"]["radii"]);
}

#[test]
fn wrong_usage() {
    check("usage-nothing", &[]);
    check("usage-unknown", &["simulat"]);
    check("usage-missing", &["simulate", "-d", "delays.txt"]);
    check("usage-delay-kind", &["delay", "set", "node/a", "edge-1=5"]);
    check("usage-delay-value", &["delay", "set", "deploy/a", "edge-1=5s"]);
    check("usage-delay-nothing", &["delay", "set", "deploy/a"]);
    check("usage-delay-unset", &["delay", "unset", "deploy/a"]);
    check_simulate("usage-profile", &["--profile", "nobody"]);
}

/// The demo's files in a folder of their own, with one of them replaced.
fn folder_with(test: &str, file: &str, content: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("pods")).unwrap();
    let fixtures = here().join("tests/fixtures/bme");
    for name in ["delays.txt", "metadata.json", "nodes.json", "pods/request-1.yaml"] {
        fs::copy(fixtures.join(name), folder.join(name)).unwrap();
    }
    fs::write(folder.join(file), content).unwrap();
    folder
}

/// What is written to standard error, and the exit code, with one file replaced.
#[track_caller]
fn check_file(test: &str, file: &str, content: &str, code: i32, expected: &str) {
    let folder = folder_with(test, file, content);
    let output = plugin(&FILES).current_dir(folder).output().unwrap();
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), (expected, Some(code)));
}

#[test]
fn malformed_files() {
    let hint = "hint: 'simulate --help' describes the files\n";
    let check = |test: &str, file: &str, content: &str, expected: &str| {
        check_file(test, file, content, 1, &format!("error: {expected}\n{hint}"));
    };
    check(
        "matrix-text",
        "delays.txt",
        "0 1\n1 abc\n",
        r#"delays.txt:2:3: "abc" is not a number of milliseconds"#,
    );
    check(
        "matrix-empty",
        "delays.txt",
        "",
        "delays.txt: is empty; it should hold round-trip times in milliseconds, one row a line",
    );
    check(
        "matrix-small",
        "delays.txt",
        "0 1\n1 0\n",
        r#"metadata.json: "edge-2" has row index 2, but the matrix has 2 rows; the last is 1"#,
    );
    check(
        "metadata-twice",
        "metadata.json",
        r#"{"edge-1": 0, "edge-1": 1}"#,
        r#"metadata.json:1:26: "edge-1" is there twice; each node has one row"#,
    );
    check("nodes-none", "nodes.json", "[]", "nodes.json: holds no nodes");
    check(
        "nodes-twice",
        "nodes.json",
        r#"[{"name": "a", "allocatable_memory": "1Gi"}, {"name": "a", "allocatable_memory": "1Gi"}]"#,
        r#"nodes.json: node "a" is there twice; names must be unique over all files"#,
    );
    check(
        "pods-syntax",
        "pods/request-2.yaml",
        "kind: Pod\nmetadata: {name: x\n",
        "pods/request-2.yaml:3:1: did not find expected ',' or '}', while parsing a flow mapping at line 2 column 11",
    );
    let again = fs::read_to_string(here().join("tests/fixtures/bme/pods/request-1.yaml")).unwrap();
    check(
        "pods-twice",
        "pods/request-2.yaml",
        &again,
        "pods: Deployment default/deployment1 is there twice; names must be unique over all files",
    );
}

#[test]
fn files_that_do_not_belong_together() {
    check_file(
        "names-differ",
        "metadata.json",
        r#"{"node-1": 0}"#,
        1,
        "error: no node of nodes.json has a row in metadata.json\nhint: a node has the same name in both\n",
    );
    check_file(
        "names-missing",
        "metadata.json",
        r#"{"edge-1": 1, "edge-2": 2, "edge-3": 3, "edge-4": 4, "moved": 5}"#,
        0,
        "warning: metadata.json has no row for cloud-1, edge-5; their delays are unknown\n\
         warning: metadata.json has rows for moved, not in nodes.json\n",
    );
    check_file(
        "pods-odd",
        "pods/request-2.yaml",
        "kind: Service\nmetadata: {name: web}\n---\nkind: Pod\nmetadata: {name: x}\nspec: {schedulerName: volcano}\n",
        0,
        "warning: pods/request-2.yaml: Service default/web makes no pods\n\
         warning: Pod default/x: scheduler volcano is not known; judged by custom-scheduler\n",
    );
}

#[test]
fn a_connection_that_is_described_wrongly() {
    check("connection-context", &["version", "--context", "gone"]);
    check("connection-kubeconfig", &["version", "--kubeconfig", "gone"]);
    check("connection-timeout", &["version", "--request-timeout", "soon"]);
    check("connection-nobody", &["label-cloud", "-s", "http://127.0.0.1:1"]);
}

#[test]
fn files_that_are_not_there() {
    let args = ["simulate", "-d", "delays.txt", "-m", "gone.json", "-n", "nodes.json", "-p", "pods"];
    check("file-missing", &args);
}

#[test]
fn pods_that_stay_pending_are_a_finding() {
    let pod = |name: &str, label: &str| {
        format!("---\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{{label}}}}}\n")
    };
    let manifest = pod("anchored", "delay_nowhere: '5'") + &pod("odd", "delay_edge-1: fast");
    let folder = folder_with("pending", "pods/request-2.yaml", &manifest);
    let output = plugin(&FILES).current_dir(folder).output().unwrap();
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{shown}");
    for expected in [
        "default/deployment1-",
        "shop/anchored   0/6 nodes are available: anchor nowhere is not placed",
        "shop/odd        0/6 nodes are available: label delay_edge-1: value \"fast\" is not a number",
        "1 of 3 pods placed on 6 nodes",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }
}

#[test]
fn nodes_and_pods_may_be_folders_of_files() {
    let folder = folder_with("folders", "pods/notes.txt", "not a manifest");
    fs::create_dir(folder.join("nodes")).unwrap();
    for (file, name) in [("b.json", "edge-1"), ("a.json", "edge-2")] {
        let node = format!(r#"{{"name": "{name}", "allocatable_memory": "8Gi"}}"#);
        fs::write(folder.join("nodes").join(file), node).unwrap();
    }
    let args = ["simulate", "-d", "delays.txt", "-m", "metadata.json", "-n", "nodes", "-p", "pods"];
    let output = plugin(&args).current_dir(&folder).output().unwrap();
    assert!(text(&output.stdout).contains("1 of 1 pods placed on 2 nodes"), "{output:?}");
    fs::create_dir(folder.join("empty")).unwrap();
    let args = ["simulate", "-d", "delays.txt", "-m", "metadata.json", "-n", "empty", "-p", "pods"];
    let output = plugin(&args).current_dir(folder).output().unwrap();
    assert_eq!(text(&output.stderr), "error: folder empty has no file ending in .json\n");
}

#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let is_coloured =
        |args: &[&str]| plugin(args).env("NO_COLOR", "1").output().unwrap().stdout.contains(&0x1b);
    assert!(!is_coloured(&FILES));
    assert!(!is_coloured(&[&FILES[..], &["--color", "never"]].concat()));
    assert!(is_coloured(&[&FILES[..], &["--color", "always"]].concat()));
    assert!(!is_coloured(&["help"]));
    assert!(is_coloured(&["--color=always", "help"]));
}

#[test]
#[cfg(unix)]
fn it_goes_by_the_name_it_is_called_by() {
    use std::os::unix::process::CommandExt;
    let version_as = |name: &str| text(&plugin(&["--version"]).arg0(name).output().unwrap().stdout);
    assert!(version_as("/opt/bin/kubectl-edge_scheduler").starts_with("kubectl edge-scheduler "));
    assert!(version_as("edge").starts_with("edge "));
    let help = plugin(&["help", "simulate"]).arg0("kubectl-edge_scheduler").output().unwrap();
    assert!(text(&help.stdout).contains("  kubectl edge-scheduler simulate -d delays.txt"), "{help:?}");
}

/// What kubectl would offer, asked as kubectl asks: the program goes by the name of its helper.
#[cfg(unix)]
fn offered(words: &[&str]) -> String {
    use std::os::unix::process::CommandExt;
    let output = plugin(words).arg0("/opt/bin/kubectl_complete-edge").output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    text(&output.stdout)
}

#[test]
#[cfg(unix)]
fn kubectl_is_told_what_can_be_typed() {
    assert!(offered(&["lab"]).starts_with("label-cloud\tMark nodes as cloud nodes"), "{}", offered(&["lab"]));
    assert_eq!(offered(&["latency", "matrix", "--by", "s"]), "site\n:4\n");
    // Without a cluster there are no names, and not a word of it.
    assert_eq!(offered(&["label-cloud", "e"]), ":4\n");
    assert!(offered(&["delay", "set", "de"]).starts_with("deploy/\n"));
}

#[test]
#[cfg(unix)]
fn completion_is_put_beside_the_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let (program, helper) = (folder.path().join("kubectl-edge"), folder.path().join("kubectl_complete-edge"));
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubectl-edge"), &program).unwrap();
    let run = |words: &[&str]| Command::new(&program).args(words).output().unwrap();
    assert!(run(&["completion", "install"]).status.success());
    assert_eq!(fs::read_link(&helper).unwrap(), Path::new("kubectl-edge"));
    assert!(run(&["completion", "install"]).status.success());
    assert!(run(&["completion", "uninstall"]).status.success());
    assert!(!helper.exists());
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = text(&run(&["completion", shell]).stdout);
        assert!(script.contains("KUBECTL_EDGE_COMPLETE"), "{shell}: {script}");
    }
}
