//! The write limit with version 2 of the kernel's control groups, in a small virtual machine: see
//! `tests/vm/cgroup-v2`. Where the tools for that are missing it is skipped, or fails where `LOOPDRILL_REQUIRE` is set.

use std::{env, path::Path, process::Command};

#[test]
fn a_write_limit_is_felt_and_leaves_no_trace() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm/cgroup-v2");
    let output = Command::new(script).arg(env!("CARGO_BIN_EXE_loopdrill")).output().expect("bash is there");
    let told = [&output.stdout[..], &output.stderr[..]].concat();
    let told = String::from_utf8_lossy(&told);
    match output.status.code() {
        Some(0) => {}
        Some(2) => {
            let required = env::var_os("LOOPDRILL_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0");
            assert!(!required, "skipped, and LOOPDRILL_REQUIRE is set: {told}");
            eprintln!("skipped: {}", told.trim());
        }
        _ => panic!("{told}"),
    }
}
