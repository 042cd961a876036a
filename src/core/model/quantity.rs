//! Kubernetes quantities (upstream: `apimachinery/pkg/api/resource.Quantity`).

/// An exact amount: `mantissa × 10^exponent × 2^shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    mantissa: i128,
    exponent: i32,
    shift: u32,
}

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The number part is missing or malformed.
    #[error("{0:?} is no quantity: it must be a decimal number with a suffix such as m, k, Mi, Gi or e3")]
    Malformed(String),
}

// === impl Quantity ===

impl Quantity {
    /// Reads a quantity such as `500Mi`, `0.5`, `100m` or `12e6`.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        Self::parse_parts(text).ok_or_else(|| QuantityError::Malformed(text.to_owned()))
    }

    fn parse_parts(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let number_len = unsigned.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, suffix) = unsigned.split_at_checked(number_len)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let magnitude: i128 = digits.parse().ok()?;
        let mantissa = if text.starts_with('-') { -magnitude } else { magnitude };
        let decimals = i32::try_from(fraction.len()).ok()?;
        let (exponent, shift) = suffix_value(suffix)?;
        Some(Self { mantissa, exponent: exponent.checked_sub(decimals)?, shift })
    }

    /// The amount in whole units, rounded up (upstream: `Quantity.Value`); out of range saturates.
    pub fn value(self) -> i64 {
        self.scaled(0)
    }

    /// The amount in thousandths, rounded up (upstream: `Quantity.MilliValue`); out of range saturates.
    pub fn milli_value(self) -> i64 {
        self.scaled(3)
    }

    /// `ceil(amount × 10^scale)`, as upstream rounds away from zero for positive amounts.
    fn scaled(self, scale: i32) -> i64 {
        let saturated = if self.mantissa < 0 { i64::MIN } else { i64::MAX };
        let Some(shifted) =
            1_i128.checked_shl(self.shift).and_then(|factor| self.mantissa.checked_mul(factor))
        else {
            return saturated;
        };
        let exponent = self.exponent.saturating_add(scale);
        let power = 10_i128.checked_pow(exponent.unsigned_abs());
        let scaled = match power {
            Some(power) if exponent >= 0 => shifted.checked_mul(power),
            Some(power) => Some(div_away_from_zero(shifted, power)),
            None if exponent < 0 => Some(shifted.signum()),
            None if shifted == 0 => Some(0),
            None => None,
        };
        scaled.map_or(saturated, |amount| i64::try_from(amount).unwrap_or(saturated))
    }
}

fn div_away_from_zero(amount: i128, by: i128) -> i128 {
    let quotient = amount / by;
    if amount % by == 0 { quotient } else { quotient + amount.signum() }
}

/// Power of ten and power of two of a suffix.
fn suffix_value(suffix: &str) -> Option<(i32, u32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (-9, 0),
        "u" => (-6, 0),
        "m" => (-3, 0),
        "k" => (3, 0),
        "M" => (6, 0),
        "G" => (9, 0),
        "T" => (12, 0),
        "P" => (15, 0),
        "E" => (18, 0),
        "Ki" => (0, 10),
        "Mi" => (0, 20),
        "Gi" => (0, 30),
        "Ti" => (0, 40),
        "Pi" => (0, 50),
        "Ei" => (0, 60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            (if plain { exponent.parse().ok()? } else { return None }, 0)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, value: i64, milli: i64) {
        let quantity = Quantity::parse(text).unwrap();
        assert_eq!((quantity.value(), quantity.milli_value()), (value, milli), "{text}");
    }

    #[test]
    fn every_notation_is_read() {
        check("0", 0, 0);
        check("2", 2, 2_000);
        check("100m", 1, 100);
        check("1.5", 2, 1_500);
        check(".5", 1, 500);
        check("5.", 5, 5_000);
        check("500Mi", 524_288_000, 524_288_000_000);
        check("1.5Gi", 1_610_612_736, 1_610_612_736_000);
        check("12e6", 12_000_000, 12_000_000_000);
        check("1E3", 1_000, 1_000_000);
        check("1e-3", 1, 1);
        check("1n", 1, 1);
        check("-1500m", -2, -1_500);
        check("1k", 1_000, 1_000_000);
    }

    #[test]
    fn an_amount_out_of_range_saturates() {
        check("9E", 9_000_000_000_000_000_000, i64::MAX);
        check("100E", i64::MAX, i64::MAX);
        check("1e100", i64::MAX, i64::MAX);
        check("1e-100", 1, 1);
        check("0e100", 0, 0);
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "Mi", "1.2.3", "1 Gi", "1gi", "abc", "1e", "1ee3", "--1", "1Kib", "0x10", "1µ"] {
            assert!(Quantity::parse(text).is_err(), "{text:?}");
        }
    }
}
