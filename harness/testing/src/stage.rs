//! The cluster and the engine's session, there as soon as the first trial needs them.

use crate::{
    Drills,
    lab::{self, SharedLab, Unready},
    trial::required,
};
use loopdrill_cluster::ClusterHandle;
use loopdrill_detect::{Builtin, Detector, ObserveOptions, RecordingWriter};
use loopdrill_drill::{
    Detectors, EventSender, EventStream, Options, Session, announce, conclude, event_stream,
};
use loopdrill_faults::Fault;
use loopdrill_model::{DrillReport, RunReport};
use loopdrill_report::{Folds, OutputDir, ReportError, render_diagnosis};
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{runtime::Runtime, signal, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Where the drills of one test target run.
pub(crate) struct Stage {
    of: Drills,
    world: Mutex<Option<Result<Arc<World>, Unready>>>,
}

struct World {
    runtime: Runtime,
    session: Session,
    lab: SharedLab,
    events: EventSender,
    reports: JoinHandle<Vec<String>>,
    recording: Option<RecordingWriter>,
}

impl Stage {
    /// A stage on which nothing stands yet.
    pub(crate) fn new(of: Drills) -> Self {
        Self { of, world: Mutex::new(None) }
    }

    /// Runs one drill; the first caller waits for the cluster.
    pub(crate) fn drill(&self, fault: Arc<dyn Fault>) -> Result<DrillReport, Unready> {
        let world = self.locked().get_or_insert_with(|| World::start(&self.of).map(Arc::new)).clone()?;
        Ok(world.runtime.block_on(world.session.drill(fault)))
    }

    /// Ends the session and leaves the lab. The error says what no single drill accounts for.
    pub(crate) fn leave(&self) -> Result<(), String> {
        match self.locked().take() {
            Some(Ok(world)) => Arc::into_inner(world).expect("every trial has returned").end(),
            Some(Err(_)) | None => Ok(()),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Result<Arc<World>, Unready>>> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn start(of: &Drills) -> Result<Self, Unready> {
        let broken = |e: &dyn std::fmt::Display| Unready::Broken(e.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|e| broken(&e))?;
        let binary = lab::binary(of.binary.clone())?;
        let folder = of.folder.join("report").join(&of.name);
        let dir = claim_in_turn(&folder).map_err(|e| broken(&e))?;
        let recording = match of.detectors.is_empty() {
            true => RecordingWriter::create(&folder.join(OutputDir::RECORDING))
                .map_err(|e| broken(&e))
                .map(Some)?,
            false => None,
        };
        runtime
            .block_on(async {
                let cancel = CancellationToken::new();
                stop_on_signal(cancel.clone());
                let (events, stream) = event_stream();
                let reports = fold(stream, dir);
                let lab = SharedLab::enter(binary, &cancel).await?;
                let session = session(of, recording.as_ref(), &lab, &events, cancel).await;
                match session {
                    Ok(session) => Ok((session, lab, events, reports)),
                    Err(why) => Err(Unready::Broken(
                        lab.leave().await.err().into_iter().fold(why, |a, b| format!("{a}; {b}")),
                    )),
                }
            })
            .map(|(session, lab, events, reports)| World {
                runtime,
                session,
                lab,
                events,
                reports,
                recording,
            })
    }

    fn end(self) -> Result<(), String> {
        let World { runtime, session, lab, events, reports, recording } = self;
        runtime.block_on(async {
            let report = session.finish().await;
            let report = conclude(&events, report, lab.leave().await.err());
            drop(events);
            let unwritten = reports.await.map_err(|e| e.to_string())?;
            let unrecorded = recording.and_then(|recording| recording.finish().err()).map(|e| e.to_string());
            let aftermath =
                aftermath(&report).chain(unwritten).chain(unrecorded).collect::<Vec<_>>().join("\n");
            if aftermath.is_empty() { Ok(()) } else { Err(aftermath) }
        })
    }
}

/// Some runners give each test a process of its own, several at a time: one after the other has the folder, and then the lab.
fn claim_in_turn(path: &Path) -> Result<OutputDir, ReportError> {
    let deadline = Instant::now() + lab::TURN;
    loop {
        match OutputDir::claim(path) {
            Err(ReportError::Busy { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(200));
            }
            claimed => return claimed,
        }
    }
}

async fn session(
    of: &Drills,
    recording: Option<&RecordingWriter>,
    lab: &SharedLab,
    events: &EventSender,
    cancel: CancellationToken,
) -> Result<Session, String> {
    let run = run_id();
    let target = lab.lab.target(&run).await.map_err(|e| e.to_string())?;
    let handle = ClusterHandle::Lab { name: target.name.clone() };
    let detectors = detectors(&of.detectors, recording);
    announce(events, &run, &[], false, &detectors.names());
    let options = Options {
        budgets: of.budgets,
        require: required(),
        // A lab of the tests takes its changes with it, so its journal is nobody else's business.
        state_dir: of.folder.join("state"),
    };
    Session::start(Arc::new(target), &handle, detectors, options, events.clone(), cancel)
        .await
        .map_err(|e| e.to_string())
}

/// The first one decides; where none is named, that is the built-in one, and what it sees is recorded.
fn detectors(named: &[Arc<dyn Detector>], recording: Option<&RecordingWriter>) -> Detectors {
    let builtin = || -> Arc<dyn Detector> {
        let builtin = Builtin::new(ObserveOptions::default());
        match recording {
            Some(recording) => Arc::new(builtin.recorded(recording.clone())),
            None => Arc::new(builtin),
        }
    };
    match named {
        [first, rivals @ ..] => Detectors::new(Arc::clone(first), rivals.to_vec()),
        [] => Detectors::from(builtin()),
    }
}

/// What went wrong outside of the drills, whose own trials tell the rest.
fn aftermath(report: &RunReport) -> impl Iterator<Item = String> + '_ {
    let alarms = report.false_alarms.iter().map(|d| format!("a false alarm: {}", render_diagnosis(d)));
    alarms.chain(report.trouble.iter().cloned())
}

fn fold(mut stream: EventStream, dir: OutputDir) -> JoinHandle<Vec<String>> {
    let mut folds = Folds::files(&Arc::new(dir));
    tokio::spawn(async move {
        while let Some(event) = stream.recv().await {
            folds.event(&event);
        }
        folds.finish().iter().map(ToString::to_string).collect()
    })
}

/// The first Ctrl-C lets the drills clean up; a second one is for the impatient.
fn stop_on_signal(cancel: CancellationToken) {
    tokio::spawn(async move {
        if signal::ctrl_c().await.is_ok() {
            eprintln!("\ninterrupted: undoing and cleaning up; once more to leave now");
            cancel.cancel();
        }
        if signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
}

fn run_id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:06x}", (since.as_millis() as u64 ^ (u64::from(std::process::id()) << 12)) & 0x00ff_ffff)
}
