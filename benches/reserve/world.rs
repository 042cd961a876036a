//! What is covered: nodes and the delays between them, and pods that are bound to be near some node.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use edge_core::model::{Bytes, MilliCpu, Resources};
use edge_core::placement::NodeSlot;
use edge_core::random::Random;

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
    /// The nodes each pod may be on, two at least, and what it demands.
    pub(crate) pods: Vec<(Arc<[NodeSlot]>, Resources)>,
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
                pods.push((radius.clone(), sizes.draw(&mut random)));
            }
            if pods.len() == n_pods {
                break;
            }
        }
        let allocatable =
            Resources { cpu: MilliCpu(64_000), memory: Bytes(128 * GIB), ..Resources::default() };
        let nodes = (0..n_nodes).map(slot).collect();
        Self { topology: topology.name.clone(), sizes, nodes, allocatable, pods }
    }
}

fn slot(idx: usize) -> NodeSlot {
    NodeSlot(u32::try_from(idx).unwrap_or(u32::MAX))
}
