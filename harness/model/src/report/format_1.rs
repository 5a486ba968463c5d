//! A drill's report of either format.
//!
//! Format 1 told what the deciding detector answered twice: among the gates, in fields of the drill, and, since several
//! detectors are scored, among the detectors. It stands in `report.json`, `events.jsonl` and recordings of older builds.

use super::{DetectorResult, DrillReport, Gates};
use crate::{Acceptance, Diagnosis, Expectation, GateResult, Loop, Outcome, expect::Root};
use jiff::Timestamp;
use serde::Deserialize;

/// What either format may hold.
#[derive(Deserialize)]
pub(super) struct AnyFormat {
    fault: String,
    variant: String,
    #[serde(default)]
    expectation: Option<Expectation>,
    outcome: Outcome,
    gates: AnyGates,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    undone_at: Option<Timestamp>,
    #[serde(default)]
    detectors: Vec<DetectorResult>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    acceptance: Option<Acceptance>,
    // Only format 1 has these.
    #[serde(default)]
    expected_loop: Option<Loop>,
    #[serde(default)]
    diagnosis: Option<Diagnosis>,
    #[serde(default)]
    other_findings: Vec<Diagnosis>,
    #[serde(default)]
    timings: Timings,
}

#[derive(Deserialize)]
struct AnyGates {
    injected: GateResult,
    manifested: GateResult,
    recovered: GateResult,
    #[serde(default)]
    detected: GateResult,
    #[serde(default)]
    attributed: GateResult,
}

#[derive(Default, Deserialize)]
struct Timings {
    injected_at: Option<Timestamp>,
    first_evidence_at: Option<Timestamp>,
    detected_at: Option<Timestamp>,
    undone_at: Option<Timestamp>,
}

impl From<AnyFormat> for DrillReport {
    fn from(read: AnyFormat) -> Self {
        let detectors = if read.detectors.is_empty() { read.only_detector() } else { read.detectors };
        // The very first reports told the loop alone.
        let root = |control_loop| Root { control_loop, causes: Vec::new() };
        let roots = || read.expected_loop.map(root).into_iter().collect();
        let AnyGates { injected, manifested, recovered, .. } = read.gates;
        DrillReport {
            fault: read.fault,
            variant: read.variant,
            expectation: read
                .expectation
                .unwrap_or_else(|| Expectation { roots: roots(), ..Expectation::default() }),
            outcome: read.outcome,
            gates: Gates { injected, manifested, recovered },
            started_at: read.started_at,
            undone_at: read.undone_at.or(read.timings.undone_at),
            detectors,
            error: read.error,
            acceptance: read.acceptance,
        }
    }
}

impl AnyFormat {
    /// What builds before there were rivals tell of the one detector there was; it has no name there.
    fn only_detector(&self) -> Vec<DetectorResult> {
        let (gates, times) = (&self.gates, &self.timings);
        if [&gates.detected, &gates.attributed].into_iter().all(|g| *g == GateResult::default()) {
            return Vec::new();
        }
        let seconds =
            |from: Option<Timestamp>, to: Option<Timestamp>| Some(super::seconds(to?.duration_since(from?)));
        let manifested_at = gates.manifested.at.filter(|_| gates.manifested.ok);
        vec![DetectorResult {
            name: String::new(),
            detected: gates.detected.clone(),
            attributed: gates.attributed.clone(),
            diagnosis: self.diagnosis.clone(),
            other_findings: self.other_findings.clone(),
            lag: seconds(times.first_evidence_at, times.detected_at),
            lead: seconds(times.first_evidence_at, manifested_at),
            since_injection: seconds(times.injected_at, times.detected_at),
            ..DetectorResult::default()
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gate, Group};

    const GATE: &str = r#"{"ok":true,"at":"2026-11-24T12:00:02Z","evidence":[]}"#;

    /// A report of format 1, with what else it says.
    fn format_1(more: &str) -> DrillReport {
        let gates = Gate::ALL.map(|g| format!("\"{g}\":{GATE}")).join(",");
        let timings = r#"{"injected_at":"2026-11-24T12:00:00Z","first_evidence_at":"2026-11-24T12:00:01Z",
            "detected_at":"2026-11-24T12:00:03Z","undone_at":"2026-11-24T12:00:04Z","recovered_at":null}"#;
        let text = format!(
            r#"{{"fault":"f","variant":"v","expected_loop":"network","gates":{{{gates}}},"outcome":"passed",
            "diagnosis":null,"timings":{timings}{more}}}"#
        );
        serde_json::from_str(&text).expect("format 1")
    }

    #[test]
    fn format_1_of_one_detector_is_read() {
        let report = format_1("");
        assert!(Gate::ALL.iter().all(|g| report.gate(*g).ok));
        assert_eq!(report.expected_loop(), Some(Loop::Network));
        let only = &report.detectors[0];
        assert_eq!((only.lag, only.lead, only.since_injection), (Some(2.0), Some(1.0), Some(3.0)));
        assert_eq!(report.undone_at.expect("undone").to_string(), "2026-11-24T12:00:04Z");
    }

    #[test]
    fn format_1_of_several_detectors_is_read_once() {
        let result = |name| {
            format!(
                r#"{{"name":"{name}","detected":{GATE},"attributed":{GATE},"diagnosis":null,"lag":0.5,"lead":null,
                "since_injection":null}}"#
            )
        };
        let report = format_1(&format!(
            r#","expectation":{{"group":"decoy","roots":[]}},"detectors":[{},{}]"#,
            result("a"),
            result("b")
        ));
        assert_eq!(report.expectation.group, Group::Decoy);
        assert_eq!(report.expected_loop(), None, "the expectation says more than the loop did");
        assert_eq!(report.detectors.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(report.detectors[0].lag, Some(0.5));
    }

    #[test]
    fn format_2_comes_back_as_it_was() {
        let report = format_1("");
        let text = serde_json::to_string(&report).expect("plain data");
        assert!(!text.contains("timings") && !text.contains("expected_loop"), "{text}");
        assert_eq!(serde_json::from_str::<DrillReport>(&text).expect("format 2"), report);
        let nobody = DrillReport { detectors: Vec::new(), ..report };
        let text = serde_json::to_string(&nobody).expect("plain data");
        assert_eq!(serde_json::from_str::<DrillReport>(&text).expect("format 2"), nobody);
    }
}
