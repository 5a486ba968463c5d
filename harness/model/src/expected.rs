//! What a detector should say of a drill.

use crate::{Cause, Diagnosis, Loop};
use serde::{Deserialize, Serialize};

/// The right answer to a drill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The loop that must be blamed; absent where nothing must be found.
    #[serde(rename = "loop", default, skip_serializing_if = "Option::is_none")]
    pub control_loop: Option<Loop>,
    /// The causes that are right; empty when the loop alone counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// The loops through which the cause must be seen to spread, from the root; empty when that is not asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Loop>,
    /// Independent faults that must be named, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Expected>,
    /// The group of drills it belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
}

impl Expected {
    /// Whether `d` names the loop and, as far as it names one, a right cause. The chain is not looked at.
    #[must_use]
    pub fn is_named_by(&self, d: &Diagnosis) -> bool {
        self.control_loop == Some(d.control_loop)
            && (self.causes.is_empty() || d.cause.is_none_or(|c| self.causes.contains(&c)))
    }

    /// Whether `found`, by falling confidence, is the right answer: the best one is the root (or one of several
    /// independent roots), every root is named, and the chain holds the loops asked for in their order.
    #[must_use]
    pub fn is_answered_by(&self, found: &[Diagnosis]) -> bool {
        let Some(top) = found.first() else { return self.control_loop.is_none() };
        if self.control_loop.is_none() {
            return false;
        }
        let roots = || std::iter::once(self).chain(&self.also);
        roots().any(|root| root.is_named_by(top))
            && roots().all(|root| found.iter().any(|d| root.is_named_by(d) && root.has_chain(d)))
    }

    fn has_chain(&self, d: &Diagnosis) -> bool {
        let mut seen = d.chain.iter().map(|link| link.control_loop);
        self.chain.iter().all(|wanted| seen.any(|l| l == *wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChainLink;
    use jiff::Timestamp;

    fn diagnosis(cause: Cause, chain: &[Loop]) -> Diagnosis {
        let link = |control_loop: &Loop| ChainLink {
            control_loop: *control_loop,
            what: String::new(),
            subjects: Vec::new(),
        };
        Diagnosis {
            control_loop: cause.control_loop(),
            cause: Some(cause),
            subjects: Vec::new(),
            confidence: 0.9,
            evidence: Vec::new(),
            chain: chain.iter().map(link).collect(),
            first_evidence_at: Timestamp::UNIX_EPOCH,
            diagnosed_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn expected(cause: Cause) -> Expected {
        Expected { control_loop: Some(cause.control_loop()), causes: vec![cause], ..Expected::default() }
    }

    #[test]
    fn the_best_answer_counts() {
        let (mtu, oom) = (diagnosis(Cause::OverlayMtu, &[]), diagnosis(Cause::OutOfMemory, &[]));
        let want = expected(Cause::OverlayMtu);
        assert!(want.is_answered_by(std::slice::from_ref(&mtu)));
        assert!(want.is_answered_by(&[mtu.clone(), oom.clone()]));
        assert!(!want.is_answered_by(&[oom.clone(), mtu]));
        assert!(!want.is_answered_by(&[]));
        let loop_only = Diagnosis { cause: None, ..diagnosis(Cause::OverlayMtu, &[]) };
        assert!(want.is_answered_by(&[loop_only]), "a detector that names only loops");
        assert!(
            !want.is_answered_by(&[diagnosis(Cause::DnsFailure, &[])]),
            "the loop is right, the cause is not"
        );
    }

    #[test]
    fn where_nothing_is_wrong_nothing_may_be_found() {
        assert!(Expected::default().is_answered_by(&[]));
        assert!(!Expected::default().is_answered_by(&[diagnosis(Cause::OverlayMtu, &[])]));
    }

    #[test]
    fn every_independent_root_and_every_step_of_a_chain_is_asked_for() {
        let both = Expected { also: vec![expected(Cause::OutOfMemory)], ..expected(Cause::OverlayMtu) };
        let (mtu, oom) = (diagnosis(Cause::OverlayMtu, &[]), diagnosis(Cause::OutOfMemory, &[]));
        assert!(both.is_answered_by(&[oom.clone(), mtu.clone()]));
        assert!(!both.is_answered_by(&[oom]));
        let chained = Expected { chain: vec![Loop::Compute, Loop::Storage], ..expected(Cause::OverlayMtu) };
        assert!(!chained.is_answered_by(&[mtu]));
        let steps = [Loop::Network, Loop::Compute, Loop::Storage];
        assert!(chained.is_answered_by(&[diagnosis(Cause::OverlayMtu, &steps)]));
        let backwards = [Loop::Storage, Loop::Compute];
        assert!(!chained.is_answered_by(&[diagnosis(Cause::OverlayMtu, &backwards)]));
    }
}
