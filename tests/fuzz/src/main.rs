//! One binary for all targets: `LOOPDRILL_FUZZ` says which one libFuzzer feeds. `ci/fuzz` sets it.

#![no_main]

use std::sync::LazyLock;

type Run = fn(&[u8]);

const TARGETS: &[(&str, Run)] = &[
    ("exceptions", loopdrill_checklist::fuzz::exceptions),
    ("exec", loopdrill_detect::fuzz::exec),
    ("gate", loopdrill_suite::fuzz::gate),
    ("journal", loopdrill_faults::journal::fuzz::journal),
    ("kubeconfig", loopdrill_lab::fuzz::kubeconfig),
    ("log", loopdrill_observe::fuzz::log),
    ("manifests", loopdrill_checklist::fuzz::manifests),
    ("metrics", loopdrill_observe::fuzz::metrics),
    ("object", loopdrill_observe::fuzz::object),
    ("policy", loopdrill_cloud::fuzz::policy),
    ("recording", loopdrill_observe::fuzz::recording),
    ("spec", loopdrill_lab::fuzz::spec),
    ("suite", loopdrill_suite::fuzz::suite),
    ("target", loopdrill_fence::fuzz::target),
];

static TARGET: LazyLock<Run> = LazyLock::new(|| {
    let wanted = std::env::var("LOOPDRILL_FUZZ").unwrap_or_default();
    let found = TARGETS.iter().find(|(name, _)| *name == wanted);
    let Some((_, run)) = found else {
        let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("error: no target {wanted:?}\n  next: set LOOPDRILL_FUZZ to one of {}", names.join(", "));
        std::process::exit(2);
    };
    *run
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
