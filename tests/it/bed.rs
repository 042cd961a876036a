//! The bed: a control plane, nodes, delays between them, and our scheduler.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use controlplane::{AuditLog, ControlPlane, FakeNode, Options, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take. Far above what it does take, so that a slow machine is no failure.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// The account that an installation gives the scheduler; here it has a token of its own kind.
pub(crate) const ACCOUNT: &str = "system:serviceaccount:edge-system:edge-scheduler";
/// The groups of that account.
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const ACCOUNT_GROUPS: [&str; 3] =
    ["system:serviceaccounts", "system:serviceaccounts:edge-system", "system:authenticated"];

/// A cluster with delays and a scheduler; all of it ends with the value.
pub(crate) struct Bed {
    // The scheduler is declared first so that it ends before its API server.
    scheduler: Option<Replica>,
    pub(crate) cp: ControlPlane,
    /// What a scheduler does that runs under the account of an installation.
    log: AuditLog,
    delays: TempDir,
}

/// A running scheduler; it ends with the value.
pub(crate) struct Replica {
    child: Child,
    log: PathBuf,
}

/// A pod or a pod template to be made.
pub(crate) struct PodSpec {
    pub(crate) name: String,
    pub(crate) labels: Value,
    pub(crate) annotations: Value,
    pub(crate) scheduler: &'static str,
    pub(crate) memory: &'static str,
    pub(crate) node: Option<&'static str>,
}

// === impl Bed ===

impl Bed {
    /// Starts an API server with these nodes; no scheduler yet.
    pub(crate) fn without_scheduler(nodes: &[FakeNode]) -> Self {
        Self::with(Options::default(), nodes)
    }

    /// Starts this control plane with these nodes; no scheduler of ours yet.
    pub(crate) fn with(options: Options, nodes: &[FakeNode]) -> Self {
        let delays = tempfile::tempdir().unwrap();
        let (log, options) =
            AuditLog::add(options, delays.path(), "edge-system", &["edge-scheduler"]).unwrap();
        let cp = ControlPlane::start(options).unwrap();
        cp.add_nodes(nodes).unwrap();
        Self { scheduler: None, cp, log, delays }
    }

    /// Starts everything, with these delays in ms between nodes of these names.
    pub(crate) fn start(nodes: &[FakeNode], names: &[&str], delays: &[&[f64]]) -> Self {
        let mut bed = Self::without_scheduler(nodes);
        bed.write_delays(names, delays);
        bed.start_scheduler();
        bed
    }

    /// The six nodes of the demo: one cloud node and five edge nodes in a line, 10 ms apart.
    pub(crate) fn line() -> Self {
        let cloud = FakeNode::new("cloud-1").label("kubernetes.io/role", "cloud").cpu("16").memory("64Gi");
        let edge = (1..=5).map(|idx| FakeNode::new(format!("edge-{idx}")));
        let nodes: Vec<FakeNode> = std::iter::once(cloud).chain(edge).collect();
        Self::start(&nodes, &LINE, &line_delays())
    }

    /// Starts this control plane with these nodes and all that an installation brings but the scheduler, whose account
    /// is one of the users.
    pub(crate) fn installed(options: Options, nodes: &[FakeNode]) -> Self {
        let bed = Self::with(options.user(ACCOUNT, &ACCOUNT_GROUPS), nodes);
        bed.install();
        bed
    }

    /// Makes what `deploy/base` has, and waits until the API server heeds it.
    pub(crate) fn install(&self) {
        let base = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/base");
        self.cp.kubectl(&["apply", "--server-side", "-k", base]).unwrap();
        self.wait("NodeDelays to be served", || self.cp.client().get(NODE_DELAYS).ok());
        // The administrator may not write this status, once the policy is in force.
        let path = format!("{NODE_DELAYS}/is-the-policy-in-force");
        let metadata = json!({"name": "is-the-policy-in-force"});
        let (kind, version) = ("NodeDelays", "kubectl-edge.dev/v1alpha1");
        let object = |status: Value| json!({"apiVersion": version, "kind": kind, "metadata": metadata, "status": status});
        self.cp.client().apply(&path, "test", &object(json!({}))).unwrap();
        self.wait("the policy of NodeDelays to be in force", || {
            let object = object(json!({"source": "Probe"}));
            self.cp.client().apply(&format!("{path}/status"), "test", &object).err()
        });
        self.cp.client().delete(&path).unwrap();
    }

