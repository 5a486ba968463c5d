//! What all drills of a process share: cluster, detectors, journal, arbiter, event stream.

use crate::{
    Arbiter, EventSender, Options, control,
    detectors::{Detectors, RunningDetectors, Unstarted},
    drill,
    looks::LANES,
    namespace,
    preflight::Refused,
};
use loopdrill_cluster::{ClusterHandle, Target};
use loopdrill_faults::{
    Fault, UndoAccess,
    journal::{Journal, JournalError, Pending},
    lifecycle,
};
use loopdrill_model::{
    Diagnosis, DrillReport, EventKind, ExitStatus, RunReport, Timestamp, Versions, is_proof,
};
use loopdrill_observe::record::RecordingWriter;
use loopdrill_suite::Ends;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// Why a session could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The journal is dirty, busy or unreadable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A detector under test could not be started.
    #[error("the detector {name} did not start: {why}")]
    Detector {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
}

impl From<Unstarted> for SessionError {
    fn from(Unstarted { name, why }: Unstarted) -> Self {
        SessionError::Detector { name, why }
    }
}

impl SessionError {
    /// What it means for the exit code.
    #[must_use]
    pub fn exit(&self) -> ExitStatus {
        match self {
            // A dirty journal means that something is left behind; that is for the user to put right.
            SessionError::Journal(_) => ExitStatus::Usage,
            SessionError::Detector { .. } => ExitStatus::NoCluster,
        }
    }
}

/// One process's work on one cluster.
pub struct Session {
    pub(crate) target: Arc<Target>,
    pub(crate) access: UndoAccess,
    pub(crate) journal: Arc<Journal>,
    pub(crate) detectors: RunningDetectors,
    pub(crate) events: EventSender,
    pub(crate) arbiter: Arc<Arbiter>,
    pub(crate) options: Options,
    pub(crate) cancel: CancellationToken,
    pub(crate) lanes: Semaphore,
    pub(crate) recording: Option<RecordingWriter>,
    ends: Option<Ends>,
    pub(crate) refused: Refused,
    /// The file beside which looks are recorded.
    pub(crate) records_looks: Option<PathBuf>,
    reports: Mutex<Vec<DrillReport>>,
    cleanups: Mutex<JoinSet<Result<(), String>>>,
    started_at: Timestamp,
}

impl Session {
    /// Opens the journal and starts the detectors; returns when all see the cluster.
    ///
    /// # Errors
    /// See [`SessionError`]. Nothing was touched then.
    pub async fn start(
        target: Arc<Target>,
        handle: &ClusterHandle,
        detectors: impl Into<Detectors>,
        options: Options,
        events: EventSender,
        cancel: CancellationToken,
    ) -> Result<Self, SessionError> {
        let started_at = Timestamp::now();
        let journal = Arc::new(Journal::open(&options.state_dir, handle, &target.run)?);
        let facts = &target.facts;
        events.run(EventKind::ClusterReady {
            cluster: target.name.clone(),
            versions: versions(&target),
            capabilities: capabilities(&target),
        });
        tracing::debug!(nodes = facts.nodes.len(), "cluster is known");
        let detectors = RunningDetectors::start(detectors.into(), &target, &events).await?;
        let access = UndoAccess { client: Ok(target.client.clone()), nodes: target.nodes.clone() };
        Ok(Self {
            target,
            access,
            journal,
            detectors,
            events,
            arbiter: Arc::default(),
            options,
            cancel,
            lanes: Semaphore::new(LANES),
            recording: None,
            ends: None,
            refused: Refused::new(),
            records_looks: None,
            reports: Mutex::default(),
            cleanups: Mutex::default(),
            started_at,
        })
    }

    /// Writes to a recording what the drills do, so that it can be scored without them.
    #[must_use]
    pub fn recorded(mut self, recording: Option<RecordingWriter>) -> Self {
        self.recording = recording;
        self
    }

    /// Holds each drill to the end that suites want of it.
    #[must_use]
    pub fn held_to(mut self, ends: Option<Ends>) -> Self {
        self.ends = ends;
        self
    }

    /// Records each look of a detector that is called in, in a file beside `path`.
    #[must_use]
    pub fn recording_looks(mut self, path: Option<PathBuf>) -> Self {
        self.records_looks = path;
        self
    }

    /// Runs one drill as soon as its footprint allows, and returns when it is undone and judged.
    pub async fn drill(&self, fault: Arc<dyn Fault>) -> DrillReport {
        self.note(drill::run(self, fault).await)
    }

    /// Runs the drill that injects nothing.
    pub async fn control(&self) -> DrillReport {
        self.note(control::run(self).await)
    }

    /// The event stream of this session.
    #[must_use]
    pub fn events(&self) -> &EventSender {
        &self.events
    }

    /// Findings of the deciding detector that belong to no drill, so far: false alarms.
    #[must_use]
    pub fn false_alarms(&self) -> Vec<Diagnosis> {
        self.detectors.false_alarms()
    }

