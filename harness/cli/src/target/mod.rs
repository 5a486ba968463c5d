//! A cluster that is not ours, known by its kubeconfig alone: seen, guarded, leased, and drilled within its fence.
//!
//! No container engine is asked for anything here.

mod facts;
mod left;
mod plan;
mod see;

pub(crate) use left::{abort, undo};
pub(crate) use plan::plan;
pub(crate) use see::{Sight, see};

use crate::{Failure, cluster::ClusterArgs};
use loopdrill_cluster::{ClusterHandle, LeaseError, RunLease, Target};
use loopdrill_drill::{EventSender, Refused};
use loopdrill_faults::object::find_left;
use loopdrill_fence::TargetFile;
use loopdrill_model::ExitStatus;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A cluster that is not ours, for the time of a run.
pub(crate) struct Foreign {
    pub(crate) target: Arc<Target>,
    pub(crate) handle: ClusterHandle,
    /// Drills that are not run here.
    pub(crate) refused: Refused,
    lease: Arc<RunLease>,
    watches: Vec<JoinHandle<()>>,
}

/// The context and the target file that were named.
pub(crate) struct Named<'a> {
    pub(crate) context: &'a str,
    pub(crate) kubeconfig: Option<&'a Path>,
    pub(crate) file: TargetFile,
}

impl<'a> Named<'a> {
    /// What the arguments name; `None` for a lab or a kind cluster.
    pub(crate) fn of(args: &'a ClusterArgs) -> Result<Option<Self>, Failure> {
        let (Some(context), Some(file)) = (&args.context, &args.target) else { return Ok(None) };
        let read = TargetFile::read(file, &loopdrill_drill::known());
        let file = read.map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
        Ok(Some(Self { context, kubeconfig: args.kubeconfig.as_deref(), file }))
    }

    fn handle(&self) -> ClusterHandle {
        ClusterHandle::Context { kubeconfig: self.kubeconfig.map(Into::into), name: self.context.into() }
    }
}

/// Refuses detectors that would look at another cluster (a command of the user's finds its cluster by the current context),
/// and those that would start pods on all nodes (one that is called in starts its own probes).
pub(crate) fn check_detectors(args: &ClusterArgs, names: &[&str]) -> Result<(), Failure> {
    let with_context = names.iter().filter(|_| args.context.is_some());
    for name in with_context {
        if name.starts_with("once:") {
            return Err(Failure::usage(format!(
                "{name} would start probe pods on all nodes; with --context a detector watches from the beginning"
            )));
        }
        if name.starts_with("exec:") {
            return Err(Failure::usage(format!(
                "{name} would look at the current context, which need not be the one that is drilled; with --context use \
                 builtin, prometheus or none"
            )));
        }
    }
    Ok(())
}

/// Guards, takes the Lease, and says what may be drilled. Until the Lease nothing is written.
pub(crate) async fn provide(
    named: &Named<'_>,
    run: &str,
    events: &EventSender,
    cancel: &CancellationToken,
) -> Result<Foreign, Failure> {
    let sight = see(named.context, named.kubeconfig).await?;
    guarded(&named.file, &sight)?;
    let facts = facts::facts(&named.file, &sight).await?;
    let refused = facts::refused(&named.file, &sight, &facts, run);
    let lease = RunLease::acquire(&sight.client, run, &who()).await.map_err(|e| held(named.context, &e))?;
    let lease = Arc::new(lease);
    let target = Target {
        name: named.context.into(),
        client: sight.client,
        nodes: None,
        image: named.file.image.name.clone(),
        run: run.into(),
        facts: Arc::new(facts),
        kubeconfig: named.kubeconfig.map(Into::into),
    };
    let watches = vec![
        tokio::spawn(keep(Arc::clone(&lease), events.clone(), cancel.clone())),
        tokio::spawn(end_after(named.file.blast_radius.minutes, events.clone(), cancel.clone())),
    ];
    Ok(Foreign { target: Arc::new(target), handle: named.handle(), refused, lease, watches })
}

/// Refuses what is not the file's cluster.
pub(crate) fn guarded(file: &TargetFile, sight: &Sight) -> Result<(), Failure> {
    let today = jiff::Zoned::now().date();
    loopdrill_fence::guard(file, &sight.seen, today).map_err(|e| Failure::new(ExitStatus::Usage, &e))
}

/// Who drills, for those who find the Lease.
fn who() -> String {
    let user = std::env::var("USER").ok().filter(|u| !u.is_empty()).unwrap_or_else(|| "somebody".into());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{user}@{} (process {})", host.trim(), std::process::id())
}

fn held(context: &str, error: &LeaseError) -> Failure {
    let status = match error {
        LeaseError::Held(_) | LeaseError::Dead(_) => ExitStatus::Usage,
        LeaseError::Api { source, .. } => match &**source {
            kube::Error::Api(status) if status.code == 403 => ExitStatus::NotAdmitted,
            _ => ExitStatus::NoCluster,
        },
    };
    Failure::new(status, error).before(&format!("context {context}"))
}

/// Renews the Lease, and ends the run when somebody asks for that.
async fn keep(lease: Arc<RunLease>, events: EventSender, cancel: CancellationToken) {
    let why = lease.keep().await;
    events.progress(format!("{why}: undoing and cleaning up"));
    cancel.cancel();
}

/// Ends the run when its time is over.
async fn end_after(minutes: u64, events: EventSender, cancel: CancellationToken) {
    tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
    events.progress(format!(
        "the target file allows {minutes} minutes, and they are over: undoing and cleaning up"
    ));
    cancel.cancel();
}

impl Foreign {
    /// Looks that nothing is left, and gives the Lease back. Where something is left the Lease stays, so that no other run
    /// begins.
    pub(crate) async fn release(self) -> Result<(), String> {
        self.watches.iter().for_each(JoinHandle::abort);
        let (client, context) = (&self.target.client, &self.target.name);
        let left = find_left(client).await.map_err(|e| e.to_string())?;
        let mine: Vec<_> =
            left.iter().filter(|l| l.run == self.target.run).map(ToString::to_string).collect();
        if !mine.is_empty() {
            return Err(format!("left: {}; run `loopdrill undo --context {context}`", mine.join(", ")));
        }
        self.lease.release().await.map_err(|e| e.to_string())
    }
}