    /// Whether the account of an installation asked for nothing that it may not do, and used these permissions.
    #[track_caller]
    pub(crate) fn check_permissions(&self, used: &[&str]) {
        let found = self.log.compare(&self.cp).unwrap();
        assert!(found.forbidden.is_empty(), "{:?}", found.forbidden);
        let unused: Vec<&&str> = used.iter().filter(|it| found.unused.contains(**it)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    pub(crate) fn matrix(&self) -> PathBuf {
        self.delays.path().join("delays.txt")
    }

    pub(crate) fn metadata(&self) -> PathBuf {
        self.delays.path().join("metadata.json")
    }

    pub(crate) fn write_delays(&self, names: &[&str], delays: &[&[f64]]) {
        let metadata: serde_json::Map<String, Value> =
            names.iter().enumerate().map(|(idx, name)| ((*name).to_owned(), idx.into())).collect();
        self.replace(&self.metadata(), &Value::Object(metadata).to_string());
        self.write_matrix(delays);
    }

    /// Nodes whose names begin alike, up to the hyphen, are near each other and far from all others.
    pub(crate) fn write_delays_of_groups<'n>(&self, names: impl Iterator<Item = &'n String>) {
        let names: Vec<&str> = names.map(String::as_str).collect();
        let group = |name: &str| name.split('-').next().unwrap().to_owned();
        let between = |a: &str, b: &str| match (a == b, group(a) == group(b)) {
            (true, _) => 0.0,
            (false, true) => 5.0,
            (false, false) => 90.0,
        };
        let delays: Vec<Vec<f64>> =
            names.iter().map(|a| names.iter().map(|b| between(a, b)).collect()).collect();
        let rows: Vec<&[f64]> = delays.iter().map(Vec::as_slice).collect();
        self.write_delays(&names, &rows);
    }

    pub(crate) fn write_matrix(&self, delays: &[&[f64]]) {
        let mut text = String::new();
        for row in delays {
            let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
            writeln!(text, "{}", cells.join(" ")).unwrap();
        }
        self.replace(&self.matrix(), &text);
    }

    /// Replaces a file at once, as a careful operator does.
    pub(crate) fn replace(&self, path: &Path, text: &str) {
        let new = self.delays.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    /// Writes a file for a scheduler.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.delays.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts the one scheduler there is.
    pub(crate) fn start_scheduler(&mut self) {
        self.scheduler = Some(self.replica("scheduler", &["--leader-elect=false"]));
    }

    /// The same with no more permissions than an installation gives it; [`ACCOUNT`] has to be among the users.
    pub(crate) fn start_scheduler_of_installation(&mut self) {
        let kubeconfig = self.cp.kubeconfig_of(ACCOUNT).unwrap();
        self.scheduler = Some(self.replica_as(kubeconfig, "scheduler", &["--leader-elect=false"]));
    }

    /// Starts a scheduler with no more permissions than an installation gives it, whose profile has these arguments of
    /// one plugin, with further flags; its log has this name.
    pub(crate) fn replica_of_installation(
        &self,
        name: &str,
        (plugin, args): (&str, &str),
        flags: &[&str],
    ) -> Replica {
        let kubeconfig = self.cp.kubeconfig_of(ACCOUNT).unwrap().display();
        let config = format!(
            "apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {{kubeconfig: {kubeconfig}}}
leaderElection: {{resourceNamespace: edge-system}}
profiles:
- schedulerName: edge-scheduler
  pluginConfig:
  - name: {plugin}
    args: {args}
"
        );
        let config = self.write("config.yaml", &config);
        self.configured(name, &[&["--config", config.to_str().unwrap()], flags].concat())
    }

    /// Starts a scheduler with further flags; its log has this name.
    pub(crate) fn replica(&self, name: &str, flags: &[&str]) -> Replica {
        self.replica_as(self.cp.kubeconfig(), name, flags)
    }

    fn replica_as(&self, kubeconfig: &Path, name: &str, flags: &[&str]) -> Replica {
        let [kubeconfig, matrix, metadata] =
            [kubeconfig.to_owned(), self.matrix(), self.metadata()].map(|it| it.display().to_string());
        let files = ["--kubeconfig", &kubeconfig, "--delay-matrix", &matrix, "--metadata", &metadata];
        self.configured(name, &[&files, flags].concat())
    }

    /// Starts a scheduler with these flags alone; its log has this name.
    pub(crate) fn configured(&self, name: &str, flags: &[&str]) -> Replica {
        self.spawn(name, &[&["-v=2", "--secure-port=0"], flags].concat())
    }

    /// Starts a probe agent of this node with these flags.
    pub(crate) fn probe(&self, node: &str, flags: &[&str]) -> Replica {
        self.spawn(&format!("probe-{node}"), &[&["probe", "-v=2", "--node-name", node], flags].concat())
    }

    fn spawn(&self, name: &str, arguments: &[&str]) -> Replica {
        let log = self.delays.path().join(format!("{name}.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_edge-scheduler"))
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Replica { child, log }
    }

    /// Ends the scheduler with SIGKILL.
    pub(crate) fn kill_scheduler(&mut self) {
        self.scheduler.take().unwrap().kill();
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.delays.path().join("scheduler.log")
    }

    pub(crate) fn create(&self, pod: &PodSpec) {
        self.cp.client().create(PODS, &pod.json()).unwrap();
    }

    pub(crate) fn delete(&self, name: &str) {
        self.cp.client().delete(&format!("{PODS}/{name}?gracePeriodSeconds=0")).unwrap();
    }

    pub(crate) fn pod(&self, name: &str) -> Value {
        self.cp.client().get(&format!("{PODS}/{name}")).unwrap()
    }

    /// Waits until the pod is bound; its node.
    pub(crate) fn node_of(&self, name: &str) -> String {
        self.wait(&format!("{name} to be bound"), || {
            self.pod(name)["spec"]["nodeName"].as_str().map(ToOwned::to_owned)
        })
    }

    /// Waits until the scheduler has said why the pod waits, in words that `holds` accepts.
    pub(crate) fn message_of(&self, name: &str, holds: impl Fn(&str) -> bool) -> String {
        self.wait(&format!("a message of {name}"), || {
            let pod = self.pod(name);
            let conditions = pod["status"]["conditions"].as_array()?;
            let scheduled = conditions.iter().find(|condition| condition["type"] == "PodScheduled")?;
            let message = scheduled["message"].as_str().filter(|message| holds(message))?;
            Some(message.to_owned())
        })
    }

    /// The same without what it says of preemption.
    pub(crate) fn reason_of(&self, name: &str, holds: impl Fn(&str) -> bool) -> String {
        let message = self.message_of(name, holds);
        let message = message.split(" no new claims to deallocate").next().unwrap_or_default();
        message.strip_suffix(" not found").unwrap_or(message).to_owned()
    }

    /// The events of a pod with this reason, waiting until there is one.
    pub(crate) fn events_of(&self, pod: &str, reason: &str) -> Vec<Value> {
        let path = "/apis/events.k8s.io/v1/namespaces/default/events";
        self.wait(&format!("an event {reason} of {pod}"), || {
            let list = self.cp.client().get(path).unwrap();
            let of_pod = |event: &&Value| event["regarding"]["name"] == pod && event["reason"] == reason;
            let events: Vec<Value> = list["items"].as_array()?.iter().filter(of_pod).cloned().collect();
            (!events.is_empty()).then_some(events)
        })
    }

    /// Makes a `ClusterRole` of these rules.
    pub(crate) fn make_role(&self, name: &str, rules: &Value) {
        let role = json!({"metadata": {"name": name}, "rules": rules});
        self.cp.client().create(&format!("{RBAC}/clusterroles"), &role).unwrap();
    }

    /// Gives a `ClusterRole` to somebody, by a binding of this name.
    pub(crate) fn bind_role(&self, name: &str, role: &str, subject: &Value) {
        let binding = json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        });
        self.cp.client().create(&format!("{RBAC}/clusterrolebindings"), &binding).unwrap();
    }

