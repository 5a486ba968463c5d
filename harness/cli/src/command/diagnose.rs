//! `loopdrill diagnose`: watches a cluster, injects nothing, and says what is wrong with it.
//!
//! Invariant: what was found is told before anything is cleaned up, and the clean-up is told as its own trouble.

mod silence;

use crate::{
    Failure, cluster, interrupt,
    names::OutputFormat,
    show::{print_change, print_document, print_found, span},
    subject::{Subject, SubjectArgs},
};
use loopdrill_detect::{Builtin, DetectError, OneLook, Told};
use loopdrill_model::{Diagnoses, ExitStatus, Source, Subject as About, signal::SourceState};
use loopdrill_observe::{ObserveOptions, record::RecordingWriter};
use loopdrill_report::Timeline;
use std::{path::PathBuf, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long stopping may take: our pods, if any, must go.
const STOPPING: Duration = Duration::from_secs(60);

/// Options of `loopdrill diagnose`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Stop after this time (`90s`, `10m`); without it, on Ctrl-C
    #[arg(long = "for", value_name = "TIME", value_parser = span, conflicts_with = "once")]
    duration: Option<Duration>,
    /// Stop after a few seconds: what the present state and recent events already prove
    #[arg(long)]
    once: bool,
    /// Do not read logs: of failing containers only the status counts. What a log says is never kept or shown
    #[arg(long)]
    no_logs: bool,
    /// Only findings about this namespace, or about what all share: nodes, links, the control plane
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// How to print it; JSON is printed once, in the end
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
    /// Record what is observed, for `loopdrill replay`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill diagnose --context prod --once            what is wrong now; nothing is changed in the cluster
  loopdrill diagnose --context prod --namespace shop  live, for one namespace; a kubeconfig with few rights will do
  loopdrill diagnose --context prod --once --no-logs   without the right to read logs (`loopdrill rbac --diagnose`)
  loopdrill diagnose --lab dev --for 60s --record incident.gz

Exit codes: 0 no finding, 1 findings, 2 usage, 3 no cluster, 130 interrupted before its time";

pub(crate) async fn main(args: Args) -> Result<ExitStatus, Failure> {
    let cancel = interrupt::token().map_err(|e| Failure::new(ExitStatus::NoCluster, &e))?;
    let recording = args.record.as_deref().map(RecordingWriter::create).transpose();
    let recording = recording.map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    let subject = Subject::of(&args.subject, cluster::new_run_id()).await?;
    let mut watching = Watching::start(&args, &subject, recording.clone());
    watching.listen(&cancel).await;
    let told = tell(&args, &watching.timeline);
    let status = verdict(&args, &watching.timeline, cancel.is_cancelled());
    let mut troubles = Vec::from_iter(watching.stop().await.err());
    troubles.extend(subject.release().await.err());
    let recorded = recording.map_or(Ok(()), |t| t.finish()).map_err(|e| Failure::new(ExitStatus::Usage, &e));
    match (troubles.is_empty(), status) {
        (true, status) => told.and(recorded).and(status),
        (false, Err(failure)) => Err(troubles.into_iter().fold(failure, Failure::and)),
        (false, Ok(_)) => Err(Failure::of(ExitStatus::CleanupFailed, troubles.join("; and then: "))),
    }
}

/// Tells what was found, before anything that may fail.
fn tell(args: &Args, timeline: &Timeline) -> Result<(), Failure> {
    match (args.output, timeline.found()) {
        (OutputFormat::Json, _) => print_document(timeline),
        (_, true) => {
            // Live, each was told when it came.
            if args.once {
                print_found(timeline);
                lacks(timeline).iter().for_each(|line| eprintln!("{line}"));
            }
            Ok(())
        }
        (_, false) => {
            if timeline.as_of().is_some() && sees_pods(timeline) {
                println!("{}", silence::no_finding(timeline, &silence::Asked::of(args)));
            }
            Ok(())
        }
    }
}

fn sees_pods(timeline: &Timeline) -> bool {
    timeline.working().any(|s| s == "api:pods" || s.starts_with("api:pods/"))
}

/// The exit code by what was found.
fn verdict(args: &Args, timeline: &Timeline, cancelled: bool) -> Result<ExitStatus, Failure> {
    if cancelled && timeline.as_of().is_none() {
        eprintln!("interrupted before anything was judged");
        return Ok(ExitStatus::Interrupted);
    }
    if !timeline.found() && !sees_pods(timeline) {
        return Err(blind(timeline, args.namespace.as_deref()));
    }
    let early = cancelled && (args.once || args.duration.is_some());
    Ok(match timeline.found() {
        true => ExitStatus::NotReady,
        false if early => ExitStatus::Interrupted,
        false if timeline.as_of().is_none() => ExitStatus::NoCluster,
        false => ExitStatus::Ready,
    })
}

/// Silence of somebody who sees no pod proves nothing.
fn blind(timeline: &Timeline, namespace: Option<&str>) -> Failure {
    let document = timeline.document();
    let why =
        document.lacking.iter().find(|l| l.source.starts_with("api:pods")).map_or("no answer", |l| l.why);
    let next = match namespace {
        None if why.contains("forbidden") => {
            "; name a namespace that it may look into: --namespace NAMESPACE"
        }
        Some(_) if why.contains("forbidden") => {
            "; it needs at least the ClusterRole `view` in that namespace"
        }
        _ => "",
    };
    Failure::of(ExitStatus::NoCluster, format!("pods could not be listed: {why}{next}"))
}

/// A detector at work, and what it told so far.
struct Watching<'a> {
    args: &'a Args,
    timeline: Timeline,
    told: mpsc::UnboundedReceiver<Told>,
    lacks_told: bool,
    /// Where one look is all that is asked for.
    look: Option<OneLook>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), DetectError>>,
}

