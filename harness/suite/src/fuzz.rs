//! What fuzzing tries of suites and gates.

use crate::{Known, Policy, Suite, SuiteError};
use loopdrill_model::{FaultId, Group, Loop};

/// A suite: it selects drills, or says where it is wrong.
///
/// # Panics
/// When it does neither.
pub fn suite(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Suite::parse("suite.yaml", text, &known()) {
        Ok(suite) => assert!(!suite.select(&known()).is_empty(), "{suite:?}"),
        Err(error) => has_a_place(&error, text),
    }
}

/// A gate's policy: it names drills that exist, or says where it is wrong.
///
/// # Panics
/// When it does neither.
pub fn gate(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Policy::parse("gate.yaml", text, &known(), &["CO-01", "NE-02"]) {
        Ok(policy) => {
            let named = policy.must_pass(&known()).count();
            assert!(named > 0 || policy.must_pass.is_empty(), "{policy:?}");
        }
        Err(error) => has_a_place(&error, text),
    }
}

fn known() -> Vec<Known> {
    let drill = |fault, variant, group, control_loop| {
        let id = FaultId::new(fault, variant);
        Known { id, group, control_loop }
    };
    vec![
        drill("control", "none", Group::Canonical, None),
        drill("overlay-mtu", "df", Group::Canonical, Some(Loop::Network)),
        drill("crash-loop", "bad-flag", Group::Decoy, Some(Loop::Workload)),
        drill("domino", "slow-etcd", Group::Domino, Some(Loop::ControlPlane)),
    ]
}

/// A file that is wrong is wrong somewhere in it.
fn has_a_place(error: &SuiteError, text: &str) {
    let SuiteError::Wrong { line, column, what, .. } = error else { panic!("{error}") };
    assert!((1..=lines::last(text)).contains(line) && *column > 0, "{error}");
    assert!(!what.is_empty());
}

#[path = "../../../tests/fuzz/lines.rs"]
mod lines;

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_of_suites() {
        replay::replay("suite", suite);
    }

    #[test]
    fn the_corpus_of_gates() {
        replay::replay("gate", gate);
    }
}
