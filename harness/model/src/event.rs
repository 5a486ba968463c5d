//! The event stream of a run: the one truth of which every report is a fold.

use crate::{Diagnosis, DrillReport, Expectation, FaultId, Gate, GateResult, RunReport, Scope, Versions};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// The drill it belongs to; absent for events of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<FaultId>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What can happen in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The run began. First line of the stream.
    RunStarted {
        /// Version of the stream's format.
        format: u32,
        /// The run's id.
        run: String,
        /// The drills that were selected, in order.
        drills: Vec<FaultId>,
        /// The detector under test.
        detector: String,
    },
    /// A cluster is there to be drilled.
    ClusterReady {
        /// Its name.
        cluster: String,
        /// What takes part.
        versions: Versions,
        /// What the cluster can do, and why not where it can't.
        capabilities: BTreeMap<String, Result<(), String>>,
    },
    /// Something that takes a while has begun or moved on; for people.
    Progress {
        /// What is going on.
        message: String,
    },
    /// The drill began: its victim is being set up.
    DrillStarted {
        /// The right answer; absent in streams of older builds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expectation: Option<Expectation>,
        /// Where its effects may show; absent in streams of format 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<Scope>,
    },
    /// The victim is well, and what the detectors found before has faded. What they find from here on is an answer.
    InjectionStarted,
    /// A gate was answered.
    GateAnswered {
        /// Which gate.
        gate: Gate,
        /// The answer.
        result: GateResult,
    },
    /// The detector's findings in this drill's scope changed.
    Findings {
        /// All present findings, by falling confidence.
        diagnoses: Vec<Diagnosis>,
    },
    /// The time of a detector is over: its answer stands, and what it finds later does not change it.
    DetectorConcluded {
        /// Its name.
        detector: String,
    },
    /// The fault's undo began.
    UndoStarted,
    /// The fault's undo is done and verified, or failed with this error.
    UndoFinished {
        /// Why something is left behind.
        error: Option<String>,
    },
    /// The drill is over.
    DrillFinished {
        /// All of it.
        report: Box<DrillReport>,
    },
    /// The run is over. Last line of the stream.
    RunFinished {
        /// The whole report, as `report.json` has it.
        report: Box<RunReport>,
    },
}

impl EventKind {
    /// The stream's format version that this build writes. Format 2 tells a drill's scope, when its injection began and
    /// when each detector's time was over, and holds reports of format 2; format 1 is read for ever.
    pub const FORMAT: u32 = 2;
}
