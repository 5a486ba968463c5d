//! `loopdrill run`.

use super::readiness::Readiness;
use crate::{
    Failure,
    cluster::{self, Cluster, ClusterArgs},
    interrupt,
    names::{Groups, OutputFormat, control_loop},
};
use loopdrill_detect::{Builtin, Detector, DetectorOptions, ExecOptions, Mapping, PrometheusOptions};
use loopdrill_drill::{
    Budgets, Detectors, EventSender, EventStream, Options, Selection, Session, event_stream,
};
use loopdrill_faults::{Fault, catalogue, cloud_catalogue, journal};
use loopdrill_model::{ExitStatus, Loop, RunReport};
use loopdrill_observe::record::Tape;
use loopdrill_report::{Console, ConsoleOptions, Folds, OutputDir};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The detector whose signals can be recorded.
const BUILTIN: &str = "builtin";

/// Options of `loopdrill run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only this fault; `control` is the drill that injects nothing. Repeatable
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
    /// Only this variant. Repeatable
    #[arg(long, value_name = "VARIANT")]
    variant: Vec<String>,
    /// Only this loop. Repeatable
    #[arg(long = "loop", value_name = "LOOP", value_parser = control_loop)]
    control_loop: Vec<Loop>,
    /// Only drills of this group: canonical, decoys, dominoes or all. Repeatable
    /// [default: canonical, and whatever is named]
    #[arg(long, value_name = "GROUP", value_enum)]
    group: Vec<Groups>,
    /// The detector under test: builtin, prometheus (firing alerts), exec:COMMAND (which prints diagnoses as `loopdrill diagnose` does), or none
    /// (which must fail every drill). Repeatable; the first one decides, all are scored
    #[arg(long, value_name = "DETECTOR", default_value = "builtin")]
    detector: Vec<String>,
    /// Where `--detector prometheus` asks for alerts: http(s)://HOST:PORT, or NAMESPACE/SERVICE:PORT through the API
    /// server; also an Alertmanager [default: the lab's own]
    #[arg(long, value_name = "WHERE")]
    prometheus: Option<String>,
    /// What alerts without a `loop` label mean: a YAML file, `ALERT: {loop: LOOP, cause: CAUSE}` a line
    #[arg(long, value_name = "FILE")]
    alert_map: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Where events.jsonl, report.json and junit.xml go, and the kubeconfig of a lab that stays
    #[arg(long, value_name = "DIR", default_value = "report")]
    output_dir: PathBuf,
    /// Where the recording goes; recording.gz in the output directory by default
    #[arg(long, value_name = "FILE", conflicts_with = "no_record")]
    record: Option<PathBuf>,
    /// Record nothing
    #[arg(long)]
    no_record: bool,
    /// Run the readiness checklist before the first drill, and in the end hold its predictions against what happened
    #[arg(long)]
    check: bool,
    /// What to print on standard output in the end
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
    /// Skipped drills count as failures
    #[arg(long)]
    require: bool,
    /// How long the detector may take from the symptom to the right diagnosis, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    detect_within: u64,
    /// How long a fault may take to bite; a victim that is well after that has withstood it. In seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3600))]
    bite_within: u64,
    /// How long the control drill watches a cluster to which nothing is done, in seconds
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    control_for: u64,
    /// Say what would be done and to what, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Ask nothing (nothing is asked anyway; for scripts that pass it on)
    #[arg(long, hide = true)]
    yes: bool,
}

