//! SARIF 2.1.0, for code scanning: a check is a rule, and each of its findings a result at the lines of its object. What
//! passes, or was not judged, is no result.
//!
//! It is made to GitHub's rules, which are stricter than the standard's; `github_rules.rs` beside this file has them with
//! their sources, and checks this by them.

use super::OutputError;
use crate::{
    check::{CheckResult, Evidence, Results, Severity, Status},
    checks,
    snapshot::Snapshot,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// The results as SARIF.
///
/// # Errors
/// [`OutputError`] when they cannot be serialised.
pub fn sarif(results: &Results, snapshot: &Snapshot) -> Result<String, OutputError> {
    let rules: Vec<Value> = results.checks.iter().map(rule).collect();
    let indexes: HashMap<&str, usize> = results.checks.iter().map(|c| c.id.as_str()).zip(0..).collect();
    let places = Places::of(snapshot);
    let mut seen = BTreeMap::new();
    let found: Vec<Value> = results
        .findings()
        .map(|(check, evidence)| {
            let mut result = finding(check, evidence, &places);
            result["ruleIndex"] = json!(indexes.get(check.id.as_str()));
            result["partialFingerprints"] = fingerprint(check, evidence, &mut seen);
            result
        })
        .collect();
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
    Ok(serde_json::to_string_pretty(&log)?)
}

fn rule(check: &CheckResult) -> Value {
    let why = checks::by_id(&check.id).map_or(check.title.as_str(), |c| c.why);
    let predicts = check.predicts.join(", ");
    json!({
        "id": check.id,
        "name": check.id,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": why},
        "help": {
            "text": format!("{why}\n\n{}", check.remedy),
            "markdown": format!("{why}\n\n```yaml\n{}\n```\n\nPredicts: {predicts}.", check.remedy.trim_end()),
        },
        "defaultConfiguration": {"level": level(check, Status::Fail)},
        "properties": {"tags": [check.area.name(), check.severity.name()], "predicts": check.predicts},
    })
}

fn level(check: &CheckResult, status: Status) -> &'static str {
    match (status, check.severity) {
        (Status::Fail, Severity::Critical | Severity::High) => "error",
        (Status::Fail, Severity::Medium) => "warning",
        _ => "note",
    }
}

fn finding(check: &CheckResult, evidence: &Evidence, places: &Places<'_>) -> Value {
    let text = match evidence.object.as_str() {
        "" => evidence.value.clone(),
        object => format!("{object}: {}", evidence.value),
    };
    let mut location = json!({"physicalLocation": places.of_evidence(evidence)});
    if !evidence.object.is_empty() {
        location["logicalLocations"] = json!([{"fullyQualifiedName": evidence.object, "kind": "resource"}]);
    }
    json!({
        "ruleId": check.id,
        "level": level(check, evidence.status),
        "message": {"text": text},
        "locations": [location],
    })
}

/// Where findings are shown that have no file of their own.
struct Places<'a> {
    /// The first file that was read.
    first: Option<&'a str>,
    /// The first file with objects of a namespace.
    of_namespace: HashMap<&'a str, &'a str>,
}

impl<'a> Places<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut places = Self { first: None, of_namespace: HashMap::new() };
        for (object, sources) in &snapshot.sources {
            let Some(source) = sources.first() else { continue };
            let file = source.file.as_str();
            places.first = Some(places.first.map_or(file, |known| known.min(file)));
            if let Some((namespace, _)) = object.split_once(' ').and_then(|(_, name)| name.split_once('/')) {
                let known = places.of_namespace.entry(namespace).or_insert(file);
                *known = (*known).min(file);
            }
        }
        places
    }

    /// The object's lines; else the top of a file that has to do with it; else, on a cluster, a path that names it.
    fn of_evidence(&self, evidence: &Evidence) -> Value {
        if let Some(file) = &evidence.file {
            let (first, last) = evidence.lines.map_or((1, 1), |l| (l.first, l.last));
            return physical(file, first, last);
        }
        let named =
            evidence.object.strip_prefix("Namespace ").and_then(|n| self.of_namespace.get(n).copied());
        match named.or(self.first) {
            Some(file) => physical(file, 1, 1),
            None => physical(&format!("cluster/{}", evidence.object.replace(' ', "/")), 1, 1),
        }
    }
}

/// From the start of the first line to behind the first character of the last.
fn physical(file: &str, first: u32, last: u32) -> Value {
    let first = first.max(1);
    let region = json!({
        "startLine": first,
        "startColumn": 1,
        "endLine": last.max(first),
        "endColumn": 2,
    });
    json!({"artifactLocation": {"uri": uri(file), "uriBaseId": "%SRCROOT%"}, "region": region})
}

/// What makes a finding the same one in the next run: its check, its object and what was seen there, and neither file
/// nor lines, which GitHub adds itself. Two that are alike are told apart by their number.
fn fingerprint(check: &CheckResult, evidence: &Evidence, seen: &mut BTreeMap<String, u32>) -> Value {
    let text = format!("{}\n{}\n{}", check.id, evidence.object, evidence.value);
    let hash: String = Sha256::digest(text.as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect();
    let number = seen.entry(hash.clone()).or_insert(0);
    *number += 1;
    json!({"primaryLocationLineHash": format!("{hash}:{number}")})
}

/// What stays as it is in a path of a URI.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// A path as a relative URI reference: no `./` before it, and no `/` either.
fn uri(path: &str) -> String {
    let path = path.trim_start_matches("./").trim_start_matches('/');
    utf8_percent_encode(if path.is_empty() { "cluster" } else { path }, PLAIN).to_string()
}
