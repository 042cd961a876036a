//! The process, as the kernel sees it (upstream: `prometheus/client_golang`, process collector).

use std::fs;

use prometheus::{Counter, Gauge};

use super::MetricsError;
use super::family::Families;

/// Clock ticks a second in `/proc`: `USER_HZ`, which is 100 on every machine that Rust knows.
const TICKS: f64 = 100.0;

/// What `/proc` says of this process.
#[derive(Clone)]
pub(super) struct ProcessMetrics {
    cpu: Counter,
    open_fds: Gauge,
    max_fds: Gauge,
    resident: Gauge,
    virtual_size: Gauge,
}

// === impl ProcessMetrics ===

impl ProcessMetrics {
    pub(super) fn new(families: &Families) -> Result<Self, MetricsError> {
        let start = families.plain_gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
        )?;
        start.set(start_time().unwrap_or_default());
        Ok(Self {
            cpu: families.plain_counter(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            )?,
            open_fds: families.plain_gauge("process_open_fds", "Number of open file descriptors.")?,
            max_fds: families.plain_gauge("process_max_fds", "Maximum number of open file descriptors.")?,
            resident: families
                .plain_gauge("process_resident_memory_bytes", "Resident memory size in bytes.")?,
            virtual_size: families
                .plain_gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
        })
    }

    /// Reads them anew. What can't be read stays as it was.
    pub(super) fn read(&self) {
        if let Some(seconds) = cpu_seconds() {
            self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            self.open_fds.set(as_float(open.count()));
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (name, gauge) in [("VmRSS:", &self.resident), ("VmSize:", &self.virtual_size)] {
            if let Some(kibibytes) = number_after(&status, name) {
                gauge.set(kibibytes * 1024.0);
            }
        }
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        if let Some(limit) = number_after(&limits, "Max open files") {
            self.max_fds.set(limit);
        }
    }
}

/// The first number of the line that begins so.
fn number_after(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The fields of `/proc/self/stat` from the third on; the second may hold spaces.
fn stat() -> Option<Vec<String>> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn cpu_seconds() -> Option<f64> {
    let stat = stat()?;
    let ticks = |idx: usize| stat.get(idx)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

fn start_time() -> Option<f64> {
    let since_boot = stat()?.get(19)?.parse::<f64>().ok()? / TICKS;
    Some(number_after(&fs::read_to_string("/proc/stat").ok()?, "btime ")? + since_boot)
}

fn as_float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
