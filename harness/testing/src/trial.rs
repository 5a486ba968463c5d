//! Each trial is one drill, held against the end that is wanted of it. One that is skipped counts as ignored, with the
//! missing capability, unless `LOOPDRILL_REQUIRE` makes that a failure.

use crate::{Drills, lab::Unready, stage::Stage};
use jiff::Zoned;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use loopdrill_faults::Fault;
use loopdrill_model::{DrillReport, Gate, Outcome, Verdict};
use loopdrill_report::{Row, Screen};
use loopdrill_suite::{Expected, Wanted};
use std::{env, process::ExitCode, sync::Arc};

/// How a drill must end.
pub(crate) enum End {
    /// As a suite wants it.
    Accepted(Expected),
    /// Something is broken on purpose, and this gate must tell it.
    Caught(Gate),
}

pub(crate) fn run(mut of: Drills) -> ExitCode {
    let mut args = Arguments::from_args();
    let drills = std::mem::take(&mut of.drills);
    // The engine knows which drills may run side by side; a thread a drill leaves that to it.
    args.test_threads.get_or_insert(drills.len().max(1));
    let stage = Arc::new(Stage::new(of));
    let trials = drills.into_iter().map(|(fault, end)| trial(fault, end, &stage)).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    match stage.leave() {
        Ok(()) => conclusion.exit_code(),
        Err(trouble) => {
            eprintln!("\nthe drills went through, and not all is well:\n{trouble}");
            ExitCode::from(101)
        }
    }
}

fn trial(fault: Arc<dyn Fault>, end: End, stage: &Arc<Stage>) -> Trial {
    let stage = Arc::clone(stage);
    Trial::ignorable_test(fault.spec().id().to_string(), move || match stage.drill(fault) {
        Ok(report) => end.judge(&report),
        Err(Unready::Lacking(what)) => skipped(&what),
        Err(Unready::Broken(why)) => Err(why.into()),
    })
}

impl End {
    fn judge(&self, report: &DrillReport) -> Result<Completion, Failed> {
        match self {
            End::Accepted(expected) => accept(report, expected),
            End::Caught(gate) => catch(report, *gate),
        }
    }
}

/// A skip is told as what it is; everything but the gate's failure, with a victim that is well again, has caught nothing.
fn catch(report: &DrillReport, gate: Gate) -> Result<Completion, Failed> {
    let broken = Expected { wanted: Wanted::Fails(gate), ..Expected::default() };
    match (loopdrill_suite::judge(&broken, report, true, Zoned::now().date()).verdict, &report.outcome) {
        (Verdict::Accepted, _) => Ok(Completion::Completed),
        (_, Outcome::Skipped(_)) => accept(report, &Expected::default()),
        (_, outcome) => {
            let told = format!("{outcome}, though it is broken on purpose: gate `{gate}` should not hold");
            Err(format!("{told}\n{}", Row::of(report).details(Screen::plain())).into())
        }
    }
}

fn accept(report: &DrillReport, expected: &Expected) -> Result<Completion, Failed> {
    let acceptance = loopdrill_suite::judge(expected, report, required(), Zoned::now().date());
    let told = acceptance.told(&report.outcome).unwrap_or_default();
    match (acceptance.verdict, &report.outcome) {
        (Verdict::Otherwise | Verdict::Expired, _) => {
            Err(format!("{told}\n{}", Row::of(report).details(Screen::plain())).into())
        }
        (_, Outcome::Skipped(what)) => {
            let why = report.error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            Ok(Completion::ignored_with(format!("needs {what}{why}")))
        }
        (Verdict::Accepted, _) => Ok(Completion::ignored_with(told)),
        _ => Ok(Completion::Completed),
    }
}

fn skipped(why: &str) -> Result<Completion, Failed> {
    if required() {
        return Err(format!("skipped, and LOOPDRILL_REQUIRE is set: {why}").into());
    }
    Ok(Completion::ignored_with(why))
}

/// Whether a skip is a failure.
pub(crate) fn required() -> bool {
    env::var_os("LOOPDRILL_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0")
}
