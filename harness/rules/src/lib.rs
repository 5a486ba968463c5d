//! Alert rules for the failure signatures, generated from one table (`signature`): a Prometheus rule file, a
//! `PrometheusRule`, the unit tests that `promtool` runs over them, and a Grafana dashboard of the same series. Each alert
//! says its loop and its cause in labels, and how sure it is in an annotation; the Prometheus detector reads nothing else.
//!
//! Pure: text in, text out.

mod grafana;
mod signature;
mod split;
mod table;

pub use signature::{Example, Pack, Recording, Signature};
pub use table::{HEALTHY, RECORDINGS, SIGNATURES};
