//! Alert rules for the failure signatures, generated from one table (`signature`): a Prometheus rule file, a
//! `PrometheusRule`, and the unit tests that `promtool` runs over them. Each alert says its loop and its cause in
//! labels, and how sure it is in an annotation; the Prometheus detector reads nothing else.
//!
//! Pure: text in, text out.

mod signature;
mod table;

pub use signature::{Example, Pack, Recording, Signature};
pub use table::{HEALTHY, RECORDINGS, SIGNATURES};
