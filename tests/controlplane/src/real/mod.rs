//! Real nodes: a kubelet and containerd each, in namespaces of their own on this machine.
//!
//! | module | subject |
//! |---|---|
//! | `shape` | what a node shall be like |
//! | `host` | what this machine must have |
//! | `machine` | a node as the machine sees it: process 1 and its namespaces |
//! | `group` | control groups, and who removes them |
//! | `range`, `namespace`, `link` | addresses; network namespaces; what joins nodes and host |
//! | `runtime` | containerd, the kubelet, and their files |
//! | `image` | the image that nodes have from the start |
//!
//! Nothing outlives this process: when process 1 of a node ends, the kernel ends all others of that node, and with the
//! last of them its mounts, its network and its interfaces go.

mod group;
mod host;
mod image;
mod link;
mod machine;
mod namespace;
mod range;
mod runtime;
mod shape;

pub use host::require;
pub use image::NODE_IMAGE;
pub(crate) use runtime::REAL_LABEL;
pub use shape::RealNode;

use crate::{
    error::{Context, Error},
    process::Process,
    site::Site,
    sources, tool,
    wait::wait_for,
};
use group::BedGroup;
use link::{INTERFACE, Links};
use machine::{Machine, feed};
use namespace::Namespace;
use range::Place;
use runtime::SOCKET;
use serde_json::Value;
use std::{
    fmt::Write,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Within this time each step of a node's start must be done, on a machine that is busy with a build as well.
const READY: Duration = Duration::from_mins(2);

/// The real nodes of one control plane.
#[derive(Debug)]
pub(crate) struct RealNodes {
    nodes: Vec<Seat>,
    links: Links,
    // Last, because groups are removed when their processes have ended.
    _group: BedGroup,
    image: PathBuf,
    folder: PathBuf,
}

/// Where a real node is in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeNetwork {
    /// The file of its network namespace, as `nsenter --net=FILE` takes it.
    pub namespace: PathBuf,
    /// Its own address.
    pub address: Ipv4Addr,
    /// The addresses of its pods, such as `198.18.1.0/24`.
    pub pods: String,
}

/// What stays of a node while its power is cut.
#[derive(Debug)]
struct Seat {
    shape: RealNode,
    place: Place,
    folder: PathBuf,
    group: group::Group,
    network: Namespace,
    running: Mutex<Option<Running>>,
}

/// What a cut of the power ends.
#[derive(Debug)]
struct Running {
    machine: Machine,
    // They end with the machine; as values they stand for the processes that wait for them outside.
    _programs: [Process; 2],
}

// === impl RealNodes ===

