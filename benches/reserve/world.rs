//! What is covered: nodes and the delays between them, and pods that are bound to be near some node.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use edge_core::delay::file::{DelayFiles, Metadata, UNLIMITED_PODS, UNLIMITED_STORAGE};
use edge_core::model::{Bytes, MilliCpu, Node, NodeName, NonZeroRequest, Owner, Pod, Resources};
use edge_core::placement::NodeSlot;
use edge_core::random::Random;
use edge_core::simulation::Scenario;

/// Bounds that pods have, in ms.
const BOUNDS_MS: [f64; 3] = [20.0, 30.0, 50.0];
const GIB: i64 = 1 << 30;

/// Round-trip times in ms.
pub(crate) struct Topology {
    pub(crate) name: String,
    delays: Vec<Vec<f64>>,
}

/// What pods demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// 2 GiB of memory each.
    Equal,
    /// 1, 1, 2 or 4 GiB.
    Unequal,
    /// The same, and 250, 500 or 1000 m of CPU, whatever the memory.
    TwoResources,
}

/// Pods in the order in which they arrive.
pub(crate) struct Workload {
    pub(crate) topology: String,
    pub(crate) sizes: Sizes,
    pub(crate) nodes: Vec<NodeSlot>,
    /// What each node has.
    pub(crate) allocatable: Resources,
    pub(crate) pods: Vec<Arrival>,
    /// Round-trip times in ms between the nodes.
    delays: Vec<Vec<f64>>,
}

/// A pod.
pub(crate) struct Arrival {
    /// The nodes it may be on, two at least.
    pub(crate) radius: Arc<[NodeSlot]>,
    /// What it demands.
    pub(crate) demand: Resources,
    anchor: usize,
    bound_ms: f64,
}

// === impl Topology ===

impl Topology {
    pub(crate) fn len(&self) -> usize {
        self.delays.len()
    }

    pub(crate) fn read(path: &str) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let cell = |cell: &str| cell.parse().unwrap_or_else(|_| panic!("{path}: {cell:?} is no delay"));
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let delays: Vec<Vec<f64>> = lines.map(|line| line.split_whitespace().map(cell).collect()).collect();
        let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".txt").to_owned();
        Self { name, delays }
    }

    /// Nodes in and around the towns of a large country.
    pub(crate) fn generated(n: usize) -> Self {
        let mut random = Random(0x70b0);
        let mut towns = Vec::new();
        towns.resize_with(n / 6 + 2, || (random.unit() * 1500.0, random.unit() * 1000.0));
        let mut place = || {
            let (x, y) = towns.get(random.below(towns.len())).copied().unwrap_or_default();
            let access = 0.2 + 7.8 * random.unit().powi(3);
            (x + random.unit() * 40.0, y + random.unit() * 40.0, access)
        };
        let places: Vec<(f64, f64, f64)> = (0..n).map(|_| place()).collect();
        let delay = |a: &(f64, f64, f64), b: &(f64, f64, f64)| {
            2.0 * (a.2 + b.2 + 1.5 * (a.0 - b.0).hypot(a.1 - b.1) * 0.006)
        };
        let delays = places.iter().map(|a| places.iter().map(|b| delay(a, b)).collect()).collect();
        Self { name: "generated".to_owned(), delays }
    }

    fn delay(&self, a: usize, b: usize) -> f64 {
        let one =
            |a: usize, b: usize| self.delays.get(a).and_then(|row| row.get(b)).copied().unwrap_or(f64::MAX);
        one(a, b).max(one(b, a))
    }
}

// === impl Sizes ===

impl Sizes {
    pub(crate) const ALL: [Self; 3] = [Self::Equal, Self::Unequal, Self::TwoResources];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Unequal => "unequal",
            Self::TwoResources => "two-resources",
        }
    }

    fn draw(self, random: &mut Random) -> Resources {
        let memory = [1, 1, 2, 4][random.below(4)];
        let cpu = [250, 500, 1000][random.below(3)];
        let of_memory = |gib: i64| Resources { memory: Bytes(gib * GIB), ..Resources::default() };
        match self {
            Self::Equal => of_memory(2),
            Self::Unequal => of_memory(memory),
            Self::TwoResources => Resources { cpu: MilliCpu(cpu), ..of_memory(memory) },
        }
    }
}

