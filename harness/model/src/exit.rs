//! The exit codes: a contract with every CI system that runs us.

use serde::{Deserialize, Serialize};

/// How a run ended. The order is the order of badness: [`ExitStatus::worst`] never lets a later step
/// overwrite a worse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitStatus {
    /// 0: every drill passed, was resilient, or was skipped without `--require`.
    Ready,
    /// 1: a drill failed one of its gates, or `diagnose` found something.
    NotReady,
    /// 6: the cluster admits not all of what a drill needs: a right, a policy. Nothing of that drill was done.
    NotAdmitted,
    /// 4: a fault could not be injected, so the run proves nothing about it.
    NotInjected,
    /// 3: no cluster could be provided, or it was lost on the way.
    NoCluster,
    /// 2: usage or configuration.
    Usage,
    /// 130: interrupted, and cleaned up.
    Interrupted,
    /// 5: something could not be undone. Nothing is worse.
    CleanupFailed,
}

impl ExitStatus {
    /// The process exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            ExitStatus::Ready => 0,
            ExitStatus::NotReady => 1,
            ExitStatus::Usage => 2,
            ExitStatus::NoCluster => 3,
            ExitStatus::NotInjected => 4,
            ExitStatus::CleanupFailed => 5,
            ExitStatus::NotAdmitted => 6,
            ExitStatus::Interrupted => 130,
        }
    }

    /// The worse of the two.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        self.max(other)
    }
}

#[cfg(test)]
mod tests {
    use super::ExitStatus::*;

    #[test]
    fn nothing_overwrites_a_worse_status() {
        assert_eq!(CleanupFailed.worst(Ready), CleanupFailed);
        assert_eq!(Ready.worst(NotReady).worst(NotInjected).worst(NotReady), NotInjected);
        assert_eq!(NotReady.worst(NotAdmitted).worst(Ready), NotAdmitted);
        assert_eq!(
            [Ready, NotReady, Usage, NoCluster, NotInjected, CleanupFailed, NotAdmitted, Interrupted]
                .map(|s| s.code()),
            [0, 1, 2, 3, 4, 5, 6, 130]
        );
    }
}
