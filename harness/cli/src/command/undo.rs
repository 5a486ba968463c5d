//! `loopdrill undo`.

use crate::Failure;
use loopdrill_faults::{
    Change, Means,
    journal::{self, Found, Journal},
};
use loopdrill_lab::LabError;
use loopdrill_model::ExitStatus;
use loopdrill_target::ClusterHandle;
use std::{path::Path, sync::Arc};

/// Options of `loopdrill undo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Needs nothing but the journal and the cluster's engine; changes of nodes are undone without the API server, \
changes of a cloud account with the credentials that the run had."
)]
pub(crate) struct Args {
    /// Only say what is left
    #[arg(long)]
    dry_run: bool,
    /// Undo all that can be read of a damaged journal
    #[arg(long)]
    ignore_damage: bool,
}

pub(crate) async fn main(args: Args) -> Result<ExitStatus, Failure> {
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
    let left = match means(&found).await? {
        Some(means) => {
            let left = loopdrill_drill::undo_journal(&means, &journal).await?;
            remove_observers(&means, &found.run).await?;
            left
        }
        None => {
            eprintln!("{} does not exist any more, and with it what was changed there", found.cluster);
            for p in pending.iter().filter(|p| went_with_it(&p.change)) {
                journal.undo_ended(&p.id, Ok(()))?;
            }
            let client = Err("the cluster does not exist any more".into());
            loopdrill_drill::undo_journal(&Means { client, nodes: None }, &journal).await?
        }
    };
    for l in &left {
        eprintln!("error: {}: {}", l.change, l.why);
    }
    if left.is_empty() {
        eprintln!("{}: everything is as it was", found.cluster);
        return Ok(ExitStatus::Ready);
    }
    Ok(ExitStatus::CleanupFailed)
}

/// What was changed in a cloud of its own outlives the cluster.
fn went_with_it(change: &Change) -> bool {
    !matches!(change, Change::Cloud(c) if !c.cloud.of_lab)
}

/// What the dead run's detector had installed carries its label and is in no journal.
async fn remove_observers(means: &Means, run: &str) -> Result<(), Failure> {
    let Ok(client) = &means.client else { return Ok(()) };
    let removed = loopdrill_observe::sweep(client, Some(run)).await;
    removed.map(drop).map_err(|e| Failure::new(ExitStatus::CleanupFailed, &e))
}

/// Access to the cluster of a journal; `None` when the cluster is gone altogether.
async fn means(found: &Found) -> Result<Option<Means>, Failure> {
    let name = match &found.cluster {
        ClusterHandle::Lab { name } | ClusterHandle::Kind { name } => name,
        ClusterHandle::Context { name, .. } => {
            return Err(Failure::usage(format!(
                "this build cannot reach context {name}; use the one that made the journal"
            )));
        }
    };
    match loopdrill_lab::reach(name).await {
        Ok((client, nodes)) => {
            let client = client.map_err(|e| e.to_string());
            Ok(Some(Means { client, nodes: Some(Arc::new(nodes)) }))
        }
        Err(LabError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}