impl<'a> Watching<'a> {
    fn start(args: &'a Args, subject: &Subject, recording: Option<RecordingWriter>) -> Self {
        let options = ObserveOptions {
            probes: subject.probes,
            logs: !args.no_logs,
            namespace: args.namespace.clone(),
            ..OneLook::options()
        };
        let (tell, told) = mpsc::unbounded_channel();
        let mut detector = Builtin::of_a_look(options).telling(tell);
        if let Some(recording) = recording {
            detector = detector.recorded(recording);
        }
        let (out, _findings) = watch::channel(Diagnoses::default());
        let (ready, _is_ready) = oneshot::channel();
        let stop = CancellationToken::new();
        let (target, ended) = (subject.target.clone(), stop.clone());
        let task = tokio::spawn(async move { detector.watch(target, out, ready, &ended).await });
        if args.output == OutputFormat::Human {
            eprintln!("watching {}", subject.name);
        }
        let look = args.once.then(OneLook::begin);
        Self { args, timeline: Timeline::default(), told, lacks_told: false, look, stop, task }
    }

    /// Stops the detector, which removes what it installed.
    async fn stop(self) -> Result<(), String> {
        self.stop.cancel();
        match timeout(STOPPING, self.task).await {
            Ok(Ok(ended)) => ended.map_err(|e| e.to_string()),
            Ok(Err(died)) => Err(died.to_string()),
            Err(_) => Err(format!(
                "the observer did not stop within {} s; `loopdrill undo` removes what it may have left",
                STOPPING.as_secs()
            )),
        }
    }

    /// Watches until it is time to stop.
    async fn listen(&mut self, cancel: &CancellationToken) {
        let began = Instant::now();
        let mut judged_since: Option<Instant> = None;
        loop {
            let end = self.look.as_ref().map_or(self.args.duration.map(|d| began + d), OneLook::end);
            tokio::select! {
                () = cancel.cancelled() => break,
                () = sleep_until(end.unwrap_or(began)), if end.is_some() => {
                    if self.look.as_mut().is_none_or(OneLook::is_over) {
                        break;
                    }
                }
                told = self.told.recv() => {
                    let Some(told) = told else { break };
                    if matches!(told, Told::Judged { .. }) {
                        judged_since.get_or_insert_with(Instant::now);
                    }
                    self.take(told);
                }
            }
            self.tell_lacks(judged_since);
        }
        while let Ok(told) = self.told.try_recv() {
            self.take(told);
        }
        self.cut();
    }

