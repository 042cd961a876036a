//! A child process that never outlives its parent, however the parent ends.
//!
//! The kernel sends a child its parent-death signal when the *thread* that made it ends, and threads of tests are
//! short-lived. So one thread, which ends only with the process, makes all children. `setpriv` (util-linux) sets the
//! signal, because a program without unsafe code cannot set it between fork and exec.

use crate::{
    error::{Context, Error, tail},
    wait::wait_for,
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{LazyLock, mpsc},
    thread,
    time::Duration,
};

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    /// What it is called in messages.
    name: String,
    child: Child,
    log: PathBuf,
    /// How much an earlier process has left in the log.
    log_begin: u64,
}

/// Runs between `setpriv` and the program: if the parent had died before the signal was set, nobody would send it.
const GUARD: &str = r#"[ "$PPID" = "$1" ] || exit 1; shift; exec "$@""#;

struct Order {
    command: Command,
    reply: mpsc::Sender<io::Result<Child>>,
}

/// The thread that makes all children; an error if the system gave us no thread.
static SPAWNER: LazyLock<io::Result<mpsc::Sender<Order>>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    thread::Builder::new().name("spawner".to_owned()).spawn(move || {
        for Order { mut command, reply } in inbox {
            // Whoever ordered waits for the reply.
            let _ = reply.send(command.spawn());
        }
    })?;
    Ok(orders)
});

fn spawn(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the spawner thread is gone");
    let orders = SPAWNER.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let (reply, outcome) = mpsc::channel();
    orders.send(Order { command, reply }).map_err(|_| gone())?;
    outcome.recv().map_err(|_| gone())?
}

// === impl Process ===

impl Process {
    /// Starts a program; its output is appended to `log`.
    pub(crate) fn start(
        name: &str,
        program: impl AsRef<OsStr>,
        args: &[impl AsRef<OsStr>],
        log: PathBuf,
    ) -> Result<Self, Error> {
        let file =
            OpenOptions::new().create(true).append(true).open(&log).context(|| log.display().to_string())?;
        let log_begin = file.metadata().context(|| log.display().to_string())?.len();
        let errors = file.try_clone().context(|| log.display().to_string())?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "sh", "-c", GUARD, "sh"])
            .arg(std::process::id().to_string())
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            // A Ctrl-C at the terminal is for the parent, which then stops its components in order.
            .process_group(0);
        let child = spawn(command).map_err(|source| Error::Install {
            program: "setpriv".to_owned(),
            hint: "it is part of util-linux",
            source,
        })?;
        Ok(Self { name: name.to_owned(), child, log, log_begin })
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` holds; an error with the end of the log if the program ends or takes too long.
    pub(crate) fn await_ready(
        &mut self,
        limit: Duration,
        ready: impl Fn(&Self) -> bool,
    ) -> Result<(), Error> {
        let name = self.name.clone();
        let outcome = wait_for(&name, limit, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(Some(Err(format!("ended with {status}")))),
            Ok(None) => Ok(ready(self).then_some(Ok(()))),
            Err(error) => Ok(Some(Err(error.to_string()))),
        });
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(self.failure(reason)),
            Err(_) => Err(self.failure(format!("is not ready after {} s", limit.as_secs()))),
        }
    }

    /// Whether this process has written these words to its log.
    pub(crate) fn has_said(&self, words: &str) -> bool {
        let begin = usize::try_from(self.log_begin).unwrap_or(usize::MAX);
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(log.get(begin..).unwrap_or_default()).contains(words)
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        // It may have ended by itself; we have not waited for it, so the number is still its own.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Waits until it has ended, and kills it if that takes longer than `grace`.
    pub(crate) fn await_end(mut self, grace: Duration) -> Result<(), Error> {
        let Self { name, child, .. } = &mut self;
        let ended = wait_for(name, grace, || {
            child.try_wait().context(|| format!("waiting for {name}")).map(|status| status.map(|_| ()))
        });
        match ended {
            Err(Error::Late { .. }) => Ok(()), // Dropping kills.
            other => other,
        }
    }

    fn failure(&self, reason: String) -> Error {
        Error::Component {
            component: self.name.clone(),
            reason,
            log: self.log.clone(),
            tail: tail(&self.log),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
