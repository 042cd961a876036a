//! What the scheduler shows of itself, and to whom; asked by kubectl.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use controlplane::{FakeNode, Port, wait_for};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Bed, DEADLINE, PodSpec, Replica};

/// A scheduler that serves, on a port that nobody else is given.
struct Served {
    _scheduler: Replica,
    bed: Bed,
    port: Port,
    files: TempDir,
}

/// How somebody asks.
enum Who<'a> {
    Anonymous,
    Token(&'a str),
    Certificate { certificate: &'a Path, key: &'a Path },
}

// === impl Served ===

impl Served {
    /// With these further flags; `{}` in them stands for a folder of files.
    fn start(flags: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let bed = Bed::without_scheduler(&[FakeNode::new("edge-1")]);
        bed.write_delays(&["edge-1"], &[&[0.0]]);
        let (port, files) = (Port::reserve().unwrap(), tempfile::tempdir().unwrap());
        prepare(files.path());
        let mut all = vec![
            format!("--secure-port={}", port.number()),
            "--bind-address=127.0.0.1".to_owned(),
            "--permit-port-sharing".to_owned(),
            format!("--authentication-kubeconfig={}", bed.cp.kubeconfig().display()),
            format!("--authorization-kubeconfig={}", bed.cp.kubeconfig().display()),
        ];
        let folder = files.path().display().to_string();
        all.extend(flags.iter().map(|flag| flag.replace("{}", &folder)));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let scheduler = bed.replica("scheduler", &all);
        scheduler.await_words("acquired the lease");
        let served = Self { _scheduler: scheduler, bed, port, files };
        served.await_ok(&Who::Anonymous, "/readyz");
        served
    }

    fn get(&self, who: &Who<'_>, path: &str) -> Output {
        self.get_with(who, path, &["--insecure-skip-tls-verify"])
    }

