//! The dashboard is what Grafana's own types take, read strictly by `ci/grafana`. Needs Go, which fetches those types as a
//! module, by digest.

use loopdrill_rules::Pack;
use serde_json::{Value, json};
use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What `ci/grafana` makes of a dashboard: nothing, or its complaints.
fn complaints(checker: &Path, dashboard: &str) -> String {
    let mut child = Command::new(checker)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was just built");
    child.stdin.take().expect("piped").write_all(dashboard.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), told.is_empty(), "{told}");
    told
}

/// The checker; that it cannot be built is a failure where nothing may be skipped.
fn checker() -> Option<PathBuf> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ci/grafana/build");
    let output = Command::new(build).output().expect("bash runs");
    let told = |text: &[u8]| String::from_utf8_lossy(text).trim().to_owned();
    if output.status.success() {
        return Some(told(&output.stdout).into());
    }
    let required = env::var_os("LOOPDRILL_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0");
    assert!(!required, "Grafana's types cannot be had: {}", told(&output.stderr));
    eprintln!("skipped: Grafana's types cannot be had: {}", told(&output.stderr));
    None
}

#[test]
fn grafanas_own_types_take_the_dashboard_and_nothing_misspelt_in_it() {
    let Some(checker) = checker() else { return };
    for pack in [Pack::default(), Pack { window: 15, interval: 1 }] {
        assert_eq!(complaints(&checker, &pack.grafana()), "");
    }
    let dashboard: Value = serde_json::from_str(&Pack::default().grafana()).expect("JSON");
    for at in [
        "",
        "/panels/0",
        "/panels/1/targets/0",
        "/panels/1/options",
        "/panels/2/targets/0",
        "/panels/2/options/legend",
        "/panels/2/fieldConfig/defaults",
        "/panels/2/fieldConfig/defaults/custom",
        "/templating/list/0",
    ] {
        let mut wrong = dashboard.clone();
        let map = wrong.pointer_mut(at).and_then(Value::as_object_mut);
        map.expect(at).insert("tilte".into(), json!("x"));
        assert!(complaints(&checker, &wrong.to_string()).contains("tilte"), "a wrong key at {at:?}");
    }
    for (at, ill) in [("/panels/2/targets/0/expr", json!(1)), ("/panels/2/type", json!("graph"))] {
        let mut wrong = dashboard.clone();
        *wrong.pointer_mut(at).expect(at) = ill;
        assert_ne!(complaints(&checker, &wrong.to_string()), "", "{at}");
    }
}
