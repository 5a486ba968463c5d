use super::*;
use crate::{
    check::Status,
    run::{Selection, run},
    testing::{Scene, results},
};
use serde_json::{Value, json};
use std::process::Command;

fn mixed() -> (Results, crate::Snapshot) {
    let pod = json!({"containers": [{"name": "a|b<c>"}]});
    let mut snapshot = Scene::cluster().service("a").deployment("a", 2, pod).build();
    snapshot.workloads[0].file = Some("deploy/my app.yaml".into());
    let results = run(&snapshot, &Selection::default());
    for status in [Status::Pass, Status::Fail, Status::Skip] {
        assert!(results.count(status) > 0, "the sample has no {status}");
    }
    (results, snapshot)
}

fn validate(schema: &str, instance: &str) -> Result<(), String> {
    let schema: Value = serde_json::from_str(schema).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let instance: Value = serde_json::from_str(instance).expect("json");
    validator.validate(&instance).map_err(|e| e.to_string())
}

#[test]
fn json_is_as_its_schema_says() {
    let (results, snapshot) = mixed();
    validate(SCHEMA, &json(&results, &snapshot)).expect("valid");
    let mut wrong: Value = serde_json::from_str(&json(&results, &snapshot)).expect("json");
    assert_eq!(wrong["maturity"]["stage"], "reactive");
    assert_eq!(wrong["maturity"]["next"].as_array().map(Vec::len), Some(3));
    wrong["checks"][0]["status"] = json!("perhaps");
    assert!(validate(SCHEMA, &wrong.to_string()).is_err(), "the schema must be able to say no");
    let keys: Vec<_> = wrong["checks"][0].as_object().expect("a map").keys().cloned().collect();
    assert_eq!(keys, ["evidence", "id", "loop", "predicts", "remedy", "severity", "status", "title"]);
}

#[test]
fn the_schema_knows_every_check() {
    let all: Vec<_> = crate::checks::all().map(|c| (c.id, Status::Pass)).collect();
    let mut results = results(&all);
    results.checks.iter_mut().for_each(|c| {
        c.evidence.push(crate::Evidence { object: String::new(), value: "x".into(), file: None })
    });
    validate(SCHEMA, &json(&results, &Scene::cluster().build())).expect("valid");
    let manifests = crate::Manifests::new(loopdrill_model::Timestamp::UNIX_EPOCH, vec![]).finish().0;
    assert!(!json(&results, &manifests).contains("maturity"), "manifests have no place on the ladder");
}

/// The schema that OASIS publishes, as the crate that is generated from it ships it.
fn published_schema() -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
            "--manifest-path",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|p| p["name"] == "serde-sarif").expect("a development dependency");
    let manifest = std::path::Path::new(package["manifest_path"].as_str().expect("a path"));
    let text =
        std::fs::read_to_string(manifest.with_file_name("src").join("schema.json")).expect("the schema");
    let mut schema: Value = serde_json::from_str(&text).expect("json");
    // Its patterns for languages have a bracket too many, at which a strict validator stops.
    for part in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][part]["properties"]["language"];
        language.as_object_mut().expect("as published").remove("pattern");
    }
    schema.to_string()
}

#[test]
fn sarif_is_valid_by_the_published_schema() {
    let (results, _) = mixed();
    let schema = published_schema();
    validate(&schema, &sarif(&results)).expect("valid");
    let mut wrong: Value = serde_json::from_str(&sarif(&results)).expect("json");
    wrong["runs"][0]["results"][0]["kind"] = json!("perhaps");
    assert!(validate(&schema, &wrong.to_string()).is_err(), "the schema must be able to say no");
}

#[test]
fn sarif_points_at_files_and_objects() {
    let (results, _) = mixed();
    let log: serde_sarif::sarif::Sarif = serde_json::from_str(&sarif(&results)).expect("SARIF");
    let found = log.runs[0].results.as_ref().expect("results");
    let fail = found.iter().find(|r| r.rule_id.as_deref() == Some("CO-01")).expect("it fails");
    let location = &fail.locations.as_ref().expect("a place")[0];
    let file = location
        .physical_location
        .as_ref()
        .and_then(|p| p.artifact_location.as_ref())
        .and_then(|a| a.uri.clone());
    assert_eq!(file.as_deref(), Some("deploy/my%20app.yaml"));
    assert_eq!(log.runs[0].tool.driver.rules.as_ref().map(Vec::len), Some(30));
}

#[test]
fn junit_counts_as_the_results_do() {
    let (results, _) = mixed();
    let xml = junit(&results);
    assert_eq!(xml.matches("<testcase").count(), 30);
    assert_eq!(xml.matches("<failure").count(), results.count(Status::Fail));
    assert_eq!(xml.matches("<skipped").count(), results.count(Status::Skip));
    assert!(xml.contains("a|b&lt;c&gt;"), "text is escaped");
}

#[test]
fn people_see_the_worst_and_the_next_steps() {
    let (results, snapshot) = mixed();
    let table = table(&results, &snapshot);
    assert!(table.contains("FAIL  CO-01  compute") && table.contains("maturity: Reactive\n  1. "), "{table}");
    let markdown = markdown(&results, &snapshot);
    assert!(markdown.contains("## CO-01") && markdown.contains("a\\|b&lt;c>"), "{markdown}");
}

#[test]
fn explanations_have_the_remedy() {
    let text = explain(crate::checks::by_id("st-01").expect("whatever its case"));
    assert!(text.starts_with("ST-01") && text.contains("volumeBindingMode: WaitForFirstConsumer"), "{text}");
    assert_eq!(list().lines().count(), 30);
}
