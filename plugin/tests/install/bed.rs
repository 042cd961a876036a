//! The bed: a cluster, and the plugin on it.

use std::process::{Command, Output};
use std::time::Duration;

use controlplane::{Component, ControlPlane, FakeNode, Options};
use serde_json::Value;

/// An image that nobody has: KWOK pulls nothing.
pub(crate) const IMAGE: &str = "registry.example.org/edge-scheduler:test";
/// How long anything may take. Far above what it does take, so that a slow machine is no failure.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

/// A cluster of three nodes.
pub(crate) struct Bed {
    pub(crate) cp: ControlPlane,
}

/// What the plugin said and how it ended.
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

// === impl Bed ===

impl Bed {
    /// A cluster with everything.
    pub(crate) fn start() -> Self {
        let options = Options::everything().flag(Component::KubeScheduler, "--leader-elect=true");
        let cp = ControlPlane::start(options.user("nobody", &[])).unwrap();
        let nodes: Vec<FakeNode> = (1..=3).map(|idx| FakeNode::new(format!("edge-{idx}"))).collect();
        cp.add_nodes(&nodes).unwrap();
        Self { cp }
    }

    /// Runs the plugin.
    pub(crate) fn plugin(&self, args: &[&str]) -> Said {
        Said::of(plugin(args).arg("--kubeconfig").arg(self.cp.kubeconfig()).output().unwrap())
    }

    /// Runs the plugin, which has to succeed; what it printed.
    #[track_caller]
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let said = self.plugin(args);
        assert_eq!(said.code, 0, "{args:?}\n{}\n{}", said.stdout, said.stderr);
        said.stdout
    }

    /// Runs the plugin, which has to end with this code and say this.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str], code: i32, words: &[&str]) {
        let said = self.plugin(args);
        assert_eq!(said.code, code, "{args:?}\n{}\n{}", said.stdout, said.stderr);
        for words in words {
            assert!(said.stderr.contains(words), "{words:?} is not in\n{}", said.stderr);
        }
    }

    /// Holds what the plugin says against a snapshot, without what differs from run to run.
    #[track_caller]
    pub(crate) fn seen(&self, name: &str, args: &[&str]) {
        let Said { stdout, stderr, code } = self.plugin(args);
        let shown = crate::snapshot::shown(args, &stdout, &stderr, Some(code));
        let mut shown = shown.replace(&self.cp.url(), "[SERVER]");
        let pods = self.get("/api/v1/namespaces/edge-system/pods");
        for pod in pods["items"].as_array().unwrap() {
            let name = pod["metadata"]["name"].as_str().unwrap();
            if let Some(node) = pod["spec"]["nodeName"].as_str() {
                shown = shown.replace(&format!("{name} on {node}"), "[POD] on [NODE]");
            }
            shown = shown.replace(name, "[POD]");
        }
        crate::snapshot::compare(name, &shown);
    }

    /// Runs kubectl with something at its standard input.
    pub(crate) fn kubectl(&self, args: &[&str], input: &str) -> Said {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), input).unwrap();
        let mut kubectl = Command::new("kubectl");
        kubectl.args(args).arg("--kubeconfig").arg(self.cp.kubeconfig());
        let output = kubectl.stdin(std::fs::File::open(file.path()).unwrap()).output().unwrap();
        Said::of(output)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.cp.client().get(path).unwrap()
    }

    /// The UIDs of the pods of a namespace, which a pod made anew does not keep.
    pub(crate) fn pods(&self, namespace: &str) -> Vec<String> {
        let list = self.get(&format!("/api/v1/namespaces/{namespace}/pods"));
        let uid = |pod: &Value| pod["metadata"]["uid"].as_str().unwrap().to_owned();
        let mut pods: Vec<String> = list["items"].as_array().unwrap().iter().map(uid).collect();
        pods.sort_unstable();
        pods
    }
}

/// The plugin, without what this machine's user has set.
pub(crate) fn plugin(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-edge"));
    command.args(args).env_remove("KUBECONFIG").env("NO_COLOR", "1");
    command
}

/// Whether an installation said that it found everything as it should be, and nothing else.
pub(crate) fn is_unchanged(shown: &str) -> bool {
    let first = shown.lines().next().and_then(|line| line.strip_suffix(" unchanged"));
    first.is_some_and(|count| count.parse::<u32>().is_ok_and(|count| count > 0))
}

// === impl Said ===

impl Said {
    fn of(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }
}
