//! `controlplane down`: asks the background process of `up` to end, which stops its components in order.

use crate::{at, say, up};
use controlplane::{
    Error, ProcessId,
    folder::{self, Found},
    wait_for,
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{path::PathBuf, time::Duration};

/// Which control planes to stop; without arguments the only one that runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stops all that `up` started.
    #[arg(long, conflicts_with = "path")]
    all: bool,
    /// The kubeconfig that `up` printed, or its folder.
    path: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let found = folder::find_all()?;
    let running: Vec<Found> =
        found.into_iter().filter(|found| found.name == up::NAME && found.owner.is_alive()).collect();
    choose(args, running)?.iter().try_for_each(stop)
}

fn choose(args: &Args, running: Vec<Found>) -> Result<Vec<Found>, Error> {
    if args.all {
        return Ok(running);
    }
    if let Some(path) = &args.path {
        // Already stopped is as good as stopped now, so that a script may clean up twice.
        return Ok(running
            .into_iter()
            .filter(|found| found.path == *path || found.kubeconfig() == *path)
            .collect());
    }
    if running.len() > 1 {
        let list: Vec<String> =
            running.iter().map(|found| found.kubeconfig().display().to_string()).collect();
        return Err(Error::Invalid(format!("several run; name one or say --all:\n{}", list.join("\n"))));
    }
    Ok(running)
}

fn stop(found: &Found) -> Result<(), Error> {
    const GRACE: Duration = Duration::from_secs(30);
    signal(found.owner, Signal::TERM)?;
    let what = format!("{} to end", found.path.display());
    let ended = wait_for(&what, GRACE, || Ok((!found.owner.is_alive()).then_some(())));
    if ended.is_err() {
        // The kernel then ends its components.
        signal(found.owner, Signal::KILL)?;
    }
    say(&format!("stopped {}", found.path.display()));
    Ok(())
}

/// Through a descriptor that is opened before the process is compared, so that no other process can be hit.
fn signal(process: ProcessId, signal: Signal) -> Result<(), Error> {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(()) };
    if process.is_alive() {
        pidfd_send_signal(descriptor, signal).map_err(|error| at("sending a signal")(error.into()))?;
    }
    Ok(())
}
