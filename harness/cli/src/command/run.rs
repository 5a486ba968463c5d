//! `loopdrill run`.

mod asked;
mod cold;

use super::readiness::Readiness;
use crate::{
    Failure,
    cluster::{self, Cluster, ClusterArgs},
    interrupt,
    names::OutputFormat,
    page, pipeline,
    target::{self, Named},
};
pub(crate) use asked::{Asked, Plan, ends, one};
use loopdrill_checklist::Results;
use loopdrill_detect::{Builtin, Detector, DetectorOptions, ExecOptions, Mapping, PrometheusOptions};
use loopdrill_drill::{Budgets, Detectors, EventSender, EventStream, Options, Session, event_stream};
use loopdrill_faults::{Fault, journal};
use loopdrill_model::{ExitStatus, RunReport};
use loopdrill_observe::{ObserveOptions, record::RecordingWriter};
use loopdrill_report::{Console, ConsoleOptions, Folds, OutputDir, SignedDuration};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The detector whose signals can be recorded.
const BUILTIN: &str = "builtin";

/// Options of `loopdrill run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Command {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    args: Args,
}

/// How drills are run, whichever they are.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The detector under test: builtin, prometheus (firing alerts), exec:COMMAND (which prints diagnoses as `loopdrill diagnose` does), or none
    /// (which must fail every drill). Repeatable; the first one decides, all are scored [default: builtin]
    #[arg(long, value_name = "DETECTOR")]
    detector: Vec<String>,
    /// Also call each detector in only when the symptom has shown, as an on-call engineer is: fresh, without memory, and
    /// for --detect-within seconds. That decides; one that can watch watches beside it. `once:DETECTOR` does it for one
    #[arg(long)]
    cold: bool,
    /// Where `--detector prometheus` asks for alerts: http(s)://HOST:PORT, or NAMESPACE/SERVICE:PORT through the API
    /// server; also an Alertmanager [default: the lab's own]
    #[arg(long, value_name = "WHERE")]
    prometheus: Option<String>,
    /// What alerts without a `loop` label mean: a YAML file, `ALERT: {loop: LOOP, cause: CAUSE}` a line
    #[arg(long, value_name = "FILE")]
    alert_map: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Where events.jsonl and the reports go, and the kubeconfig of a lab that stays
    #[arg(long, value_name = "DIR", default_value = "report", env = "ARTIFACT_DIR")]
    output_dir: PathBuf,
    /// Where the recording goes; recording.gz in the output directory by default
    #[arg(long, value_name = "FILE", conflicts_with = "no_record")]
    record: Option<PathBuf>,
    /// Record nothing
    #[arg(long)]
    no_record: bool,
    /// Run the readiness checklist before the first drill, and in the end hold its predictions against what happened
    #[arg(long)]
    pub(crate) check: bool,
    /// What to print on standard output in the end
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: OutputFormat,
    /// Skipped drills count as failures
    #[arg(long)]
    require: bool,
    /// How long the detector may take from the symptom to the right diagnosis, in seconds [default: 20]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    detect_within: Option<u64>,
    /// How long a fault may take to bite; where the victim is well after that, the cluster is resilient. In seconds
    /// [default: 90]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    bite_within: Option<u64>,
    /// How long the control drill watches a cluster to which nothing is done, in seconds [default: 8]
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    control_for: Option<u64>,
    /// Say what would be done and to what, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Ask nothing (nothing is asked anyway; for scripts that pass it on)
    #[arg(long, hide = true)]
    yes: bool,
}

/// A run that was asked for, as far as it is decided before there is a cluster.
struct Run<'a> {
    args: &'a Args,
    id: String,
    plan: Plan,
    judge: Option<Judge>,
    recording: Option<RecordingWriter>,
    events: EventSender,
    cancel: CancellationToken,
}

/// What a gate makes of the report, with what the checklist answered, before anybody gets to see it.
pub(crate) type Judge = Box<dyn Fn(&mut RunReport, Option<&Results>) + Send + Sync>;

const EXAMPLES: &str = "\
Examples:
  loopdrill run                                    all drills on a fresh lab, which goes afterwards
  loopdrill run --fault overlay-mtu --variant df   one drill
  loopdrill run suites/canonical.yaml --lab dev    a suite; it says which drills, and how each must end
  loopdrill run --group decoys                     conditions that only look like the canonical faults
  loopdrill run --fault control --for 600          ten minutes in which nothing may be found
  loopdrill run --check                            also: which warnings of the checklist were right?
  loopdrill run --lab dev                          on the lab `dev`, which is made where it is missing and stays
  loopdrill run --context staging --target staging.yaml
                                                   on a cluster that is not ours, within the fence of its target file
  loopdrill run --with monitoring --detector builtin,prometheus
                                                   the lab's own alerts beside our detector
  loopdrill run --group all --with cloud-identity  all that there is, with the drills of a cloud account
  loopdrill run --detector builtin --detector 'exec:./adapter'
                                                   another tool beside ours, on one scoreboard
  loopdrill run --cold --group all                 who is called in afterwards, beside who has watched
  loopdrill run --detector none                    what a cluster without monitoring would notice: nothing";

