//! Throughput against a real API server: `cargo bench --bench throughput -- --help`.
//!
//! For each number of nodes and each workload a control plane is started and nodes are made. Then, round after round,
//! each contender in turn meets the same backlog of pods and binds all of it:
//!
//! | contender | what it is |
//! |---|---|
//! | the limit | a plain binder: watches pods, binds each to the next node, writes the event, decides nothing |
//! | kube-scheduler | its default plugins, client limits lifted |
//! | edge-scheduler | ours |
//!
//! Everything runs on this one machine; etcd and the API server take part in using it up, so the limit is theirs.
//!
//! | module | subject |
//! |---|---|
//! | `args` | the command line |
//! | `bed` | the control plane with its nodes, and the pods, made anew for each run |
//! | `workload`, `topology` | the pods, and the delays between the nodes |
//! | `contender`, `limit` | the schedulers; the plain binder |
//! | `counter` | sees bindings happen |
//! | `measure` | one run |
//! | `verify` | whether what was bound is right |
//! | `report`, `machine` | the tables; where they were measured |

mod args;
mod bed;
mod contender;
mod counter;
mod limit;
mod machine;
mod measure;
mod report;
mod topology;
mod verify;
mod workload;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Plan};
use bed::Bed;
use contender::Contender;
use machine::Machine;
use report::Report;

fn main() -> ExitCode {
    let Cli { binder, plan } = Cli::parse();
    let outcome = match binder {
        Some(args::Hidden::PlainBinder(options)) => limit::run(&options),
        None => compare(&plan),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs the whole plan and prints the report.
fn compare(plan: &Plan) -> anyhow::Result<()> {
    let load_before = machine::load()?;
    let mut report = Report::default();
    let mut versions = None;
    for nodes in &plan.nodes {
        for workload in &plan.workloads {
            let bed = Bed::make(*nodes, plan.pods, *workload)?;
            versions = Some(bed.versions()?);
            say("a first run, which does not count, warms the servers up");
            measure::run(&bed, Contender::Limit, plan)?;
            for round in 1..=plan.rounds {
                for contender in plan.turn(round) {
                    let run = measure::run(&bed, contender, plan)?;
                    say(&format!(
                        "{nodes} nodes, {workload}, round {round} of {}, {contender}: {run}",
                        plan.rounds
                    ));
                    report.add(*nodes, *workload, contender, run);
                }
            }
        }
    }
    let machine = Machine::describe(load_before, &versions.unwrap_or_default())?;
    let text = report.to_markdown(&machine, plan);
    if let Some(file) = &plan.output {
        std::fs::write(file, &text)?;
    }
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Tells how far it has come; whether anybody listens does not matter.
fn say(words: &str) {
    let _ = writeln!(io::stderr(), "throughput: {words}");
}