    /// Removes what is left, stops the detectors and closes the journal. The report says how it all went; what
    /// follows (the cluster's end) may add to it by [`crate::conclude`].
    pub async fn finish(self) -> RunReport {
        let mut trouble: Vec<String> = Vec::new();
        self.events.progress("removing what the drills created");
        let mut cleanups = std::mem::take(&mut *self.cleanups.lock().unwrap_or_else(PoisonError::into_inner));
        while let Some(result) = cleanups.join_next().await {
            trouble.extend(result.map_err(|e| e.to_string()).and_then(|r| r).err());
        }
        let leftovers = lifecycle::undo(&self.access, &self.journal, &self.journal.pending()).await;
        trouble.extend(leftovers.into_iter().map(|l| format!("{}: {}", l.change, l.why)));
        let detectors = self.detectors.stop().await;
        trouble.extend(detectors.trouble);
        // Last, when even what the detectors installed is gone.
        trouble.extend(namespace::sweep(&self.target).await.err());
        trouble.extend(self.journal.close().err().map(|e| e.to_string()));

        let drills = self.reports.into_inner().unwrap_or_else(PoisonError::into_inner);
        let false_alarms = detectors.false_alarms;
        let exit = exit_status(&drills, &false_alarms, &trouble, self.options.require);
        RunReport {
            cluster: self.target.name.clone(),
            rivals: detectors.rivals,
            versions: versions(&self.target),
            capabilities: capabilities(&self.target),
            require: self.options.require,
            suites: self.ends.map_or_else(Vec::new, |ends| ends.suites),
            ended_at: Timestamp::now(),
            drills,
            false_alarms,
            trouble,
            ..RunReport::new(&self.target.run, detectors.name, self.started_at).ended(exit)
        }
    }

    /// Removes a drill's namespace while other drills go on; [`Session::finish`] waits for it.
    pub(crate) fn remove_namespace_later(&self, pending: Pending) {
        let (access, journal) = (self.access.clone(), Arc::clone(&self.journal));
        let work = async move { namespace::remove(&access, &journal, pending).await };
        self.cleanups.lock().unwrap_or_else(PoisonError::into_inner).spawn(work);
    }

    fn note(&self, report: DrillReport) -> DrillReport {
        let acceptance = self.ends.as_ref().map(|ends| ends.hold(&report));
        let report = DrillReport { acceptance, ..report };
        self.tell(&report.id(), EventKind::DrillFinished { report: Box::new(report.clone()) });
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).push(report.clone());
        report
    }
}

fn exit_status(
    drills: &[DrillReport],
    false_alarms: &[Diagnosis],
    trouble: &[String],
    require: bool,
) -> ExitStatus {
    let mut exit = drills.iter().map(|d| d.exit(require)).fold(ExitStatus::Ready, ExitStatus::worst);
    if !is_proof(drills) || !false_alarms.is_empty() {
        exit = exit.worst(ExitStatus::NotReady);
    }
    if !trouble.is_empty() {
        exit = exit.worst(ExitStatus::CleanupFailed);
    }
    exit
}

fn versions(target: &Target) -> Versions {
    Versions {
        loopdrill: env!("CARGO_PKG_VERSION").into(),
        kubernetes: target.facts.kubernetes.clone(),
        node_image: target.facts.node_image.clone(),
        kernel: target.facts.kernel.clone(),
    }
}

fn capabilities(target: &Target) -> BTreeMap<String, Result<(), String>> {
    target.facts.capabilities.iter().map(|(c, r)| (c.to_string(), r.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::{Expectation, FaultId, Gate, Outcome};

    fn drill(outcome: Outcome) -> DrillReport {
        DrillReport::new(&FaultId::new("f", "v"), Expectation::default()).ended(outcome, None)
    }

    #[test]
    fn the_worst_outcome_decides_and_skips_alone_are_not_green() {
        let skipped = || drill(Outcome::Skipped(loopdrill_model::Capability::TwoZones));
        let exit = |drills: &[DrillReport], require| exit_status(drills, &[], &[], require);
        assert_eq!(exit(&[drill(Outcome::Passed), skipped()], false), ExitStatus::Ready);
        assert_eq!(exit(&[drill(Outcome::Passed), skipped()], true), ExitStatus::NotReady);
        assert_eq!(exit(&[skipped()], false), ExitStatus::NotReady, "nothing was proven");
        assert_eq!(exit(&[], false), ExitStatus::NotReady, "nothing was proven");
        let mixed =
            [drill(Outcome::NotInjected), drill(Outcome::Failed(Gate::Detected)), drill(Outcome::Passed)];
        assert_eq!(exit(&mixed, false), ExitStatus::NotInjected);
        assert_eq!(exit_status(&mixed, &[], &["left".into()], false), ExitStatus::CleanupFailed);
    }
}
