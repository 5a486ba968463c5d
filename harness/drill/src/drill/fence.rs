//! The last look at a plan before it is put in force on a cluster that is not ours: no more pods than are allowed, and
//! nothing that could not be undone from another machine.

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use loopdrill_cluster::RUN_LABEL;
use loopdrill_faults::{
    Change, FaultContext,
    object::{ObjectChange, is_within_reach},
};
use serde_json::Value;

/// What a trigger may add: a victim is scaled up by one.
const TRIGGER: usize = 1;

/// Whether `plan` may be put in force.
pub(super) async fn check(ctx: &FaultContext, plan: &[Change]) -> Result<(), String> {
    let Some(fence) = &ctx.target.facts.fence else { return Ok(()) };
    if let Some(change) = plan.iter().find(|c| !can_be_found(c, &ctx.namespace)) {
        return Err(format!(
            "it would {change}, which nobody could undo from another machine; drill that in a lab"
        ));
    }
    let mine = ListParams::default().labels(&format!("{RUN_LABEL}={}", ctx.target.run));
    let there = Api::<Pod>::all(ctx.target.client.clone()).list_metadata(&mine).await;
    let there = there.map_err(|e| format!("its pods cannot be counted: {e}"))?.items.len();
    let pods = there + plan.iter().map(pods_of).sum::<usize>() + TRIGGER;
    match pods > fence.pods {
        true => Err(format!("{pods} pods of ours would be there, and `blast-radius.pods` is {}", fence.pods)),
        false => Ok(()),
    }
}

fn can_be_found(change: &Change, namespace: &str) -> bool {
    matches!(change, Change::Object(c) if is_within_reach(c, namespace))
}

fn pods_of(change: &Change) -> usize {
    let Change::Object(ObjectChange::Create(create)) = change else { return 0 };
    match create.object.kind.as_str() {
        "Pod" => 1,
        _ => {
            let replicas = create.manifest.value().pointer("/spec/replicas").and_then(Value::as_u64);
            replicas.and_then(|n| usize::try_from(n).ok()).unwrap_or_default()
        }
    }
}