    /// Says that some answers are missing.
    fn cut(&mut self) {
        let Some(open) = self.look.as_ref().map(OneLook::open).filter(|open| *open > 0) else { return };
        let why = format!(
            "{open} questions about failing containers (logs, rights) had no answer in time; --for 60s waits longer"
        );
        self.timeline.source(&SourceState { name: Source::other("logs"), lost: Some(why) });
    }

    fn take(&mut self, told: Told) {
        if let Some(look) = &mut self.look {
            look.told(&told);
        }
        match told {
            Told::Source(state) => self.timeline.source(&state),
            Told::Judged { mut document, examined, .. } => {
                self.timeline.examined(examined);
                if let Some(namespace) = &self.args.namespace {
                    document.diagnoses.retain(|d| concerns(namespace, &d.subjects));
                }
                let changes = self.timeline.take(&document);
                // Once, all of it is told in the end, what is surest first.
                if self.args.output == OutputFormat::Human && !self.args.once {
                    changes.iter().for_each(print_change);
                }
            }
        }
    }

    /// Once, a moment after everything had its chance: which signals there are none of.
    fn tell_lacks(&mut self, judged_since: Option<Instant>) {
        let soon = judged_since.is_some_and(|t| t.elapsed() >= Duration::from_secs(2));
        // Once, they are told beside what was found.
        if self.lacks_told || !soon || self.args.once || self.args.output != OutputFormat::Human {
            return;
        }
        self.lacks_told = true;
        lacks(&self.timeline).iter().for_each(|line| eprintln!("{line}"));
    }
}

/// Which signals are not to be had, in a few lines.
fn lacks(timeline: &Timeline) -> Vec<String> {
    let (mut refused, mut narrowed, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for lack in timeline.document().lacking {
        let in_one = format!("{}/", lack.source);
        let name = lack.source.trim_start_matches("api:");
        if lack.source.starts_with("api:") && name.contains('/') {
            // It is lacking in one namespace as in all.
            continue;
        }
        if timeline.working().any(|works| works.starts_with(&in_one)) {
            narrowed.push(name);
        } else if lack.why.contains("forbidden") {
            refused.push(name);
        } else {
            lines.push(format!("without {}: {}", lack.source, lack.why));
        }
    }
    if !narrowed.is_empty() {
        lines.push(format!("in one namespace only: {}", narrowed.join(", ")));
    }
    if !refused.is_empty() {
        lines.push(format!("without what this account may not read: {}", refused.join(", ")));
    }
    lines
}

/// Whether it is about this namespace, or about no namespace at all.
fn concerns(namespace: &str, subjects: &[About]) -> bool {
    subjects.iter().all(|s| s.namespace.is_empty()) || subjects.iter().any(|s| s.namespace == namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_takes_a_line_a_kind() {
        let mut timeline = Timeline::default();
        let mut tell = |name: &str, lost: Option<&str>| {
            let lost = lost.map(Into::into);
            timeline.source(&SourceState { name: Source::other(name), lost });
        };
        tell("agents", Some("probes were not asked for"));
        for resource in ["api:nodes", "api:pods", "api:events"] {
            tell(resource, Some("nodes is forbidden: User u cannot list"));
        }
        tell("api:pods/shop", None);
        assert_eq!(
            lacks(&timeline),
            [
                "without agents: probes were not asked for",
                "in one namespace only: pods",
                "without what this account may not read: events, nodes",
            ]
        );
    }

    #[test]
    fn a_namespace_is_concerned_by_its_own_and_by_what_all_share() {
        let about = |kind: &str, namespace: &str| About::new(kind, namespace, "x");
        assert!(concerns("shop", &[about("Pod", "shop")]));
        assert!(concerns("shop", &[about("Node", "")]));
        assert!(concerns("shop", &[about("Pod", "other"), about("Pod", "shop")]));
        assert!(!concerns("shop", &[about("Pod", "other")]));
        assert!(!concerns("shop", &[about("Pod", "other"), about("Node", "")]));
    }
}
