//! A policy held against a run.

use super::{Checks, MayFail, Policy, compare};
use crate::Ends;
use jiff::civil::Date;
use loopdrill_model::{
    Acceptance, DrillReport, ExitStatus, FaultId, Finding, Judgement, Kind, RunReport, Verdict, is_proof,
};

/// What one check of the readiness checklist answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnswer {
    /// Which check.
    pub id: String,
    /// What was found, in a line.
    pub what: String,
    /// Whether it fails.
    pub failed: bool,
    /// Whether it could not be judged for want of access.
    pub blind: bool,
}

/// What a gate is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'r> {
    /// The run.
    pub report: &'r RunReport,
    /// How each of its drills must end.
    pub ends: &'r Ends,
    /// Drills that must have ended well, whatever their suites accept.
    pub must_pass: &'r [FaultId],
    /// What the checklist answered, where it was run.
    pub checks: Option<&'r [CheckAnswer]>,
    /// The run that it is compared with.
    pub baseline: Option<&'r RunReport>,
}

/// Holds a run to a policy.
#[must_use]
pub fn judge(policy: &Policy, evidence: Evidence<'_>) -> Judgement {
    let Evidence { report, ends, .. } = evidence;
    let mut findings = left_behind(report);
    findings.extend(proof(report));
    findings.extend(report.drills.iter().filter_map(|drill| ended(drill, &ends.hold(drill), ends.require)));
    findings.extend(ends.drills().filter_map(|id| not_run(report, id)));
    findings.extend(evidence.must_pass.iter().filter_map(|id| must_pass(report, id)));
    findings.extend(report.drills.iter().filter_map(|drill| slow(policy, drill)));
    findings.extend(false_alarms(policy, report));
    if let Some(checks) = &policy.checks {
        findings.extend(judge_checks(checks, evidence.checks, ends.today));
    }
    if let Some(baseline) = evidence.baseline {
        findings.extend(compare::compare(baseline, report, ends, policy.lag.margin));
    }
    Judgement::new(&policy.name, findings)
}

pub(super) fn red(kind: Kind, about: impl ToString, what: impl Into<String>) -> Finding {
    Finding { kind, about: about.to_string(), what: what.into(), exit: ExitStatus::NotReady }
}

pub(super) fn told(kind: Kind, about: impl ToString, what: impl Into<String>) -> Finding {
    Finding { exit: ExitStatus::Ready, ..red(kind, about, what) }
}

/// The report of a drill.
pub(super) fn find<'r>(report: &'r RunReport, id: &FaultId) -> Option<&'r DrillReport> {
    report.drills.iter().find(|d| d.fault == id.fault && d.variant == id.variant)
}

/// What no exception can cover: what is left, and a run that broke.
fn left_behind(report: &RunReport) -> Vec<Finding> {
    let left =
        |what: &String| Finding { exit: ExitStatus::CleanupFailed, ..red(Kind::Leftover, "run", what) };
    let mut findings: Vec<_> = report.trouble.iter().map(left).collect();
    let of_drills = report.drills.iter().map(|d| d.outcome.exit(report.require));
    let explained = of_drills.fold(ExitStatus::NotReady, ExitStatus::worst);
    if findings.is_empty() && report.exit > explained {
        let what = format!("the run itself ended with exit code {}", report.exit.code());
        findings.push(Finding { exit: report.exit, ..red(Kind::Leftover, "run", what) });
    }
    findings
}

fn proof(report: &RunReport) -> Option<Finding> {
    let what = match report.drills.len() {
        0 => "no drill was run",
        _ => "no fault was noticed, blamed rightly and undone, and none was absorbed",
    };
    (!is_proof(&report.drills)).then(|| red(Kind::NothingProven, "run", what))
}

