//! One node as the machine sees it: a first process in namespaces of its own, whose end is the end of all that run there.

use super::{group::Group, host, namespace::Namespace};
use crate::{
    error::{Context, Error},
    process::Process,
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{
    ffi::{OsStr, OsString},
    fs,
    io::Write,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// A running node: processes, mounts, network, host name. Dropping it cuts its power.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The node's process 1.
    first: Pid,
    /// The same, which can't be mistaken for a later process with its number.
    handle: OwnedFd,
    group: Group,
    // It waits for process 1.
    outside: Process,
}

/// What process 1 does first: it joins the node's control groups, which are then the whole hierarchies to it.
const FIRST: &str = r#"
set -eu
script=$1 folder=$2 name=$3
shift 3
for group in "$@"; do echo 0 >"$group/cgroup.procs"; done
exec unshare --cgroup sh -c "$script" sh "$folder" "$name" "$@"
"#;

/// What process 1 does then.
const SCRIPT: &str = include_str!("machine.sh");

/// The last words of the part that can fail.
const UP: &str = "the node is up";

/// Joins the node's control group before it runs a program: files up to `--`, then the program.
const JOIN: &str = r#"while [ "$1" != -- ]; do echo 0 >"$1"; shift; done; shift; exec "$@""#;

/// Runs a command to its end, with `input` on its standard input; an error if it fails.
pub(crate) fn feed(mut command: Command, input: &str) -> Result<String, Error> {
    let words = || {
        let args: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        format!("{} {}", command.get_program().to_string_lossy(), args.join(" "))
    };
    let words = words();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(|| words.clone())?;
    if let Some(mut pipe) = child.stdin.take() {
        // A command that does not read says itself what it dislikes.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().context(|| words.clone())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Command { command: words, output: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

// === impl Machine ===

impl Machine {
    /// Starts a node with nothing but its first process. `folder` holds what outlives a cut of its power.
    pub(crate) fn boot(
        name: &str,
        folder: &Path,
        group: Group,
        network: &Namespace,
        log: PathBuf,
    ) -> Result<Self, Error> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let mut args: Vec<OsString> = vec![format!("--net={}", network.path().display()).into()];
        args.extend(["--", "unshare", "--fork", "--kill-child"].map(OsString::from));
        args.extend(["--pid", "--mount-proc", "--mount", "--uts", "--ipc"].map(OsString::from));
        args.extend(["sh", "-c", FIRST, "sh", SCRIPT].map(OsString::from));
        args.extend([folder.as_os_str().to_owned(), name.into()]);
        args.extend(group.folders().map(PathBuf::into_os_string));
        let mut outside = Process::start(name, host::program("nsenter")?, &args, log)?;
        outside.await_ready(PATIENCE, |process| process.has_said(UP))?;
        let first = child_of(outside.pid())?;
        let handle = pidfd_open(first, PidfdFlags::empty()).context(|| format!("process 1 of {name}"))?;
        Ok(Self { first, handle, group, outside })
    }

    /// A command to be run in the node, short and outside its control group.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(self.enter()).arg(program).env("PATH", PATH);
        command
    }

    /// Starts a program that stays.
    pub(crate) fn start(
        &self,
        name: &str,
        program: &Path,
        args: &[impl AsRef<OsStr>],
        log: PathBuf,
    ) -> Result<Process, Error> {
        let mut all: Vec<OsString> = self.enter().map(OsString::from).into();
        all.extend(["sh", "-c", JOIN, "sh"].map(OsString::from));
        all.extend(self.group.doors().map(PathBuf::into_os_string));
        all.push("--".into());
        all.push(program.into());
        all.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        Process::start(name, host::program("nsenter")?, &all, log)
    }

    /// Ends every process of the node at one instant, and waits until they are gone.
    pub(crate) fn cut_power(self) -> Result<(), Error> {
        const GRACE: Duration = Duration::from_secs(30);
        // It may have ended by itself.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
        self.outside.await_end(GRACE)
    }

    fn enter(&self) -> [String; 9] {
        let target = self.first.as_raw_nonzero().to_string();
        ["--target", &target, "--pid", "--mount", "--net", "--uts", "--ipc", "--cgroup", "--"]
            .map(str::to_owned)
    }
}

/// Where nodes find programs of the system.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The only process that a process has made.
fn child_of(parent: u32) -> Result<Pid, Error> {
    let file = format!("/proc/{parent}/task/{parent}/children");
    let text = fs::read_to_string(&file).context(|| file.clone())?;
    let child = text.split_whitespace().next().and_then(|number| Pid::from_raw(number.parse().ok()?));
    child.ok_or_else(|| Error::Invalid(format!("{file} names no process: {text:?}")))
}
