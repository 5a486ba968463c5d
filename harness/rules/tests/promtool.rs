//! `promtool` accepts the pack, and its unit tests pass. Needs promtool: on PATH, named by PROMTOOL, or in the
//! monitoring bundle of this machine.

use loopdrill_rules::Pack;
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
