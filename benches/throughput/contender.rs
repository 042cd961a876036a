//! The schedulers that are compared, and how each is started and ended.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use controlplane::{Component, Usage, usage};

use crate::bed::Bed;

/// A scheduler that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Contender {
    /// The plain binder.
    Limit,
    /// kube-scheduler.
    KubeScheduler,
    /// Ours.
    EdgeScheduler,
}

/// A scheduler that runs; it ends with the value.
pub(crate) enum Running<'a> {
    /// A component of the control plane.
    Component(&'a Bed),
    /// A child of the bench.
    Child(Child, PathBuf),
}

// === impl Contender ===

impl Contender {
    /// All of them; the limit first, because the others are compared with it.
    pub(crate) const ALL: [Self; 3] = [Self::Limit, Self::KubeScheduler, Self::EdgeScheduler];

    /// Starts it.
    pub(crate) fn start(self, bed: &Bed, in_flight: usize) -> anyhow::Result<Running<'_>> {
        let log = bed.cluster.folder().join(format!("{self}.log"));
        let in_flight = in_flight.to_string();
        let mut command = match self {
            Self::KubeScheduler => {
                bed.cluster.launch(Component::KubeScheduler)?;
                return Ok(Running::Component(bed));
            }
            Self::Limit => {
                let mut command = tied(&std::env::current_exe()?);
                command.args(["plain-binder", "--in-flight", &in_flight]);
                command
            }
            Self::EdgeScheduler => {
                let mut command = tied(Path::new(env!("CARGO_BIN_EXE_edge-scheduler")));
                command.args(["--leader-elect=false", "--secure-port=0", "--parallel-bindings", &in_flight]);
                command.args(["--kube-api-qps=10000", "--kube-api-burst=10000"]);
                if let Some(delays) = &bed.delays {
                    command
                        .arg("--delay-matrix")
                        .arg(delays.matrix())
                        .arg("--metadata")
                        .arg(delays.metadata());
                }
                command
            }
        };
        command.arg("--kubeconfig").arg(bed.cluster.kubeconfig());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let child = command.spawn().with_context(|| format!("starting {self}"))?;
        Ok(Running::Child(child, log))
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limit => "limit",
            Self::KubeScheduler => "kube-scheduler",
            Self::EdgeScheduler => "edge-scheduler",
        })
    }
}

/// A command that the kernel ends when the bench ends, however that happens. `setpriv` becomes the program, so
/// the process is the same one.
fn tied(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

// === impl Running ===

impl Running<'_> {
    /// What it has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Ok(match self {
            Self::Component(bed) => bed.cluster.usage(Component::KubeScheduler)?,
            Self::Child(child, _) => usage(child.id())?,
        })
    }

    /// The end of its log, for a message.
    pub(crate) fn last_words(&self) -> String {
        let log = match self {
            Self::Component(bed) => bed.cluster.log(Component::KubeScheduler),
            Self::Child(_, log) => log.clone(),
        };
        let text = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        match self {
            // It is killed with the control plane if it can't be stopped now.
            Self::Component(bed) => _ = bed.cluster.stop(Component::KubeScheduler),
            Self::Child(child, _) => {
                // Both fail only if it has ended and was waited for.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
