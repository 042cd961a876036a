//! Durations as upstream's configuration writes them (`metav1.Duration`), such as `15s` or `1m30s`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::args::duration;

/// A duration, which may be negative in a configuration that is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration {
    nanos: i128,
}

const NANOS_PER_SEC: i128 = 1_000_000_000;

// === impl GoDuration ===

impl GoDuration {
    /// This many seconds.
    pub const fn from_secs(secs: u32) -> Self {
        Self { nanos: secs as i128 * NANOS_PER_SEC }
    }

    /// Whether it is over 0.
    pub fn is_positive(self) -> bool {
        self.nanos > 0
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// The same as the standard library has it; one below 0 is 0 there.
    pub fn get(self) -> Duration {
        let nanos = u64::try_from(self.nanos.max(0)).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let nanos = duration::parse(digits)?.as_nanos();
        Ok(Self { nanos: sign * i128::try_from(nanos).unwrap_or(i128::MAX) })
    }
}

impl From<Duration> for GoDuration {
    fn from(duration: Duration) -> Self {
        Self { nanos: i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX) }
    }
}

/// As Go writes it: `1h0m0s`, `1m30s`, `1.5s`, `20ms`.
impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos < 0 {
            f.write_str("-")?;
        }
        let nanos = self.nanos.unsigned_abs();
        let second = NANOS_PER_SEC.unsigned_abs();
        if nanos < second && nanos > 0 {
            let units = [("ms", 1_000_000), ("µs", 1_000), ("ns", 1)];
            let (name, unit) = units.into_iter().find(|(_, unit)| nanos >= *unit).unwrap_or(("ns", 1));
            return write!(f, "{}{name}", decimal(nanos, unit));
        }
        let (minutes, rest) = (nanos / second / 60, nanos % (60 * second));
        match (minutes / 60, minutes % 60) {
            (0, 0) => (),
            (0, minutes) => write!(f, "{minutes}m")?,
            (hours, minutes) => write!(f, "{hours}h{minutes}m")?,
        }
        write!(f, "{}s", decimal(rest, second))
    }
}

/// `amount` in this unit, without zeros at the end.
fn decimal(amount: u128, unit: u128) -> String {
    let width = unit.checked_ilog10().unwrap_or(0) as usize;
    let text = format!("{}.{:0width$}", amount / unit, amount % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_as_go_writes_it() {
        for text in ["15s", "1m30s", "1h0m0s", "10m0s", "1.5s", "20ms", "1.5µs", "-2s", "0s", "2h3m0.25s"] {
            assert_eq!(GoDuration::parse(text).unwrap().to_string(), text);
        }
    }
}
