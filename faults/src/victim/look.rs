//! What one look at a victim shows.

use loopdrill_model::{Evidence, Source, Timestamp};

/// What one look at a victim shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// It does its work.
    Well,
    /// It is on its way to one of the others; this is what was seen.
    Settling(String),
    /// It shows the fault's symptom.
    Broken(Vec<Evidence>),
}

/// Something that the victim shows now.
pub(crate) fn seen(signal: impl Into<String>, value: impl Into<String>) -> Evidence {
    Evidence { signal: signal.into(), value: value.into(), at: Timestamp::now(), source: Source::victim() }
}
