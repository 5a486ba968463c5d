//! From a snapshot to results: what is missing skips, what was unreadable cannot pass, exceptions hold until they
//! expire.

use crate::{
    check::{Area, Check, CheckResult, Evidence, Finding, Level, Results, Severity, Status, Verdict},
    checks,
    config::Config,
    snapshot::Snapshot,
};

/// More pieces of evidence than these are counted.
const MOST_EVIDENCE: usize = 20;

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
    let chosen = checks::all().filter(|c| selection.has(c));
    Results { checks: chosen.map(|c| result(c, snapshot, &selection.config)).collect() }
}

fn result(check: &Check, snapshot: &Snapshot, config: &Config) -> CheckResult {
    let (status, evidence) = match out_of_sight(check, snapshot) {
        Some(why) => (Status::Skip, vec![about_all(why)]),
        None => judge(check, snapshot, config),
    };
    CheckResult {
        blind: out_of_sight(check, snapshot).is_some(),
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

fn judge(check: &Check, snapshot: &Snapshot, config: &Config) -> (Status, Vec<Evidence>) {
    let (findings, at) = match (check.judge)(snapshot) {
        Verdict::Skip(why) => return (Status::Skip, vec![about_all(why)]),
        Verdict::Looked { findings, at } => (findings, at),
    };
    let (excepted, mut findings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|f| config.excepts(check.id, &f.object, snapshot.taken_at));
    findings.extend(check.needs.iter().filter_map(|input| {
        let lost = snapshot.unreadable(*input);
        (lost > 0).then(|| {
            Finding::warn("", format!("{lost} of {input} could not be understood and were not judged"))
        })
    }));
    // Stable: what is wrong first, else in the check's own order of importance.
    findings.sort_by_key(|f| std::cmp::Reverse(f.level));
    let status = match findings.first().map(|f| f.level) {
        Some(Level::Fail) => Status::Fail,
        Some(Level::Warn) => Status::Warn,
        None if excepted.iter().any(|f| f.level == Level::Fail) => Status::Skip,
        None => Status::Pass,
    };
    let mut evidence = counted(findings);
    if !excepted.is_empty() {
        evidence.extend(excepted.iter().take(MOST_EVIDENCE).filter_map(|f| {
            let exception = config.exception(check.id, &f.object, snapshot.taken_at)?;
            Some(Evidence {
                object: f.object.clone(),
                value: format!("excepted until {}: {}", exception.expires, exception.reason),
                file: f.file.clone(),
            })
        }));
    } else if status == Status::Pass {
        evidence.push(about_all(format!("looked at {at}")));
    }
    (status, evidence)
}

fn about_all(value: String) -> Evidence {
    Evidence { object: String::new(), value, file: None }
}

fn counted(findings: Vec<Finding>) -> Vec<Evidence> {
    let more = findings.len().saturating_sub(MOST_EVIDENCE);
    let total = findings.len();
    let as_evidence = |f: Finding| Evidence { object: f.object, value: f.value, file: f.file };
    let mut evidence: Vec<_> = findings.into_iter().take(MOST_EVIDENCE).map(as_evidence).collect();
    if more > 0 {
        evidence.push(about_all(format!("and {more} more, {total} in all")));
    }
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Availability, Input};
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
        assert_eq!((all.checks.len(), all.count(Status::Skip)), (30, 30));
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
    fn long_lists_are_counted() {
        let result = bad_day().check("CO-01");
        assert_eq!(result.evidence.len(), MOST_EVIDENCE + 1);
        assert_eq!(result.evidence.last().map(|e| e.value.as_str()), Some("and 5 more, 25 in all"));
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
        with("Deployment shop/a1").ends(Status::Fail, &["excepted until 2026-12-31", "24 in all"]);
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
        assert_eq!(ids(critical), ["ID-01", "ID-03", "NE-03", "NE-04", "CP-04"]);
        assert_eq!(results(&[]).checks.len(), 0);
    }
}
