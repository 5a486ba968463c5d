//! From a snapshot to results: what is missing skips, what was unreadable cannot pass, exceptions hold until they
//! expire.

use crate::{
    check::{Area, Check, CheckResult, Evidence, Finding, Level, Results, Severity, Status, Verdict},
    checks,
    config::Config,
    exceptions::Exceptions,
    snapshot::{Input, Snapshot, Unjudged},
};
use std::collections::BTreeSet;

/// Which checks, and what is excepted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these areas; empty for all.
    pub areas: Vec<Area>,
    /// Not these checks.
    pub ignore: Vec<String>,
    /// Only checks that matter at least that much.
    pub min_severity: Option<Severity>,
    /// Documented exceptions.
    pub config: Config,
}

impl Selection {
    fn has(&self, check: &Check) -> bool {
        (self.areas.is_empty() || self.areas.contains(&check.area))
            && !self.ignore.iter().any(|id| id == check.id)
            && self.min_severity.is_none_or(|least| check.severity >= least)
    }
}

/// Runs the selected checks.
#[must_use]
pub fn run(snapshot: &Snapshot, selection: &Selection) -> Results {
    let exceptions = Exceptions::of(&selection.config, snapshot);
    let chosen = checks::all().filter(|c| selection.has(c));
    let checks: Vec<_> = chosen.map(|c| result(c, snapshot, &exceptions)).collect();
    // A check that was skipped for want of access, or of anything to judge, does not tell which exceptions it needs.
    let looked =
        |c: &&CheckResult| c.status != Status::Skip || c.evidence.iter().any(|e| !e.object.is_empty());
    let looked: BTreeSet<&str> = checks.iter().filter(looked).map(|c| c.id.as_str()).collect();
    let exceptions = exceptions.remarks(&looked);
    Results { checks, exceptions }
}

fn result(check: &Check, snapshot: &Snapshot, exceptions: &Exceptions) -> CheckResult {
    let hidden = out_of_sight(check, snapshot);
    // No access would help where manifests are the wrong place to ask.
    let blind = hidden.is_some() && (check.manifests || !snapshot.is_manifests());
    let (status, evidence) = match hidden {
        Some(why) => (Status::Skip, vec![Evidence::about_all(Status::Skip, why)]),
        None => judge(check, snapshot, exceptions),
    };
    CheckResult {
        blind,
        id: check.id.into(),
        title: check.title.into(),
        area: check.area,
        severity: check.severity,
        status,
        evidence,
        remedy: check.remedy.into(),
        predicts: check.predicts.iter().map(ToString::to_string).collect(),
    }
}

/// Why a check cannot be judged at all.
fn out_of_sight(check: &Check, snapshot: &Snapshot) -> Option<String> {
    if snapshot.is_manifests() && !check.manifests {
        return Some(
            "manifests cannot answer this; check the cluster itself with --lab, --kind or --context".into(),
        );
    }
    let (input, why) = check.needs.iter().find_map(|n| Some((n, snapshot.missing(*n)?)))?;
    Some(if why.contains(input.name()) { why } else { format!("{input}: {why}") })
}

fn judge(check: &Check, snapshot: &Snapshot, exceptions: &Exceptions) -> (Status, Vec<Evidence>) {
    let (mut findings, at) = match (check.judge)(snapshot) {
        Verdict::Skip(why) => match unjudged(check, snapshot) {
            lost if lost.is_empty() => {
                return (Status::Skip, vec![Evidence::about_all(Status::Skip, why)]);
            }
            lost => (lost, why),
        },
        Verdict::Looked { findings, at } => ([findings, unjudged(check, snapshot)].concat(), at),
    };
    findings.extend(not_understood(check, snapshot));
    // Stable: what is wrong first, else in the check's own order of importance.
    findings.sort_by_key(|f| std::cmp::Reverse(f.level));
    let (mut evidence, mut excepted, mut hides_a_fail) = (Vec::new(), Vec::new(), false);
    for finding in findings {
        match exceptions.accepting(check.id, &finding.object) {
            Some(exception) => {
                hides_a_fail |= finding.level == Level::Fail;
                let value = format!("excepted until {}: {}", exception.expires, exception.reason);
                excepted.push(as_evidence(Status::Skip, Finding { value, ..finding }, snapshot));
            }
            None => evidence.push(as_evidence(finding.level.status(), finding, snapshot)),
        }
    }
    let status = match evidence.first() {
        Some(worst) => worst.status,
        None if hides_a_fail => Status::Skip,
        None => Status::Pass,
    };
    if status == Status::Pass && excepted.is_empty() {
        evidence.push(Evidence::about_all(Status::Pass, format!("looked at {at}")));
    }
    evidence.append(&mut excepted);
    (status, evidence)
}

