//! `kubectl edge simulate`.

mod load;
mod report;
mod reserve;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use clap::builder::PossibleValuesParser;
use edge_core::placement::Profile;
use edge_core::simulation::{Outcome, RadiusRule, Scenario};

use crate::failure::{Ending, Failure};
use crate::view::Output;
use report::{Clustering, SimulationReport};

/// Place pods on nodes that are described in files, without a cluster
///
/// The pods are placed by the very code that the scheduler runs, in the order of the files. Every
/// binding succeeds and no time passes. Nothing is contacted, so no connection has to be described.
///
/// Pods with a delay constraint get a backup, which takes up room. What is reserved is told as it came
/// about pod by pod (online), and with the backups re-optimised afterwards (offline).
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = FILE_FORMATS)]
pub(crate) struct Simulate {
    /// Delay matrix: round-trip times in ms
    #[arg(short, long, value_name = "FILE")]
    delay_matrix: PathBuf,
    /// Metadata: which row of the matrix is whose
    #[arg(short, long, value_name = "FILE")]
    metadata: PathBuf,
    /// Nodes: a file, or a folder of files
    #[arg(short, long, value_name = "PATH")]
    nodes: PathBuf,
    /// Pods: a manifest, or a folder of manifests
    #[arg(short, long, value_name = "PATH")]
    pods: PathBuf,
    /// Run both without and with clustering, and compare
    ///
    /// With clustering, a radius is replaced by the anchor's cluster in the layer of that delay, as
    /// the BME scheduler did it; this scheduler never does.
    #[arg(short, long, verbatim_doc_comment)]
    both: bool,
    /// The profile of pods whose manifest doesn't name one
    #[arg(long, value_name = "NAME", default_value = "custom-scheduler", value_parser = profile_names())]
    profile: String,
}

const FILE_FORMATS: &str = "\
Files, as the BME edge scheduler has them:
  delay matrix  numbers separated by white space, one row a line, as many rows as columns; of both
                directions the larger counts
  metadata      {\"edge-1\": 0, \"edge-2\": 1}, each node with the index of its row
  nodes         [{\"name\": \"edge-1\", \"allocatable_memory\": \"8Gi\", \"cloud\": false}], or a folder of .json
                files; what is not memory does not limit
  pods          manifests of Deployments and other workloads, or a folder of .yaml, .yml and .json files;
                labels such as delay_edge-1: \"25\" in the pod template are delay constraints

Exit codes: 0 every pod is placed, 1 failed, 2 wrong usage, 3 pods stay pending.

Example:
  kubectl edge simulate -d delays.txt -m metadata.json -n nodes.json -p manifests/ -b";

fn profile_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Profile::KNOWN.into_iter().chain(["default-scheduler"]))
}

// === impl Simulate ===

impl Simulate {
    pub(super) fn run(&self) -> Result<Output, Failure> {
        let (scenario, warnings) = self.load()?;
        if self.both {
            // The first run pays for cold caches; to compare, both have to come after it.
            run(&scenario, &RadiusRule::Exact);
        }
        let exact = run(&scenario, &RadiusRule::Exact);
        let clustering = self.both.then(|| cluster(&scenario));
        let ending = if exact.pending.is_empty() { Ending::Ok } else { Ending::Findings };
        let report = SimulationReport::new(&scenario, &exact, clustering);
        Ok(Output::ok(report).with_warnings(warnings).ending(ending))
    }
}

fn cluster(scenario: &Scenario) -> Clustering {
    let begun = Instant::now();
    let layers = Arc::new(scenario.layers());
    let layering = begun.elapsed();
    Clustering::new(&run(scenario, &RadiusRule::Clustered(layers)), layering)
}

/// Places the pods by this machine's clock.
fn run(scenario: &Scenario, rule: &RadiusRule) -> Outcome {
    let origin = Instant::now();
    scenario.run(rule, &mut || origin.elapsed())
}
