//! Each flag of `kubectl options`, kubeconfig lists, certificates, credential plugins, namespaces and proxies: the same
//! request as kubectl's.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use controlplane::Identity;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Bed, Said};
use crate::proxy::Proxy;

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
    let decoded = BASE64_STANDARD.decode(cluster["certificate-authority-data"].as_str().unwrap());
    std::fs::write(&authority, decoded.unwrap()).unwrap();
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

    certificates(&bed, &files, &exec);
    namespaces(&bed, &files);
    proxies(&bed, &files, port);
}

/// Users that are known by a certificate, from every place that it can stand in.
fn certificates(bed: &Bed, files: &Files, exec: &dyn Fn(&str, &[&str]) -> Value) {
    let user = bed.cp.identity("anna", "system:masters").unwrap();
    let stranger = Identity::stranger("anna", "system:masters").unwrap();
    for (name, identity) in [("anna", &user), ("stranger", &stranger)] {
        std::fs::write(files.path(&format!("{name}.crt")), &identity.certificate).unwrap();
        std::fs::write(files.path(&format!("{name}.key")), &identity.key).unwrap();
    }
    let by = |name: &str, user: Value| files.write(name, |it| it["users"][0]["user"] = user.clone());
    let good = |path: &Path, flags: &[&str], succeeds: bool| {
        check(bed, &[("KUBECONFIG", path.to_str().unwrap())], flags, succeeds);
    };
    let data = |text: &str| BASE64_STANDARD.encode(text);
    let inline =
        json!({"client-certificate-data": data(&user.certificate), "client-key-data": data(&user.key)});
    good(&by("by-data", inline.clone()), &[], true);
    // They stand beside the kubeconfig.
    good(&by("by-files", json!({"client-certificate": "anna.crt", "client-key": "anna.key"})), &[], true);
    good(&by("by-no-key", json!({"client-certificate": "anna.crt"})), &[], false);
    good(&by("by-gone", json!({"client-certificate": "gone.crt", "client-key": "anna.key"})), &[], false);
    good(
        &by("by-stranger", json!({"client-certificate": "stranger.crt", "client-key": "stranger.key"})),
        &[],
        false,
    );
    // Without flags kubectl would ask such a user for a name and a password, which we leave to it.
    let nobody = by("by-nobody", json!({}));
    let [certificate, key] = ["anna.crt", "anna.key"].map(|name| files.path(name).display().to_string());
    good(&nobody, &["--client-certificate", &certificate, "--client-key", &key], true);
    good(&nobody, &["--client-certificate", &certificate], false);
    // A flag stands for what the file has of the same.
    good(&by("by-both", inline), &["--client-certificate", &certificate, "--client-key", &key], true);
    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"clientCertificateData": user.certificate, "clientKeyData": user.key}});
    std::fs::write(files.path("credential.json"), credential.to_string()).unwrap();
    let printed = files.path("credential.json").display().to_string();
    good(&by("by-plugin-certificate", exec("cat", &[&printed])), &[], true);
}

