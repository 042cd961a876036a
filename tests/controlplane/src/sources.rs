//! Where each program comes from: which Go module pins it, and which package it is.

use crate::component::Component;

/// The origin of a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// The program's name.
    pub(crate) name: &'static str,
    /// The folder in `tools/` whose Go module pins it.
    pub(crate) folder: &'static str,
    /// The module whose version is the program's; none if the program is written here, in `main.go`.
    pub(crate) module: Option<&'static str>,
    /// The program's package.
    pub(crate) package: &'static str,
    /// Build tags, by which Go leaves parts out.
    pub(crate) tags: &'static str,
}

const KUBERNETES: &str = "k8s.io/kubernetes";
const CONTAINERD_MODULE: &str = "github.com/containerd/containerd/v2";
const PLUGINS: &str = "github.com/containernetworking/plugins";

/// Kubernetes' own end-to-end tests.
pub(crate) const END_TO_END_TESTS: Source =
    Source::new("e2e.test", "e2e", KUBERNETES, "k8s.io/kubernetes/test/e2e");

/// Helm.
pub(crate) const HELM: Source = Source::new("helm", "helm", "helm.sh/helm/v3", "helm.sh/helm/v3/cmd/helm");

/// kubectl, of the control plane's version. Its module is its own, so that the servers are not built again when it
/// changes.
pub(crate) const KUBECTL: Source =
    Source::new("kubectl", "kubectl", KUBERNETES, "k8s.io/kubernetes/cmd/kubectl");

/// Prometheus' own check of metrics.
pub(crate) const PROMLINT: Source =
    Source::new("promlint", "promlint", "github.com/prometheus/client_golang", "controlplane.test/promlint");

/// kubelet, of the control plane's version.
pub(crate) const KUBELET: Source =
    Source::new("kubelet", "kubelet", KUBERNETES, "k8s.io/kubernetes/cmd/kubelet");

/// The container runtime.
pub(crate) const CONTAINERD: Source =
    containerd("containerd", "github.com/containerd/containerd/v2/cmd/containerd");

/// What stands between containerd and runc.
pub(crate) const SHIM: Source =
    containerd("containerd-shim-runc-v2", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2");

/// containerd's command line client.
pub(crate) const CTR: Source = containerd("ctr", "github.com/containerd/containerd/v2/cmd/ctr");

/// The program in the image that real nodes have from the start.
pub(crate) const NODE: Source =
    Source { name: "node", folder: "node", module: None, package: "controlplane.test/node", tags: "" };

/// What connects a pod to its node.
pub(crate) const NETWORK_PLUGINS: [Source; 3] = [
    Source::new(
        "host-local",
        "cni",
        PLUGINS,
        "github.com/containernetworking/plugins/plugins/ipam/host-local",
    ),
    Source::new("loopback", "cni", PLUGINS, "github.com/containernetworking/plugins/plugins/main/loopback"),
    Source::new("ptp", "cni", PLUGINS, "github.com/containernetworking/plugins/plugins/main/ptp"),
];

/// Every program that a machine with real nodes needs, besides the components.
pub(crate) fn of_nodes() -> impl Iterator<Item = Source> {
    [KUBELET, CONTAINERD, SHIM, CTR, NODE].into_iter().chain(NETWORK_PLUGINS)
}

/// A component's origin.
pub(crate) fn of(component: Component) -> Source {
    let (folder, module, package) = match component {
        Component::Etcd => ("etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
        Component::ApiServer => ("kubernetes", KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver"),
        Component::ControllerManager => {
            ("kubernetes", KUBERNETES, "k8s.io/kubernetes/cmd/kube-controller-manager")
        }
        Component::KubeScheduler => ("kubernetes", KUBERNETES, "k8s.io/kubernetes/cmd/kube-scheduler"),
        Component::Kwok => ("kwok", "sigs.k8s.io/kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    };
    Source::new(component.name(), folder, module, package)
}

const fn containerd(name: &'static str, package: &'static str) -> Source {
    // Snapshotters that need libraries of C.
    let tags = "no_btrfs,no_devmapper,no_zfs";
    Source { tags, ..Source::new(name, "containerd", CONTAINERD_MODULE, package) }
}

// === impl Source ===

impl Source {
    const fn new(
        name: &'static str,
        folder: &'static str,
        module: &'static str,
        package: &'static str,
    ) -> Self {
        Self { name, folder, module: Some(module), package, tags: "" }
    }
}
