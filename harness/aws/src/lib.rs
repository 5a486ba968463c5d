//! The one way to a cloud's IAM: what is asked there, as whom, and what that needs.
//!
//! Faults change roles through [`Iam`], observers read them through it, victims get their session through
//! [`Workload`]. AWS and a lab differ by the target file alone.
//!
//! # What it needs on AWS
//! - A target file: the account, the region, the roles that may be touched, and a bucket with an object `probe`.
//! - A role that trusts the cluster's OIDC provider for `system:serviceaccount:drill-*:*` and the audience
//!   `sts.amazonaws.com`, and may `s3:GetObject` on that bucket. Make one for drills; do not name one of production.
//! - Credentials with the policy that `loopdrill rbac --aws --target FILE` prints, in the SDK's default chain. Sessions of
//!   IAM Identity Center come in by `aws configure export-credentials --format env`.
//!
//! IAM shows a change after seconds, and so each read-back waits for it. A session of a role lasts up to twelve hours: a
//! trust policy that is cut hits who starts or renews, which is why that drill starts its victim anew.
//!
//! # Invariants
//! - every call goes through [`Action`], and so does the policy that [`policy`] prints: they cannot drift apart;
//! - nothing is touched in an account that the target does not name, and no role that it does not name;
//! - no key, token or session is in an error, a `Debug` text or a serialised form.

mod action;
mod connect;
mod error;
mod iam;
mod role;
mod session;
mod workload;

pub use action::{Action, policy};
pub use error::CloudError;
pub use iam::Iam;
pub use role::{Edit, Part, RoleState, excerpt};
pub use session::{PROBE, Session, WebIdentityClient};
pub use workload::{CLOCK_AHEAD, Workload};
