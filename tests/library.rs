//! Another team's crate (`examples/own-detector`, a workspace of its own) puts its own operator, drill and detector through
//! the engine. Needs Docker and a C compiler; it builds what the gate has built already into the same folder.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn example() -> PathBuf {
    root().join("examples/own-detector")
}

/// Third parties' packages of a lock file, with their versions and digests.
fn third_parties(lock: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(lock).expect("a lock file");
    let packages = text.split("[[package]]").filter(|package| package.contains("\nchecksum = "));
    let without_dependencies =
        |package: &str| package.split("\ndependencies").next().map(str::trim).map(str::to_owned);
    packages.filter_map(without_dependencies).collect()
}

/// So nothing is fetched for it that was not fetched already, and nothing is built twice for its version.
#[test]
fn the_example_has_no_package_that_we_do_not_have() {
    let (ours, theirs) =
        (third_parties(&root().join("Cargo.lock")), third_parties(&example().join("Cargo.lock")));
    assert!(theirs.len() > 100, "{} packages", theirs.len());
    let strange: Vec<_> = theirs.difference(&ours).collect();
    assert!(
        strange.is_empty(),
        "cp Cargo.lock examples/own-detector/ && cargo tree --manifest-path examples/own-detector/Cargo.toml >/dev/null \
         mends these:\n{strange:#?}"
    );
}

/// How a manifest has third parties' crates built for tests: those that the example has.
fn built(manifest: &Path, lock: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(manifest).expect("a manifest");
    let (_, profile) = text.split_once("\n[profile.dev]\n").expect("a profile");
    let is_told = |line: &&str| {
        let package = line.split(" = {").next().unwrap_or_default();
        !line.is_empty()
            && !line.starts_with('#')
            && (!line.contains(" = {") || lock.contains(&format!("name = \"{package}\"\nversion")))
            && !package.starts_with("loopdrill-")
    };
    profile.lines().filter(is_told).map(str::to_owned).collect()
}

/// Otherwise all of them are built a second time, which takes minutes.
#[test]
fn the_example_has_third_parties_crates_built_as_we_have() {
    let lock = fs::read_to_string(example().join("Cargo.lock")).expect("a lock file");
    let ours = built(&root().join("Cargo.toml"), &lock);
    assert!(ours.len() > 10, "{ours:#?}");
    assert_eq!(ours, built(&example().join("Cargo.toml"), &lock));
}

/// Its `main` of under ten lines runs a sound operator and a mute one; the second one's silence is a gate that fails.
#[test]
fn another_teams_operator_is_drilled_and_its_broken_one_is_caught() {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo tells this test of this package, build scripts of the other's would take for a change.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
        cargo.env_remove(name);
    }
    cargo
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("CARGO_MANIFEST_PATH")
        .env_remove("CARGO_MANIFEST_LINKS");
    if env::var_os("LOOPDRILL_BIN").is_none_or(|named| named.is_empty()) {
        cargo.env("LOOPDRILL_BIN", env!("CARGO_BIN_EXE_loopdrill"));
    }
    // This folder's settings hold for it, too: a static binary, for the same target.
    cargo.current_dir(root()).args(["test", "--locked", "--offline", "--manifest-path"]);
    cargo.arg(example().join("Cargo.toml"));
    if env::var_os("CARGO_TARGET_DIR").is_none() {
        cargo.env("CARGO_TARGET_DIR", root().join("target"));
    }
    let output = cargo.output().expect("cargo runs");
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}\n{}", told[0], told[1]);
    let required = env::var_os("LOOPDRILL_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0");
    let both = told[0].contains("test result: ok. 2 passed; 0 failed; 0 ignored");
    assert!(both || !required, "{}", told[0]);
}
