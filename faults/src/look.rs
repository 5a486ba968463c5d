//! What one look at a victim shows. A look remembers nothing: whether the symptom has shown before is told to it.

use loopdrill_model::{Evidence, Source, Timestamp};

/// What one look at a victim shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// It does its work. Said only of a victim that was seen to do it: where there is nothing to see (no pod, no
    /// report, no answer) it is [`Look::Settling`].
    Well,
    /// It is neither well nor broken, or that cannot be told; this is what was seen.
    Settling(String),
    /// It shows the fault's symptom.
    Broken(Vec<Evidence>),
}

/// Something that the victim shows now.
pub(crate) fn seen(signal: impl Into<String>, value: impl Into<String>) -> Evidence {
    Evidence::new(signal, value, Timestamp::now(), Source::victim())
}
