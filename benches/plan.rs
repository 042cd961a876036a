//! How long a measurement plan takes for 5,000 nodes, how much of it changes, and how good coordinates are.
//!
//! `cargo bench --bench plan -- [FILE]...` takes matrices of round-trip times in ms, separated by white space, one
//! row a line: coordinates learn what the plan measures of one, and are compared with all of it.

#![expect(
    clippy::print_stdout,
    clippy::panic,
    reason = "a benchmark prints, and ends where it is given no matrix"
)]

use std::fs;
use std::time::{Duration, Instant};

use edge_core::delay::{DelaySource, Measurement, Report, Statistics};
use edge_core::measure::{Agent, AnchorInUse, PlanSettings, Planner};
use edge_core::model::{Delay, NodeName, Time};
use edge_core::random::Random;

const NODES: usize = 5_000;
const ANCHORS: usize = 50;

fn main() {
    for path in std::env::args().skip(1).filter(|arg| !arg.starts_with("--")) {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let rows: Vec<Vec<f64>> = text
            .lines()
            .map(|line| line.split_whitespace().filter_map(|cell| cell.parse().ok()).collect())
            .filter(|row: &Vec<f64>| !row.is_empty())
            .collect();
        println!("{path}");
        accuracy(&rows);
    }
    speed();
}

/// Coordinates of a matrix, as many rounds of measuring as take ten minutes.
fn accuracy(rows: &[Vec<f64>]) {
    let names: Vec<NodeName> = (0..rows.len()).map(name).collect();
    let ms = |a: usize, b: usize| rows.get(a).and_then(|row| row.get(b)).copied().unwrap_or(0.0);
    let mut planner = Planner::new(PlanSettings { mesh_up_to: 20, ..PlanSettings::default() });
    planner.set_agents(agents(names.len()));
    for round in 0..60 {
        planner.step(seconds(round * 10));
        names.iter().enumerate().for_each(|(idx, from)| report(&mut planner, from, |peer| ms(idx, peer)));
    }
    let mut errors: Vec<f64> = Vec::new();
    let mut found: Vec<(u32, [u32; 3])> = [20, 30, 50, 100].map(|bound| (bound, [0; 3])).to_vec();
    for (a, one) in names.iter().enumerate() {
        for (b, other) in names.iter().enumerate().skip(a + 1) {
            let Some(predicted) = planner.predicted(one, other).map(Delay::as_millis_f64) else { continue };
            let real = ms(a, b).max(0.05);
            errors.push((predicted - real).abs() / real);
            for (bound, [right, said, within]) in &mut found {
                let bound = f64::from(*bound);
                *right += u32::from(predicted <= bound && real <= bound);
                *said += u32::from(predicted <= 2.0 * bound && real <= bound);
                *within += u32::from(real <= bound);
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    let at = |part: usize| errors.get(errors.len() * part / 100).copied().unwrap_or(0.0) * 100.0;
    println!(
        "  {} pairs: median error {:.1} %, of nine in ten at most {:.1} %",
        errors.len(),
        at(50),
        at(90)
    );
    for (bound, [right, said, within]) in found {
        println!("  {within} pairs within {bound} ms: {right} predicted so, {said} within twice that");
    }
}

fn speed() {
    let mut planner = Planner::new(PlanSettings::default());
    let start = Instant::now();
    planner.set_agents(agents(NODES));
    let lists = planner.step(seconds(0)).len();
    println!("{NODES} nodes: first plan {:.1?}, {lists} lists", start.elapsed());
    let anchors = (0..ANCHORS).map(|idx| AnchorInUse {
        node: name(idx * NODES / ANCHORS),
        bound: Delay::from_micros(20_000).unwrap_or(Delay::ZERO),
        broken_over: Delay::from_micros(22_000).unwrap_or(Delay::ZERO),
        waiting: idx % 2 == 0,
        users: Vec::new(),
    });
    planner.set_anchors(anchors.collect());
    let names: Vec<NodeName> = (0..NODES).map(name).collect();
    for round in 1..=120 {
        let start = Instant::now();
        names
            .iter()
            .enumerate()
            .for_each(|(idx, from)| report(&mut planner, from, |peer| delay(idx, peer, round)));
        let told = start.elapsed();
        let start = Instant::now();
        let lists = planner.step(seconds(round * 10)).len();
        if round <= 3 || round % 20 == 0 {
            println!(
                "  step {round}: {told:.1?} for {NODES} reports, {:.1?} for the plan, {lists} lists",
                start.elapsed()
            );
        }
    }
    let start = Instant::now();
    planner.set_agents(agents(NODES - 1));
    let lists = planner.step(seconds(1210)).len();
    println!("  a node goes: {:.1?}, {lists} lists", start.elapsed());
}

/// What a node measures of those that the plan names.
fn report(planner: &mut Planner, from: &NodeName, ms: impl Fn(usize) -> f64) {
    let peers = planner.peers_of(from).unwrap_or_default();
    let rows = peers.iter().filter_map(|peer| {
        let idx = peer.node.as_str().strip_prefix('n')?.parse().ok()?;
        let p50 = Delay::from_millis_f64(ms(idx)).ok();
        let statistics = Statistics { min: p50, p50, samples: 32, ..Statistics::default() };
        Some(Measurement { peer: peer.node.clone(), statistics })
    });
    let rows = rows.collect();
    planner.learn(&Report {
        from: from.clone(),
        source: DelaySource::Probe,
        every: None,
        starved: false,
        rows,
    });
}

/// The delay between two of the generated nodes, in ms: towns, access, and a wobble of 3 %.
fn delay(a: usize, b: usize, round: u64) -> f64 {
    let place = |idx: usize| {
        let town = Random(Random(idx as u64).draw() % 60).draw();
        let at = |seed: u64, size: f64| {
            Random(town ^ seed).unit() * size + Random(idx as u64 ^ seed).unit() * 40.0
        };
        (at(1, 2000.0), at(2, 1500.0), 0.2 + 7.8 * Random(idx as u64 ^ 3).unit().powi(3))
    };
    let ((ax, ay, a_access), (bx, by, b_access)) = (place(a), place(b));
    let base = 2.0 * (a_access + b_access + 1.5 * (ax - bx).hypot(ay - by) * 0.006);
    base * (1.0 + 0.03 * Random((a * NODES + b) as u64 ^ Random(round).draw()).unit())
}

fn agents(n: usize) -> Vec<Agent> {
    let address = |idx: usize| format!("10.{}.{}.{}:7", idx >> 16, (idx >> 8) & 255, idx & 255);
    (0..n).map(|idx| Agent { node: name(idx), addresses: vec![address(idx).as_str().into()] }).collect()
}

fn name(idx: usize) -> NodeName {
    NodeName::new(format!("n{idx}"))
}

fn seconds(seconds: u64) -> Time {
    Time::from_origin(Duration::from_secs(seconds))
}
