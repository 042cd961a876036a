//! What `kubectl edge install` installs, on real kubelets: it gets ready, it binds, and it has the permissions that it uses.

use crate::{
    image::{self, cargo, run},
    paths,
    permissions::{Differences, differences},
};
use controlplane::{Component, ControlPlane, Error, KubeScheduler, Options, RealNode, wait_for};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const SOON: Duration = Duration::from_mins(4);

const NAMESPACE: &str = "edge-system";

/// What may be granted and not be used in this run, and the path that needs it.
const EXCEPTIONS: [(&str, &str); 17] = [
    ("edge-scheduler: get pods", "a binding whose outcome is not known is looked up"),
    ("edge-scheduler: get nodedelays.kubectl-edge.dev", MEASURING),
    ("edge-scheduler: list nodedelays.kubectl-edge.dev", MEASURING),
    ("edge-scheduler: watch nodedelays.kubectl-edge.dev", MEASURING),
    ("edge-scheduler: create nodedelays.kubectl-edge.dev", MEASURING),
    ("edge-scheduler: patch nodedelays.kubectl-edge.dev", MEASURING),
    ("edge-scheduler: report nodedelays.kubectl-edge.dev", REPORTING),
    ("edge-scheduler: patch nodedelays.kubectl-edge.dev/status", REPORTING),
    ("edge-scheduler: create secrets in edge-system", KEYS),
    ("edge-scheduler: get secrets edge-probe-key in edge-system", KEYS),
    ("edge-scheduler: update secrets edge-probe-key in edge-system", KEYS),
    ("edge-scheduler: create configmaps in edge-system", LAYERS),
    ("edge-scheduler: patch configmaps edge-layers in edge-system", LAYERS),
    ("edge-probe: get nodedelays.kubectl-edge.dev", MEASURING),
    ("edge-probe: list nodedelays.kubectl-edge.dev", MEASURING),
    ("edge-probe: watch nodedelays.kubectl-edge.dev", MEASURING),
    ("edge-probe: patch nodedelays.kubectl-edge.dev/status", MEASURING),
];

const MEASURING: &str = "what agents are to measure, and what they measured";
const REPORTING: &str = "delays from Goldpinger or a file, written as agents write theirs";
const LAYERS: &str = "layers are published, once there are delays";
const KEYS: &str = "the agents' key is made, and made anew";

/// Who did what, of the installation's accounts alone.
const AUDIT_POLICY: &str = r"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users:
  - system:serviceaccount:edge-system:edge-scheduler
  - system:serviceaccount:edge-system:edge-probe
- level: None
";

/// A cluster as others have it: kube-scheduler, two nodes, and an audit log.
fn start(folder: &Path) -> (ControlPlane, PathBuf) {
    let (policy, log) = (folder.join("policy.yaml"), folder.join("audit.log"));
    fs::write(&policy, AUDIT_POLICY).unwrap();
    let options =
        Options { controller_manager: true, kube_scheduler: KubeScheduler::Default, ..Options::default() };
    let options = options
        .real([RealNode::new("edge-1"), RealNode::new("edge-2").milli_cpu(1000)])
        // As servers were before it was on by default: lists that are not streamed take a permission of their own.
        .flag(Component::ApiServer, "--feature-gates=WatchList=false")
        .flag(Component::ApiServer, format!("--audit-policy-file={}", policy.display()))
        .flag(Component::ApiServer, format!("--audit-log-path={}", log.display()));
    (ControlPlane::start(options).unwrap(), log)
}

/// Installs twice: the second time changes nothing and waits until all is ready.
fn install(cluster: &ControlPlane) {
    run(cargo().args(["build", "-p", "kubectl-edge"]));
    let plugin = Path::new(env!("CARGO_BIN_EXE_edge-scheduler")).with_file_name("kubectl-edge");
    let install = |more: &[&str]| {
        let mut install = Command::new(&plugin);
        install.env("KUBECONFIG", cluster.kubeconfig()).args(["install", "--ha", "--image", image::IMAGE]);
        let output = install.args(more).output().unwrap();
        assert!(output.status.success(), "{output:?}\n{}", state(cluster));
    };
    install(&["--wait=false"]);
    provide_key(cluster);
    install(&["--timeout=4m"]);
}

