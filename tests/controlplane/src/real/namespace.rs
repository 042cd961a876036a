//! A network namespace that a process of ours holds: without it the kernel takes it away, and all interfaces in it.

use super::{host, machine::feed};
use crate::{error::Error, process::Process};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// A network namespace without a name. Dropping it lets it go, once nobody else is in it.
#[derive(Debug)]
pub(crate) struct Namespace {
    holder: Process,
}

const HOLD: &str = r#"echo "the namespace is there"; exec sleep infinity"#;

// === impl Namespace ===

impl Namespace {
    /// A new one, in which there is nothing but a loopback interface that is down.
    pub(crate) fn create(name: &str, folder: &Path) -> Result<Self, Error> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let args = ["--net", "sh", "-c", HOLD];
        let log = folder.join(format!("{name}-network.log"));
        let mut holder = Process::start(name, host::program("unshare")?, &args, log)?;
        holder.await_ready(PATIENCE, |process| process.has_said("the namespace is there"))?;
        Ok(Self { holder })
    }

    /// Its file, as `nsenter --net=FILE` takes it.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.holder.pid()).into()
    }

    /// Runs `ip` with many commands in it.
    pub(crate) fn ip(&self, commands: &str) -> Result<(), Error> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).args(["--", "ip", "-batch", "-"]);
        feed(command, commands).map(drop)
    }
}
