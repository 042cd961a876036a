//! Each flag of `kubectl options`, kubeconfig lists and credential plugins: the same request as kubectl's.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Bed, Said};

/// What the server saw of a request: who, as whom, where.
type Seen = Vec<(Value, Value, Value)>;

/// Kubeconfig files made for a test.
struct Files {
    folder: TempDir,
    config: Value,
}

impl Files {
    fn new(bed: &Bed) -> Self {
        let text = std::fs::read_to_string(bed.cp.kubeconfig()).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), config: serde_json::from_str(&text).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The administrator's kubeconfig after `change`.
    fn write(&self, name: &str, change: impl Fn(&mut Value)) -> PathBuf {
        let mut config = self.config.clone();
        change(&mut config);
        std::fs::write(self.path(name), config.to_string()).unwrap();
        self.path(name)
    }
}

/// Runs kubectl and the plugin with these flags and variables; both list the nodes.
fn compare(bed: &Bed, env: &[(&str, &str)], flags: &[&str]) -> [(bool, Seen, Said); 2] {
    let kubectl = controlplane::kubectl().unwrap();
    let run = |program: &Path, words: &[&str]| {
        let before = bed.audit().len();
        let mut command = Command::new(program);
        command.args(words).args(flags).env_remove("KUBECONFIG").envs(env.iter().copied());
        command.current_dir(std::env::temp_dir());
        let said = Said::of(&command.output().unwrap());
        let agent = if words[0] == "get" { "kubectl/" } else { "kubectl-edge/" };
        let of_nodes = |it: &&Value| {
            it["objectRef"]["resource"] == "nodes"
                && it["verb"] == "list"
                && it["userAgent"].as_str().is_some_and(|it| it.starts_with(agent))
        };
        let seen: Seen = bed.audit()[before..]
            .iter()
            .filter(of_nodes)
            .map(|it| (it["user"].clone(), it["impersonatedUser"].clone(), it["requestURI"].clone()))
            .map(|(mut user, other, uri)| {
                // Which of the user's credentials it was differs from connection to connection.
                user["extra"] = json!(null);
                (user, other, uri)
            })
            .collect();
        (said.code == Some(0), seen, said)
    };
    let ours = Path::new(env!("CARGO_BIN_EXE_kubectl-edge"));
    [run(&kubectl, &["get", "nodes", "-o", "name"]), run(ours, &["label-cloud", "--list"])]
}

#[track_caller]
fn check(bed: &Bed, env: &[(&str, &str)], flags: &[&str], succeeds: bool) {
    let [(theirs, seen, said), (ours, seen_of_us, said_by_us)] = compare(bed, env, flags);
    assert_eq!(
        (theirs, ours),
        (succeeds, succeeds),
        "{flags:?} {env:?}\nkubectl: {said:?}\nwe: {said_by_us:?}"
    );
    let who =
        |seen: &Seen| seen.iter().map(|(user, other, _)| (user.clone(), other.clone())).collect::<Vec<_>>();
    assert_eq!(who(&seen), who(&seen_of_us), "{flags:?} {env:?}\nkubectl: {said:?}\nwe: {said_by_us:?}");
    assert!(!said_by_us.err.contains("panicked"), "{said_by_us:?}");
}