/// The agents' key, unless the leader has made it already.
fn provide_key(cluster: &ControlPlane) {
    let data = json!({"current": "32 bytes, as good as others here"});
    let key = json!({"metadata": {"name": "edge-probe-key"}, "stringData": data});
    match cluster.client().create(&format!("/api/v1/namespaces/{NAMESPACE}/secrets"), &key) {
        Ok(_) | Err(Error::Refused { status: 409, .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// What an operator would look at.
fn state(cluster: &ControlPlane) -> String {
    let all: [&[&str]; 3] = [
        &["get", "pods,nodedelays", "--all-namespaces", "-o", "wide"],
        &["describe", "pods", "--namespace", NAMESPACE],
        &[
            "logs",
            "--namespace",
            NAMESPACE,
            "--selector=app.kubernetes.io/part-of=edge-scheduler",
            "--prefix",
        ],
    ];
    all.map(|args| cluster.kubectl(args).unwrap_or_else(|error| error.to_string())).join("\n")
}

fn items(cluster: &ControlPlane, path: &str) -> Vec<Value> {
    cluster.client().get(path).unwrap()["items"].as_array().unwrap().clone()
}

/// Lists leave out what the items are.
fn roles(cluster: &ControlPlane) -> Vec<Value> {
    let of_kind = |kind: &str, path: &str| {
        let named = |mut item: Value| {
            item["kind"] = kind.into();
            item
        };
        items(cluster, path).into_iter().map(named).collect::<Vec<_>>()
    };
    let group = "/apis/rbac.authorization.k8s.io/v1";
    [of_kind("ClusterRole", &format!("{group}/clusterroles")), of_kind("Role", &format!("{group}/roles"))]
        .concat()
}

fn bindings(cluster: &ControlPlane) -> Vec<Value> {
    let group = "/apis/rbac.authorization.k8s.io/v1";
    ["clusterrolebindings", "rolebindings"].map(|kind| items(cluster, &format!("{group}/{kind}"))).concat()
}

fn await_pod(cluster: &ControlPlane, name: &str, wanted: impl Fn(&Value) -> bool) {
    let path = format!("/api/v1/namespaces/default/pods/{name}");
    let found = wait_for(name, SOON, || Ok(wanted(&cluster.client().get(&path)?).then_some(())));
    found.unwrap_or_else(|error| panic!("{error}\n{}", state(cluster)));
}

/// Where the replicas of the scheduler are.
fn addresses(cluster: &ControlPlane) -> Vec<String> {
    let label = "labelSelector=app.kubernetes.io/name=edge-scheduler";
    let pods = items(cluster, &format!("/api/v1/namespaces/{NAMESPACE}/pods?{label}"));
    pods.iter().map(|pod| pod["status"]["podIP"].as_str().unwrap().to_owned()).collect()
}

fn permissions_compared(cluster: &ControlPlane, log: &Path) -> Differences {
    let text = fs::read_to_string(log).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!events.is_empty());
    differences(NAMESPACE, &roles(cluster), &bindings(cluster), &events)
}

#[test]
fn what_is_installed_gets_ready_binds_by_delay_and_uses_what_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let archive = image::make(folder.path());
    let (cluster, log) = start(folder.path());
    cluster.import_image(&archive).unwrap();
    install(&cluster);

    let apps = format!("/apis/apps/v1/namespaces/{NAMESPACE}");
    let agents = cluster.client().get(&format!("{apps}/daemonsets/edge-probe")).unwrap();
    assert_eq!(agents["status"]["numberReady"], 2, "{}", state(&cluster));
    let scheduler = cluster.client().get(&format!("{apps}/deployments/edge-scheduler")).unwrap();
    assert_eq!(scheduler["status"]["readyReplicas"], 2, "{}", state(&cluster));

    paths::near(&cluster, "near", "edge-2");
    await_pod(&cluster, "near", |pod| pod["status"]["phase"] == "Running");

    paths::filling(&cluster, "small", "edge-2", 700);
    await_pod(&cluster, "small", |pod| pod["status"]["phase"] == "Running");
    paths::urgent(&cluster, "large", "edge-2", 700);
    await_pod(&cluster, "large", |pod| pod["status"]["phase"] == "Running");
    paths::with_volumes(&cluster);
    await_pod(&cluster, "with-there", |pod| pod["status"]["phase"] == "Running");
    paths::waiting(&cluster, "waiting");
    let token = paths::scraper(&cluster);
    for address in addresses(&cluster) {
        assert!(paths::scrape(&address, &token).contains("# TYPE"));
    }

    let (mut last, mut mark) = (Differences::default(), 0);
    let explained = wait_for("all permissions to be used", Duration::from_mins(1), || {
        mark += 1;
        paths::touch(&cluster, "waiting", mark);
        last = permissions_compared(&cluster, &log);
        last.unused.retain(|unused| !EXCEPTIONS.iter().any(|(permission, _)| permission == unused));
        Ok((last == Differences::default()).then_some(()))
    });
    explained.unwrap_or_else(|error| panic!("{error}\n{last:#?}"));
}
