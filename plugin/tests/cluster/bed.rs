//! One control plane for all tests, each with nodes, namespaces and users of its own.

use std::ffi::OsStr;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use controlplane::{Component, ControlPlane, Options, User};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running control plane, shared by the tests that run at the same time.
pub(crate) struct Bed {
    pub(crate) cp: ControlPlane,
    folder: TempDir,
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

static SHARED: Mutex<Weak<Bed>> = Mutex::new(Weak::new());

/// Writes who asked for what.
const AUDIT_POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
    "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]}"#;

// === impl Bed ===

impl Bed {
    pub(crate) fn get() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bed) = shared.upgrade() {
            return bed;
        }
        let bed = Arc::new(Self::start());
        *shared = Arc::downgrade(&bed);
        bed
    }

    /// A control plane for one test, that has no nodes but its own.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.json"), AUDIT_POLICY).unwrap();
        let flag = |flag: &str, name: &str| {
            (Component::ApiServer, format!("--{flag}={}", folder.path().join(name).display()))
        };
        let flags = vec![flag("audit-policy-file", "policy.json"), flag("audit-log-path", "audit.log")];
        let users = ["nobody"].map(|name| User { name: name.to_owned(), groups: Vec::new() }).to_vec();
        let cp = ControlPlane::start(Options { flags, users, ..Options::default() }).unwrap();
        Self { cp, folder }
    }

    /// Who asked for what, one entry a request, oldest first.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The plugin, as the administrator.
    pub(crate) fn plugin<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-edge"));
        command.args(args).env("KUBECONFIG", self.cp.kubeconfig()).env_remove("NO_COLOR");
        command
    }

    /// What the plugin says to the administrator.
    pub(crate) fn says(&self, args: &[&str]) -> Said {
        Said::of(&self.plugin(args).output().unwrap())
    }

    /// Holds what the plugin says to the administrator against a snapshot, without what differs from run to run.
    #[track_caller]
    pub(crate) fn seen(&self, name: &str, args: &[&str]) {
        let Said { code, out, err } = self.says(args);
        let steady = |text: &str| text.replace(&self.cp.url(), "[SERVER]");
        crate::snapshot::compare(name, &crate::snapshot::shown(args, &steady(&out), &steady(&err), code));
    }

    /// A node of this name without room.
    pub(crate) fn add_node(&self, name: &str, labels: &Value, allocatable: &Value) {
        let node = json!({
            "kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "labels": labels},
        });
        self.cp.client().create("/api/v1/nodes", &node).unwrap();
        let status = json!({"status": {"allocatable": allocatable, "capacity": allocatable}});
        self.cp.client().merge(&format!("/api/v1/nodes/{name}/status"), &status).unwrap();
        // Admission adds a taint that the node controller would take away.
        let taint = json!({"spec": {"taints": null}});
        self.cp.client().merge(&format!("/api/v1/nodes/{name}"), &taint).unwrap();
    }

    pub(crate) fn add_namespace(&self, name: &str) {
        let namespace = json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}});
        self.cp.client().create("/api/v1/namespaces", &namespace).unwrap();
    }

    pub(crate) fn node_labels(&self, name: &str) -> Value {
        self.cp.client().get(&format!("/api/v1/nodes/{name}")).unwrap()["metadata"]["labels"].clone()
    }
}

// === impl Said ===

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}
