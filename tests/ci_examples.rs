//! The hook for pre-commit and the example workflow do what they promise. Needs a shell, and neither cluster nor network.

mod support;

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use support::text;

const GOOD: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
const BAD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}\n";
const TEMPLATE: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: \"{{ .Release.Name }}\"}\n";

fn yaml(path: &str) -> Value {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is there");
    serde_yaml::from_str(&text).expect("YAML")
}

/// A repository with these files.
fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    dir
}

/// Runs a script in it, with `loopdrill` on the PATH.
fn shell(dir: &Path, script: &str) -> Output {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_loopdrill"));
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", binary.parent().expect("a folder").display()))
        .env("GITHUB_OUTPUT", dir.join("outputs"))
        .output()
        .expect("bash runs")
}

#[test]
fn the_hook_judges_what_a_commit_changes() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hook = &hooks[0];
    assert_eq!((&hook["id"], &hook["language"]), (&Value::from("loopdrill-check"), &Value::from("system")));
    let dir = repository(&[
        ("good.yaml", GOOD),
        ("bad.yaml", BAD),
        ("ci.yml", "on: push\njobs: {}\n"),
        ("x.yaml", "a: [1\n  kind: Pod\n"),
    ]);
    let run = |files: &str| {
        shell(dir.path(), &format!("{} {files}", hook["entry"].as_str().expect("a command"))).status.code()
    };
    assert_eq!(run("good.yaml ci.yml"), Some(0), "what is no manifest stops no commit");
    assert_eq!(run("ci.yml"), Some(0));
    assert_eq!(run("good.yaml bad.yaml"), Some(1));
}

#[test]
fn the_workflow_writes_notes_and_a_report_and_keeps_the_verdict() {
    let workflow = yaml("examples/github-actions/manifests.yaml");
    let steps = workflow["jobs"]["check"]["steps"].as_array().expect("steps");
    let script = |name: &str| {
        let step = steps.iter().find(|s| s["name"] == name).expect("the step");
        step["run"].as_str().expect("a script").to_string()
    };
    let upload = steps.iter().find(|s| s["with"]["sarif_file"].is_string()).expect("an upload");
    // What was not judged at all is no finding, and not ready either.
    for (manifest, code, found) in [(GOOD, 0, false), (BAD, 1, true), (TEMPLATE, 1, false)] {
        let dir = repository(&[("deploy/a.yaml", manifest)]);
        let notes = shell(dir.path(), &script("Notes at the lines"));
        assert_eq!(notes.status.code(), Some(0), "{}", text(&notes.stderr));
        assert_eq!(
            text(&notes.stdout).contains("::error file=deploy/a.yaml,"),
            found,
            "{}",
            text(&notes.stdout)
        );
        assert_eq!(shell(dir.path(), &script("Report for code scanning")).status.code(), Some(0));
        let file = dir.path().join(upload["with"]["sarif_file"].as_str().expect("a file"));
        let log: Value = serde_json::from_slice(&fs::read(file).expect("it was written")).expect("JSON");
        let results = log["runs"][0]["results"].as_array().expect("results");
        assert_eq!(!results.is_empty(), found);
        for result in results {
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], "deploy/a.yaml", "{result:#}");
            assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string(), "{result:#}");
        }
        let outputs = fs::read_to_string(dir.path().join("outputs")).expect("outputs");
        assert_eq!(outputs.trim(), format!("code={code}"));
        let verdict = script("The verdict").replace("${{ steps.sarif.outputs.code }}", &code.to_string());
        assert_eq!(shell(dir.path(), &verdict).status.code(), Some(code));
    }
}