pub(crate) async fn main(command: Command) -> Result<ExitStatus, Failure> {
    let Command { asked, mut args } = command;
    let plan = Plan::of(&asked, &mut args)?;
    if args.dry_run {
        return dry_run(&args, &plan.faults).await;
    }
    execute(&args, plan, None).await
}

/// Runs a plan, with all reports, and says how the process ends.
pub(crate) async fn execute(args: &Args, plan: Plan, judge: Option<Judge>) -> Result<ExitStatus, Failure> {
    let began = Instant::now();
    let listed = listed(args)?;
    let cancel = interrupt::token().map_err(|e| Failure::new(ExitStatus::NoCluster, &e))?;
    let dir = OutputDir::claim(&args.output_dir).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    let dir = Arc::new(dir);
    let recording = recording(args, &dir, listed.iter().any(|d| d.name() == BUILTIN))?;
    let detectors = detectors(listed, recording.as_ref(), &observing(args)?)?;
    let (events, stream) = event_stream();
    let reports = fold(stream, &dir, args);
    let id = cluster::new_run_id();
    loopdrill_drill::announce(&events, &id, &plan.faults, plan.control, &detectors.names());

    let mut readiness = Readiness::new(args.check, &args.output_dir);
    let run = Run { args, id, plan, judge, recording: recording.clone(), events, cancel };
    let report = run.drills(detectors, &mut readiness).await;
    let recorded = recording
        .as_ref()
        .map_or(Ok(()), RecordingWriter::finish)
        .map_err(|e| Failure::new(ExitStatus::Usage, &e));
    let errors = reports.await.map_err(|e| Failure::new(ExitStatus::CleanupFailed, &e))?;
    let report = report?;
    readiness.conclude(&report.drills, args.output == OutputFormat::Human);
    if args.output == OutputFormat::Json {
        print!(
            "{}",
            loopdrill_report::report_json(&report).map_err(|e| Failure::new(ExitStatus::Usage, &e))?
        );
    }
    pipeline::tell(&report);
    page::again(&report, &dir, recording.as_ref().map(RecordingWriter::path));
    if args.output == OutputFormat::Human {
        let all = SignedDuration::try_from(began.elapsed()).unwrap_or(SignedDuration::MAX);
        println!("{} in all, from the cluster to the reports", loopdrill_report::duration(all));
    }
    let exit = errors.iter().fold(report.exit, |exit, e| {
        eprintln!("error: {e}");
        exit.worst(e.exit())
    });
    Ok(recorded.map_or_else(|failure| exit.worst(failure.print()), |()| exit))
}

/// The run's recording: of what the built-in detector sees, so there is none without it.
fn recording(args: &Args, dir: &OutputDir, builtin: bool) -> Result<Option<RecordingWriter>, Failure> {
    let path = match &args.record {
        Some(path) if builtin => path.clone(),
        Some(_) if cold::is_called_in(args, BUILTIN) => return Ok(None),
        Some(_) => {
            return Err(Failure::usage(
                "--record writes down what the built-in detector sees; add --detector builtin",
            ));
        }
        None if args.no_record || !builtin => return Ok(None),
        None => dir.path().join(OutputDir::RECORDING),
    };
    RecordingWriter::create(&path).map(Some).map_err(|e| Failure::new(ExitStatus::Usage, &e))
}

/// The detectors that are asked for.
fn listed(args: &Args) -> Result<Vec<Arc<dyn Detector>>, Failure> {
    let mapping = args.alert_map.as_deref().map(Mapping::read).transpose();
    let prometheus = PrometheusOptions {
        from: args.prometheus.clone(),
        mapping: mapping.map_err(|e| Failure::new(ExitStatus::Usage, &e))?.unwrap_or_default(),
        budget: budgets(args).detect,
    };
    let options = DetectorOptions { prometheus, exec: ExecOptions::default() };
    let builtin = [BUILTIN.to_string()];
    let names = if args.detector.is_empty() { &builtin[..] } else { &args.detector };
    let by_names = if args.cold { loopdrill_detect::by_names_cold } else { loopdrill_detect::by_names };
    let listed = by_names(names, &options).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    target::check_detectors(&args.cluster, &listed.iter().map(|d| d.name()).collect::<Vec<_>>())?;
    Ok(listed)
}

/// A cluster that is not ours gets pods only on the nodes that its target file names, and only where it allows them.
fn observing(args: &Args) -> Result<ObserveOptions, Failure> {
    let options = ObserveOptions::default();
    Ok(match target::Named::of(&args.cluster)? {
        Some(named) => {
            ObserveOptions { probes: named.file.probes, selector: named.file.nodes.selector, ..options }
        }
        None => options,
    })
}

