//! Amounts for people.

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
