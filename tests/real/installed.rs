//! What `kubectl edge install` installs, on real kubelets: it gets ready, it binds, and it has the permissions that it uses.

use crate::{
    image::{self, cargo, run},
    paths,
};
use controlplane::{
    AuditLog, Component, ControlPlane, Differences, KubeScheduler, Options, RealNode, wait_for,
};
use serde_json::{Value, json};
use std::{path::Path, process::Command, time::Duration};

pub(crate) const SOON: Duration = Duration::from_mins(4);

const NAMESPACE: &str = "edge-system";

/// What is granted and not used in this run, with the test that goes the path it is for.
const EXCEPTIONS: [(&str, &str); 10] = [
    // A binding whose outcome is not known is looked up.
    ("edge-scheduler: get pods", "a_reading_finds_the_pod_or_that_there_is_none"),
    // Delays from Goldpinger or a file are written as agents write theirs. `report` is what the admission policy asks
    // for, and no request of its own.
    ("edge-scheduler: report nodedelays.kubectl-edge.dev", WRITES_DELAYS),
    ("edge-scheduler: patch nodedelays.kubectl-edge.dev/status", WRITES_DELAYS),
    // Right before a pod is taken off a failed node its Lease is read, its Job if it has one, and where the node's
    // kubelet listens if it is in a hurry.
    ("edge-scheduler: get leases.coordination.k8s.io in kube-node-lease", HEALS),
    ("edge-scheduler: get jobs.batch", HEALS_QUICKLY),
    ("edge-scheduler: get nodes", HEALS_QUICKLY),
    // Nodes are tainted while backups are handed over.
    ("edge-scheduler: patch nodes", HANDS_OVER),
    // Pods are moved whose bounds are broken.
    ("edge-scheduler: create pods/eviction", MOVES),
    // Backups are made once there are delays.
    ("edge-scheduler: create pods in edge-system", KEEPS_ROOM),
    ("edge-scheduler: get deployments.apps edge-scheduler in edge-system", KEEPS_ROOM),
];

const HEALS: &str = "pods_of_a_dead_node_are_bound_within_their_radius_and_stateful_ones_wait_for_a_fence";
const HEALS_QUICKLY: &str = "who_wants_it_fast_does_not_wait_for_the_lease_and_a_job_keeps_its_last_chance";
const HANDS_OVER: &str = "a_full_cluster_heals_into_the_room_that_was_kept";
const MOVES: &str = "pods_are_moved_where_their_bounds_are_kept_and_to_make_room";
const KEEPS_ROOM: &str = "room_for_a_pod_is_kept_on_another_node_against_every_scheduler";
const WRITES_DELAYS: &str = "what_a_file_says_of_an_anchor_is_shown_as_its_node_delays";

/// A cluster as others have it: kube-scheduler, two nodes, and an audit log.
fn start(folder: &Path) -> (ControlPlane, AuditLog) {
    let options =
        Options { controller_manager: true, kube_scheduler: KubeScheduler::Default, ..Options::default() };
    let options = options
        .real([RealNode::new("edge-1"), RealNode::new("edge-2").milli_cpu(1000)])
        // As servers were before it was on by default: lists that are not streamed take a permission of their own.
        .flag(Component::ApiServer, "--feature-gates=WatchList=false");
    let (log, options) =
        AuditLog::add(options, folder, NAMESPACE, &["edge-scheduler", "edge-probe"]).unwrap();
    (ControlPlane::start(options).unwrap(), log)
}

/// The plugin, as the administrator.
pub(crate) fn plugin(cluster: &ControlPlane) -> Command {
    let plugin = Path::new(env!("CARGO_BIN_EXE_edge-scheduler")).with_file_name("kubectl-edge");
    let mut command = Command::new(plugin);
    command.env("KUBECONFIG", cluster.kubeconfig());
    command
}

/// Installs twice: the second time changes nothing and waits until all is ready.
fn install(cluster: &ControlPlane) {
    build_plugin();
    install_with(cluster, &["--ha", "--wait=false"]);
    install_with(cluster, &["--ha", "--timeout=4m"]);
}

/// Builds the plugin.
pub(crate) fn build_plugin() {
    run(cargo().args(["build", "-p", "kubectl-edge"]));
}

/// Installs with these flags.
pub(crate) fn install_with(cluster: &ControlPlane, flags: &[&str]) {
    let mut install = plugin(cluster);
    let output = install.args(["install", "--image", image::IMAGE]).args(flags).output().unwrap();
    assert!(output.status.success(), "{output:?}\n{}", state(cluster));
}