/// Which namespace is meant: the names that kubectl lists are those that we list.
fn namespaces(bed: &Bed, files: &Files) {
    let template = json!({"metadata": {"labels": {"app": "x", "delay_a": "5"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]}});
    for namespace in ["default", "one", "two"] {
        if namespace != "default" {
            bed.add_namespace(namespace);
        }
        let object = json!({"metadata": {"name": format!("in-{namespace}")},
            "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template}});
        bed.cp
            .client()
            .create(&format!("/apis/apps/v1/namespaces/{namespace}/deployments"), &object)
            .unwrap();
    }
    let two = files.write("in-two", |it| it["contexts"][0]["context"]["namespace"] = json!("two"));
    let admin = bed.cp.kubeconfig();
    let kubectl = controlplane::kubectl().unwrap();
    let ours = Path::new(env!("CARGO_BIN_EXE_kubectl-edge"));
    for (config, flags) in [
        (admin, &[][..]),
        (admin, &["-n", "one"]),
        (admin, &["--namespace=one"]),
        (admin, &["-n", "gone"]),
        (admin, &["-A"]),
        (admin, &["-A", "-n", "one"]),
        (admin, &["-n", ""]),
        (&two, &[]),
        (&two, &["-n", "one"]),
        (&two, &["-n", ""]),
    ] {
        let list = |program: &Path, words: &[&str]| {
            let mut command = Command::new(program);
            let output =
                command.args(words).args(flags).args(["-o", "name"]).env("KUBECONFIG", config).output();
            let said = Said::of(&output.unwrap());
            let mut names: Vec<String> = said.out.lines().map(str::to_owned).collect();
            names.sort_unstable();
            (said.code, names)
        };
        assert_eq!(list(&kubectl, &["get", "deployments"]), list(ours, &["delay", "get"]), "{flags:?}");
    }
}

/// By whom requests go. This machine is never reached through a proxy that the environment names, so the server goes
/// by a name that its certificate has and nobody can resolve.
fn proxies(bed: &Bed, files: &Files, port: &str) {
    let (http, socks) = (Proxy::http(), Proxy::socks());
    let both = |env: &[(&str, &str)], flags: &[&str], succeeds: bool| {
        let mut ways = Vec::new();
        for (program, words) in [
            (controlplane::kubectl().unwrap(), ["get", "nodes"]),
            (env!("CARGO_BIN_EXE_kubectl-edge").into(), ["label-cloud", "--list"]),
        ] {
            let mut command = Command::new(program);
            for name in ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "HTTP_PROXY"] {
                command.env_remove(name);
            }
            command.args(words).args(flags).args(["--request-timeout", "20s"]).envs(env.iter().copied());
            let said = Said::of(&command.output().unwrap());
            assert_eq!(said.code == Some(0), succeeds, "{env:?} {flags:?}: {said:?}");
            ways.push([http.asked(), socks.asked()]);
        }
        assert_eq!(ways[0], ways[1], "{env:?} {flags:?}");
        ways.remove(0)
    };
    let (by_http, by_socks) =
        (format!("http://127.0.0.1:{}", http.port), format!("socks5://127.0.0.1:{}", socks.port));
    let config = bed.cp.kubeconfig().to_str().unwrap();
    let named = format!("https://kubernetes:{port}");
    let good = ("KUBECONFIG", config);
    let target = format!("kubernetes:{port}");

    both(&[good], &["-s", &named], false);
    let ways = both(&[good, ("HTTPS_PROXY", &by_http)], &["-s", &named], true);
    assert_eq!(ways, [vec![target.clone()], Vec::new()]);
    both(&[good, ("https_proxy", &by_http)], &["-s", &named], true);
    let without_scheme = by_http.trim_start_matches("http://");
    both(&[good, ("HTTPS_PROXY", without_scheme)], &["-s", &named], true);
    both(&[good, ("HTTP_PROXY", &by_http)], &["-s", &named], false);
    both(&[good, ("HTTPS_PROXY", &by_http), ("NO_PROXY", "other, kubernetes")], &["-s", &named], false);
    both(&[good, ("HTTPS_PROXY", &by_http), ("NO_PROXY", "*")], &["-s", &named], false);
    both(&[good, ("HTTPS_PROXY", &by_http), ("NO_PROXY", "10.0.0.0/8,bernetes")], &["-s", &named], true);
    // This machine, by nobody.
    let ways = both(&[good, ("HTTPS_PROXY", &by_http)], &[], true);
    assert_eq!(ways, [Vec::<String>::new(), Vec::new()]);
    let ways = both(&[good, ("HTTPS_PROXY", &by_socks)], &["-s", &named], true);
    assert_eq!(ways, [Vec::new(), vec![target]]);
    // What the kubeconfig names goes before all of it.
    for (proxy, succeeds) in [(by_http.as_str(), true), (&by_socks, true), ("http://127.0.0.1:1", false)] {
        let path = files.write("by-proxy", |it| it["clusters"][0]["cluster"]["proxy-url"] = json!(proxy));
        let env = [("KUBECONFIG", path.to_str().unwrap()), ("NO_PROXY", "*")];
        both(&env, &[], succeeds);
    }
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