/// What was lost on the way in cannot pass.
fn not_understood(check: &Check, snapshot: &Snapshot) -> Vec<Finding> {
    let told = |input: &Input| {
        let lost = snapshot.unreadable(*input);
        (lost > 0).then(|| {
            Finding::warn("", format!("{lost} of {input} could not be understood and were not judged"))
        })
    };
    check.needs.iter().filter_map(told).collect()
}

/// What this check should have judged and could not: it cannot pass.
fn unjudged(check: &Check, snapshot: &Snapshot) -> Vec<Finding> {
    let about_pods = check.needs.contains(&Input::Pods);
    let concerns = |u: &&Unjudged| about_pods || !u.pods;
    let told = |u: &Unjudged| Finding::warn(&u.object, u.why.as_str()).in_file(u.file.as_ref());
    snapshot.unjudged.iter().filter(concerns).map(told).collect()
}

/// A finding with the place where its object is declared.
fn as_evidence(status: Status, finding: Finding, snapshot: &Snapshot) -> Evidence {
    let source = snapshot.source(&finding.object, finding.file.as_deref());
    Evidence {
        status,
        lines: source.and_then(|s| s.lines),
        file: finding.file.or_else(|| source.map(|s| s.file.clone())),
        object: finding.object,
        value: finding.value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Availability;
    use crate::testing::{Scene, result, results};
    use serde_json::json;

    #[test]
    fn every_check_is_skipped_when_any_of_its_inputs_may_not_be_read() {
        for check in checks::all() {
            for need in check.needs {
                let why = format!("forbidden: list {need}");
                let mut snapshot = bad_day().build();
                snapshot.inputs.insert(*need, Availability::Missing(why.clone()));
                let result = result(&snapshot, check.id);
                assert!(result.blind, "{} without {need}", check.id);
                result.ends(Status::Skip, &[&why]);
            }
        }
    }

    #[test]
    fn nothing_passes_on_a_snapshot_in_which_nothing_was_read() {
        let snapshot =
            Snapshot::empty(crate::Origin::Cluster("x".into()), loopdrill_model::Timestamp::UNIX_EPOCH);
        let all = run(&snapshot, &Selection::default());
        assert_eq!(all.checks.len(), checks::all().count());
        assert_eq!(all.count(Status::Skip), all.checks.len());
    }

    #[test]
    fn what_was_not_understood_keeps_a_check_from_passing() {
        let lost = |s: &mut Snapshot| {
            s.inputs.insert(Input::Bindings, Availability::Read { objects: 2, unreadable: 3 });
        };
        Scene::cluster().set(lost).check("ID-03").ends(Status::Warn, &["3 of clusterrolebindings"]);
    }

    fn bad_day() -> Scene {
        (0..25).fold(Scene::cluster(), |scene, n| {
            scene.deployment(&format!("a{n}"), 1, json!({"containers": [{"name": "c"}]}))
        })
    }

    #[test]
    fn results_hold_every_finding() {
        let result = bad_day().check("CO-01");
        assert_eq!(result.evidence.iter().filter(|e| e.status == Status::Fail).count(), 25);
    }

    #[test]
    fn exceptions_hold_for_their_objects_and_are_told() {
        let config = |object: &str| {
            let text = format!(
                "exceptions: [{{check: CO-01, object: '{object}', reason: legacy, expires: 2026-12-31}}]"
            );
            Config::parse("c", &text, jiff::civil::Date::constant(2026, 11, 24)).expect("good")
        };
        let with = |object: &str| {
            let selection = Selection { config: config(object), ..Selection::default() };
            run(&bad_day().build(), &selection).get("CO-01").cloned().expect("there")
        };
        with("Deployment shop/*").ends(Status::Skip, &["excepted until 2026-12-31: legacy"]);
        with("Deployment shop/a1").ends(Status::Fail, &["excepted until 2026-12-31", "Deployment shop/a24"]);
    }

    #[test]
    fn the_selection_leaves_out_what_was_not_asked_for() {
        let ids = |selection: Selection| {
            run(&Scene::cluster().build(), &selection).checks.into_iter().map(|c| c.id).collect::<Vec<_>>()
        };
        let area = Selection { areas: vec![Area::ControlPlane], ..Selection::default() };
        assert_eq!(ids(area), ["CP-01", "CP-02", "CP-03", "CP-04"]);
        let ignoring = Selection { ignore: vec!["CO-01".into()], ..Selection::default() };
        assert!(!ids(ignoring).contains(&"CO-01".to_string()));
        let critical = Selection { min_severity: Some(Severity::Critical), ..Selection::default() };
        let critical = ids(critical);
        assert!(critical.contains(&"ID-01".to_string()) && !critical.contains(&"CO-01".to_string()));
        assert_eq!(results(&[]).checks.len(), 0);
    }
}
