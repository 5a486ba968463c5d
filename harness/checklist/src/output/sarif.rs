//! SARIF 2.1.0, for code scanning: a check is a rule, and what it found are results at files or objects.

use crate::{
    check::{CheckResult, Evidence, Results, Severity, Status},
    checks,
};
use serde_json::{Value, json};

/// The results as SARIF.
#[must_use]
pub fn sarif(results: &Results) -> String {
    let rules: Vec<Value> = results.checks.iter().map(rule).collect();
    let found: Vec<Value> = results.checks.iter().enumerate().flat_map(|(at, c)| of_check(at, c)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "loopdrill",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": found,
        }],
    });
    serde_json::to_string_pretty(&log).unwrap_or_default()
}

fn rule(check: &CheckResult) -> Value {
    let why = checks::by_id(&check.id).map_or("", |c| c.why);
    json!({
        "id": check.id,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": why},
        "help": {"text": check.remedy},
        "defaultConfiguration": {"level": level(check)},
        "properties": {"tags": [check.area.name(), check.severity.name()], "predicts": check.predicts},
    })
}

fn level(check: &CheckResult) -> &'static str {
    match check.severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

fn of_check(index: usize, check: &CheckResult) -> Vec<Value> {
    let (kind, level) = match check.status {
        Status::Fail => ("fail", level(check)),
        Status::Warn => ("review", "none"),
        Status::Pass => ("pass", "none"),
        Status::Skip => ("notApplicable", "none"),
    };
    let one = |evidence: &Evidence| {
        let mut result = json!({
            "ruleId": check.id,
            "ruleIndex": index,
            "kind": kind,
            "level": level,
            "message": {"text": super::table::words(&Evidence { file: None, ..evidence.clone() })},
        });
        if let Some(location) = location(evidence) {
            result["locations"] = json!([location]);
        }
        result
    };
    check.evidence.iter().map(one).collect()
}

/// The file where there is one, and the object's name.
fn location(evidence: &Evidence) -> Option<Value> {
    let mut location = json!({});
    if let Some(file) = &evidence.file {
        location["physicalLocation"] =
            json!({"artifactLocation": {"uri": uri(file)}, "region": {"startLine": 1}});
    }
    if !evidence.object.is_empty() {
        location["logicalLocations"] = json!([{"fullyQualifiedName": evidence.object, "kind": "resource"}]);
    }
    location.as_object().is_some_and(|l| !l.is_empty()).then_some(location)
}

/// A path as a URI reference: everything that is not plain is escaped.
fn uri(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_' | b'~');
    path.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
