//! Prometheus with the rules that are generated from the signatures, beside the built-in detector, on one lab.

mod support;

use loopdrill_report::Score;
use std::collections::{BTreeMap, BTreeSet};
use support::{alone, lab::TestLab, text};

#[test]
fn prometheus_names_the_canonical_faults_beside_the_built_in_detector() {
    let _alone = alone();
    let lab = TestLab::with("rivals", &["monitoring"]);
    let run = lab.run();
    let output = run.output(&["run", "--lab", &lab.name, "--detector", "builtin,prometheus"]);
    let console = format!("{}\n{}", text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{console}");

    let report = run.report();
    assert_eq!(
        report.rivals.iter().map(|r| (r.name.as_str(), &r.error)).collect::<Vec<_>>(),
        [("prometheus", &None)]
    );
    // A fault is named when each of its variants is.
    let mut named = BTreeMap::<&str, bool>::new();
    for drill in report.drills.iter().filter(|d| d.expected_loop().is_some()) {
        let result = drill.detectors.iter().find(|r| r.name == "prometheus").expect("it was asked");
        *named.entry(&drill.fault).or_insert(true) &= result.detected.ok && result.attributed.ok;
    }
    assert_eq!(named.len(), 6);
    assert!(named.values().filter(|ok| **ok).count() >= 4, "{named:?}\n{console}");

    let score = Score::from(&report);
    let names: BTreeSet<_> = score.detectors.iter().map(|d| d.detector.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["builtin", "prometheus"]));
    // An alert that outlives its drill by a moment counts against Prometheus in the score, and not here.
    assert!(score.detectors.iter().all(|d| d.detector != "builtin" || d.false_alarms == 0), "{console}");
    for detector in &score.detectors {
        assert!(detector.lag.is_some(), "{} has a lag\n{console}", detector.detector);
        assert!(text(&output.stdout).contains(&format!("{}: ", detector.detector)), "{console}");
    }
}
