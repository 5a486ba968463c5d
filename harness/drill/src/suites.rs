//! What suites select from: every drill of this build, as [`loopdrill_suite`] needs to know it.

use crate::{Budgets, CONTROL};
use loopdrill_faults::{catalogue, cloud_catalogue};
use loopdrill_model::{FaultId, Group};
use loopdrill_suite::Known;
use std::time::Duration;

/// Every drill that there is, the control drill first, those of a cloud account last.
#[must_use]
pub fn known() -> Vec<Known> {
    let control = Known { id: FaultId::new(CONTROL, "none"), group: Group::Canonical, control_loop: None };
    let faults = catalogue().into_iter().chain(cloud_catalogue());
    let drill = faults.map(|fault| {
        let spec = fault.spec();
        Known { id: spec.id(), group: spec.group, control_loop: spec.expectation().control_loop() }
    });
    std::iter::once(control).chain(drill).collect()
}

/// The drills that a cluster is asked for when a set is named: those of a cloud account only where there is one, or where
/// `named` says that they are meant. So they are skipped with the reason rather than passed over where somebody wants them.
#[must_use]
pub fn known_here(has_cloud: bool, named: impl Fn(&FaultId) -> bool) -> Vec<Known> {
    let cloud: Vec<_> = cloud_catalogue().iter().map(|fault| fault.spec().id()).collect();
    let mut known = known();
    known.retain(|k| has_cloud || !cloud.contains(&k.id) || named(&k.id));
    known
}

impl From<loopdrill_suite::Budgets> for Budgets {
    fn from(of: loopdrill_suite::Budgets) -> Self {
        let usual = Self::default();
        let or = |said: Option<u64>, usual| said.map_or(usual, Duration::from_secs);
        Self {
            manifest: or(of.bite, usual.manifest),
            detect: or(of.detect, usual.detect),
            control: or(of.control, usual.control),
            ..usual
        }
    }
}

#[cfg(test)]
mod tests {
    use loopdrill_suite::Suite;
    use std::{fs, path::Path};

    /// The suites that come with the project select drills that exist, and their schema is the one that is committed.
    #[test]
    fn the_committed_suites_are_right() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites");
        let files = fs::read_dir(&folder).expect("suites").map(|f| f.expect("a file").path());
        let suites: Vec<_> = files.filter(|f| f.extension().is_some_and(|e| e == "yaml")).collect();
        assert!(suites.len() >= 9, "{suites:?}");
        for file in suites {
            let suite = Suite::read(&file, &super::known()).expect("a suite");
            assert_eq!(file.file_stem().and_then(|s| s.to_str()), Some(suite.name.as_str()));
            assert!(!suite.select(&super::known()).is_empty(), "{}", suite.name);
        }
        let schema = fs::read_to_string(folder.join("suite.schema.json")).expect("the schema");
        let wanted = format!("{:#}\n", loopdrill_suite::schema());
        assert_eq!(schema, wanted, "`loopdrill schema > suites/suite.schema.json` writes it anew");
    }
}
