//! Both clocks.

use std::time::Duration;

use edge_core::model::Time;
use edge_core::probe::Reading;
use nix::sys::time::TimeSpec;
use nix::time::ClockId;

/// How far apart the clocks may be read; a thread that was put aside between the two readings reads again.
const APART: Duration = Duration::from_micros(5);
const TRIES: usize = 4;

/// Reads the clocks.
///
/// Delays and ages are taken with `CLOCK_BOOTTIME`: nobody can set it, and unlike `CLOCK_MONOTONIC` it goes on while the
/// machine is suspended, so that samples from before a suspend are as old as they are, and a probe that was on its
/// way meanwhile does not look fast.
pub(super) fn read() -> Reading {
    let mut reading = read_once();
    for _ in 1..TRIES {
        if reading.1 <= APART {
            break;
        }
        reading = read_once();
    }
    reading.0
}

/// The time, without the wall clock.
pub(super) fn now() -> Time {
    Time::from_origin(clock(ClockId::CLOCK_BOOTTIME))
}

fn read_once() -> (Reading, Duration) {
    let before = clock(ClockId::CLOCK_BOOTTIME);
    let wall = clock(ClockId::CLOCK_REALTIME);
    let after = clock(ClockId::CLOCK_BOOTTIME);
    (Reading { at: Time::from_origin(after), wall }, after.saturating_sub(before))
}

/// Both clocks exist on every Linux that Rust runs on, so reading them does not fail.
fn clock(id: ClockId) -> Duration {
    id.now().map(since_epoch).unwrap_or_default()
}

/// A time of the kernel as a duration since its epoch; zero if it is before that.
pub(super) fn since_epoch(time: TimeSpec) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec()).unwrap_or_default())
}
