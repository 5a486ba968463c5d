//! What fuzzing tries of target files.

use crate::TargetFile;
use loopdrill_model::{FaultId, Group, Loop};
use loopdrill_suite::{FileError, Known};

/// A target file: it allows a namespace that is not everyone's, or says where it is wrong.
///
/// # Panics
/// When it does neither.
pub fn target(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let known = [("revoked-iam", "rbac"), ("cross-az-pvc", "cordon")].map(|(fault, variant)| Known {
        id: FaultId::new(fault, variant),
        group: Group::Canonical,
        control_loop: Some(Loop::Identity),
    });
    match TargetFile::parse("target.yaml", text, &known) {
        Ok(target) => {
            assert!(!target.has_namespace(""), "a pattern that takes everything: {:?}", target.namespaces);
            assert!(target.blast_radius.pods > 0 && (1..=100).contains(&target.blast_radius.share));
        }
        Err(FileError::Wrong { line, column, what, .. }) => {
            let last = lines::last(text);
            assert!((1..=last).contains(&line) && column > 0 && !what.is_empty(), "{line}:{column}: {what}");
        }
        Err(error) => panic!("{error}"),
    }
}

#[path = "../../../tests/fuzz/lines.rs"]
mod lines;

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
#[test]
fn the_corpus_of_targets() {
    replay::replay("target", target);
}
