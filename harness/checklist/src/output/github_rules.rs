//! GitHub's rules for SARIF that is uploaded to code scanning, as a checker. From its documentation:
//!
//! - <https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support>: which properties are
//!   required, and how long texts may be;
//! - <https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/troubleshoot-sarif-uploads/results-exceed-limit>:
//!   how many there may be of what;
//! - <https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/troubleshoot-sarif-uploads/file-too-large>:
//!   the size of the compressed file.

use serde_json::Value;
use std::{collections::BTreeSet, io::Write as _};

const MOST_RUNS: usize = 20;
const MOST_RULES: usize = 25_000;
const MOST_RESULTS: usize = 25_000;
const MOST_EXTENSIONS: usize = 100;
const MOST_LOCATIONS: usize = 1_000;
const MOST_TAGS: usize = 20;
const MOST_CHARACTERS: usize = 1_024;
const MOST_NAME: usize = 255;
const MOST_BYTES: usize = 10_000_000;
const LEVELS: [&str; 4] = ["none", "note", "warning", "error"];

/// What GitHub would refuse, or show wrongly, in a SARIF file.
pub(super) fn violations(text: &str) -> Vec<String> {
    let Ok(log) = serde_json::from_str::<Value>(text) else { return vec!["it is not JSON".into()] };
    let mut rules = Rules::default();
    rules.log(&log);
    rules.must(compressed(text) <= MOST_BYTES, "the compressed file is larger than 10 MB");
    rules.0
}

fn compressed(text: &str) -> usize {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).expect("memory takes it");
    gzip.finish().expect("memory takes it").len()
}

#[derive(Default)]
struct Rules(Vec<String>);

impl Rules {
    fn must(&mut self, holds: bool, otherwise: impl Into<String>) {
        if !holds {
            self.0.push(otherwise.into());
        }
    }

    fn text(&mut self, value: &Value, what: &str, most: usize) {
        let length = value.as_str().map_or(0, |t| t.trim().chars().count());
        self.must(length > 0, format!("{what} is missing or empty"));
        self.must(length <= most, format!("{what} is longer than {most} characters"));
    }

    fn log(&mut self, log: &Value) {
        self.text(&log["$schema"], "$schema", usize::MAX);
        self.must(log["version"] == "2.1.0", "version is not 2.1.0");
        let runs = list(&log["runs"]);
        self.must((1..=MOST_RUNS).contains(&runs.len()), "there is no run, or more than 20");
        runs.iter().for_each(|run| self.run(run));
    }

    fn run(&mut self, run: &Value) {
        let driver = &run["tool"]["driver"];
        self.text(&driver["name"], "tool.driver.name", usize::MAX);
        let (rules, results) = (list(&driver["rules"]), list(&run["results"]));
        self.must(run["results"].is_array(), "results is missing");
        self.must(rules.len() <= MOST_RULES, "there are more than 25,000 rules");
        self.must(results.len() <= MOST_RESULTS, "there are more than 25,000 results");
        self.must(
            list(&run["tool"]["extensions"]).len() <= MOST_EXTENSIONS,
            "there are more than 100 extensions",
        );
        let mut ids = BTreeSet::new();
        for rule in rules {
            self.rule(rule);
            let id = rule["id"].as_str().unwrap_or_default();
            self.must(ids.insert(id), format!("rule {id} is there twice"));
        }
        results.iter().for_each(|result| self.result(result, rules, &ids));
    }

    fn rule(&mut self, rule: &Value) {
        let id = rule["id"].as_str().unwrap_or_default();
        self.text(&rule["id"], "a rule's id", usize::MAX);
        for (part, most) in [
            ("shortDescription", MOST_CHARACTERS),
            ("fullDescription", MOST_CHARACTERS),
            ("help", usize::MAX),
        ] {
            self.text(&rule[part]["text"], &format!("{id}: {part}.text"), most);
        }
        self.must(
            rule["name"].as_str().is_none_or(|n| n.len() <= MOST_NAME),
            format!("{id}: name is too long"),
        );
        self.must(list(&rule["properties"]["tags"]).len() <= MOST_TAGS, format!("{id}: more than 20 tags"));
        self.level(&rule["defaultConfiguration"]["level"], id);
    }

    fn level(&mut self, level: &Value, of: &str) {
        let known = level.is_null() || level.as_str().is_some_and(|l| LEVELS.contains(&l));
        self.must(known, format!("{of}: {level} is no level"));
    }

    fn result(&mut self, result: &Value, rules: &[Value], ids: &BTreeSet<&str>) {
        let id = result["ruleId"].as_str().unwrap_or_default();
        self.must(ids.contains(id), format!("{id:?} is no rule"));
        if let Some(index) = result["ruleIndex"].as_u64() {
            let there = usize::try_from(index).ok().and_then(|at| rules.get(at));
            self.must(there.is_some_and(|r| r["id"] == id), format!("{id}: ruleIndex is another rule"));
        }
        self.level(&result["level"], id);
        // Only what is wrong becomes an alert: a pass must not be a result.
        let kind = &result["kind"];
        self.must(kind.is_null() || kind == "fail", format!("{id}: a result of kind {kind}"));
        self.text(&result["message"]["text"], &format!("{id}: message.text"), usize::MAX);
        let locations = list(&result["locations"]);
        self.must(
            (1..=MOST_LOCATIONS).contains(&locations.len()),
            format!("{id}: expected at least one location, and at most 1,000"),
        );
        locations.iter().for_each(|location| self.location(location, id));
        let prints = result["partialFingerprints"].as_object();
        let all_texts = prints.is_some_and(|all| !all.is_empty() && all.values().all(Value::is_string));
        self.must(all_texts, format!("{id}: partialFingerprints is missing"));
    }

    fn location(&mut self, location: &Value, id: &str) {
        let place = &location["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap_or_default();
        self.must(!uri.is_empty(), format!("{id}: a location has no artifactLocation.uri"));
        self.must(!uri.starts_with('/') && !uri.contains(':'), format!("{id}: {uri} is not relative"));
        self.must(!uri.contains(' ') && !uri.contains('\\'), format!("{id}: {uri} is no URI"));
        let of = |name: &str| place["region"][name].as_u64().unwrap_or(0);
        for name in ["startLine", "startColumn", "endLine", "endColumn"] {
            self.must(of(name) >= 1, format!("{id}: region.{name} is missing or 0"));
        }
        self.must(of("endLine") >= of("startLine"), format!("{id}: it ends before it starts"));
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
