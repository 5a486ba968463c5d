//! Detectors under test, all behind one plug and scored alike.

mod detector;
mod nothing;

pub use detector::{DetectError, Detector};
pub use nothing::Nothing;
