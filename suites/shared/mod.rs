//! What the suites share: drills as tests.
//!
//! Each trial is one fault in one variant, put through the engine of `loopdrill run`. Nothing is started before
//! the first trial runs, so `--list` needs no Docker, and filters decide what is paid for. The lab outlives this
//! process: all suites of one `cargo test` share it (`lab`).
//!
//! A trial whose drill is skipped counts as ignored, with the missing capability; `LOOPDRILL_REQUIRE=1` makes that
//! a failure.

mod lab;
mod world;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use loopdrill_faults::{Fault, FaultSpec, catalogue};
use loopdrill_model::{DrillReport, Group, Loop, Outcome};
use loopdrill_report::{Row, Screen};
use std::{env, process::ExitCode, sync::Arc};
use world::{Stage, Unready};

/// What a suite is made of.
#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "each suite is a program of its own and is one of these")]
pub(crate) enum Suite {
    /// The canonical drills of one loop.
    Loop(Loop),
    /// Every drill of one group.
    Group(Group),
}

impl Suite {
    fn has(self, spec: &FaultSpec) -> bool {
        match self {
            Suite::Loop(l) => spec.group == Group::Canonical && spec.expectation().control_loop() == Some(l),
            Suite::Group(group) => spec.group == group,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Suite::Loop(l) => l.name(),
            Suite::Group(group) => group.name(),
        }
    }
}

/// The `main` of a suite: the canonical drills of a loop, or all drills of a group.
pub(crate) fn main(suite: Suite) -> ExitCode {
    if let Some(code) = lab::guard() {
        return code;
    }
    let mut args = Arguments::from_args();
    let faults: Vec<_> = catalogue().into_iter().filter(|f| suite.has(f.spec())).collect();
    // The engine knows which drills may run side by side; a thread a drill leaves that to it.
    args.test_threads.get_or_insert(faults.len().max(1));
    let stage = Arc::new(Stage::new(suite.name()));
    let trials = faults.into_iter().map(|fault| trial(fault, &stage)).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    match stage.leave() {
        Ok(()) => conclusion.exit_code(),
        Err(trouble) => {
            eprintln!("\nthe drills went through, and not all is well:\n{trouble}");
            ExitCode::from(101)
        }
    }
}

fn trial(fault: Arc<dyn Fault>, stage: &Arc<Stage>) -> Trial {
    let stage = Arc::clone(stage);
    Trial::ignorable_test(fault.spec().id().to_string(), move || match stage.drill(fault) {
        Ok(report) => judge(&report),
        Err(Unready::Lacking(what)) => skipped(&what),
        Err(Unready::Broken(why)) => Err(why.into()),
    })
}

fn judge(report: &DrillReport) -> Result<Completion, Failed> {
    match &report.outcome {
        Outcome::Passed | Outcome::Resilient => Ok(Completion::Completed),
        Outcome::Skipped(what) => {
            let why = report.error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            skipped(&format!("needs {what}{why}"))
        }
        _ => Err(Row::of(report).details(Screen::plain()).into()),
    }
}

fn skipped(why: &str) -> Result<Completion, Failed> {
    if required() {
        return Err(format!("skipped, and LOOPDRILL_REQUIRE is set: {why}").into());
    }
    Ok(Completion::ignored_with(why))
}

/// Whether a skip is a failure.
fn required() -> bool {
    env::var_os("LOOPDRILL_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0")
}
