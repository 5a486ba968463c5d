//! What the suites share: the drills of a suite file as tests, through [`loopdrill_testing`].

use loopdrill_faults::catalogue;
use loopdrill_model::ExitStatus;
use loopdrill_suite::{Suite, Target};
use loopdrill_testing::Drills;
use std::{path::Path, process::ExitCode};

/// The `main` of a suite: the drills of the file `suites/NAME.yaml`.
pub(crate) fn main(name: &str) -> ExitCode {
    match read(name) {
        Ok(suite) => drills(&suite).run(),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(ExitStatus::Usage.code())
        }
    }
}

/// The suite of that name. What these tests provide themselves is refused rather than passed over.
fn read(name: &str) -> Result<Suite, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites").join(name).with_extension("yaml");
    let suite = Suite::read(&file, &loopdrill_drill::known()).map_err(|e| e.to_string())?;
    if suite.target != Target::default() || suite.detectors.is_some() || suite.require.is_some() {
        return Err(format!(
            "{}: the tests bring lab, detector and LOOPDRILL_REQUIRE; leave out target, detectors and require",
            file.display()
        ));
    }
    Ok(suite)
}

/// The drills of a suite that need no cloud account, with the end that is wanted of each. The control drill is a test of
/// its own (`tests/silence.rs`).
fn drills(suite: &Suite) -> Drills {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("suites");
    let drills =
        Drills::new(&suite.name, folder).binary(env!("CARGO_BIN_EXE_loopdrill")).budgets(suite.budgets);
    let faults = catalogue();
    let of = |id| faults.iter().find(|fault| fault.spec().id() == id).cloned();
    let selected = suite.select(&loopdrill_drill::known()).into_iter();
    let with_faults = selected.filter_map(|s| Some((s.expected, of(s.drill.id)?)));
    with_faults.fold(drills, |drills, (expected, fault)| drills.ends(expected, fault))
}
