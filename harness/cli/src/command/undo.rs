//! `loopdrill undo`.

use crate::{Failure, kubeconfig, target};
use loopdrill_cluster::ClusterHandle;
use loopdrill_faults::{
    Change, UndoAccess,
    journal::{self, Found, Journal},
};
use loopdrill_lab::LabError;
use loopdrill_model::ExitStatus;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Options of `loopdrill undo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "With --context, needs nothing but the cluster: all that carries a run's label or annotation there is undone, so not \
while a run goes on that holds no Lease, as those on labs do; probes of a `diagnose --probes` that looks at it just then go, too. \
Without it, needs nothing but the journal and the cluster's engine; changes of nodes are undone without the API server, \
changes of a cloud account with the credentials that the run had."
)]
pub(crate) struct Args {
    /// Only say what is left
    #[arg(long)]
    dry_run: bool,
    /// Undo all that can be read of a damaged journal
    #[arg(long)]
    ignore_damage: bool,
    /// Undo in the cluster of this context, from the cluster alone: on any machine, without the journal
    #[arg(long, value_name = "NAME", conflicts_with = "ignore_damage")]
    context: Option<String>,
    /// The kubeconfig, instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE", requires = "context")]
    kubeconfig: Option<PathBuf>,
}

pub(crate) async fn main(args: Args) -> Result<ExitStatus, Failure> {
    if let Some(context) = &args.context {
        let exit = target::undo(context, args.kubeconfig.as_deref(), args.dry_run).await?;
        return if args.dry_run { Ok(exit) } else { forget(context, exit) };
    }
    let mut exit = ExitStatus::Ready;
    let journals = journal::list(&journal::state_dir())?;
    for path in &journals {
        exit = exit.worst(undo(path, &args).await?);
    }
    if journals.is_empty() {
        eprintln!("nothing is left to undo");
    }
    Ok(exit)
}

/// What the cluster alone told is undone, so a journal of this machine about it has nothing more to tell.
fn forget(context: &str, exit: ExitStatus) -> Result<ExitStatus, Failure> {
    if exit != ExitStatus::Ready {
        return Ok(exit);
    }
    for path in journal::list(&journal::state_dir())? {
        let Some((journal, found)) = Journal::recover(&path)? else { continue };
        if matches!(&found.cluster, ClusterHandle::Context { name, .. } if name == context) {
            for pending in journal.pending() {
                journal.undo_ended(&pending.id, Ok(()))?;
            }
            journal.close()?;
        }
    }
    Ok(exit)
}

async fn undo(path: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    let Some((journal, found)) = Journal::recover(path)? else {
        std::fs::remove_file(path).map_err(|e| Failure::new(ExitStatus::CleanupFailed, &e))?;
        return Ok(ExitStatus::Ready);
    };
    let pending = journal.pending();
    eprintln!("{}: run {} left {} change(s)", found.cluster, found.run, pending.len());
    for p in &pending {
        eprintln!("  {}: {}", p.drill, p.change);
    }
    let mut damage = ExitStatus::Ready;
    for flaw in &found.damage {
        eprintln!("error: {flaw}");
        damage = ExitStatus::CleanupFailed;
    }
    if args.dry_run || (damage != ExitStatus::Ready && !args.ignore_damage) {
        return Ok(damage);
    }
    let left = match access(&found).await? {
        Some(access) => {
            let left = loopdrill_drill::undo_journal(&access, &journal).await?;
            remove_observers(&access, &found.run).await?;
            left
        }
        None => {
            eprintln!("{} does not exist any more, and with it what was changed there", found.cluster);
            for p in pending.iter().filter(|p| went_with_it(&p.change)) {
                journal.undo_ended(&p.id, Ok(()))?;
            }
            let client = Err("the cluster does not exist any more".into());
            loopdrill_drill::undo_journal(&UndoAccess { client, nodes: None }, &journal).await?
        }
    };
    for l in &left {
        eprintln!("error: {}: {}", l.change, l.why);
    }
    if left.is_empty() {
        eprintln!("{}: everything is as it was", found.cluster);
        if let ClusterHandle::Context { name, kubeconfig } = &found.cluster {
            return target::undo(name, kubeconfig.as_deref(), false).await;
        }
        return Ok(ExitStatus::Ready);
    }
    Ok(ExitStatus::CleanupFailed)
}

/// What was changed in a cloud of its own outlives the cluster.
fn went_with_it(change: &Change) -> bool {
    !matches!(change, Change::Cloud(c) if !c.cloud.of_lab)
}

/// What the dead run's detector had installed carries its label and is in no journal.
async fn remove_observers(access: &UndoAccess, run: &str) -> Result<(), Failure> {
    let Ok(client) = &access.client else { return Ok(()) };
    let removed = loopdrill_observe::sweep(client, Some(run)).await;
    removed.map(drop).map_err(|e| Failure::new(ExitStatus::CleanupFailed, &e))
}

/// Access to the cluster of a journal; `None` when the cluster is gone altogether.
async fn access(found: &Found) -> Result<Option<UndoAccess>, Failure> {
    let name = match &found.cluster {
        ClusterHandle::Lab { name } | ClusterHandle::Kind { name } => name,
        ClusterHandle::Context { name, kubeconfig } => {
            let client = kubeconfig::reach(name, kubeconfig.as_deref()).await?.client;
            return Ok(Some(UndoAccess { client: Ok(client), nodes: None }));
        }
    };
    match loopdrill_lab::reach(name).await {
        Ok((client, nodes)) => {
            let client = client.map_err(|e| e.to_string());
            Ok(Some(UndoAccess { client, nodes: Some(Arc::new(nodes)) }))
        }
        Err(LabError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}
