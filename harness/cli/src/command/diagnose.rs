//! `loopdrill diagnose`: watches a cluster, injects nothing, and says what is wrong with it.

use crate::{
    Failure, cluster, interrupt,
    names::OutputFormat,
    show::{print_change, print_document, span},
    subject::{Subject, SubjectArgs},
};
use loopdrill_detect::{Builtin, Told};
use loopdrill_model::{Diagnoses, ExitStatus, Subject as About};
use loopdrill_observe::{ObserveOptions, record::Tape};
use loopdrill_report::Timeline;
use std::{path::PathBuf, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long the API server may take to list everything; after that, what there is must do.
const LISTING: Duration = Duration::from_secs(6);
/// `--once`: rates need a few readings of counters.
const COUNTERS: Duration = Duration::from_secs(4);
/// Between two scrapes of the API server, whose metrics are megabytes: this may go on for days.
const APISERVER: Duration = Duration::from_secs(3);
/// `--once`: what is too young to be called wrong gets this much more time to grow up.
const GROW_UP: Duration = Duration::from_secs(5);
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
  loopdrill diagnose --lab dev --for 60s --record incident.gz

Exit codes: 0 no finding, 1 findings, 2 usage, 3 no cluster, 130 interrupted before its time";

pub(crate) async fn main(args: Args) -> Result<ExitStatus, Failure> {
    let cancel = interrupt::token().map_err(|e| Failure::new(ExitStatus::NoCluster, &e))?;
    let tape = args.record.as_deref().map(Tape::create).transpose();
    let tape = tape.map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    let subject = Subject::of(&args.subject, cluster::new_run_id()).await?;
    let watched = watch_it(&args, &subject, tape.clone(), &cancel).await;
    let released = subject.release().await;
    let recorded = tape.map_or(Ok(()), |t| t.finish()).map_err(|e| Failure::new(ExitStatus::Usage, &e));
    let timeline = match (watched, released) {
        (Ok(timeline), Ok(())) => timeline,
        (Ok(_), Err(left)) => return Err(Failure::of(ExitStatus::CleanupFailed, left)),
        (Err(failure), released) => return Err(released.err().into_iter().fold(failure, Failure::and)),
    };
    if args.output == OutputFormat::Json {
        print_document(&timeline)?;
    } else {
        sum_up(&timeline);
    }
    recorded?;
    if cancel.is_cancelled() && timeline.as_of().is_none() {
        eprintln!("interrupted before anything was judged");
        return Ok(ExitStatus::Interrupted);
    }
    if !timeline.found() && !timeline.working().any(|s| s == "api:pods" || s.starts_with("api:pods/")) {
        return Err(blind(&timeline, args.namespace.as_deref()));
    }
    let early = cancel.is_cancelled() && (args.once || args.duration.is_some());
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

fn sum_up(timeline: &Timeline) {
    match (timeline.found(), timeline.as_of()) {
        (false, Some(_)) if timeline.working().any(|s| s.starts_with("api:pods")) => println!("no finding"),
        _ => {}
    }
}

/// Watches until it is time to stop.
async fn watch_it(
    args: &Args,
    subject: &Subject,
    tape: Option<Tape>,
    cancel: &CancellationToken,
) -> Result<Timeline, Failure> {
    let options = ObserveOptions {
        probes: subject.probes,
        namespace: args.namespace.clone(),
        apiserver_interval: APISERVER,
        ..ObserveOptions::default()
    };
    let (tell, told) = mpsc::unbounded_channel();
    let mut detector = Builtin::new(options).telling(tell).make_do_after(LISTING);
    if let Some(tape) = tape {
        detector = detector.recorded(tape);
    }
    let (out, _findings) = watch::channel(Diagnoses::default());
    let (ready, _is_ready) = oneshot::channel();
    let stop = CancellationToken::new();
    let (target, ended) = (subject.target.clone(), stop.clone());
    let task = tokio::spawn(async move { detector.watch(target, out, ready, &ended).await });
    if args.output == OutputFormat::Human {
        eprintln!("watching {}", subject.name);
    }
    let mut listener = Listener { args, timeline: Timeline::default(), told, lacks_told: false };
    listener.listen(cancel).await;
    stop.cancel();
    let failed = |why: String| Failure::of(ExitStatus::CleanupFailed, why);
    match timeout(STOPPING, task).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => return Err(failed(error.to_string())),
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed("the observer did not stop".into())),
    }
    while let Ok(told) = listener.told.try_recv() {
        listener.take(told);
    }
    Ok(listener.timeline)
}

struct Listener<'a> {
    args: &'a Args,
    timeline: Timeline,
    told: mpsc::UnboundedReceiver<Told>,
    lacks_told: bool,
}

impl Listener<'_> {
    async fn listen(&mut self, cancel: &CancellationToken) {
        let began = Instant::now();
        let mut end = self.args.duration.map(|d| began + d);
        let mut judged_since: Option<Instant> = None;
        let mut unsettled = false;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = sleep_until(end.unwrap_or(began)), if end.is_some() => {
                    let grown_up = judged_since.is_some_and(|t| t.elapsed() >= COUNTERS + GROW_UP);
                    if !self.args.once || !unsettled || grown_up {
                        return;
                    }
                    end = judged_since.map(|t| (Instant::now() + Duration::from_millis(200)).min(t + COUNTERS + GROW_UP));
                }
                told = self.told.recv() => {
                    let Some(told) = told else { return };
                    if let Told::Judged { unsettled: young, .. } = told {
                        unsettled = young;
                        let since = *judged_since.get_or_insert_with(Instant::now);
                        if self.args.once && end.is_none() {
                            end = Some(since + COUNTERS);
                        }
                    }
                    self.take(told);
                }
            }
            self.tell_lacks(judged_since);
        }
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Source(state) => self.timeline.source(&state),
            Told::Judged { mut document, .. } => {
                if let Some(namespace) = &self.args.namespace {
                    document.diagnoses.retain(|d| concerns(namespace, &d.subjects));
                }
                for change in self.timeline.take(&document) {
                    if self.args.output == OutputFormat::Human {
                        print_change(&change);
                    }
                }
            }
        }
    }

    /// Once, a moment after everything had its chance: which signals there are none of.
    fn tell_lacks(&mut self, judged_since: Option<Instant>) {
        let soon = judged_since.is_some_and(|t| t.elapsed() >= Duration::from_secs(2));
        if self.lacks_told || !soon || self.args.output != OutputFormat::Human {
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
    use loopdrill_model::{Source, signal::SourceState};

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
