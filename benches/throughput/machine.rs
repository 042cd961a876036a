//! Where it was measured.

use std::fmt;
use std::fs;
use std::thread;

use anyhow::Context;

use crate::bed::Versions;

/// The machine and what ran on it.
#[derive(Debug)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gib: u64,
    kernel: String,
    versions: Versions,
    load_before: f64,
}

/// Above this load before the start, something else was running.
const QUIET: f64 = 0.5;

/// How many processes have been running on average in the last minute.
pub(crate) fn load() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().context("/proc/loadavg is empty")?.parse()?)
}

// === impl Machine ===

impl Machine {
    /// This machine.
    pub(crate) fn describe(load_before: f64, versions: &Versions) -> anyhow::Result<Self> {
        let processor = field("/proc/cpuinfo", "model name")?;
        let memory = field("/proc/meminfo", "MemTotal")?;
        let kib: u64 = memory.trim_end_matches("kB").trim().parse()?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        // What follows the number is the distribution's own.
        let kernel = kernel.trim().split('-').next().unwrap_or_default().to_owned();
        let cores = thread::available_parallelism()?.get();
        Ok(Self {
            cores,
            processor,
            memory_gib: (kib + (1 << 19)) >> 20,
            kernel,
            versions: versions.clone(),
            load_before,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, memory_gib, kernel, versions, load_before } = self;
        let Versions { kubernetes, etcd } = versions;
        write!(
            f,
            "{cores} cores ({processor}), {memory_gib} GiB, Linux {kernel}; Kubernetes {kubernetes}, "
        )?;
        write!(f, "etcd {etcd}, edge-scheduler {}.", env!("CARGO_PKG_VERSION"))?;
        if *load_before > QUIET {
            write!(f, " The machine was not quiet: its load before the start was {load_before:.1}.")?;
        }
        Ok(())
    }
}

/// The value of the first line `key: value`; `?` if there is none, as with `model name` on some processors.
fn field(file: &str, key: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(file)?;
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'));
    Ok(value.unwrap_or("?").trim().to_owned())
}