fn detectors(
    listed: Vec<Arc<dyn Detector>>,
    recording: Option<&RecordingWriter>,
    observing: &ObserveOptions,
) -> Result<Detectors, Failure> {
    let mut listed = listed.into_iter().map(|detector| -> Arc<dyn Detector> {
        if detector.name() != BUILTIN {
            return detector;
        }
        let builtin = Builtin::new(observing.clone());
        match recording {
            Some(recording) => Arc::new(builtin.recorded(recording.clone())),
            None => Arc::new(builtin),
        }
    });
    let first = listed.next().ok_or_else(|| Failure::usage("name a detector with --detector"))?;
    Ok(Detectors::new(first, listed.collect()))
}

impl Run<'_> {
    /// Provides the cluster, drills it and gives it back. The event stream ends with the report.
    async fn drills(
        mut self,
        detectors: Detectors,
        readiness: &mut Readiness<'_>,
    ) -> Result<RunReport, Failure> {
        let events = &self.events;
        let cluster = cluster::provide(&self.args.cluster, &self.id, events, &self.cancel).await?;
        tokio::select! {
            () = readiness.before(&cluster, events) => {}
            () = self.cancel.cancelled() => {}
        }
        let faults = std::mem::take(&mut self.plan.faults);
        let session = self.session(&cluster, detectors, &faults).await;
        let report = match session {
            Ok(session) => Ok(loopdrill_drill::run(session, faults, self.plan.control).await),
            Err(e) => Err(Failure::from(e)),
        };
        if let Some(kubeconfig) = cluster.kept_kubeconfig() {
            let kept = beside_the_run(self.args, kubeconfig);
            events.progress(format!("the lab stays; KUBECONFIG={}", kept.display()));
        }
        events.progress("giving the cluster back");
        let trouble = cluster.release().await.err();
        match report {
            Ok(mut report) => {
                loopdrill_drill::add_trouble(&mut report, trouble);
                if let Some(judge) = &self.judge {
                    judge(&mut report, readiness.results());
                }
                Ok(loopdrill_drill::conclude(events, report, None))
            }
            Err(failure) => Err(trouble.into_iter().fold(failure, Failure::and)),
        }
    }

    async fn session(
        &self,
        cluster: &Cluster,
        detectors: Detectors,
        faults: &[Arc<dyn Fault>],
    ) -> Result<Session, loopdrill_drill::SessionError> {
        let args = self.args;
        let options =
            Options { budgets: budgets(args), require: args.require, state_dir: journal::state_dir() };
        let (target, cancel) = (Arc::clone(&cluster.target), self.cancel.clone());
        let session =
            Session::start(target, &cluster.handle, detectors, options, self.events.clone(), cancel).await?;
        let mut session = session
            .recorded(self.recording.clone())
            .recording_looks(cold::recordings(args))
            .held_to(self.plan.ends.clone());
        if let Some(refused) = cluster.refused() {
            session = session.refusing(refused.clone());
            session.preflight(faults).await;
        }
        Ok(session)
    }
}

fn budgets(args: &Args) -> Budgets {
    Budgets::from(loopdrill_suite::Budgets {
        detect: args.detect_within,
        bite: args.bite_within,
        control: args.control_for,
    })
}

/// Puts the kubeconfig of a lab that stays beside the run's reports; where that fails, the lab's own serves.
fn beside_the_run(args: &Args, kubeconfig: &Path) -> PathBuf {
    let copy = args.output_dir.join("kubeconfig");
    match std::fs::copy(kubeconfig, &copy) {
        Ok(_) => copy,
        Err(e) => {
            tracing::warn!(error = %e, "the kubeconfig could not be copied");
            kubeconfig.into()
        }
    }
}

/// Feeds all reports until the stream ends; returns what could not be written.
fn fold(
    mut stream: EventStream,
    dir: &Arc<OutputDir>,
    args: &Args,
) -> JoinHandle<Vec<loopdrill_report::ReportError>> {
    let quiet = args.output == OutputFormat::Json;
    let console = Console::new(ConsoleOptions { output_dir: Some(dir.path().into()), quiet });
    let mut folds = if quiet { Folds::files(dir) } else { Folds::standard(dir, console) };
    tokio::spawn(async move {
        while let Some(event) = stream.recv().await {
            folds.event(&event);
        }
        folds.finish()
    })
}

pub(crate) async fn dry_run(args: &Args, faults: &[Arc<dyn Fault>]) -> Result<ExitStatus, Failure> {
    listed(args)?;
    if let Some(named) = Named::of(&args.cluster)? {
        let budgets = budgets(args);
        return target::plan(&named, faults, budgets.manifest + budgets.detect).await;
    }
    let facts = cluster::facts(&args.cluster).await?;
    for fault in faults {
        let spec = fault.spec();
        println!(
            "{} ({}): {}",
            spec.id(),
            spec.expectation().control_loop().map_or("silence", |l| l.name()),
            spec.title
        );
        if let Some(missing) = spec.needs.iter().find(|c| !facts.has(c)) {
            println!("  would be skipped: the cluster lacks {missing}");
            continue;
        }
        for line in fault.dry_run(&facts) {
            println!("  - {line}");
        }
        let broken: Vec<_> = fault.footprint(&facts).broken().map(ToString::to_string).collect();
        println!("  blast radius: {}", broken.join(", "));
    }
    Ok(ExitStatus::Ready)
}
