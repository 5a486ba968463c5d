//! Takes the checklist's snapshot of a cluster.
//!
//! Invariants:
//! - Nothing is changed in the cluster; only [`Ask::probes`] starts pods, and they are gone before it returns.
//! - One paginated list for each kind, all in parallel, streamed into the few fields that checks need.
//! - Whatever cannot be read is noted as missing, with the permission that would help; the rest goes on.
//! - No log line, metric label or Secret's value outlives the function that reads it.

mod api;
mod app;
mod error;
mod lists;
mod measure;
mod nodes;
mod probes;
mod prometheus;

pub use error::SurveyError;

use futures::future::{join, join_all};
use kube::Client;
use loopdrill_checklist::{Builder, Input, Origin, Snapshot};
use loopdrill_cluster::NodeAccess;
use loopdrill_model::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A cluster to be surveyed.
#[derive(Clone)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// A client for its API.
    pub client: Client,
    /// The nodes themselves, where they are within reach.
    pub nodes: Option<Arc<dyn NodeAccess>>,
}

/// What to ask for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Only these namespaces are judged; where listing everything is forbidden, they are listed one by one.
    pub namespaces: Vec<String>,
    /// Namespaces that are not judged.
    pub system: Vec<String>,
    /// Where metrics go outside of the cluster; then no Prometheus is looked for.
    pub external_monitoring: Option<String>,
    /// The image to start probes from, where they are asked for; why there is none otherwise.
    pub probes: Option<Result<String, String>>,
}

/// The builder, shared by all that fill it.
#[derive(Clone)]
struct Shared(Arc<Mutex<Builder>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Builder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a snapshot.
///
/// # Errors
/// [`SurveyError::Unreachable`] when the API server does not answer at all.
pub async fn take(cluster: &Cluster, ask: &Ask) -> Result<Snapshot, SurveyError> {
    let version = cluster.client.apiserver_version().await;
    let version =
        version.map_err(|source| SurveyError::Unreachable { cluster: cluster.name.clone(), source })?;
    let origin = Origin::Cluster(cluster.name.clone());
    let shared = Shared(Arc::new(Mutex::new(Builder::new(origin, Timestamp::now(), ask.system.clone()))));
    shared.lock().snapshot().kubernetes = Some(version.git_version);
    shared.lock().snapshot().only.clone_from(&ask.namespaces);

    let kinds = Input::listed().map(|kind| lists::list(cluster, ask, kind, shared.clone()));
    join(join_all(kinds), measure::control_plane(cluster, &shared)).await;
    let builder = Arc::try_unwrap(shared.0).map(|m| m.into_inner().unwrap_or_else(PoisonError::into_inner));
    let Ok(builder) = builder else { return Err(SurveyError::Busy) };
    let mut snapshot = builder.finish();
    measure::rest(cluster, ask, &mut snapshot).await;
    Ok(snapshot)
}

/// Marks an input as read.
fn read(snapshot: &mut Snapshot, input: Input, objects: usize) {
    let objects = u64::try_from(objects).unwrap_or(u64::MAX);
    let known = loopdrill_checklist::snapshot::Availability::Read { objects, unreadable: 0 };
    snapshot.inputs.insert(input, known);
}

/// Marks an input as missing.
fn missing(snapshot: &mut Snapshot, input: Input, why: impl Into<String>) {
    snapshot.inputs.insert(input, loopdrill_checklist::snapshot::Availability::Missing(why.into()));
}
