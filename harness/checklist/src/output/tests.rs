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
    validate(SCHEMA, &json(&results, &snapshot).expect("JSON")).expect("valid");
    let mut wrong: Value = serde_json::from_str(&json(&results, &snapshot).expect("JSON")).expect("json");
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
    results
        .checks
        .iter_mut()
        .for_each(|c| c.evidence.push(crate::Evidence::about_all(Status::Pass, "x".into())));
    validate(SCHEMA, &json(&results, &Scene::cluster().build()).expect("JSON")).expect("valid");
    let manifests = crate::Manifests::new(loopdrill_model::Timestamp::UNIX_EPOCH, vec![]).finish().snapshot;
    assert!(
        !json(&results, &manifests).expect("JSON").contains("maturity"),
        "manifests have no place on the ladder"
    );
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
    let (results, snapshot) = mixed();
    let schema = published_schema();
    validate(&schema, &sarif(&results, &snapshot).expect("SARIF")).expect("valid");
    let mut wrong: Value = serde_json::from_str(&sarif(&results, &snapshot).expect("SARIF")).expect("json");
    wrong["runs"][0]["results"][0]["level"] = json!("perhaps");
    assert!(validate(&schema, &wrong.to_string()).is_err(), "the schema must be able to say no");
}

#[test]
fn sarif_points_at_files_and_objects() {
    let (results, snapshot) = mixed();
    let log: serde_sarif::sarif::Sarif =
        serde_json::from_str(&sarif(&results, &snapshot).expect("SARIF")).expect("SARIF");
    let found = log.runs[0].results.as_ref().expect("results");
    let fail = found.iter().find(|r| r.rule_id.as_deref() == Some("CO-01")).expect("it fails");
    let location = &fail.locations.as_ref().expect("a place")[0];
    let file = location
        .physical_location
        .as_ref()
        .and_then(|p| p.artifact_location.as_ref())
        .and_then(|a| a.uri.clone());
    assert_eq!(file.as_deref(), Some("deploy/my%20app.yaml"));
    assert_eq!(log.runs[0].tool.driver.rules.as_ref().map(Vec::len), Some(results.checks.len()));
}

#[test]
fn junit_counts_as_the_results_do() {
    let (results, _) = mixed();
    let xml = junit(&results).expect("JUnit");
    assert_eq!(xml.matches("<testcase").count(), results.checks.len());
    assert_eq!(xml.matches("<failure").count(), results.count(Status::Fail));
    assert_eq!(xml.matches("<skipped").count(), results.count(Status::Skip));
    assert!(xml.contains("a|b&lt;c&gt;"), "text is escaped");
}

#[test]
fn people_see_the_worst_and_the_next_steps() {
    let (results, snapshot) = mixed();
    let table = table(&results, &snapshot, Page::default());
    assert!(table.contains("FAIL  CO-01  compute") && table.contains("maturity: Reactive\n  1. "), "{table}");
    let markdown = markdown(&results, &snapshot);
    assert!(markdown.contains("## CO-01") && markdown.contains("a\\|b&lt;c>"), "{markdown}");
}

#[test]
fn explanations_have_the_remedy() {
    let text = explain(crate::checks::by_id("st-01").expect("whatever its case"));
    assert!(text.starts_with("ST-01") && text.contains("volumeBindingMode: WaitForFirstConsumer"), "{text}");
    assert_eq!(list().lines().count(), crate::checks::all().count());
}

/// Manifests with findings of every kind: at an object, at a namespace, at nothing in particular.
fn manifests() -> (Results, crate::Snapshot) {
    let mut snapshot = Scene::manifests()
        .service("a")
        .deployment("a", 2, json!({"containers": [{"name": "x"}, {"name": "x"}]}))
        .build();
    let source = crate::snapshot::Source {
        file: "./deploy/my app.yaml".into(),
        lines: Some(crate::snapshot::Lines { first: 3, last: 17 }),
    };
    snapshot.sources.insert("Deployment shop/a".into(), vec![source]);
    let results = run(&snapshot, &Selection::default());
    assert!(results.findings().any(|(_, e)| e.object.starts_with("Namespace")));
    (results, snapshot)
}

