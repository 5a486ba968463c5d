//! One rule of a role: what somebody must be allowed in a cluster, and why.

/// One rule of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// Resources, with subresources.
    pub resources: &'static [&'static str],
    /// What is done with them.
    pub verbs: &'static [&'static str],
    /// What it is for.
    pub why: &'static str,
}