    fn get_with(&self, who: &Who<'_>, path: &str, trust: &[&str]) -> Output {
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["--kubeconfig=/dev/null", "get", "--raw", path]).args(trust);
        kubectl.arg(format!("--server=https://127.0.0.1:{}", self.port.number()));
        match who {
            // Without credentials kubectl would ask for some; these mean nothing to anybody.
            Who::Anonymous => _ = kubectl.args(["--username=somebody", "--password=something"]),
            Who::Token(token) => _ = kubectl.arg(format!("--token={token}")),
            Who::Certificate { certificate, key } => {
                kubectl.arg("--client-certificate").arg(certificate).arg("--client-key").arg(key);
            }
        }
        kubectl.stdin(Stdio::null()).output().unwrap()
    }

    /// What is answered, which has to be a success.
    fn ok(&self, who: &Who<'_>, path: &str) -> String {
        let output = self.get(who, path);
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn await_ok(&self, who: &Who<'_>, path: &str) {
        let mut last = String::new();
        let ready = wait_for(path, DEADLINE, || {
            let output = self.get(who, path);
            last = String::from_utf8_lossy(&output.stderr).into_owned();
            Ok(output.status.success().then_some(()))
        });
        ready.unwrap_or_else(|error| panic!("{error}: {last}"));
    }

    /// Why it is refused, which it has to be.
    fn refusal(&self, who: &Who<'_>, path: &str) -> String {
        let output = self.get(who, path);
        assert!(!output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    /// The token of a new service account.
    fn service_account(&self, name: &str) -> String {
        let accounts = "/api/v1/namespaces/default/serviceaccounts";
        let client = self.bed.cp.client();
        client.create(accounts, &json!({"metadata": {"name": name}})).unwrap();
        let request = json!({"spec": {}});
        let made = client.create(&format!("{accounts}/{name}/token"), &request).unwrap();
        made["status"]["token"].as_str().unwrap().to_owned()
    }

    fn allow(&self, account: &str, paths: &[&str]) {
        self.bed.make_role(account, &json!([{"nonResourceURLs": paths, "verbs": ["get"]}]));
        let subject = json!({"kind": "ServiceAccount", "namespace": "default", "name": account});
        self.bed.bind_role(account, account, &subject);
    }
}

#[test]
fn health_is_for_everybody_and_says_as_much_as_upstreams() {
    let served = Served::start(&[], |_| ());
    let admin = served.bed.cp.token().to_owned();
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(served.ok(&Who::Anonymous, path), "ok");
    }
    assert_eq!(
        served.ok(&Who::Anonymous, "/readyz?verbose"),
        "[+]leaderElection ok\n[+]shutdown ok\n[+]sched-handler-sync ok\nreadyz check passed\n"
    );
    assert_eq!(served.ok(&Who::Anonymous, "/livez?verbose"), "[+]ping ok\nlivez check passed\n");
    assert_eq!(
        served.ok(&Who::Anonymous, "/healthz?verbose&exclude=leaderElection&exclude=other"),
        "[+]leaderElection excluded: ok\n\
         warn: some health checks cannot be excluded: no matches for \"other\"\nhealthz check passed\n"
    );
    // A check of its own is not among the paths that everybody may see.
    assert!(served.refusal(&Who::Anonymous, "/livez/ping").contains("Forbidden"));
    assert_eq!(served.ok(&Who::Token(&admin), "/livez/ping"), "ok");
    assert!(served.refusal(&Who::Token(&admin), "/livez/other").contains("NotFound"));
}

#[test]
fn what_is_not_for_everybody_is_for_those_whom_the_api_server_lets() {
    let served = Served::start(&[], |_| ());
    let refusal = served.refusal(&Who::Anonymous, "/flagz");
    assert!(refusal.contains(r#"User "system:anonymous" cannot get path "/flagz""#), "{refusal}");
    let token = served.service_account("prometheus");
    let refusal = served.refusal(&Who::Token(&token), "/flagz");
    let name = "system:serviceaccount:default:prometheus";
    assert!(refusal.contains(&format!("User {name:?} cannot get path \"/flagz\"")), "{refusal}");
    served.allow("prometheus", &["/flagz", "/metrics"]);
    // The refusal is remembered for ten seconds.
    served.await_ok(&Who::Token(&token), "/flagz");
    assert!(served.refusal(&Who::Token(&token), "/configz").contains("Forbidden"));
    assert!(served.refusal(&Who::Token("nobody's"), "/flagz").contains("Unauthorized"));
}

#[test]
fn the_pages_are_those_of_upstream() {
    let served = Served::start(&[], |_| ());
    let admin = Who::Token(served.bed.cp.token());
    let flags = served.ok(&admin, "/flagz");
    assert!(flags.starts_with("\nedge-scheduler flagz\nWarning: This endpoint is not meant"), "{flags}");
    assert!(flags.contains("\nbind-address=127.0.0.1\n"), "{flags}");
    assert!(flags.contains("\npermit-port-sharing=true\n"), "{flags}");
    let status = served.ok(&admin, "/statusz");
    assert!(status.contains("\nUp: 0 hr 00 min "), "{status}");
    assert!(
        status.contains("\nPaths: /configz /flagz /healthz /livez /metrics /readyz /statusz\n"),
        "{status}"
    );
    let config: Value = serde_json::from_str(&served.ok(&admin, "/configz")).unwrap();
    assert!(config["componentconfig"].is_object(), "{config}");
    assert!(served.refusal(&admin, "/nowhere").contains("NotFound"));
}

#[test]
fn a_scrape_by_a_service_account_has_upstreams_metrics_and_passes_promlint() {
    let served = Served::start(&[], |_| ());
    let token = served.service_account("prometheus");
    served.allow("prometheus", &["/metrics", "/metrics/*"]);
    let prometheus = Who::Token(&token);
    assert!(served.refusal(&Who::Anonymous, "/metrics").contains("Forbidden"));
    served.bed.create(&PodSpec::new("web"));
    served.bed.node_of("web");
    served.bed.create(&PodSpec { memory: "64Gi", ..PodSpec::new("large") });
    served.bed.message_of("large", |message| message.contains("memory"));
    let text = served.ok(&prometheus, "/metrics");
    for line in [
        r#"scheduler_schedule_attempts_total{profile="edge-scheduler",result="scheduled"} 1"#,
        r#"scheduler_schedule_attempts_total{profile="edge-scheduler",result="unschedulable"} 1"#,
        r#"scheduler_pending_pods{queue="unschedulable"} 1"#,
        r#"scheduler_unschedulable_pods{plugin="NodeResourcesFit",profile="edge-scheduler"} 1"#,
        r#"scheduler_queue_incoming_pods_total{event="UnschedulablePodAdd",queue="active"} 2"#,
        r#"leader_election_master_status{name="edge-scheduler"} 1"#,
        "scheduler_pod_scheduling_attempts_count 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    assert!(text.contains(r#"rest_client_requests_total{code="201",host="127.0.0.1:"#), "{text}");
    let resources = served.ok(&prometheus, "/metrics/resources");
    let expected = r#"kube_pod_resource_request{namespace="default",pod="web",node="edge-1",scheduler="edge-scheduler",priority="0",resource="cpu",unit="cores"} 0.1"#;
    assert!(resources.lines().any(|line| line == expected), "{resources}");
    let health = served.ok(&prometheus, "/metrics/slis");
    let expected = r#"kubernetes_healthcheck{name="sched-handler-sync",type="readyz"} 1"#;
    assert!(health.lines().any(|line| line == expected), "{health}");
    for text in [text, resources, health] {
        lint(&text);
    }
}

/// What Prometheus' own rules find wrong, as `promtool check metrics` would: nothing.
fn lint(text: &str) {
    let mut lint = Command::new(controlplane::promlint().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    lint.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = lint.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// An authority, and what it vouches for.
struct Authority(CertifiedIssuer<'static, KeyPair>);

// === impl Authority ===

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes `ca`, and a certificate for this name and organization with its key, as files of this name.
    fn write(&self, folder: &Path, file: &str, name: &str, organization: &str) {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, organization);
        let usages = [rcgen::ExtendedKeyUsagePurpose::ClientAuth, rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        params.extended_key_usages = usages.to_vec();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        for (ending, text) in [("ca", self.0.pem()), ("key", key.serialize_pem()), ("crt", certificate.pem())]
        {
            std::fs::write(folder.join(format!("{file}.{ending}")), text).unwrap();
        }
    }
}

#[test]
fn a_certificate_that_is_replaced_is_served_without_a_restart() {
    let flags = ["--tls-cert-file={}/tls.crt", "--tls-private-key-file={}/tls.key"];
    let served = Served::start(&flags, |folder| Authority::new().write(folder, "tls", "first", "ours"));
    let trust = format!("--certificate-authority={}", served.files.path().join("tls.ca").display());
    let reachable = || served.get_with(&Who::Anonymous, "/healthz", &[&trust]).status.success();
    assert!(reachable());
    // The key and the certificate don't belong together for a moment, which must do no harm.
    let second = tempfile::tempdir().unwrap();
    Authority::new().write(second.path(), "tls", "second", "ours");
    for file in ["tls.ca", "tls.key", "tls.crt"] {
        std::fs::copy(second.path().join(file), served.files.path().join(file)).unwrap();
    }
    wait_for("the new certificate", DEADLINE, || Ok(reachable().then_some(()))).unwrap();
}

#[test]
fn a_client_certificate_says_who_asks_if_the_authority_is_trusted() {
    let served = Served::start(&["--client-ca-file={}/good.ca"], |folder| {
        Authority::new().write(folder, "good", "root", "system:masters");
        Authority::new().write(folder, "bad", "root", "system:masters");
    });
    let files =
        |name: &str| ["crt", "key"].map(|ending| served.files.path().join(format!("{name}.{ending}")));
    let [certificate, key] = files("good");
    served.ok(&Who::Certificate { certificate: &certificate, key: &key }, "/flagz");
    let [certificate, key] = files("bad");
    let refusal = served.refusal(&Who::Certificate { certificate: &certificate, key: &key }, "/flagz");
    assert!(refusal.contains("Unauthorized"), "{refusal}");
}
