//! `promtool` accepts the pack, and its unit tests pass. Needs promtool: on PATH, named by PROMTOOL, or in the
//! monitoring bundle of this machine.

use loopdrill_rules::{Pack, SIGNATURES};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where promtool is; a missing one is a failure where nothing may be skipped.
fn promtool() -> Option<PathBuf> {
    let named = env::var_os("PROMTOOL").map(PathBuf::from);
    let cache = env::var_os("LOOPDRILL_CACHE").map(PathBuf::from).or_else(|| {
        let home = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        Some(home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?.join("loopdrill"))
    });
    let bundles = cache.and_then(|c| fs::read_dir(c.join("monitoring")).ok()).into_iter().flatten().flatten();
    let candidates =
        named.into_iter().chain(["promtool".into()]).chain(bundles.map(|b| b.path().join("promtool")));
    let works = |p: &PathBuf| Command::new(p).arg("--version").output().is_ok_and(|o| o.status.success());
    let found = candidates.into_iter().find(works);
    let required = env::var_os("LOOPDRILL_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0");
    assert!(found.is_some() || !required, "promtool is missing, and LOOPDRILL_REQUIRE is set");
    if found.is_none() {
        eprintln!("skipped: promtool is missing; Debian's package `prometheus` has it");
    }
    found
}

fn run(promtool: &Path, arguments: &[&str], dir: &Path) {
    let output = Command::new(promtool).args(arguments).current_dir(dir).output().expect("it was there");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn promtool_accepts_the_pack_and_its_tests_pass() {
    let Some(promtool) = promtool() else { return };
    for pack in [Pack::default(), Pack { window: 15, interval: 1 }] {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("rules.yaml"), pack.rules()).expect("written");
        fs::write(dir.path().join("tests.yaml"), pack.tests("rules.yaml")).expect("written");
        run(&promtool, &["check", "rules", "rules.yaml"], dir.path());
        run(&promtool, &["test", "rules", "tests.yaml"], dir.path());
    }
}

#[test]
fn a_broken_pack_is_noticed() {
    let Some(promtool) = promtool() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let broken = Pack::default().rules().replace("0 * sum by", "7 * sum by").replace("> 0.1", "> 9");
    fs::write(dir.path().join("rules.yaml"), broken).expect("written");
    fs::write(dir.path().join("tests.yaml"), Pack::default().tests("rules.yaml")).expect("written");
    let output =
        Command::new(promtool).args(["test", "rules", "tests.yaml"]).current_dir(dir.path()).output();
    assert!(!output.expect("it was there").status.success());
}

/// The panels of the dashboard that ask for something: title, query and threshold.
fn queries(pack: &Pack) -> Vec<(String, String, Option<f64>)> {
    let dashboard: Value = serde_json::from_str(&pack.grafana()).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let asking = panels.filter(|panel| panel.get("targets").is_some());
    asking
        .map(|panel| {
            let text = |of: &Value| of.as_str().expect("text").to_owned();
            let line = panel.pointer("/fieldConfig/defaults/custom/thresholdsStyle").is_some();
            let at = panel.pointer("/fieldConfig/defaults/thresholds/steps/1/value").and_then(Value::as_f64);
            (text(&panel["title"]), text(&panel["targets"][0]["expr"]), at.filter(|_| line))
        })
        .collect()
}

/// Prometheus takes every query of the dashboard. Where a panel shows a series and a threshold, the series has crossed it
/// whenever the alert fires: tried on the series under which it does.
#[test]
fn promtool_accepts_the_dashboards_queries_and_a_firing_alert_is_past_its_line() {
    let Some(promtool) = promtool() else { return };
    let pack = Pack::default();
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, content: &Value| {
        fs::write(dir.path().join(name), content.to_string()).expect("written");
    };
    let queries = queries(&pack);
    let asked = queries.iter().enumerate();
    let records = asked.map(|(i, (_, expr, _))| json!({ "record": format!("dashboard:{i}"), "expr": expr }));
    write(
        "queries.yaml",
        &json!({ "groups": [{ "name": "dashboard", "rules": records.collect::<Vec<_>>() }] }),
    );
    run(&promtool, &["check", "rules", "queries.yaml"], dir.path());
    fs::write(dir.path().join("rules.yaml"), pack.rules()).expect("written");
    let lines = queries.iter().filter_map(|(title, series, at)| Some((title, series, (*at)?)));
    let tests: Vec<_> = lines.map(|(title, series, at)| crossed(&pack, title, series, at)).collect();
    assert!(tests.len() >= 6, "{} lines", tests.len());
    write(
        "crossed.yaml",
        &json!({ "rule_files": ["rules.yaml"], "evaluation_interval": "5s", "tests": tests }),
    );
    run(&promtool, &["test", "rules", "crossed.yaml"], dir.path());
}

/// A test for promtool: no series for which the alert fires is on this side of its panel's line.
fn crossed(pack: &Pack, alert: &str, series: &str, at: f64) -> Value {
    let rules: Value = pack.groups()[0]["rules"].take();
    let rule =
        rules.as_array().expect("rules").iter().find(|rule| rule["alert"] == *alert).expect("the rule");
    let whole = rule["expr"].as_str().expect("an expression");
    let comparison = whole[series.len()..].split_whitespace().next().expect("it goes on");
    let signature = SIGNATURES.iter().find(|s| s.alert == alert).expect("in the table");
    let input = signature.example.series.iter();
    let input =
        input.map(|(s, v)| json!({ "series": s, "values": v.replace("$N", "36") })).collect::<Vec<_>>();
    let firing = format!("count(({whole}) and (({series}) {comparison} {at})) > bool 0");
    json!({
        "name": alert, "interval": "5s", "input_series": input,
        "promql_expr_test": [
            { "expr": firing, "eval_time": "120s", "exp_samples": [{ "labels": "{}", "value": 1 }] },
            { "expr": format!("({whole}) unless (({series}) {comparison} {at})"), "eval_time": "120s" },
        ],
    })
}
