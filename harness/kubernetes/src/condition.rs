//! Conditions of pods, nodes and whatever else has them.

/// The condition that pods and nodes have while they can be used.
pub const READY: &str = "Ready";
/// What a condition's status says when it holds; the others are `False` and `Unknown`.
pub const TRUE: &str = "True";

/// Whether the condition of this type holds, among types and statuses. One that is not told does not hold.
pub fn is_true<'a>(conditions: impl IntoIterator<Item = (&'a str, &'a str)>, kind: &str) -> bool {
    conditions.into_iter().any(|(k, status)| k == kind && status == TRUE)
}
