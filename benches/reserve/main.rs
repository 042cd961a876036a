//! How much has to be reserved so that every pod has somewhere to go when its node fails: dedicated backups, the BME
//! scheduler's rule, ours as pods arrive, ours re-optimised, and what nobody can do with less. Ours is what the
//! scheduler's own simulation comes to, the one of `kubectl edge simulate`.
//!
//! `cargo bench -p edge-core --bench reserve -- [--matrix FILE]... [--nodes N,N,...] [--sizes SIZES,...] [--rows FILE]...
//! [--svg FILE] [--programs FOLDER] [--steps N]`
//!
//! Matrices are round-trip times in ms, separated by white space, one row a line; so many of their nodes are drawn as
//! `--nodes` says. Without one a topology is generated. A row for each case goes to standard error as it is ready;
//! rows that were saved are read again with `--rows`, and then nothing is measured. The table goes to standard output.
//! With `--programs` the integer program of each case is written there, for a solver of your choice; nothing else is done.
//! Re-optimisation searches for 400 steps, as the scheduler does every five minutes, or for `--steps`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, ends on bad input, and shares are for people"
)]

mod bme;
mod covering;
mod measure;
mod plot;
mod program;
mod row;
mod table;
mod world;

use std::fs;

use covering::{Covering, STEPS};
use measure::measure;
use row::Row;
use world::{Sizes, Topology, Workload};

/// How many pods there are for each node.
const PODS_PER_NODE: usize = 10;
const DEFAULT_NODES: [usize; 3] = [11, 30, 60];

/// What the command line says.
#[derive(Default)]
struct Args {
    matrices: Vec<String>,
    nodes: Vec<usize>,
    sizes: Vec<Sizes>,
    rows: Vec<String>,
    svg: Option<String>,
    programs: Option<String>,
    steps: Option<usize>,
}

fn main() {
    let args = Args::read();
    let rows = if args.rows.is_empty() { run(&args) } else { load(&args.rows) };
    println!("{}", table::markdown(&rows));
    if let Some(path) = &args.svg {
        write(path, &plot::svg(&rows));
    }
}

fn run(args: &Args) -> Vec<Row> {
    let mut topologies: Vec<Topology> = args.matrices.iter().map(|path| Topology::read(path)).collect();
    let largest = args.nodes.iter().copied().max().unwrap_or(0);
    if topologies.is_empty() {
        topologies.push(Topology::generated(largest));
    }
    let steps = args.steps.unwrap_or(STEPS);
    let mut rows = Vec::new();
    for nodes in &args.nodes {
        for topology in topologies.iter().filter(|it| it.len() >= *nodes) {
            for sizes in &args.sizes {
                let workload = Workload::draw(topology, *nodes, nodes * PODS_PER_NODE, *sizes);
                if let Some(folder) = &args.programs {
                    let name = format!("{folder}/{}-{nodes}-{}.lp", topology.name, sizes.name());
                    write(&name, &program::lp(&Covering::online(&workload, steps).0.subjects));
                    continue;
                }
                for row in measure(&workload, steps) {
                    eprintln!("{}", row.line());
                    rows.push(row);
                }
            }
        }
    }
    rows
}

fn load(paths: &[String]) -> Vec<Row> {
    let texts =
        paths.iter().map(|path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}")));
    let lines: Vec<String> =
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    lines.iter().filter_map(|line| Row::parse(line)).collect()
}

fn write(path: &str, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{path}: {error}"));
}

// === impl Args ===

impl Args {
    fn read() -> Self {
        let mut args = Self::default();
        // Cargo adds a flag of its own.
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--matrix" => args.matrices.push(value()),
                "--rows" => args.rows.push(value()),
                "--svg" => args.svg = Some(value()),
                "--steps" => args.steps = Some(number(&value())),
                "--programs" => args.programs = Some(value()),
                "--nodes" => args.nodes = value().split(',').map(number).collect(),
                "--sizes" => args.sizes = value().split(',').map(sizes).collect(),
                _ => panic!(
                    "{word} is not known: there are --matrix, --nodes, --sizes, --rows, --svg, --programs and \
                     --steps"
                ),
            }
        }
        if args.nodes.is_empty() {
            args.nodes = DEFAULT_NODES.into();
        }
        if args.sizes.is_empty() {
            args.sizes = Sizes::ALL.into();
        }
        args
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number of nodes"))
}

fn sizes(text: &str) -> Sizes {
    let found = Sizes::ALL.into_iter().find(|sizes| sizes.name() == text);
    found.unwrap_or_else(|| panic!("{text:?} are no sizes: there are equal, unequal and two-resources"))
}