#[test]
fn github_takes_what_is_found_in_manifests_and_in_clusters() {
    for (results, snapshot) in [mixed(), manifests()] {
        let text = sarif(&results, &snapshot).expect("SARIF");
        assert_eq!(github_rules::violations(&text), Vec::<String>::new());
        let log: Value = serde_json::from_str(&text).expect("json");
        let found = log["runs"][0]["results"].as_array().expect("results");
        assert_eq!(found.len(), results.findings().count());
    }
}

#[test]
fn github_refuses_what_this_was_before_and_what_is_broken_on_purpose() {
    let old = github_rules::violations(include_str!("old.sarif.json"));
    for words in ["expected at least one location", "partialFingerprints is missing", "a result of kind"] {
        assert!(old.iter().any(|v| v.contains(words)), "{words}: {old:#?}");
    }
    let (results, snapshot) = manifests();
    let good: Value = serde_json::from_str(&sarif(&results, &snapshot).expect("SARIF")).expect("json");
    let at = |path: &str| format!("/runs/0/{path}");
    for (path, wrong, words) in [
        ("results/0/locations", json!([]), "at least one location"),
        ("results/0/message/text", json!(" "), "message.text is missing"),
        ("results/0/ruleId", json!("XX-01"), "is no rule"),
        ("results/0/level", json!("fatal"), "is no level"),
        ("results/0/locations/0/physicalLocation/artifactLocation/uri", json!("/etc/x"), "is not relative"),
        ("results/0/locations/0/physicalLocation/region/startLine", json!(0), "startLine is missing or 0"),
        ("results/0/locations/0/physicalLocation/region/startLine", json!(9999), "ends before it starts"),
        ("tool/driver/name", json!(""), "driver.name is missing"),
        (
            "tool/driver/rules/1/id",
            good["runs"][0]["tool"]["driver"]["rules"][0]["id"].clone(),
            "is there twice",
        ),
        ("tool/driver/rules/0/fullDescription/text", json!("x".repeat(1025)), "longer than 1024"),
        ("tool/driver/rules/0/help", json!({}), "help.text is missing"),
        ("tool/driver/rules/0/properties/tags", json!(vec!["x"; 21]), "more than 20 tags"),
    ] {
        let mut log = good.clone();
        *log.pointer_mut(&at(path)).expect(path) = wrong;
        let found = github_rules::violations(&log.to_string());
        assert!(found.iter().any(|v| v.contains(words)), "{path}: {found:#?}");
    }
    for (name, wrong) in
        [("version", json!("2.0.0")), ("$schema", json!("")), ("runs", json!(vec![json!({}); 21]))]
    {
        let mut log = good.clone();
        log[name] = wrong;
        assert!(!github_rules::violations(&log.to_string()).is_empty(), "{name}");
    }
    let mut many = good.clone();
    many["runs"][0]["results"] = json!(vec![good["runs"][0]["results"][0].clone(); 25_001]);
    assert!(
        github_rules::violations(&many.to_string())
            .contains(&"there are more than 25,000 results".to_string())
    );
}

#[test]
fn a_finding_is_the_same_one_when_its_object_moves() {
    let prints = |(results, snapshot): &(Results, crate::Snapshot)| {
        let log: Value = serde_json::from_str(&sarif(results, snapshot).expect("SARIF")).expect("json");
        let found = log["runs"][0]["results"].as_array().expect("results").clone();
        let of = |r: &Value| {
            r["partialFingerprints"]["primaryLocationLineHash"].as_str().expect("a text").to_string()
        };
        found.iter().map(of).collect::<Vec<_>>()
    };
    let mut moved = manifests();
    let before = prints(&moved);
    let different: std::collections::BTreeSet<_> = before.iter().collect();
    assert_eq!(different.len(), before.len(), "no two are the same, not even of containers with one name");
    for source in moved.1.sources.values_mut().flatten() {
        source.lines = Some(crate::snapshot::Lines { first: 100, last: 120 });
    }
    moved.0 = run(&moved.1, &Selection::default());
    assert_eq!(prints(&moved), before);
}

