//! The API's notation of amounts.

/// A quantity in thousandths, rounded up as the API does; `None` when it is not one.
pub(super) fn millis(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let factor = match suffix {
        "n" => 1e-6,
        "u" => 1e-3,
        "m" => 1.0,
        "" => 1e3,
        "k" => 1e6,
        "M" => 1e9,
        "G" => 1e12,
        "Ki" => 1024.0 * 1e3,
        "Mi" => 1024.0 * 1024.0 * 1e3,
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            10_f64.powi(power) * 1e3
        }
    };
    let value = (number * factor - 1e-9).ceil().max(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and casts saturate"
    )]
    Some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn every_notation_is_understood() {
        for (text, expected) in [
            ("100m", 100),
            ("0", 0),
            ("2", 2000),
            ("0.1", 100),
            ("1.5", 1500),
            ("250000u", 250),
            ("1n", 1),
            ("1e3", 1_000_000),
            ("2k", 2_000_000),
            ("1Ki", 1_024_000),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
        for nonsense in ["", "m", "1x", "1.2.3", "-1", "1e"] {
            assert_eq!(millis(nonsense), None, "{nonsense}");
        }
    }
}
