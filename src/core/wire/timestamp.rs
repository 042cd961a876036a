//! Moments as the API writes them (RFC 3339).

use crate::model::Timestamp;

const SECONDS_A_DAY: i64 = 86_400;
/// From the first day of the year 0, which begins in March here, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// Reads a moment such as `2026-01-31T07:30:00Z`. The API's have no fractions of a second, and one that is
/// there is passed over.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once(['T', 't'])?;
    let (time, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(idx) => time.split_at_checked(idx)?,
        None => return None,
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time.split('.').next()?, ':')?;
    let valid =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let seconds = (hour * 60 + minute) * 60 + second;
    valid.then_some(Timestamp(days(year, month, day) * SECONDS_A_DAY + seconds - offset_seconds(offset)?))
}

fn offset_seconds(offset: &str) -> Option<i64> {
    let (sign, rest) = match offset.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hour, minute) = rest.split_once(':')?;
    Some(sign * (hour.parse::<i64>().ok()? * 60 + minute.parse::<i64>().ok()?) * 60)
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| part.parse::<u16>().map(i64::from));
    let numbers = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
    parts.next().is_none().then_some(numbers)
}

/// The days from 1970-01-01 to a day of the Gregorian calendar. Years are counted from March, so that a
/// leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // From March on months have 31 or 30 days by a pattern of five.
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - DAYS_TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(read(text).map(|moment| moment.0), expected, "{text:?}");
    }

    #[test]
    fn a_moment_is_so_many_seconds_after_1970() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("1970-01-02T00:00:01Z", Some(86_401));
        check("2000-02-29T12:00:00Z", Some(951_825_600));
        check("2000-03-01T00:00:00Z", Some(951_868_800));
        check("2026-11-22T07:00:59Z", Some(1_795_330_859));
        check("1969-12-31T23:59:59Z", Some(-1));
        check("2026-11-22T07:00:59.999Z", Some(1_795_330_859));
        check("2026-11-22T08:30:59+01:30", Some(1_795_330_859));
        check("2026-11-22T06:00:59-01:00", Some(1_795_330_859));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        check("", None);
        check("yesterday", None);
        check("2026-11-22", None);
        check("2026-11-22T07:00Z", None);
        check("2026-11-22T07:00:59", None);
        check("2026-13-22T07:00:59Z", None);
        check("2026-11-22T24:00:59Z", None);
        check("2026-11-22T07:00:59+01", None);
    }
}
