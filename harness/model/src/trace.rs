//! How a signal that a diagnosis names went over time, as the rules saw it.

use crate::Source;
use jiff::Timestamp;

/// What a rule reads of a signal at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// What of the signal is measured, such as `over 3 s`.
    pub what: &'static str,
    /// In which unit.
    pub unit: &'static str,
    /// The value now.
    pub value: f64,
    /// The value at which the rule's answer turns; absent where the rule does not go by one number.
    pub threshold: Option<f64>,
}

impl Measure {
    /// A value that is held to no threshold.
    #[must_use]
    pub fn new(what: &'static str, unit: &'static str, value: f64) -> Self {
        Self { what, unit, value, threshold: None }
    }

    /// The same, held to that threshold.
    #[must_use]
    pub fn held_to(self, threshold: f64) -> Self {
        Self { threshold: Some(threshold), ..self }
    }
}

/// How a signal went over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Which signal, as the evidence names it.
    pub signal: String,
    /// Who saw it.
    pub source: Source,
    /// How it went.
    pub course: Course,
}

/// How a signal went: one that is a number, or one that is an event or a state.
#[derive(Debug, Clone, PartialEq)]
pub enum Course {
    /// A number.
    Line {
        /// What of the signal is measured.
        what: &'static str,
        /// In which unit.
        unit: &'static str,
        /// The value at which the rule's answer turned when the diagnosis was made.
        threshold: Option<f64>,
        /// The values in the order of time, in pieces: between two of them the value was not known. No piece is empty.
        pieces: Vec<Vec<(Timestamp, f64)>>,
    },
    /// The moments from which on it was so, or at which it happened again.
    Moments(Vec<Timestamp>),
}
