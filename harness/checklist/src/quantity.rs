//! The API's notation of amounts, in thousandths of the unit and rounded up, as the scheduler does.

/// A quantity in thousandths; `None` when it is none, or negative.
pub(crate) fn millis(text: &str) -> Option<u64> {
    scaled(text, 1000)
}

/// A quantity in whole units; `None` when it is none, or negative.
pub(crate) fn units(text: &str) -> Option<u64> {
    scaled(text, 1)
}

fn scaled(text: &str, factor: u128) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || whole.len() + fraction.len() > 20 {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let (times, per) = multiplier(suffix)?;
    let numerator = digits.checked_mul(times)?.checked_mul(factor)?;
    let denominator = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?.checked_mul(per)?;
    Some(u64::try_from(numerator.div_ceil(denominator)).unwrap_or(u64::MAX))
}

/// What a suffix multiplies by, as a fraction.
fn multiplier(suffix: &str) -> Option<(u128, u128)> {
    const DECIMAL: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
    const SMALL: [&str; 3] = ["m", "u", "n"];
    let power = |names: &[&str], name: &str| {
        names.iter().position(|n| *n == name).and_then(|at| u32::try_from(at + 1).ok())
    };
    if suffix.is_empty() {
        return Some((1, 1));
    }
    if let Some(power) = power(&SMALL, suffix) {
        return Some((1, 1000_u128.pow(power)));
    }
    if let Some(power) = power(&DECIMAL, suffix) {
        return Some((1000_u128.pow(power), 1));
    }
    if let Some(name) = suffix.strip_suffix('i') {
        let name = if name == "K" { "k" } else { name };
        return Some((1024_u128.pow(power(&DECIMAL, name)?), 1));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let ten = 10_u128.checked_pow(exponent.unsigned_abs())?;
    Some(if exponent < 0 { (1, ten) } else { (ten, 1) })
}

/// Thousandths of a CPU for people: `1900m`, `2`.
pub(crate) fn cpu(millis: u64) -> String {
    if millis.is_multiple_of(1000) { (millis / 1000).to_string() } else { format!("{millis}m") }
}

/// Bytes for people: `512Mi`, `1.5Gi`.
pub(crate) fn bytes(bytes: u64) -> String {
    const MI: u64 = 1 << 20;
    match bytes {
        0 => "0".into(),
        b if b < MI => format!("{}Ki", b >> 10),
        b if b < 10 << 30 => format!("{}Mi", b / MI),
        b => format!("{}Gi", b >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("1E3", 1_000_000),
            ("2k", 2_000_000),
            ("1Ki", 1_024_000),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
        assert_eq!(units("1Ei"), Some(1 << 60));
        assert_eq!(units("512Mi"), Some(512 << 20));
        for nonsense in ["", "m", "1x", "1.2.3", "-1", "1e", "Ki", "1i", "999999999999999999999999"] {
            assert_eq!(millis(nonsense), None, "{nonsense}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}") {
            let _ = millis(&text);
        }
    }
}
