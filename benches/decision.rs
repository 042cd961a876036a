//! How long one decision takes, in process, with every node considered.
//!
//! `cargo bench --bench decision` prints percentiles over many decisions, and then divan's statistics: of pods that
//! need what no pod before them needed, and of pods that are like one before them, as replicas are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use divan::Bencher;
use edge_core::cover::Covered;
use edge_core::delay::DelayRow;
use edge_core::model::{
    Bytes, Delay, LabelSelector, Labels, MilliCpu, Name, Node, NodeName, NonZeroRequest, Owner, Pod,
    PodAffinity, PodAffinityTerm, PodSelector, Resources, SelectorKind, Time,
};
use edge_core::placement::{
    Decision, HOSTNAME, Memory, Profile, Snapshot, Unobserved, ZONE, place, place_observed,
};
use edge_core::random::Random;

/// A case: how many nodes, and what the pods ask for.
#[derive(Clone, Copy)]
struct Case {
    nodes: u32,
    ask: Ask,
}

/// What the pods ask for.
#[derive(Clone, Copy, Debug)]
enum Ask {
    /// Nothing but room.
    Plain,
    /// To be near a node.
    OneNode,
    /// To be near a node, where some sixty nodes are, and to be covered, as six pods on each node are.
    Covered,
    /// The same where hundreds of nodes are.
    CoveredWidely,
    /// To be near each of three nodes.
    ThreeNodes,
    /// To be near the nearest of a workload's 20 replicas.
    Workload,
    /// To be spread by default with the pods of a Service, of which there is one on every third node.
    Service,
    /// The same, and to be on no node with another of them.
    Apart,
}

const CASES: [Case; 10] = [
    Case { nodes: 1_000, ask: Ask::Plain },
    Case { nodes: 1_000, ask: Ask::OneNode },
    Case { nodes: 5_000, ask: Ask::Plain },
    Case { nodes: 5_000, ask: Ask::OneNode },
    Case { nodes: 5_000, ask: Ask::Covered },
    Case { nodes: 5_000, ask: Ask::CoveredWidely },
    Case { nodes: 5_000, ask: Ask::ThreeNodes },
    Case { nodes: 5_000, ask: Ask::Workload },
    Case { nodes: 5_000, ask: Ask::Service },
    Case { nodes: 5_000, ask: Ask::Apart },
];

/// A bound in ms within which are some sixty of the nodes.
const FEW_MS: u32 = 2;
/// How many nodes are anchors.
const ANCHORS: u32 = 50;
/// How many decisions the percentiles are taken over.
const DECISIONS: u32 = 5_000;

fn main() {
    percentiles();
    divan::main();
}

#[expect(clippy::print_stdout, reason = "a benchmark's result")]
fn percentiles() {
    println!("{:<36} {:>9} {:>9} {:>9}", "one decision, µs", "p50", "p99", "max");
    for case in CASES {
        let snapshot = case.snapshot();
        let profile = Profile::with_all_plugins("edge-scheduler");
        let mut memory = Memory::default();
        for (like, memory) in [("", None), (", as before", Some(&mut memory))] {
            let mut times = case.decide(&snapshot, &profile, memory);
            times.sort_unstable();
            let at = |percent: usize| {
                times.get(times.len() * percent / 100).map_or(0.0, |time| time.as_secs_f64() * 1e6)
            };
            let max = times.last().map_or(0.0, |time| time.as_secs_f64() * 1e6);
            println!("{:<36} {:>9.1} {:>9.1} {max:>9.1}", format!("{case}{like}"), at(50), at(99));
        }
    }
}

#[divan::bench(args = CASES)]
fn decision(bencher: Bencher, case: Case) {
    let snapshot = case.snapshot();
    let profile = Profile::with_all_plugins("edge-scheduler");
    let idx = std::cell::Cell::new(0);
    bencher
        .with_inputs(|| {
            idx.set(idx.get() + 1);
            case.pod(idx.get())
        })
        .bench_local_refs(|pod| place(&snapshot, pod, &profile));
}

// === impl Case ===

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} nodes, {:?}", self.nodes, self.ask)
    }
}

impl Case {
    /// How long each decision takes.
    fn decide(
        self,
        snapshot: &Snapshot,
        profile: &Profile,
        mut memory: Option<&mut Memory>,
    ) -> Vec<Duration> {
        let decide = |idx| {
            let pod = self.pod(idx);
            let start = Instant::now();
            let decision = match &mut memory {
                Some(memory) => place_observed(snapshot, &pod, profile, memory, &mut Unobserved),
                None => place(snapshot, &pod, profile),
            };
            let took = start.elapsed();
            assert!(matches!(decision, Decision::Place(_)), "every pod of the benchmark fits somewhere");
            took
        };
        (0..DECISIONS).map(decide).collect()
    }

