//! Revoked IAM: a healthy workload loses the right that it lives from.
//!
//! | variant | what is revoked | what people see |
//! |---|---|---|
//! | [`rbac`] | the RoleBinding of its ServiceAccount | exit 1, empty log, `CrashLoopBackOff` |
//! | [`pull`] | its credential at the registry | `ImagePullBackOff` |
//! | [`aws`] | its cloud role: the sessions, the trust, or the permissions | exit 1, empty log, `CrashLoopBackOff` |

pub mod aws;
pub mod pull;
pub mod rbac;
pub(crate) mod silent_crash;

use crate::Fault;
use std::sync::Arc;

/// All variants.
#[must_use]
pub fn variants() -> Vec<Arc<dyn Fault>> {
    let mut all: Vec<Arc<dyn Fault>> = vec![Arc::new(rbac::Rbac), Arc::new(pull::Pull)];
    all.extend(aws::variants());
    all
}
