//! Revoked IAM: a healthy workload loses the right that it lives from.
//!
//! | variant | what is revoked | what people see |
//! |---|---|---|
//! | [`rbac`] | the RoleBinding of its ServiceAccount | exit 1, empty log, `CrashLoopBackOff` |
//! | [`pull`] | its credential at the registry | `ImagePullBackOff` |
//!
//! A variant for a cloud's IAM has the same shape: a victim that calls the cloud, a change of its own kind
//! beside [`crate::Change::Object`] and [`crate::Change::Node`], and one more line in [`variants`].

pub mod pull;
pub mod rbac;

use crate::Fault;
use std::sync::Arc;

/// All variants.
#[must_use]
pub fn variants() -> Vec<Arc<dyn Fault>> {
    vec![Arc::new(rbac::Rbac::default()), Arc::new(pull::Pull::default())]
}
