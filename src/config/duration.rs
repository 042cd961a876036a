//! Durations as upstream writes them, in flags (Go's `time.ParseDuration`) and in its configuration (`metav1.Duration`):
//! `15s`, `1m30s`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration, which may be negative in a configuration that is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration {
    nanos: i128,
}

const NANOS_PER_SEC: i128 = 1_000_000_000;
/// The units, each before those that it begins with.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
];

/// Reads a duration that is not negative.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration such as 15s, 1m30s or 500ms");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let unit = UNITS.iter().find_map(|(name, seconds)| Some((after.strip_prefix(name)?, seconds)));
        let (after, seconds) = unit.ok_or_else(wrong)?;
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        sum = sum.checked_add(part).ok_or_else(wrong)?;
        rest = after;
    }
    if text.trim_start_matches('+').is_empty() { Err(wrong()) } else { Ok(sum) }
}

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
        let nanos = parse_duration(digits)?.as_nanos();
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

    #[test]
    fn a_duration_is_read_as_go_reads_it() {
        for (text, millis) in [
            ("15s", 15_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5s", 1500),
            ("0", 0),
            ("0s", 0),
            ("2h", 7_200_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "15", "s", "-1s", "1d", "1s ", "1..5s", "99999999999999999999h", "+"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