    fn pod(self, idx: u32) -> Pod {
        let within = |anchor: u32, ms: u32| (format!("delay_node-{}", anchor % ANCHORS), ms.to_string());
        let near = |anchor: u32| within(anchor, 20);
        let labels = match self.ask {
            Ask::Plain => Vec::new(),
            Ask::OneNode | Ask::CoveredWidely => vec![near(idx)],
            Ask::Covered => vec![within(idx, FEW_MS)],
            Ask::ThreeNodes => vec![near(idx), near(idx + 1), near(idx + 2)],
            Ask::Workload => vec![("delay_db".to_owned(), "20".to_owned())],
            Ask::Service | Ask::Apart => vec![("app".to_owned(), "web".to_owned())],
        };
        let (cpu, memory) = (MilliCpu(100), Bytes(500 << 20));
        Pod {
            labels: labels.into_iter().collect(),
            requests: Resources { cpu, memory, ..Resources::default() },
            non_zero: NonZeroRequest { cpu, memory },
            pod_affinity: matches!(self.ask, Ask::Apart).then(apart),
            ..Pod::pending("default", &format!("pod-{idx}"))
        }
    }

    /// Nodes in use to different degrees, the delays of the anchors, and a workload on 20 of them.
    fn snapshot(self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for idx in 0..self.nodes {
            snapshot.nodes.put(node(idx));
            let slot = snapshot.nodes.slot_of(&name(idx));
            for other in 0..idx % 7 {
                let pod = Arc::new(Self { ask: Ask::Plain, ..self }.pod(other));
                if let Some(usage) = snapshot.nodes.usage_mut(slot) {
                    usage.add(&pod);
                }
            }
        }
        for anchor in 0..ANCHORS {
            let to = (0..self.nodes).filter_map(|idx| Some((name(idx), delay(anchor, idx)?))).collect();
            snapshot.delays.load(&DelayRow { from: name(anchor), to }, &mut snapshot.nodes, Time::ZERO);
        }
        let owner = Some(Owner { kind: "StatefulSet".into(), name: "db".into() });
        for replica in 0..20 {
            let slot = snapshot.nodes.slot_of(&name(replica));
            let pod = Pod { owner: owner.clone(), ..Pod::pending("default", &format!("db-{replica}")) };
            snapshot.workloads.add(&pod, slot);
        }
        match self.ask {
            Ask::Covered => add_cover(self, &mut snapshot, FEW_MS),
            Ask::CoveredWidely => add_cover(self, &mut snapshot, 20),
            _ => (),
        }
        if matches!(self.ask, Ask::Service | Ask::Apart) {
            add_service(self, &mut snapshot);
        }
        snapshot
    }
}

fn web() -> Labels {
    [("app", "web")].into_iter().collect()
}

/// On no node with a pod of the Service.
fn apart() -> Arc<PodAffinity> {
    let term = PodAffinityTerm {
        topology_key: HOSTNAME.into(),
        selector: LabelSelector::from(&web()),
        namespaces: ["default".into()].into(),
        namespace_selector: LabelSelector::Nothing,
    };
    Arc::new(PodAffinity { required_anti: [term].into(), ..PodAffinity::default() })
}

/// Pods near each anchor, as many as there are nodes six times over, each covered by a node near the same anchor.
fn add_cover(case: Case, snapshot: &mut Snapshot, ms: u32) {
    let near = |anchor: u32| -> Vec<u32> {
        let within = |idx: &u32| delay(anchor, *idx).is_some_and(|delay| delay.as_micros() <= 1_000 * ms);
        (0..case.nodes).filter(within).collect()
    };
    let near: Vec<Vec<u32>> = (0..ANCHORS).map(near).collect();
    let mut random = Random(0xc0e);
    for idx in 0..6 * case.nodes {
        let near = &near[idx as usize % near.len()];
        let [primary, backup] = [(); 2].map(|()| near[random.below(near.len())]);
        if primary != backup {
            let [primary, backup] = [primary, backup].map(|idx| snapshot.nodes.slot_of(&name(idx)));
            let demand = case.pod(idx).requests;
            let uid = format!("covered-{idx}").as_str().into();
            snapshot.backups.book.put(uid, Covered { primary, backup, demand });
        }
    }
}

/// A Service, and one of its pods on every third node.
fn add_service(case: Case, snapshot: &mut Snapshot) {
    let selector = LabelSelector::from(&web());
    let (namespace, name): (Name, Name) = ("default".into(), "web".into());
    snapshot.selectors.put(PodSelector { kind: SelectorKind::Service, namespace, name, selector });
    for idx in (0..case.nodes).step_by(3) {
        let slot = snapshot.nodes.slot_of(&self::name(idx));
        snapshot.add_pod(&Arc::new(case.pod(idx)), slot);
    }
}

fn name(idx: u32) -> NodeName {
    NodeName::new(format!("node-{idx}"))
}

fn node(idx: u32) -> Node {
    let labels: [(Name, Name); 4] = [
        (HOSTNAME.into(), format!("node-{idx}").into()),
        (ZONE.into(), format!("zone-{}", idx % 3).into()),
        ("kubernetes.io/os".into(), "linux".into()),
        ("kubernetes.io/arch".into(), "amd64".into()),
    ];
    let allocatable = Resources { cpu: MilliCpu(4_000), memory: Bytes(32 << 30), ..Resources::default() };
    Node {
        labels: labels.into_iter().collect(),
        allocatable,
        allowed_pods: 110,
        ..Node::named(&*format!("node-{idx}"))
    }
}

/// Spread over 1 to 100 ms, so that a bound of 20 ms admits a fifth of the nodes.
fn delay(from: u32, to: u32) -> Option<Delay> {
    let mixed = from.wrapping_mul(0x9e37_79b9) ^ to.wrapping_mul(0x85eb_ca6b);
    Delay::from_micros(1_000 + (mixed >> 8) % 99_000).ok()
}
