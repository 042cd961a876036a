//! How long layers take: linking all nodes, cutting out eight layers, checking every pair of every cluster.
//!
//! `cargo bench --bench layers -- [FILE]...` takes matrices of round-trip times in ms, separated by white space, one
//! row a line. Without one, and after them, it takes 5,000 generated nodes: all pairs known, and each measured with
//! a few others only.

#![expect(
    clippy::print_stdout,
    clippy::panic,
    reason = "a benchmark prints, and ends where it is given no matrix"
)]

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use edge_core::layers::{Delays, Layers, Member, PairDelays, verify};
use edge_core::model::Delay;
use edge_core::placement::NodeSlot;
use edge_core::random::Random;

/// The layers that are made.
const BOUNDS_MS: [u32; 8] = [10, 20, 30, 50, 75, 100, 150, 200];
/// How many nodes are generated.
const GENERATED: usize = 5_000;
/// Of how many others each of them has a delay in a cluster of that size where not everybody measures everybody.
const PEERS: usize = 50;
/// The best of so many runs counts.
const RUNS: usize = 5;

fn main() {
    for path in std::env::args().skip(1).filter(|arg| !arg.starts_with("--")) {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (n, table) = read(&text);
        bench(&path, n, &table);
    }
    let mut random = Random(0x1a7e5);
    let nodes: Vec<Place> = (0..GENERATED).map(|_| Place::any(&mut random)).collect();
    bench("generated, all pairs known", GENERATED, &all_pairs(&nodes, &mut random));
    bench("generated, near ones and some others known", GENERATED, &some_pairs(&nodes, &mut random));
}

fn bench(what: &str, n: usize, table: &PairDelays) {
    let members: Vec<Member> = (0..n)
        .map(|idx| Member { slot: slot(idx), name: format!("node-{idx:05}").as_str().into() })
        .collect();
    let slots: Vec<NodeSlot> = members.iter().map(|member| member.slot).collect();
    let bounds: BTreeSet<Delay> =
        BOUNDS_MS.iter().filter_map(|ms| Delay::from_micros(ms * 1000).ok()).collect();
    let mut best = Duration::MAX;
    let mut made = None;
    for _ in 0..RUNS {
        let start = Instant::now();
        made = Some(Layers::link(&members, bounds.iter().copied(), table));
        best = best.min(start.elapsed());
    }
    let Some((mut layers, coverage)) = made else { return };
    let exported = layers.layers();
    let start = Instant::now();
    let verdict = verify(&slots, &exported, table);
    let checked = start.elapsed();
    let start = Instant::now();
    layers.refresh(&members, table);
    let refreshed = start.elapsed();
    println!("{what}: {n} nodes, {:.1} % of the pairs known", coverage.share() * 100.0);
    println!("  linked and cut in {best:.1?}, checked in {checked:.1?}: {verdict:?}");
    println!("  looked through for pairs that are too far in {refreshed:.1?}; peak memory {}", peak_memory());
    for layer in &exported {
        let largest = layer.clusters.iter().map(Vec::len).max().unwrap_or(0);
        let single = layer.clusters.iter().filter(|cluster| cluster.len() == 1).count();
        let inside: usize = layer.clusters.iter().map(|it| it.len() * (it.len() - 1)).sum();
        println!(
            "  {:>5} ms: {:>5} clusters, largest {largest:>5}, {single:>5} of one node, {:.3} of the pairs in radius",
            layer.bound,
            layer.clusters.len(),
            share(inside, in_radius(&slots, layer.bound, table)),
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is printed")]
fn share(part: usize, all: usize) -> f64 {
    if all == 0 { 1.0 } else { part as f64 / all as f64 }
}

/// How many pairs, counted from both ends, are within a delay.
fn in_radius(slots: &[NodeSlot], bound: Delay, table: &PairDelays) -> usize {
    let mut within = 0;
    for slot in slots {
        table.each_known(*slot, &mut |_, delay| within += usize::from(delay <= bound));
    }
    within
}

fn slot(idx: usize) -> NodeSlot {
    NodeSlot(u32::try_from(idx).unwrap_or(u32::MAX))
}

/// Reads a matrix.
fn read(text: &str) -> (usize, PairDelays) {
    let rows: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut table = PairDelays::new(rows.len(), rows.len() * rows.len());
    for (from, row) in rows.iter().enumerate() {
        for (to, cell) in row.split_whitespace().enumerate() {
            let delay = cell.parse().ok().and_then(|ms| Delay::from_millis_f64(ms).ok());
            let Some(delay) = delay else { panic!("row {from}: {cell:?} is no delay") };
            table.put(slot(from), slot(to), delay);
        }
    }
    (rows.len(), table)
}

/// Where a generated node is, in km, and what its access adds one way, in ms.
struct Place {
    x: f64,
    y: f64,
    access: f64,
}

impl Place {
    /// In or around one of 60 towns of a large country.
    fn any(random: &mut Random) -> Self {
        let mut town = Random(1 + random.draw() % 60);
        let (x, y) = (town.unit() * 2000.0, town.unit() * 1500.0);
        Self {
            x: x + random.unit() * 40.0,
            y: y + random.unit() * 40.0,
            // Most are on fibre, some on radio.
            access: 0.2 + 7.8 * random.unit().powi(3),
        }
    }

    fn delay(&self, other: &Self, random: &mut Random) -> Option<Delay> {
        let km = (self.x - other.x).hypot(self.y - other.y);
        let ms = 2.0 * (self.access + other.access + 1.5 * km * 0.006);
        Delay::from_millis_f64(ms * (1.0 + 0.05 * random.unit())).ok()
    }
}

fn all_pairs(nodes: &[Place], random: &mut Random) -> PairDelays {
    let mut table = PairDelays::new(nodes.len(), nodes.len() * nodes.len());
    for (a, one) in nodes.iter().enumerate() {
        for (b, other) in nodes.iter().enumerate().skip(a + 1) {
            if let Some(delay) = one.delay(other, random) {
                table.put(slot(a), slot(b), delay);
            }
        }
    }
    table
}

/// Half of the pairs of a node are with its nearest, half with anybody.
fn some_pairs(nodes: &[Place], random: &mut Random) -> PairDelays {
    let mut table = PairDelays::new(nodes.len(), nodes.len() * PEERS);
    for (a, one) in nodes.iter().enumerate() {
        let mut others: Vec<(Delay, usize)> = nodes
            .iter()
            .enumerate()
            .filter(|(b, _)| a != *b)
            .filter_map(|(b, other)| Some((one.delay(other, random)?, b)))
            .collect();
        others.sort_unstable();
        let any: Vec<_> =
            (0..PEERS / 2).filter_map(|_| others.get(random.below(others.len())).copied()).collect();
        for (delay, b) in others.iter().take(PEERS / 2).chain(&any) {
            table.put(slot(a), slot(*b), *delay);
        }
    }
    table
}

/// The most memory that this process ever used.
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "not known".to_owned(), |peak| peak.trim().to_owned())
}
