//! What a control plane shall consist of.

use crate::{component::Component, real::RealNode};
use std::time::Duration;

/// What to start. The default is etcd and the API server alone, which is the quickest.
#[derive(Clone, Debug)]
pub struct Options {
    /// Starts kube-controller-manager: deployments, service accounts, node lifecycle, garbage collection.
    pub controller_manager: bool,
    /// Whether and how kube-scheduler runs.
    pub kube_scheduler: KubeScheduler,
    /// Starts KWOK, which plays the kubelet of every node: renews Leases, sets nodes Ready and pods Running.
    pub kwok: bool,
    /// How long a node's Lease lasts, in whole seconds; renewed every quarter, as the kubelet does.
    pub node_lease: Duration,
    /// Users besides the administrator. They may do nothing until a role is bound to them.
    pub users: Vec<User>,
    /// Real nodes: a kubelet and containerd each. They need root.
    pub real_nodes: Vec<RealNode>,
    /// Further command line flags, after our own, so that they win.
    pub flags: Vec<(Component, String)>,
    /// The first part of the folder's name.
    pub name: String,
}

/// Whether and how kube-scheduler runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KubeScheduler {
    /// It does not run.
    #[default]
    Off,
    /// With its defaults.
    Default,
    /// With this `KubeSchedulerConfiguration` (YAML); the connection to the API server is added.
    Config(String),
}

/// A user of the API server, authenticated by a token.
#[derive(Clone, Debug)]
pub struct User {
    /// As in `RoleBinding` subjects of kind `User`, e.g. `system:serviceaccount:edge-system:edge-scheduler`.
    pub name: String,
    /// As in `RoleBinding` subjects of kind `Group`.
    pub groups: Vec<String>,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            controller_manager: false,
            kube_scheduler: KubeScheduler::Off,
            kwok: false,
            node_lease: Duration::from_secs(40),
            users: Vec::new(),
            real_nodes: Vec::new(),
            flags: Vec::new(),
            name: "run".to_owned(),
        }
    }
}

impl Options {
    /// Every component, kube-scheduler with its defaults.
    pub fn everything() -> Self {
        Self {
            controller_manager: true,
            kube_scheduler: KubeScheduler::Default,
            kwok: true,
            ..Self::default()
        }
    }

    /// Adds real nodes.
    #[must_use]
    pub fn real(mut self, nodes: impl IntoIterator<Item = RealNode>) -> Self {
        self.real_nodes.extend(nodes);
        self
    }

    /// Adds a command line flag to a component, e.g. `--v=4`; it wins over ours.
    #[must_use]
    pub fn flag(mut self, component: Component, flag: impl Into<String>) -> Self {
        self.flags.push((component, flag.into()));
        self
    }

    /// Adds a user that is in these groups.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, groups: &[&str]) -> Self {
        self.users.push(User { name: name.into(), groups: groups.iter().map(ToString::to_string).collect() });
        self
    }

    /// The components in the order in which they start.
    pub(crate) fn components(&self) -> Vec<Component> {
        Component::ALL
            .into_iter()
            .filter(|component| match component {
                Component::Etcd | Component::ApiServer => true,
                Component::ControllerManager => self.controller_manager,
                Component::KubeScheduler => self.kube_scheduler != KubeScheduler::Off,
                Component::Kwok => self.kwok,
            })
            .collect()
    }
}