/// What an operator would look at.
pub(crate) fn state(cluster: &ControlPlane) -> String {
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

/// What a list holds.
pub(crate) fn items(cluster: &ControlPlane, path: &str) -> Vec<Value> {
    cluster.client().get(path).unwrap()["items"].as_array().unwrap().clone()
}

fn await_pod(cluster: &ControlPlane, name: &str, wanted: impl Fn(&Value) -> bool) {
    let path = format!("/api/v1/namespaces/default/pods/{name}");
    let found = wait_for(name, SOON, || Ok(wanted(&cluster.client().get(&path)?).then_some(())));
    found.unwrap_or_else(|error| panic!("{error}\n{}", state(cluster)));
}

/// Where the replicas of the scheduler are.
pub(crate) fn addresses(cluster: &ControlPlane) -> Vec<String> {
    let label = "labelSelector=app.kubernetes.io/name=edge-scheduler";
    let pods = items(cluster, &format!("/api/v1/namespaces/{NAMESPACE}/pods?{label}"));
    pods.iter().map(|pod| pod["status"]["podIP"].as_str().unwrap().to_owned()).collect()
}

/// An agent measures when it is asked to, and what was asked is taken back.
fn an_agent_measures_on_demand(cluster: &ControlPlane) {
    let delays =
        |node: &str| cluster.client().get(&format!("/apis/kubectl-edge.dev/v1alpha1/nodedelays/{node}"));
    let answers = wait_for("both agents to say where they answer", SOON, || {
        let says = |node| Ok::<_, controlplane::Error>(delays(node)?["status"]["addresses"][0].is_string());
        Ok((says("edge-1")? && says("edge-2")?).then_some(()))
    });
    answers.unwrap_or_else(|error| panic!("{error}\n{}", state(cluster)));
    let mut probe = plugin(cluster);
    let said = run(probe.args(["latency", "probe", "edge-1", "edge-2", "--count", "5", "-o", "json"]));
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&report["sent"], &report["lost"]), (&json!(5), &json!(0)), "{said}");
    assert!(report["ms"].as_array().unwrap().iter().all(|ms| ms.as_f64() > Some(0.0)), "{said}");
    assert_eq!(delays("edge-1").unwrap()["spec"]["requests"], json!([]));
}

/// There is nothing to complain of.
fn an_operator_finds_it_well(cluster: &ControlPlane) {
    let well = wait_for("a check without findings", SOON, || {
        Ok(plugin(cluster).arg("check").output().unwrap().status.success().then_some(()))
    });
    let said = || String::from_utf8(plugin(cluster).arg("check").output().unwrap().stdout).unwrap();
    well.unwrap_or_else(|error| panic!("{error}\n{}\n{}", said(), state(cluster)));
    let status = run(plugin(cluster).arg("status"));
    for words in ["2/2 ready, leader edge-scheduler-", "2/2 ready, 2 report", "2 of 2 pairs measured"] {
        assert!(status.contains(words), "{words} is not in\n{status}");
    }
}

/// The leader makes the agents' key, and a new one when somebody asks for it.
fn ask_for_a_new_key(cluster: &ControlPlane) {
    let annotations = json!({"metadata": {"annotations": {"kubectl-edge.dev/rotate-key": ""}}});
    let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets/edge-probe-key");
    cluster.client().merge(&path, &annotations).unwrap();
}

#[test]
fn what_is_installed_gets_ready_binds_by_delay_and_uses_what_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let archive = image::archive();
    let (cluster, log) = start(folder.path());
    cluster.import_image(archive).unwrap();
    install(&cluster);
    ask_for_a_new_key(&cluster);

    let apps = format!("/apis/apps/v1/namespaces/{NAMESPACE}");
    let agents = cluster.client().get(&format!("{apps}/daemonsets/edge-probe")).unwrap();
    assert_eq!(agents["status"]["numberReady"], 2, "{}", state(&cluster));
    let scheduler = cluster.client().get(&format!("{apps}/deployments/edge-scheduler")).unwrap();
    assert_eq!(scheduler["status"]["readyReplicas"], 2, "{}", state(&cluster));

    an_agent_measures_on_demand(&cluster);
    an_operator_finds_it_well(&cluster);

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
    let expected = Differences {
        unused: EXCEPTIONS.map(|(permission, _)| permission.to_owned()).into(),
        ..Differences::default()
    };
    // The leader looks after the key from time to time.
    let explained = wait_for("all permissions to be used but the exceptions", Duration::from_mins(2), || {
        mark += 1;
        paths::touch(&cluster, "waiting", mark);
        last = log.compare(&cluster)?;
        Ok((last == expected).then_some(()))
    });
    explained.unwrap_or_else(|error| panic!("{error}\n{last:#?}"));
}

#[test]
fn each_exception_names_a_test_that_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [
        "src/cluster/tests/act.rs",
        "tests/it/survey.rs",
        "tests/it/healing.rs",
        "tests/it/backup.rs",
        "tests/it/handover.rs",
        "tests/it/moves.rs",
    ];
    let tests = files.map(|file| std::fs::read_to_string(root.join(file)).unwrap()).concat();
    for (permission, test) in EXCEPTIONS {
        assert!(tests.contains(&format!("fn {test}()")), "{permission}: there is no test {test}");
    }
}