#[test]
fn findings_are_at_the_lines_of_their_object() {
    let (results, snapshot) = manifests();
    let log: Value = serde_json::from_str(&sarif(&results, &snapshot).expect("SARIF")).expect("json");
    let found = log["runs"][0]["results"].as_array().expect("results");
    let of =
        |id: &str| &found.iter().find(|r| r["ruleId"] == id).expect(id)["locations"][0]["physicalLocation"];
    assert_eq!(of("CO-01")["artifactLocation"]["uri"], "deploy/my%20app.yaml");
    assert_eq!(
        (&of("CO-01")["region"]["startLine"], &of("CO-01")["region"]["endLine"]),
        (&json!(3), &json!(17))
    );
    assert_eq!(
        of("NE-02")["artifactLocation"]["uri"],
        "deploy/my%20app.yaml",
        "a namespace has no file of its own"
    );
    let notes = github(&results);
    assert_eq!(notes.lines().count(), results.findings().count());
    let line = notes.lines().find(|l| l.contains("CO-01")).expect("a note");
    assert!(line.starts_with("::error file=./deploy/my app.yaml,line=3,endLine=17,title=CO-01 "), "{line}");
}

#[test]
fn machines_get_everything_and_people_a_page() {
    let many = (0..300).fold(Scene::manifests(), |scene, n| {
        scene.deployment(&format!("a{n}"), 1, json!({"containers": [{"name": "c"}]}))
    });
    let snapshot = many.build();
    let results = run(&snapshot, &Selection::default());
    let document: Value = serde_json::from_str(&json(&results, &snapshot).expect("JSON")).expect("json");
    let of =
        document["checks"].as_array().expect("checks").iter().find(|c| c["id"] == "CO-01").expect("there");
    assert_eq!(of["evidence"].as_array().map(Vec::len), Some(300));
    assert_eq!(sarif(&results, &snapshot).expect("SARIF").matches("\"ruleId\": \"CO-01\"").count(), 300);
    for text in [table(&results, &snapshot, Page::default()), by_object(&results, &snapshot, Page::default())]
    {
        let long: Vec<_> =
            text.lines().filter(|l| l.chars().count() > 80 && !l.starts_with("    ")).collect();
        assert_eq!(long, Vec::<&str>::new());
        assert!(!text.contains('\u{1b}'), "colours are for terminals");
        assert_eq!(text.matches("manifests cannot answer this").count(), 1, "{text}");
    }
    let coloured = table(&results, &snapshot, Page { colours: true, ..Page::default() });
    assert!(coloured.contains("\u{1b}[31mFAIL"), "{coloured}");
}

#[test]
fn an_object_is_shown_with_all_its_findings_and_a_patch() {
    let (results, snapshot) = manifests();
    let text = by_object(&results, &snapshot, Page::default());
    let of = text.split("\n\n").find(|part| part.starts_with("Deployment shop/a ")).expect("the object");
    assert!(of.starts_with("Deployment shop/a (./deploy/my app.yaml:3)\n  FAIL  "), "{of}");
    for words in [
        "FAIL  CO-01  high",
        "warn  CO-04  high",
        "kind: PodDisruptionBudget",
        "name: a\n      namespace: shop",
    ] {
        assert!(of.contains(words), "{words:?} is not in {of}");
    }
    assert!(!text.contains("NAMESPACE") && !text.contains("APP"), "{text}");
}
