//! The components and their command lines.

use crate::{
    error::Error,
    options::KubeScheduler,
    real::REAL_LABEL,
    site::Site,
    tool::{self, STAGES},
};
use std::{fmt, net::Ipv4Addr, path::Path, str::FromStr};

/// A component of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The store.
    Etcd,
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    KubeScheduler,
    /// KWOK, the kubelet of fake nodes.
    Kwok,
}

/// How to start a component.
pub(crate) struct Launch {
    /// Command line arguments.
    pub(crate) args: Vec<String>,
    /// How it shows that it is ready.
    pub(crate) ready: Ready,
}

/// How a component shows that it is ready.
pub(crate) enum Ready {
    /// This address answers 200.
    Answers(String),
    /// Its log holds these words.
    Says(&'static str),
}

/// Nodes with this label are dead to KWOK: no Lease renewed, no condition set, no pod run or ended.
///
/// A label, because KWOK watches with the selector, so the API server reports a node that leaves the selection as
/// deleted and KWOK lets go of its Lease. An annotation is only compared on arrival and would not stop a running node.
pub const FAILED_LABEL: &str = "controlplane.test/failed";

// === impl Component ===

impl Component {
    /// All, in the order in which they start.
    pub const ALL: [Self; 5] =
        [Self::Etcd, Self::ApiServer, Self::ControllerManager, Self::KubeScheduler, Self::Kwok];

    /// The program's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kwok => "kwok",
        }
    }

    /// Its command line.
    pub(crate) fn launch(self, site: &Site) -> Result<Launch, Error> {
        let (args, ready) = match self {
            Self::Etcd => etcd(site),
            Self::ApiServer => api_server(site),
            Self::ControllerManager => controller_manager(site),
            Self::KubeScheduler => kube_scheduler(site),
            Self::Kwok => kwok(site)?,
        };
        let extra = site.options.flags.iter().filter(|(component, _)| *component == self);
        let args = args.into_iter().chain(extra.map(|(_, flag)| flag.clone())).collect();
        Ok(Launch { args, ready })
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Component {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|component| component.name() == name);
        found.ok_or_else(|| Error::Invalid(format!("no component {name:?}; there are {}", known())))
    }
}

type CommandLine = (Vec<String>, Ready);

fn etcd(site: &Site) -> CommandLine {
    let url = site.etcd_url();
    let args = vec![
        flag("data-dir", path(&site.folder.join("etcd"))),
        flag("listen-client-urls", &url),
        flag("advertise-client-urls", &url),
        // Nobody joins; any free port will do.
        flag("listen-peer-urls", "http://127.0.0.1:0"),
        flag("socket-reuse-port", "true"),
        flag("unsafe-no-fsync", "true"),
        flag("quota-backend-bytes", "8589934592"),
    ];
    (args, Ready::Answers(format!("{url}/readyz")))
}

fn api_server(site: &Site) -> CommandLine {
    let mut args = vec![
        flag("etcd-servers", site.etcd_url()),
        flag("cert-dir", path(&site.folder)),
        flag("service-account-issuer", "https://kubernetes.default.svc"),
        flag("service-account-key-file", path(&site.pki.account_public_key)),
        flag("service-account-signing-key-file", path(&site.pki.account_key)),
        flag("service-cluster-ip-range", "10.96.0.0/16"),
        flag("token-auth-file", path(&site.tokens)),
        flag("client-ca-file", path(&site.pki.authority)),
        flag("authorization-mode", "Node,RBAC"),
        flag("allow-privileged", "true"),
    ];
    if !site.options.controller_manager {
        // Nobody would make the service accounts that the first one demands for a pod, nor take away the not-ready
        // taint that the second one adds to a node.
        args.push(flag("disable-admission-plugins", "ServiceAccount,TaintNodesByCondition"));
    }
    match site.address {
        // Its own endpoint would be a loopback address, which an EndpointSlice may not hold.
        None => {
            args.extend([flag("advertise-address", "127.0.0.1"), flag("endpoint-reconciler-type", "none")]);
        }
        Some(address) => args.extend(for_kubelets(site, address)),
    }
    args.extend(serving(site, Component::ApiServer));
    (args, Ready::Answers(format!("{}/readyz", site.url())))
}

/// Kubelets come with certificates of our authority, and are come to with one.
fn for_kubelets(site: &Site, address: Ipv4Addr) -> [String; 5] {
    [
        flag("advertise-address", address),
        flag("kubelet-client-certificate", path(&site.pki.kubelet_client)),
        flag("kubelet-client-key", path(&site.pki.kubelet_client_key)),
        flag("kubelet-preferred-address-types", "InternalIP"),
        flag("enable-admission-plugins", "NodeRestriction"),
    ]
}

fn controller_manager(site: &Site) -> CommandLine {
    let mut args = vec![
        flag("kubeconfig", path(&site.kubeconfig)),
        flag("service-account-private-key-file", path(&site.pki.account_key)),
        flag("root-ca-file", path(&site.pki.authority)),
        flag("use-service-account-credentials", "true"),
        flag("leader-elect", "false"),
        flag("controllers", "*,-node-ipam-controller,-service-lb-controller"),
        // By default it takes minutes to untaint thousands of new nodes.
        flag("kube-api-qps", "1000"),
        flag("kube-api-burst", "2000"),
    ];
    args.extend(serving(site, Component::ControllerManager));
    (args, Ready::Answers(format!("https://127.0.0.1:{}/healthz", site.port(Component::ControllerManager))))
}

fn kube_scheduler(site: &Site) -> CommandLine {
    let mut args = vec![flag("leader-elect", "false")];
    args.push(match site.options.kube_scheduler {
        KubeScheduler::Config(_) => flag("config", path(&site.scheduler_config)),
        KubeScheduler::Off | KubeScheduler::Default => flag("kubeconfig", path(&site.kubeconfig)),
    });
    args.extend(serving(site, Component::KubeScheduler));
    (args, Ready::Answers(format!("https://127.0.0.1:{}/readyz", site.port(Component::KubeScheduler))))
}

fn kwok(site: &Site) -> Result<CommandLine, Error> {
    let stages = tool::program(Component::Kwok)?.with_file_name(STAGES);
    let args = vec![
        flag("kubeconfig", path(&site.kubeconfig)),
        flag("config", path(&stages)),
        flag("manage-nodes-with-label-selector", format!("!{FAILED_LABEL},!{REAL_LABEL}")),
        flag("node-lease-duration-seconds", site.options.node_lease.as_secs().to_string()),
        flag("enable-crds", ""),
    ];
    // It could serve its health, but not on a port that is reserved.
    Ok((args, Ready::Says("Watch nodes")))
}

/// Where and with which certificate a Kubernetes server listens. It shares the port that we hold.
fn serving(site: &Site, component: Component) -> [String; 5] {
    let address = site.address.filter(|_| component == Component::ApiServer);
    [
        flag("bind-address", address.unwrap_or(Ipv4Addr::LOCALHOST)),
        flag("secure-port", site.port(component).to_string()),
        flag("permit-port-sharing", "true"),
        flag("tls-cert-file", path(&site.pki.serving)),
        flag("tls-private-key-file", path(&site.pki.serving_key)),
    ]
}

fn flag(name: &str, value: impl fmt::Display) -> String {
    format!("--{name}={value}")
}

fn path(path: &Path) -> std::path::Display<'_> {
    path.display()
}
