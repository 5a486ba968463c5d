//! Kubernetes quantities (`100m`, `1.5Gi`, `2e3`).
//!
//! Exact down to a billionth, as in the API: what is finer is rounded up (away from zero), and what is larger than
//! 2⁶³−1 is capped. The API's grammar and nothing beside it is understood: no spaces, no other suffixes.

use std::{fmt, str::FromStr};

const NANO: u128 = 1_000_000_000;
const MOST: u128 = (i64::MAX as u128) * NANO;

/// An amount, in billionths of its unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i128);

/// A text that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAQuantity;

impl fmt::Display for NotAQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a quantity; write it like 500m, 2, 1.5Gi or 2e3")
    }
}

impl std::error::Error for NotAQuantity {}

impl Quantity {
    /// Billionths of the unit.
    #[must_use]
    pub const fn nanos(self) -> i128 {
        self.0
    }

    /// Whole units, rounded up as the scheduler does. `None` when it is negative.
    #[must_use]
    pub fn units(self) -> Option<u64> {
        self.in_parts(NANO)
    }

    /// Thousandths, rounded up as the scheduler does. `None` when it is negative.
    #[must_use]
    pub fn millis(self) -> Option<u64> {
        self.in_parts(NANO / 1000)
    }

    fn in_parts(self, part: u128) -> Option<u64> {
        let nanos = u128::try_from(self.0).ok()?;
        Some(u64::try_from(nanos.div_ceil(part)).unwrap_or(u64::MAX))
    }
}

impl FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let (negative, text) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(NotAQuantity);
        }
        let (unit, shift) = scale(suffix).ok_or(NotAQuantity)?;
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|b| b - b'0').collect();
        let point = i64::try_from(whole.len()).map_err(|_| NotAQuantity)?.saturating_add(shift);
        let nanos = i128::try_from(nanos(&digits, point, unit)).map_err(|_| NotAQuantity)?;
        Ok(Self(if negative { -nanos } else { nanos }))
    }
}

/// The number with these digits, whose point stands before the digit at `point`, times `unit`: rounded up, and capped.
fn nanos(digits: &[u8], point: i64, unit: u128) -> u128 {
    let split = usize::try_from(point.max(0)).map_or(digits.len(), |p| p.min(digits.len()));
    let (whole, fraction) = digits.split_at(split);
    let mut sum: u128 = 0;
    for digit in whole {
        sum = (sum * 10 + u128::from(*digit) * unit).min(MOST + 1);
    }
    // An exponent may have moved the point past the last digit, or before the first.
    for _ in split..usize::try_from(point.max(0)).unwrap_or(usize::MAX) {
        if sum == 0 || sum > MOST {
            break;
        }
        sum *= 10;
    }
    let (mut part, mut finer) = (0, false);
    for digit in fraction.iter().rev() {
        let all = u128::from(*digit) * unit + part;
        (part, finer) = (all / 10, finer || !all.is_multiple_of(10));
    }
    for _ in point.min(0)..0 {
        if part == 0 {
            break;
        }
        (part, finer) = (part / 10, finer || !part.is_multiple_of(10));
    }
    (sum + part + u128::from(finer)).min(MOST)
}

/// What a suffix stands for: how many billionths, and by how many digits it moves the point.
fn scale(suffix: &str) -> Option<(u128, i64)> {
    let unit = match suffix {
        "n" => 1,
        "u" => 1000,
        "m" => NANO / 1000,
        "" => NANO,
        "k" => 1000 * NANO,
        "M" => 1_000_000 * NANO,
        "G" => NANO * NANO,
        "T" => 1000 * NANO * NANO,
        "P" => 1_000_000 * NANO * NANO,
        "E" => NANO * NANO * NANO,
        "Ki" => NANO << 10,
        "Mi" => NANO << 20,
        "Gi" => NANO << 30,
        "Ti" => NANO << 40,
        "Pi" => NANO << 50,
        "Ei" => NANO << 60,
        exponent => return Some((NANO, exponent.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?.into())),
    };
    Some((unit, 0))
}

/// Thousandths of the unit, rounded up. `None` when it is no quantity or negative.
#[must_use]
pub fn millis(quantity: &str) -> Option<u64> {
    quantity.parse::<Quantity>().ok()?.millis()
}

/// Whole units, rounded up. `None` when it is no quantity or negative.
#[must_use]
pub fn units(quantity: &str) -> Option<u64> {
    quantity.parse::<Quantity>().ok()?.units()
}

/// Thousandths of a CPU for people: `1900m`, `2`.
#[must_use]
pub fn cpu(millis: u64) -> String {
    if millis.is_multiple_of(1000) { (millis / 1000).to_string() } else { format!("{millis}m") }
}

/// Bytes for people, without what is smaller than the unit: `512Mi`, `12Gi`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const MI: u64 = 1 << 20;
    match bytes {
        0 => "0".into(),
        b if b < MI => format!("{}Ki", b >> 10),
        b if b < 10 << 30 => format!("{}Mi", b / MI),
        b => format!("{}Gi", b >> 30),
    }
}
