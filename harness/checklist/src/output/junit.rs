//! JUnit, for CI systems: a check is a test.

use super::{OutputError, words};
use crate::check::{Area, CheckResult, Results, Status};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The results as JUnit's XML, a suite for each loop.
///
/// # Errors
/// [`OutputError`] when they cannot be serialised.
pub fn junit(results: &Results) -> Result<String, OutputError> {
    let mut report = Report::new("loopdrill-check");
    for area in Area::ALL {
        let mut suite = TestSuite::new(area.name());
        suite.add_test_cases(results.checks.iter().filter(|c| c.area == area).map(case));
        if suite.tests > 0 {
            report.add_test_suite(suite);
        }
    }
    Ok(report.to_string()?)
}

fn case(check: &CheckResult) -> TestCase {
    let evidence = check.evidence.iter().map(words).collect::<Vec<_>>().join("\n");
    let status = match check.status {
        Status::Pass | Status::Warn => TestCaseStatus::success(),
        Status::Skip => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(evidence.clone());
            skipped
        }
        Status::Fail => {
            let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
            failed.set_message(check.title.clone());
            failed.set_description(format!("{evidence}\n\n{}", check.remedy));
            failed
        }
    };
    let mut case = TestCase::new(format!("{} {}", check.id, check.title), status);
    case.set_classname(check.area.name());
    if check.status == Status::Warn {
        case.set_system_out(evidence);
    }
    case
}
