//! Kubernetes quantities (`100m`, `1.5Gi`, `2e3`) as whole numbers, rounded up as the scheduler does.

/// Thousandths of the unit. `None` when it is no quantity or negative.
#[must_use]
pub fn millis(quantity: &str) -> Option<u64> {
    scaled(quantity, 1000)
}

/// Whole units. `None` when it is no quantity or negative.
#[must_use]
pub fn units(quantity: &str) -> Option<u64> {
    scaled(quantity, 1)
}

fn scaled(text: &str, factor: u128) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (digits, decimals) = decimal(number)?;
    let (times, per) = multiplier(suffix)?;
    let numerator = digits.checked_mul(times)?.checked_mul(factor)?;
    let denominator = 10u128.checked_pow(decimals)?.checked_mul(per)?;
    Some(u64::try_from(numerator.div_ceil(denominator)).unwrap_or(u64::MAX))
}

/// All digits as one number, and how many of them are behind the point.
fn decimal(number: &str) -> Option<(u128, u32)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || whole.len() + fraction.len() > 24 {
        return None;
    }
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, u32::try_from(fraction.len()).ok()?))
}

/// What a suffix multiplies by, as a fraction.
fn multiplier(suffix: &str) -> Option<(u128, u128)> {
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let ten = 10u128.checked_pow(power.unsigned_abs())?;
            if power < 0 { (1, ten) } else { (ten, 1) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_notations() {
        assert_eq!(millis("100m"), Some(100));
        assert_eq!(millis("2"), Some(2000));
        assert_eq!(millis("1900m"), Some(1900));
        assert_eq!(units("24105340Ki"), Some(24_105_340 << 10));
        assert_eq!(millis("1.5"), Some(1500));
        assert_eq!(millis("0.1"), Some(100));
        assert_eq!(units("128Mi"), Some(128 << 20));
        assert_eq!(units("1.5Gi"), Some(3 << 29));
        assert_eq!(units("2e3"), Some(2000));
        assert_eq!(units("129M"), Some(129_000_000));
        assert_eq!(units("7E"), Some(7_000_000_000_000_000_000));
    }

    #[test]
    fn rounds_up_as_the_scheduler_does() {
        assert_eq!(millis("1u"), Some(1));
        assert_eq!(units("100m"), Some(1));
        assert_eq!(millis("1n"), Some(1));
        assert_eq!(millis("0"), Some(0));
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in ["", "-1", "abc", "1 Gi", "1e", "1e99", "1..2", ".", "Gi", "1Kib"] {
            assert_eq!(units(text), None, "{text}");
        }
        assert_eq!(units("999999999999E"), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = (millis(&text), units(&text));
        }

        #[test]
        fn whole_numbers_stay(n in 0u64..u64::MAX / 1000) {
            prop_assert_eq!(units(&n.to_string()), Some(n));
            prop_assert_eq!(millis(&n.to_string()), Some(n * 1000));
        }
    }
}