fn ended(drill: &DrillReport, acceptance: &Acceptance, require: bool) -> Option<Finding> {
    let what = acceptance.told(&drill.outcome)?;
    let why = drill.error.as_ref().or_else(|| note(drill)).map(|why| format!(" ({why})")).unwrap_or_default();
    let finding = match acceptance.verdict {
        Verdict::AsWanted => return None,
        Verdict::Accepted => told(Kind::Accepted, drill.id(), format!("{}, {what}", drill.outcome)),
        Verdict::Better => told(Kind::Closed, drill.id(), what),
        Verdict::Expired => red(Kind::Expired, drill.id(), what),
        Verdict::Otherwise => {
            let exit = drill.outcome.exit(require).worst(ExitStatus::NotReady);
            Finding { exit, ..red(Kind::Drill, drill.id(), format!("{what}{why}")) }
        }
    };
    Some(finding)
}

/// Why the gate that decided did not hold.
fn note(drill: &DrillReport) -> Option<&String> {
    let mut gates = loopdrill_model::Gate::ALL.into_iter().map(|gate| drill.gate(gate));
    gates.find(|result| !result.ok)?.note.as_ref()
}

fn not_run(report: &RunReport, id: &FaultId) -> Option<Finding> {
    find(report, id).is_none().then(|| red(Kind::NotRun, id, "a suite names it, and it was not run"))
}

fn must_pass(report: &RunReport, id: &FaultId) -> Option<Finding> {
    match find(report, id) {
        Some(drill) if drill.outcome.is_good() => None,
        Some(drill) => {
            Some(red(Kind::Drill, id, format!("{}, and the policy lets it only pass", drill.outcome)))
        }
        None => Some(red(Kind::NotRun, id, "the policy wants it to pass, and it was not run")),
    }
}

fn slow(policy: &Policy, drill: &DrillReport) -> Option<Finding> {
    let blamed = drill.expected_loop()?;
    let lag = drill.deciding().filter(|d| d.detected.ok)?.lag?;
    let budget = policy.lag.by_loop.get(&blamed).copied().or(policy.lag.worst)?;
    let what = format!("diagnosed {lag:.1} s after the first evidence; the budget is {budget} s");
    (lag > budget).then(|| red(Kind::Slow, drill.id(), what))
}

fn false_alarms(policy: &Policy, report: &RunReport) -> Option<Finding> {
    let (found, allowed) = (report.false_alarms.len(), policy.false_alarms);
    let what = format!("findings that belong to no drill: {found}; allowed: {allowed}");
    match found {
        0 => None,
        _ if found > allowed => Some(red(Kind::FalseAlarms, "run", what)),
        _ => Some(told(Kind::Accepted, "run", what)),
    }
}

fn judge_checks(policy: &Checks, answers: Option<&[CheckAnswer]>, today: Date) -> Vec<Finding> {
    let Some(answers) = answers else {
        return vec![red(Kind::Check, "checklist", "the policy wants it, and it was not run")];
    };
    let exception = |id: &str| policy.may_fail.iter().find(|one| one.check == id);
    let judged = answers.iter().filter_map(|answer| judge_check(answer, exception(&answer.id), today));
    let missing = policy.may_fail.iter().filter(|one| !answers.iter().any(|a| a.id == one.check));
    let missing =
        missing.map(|one| red(Kind::Check, &one.check, "an exception names it, and it was not run"));
    judged.chain(missing).collect()
}

fn judge_check(answer: &CheckAnswer, exception: Option<&MayFail>, today: Date) -> Option<Finding> {
    let is_bad = answer.failed || answer.blind;
    match exception {
        None if is_bad => Some(red(Kind::Check, &answer.id, &answer.what)),
        None => None,
        Some(one) if !is_bad => {
            Some(told(Kind::Closed, &answer.id, format!("it passes: its exception can go: {}", one.reason)))
        }
        Some(one) if one.until < today => {
            let what = format!("its exception is over, it held until {}: {}", one.until, one.reason);
            Some(red(Kind::Expired, &answer.id, what))
        }
        Some(one) => {
            Some(told(Kind::Accepted, &answer.id, format!("may fail until {}: {}", one.until, one.reason)))
        }
    }
}
