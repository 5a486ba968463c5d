//! The write limit with version 2 of the kernel's control groups, in a small virtual machine: see
//! `tests/vm/cgroup-v2`. Skipped, with the reason, where the tools for that are missing.

use std::{path::Path, process::Command};

#[test]
fn a_write_limit_is_felt_and_leaves_no_trace() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm/cgroup-v2");
    let output = Command::new(script).arg(env!("CARGO_BIN_EXE_loopdrill")).output().expect("bash is there");
    let told = [&output.stdout[..], &output.stderr[..]].concat();
    let told = String::from_utf8_lossy(&told);
    match output.status.code() {
        Some(0) => {}
        Some(2) => eprintln!("skipped: {}", told.trim()),
        _ => panic!("{told}"),
    }
}
