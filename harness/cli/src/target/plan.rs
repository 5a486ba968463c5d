//! What a run would do to a cluster that is not ours: what, where, who holds it, who undoes it, for how long.

use super::{Named, facts, guarded, see};
use crate::{Failure, cluster::new_run_id};
use loopdrill_cluster::{ClusterFacts, Holder};
use loopdrill_drill::{Refused, ask_for_rights, namespace_of, preflight_id, try_namespace};
use loopdrill_faults::Fault;
use loopdrill_model::{Capability, ExitStatus, FaultId};
use std::{sync::Arc, time::Duration};

/// Prints the plan. Nothing is written to the cluster, not even for a moment.
pub(crate) async fn plan(
    named: &Named<'_>,
    faults: &[Arc<dyn Fault>],
    in_force: Duration,
) -> Result<ExitStatus, Failure> {
    let run = new_run_id();
    let sight = see(named.context, named.kubeconfig).await?;
    guarded(&named.file, &sight)?;
    let facts = facts::facts(&named.file, &sight).await?;
    let mut refused = facts::refused(&named.file, &sight, &facts, &run);
    let open = |refused: &Refused| -> Vec<FaultId> {
        let can = faults.iter().filter(|f| f.spec().needs.iter().all(|c| facts.has(c)));
        can.map(|f| f.spec().id()).filter(|id| !refused.contains_key(id)).collect()
    };
    let unasked = |e: kube::Error| Failure::new(ExitStatus::NoCluster, &e);
    refused.extend(ask_for_rights(&sight.client, &open(&refused)).await.map_err(unasked)?);
    let left = open(&refused);
    if let (false, Some(fence)) = (left.is_empty(), &facts.fence) {
        let name = namespace_of(&preflight_id(), &run);
        if let Err(why) = try_namespace(&sight.client, &name, fence).await {
            refused.extend(left.into_iter().map(|id| (id, (Capability::Admission, why.clone()))));
        }
    }
    if let Some(holder) = Holder::find(&sight.client).await.ok().flatten() {
        println!("not now: {holder} has the Lease of this cluster\n");
    }
    head(named, faults.len(), &sight.seen.uid);
    for fault in faults {
        print(&**fault, &facts, &refused, named, in_force);
    }
    let not_admitted = faults.iter().any(|f| is_not_admitted(&refused, &f.spec().id()));
    Ok(if not_admitted { ExitStatus::NotAdmitted } else { ExitStatus::Ready })
}

fn is_not_admitted(refused: &Refused, id: &FaultId) -> bool {
    matches!(refused.get(id), Some((Capability::Admission, _)))
}

fn head(named: &Named<'_>, count: usize, uid: &str) {
    let (context, minutes) = (named.context, named.file.blast_radius.minutes);
    let probes = match named.file.probes {
        true => {
            "beside them: the built-in detector's probes, a small pod or two on each node, in a namespace of their own\n"
        }
        false => "",
    };
    println!(
        "{count} drill(s) on context {context} (cluster {uid}, {}), for {minutes} minutes at most\n\
         before them: a Lease default/loopdrill, and an empty namespace {} in which all that is created is tried as a dry \
         run\n{probes}from anywhere: `loopdrill abort --context {context}` ends it, `loopdrill undo --context {context}` undoes what a \
         dead run left\n",
        named.file.environment,
        namespace_of(&preflight_id(), "RUN"),
    );
}

fn print(fault: &dyn Fault, facts: &ClusterFacts, refused: &Refused, named: &Named<'_>, in_force: Duration) {
    let spec = fault.spec();
    let id = spec.id();
    println!("{id} ({}): {}", spec.expectation().control_loop().map_or("silence", |l| l.name()), spec.title);
    if let Some(missing) = spec.needs.iter().find(|c| !facts.has(c)) {
        let why = facts.capabilities.get(missing).and_then(|r| r.clone().err()).unwrap_or_default();
        println!("  skipped: it needs {missing}{}{why}", if why.is_empty() { "" } else { ": " });
        return;
    }
    match refused.get(&id) {
        Some((Capability::Admission, why)) => return println!("  not admitted: {why}"),
        Some((_, why)) => return println!("  not allowed: {why}"),
        None => {}
    }
    fault.dry_run(facts).iter().for_each(|line| println!("  - {line}"));
    let broken: Vec<_> = fault.footprint(facts).broken().map(ToString::to_string).collect();
    let broken = if broken.is_empty() { "nothing but its own namespace".into() } else { broken.join(", ") };
    println!(
        "  where: namespace {}, made for it; it touches {broken}\n  held by: {}\n  undone by: this \
         process, from its journal; else by `loopdrill undo --context {}`, from the cluster alone\n  in force for: {} s at \
         most",
        namespace_of(&id, "RUN"),
        fault.held_by(),
        named.context,
        in_force.as_secs()
    );
}
