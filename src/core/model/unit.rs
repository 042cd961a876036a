//! Units: integers inside, so that sums are exact and comparisons total.

use std::fmt;
use std::num::NonZeroU32;

/// A round-trip time in whole microseconds.
///
/// It is stored as one more than its value, so that `Option<Delay>` takes four bytes: the rows of
/// delays in use are the scheduler's largest tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delay(NonZeroU32);

/// Why a text is no delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DelayError {
    /// The text is not a decimal number.
    #[error("is not a number of milliseconds")]
    NotANumber,
    /// A round-trip time can't be negative.
    #[error("is negative")]
    Negative,
    /// Over ten minutes: certainly a mistake, such as microseconds given as milliseconds.
    #[error("is over 600000 ms")]
    TooLarge,
}

/// CPU in thousandths of a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MilliCpu(pub i64);

/// Memory or storage in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub i64);

/// The size of a volume in thousandths of a byte: upstream compares quantities exactly, and that is as fine
/// as the API server keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageSize(pub i128);

// === impl Delay ===

impl Delay {
    /// No delay at all: a node to itself.
    pub const ZERO: Self = Self(NonZeroU32::MIN);
    /// The largest delay that is accepted, 600 s.
    pub const MAX: Self = Self::from_micros_unchecked(600_000_000);

    const fn from_micros_unchecked(micros: u32) -> Self {
        match NonZeroU32::new(micros + 1) {
            Some(stored) => Self(stored),
            None => Self::ZERO,
        }
    }

    /// A delay of this many microseconds, unless that is over [`Delay::MAX`].
    pub fn from_micros(micros: u32) -> Result<Self, DelayError> {
        if micros > Self::MAX.as_micros() {
            return Err(DelayError::TooLarge);
        }
        Ok(Self::from_micros_unchecked(micros))
    }

    /// The smaller of two delays; one that is not known doesn't count. It has no branch, because rows of
    /// thousands of nodes are gone through with it.
    pub fn nearer(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        // What is not known is stored as 0, and one less than that is the largest number there is.
        let [a, b] = [a, b].map(|delay| delay.map_or(0, |delay| delay.0.get()).wrapping_sub(1));
        NonZeroU32::new(a.min(b).wrapping_add(1)).map(Self)
    }

    /// A delay in milliseconds, rounded up to the next microsecond: a measured delay is never
    /// made to look smaller than it was.
    pub fn from_millis_f64(millis: f64) -> Result<Self, DelayError> {
        if !millis.is_finite() {
            return Err(DelayError::NotANumber);
        }
        if millis < 0.0 {
            return Err(DelayError::Negative);
        }
        // The tolerance keeps a decimal such as 0.011, which binary can't hold, from being rounded up.
        let micros = (millis * 1000.0 - 1e-6).ceil().max(0.0);
        if micros > f64::from(Self::MAX.as_micros()) {
            return Err(DelayError::TooLarge);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked above"
        )]
        Self::from_micros(micros as u32)
    }

    /// Reads decimal milliseconds, such as `25` or `0.4`: digits with at most one point, as the
    /// values of `delay_<anchor>` labels are written. Exponents, signs and units are refused.
    pub fn parse_millis(text: &str) -> Result<Self, DelayError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && digits.bytes().any(|byte| byte.is_ascii_digit());
        let millis: f64 = if plain {
            digits.parse().map_err(|_| DelayError::NotANumber)?
        } else {
            return Err(DelayError::NotANumber);
        };
        if text.starts_with('-') {
            return Err(DelayError::Negative);
        }
        Self::from_millis_f64(millis)
    }

    /// The delay in microseconds.
    pub const fn as_micros(self) -> u32 {
        self.0.get() - 1
    }

    /// The delay in milliseconds, for printing.
    pub fn as_millis_f64(self) -> f64 {
        f64::from(self.as_micros()) / 1000.0
    }
}

/// Milliseconds with as many decimals as are needed, without the unit: `25`, `0.4`.
impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_millis_f64())
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ms")
    }
}

macro_rules! arithmetic {
    ($unit:ident) => {
        impl std::ops::Add for $unit {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl std::ops::Sub for $unit {
            type Output = Self;

            fn sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl std::ops::AddAssign for $unit {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl std::ops::SubAssign for $unit {
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }
    };
}

arithmetic!(MilliCpu);
arithmetic!(Bytes);

// === impl StorageSize ===

impl StorageSize {
    /// A size of whole bytes.
    pub fn of_bytes(bytes: i64) -> Self {
        Self(i128::from(bytes) * 1000)
    }

    /// The size in bytes, rounded up (upstream: `Quantity.Value`).
    pub fn bytes(self) -> i64 {
        i64::try_from(self.0.saturating_add(999).div_euclid(1000)).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<u32, DelayError>) {
        assert_eq!(Delay::parse_millis(text).map(Delay::as_micros), expected, "{text:?}");
    }

    #[test]
    fn milliseconds_are_read_exactly() {
        check("25", Ok(25_000));
        check("0", Ok(0));
        check("0.4", Ok(400));
        check("0.011", Ok(11));
        check("2.5", Ok(2_500));
        check("0.0001", Ok(1));
        check("600000", Ok(600_000_000));
    }

    #[test]
    fn what_is_no_delay_is_refused() {
        check("-1", Err(DelayError::Negative));
        check("600001", Err(DelayError::TooLarge));
        for text in ["", ".", "-", "fast", "1e3", "+1", "1 ms", "NaN", "inf", "1.2.3", "0x10"] {
            check(text, Err(DelayError::NotANumber));
        }
    }

    #[test]
    fn an_optional_delay_takes_four_bytes() {
        assert_eq!(size_of::<Option<Delay>>(), 4);
    }

    #[test]
    fn of_two_delays_the_smaller_known_one_counts() {
        let delay = |micros| Delay::from_micros(micros).ok();
        for (a, b, nearer) in [
            (delay(3), delay(2), delay(2)),
            (delay(0), delay(1), delay(0)),
            (delay(7), None, delay(7)),
            (None, Some(Delay::MAX), Some(Delay::MAX)),
            (None, None, None),
        ] {
            assert_eq!((Delay::nearer(a, b), Delay::nearer(b, a)), (nearer, nearer), "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_delay_prints_as_few_decimals_as_it_needs() {
        assert_eq!(Delay::parse_millis("25").unwrap().to_string(), "25");
        assert_eq!(Delay::parse_millis("0.40").unwrap().to_string(), "0.4");
    }
}
