//! A cloud's identity for a lab: moto for IAM, STS, S3 and ECR, and a proxy that does what moto does not.
//!
//! The proxy validates web identity tokens against the cluster's own keys and the role's trust policy, ends sessions,
//! and evaluates the conditions of a role's policies. One pod on the control plane holds both; moto listens on its
//! loopback alone. README.md beside `src` says what was measured and what is left out.

mod account;
mod asked;
mod cli;
mod condition;
mod ecr;
mod element;
mod endpoint;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod issuer;
mod manifests;
mod plugin;
mod policy;
mod proxy;
mod reconciler;
mod refusal;
mod sessions;
mod setup;
mod sigv4;
mod token;
mod trust;
mod web_identity;
mod xml;

pub use cli::{Command, run};
pub use manifests::{MANIFESTS, manifests};
pub use reconciler::credentials;
pub use setup::{AUDIENCE, BUCKET, OBJECT, ROLE};

/// The namespace in which the cloud runs.
pub const NAMESPACE: &str = "cloud";
/// Its Deployment.
pub const DEPLOYMENT: &str = "cloud";
/// The port of every node that leads to it.
pub const NODE_PORT: u16 = 30500;
/// The account, which is moto's.
pub const ACCOUNT: &str = "123456789012";
/// The region.
pub const REGION: &str = "us-east-1";
/// The Secret with the operator's access key, which [`credentials`] reads.
pub const OPERATOR_SECRET: &str = "operator-key";
/// The ConfigMap of the proxy's settings, which drills may change; it is read every two seconds.
pub const SETTINGS: &str = "settings";
/// The key in it with the actions that are throttled, such as `sts:AssumeRoleWithWebIdentity`, one a word.
pub const THROTTLE: &str = "throttle";
/// The Secret with the number from which all keys come, which the lab makes.
pub const SEED_SECRET: &str = "seed";
/// The key in it.
pub const SEED_KEY: &str = "seed";
/// The Secret with the account of the registry behind the account's own, as `user:password`; the lab makes it.
pub const REGISTRY_SECRET: &str = "registry";
/// The key in it.
pub const REGISTRY_KEY: &str = "account";
/// The account's registry, as image references name it.
pub const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.lab";
/// The annotation of a ServiceAccount that names its role, as on EKS.
pub const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