/// Who watches, and what it is written to.
struct Watch {
    detectors: Detectors,
    tape: Option<Tape>,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill run                                    all drills on a fresh lab, which goes afterwards
  loopdrill run --fault overlay-mtu --variant df   one drill
  loopdrill run --group decoys                     conditions that only look like the canonical faults
  loopdrill run --fault control --for 600          ten minutes in which nothing may be found
  loopdrill run --check                            also: which warnings of the checklist were right?
  loopdrill run --lab dev                          on the lab `dev`, which is made where it is missing and stays
  loopdrill run --with monitoring --detector builtin,prometheus
                                                   the lab's own alerts beside our detector
  loopdrill run --group all --with cloud-identity  all that there is, with the drills of a cloud account
  loopdrill run --detector builtin --detector 'exec:./adapter'
                                                   another tool beside ours, on one scoreboard
  loopdrill run --detector none                    what a cluster without monitoring would notice: nothing";

pub(crate) async fn main(args: Args) -> Result<ExitStatus, Failure> {
    let selection = Selection {
        faults: args.fault.clone(),
        variants: args.variant.clone(),
        loops: args.control_loop.clone(),
        groups: args.group.iter().flat_map(|g| g.all()).copied().collect(),
    };
    let control = selection.control();
    let mut known = catalogue();
    // Asked for by name, a drill of a cloud is skipped with the reason rather than unknown.
    let (has_cloud, named) = (args.cluster.has_cloud(), |v: &str| args.variant.iter().any(|n| n == v));
    known.extend(cloud_catalogue().into_iter().filter(|f| has_cloud || named(f.spec().variant)));
    let faults = selection.pick(known)?;
    let listed = listed(&args)?;
    if args.dry_run {
        return dry_run(&args, &faults).await;
    }
    let cancel = interrupt::token().map_err(|e| Failure::new(ExitStatus::NoCluster, &e))?;
    let dir = OutputDir::claim(&args.output_dir).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    let tape = tape(&args, &dir, listed.iter().any(|d| d.name() == BUILTIN))?;
    let watch = Watch { detectors: detectors(listed, tape.as_ref())?, tape: tape.clone() };
    let (events, stream) = event_stream();
    let reports = fold(stream, &Arc::new(dir), &args);
    let run = cluster::new_run_id();
    loopdrill_drill::announce(&events, &run, &faults, control, &watch.detectors.names());

    let mut readiness = Readiness::new(args.check, &args.output_dir);
    let report = drills(&args, &run, faults, control, watch, &events, cancel, &mut readiness).await;
    drop(events);
    let recorded = tape.map_or(Ok(()), |tape| tape.finish()).map_err(|e| Failure::new(ExitStatus::Usage, &e));
    let errors = reports.await.map_err(|e| Failure::new(ExitStatus::CleanupFailed, &e))?;
    let report = report?;
    readiness.conclude(&report.drills, args.output == OutputFormat::Human);
    if args.output == OutputFormat::Json {
        print!(
            "{}",
            loopdrill_report::report_json(&report).map_err(|e| Failure::new(ExitStatus::Usage, &e))?
        );
    }
    let exit = errors.iter().fold(report.exit, |exit, e| {
        eprintln!("error: {e}");
        exit.worst(e.exit())
    });
    Ok(recorded.map_or_else(|failure| exit.worst(failure.print()), |()| exit))
}

/// The run's recording: of what the built-in detector sees, so there is none without it.
fn tape(args: &Args, dir: &OutputDir, builtin: bool) -> Result<Option<Tape>, Failure> {
    let path = match &args.record {
        Some(path) if builtin => path.clone(),
        Some(_) => {
            return Err(Failure::usage(
                "--record writes down what the built-in detector sees; add --detector builtin",
            ));
        }
        None if args.no_record || !builtin => return Ok(None),
        None => dir.path().join(OutputDir::RECORDING),
    };
    Tape::create(&path).map(Some).map_err(|e| Failure::new(ExitStatus::Usage, &e))
}

/// The detectors that are asked for.
fn listed(args: &Args) -> Result<Vec<Arc<dyn Detector>>, Failure> {
    let mapping = args.alert_map.as_deref().map(Mapping::read).transpose();
    let prometheus = PrometheusOptions {
        from: args.prometheus.clone(),
        mapping: mapping.map_err(|e| Failure::new(ExitStatus::Usage, &e))?.unwrap_or_default(),
        budget: Duration::from_secs(args.detect_within),
    };
    let options = DetectorOptions { prometheus, exec: ExecOptions::default() };
    loopdrill_detect::by_names(&args.detector, &options).map_err(|e| Failure::new(ExitStatus::Usage, &e))
}

fn detectors(listed: Vec<Arc<dyn Detector>>, tape: Option<&Tape>) -> Result<Detectors, Failure> {
    let mut listed = listed.into_iter().map(|detector| -> Arc<dyn Detector> {
        match tape {
            Some(tape) if detector.name() == BUILTIN => Arc::new(Builtin::default().recorded(tape.clone())),
            _ => detector,
        }
    });
    let first = listed.next().ok_or_else(|| Failure::usage("name a detector with --detector"))?;
    Ok(Detectors::new(first, listed.collect()))
}

#[expect(clippy::too_many_arguments, reason = "everything that the run was made of, once")]
async fn drills(
    args: &Args,
    run: &str,
    faults: Vec<Arc<dyn Fault>>,
    control: bool,
    watch: Watch,
    events: &EventSender,
    cancel: CancellationToken,
    readiness: &mut Readiness<'_>,
) -> Result<RunReport, Failure> {
    let cluster = cluster::provide(&args.cluster, run, events, &cancel).await?;
    tokio::select! {
        () = readiness.before(&cluster, events) => {}
        () = cancel.cancelled() => {}
    }
    let session = session(args, &cluster, watch, events, cancel).await;
    let report = match session {
        Ok(session) => Ok(loopdrill_drill::run(session, faults, control).await),
        Err(e) => Err(Failure::from(e)),
    };
    if let Some(kubeconfig) = cluster.kept_kubeconfig() {
        events.progress(format!("the lab stays; KUBECONFIG={}", beside_the_run(args, kubeconfig).display()));
    }
    events.progress("giving the cluster back");
    let trouble = cluster.release().await.err();
    match report {
        Ok(report) => Ok(loopdrill_drill::conclude(events, report, trouble)),
        Err(failure) => Err(trouble.into_iter().fold(failure, Failure::and)),
    }
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

async fn session(
    args: &Args,
    cluster: &Cluster,
    watch: Watch,
    events: &EventSender,
    cancel: CancellationToken,
) -> Result<Session, loopdrill_drill::SessionError> {
    let budgets = Budgets {
        manifest: Duration::from_secs(args.bite_within),
        detect: Duration::from_secs(args.detect_within),
        control: Duration::from_secs(args.control_for),
        ..Budgets::default()
    };
    let options = Options { budgets, require: args.require, state_dir: journal::state_dir() };
    let target = Arc::clone(&cluster.target);
    let session =
        Session::start(target, &cluster.handle, watch.detectors, options, events.clone(), cancel).await?;
    Ok(session.recorded(watch.tape))
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

async fn dry_run(args: &Args, faults: &[Arc<dyn Fault>]) -> Result<ExitStatus, Failure> {
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