impl RealNodes {
    /// Makes what must be there before the control plane starts; no node runs yet.
    pub(crate) fn prepare(shapes: &[RealNode], folder: &Path) -> Result<Self, Error> {
        host::prepare()?;
        host::check_visible(folder)?;
        for source in sources::of_nodes() {
            host::check_visible(&tool::get(source)?)?;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let group = BedGroup::create(&format!("edge-controlplane-{name}"))?;
        let links = Links::create(folder)?;
        let image = make_folder(&folder.join("image")).and_then(|folder| image::write(&folder))?;
        let mut nodes: Vec<Seat> = Vec::new();
        for shape in shapes {
            if nodes.iter().any(|node| node.shape.name() == shape.name()) {
                return Err(Error::Invalid(format!("there are two real nodes {:?}", shape.name())));
            }
            let place = Place::after(nodes.len()).ok_or_else(|| {
                Error::Invalid(format!("{} real nodes are the most that a bed can have", Place::MOST))
            })?;
            nodes.push(Seat {
                shape: shape.clone(),
                place,
                folder: make_folder(&folder.join(format!("node-{place}")))?,
                group: group.inner(&format!("node-{place}"))?,
                network: Namespace::create(shape.name(), folder)?,
                running: Mutex::default(),
            });
        }
        Ok(Self { nodes, links, _group: group, image, folder: folder.to_owned() })
    }

    /// The host's address on the links.
    pub(crate) fn host(&self) -> Ipv4Addr {
        self.links.range().host()
    }

    /// Starts all nodes, side by side, and waits until each is Ready and takes pods.
    pub(crate) fn start(&self, site: &Site) -> Result<(), Error> {
        thread::scope(|scope| {
            let starting: Vec<_> =
                self.nodes.iter().map(|node| scope.spawn(move || self.start_first(node, site))).collect();
            starting.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(Error::Invalid("a starting thread panicked".to_owned())))
            })
        })
    }

    /// Ends all nodes; what fails is ended by the kernel when the value goes.
    pub(crate) fn cut_all(&self) {
        for node in &self.nodes {
            let _ = self.cut_power(node.shape.name());
        }
    }

    /// Whether there is a real node of this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.nodes.iter().any(|node| node.shape.name() == name)
    }

    /// Ends all of a node at one instant; its disk stays as it is.
    pub(crate) fn cut_power(&self, name: &str) -> Result<(), Error> {
        let node = self.node(name)?;
        let Some(running) = node.running().take() else { return Ok(()) };
        // First nothing is heard of it any more, as its dying processes would say good-bye to their peers.
        self.links.unplug(node.place)?;
        running.machine.cut_power()
    }

    /// Lets a node start anew, with the disk it had; returns when its kubelet runs.
    pub(crate) fn restore_power(&self, name: &str) -> Result<(), Error> {
        let node = self.node(name)?;
        if node.running().is_some() {
            return Ok(());
        }
        self.power_on(node)
    }

    /// Gives all nodes that run an image, from an archive.
    pub(crate) fn import(&self, archive: &Path) -> Result<(), Error> {
        self.nodes
            .iter()
            .try_for_each(|node| node.running().as_ref().map_or(Ok(()), |it| import(&it.machine, archive)))
    }

    /// Where a node is in the network; the same before and after a cut of its power.
    pub(crate) fn network(&self, name: &str) -> Result<NodeNetwork, Error> {
        let (node, range) = (self.node(name)?, self.links.range());
        Ok(NodeNetwork {
            namespace: node.network.path(),
            address: range.node(node.place),
            pods: range.pods(node.place).to_string(),
        })
    }

    /// A command to be run in a node's namespaces.
    pub(crate) fn command(&self, name: &str, program: &str) -> Result<Command, Error> {
        let node = self.node(name)?;
        let running = node.running();
        let running = running.as_ref().ok_or_else(|| Error::Invalid(format!("node {name} has no power")))?;
        Ok(running.machine.command(program))
    }

    fn node(&self, name: &str) -> Result<&Seat, Error> {
        let node = self.nodes.iter().find(|node| node.shape.name() == name);
        node.ok_or_else(|| Error::Invalid(format!("there is no real node {name:?}")))
    }

    fn start_first(&self, node: &Seat, site: &Site) -> Result<(), Error> {
        runtime::write_files(&node.folder, site, &node.shape, self.links.range(), node.place)?;
        self.power_on(node)?;
        await_ready(site, node.shape.name())
    }

    fn power_on(&self, node: &Seat) -> Result<(), Error> {
        let Seat { shape, place, folder, group, network, .. } = node;
        let log = |program: &str| self.folder.join(format!("{}-{program}.log", shape.name()));
        let machine = Machine::boot(shape.name(), folder, group.clone(), network, log("machine"))?;
        self.links.plug(*place, network)?;
        self.configure_network(node, &machine)?;
        let args = runtime::containerd_args(folder);
        let mut containerd = machine.start(
            &format!("containerd of {}", shape.name()),
            &tool::get(sources::CONTAINERD)?,
            &args,
            log("containerd"),
        )?;
        containerd.await_ready(READY, |process| process.has_said("containerd successfully booted"))?;
        import(&machine, &self.image)?;
        let args = runtime::kubelet_args(folder, shape, self.links.range(), *place);
        let kubelet = machine.start(
            &format!("kubelet of {}", shape.name()),
            &tool::get(sources::KUBELET)?,
            &args,
            log("kubelet"),
        )?;
        *node.running() = Some(Running { machine, _programs: [containerd, kubelet] });
        Ok(())
    }

    /// Its address, its ways to the other nodes' pods, and in kube-proxy's place the way to the API server.
    fn configure_network(&self, node: &Seat, machine: &Machine) -> Result<(), Error> {
        let range = self.links.range();
        let mut commands = format!(
            "link set lo up\naddress add {}/{} dev {INTERFACE}\nlink set {INTERFACE} up\n\
             route add 10.96.0.0/16 via {}\n",
            range.node(node.place),
            range.link().bits(),
            range.host(),
        );
        for other in self.nodes.iter().filter(|other| other.place != node.place) {
            // Behind ways that somebody else adds, such as links with set delay.
            let (pods, via) = (range.pods(other.place), range.node(other.place));
            // Writing to a string cannot fail.
            let _ = writeln!(commands, "route add {pods} via {via} metric 100");
        }
        node.network.ip(&commands)?;
        let mut nft = machine.command("nft");
        nft.arg("-f").arg(runtime::service_rules(&node.folder));
        feed(nft, "").map(drop)
    }
}

// === impl Seat ===

impl Seat {
    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RealNodes {
    fn drop(&mut self) {
        self.cut_all();
    }
}

fn make_folder(folder: &Path) -> Result<PathBuf, Error> {
    fs::create_dir(folder).context(|| folder.display().to_string())?;
    Ok(folder.to_owned())
}

/// Puts an image where the kubelet finds it.
fn import(machine: &Machine, archive: &Path) -> Result<(), Error> {
    let mut ctr = machine.command(tool::get(sources::CTR)?);
    ctr.args(["--address", SOCKET, "--namespace", "k8s.io", "images", "import"]).arg(archive);
    feed(ctr, "").map(drop)
}

/// Waits until the kubelet says that it is well, and until nothing keeps pods off.
fn await_ready(site: &Site, name: &str) -> Result<(), Error> {
    let path = format!("/api/v1/nodes/{name}");
    wait_for(&format!("node {name} to be Ready"), READY, || match site.client.get(&path) {
        Err(Error::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
        Ok(node) => Ok((is_ready(&node) && !is_tainted(&node)).then_some(())),
    })
}

fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn is_tainted(node: &Value) -> bool {
    let taints = node["spec"]["taints"].as_array().map(Vec::as_slice).unwrap_or_default();
    taints.iter().any(|taint| taint["key"] == "node.kubernetes.io/not-ready")
}
