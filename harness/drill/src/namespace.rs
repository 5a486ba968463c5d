//! A namespace of its own for every drill, journaled like any other change, removed when the drill is over.

use crate::Session;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::ListParams};
use loopdrill_faults::{
    Change,
    journal::{Journal, Pending},
    life,
    object::{Create, ObjectChange},
};
use loopdrill_model::FaultId;
use loopdrill_target::{RUN_LABEL, Target};
use std::collections::BTreeMap;

/// A name that no other drill and no other run uses.
pub(crate) fn name(drill: &FaultId, run: &str) -> String {
    format!("drill-{}-{}-{run}", drill.fault, drill.variant)
}

pub(crate) async fn create(session: &Session, drill: &FaultId, name: &str) -> Result<(), String> {
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.into());
    // Victims show faults of nodes and need no rights; but their pods are no model of good manners either.
    let policy = ("pod-security.kubernetes.io/enforce".to_string(), "privileged".to_string());
    namespace.metadata.labels = Some(BTreeMap::from([policy]));
    let change = Change::Object(ObjectChange::Create(
        Create::new(&namespace, &session.target.run).map_err(|e| e.to_string())?,
    ));
    life::inject(&session.means, &session.journal, drill, vec![change])
        .await
        .map(drop)
        .map_err(|e| e.to_string())
}

/// Whether a change is the drill's namespace, which outlives the drill's faults.
pub(crate) fn is_namespace(change: &Change) -> bool {
    matches!(change, Change::Object(ObjectChange::Create(c)) if c.object.kind == "Namespace")
}

/// Deletes the namespace of a drill and waits until it is gone.
pub(crate) async fn remove(
    means: &loopdrill_faults::Means,
    journal: &Journal,
    pending: Pending,
) -> Result<(), String> {
    match life::undo(means, journal, std::slice::from_ref(&pending)).await.pop() {
        None => Ok(()),
        Some(left) => Err(format!("{}: {}", left.change, left.why)),
    }
}

/// Looks for what carries the run's label and no journal knows.
pub(crate) async fn sweep(target: &Target) -> Result<(), String> {
    let api = Api::<Namespace>::all(target.client.clone());
    let mine = ListParams::default().labels(&format!("{RUN_LABEL}={}", target.run));
    let left = api.list_metadata(&mine).await.map_err(|e| format!("looking for leftovers: {e}"))?;
    let names: Vec<_> = left.items.into_iter().filter_map(|n| n.metadata.name).collect();
    if names.is_empty() {
        Ok(())
    } else {
        Err(format!("namespaces of this run are left: {}", names.join(", ")))
    }
}
