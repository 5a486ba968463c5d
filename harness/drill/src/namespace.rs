//! A namespace of its own for every drill, journaled like any other change, removed when the drill is over.

use crate::Session;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use loopdrill_cluster::{Fence, RUN_LABEL, Target};
use loopdrill_faults::{
    Change,
    journal::{Journal, Pending},
    lifecycle,
    object::{Create, ObjectChange},
};
use loopdrill_model::FaultId;
use std::collections::{BTreeMap, BTreeSet};

/// A name that no other drill and no other run uses.
#[must_use]
pub fn name(drill: &FaultId, run: &str) -> String {
    format!("drill-{}-{}-{run}", drill.fault, drill.variant)
}

pub(crate) async fn create(session: &Session, drill: &FaultId, name: &str) -> Result<(), String> {
    let fence = session.target.facts.fence.as_ref();
    let change = Change::Object(ObjectChange::Create(
        Create::new(&object(name, fence), &session.target.run).map_err(|e| e.to_string())?,
    ));
    let made = lifecycle::inject(&session.access, &session.journal, drill, vec![change]).await;
    made.map_err(|e| e.to_string())?;
    match fence.and_then(|f| f.pull_secret.as_ref()) {
        Some((home, secret)) => copy_pull_secret(session, home, secret, name).await,
        None => Ok(()),
    }
}

/// The namespace of a drill, as it is created.
pub(crate) fn object(name: &str, fence: Option<&Fence>) -> Namespace {
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.into());
    // Victims show faults of nodes and need no rights; but their pods are no model of good manners either.
    let level = fence.map_or("privileged", |f| &f.pod_security);
    let policy = ("pod-security.kubernetes.io/enforce".to_string(), level.to_string());
    namespace.metadata.labels = Some(BTreeMap::from([policy]));
    namespace
}

/// The Secret by which victims' image is pulled, copied into a drill's namespace. It goes with that.
async fn copy_pull_secret(session: &Session, home: &str, name: &str, to: &str) -> Result<(), String> {
    let client = &session.target.client;
    let found = Api::<Secret>::namespaced(client.clone(), home).get(name).await;
    let found = found.map_err(|e| format!("the pull secret {home}/{name} of the target file: {e}"))?;
    let mut copy = Secret { data: found.data, type_: found.type_, ..Secret::default() };
    copy.metadata.name = Some(Fence::PULL_SECRET.into());
    copy.metadata.labels = Some(BTreeMap::from([(RUN_LABEL.into(), session.target.run.clone())]));
    let made = Api::<Secret>::namespaced(client.clone(), to).create(&PostParams::default(), &copy).await;
    made.map(drop).map_err(|e| format!("copy the pull secret to namespace {to}: {e}"))
}

/// Whether a change is the drill's namespace, which outlives the drill's faults.
pub(crate) fn is_namespace(change: &Change) -> bool {
    matches!(change, Change::Object(ObjectChange::Create(c)) if c.object.kind == "Namespace")
}

/// Deletes the namespace of a drill and waits until it is gone.
pub(crate) async fn remove(
    access: &loopdrill_faults::UndoAccess,
    journal: &Journal,
    pending: Pending,
) -> Result<(), String> {
    match lifecycle::undo(access, journal, std::slice::from_ref(&pending)).await.pop() {
        None => Ok(()),
        Some(left) => Err(format!("{}: {}", left.change, left.why)),
    }
}

/// Looks for what carries the run's label, or that of a look of it, and no journal knows.
pub(crate) async fn sweep(target: &Target) -> Result<(), String> {
    let failed = |e: &dyn std::fmt::Display| format!("looking for leftovers: {e}");
    let api = Api::<Namespace>::all(target.client.clone());
    let mine = ListParams::default().labels(&format!("{RUN_LABEL}={}", target.run));
    let left = api.list_metadata(&mine).await.map_err(|e| failed(&e))?;
    let mut names: BTreeSet<_> = left.items.into_iter().filter_map(|n| n.metadata.name).collect();
    let of_looks = loopdrill_observe::installed(&target.client, Some(&target.run)).await;
    names.extend(of_looks.map_err(|e| failed(&e))?);
    if names.is_empty() {
        Ok(())
    } else {
        let names: Vec<_> = names.into_iter().collect();
        Err(format!("namespaces of this run are left: {}; loopdrill undo removes them", names.join(", ")))
    }
}
