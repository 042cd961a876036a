//! Values of flags, read as kubectl reads them.

use std::time::Duration;

/// Whether a flag is on: what Go's `strconv.ParseBool` takes.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("it should be true or false".to_owned()),
    }
}

/// A time-out: seconds, or a number with a unit; none if it is zero (client-go: `clientcmd.ParseTimeout`).
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().map(Duration::from_secs);
    let wrong = || "it should be seconds, or a number with a unit such as 1s, 2m or 3h".to_owned();
    seconds.or_else(|| duration(text)).ok_or_else(wrong)
}

/// What Go's `time.ParseDuration` takes, unless it is negative.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit_length = tail.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_length);
        let seconds = number.parse::<f64>().ok()? * seconds_of(unit)?;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

fn seconds_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_seconds_or_has_a_unit() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(timeout(text).ok(), expected.map(Duration::from_millis), "{text:?}");
        };
        check("0", Some(0));
        check("10", Some(10_000));
        check("300ms", Some(300));
        check("1m30s", Some(90_000));
        check("1.5h", Some(5_400_000));
        for wrong in ["", "ten", "10x", "-1s", "s", "1s2", "1.2.3s"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_flag_is_on_as_go_says() {
        assert_eq!(boolean("T"), Ok(true));
        assert_eq!(boolean("0"), Ok(false));
        assert!(boolean("yes").is_err());
    }
}
