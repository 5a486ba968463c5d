//! `loopdrill undo --context` and `loopdrill abort --context`: from any machine, with nothing but the cluster.

use super::who;
use crate::{Failure, kubeconfig};
use kube::Client;
use loopdrill_cluster::{Holder, LeaseError};
use loopdrill_faults::object::{Left, find_left};
use loopdrill_model::ExitStatus;
use std::{path::Path, time::Duration};
use tokio::time::{Instant, sleep};

/// How long a run that was asked to stop may take: an undo has its own limits, and a namespace takes its time.
const PATIENCE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_secs(1);

/// Undoes what dead runs have left in a cluster.
pub(crate) async fn undo(context: &str, file: Option<&Path>, dry_run: bool) -> Result<ExitStatus, Failure> {
    let client = kubeconfig::reach(context, file).await?.client;
    let holder = find_holder(&client, context).await?;
    if let Some(holder) = holder.as_ref().filter(|h| h.is_alive() && !dry_run) {
        return Err(Failure::usage(format!(
            "{holder} drills {context} now and undoes its own; to stop it: `loopdrill abort --context {context}`"
        )));
    }
    undo_all(&client, context, holder, dry_run).await
}

async fn undo_all(
    client: &Client,
    context: &str,
    holder: Option<Holder>,
    dry_run: bool,
) -> Result<ExitStatus, Failure> {
    let left = find_left(client).await.map_err(|e| Failure::new(ExitStatus::CleanupFailed, &e))?;
    let mut exit = ExitStatus::Ready;
    for one in &left {
        eprintln!("{context}: run {} left: {one}", one.run);
        if !dry_run {
            exit = exit.worst(undo_one(client, one).await);
        }
    }
    let probes = remove_probes(client, context, dry_run).await?;
    if dry_run || exit != ExitStatus::Ready {
        return Ok(exit);
    }
    if let Some(holder) = holder {
        holder.remove(client).await.map_err(|e| Failure::new(ExitStatus::CleanupFailed, &e))?;
    }
    match left.is_empty() && !probes {
        true => eprintln!("{context}: nothing is left to undo"),
        false => eprintln!("{context}: everything of ours is as it was"),
    }
    Ok(exit)
}

/// Removes what detectors of dead runs and looks have installed. Says whether there was anything.
async fn remove_probes(client: &Client, context: &str, dry_run: bool) -> Result<bool, Failure> {
    let failed = |e| Failure::new(ExitStatus::CleanupFailed, &e);
    let namespaces = loopdrill_observe::installed(client, None).await.map_err(failed)?;
    for namespace in &namespaces {
        eprintln!("{context}: left: a detector's probes, in Namespace {namespace}");
    }
    if !dry_run {
        loopdrill_observe::sweep(client, None).await.map_err(failed)?;
    }
    Ok(!namespaces.is_empty())
}

async fn undo_one(client: &Client, left: &Left) -> ExitStatus {
    match left.undo(client).await {
        Ok(of_others) => {
            for difference in of_others {
                eprintln!("  somebody else changed {} since, and it stays so: {difference}", left.object);
            }
            ExitStatus::Ready
        }
        Err(why) => {
            eprintln!("error: {left}: {why}");
            ExitStatus::CleanupFailed
        }
    }
}

async fn find_holder(client: &Client, context: &str) -> Result<Option<Holder>, Failure> {
    let status = |e: &LeaseError| match e {
        LeaseError::Api { source, .. } if matches!(&**source, kube::Error::Api(s) if s.code == 403) => {
            ExitStatus::NotAdmitted
        }
        _ => ExitStatus::NoCluster,
    };
    Holder::find(client).await.map_err(|e| Failure::new(status(&e), &e).before(&format!("context {context}")))
}

/// Asks the run that drills a cluster to stop, waits for its end, and undoes what it leaves.
pub(crate) async fn abort(context: &str, file: Option<&Path>) -> Result<ExitStatus, Failure> {
    let client = kubeconfig::reach(context, file).await?.client;
    let Some(holder) = find_holder(&client, context).await? else {
        eprintln!("{context}: no run drills it");
        return undo_all(&client, context, None, false).await;
    };
    eprintln!("{context}: asking {holder} to stop");
    let asked = Holder::ask_to_stop(&client, &format!("{}, with `loopdrill abort`,", who())).await;
    asked.map_err(|e| Failure::new(ExitStatus::CleanupFailed, &e))?;
    let end = Instant::now() + PATIENCE;
    loop {
        match find_holder(&client, context).await? {
            Some(now) if now.run == holder.run && now.is_alive() => {}
            // It has died, and cannot undo any more.
            Some(now) if now.run == holder.run => return undo_all(&client, context, Some(now), false).await,
            Some(next) => {
                eprintln!("{context}: it has stopped, and {next} drills there now");
                return Ok(ExitStatus::Ready);
            }
            None => return undo_all(&client, context, None, false).await,
        }
        if Instant::now() >= end {
            return Err(Failure::of(
                ExitStatus::CleanupFailed,
                format!(
                    "{holder} has not stopped within {} s; end its process where it runs, and then `loopdrill undo --context {context}`",
                    PATIENCE.as_secs()
                ),
            ));
        }
        sleep(POLL).await;
    }
}