// === impl Workload ===

impl Workload {
    /// Draws nodes of a topology, and pods: each bound to one of the nodes by one of the delays, where there is another
    /// node within it.
    pub(crate) fn draw(topology: &Topology, n_nodes: usize, n_pods: usize, sizes: Sizes) -> Self {
        let mut random = Random(0x5eed);
        let mut drawn: Vec<usize> = (0..topology.len()).collect();
        for idx in 0..n_nodes {
            drawn.swap(idx, idx + random.below(topology.len() - idx));
        }
        drawn.truncate(n_nodes);
        let mut radii: HashMap<(usize, usize), Arc<[NodeSlot]>> = HashMap::new();
        let mut pods = Vec::new();
        for _ in 0..n_pods * 1000 {
            let (anchor, bound) = (random.below(n_nodes), random.below(BOUNDS_MS.len()));
            let radius = radii.entry((anchor, bound)).or_insert_with(|| {
                let within = |node: &usize| topology.delay(drawn[anchor], drawn[*node]) <= BOUNDS_MS[bound];
                (0..n_nodes).filter(|node| *node == anchor || within(node)).map(slot).collect()
            });
            if radius.len() >= 2 {
                let (radius, bound_ms) = (radius.clone(), BOUNDS_MS[bound]);
                pods.push(Arrival { radius, demand: sizes.draw(&mut random), anchor, bound_ms });
            }
            if pods.len() == n_pods {
                break;
            }
        }
        let allocatable =
            Resources { cpu: MilliCpu(64_000), memory: Bytes(128 * GIB), ..Resources::default() };
        let nodes = (0..n_nodes).map(slot).collect();
        let row = |from: &usize| drawn.iter().map(|to| topology.delay(*from, *to)).collect();
        let delays = drawn.iter().map(row).collect();
        Self { topology: topology.name.clone(), sizes, nodes, allocatable, pods, delays }
    }

    /// The same as what the scheduler's simulation takes.
    pub(crate) fn scenario(&self) -> Scenario {
        let names: Vec<NodeName> = (0..self.nodes.len()).map(node_name).collect();
        let json: Vec<String> =
            names.iter().zip(0..).map(|(name, idx)| format!("\"{name}\": {idx}")).collect();
        let metadata = Metadata::parse(&format!("{{{}}}", json.join(",")));
        let cells = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<String>>();
        let line = |row: &Vec<f64>| cells(row).join(" ") + "\n";
        let matrix: String = self.delays.iter().map(line).collect();
        let delays = metadata.and_then(|metadata| DelayFiles::read(matrix.as_bytes(), metadata, &names));
        let delays = delays.unwrap_or_else(|error| panic!("{}: {error}", self.topology));
        let allocatable = Resources { ephemeral_storage: UNLIMITED_STORAGE, ..self.allocatable.clone() };
        let node = |name: &NodeName| Node {
            allocatable: allocatable.clone(),
            allowed_pods: UNLIMITED_PODS,
            ..Node::named(name.as_str())
        };
        let pods = self.pods.iter().enumerate().map(|(idx, arrival)| arrival.pod(idx)).collect();
        Scenario { nodes: names.iter().map(node).collect(), pods, delays }
    }
}

// === impl Arrival ===

impl Arrival {
    /// The only pod of its workload.
    fn pod(&self, idx: usize) -> Pod {
        let label = (format!("delay_{}", node_name(self.anchor)), self.bound_ms.to_string());
        let owner = Owner { kind: "ReplicaSet".into(), name: format!("pod-{idx}").into() };
        // A container that requests no CPU counts as 100 m where nodes are scored.
        let cpu = if self.demand.cpu.0 == 0 { MilliCpu(100) } else { self.demand.cpu };
        let non_zero = NonZeroRequest { cpu, memory: self.demand.memory };
        Pod {
            labels: [label].into_iter().collect(),
            owner: Some(owner),
            requests: self.demand.clone(),
            non_zero,
            scored: non_zero,
            ..Pod::pending("default", &format!("pod-{idx}"))
        }
    }
}

fn node_name(idx: usize) -> NodeName {
    NodeName::new(format!("node-{idx}"))
}

fn slot(idx: usize) -> NodeSlot {
    NodeSlot(u32::try_from(idx).unwrap_or(u32::MAX))
}