    /// Waits for `probe` to give a value; on time-out shows the scheduler's log.
    pub(crate) fn wait<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        self.wait_for(what, DEADLINE, probe)
    }

    /// The same for what is tried less and less often: on a slow machine the next try may be minutes away.
    pub(crate) fn wait_for_a_try<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        self.wait_for(what, 5 * DEADLINE, probe)
    }

    fn wait_for<T>(&self, what: &str, deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
        wait_for(what, deadline, || Ok(probe())).unwrap_or_else(|error| {
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            panic!("{error}\n--- scheduler ---\n{log}");
        })
    }
}

// === impl Replica ===

impl Replica {
    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it with SIGTERM; its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.exit_code()
    }

    /// Waits until it has ended; its exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let ended = wait_for("the scheduler to end", DEADLINE, || Ok(self.child.try_wait().unwrap()));
        ended.unwrap_or_else(|error| panic!("{error}\n{}", self.log())).code()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has logged these words.
    pub(crate) fn await_words(&self, words: &str) {
        let said = wait_for(words, DEADLINE, || Ok(self.log().contains(words).then_some(())));
        said.unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where pods of the default namespace are.
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

/// Where `NodeDelays` are.
pub(crate) const NODE_DELAYS: &str = "/apis/kubectl-edge.dev/v1alpha1/nodedelays";

pub(crate) const LINE: [&str; 6] = ["cloud-1", "edge-1", "edge-2", "edge-3", "edge-4", "edge-5"];

/// The cloud is 40 ms from every edge node; edge nodes are 10 ms a step from each other.
pub(crate) fn line_delays() -> [&'static [f64]; 6] {
    [
        &[0.0, 40.0, 40.0, 40.0, 40.0, 40.0],
        &[40.0, 0.0, 10.0, 20.0, 30.0, 40.0],
        &[40.0, 10.0, 0.0, 10.0, 20.0, 30.0],
        &[40.0, 20.0, 10.0, 0.0, 10.0, 20.0],
        &[40.0, 30.0, 20.0, 10.0, 0.0, 10.0],
        &[40.0, 40.0, 30.0, 20.0, 10.0, 0.0],
    ]
}

// === impl PodSpec ===

impl PodSpec {
    /// A pod of 500 MiB for the profile `edge-scheduler`.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            labels: json!({}),
            annotations: json!({}),
            scheduler: "edge-scheduler",
            memory: "500Mi",
            node: None,
        }
    }

    /// The same with a delay label.
    pub(crate) fn delay(mut self, anchor: &str, ms: &str) -> Self {
        self.labels[format!("delay_{anchor}")] = ms.into();
        self
    }

    pub(crate) fn json(&self) -> Value {
        let requests = json!({"cpu": "100m", "memory": self.memory});
        let container =
            json!({"name": "main", "image": "example.com/app:1", "resources": {"requests": requests}});
        json!({
            "metadata": {"name": self.name, "labels": self.labels, "annotations": self.annotations},
            "spec": {"schedulerName": self.scheduler, "nodeName": self.node, "containers": [container]},
        })
    }
}
