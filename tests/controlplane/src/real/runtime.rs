//! What runs on a real node: containerd, and the kubelet over it, with the files that configure them.

use super::{
    host,
    image::NODE_IMAGE,
    range::{Place, Range},
    shape::RealNode,
};
use crate::{
    component::Component,
    error::{Context, Error},
    kubeconfig::{Credential, Kubeconfig},
    proc::Bytes,
    site::Site,
    sources, tool,
};
use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

/// By this label KWOK knows which nodes are none of its own.
pub(crate) const REAL_LABEL: &str = "controlplane.test/real";

/// Where containerd listens, in each node.
pub(crate) const SOCKET: &str = "/run/containerd/containerd.sock";

/// Writes all files that a node's programs need into the node's folder.
pub(crate) fn write_files(
    folder: &Path,
    site: &Site,
    shape: &RealNode,
    range: Range,
    place: Place,
) -> Result<(), Error> {
    let network = folder.join("net.d");
    fs::create_dir(&network).context(|| network.display().to_string())?;
    let save = |name: &str, text: String| {
        let file = folder.join(name);
        fs::write(&file, text).context(|| file.display().to_string())
    };
    save("net.d/10-pods.conflist", pod_network(range, place).to_string())?;
    save("service.nft", service(range, site.port(Component::ApiServer)))?;
    save("containerd.toml", containerd(&network)?)?;
    save("kubelet.json", kubelet(site, shape)?.to_string())?;
    let user = format!("system:node:{}", shape.name());
    let identity = site.pki.identity(&user, "system:nodes")?;
    let credential = Credential::Certificate(&identity);
    let (url, authority) = (&site.url(), &site.pki.authority_pem);
    Kubeconfig { url, authority, user: &user, credential }.write(&folder.join("kubeconfig"))
}

/// Rules for the way to services, of which there is one: the API server.
pub(crate) fn service_rules(folder: &Path) -> PathBuf {
    folder.join("service.nft")
}

/// containerd's arguments.
pub(crate) fn containerd_args(folder: &Path) -> [String; 2] {
    ["--config".to_owned(), folder.join("containerd.toml").display().to_string()]
}

/// The kubelet's arguments.
pub(crate) fn kubelet_args(folder: &Path, shape: &RealNode, range: Range, place: Place) -> [String; 6] {
    let labels =
        shape.labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let labels: Vec<String> = labels.chain([format!("{REAL_LABEL}=")]).collect();
    [
        format!("--config={}", folder.join("kubelet.json").display()),
        format!("--kubeconfig={}", folder.join("kubeconfig").display()),
        format!("--hostname-override={}", shape.name()),
        format!("--node-ip={}", range.node(place)),
        format!("--node-labels={}", labels.join(",")),
        "--v=2".to_owned(),
    ]
}

/// What kube-proxy would do for the service `kubernetes`, for pods and for the node itself.
fn service(range: Range, port: u16) -> String {
    let rule = format!("ip daddr 10.96.0.1 tcp dport 443 dnat to {}:{port}", range.host());
    format!(
        "table ip services {{}}\ndelete table ip services\ntable ip services {{\n\
         chain pods {{ type nat hook prerouting priority -100; {rule}; }}\n\
         chain node {{ type nat hook output priority -100; {rule}; }}\n\
         }}\n"
    )
}

fn containerd(network: &Path) -> Result<String, Error> {
    let shim = tool::get(sources::SHIM)?;
    let plugins: Vec<String> = sources::NETWORK_PLUGINS
        .into_iter()
        .map(|plugin| Ok(format!("'{}'", tool::get(plugin)?.with_file_name("").display())))
        .collect::<Result<_, Error>>()?;
    // What is switched off would make folders outside the node's own, and nobody uses it.
    Ok(format!(
        r"version = 3
root = '/var/lib/containerd'
state = '/run/containerd'
disabled_plugins = ['io.containerd.internal.v1.opt', 'io.containerd.nri.v1.nri']

[grpc]
address = '{SOCKET}'

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{NODE_IMAGE}'

[plugins.'io.containerd.cri.v1.runtime']
# Lowering it takes a privilege that containers of tests do not have.
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
runtime_path = '{}'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = '{}'
SystemdCgroup = false

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = [{}]
conf_dir = '{}'
",
        shim.display(),
        host::program("runc")?.display(),
        plugins.join(", "),
        network.display(),
    ))
}

/// How a pod gets its address and its way out; there is no other network than the nodes' and the pods'.
fn pod_network(range: Range, place: Place) -> Value {
    let address = json!({
        "type": "host-local",
        "dataDir": "/var/lib/cni",
        "ranges": [[{"subnet": range.pods(place).to_string()}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    });
    let plugin = json!({"type": "ptp", "ipam": address});
    json!({"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]})
}

fn kubelet(site: &Site, shape: &RealNode) -> Result<Value, Error> {
    Ok(json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": site.pki.authority},
        },
        "authorization": {"mode": "Webhook"},
        "healthzPort": 0,
        "maxPods": shape.pods,
        // How soon a pod sees a Secret that was not there when it started. By default that takes a minute and more.
        "syncFrequency": "5s",
        "nodeLeaseDurationSeconds": site.options.node_lease.as_secs(),
        "systemReserved": reserved(shape)?,
        // Containers' groups are in the node's own; groups for pods need more of the machine than tests can ask for.
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": false,
        "enforceNodeAllocatable": [],
        "failCgroupV1": false,
        "localStorageCapacityIsolation": false,
        "makeIPTablesUtilChains": false,
        "failSwapOn": false,
        "resolvConf": "",
        // The disk is the whole machine's, and how full it is says nothing about the node.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"imagefs.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%"},
    }))
}

/// What has to be withheld from pods so that they may have as much as the node's shape says.
fn reserved(shape: &RealNode) -> Result<Map<String, Value>, Error> {
    let mut reserved = Map::new();
    if let Some(wanted) = shape.milli_cpu {
        let there = thread::available_parallelism().context(|| "the number of processors".to_owned())?;
        let there = 1000 * u64::try_from(there.get()).unwrap_or(u64::MAX);
        reserved.insert("cpu".to_owned(), format!("{}m", rest(shape, "processors", there, wanted)?).into());
    }
    if let Some(Bytes(wanted)) = shape.memory {
        let there = memory()?.0;
        reserved.insert("memory".to_owned(), rest(shape, "memory", there, wanted)?.to_string().into());
    }
    Ok(reserved)
}

fn rest(shape: &RealNode, what: &str, there: u64, wanted: u64) -> Result<u64, Error> {
    there.checked_sub(wanted).ok_or_else(|| {
        Error::Invalid(format!("node {}: this machine has less {what} than it shall have", shape.name()))
    })
}

/// The machine's memory, as the kubelet sees it.
fn memory() -> Result<Bytes, Error> {
    let file = "/proc/meminfo";
    let text = fs::read_to_string(file).context(|| file.to_owned())?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.map(|kib| Bytes(kib * 1024)).ok_or_else(|| Error::Invalid(format!("{file} has no MemTotal")))
}
