//! What `/proc` tells about a process: who it is, its CPU time, its peak memory.

use crate::error::{Context, Error};
use std::{fmt, fs, str::FromStr, time::Duration};

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// The number, used again by the system after the process has ended.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start: u64,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// CPU time of all its threads, user and system.
    pub cpu: Duration,
    /// The most memory that was resident at one time.
    pub peak_rss: Bytes,
}

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// CPU time and peak memory of any process of this machine.
pub fn usage(pid: u32) -> Result<Usage, Error> {
    let stat = stat(pid)?;
    let ticks = stat.user + stat.system;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let cpu = Duration::from_millis(ticks.saturating_mul(1000) / per_second);
    Ok(Usage { cpu, peak_rss: peak_rss(pid)? })
}

struct Stat {
    state: char,
    user: u64,
    system: u64,
    start: u64,
}

fn stat(pid: u32) -> Result<Stat, Error> {
    let file = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&file).context(|| file.clone())?;
    text.parse().map_err(|()| Error::Invalid(format!("{file} is not understood: {text}")))
}

fn peak_rss(pid: u32) -> Result<Bytes, Error> {
    let file = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&file).context(|| file.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.map(|kib| Bytes(kib * 1024)).ok_or_else(|| Error::Invalid(format!("{file} has no VmHWM")))
}

// === impl ProcessId ===

impl ProcessId {
    /// This process.
    pub fn current() -> Result<Self, Error> {
        Self::of(std::process::id())
    }

    /// The process that has this number now.
    pub fn of(pid: u32) -> Result<Self, Error> {
        Ok(Self { pid, start: stat(pid)?.start })
    }

    /// Whether it still runs; a process that has ended but was not yet waited for does not.
    pub fn is_alive(self) -> bool {
        stat(self.pid).is_ok_and(|stat| stat.start == self.start && !matches!(stat.state, 'Z' | 'X'))
    }
}

// === impl Bytes ===

impl Bytes {
    /// In units of 2^20 bytes, rounded down.
    pub fn mebibytes(self) -> u64 {
        self.0 >> 20
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.mebibytes())
    }
}

// === impl Stat ===

impl FromStr for Stat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // The second field is the program's name in brackets and may itself hold blanks and brackets.
        let (_, rest) = text.rsplit_once(')').ok_or(())?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // proc(5) counts from 1, and two fields are gone.
        let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse().ok()).ok_or(());
        let state = fields.first().and_then(|text| text.chars().next()).ok_or(())?;
        Ok(Self { state, user: number(14)?, system: number(15)?, start: number(22)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_name_with_blanks_and_brackets() {
        let text = "7 (a) (b c) S 1 7 7 0 -1 4194560 1 2 3 4 11 22 33 44 20 0 1 0 555 1 2";
        let stat: Stat = text.parse().unwrap();
        assert_eq!((stat.state, stat.user, stat.system, stat.start), ('S', 11, 22, 555));
    }

    #[test]
    fn knows_itself() {
        let me = ProcessId::current().unwrap();
        assert!(me.is_alive());
        assert!(!ProcessId { start: me.start + 1, ..me }.is_alive());
        assert!(usage(me.pid).unwrap().peak_rss > Bytes(1 << 16));
    }
}
