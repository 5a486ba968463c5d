//! stub
use crate::Fault;
use std::sync::Arc;

/// stub
pub fn variants() -> Vec<Arc<dyn Fault>> {
    vec![]
}