/// Nobody else may ask this server anything, so it is this test's own.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_flag_means_what_it_means_to_kubectl() {
    let bed = Bed::start();
    let files = Files::new(&bed);
    let config = bed.cp.kubeconfig().to_str().unwrap();
    let good = [("KUBECONFIG", config)];
    let cluster = files.config["clusters"][0]["cluster"].clone();
    let (server, token) = (cluster["server"].as_str().unwrap(), bed.cp.token());
    let authority = files.path("ca.crt");
    let decoded = Command::new("base64")
        .args(["-d"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut child = decoded.unwrap();
    std::io::Write::write_all(
        child.stdin.as_mut().unwrap(),
        cluster["certificate-authority-data"].as_str().unwrap().as_bytes(),
    )
    .unwrap();
    std::fs::write(&authority, child.wait_with_output().unwrap().stdout).unwrap();
    let authority = authority.to_str().unwrap();
    let port = server.rsplit(':').next().unwrap();

    // Which cluster, and whom to trust.
    check(&bed, &good, &[], true);
    check(&bed, &[], &["--kubeconfig", config], true);
    check(&bed, &good, &["--kubeconfig", "/nowhere"], false);
    check(&bed, &good, &["--context", "controlplane"], true);
    check(&bed, &good, &["--context", "gone"], false);
    check(&bed, &good, &["--cluster", "controlplane"], true);
    check(&bed, &good, &["--cluster", "gone"], false);
    check(&bed, &good, &["--user", "gone"], false);
    check(&bed, &good, &["-s", &format!("https://localhost:{port}")], true);
    check(&bed, &good, &["--server", "https://127.0.0.1:1"], false);
    check(&bed, &good, &["--tls-server-name", "kubernetes"], true);
    check(&bed, &good, &["--tls-server-name", "nobody.example.org"], false);
    check(&bed, &[("KUBECONFIG", "/nowhere")], &["-s", server, "--token", token], false);
    check(
        &bed,
        &[("KUBECONFIG", "/nowhere")],
        &["-s", server, "--token", token, "--certificate-authority", authority],
        true,
    );
    check(
        &bed,
        &[("KUBECONFIG", "/nowhere")],
        &["-s", server, "--token", token, "--insecure-skip-tls-verify"],
        true,
    );
    check(
        &bed,
        &[("KUBECONFIG", "/nowhere")],
        &["-s", server, "--token", token, "--insecure-skip-tls-verify=false"],
        false,
    );
    check(&bed, &good, &["--insecure-skip-tls-verify", "--certificate-authority", authority], false);
    check(&bed, &good, &["--certificate-authority", "/nowhere"], false);
    check(
        &bed,
        &good,
        &["--disable-compression", "--match-server-version=false", "--cache-dir", "/tmp/none", "-v=0"],
        true,
    );
    check(&bed, &good, &["--request-timeout", "30"], true);
    check(&bed, &good, &["--request-timeout", "1m"], true);
    check(&bed, &good, &["--request-timeout", "soon"], false);

    // As whom.
    check(&bed, &good, &["--token", "wrong"], false);
    check(&bed, &good, &["--as", "nobody"], false);
    check(&bed, &good, &["--as", "anna", "--as-group", "system:masters", "--as-group", "b"], true);
    check(
        &bed,
        &good,
        &[
            "--as",
            "anna",
            "--as-group",
            "system:masters",
            "--as-uid",
            "7",
            "--as-user-extra",
            "a=1",
            "--as-user-extra",
            "a=2",
        ],
        true,
    );
    check(&bed, &good, &["--as-group", "system:masters"], false);
    check(&bed, &good, &["--as-uid", "7"], false);

    // Lists of files: those that are not there are passed over, the first to name something wins.
    let nobody = bed.cp.kubeconfig_of("nobody").unwrap().to_str().unwrap();
    check(&bed, &[("KUBECONFIG", &format!("/nowhere:{config}"))], &[], true);
    check(&bed, &[("KUBECONFIG", &format!("::{config}:{config}"))], &[], true);
    check(&bed, &[("KUBECONFIG", &format!("{config}:{nobody}"))], &[], true);
    check(&bed, &[("KUBECONFIG", &format!("{nobody}:{config}"))], &[], false);
    let contextless = files.write("contextless", |it| it["current-context"] = json!(""));
    check(&bed, &[("KUBECONFIG", &format!("{}:{config}", contextless.display()))], &[], true);
    let broken = files.path("broken");
    std::fs::write(&broken, "clusters: {").unwrap();
    check(&bed, &[("KUBECONFIG", &format!("{}:{config}", broken.display()))], &[], false);

    // Files beside the kubeconfig, and what makes credentials.
    std::fs::write(files.path("token"), format!("{token}\n")).unwrap();
    let by_file = files.write("by-file", |it| {
        it["users"][0]["user"] = json!({"tokenFile": "token"});
        it["clusters"][0]["cluster"] = json!({"server": server, "certificate-authority": "ca.crt"});
    });
    check(&bed, &[("KUBECONFIG", by_file.to_str().unwrap())], &[], true);
    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": token}});
    let plugin = files.path("credentials.sh");
    std::fs::write(&plugin, format!("#!/bin/sh\necho '{credential}'\n")).unwrap();
    Command::new("chmod").arg("+x").arg(&plugin).status().unwrap();
    let exec = |command: &str, args: &[&str]| {
        json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": args,
            "interactiveMode": "Never", "provideClusterInfo": true}})
    };
    let by_plugin = files.write("by-plugin", |it| it["users"][0]["user"] = exec("./credentials.sh", &[]));
    check(&bed, &[("KUBECONFIG", by_plugin.to_str().unwrap())], &[], true);
    let by_failing = files.write("by-failing", |it| it["users"][0]["user"] = exec("sh", &["-c", "exit 3"]));
    check(&bed, &[("KUBECONFIG", by_failing.to_str().unwrap())], &[], false);
    let by_missing = files.write("by-missing", |it| it["users"][0]["user"] = exec("no-such-program", &[]));
    check(&bed, &[("KUBECONFIG", by_missing.to_str().unwrap())], &[], false);
}

#[test]
fn warnings_of_the_server_are_shown_and_may_be_errors() {
    let bed = Bed::get();
    bed.add_node("warned-1", &json!({}), &json!({"cpu": "1"}));
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "warn"},
        "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
                "operations": ["UPDATE"], "resources": ["nodes"], "resourceNames": ["warned-1"]}]},
            "validations": [{"expression": "!('kubernetes.io/role' in object.metadata.labels)", "message": "no roles, \"please\""}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "warn"}, "spec": {"policyName": "warn", "validationActions": ["Warn"]},
    });
    let group = "/apis/admissionregistration.k8s.io/v1";
    bed.cp.client().create(&format!("{group}/validatingadmissionpolicies"), &policy).unwrap();
    bed.cp.client().create(&format!("{group}/validatingadmissionpolicybindings"), &binding).unwrap();
    let kubectl = controlplane::kubectl().unwrap();
    let theirs = || {
        let mut command = Command::new(&kubectl);
        command.args(["label", "node", "warned-1", "kubernetes.io/role=cloud", "--dry-run=server"]);
        Said::of(&command.env("KUBECONFIG", bed.cp.kubeconfig()).output().unwrap())
    };
    // The policy takes a moment to be in force.
    let theirs = controlplane::wait_for("the policy", std::time::Duration::from_mins(1), || {
        Ok(Some(theirs()).filter(|said| !said.err.is_empty()))
    });
    let theirs = theirs.unwrap();
    let ours = bed.says(&["label-cloud", "warned-1", "--dry-run=server"]);
    assert_eq!((&theirs.err, &theirs.out, theirs.code), (&ours.err, &ours.out, ours.code));
    let strict = bed.says(&["label-cloud", "warned-1", "--dry-run=server", "--warnings-as-errors"]);
    assert_eq!(strict.code, Some(1), "{strict:?}");
    assert!(strict.err.ends_with("error: 1 warning received\n"), "{strict:?}");
}
