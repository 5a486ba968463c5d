//! A Lease in the cluster, so that two runs from two machines never meet there.
//!
//! # Invariants
//! - who holds it tells it, and renews it for as long as its process lives;
//! - nobody takes over from a run that died: what that run left must be undone first, and the undo removes the Lease;
//! - whoever wants the holder to stop writes an annotation, and the holder looks for it at every renewal.

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions},
};
use loopdrill_model::Timestamp;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{sleep, timeout};

/// The namespace of the Lease: one that every cluster has.
pub const LEASE_NAMESPACE: &str = "default";
const NAME: &str = "loopdrill";
/// The run that holds it.
const RUN: &str = "loopdrill.dev/lease-of-run";
/// Who wants the holder to stop.
const ABORT: &str = "loopdrill.dev/abort";
const VALID_SECONDS: i32 = 20;
const RENEW: Duration = Duration::from_secs(3);
const ONE_CALL: Duration = Duration::from_secs(10);

/// Why the Lease is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run works on the cluster.
    #[error(
        "{0} drills this cluster now; wait for its end, or stop it with `loopdrill abort --context CONTEXT`"
    )]
    Held(Holder),
    /// A run died on the cluster.
    #[error(
        "{0} drilled this cluster and has died; undo what it left with `loopdrill undo --context CONTEXT` first"
    )]
    Dead(Holder),
    /// The API server refused or did not answer.
    #[error("the Lease {LEASE_NAMESPACE}/{NAME}, by which two runs keep apart: {doing}: {source}")]
    Api {
        /// What was being done.
        doing: &'static str,
        /// The API's answer.
        source: Box<kube::Error>,
    },
}

/// Who holds the Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The run's id.
    pub run: String,
    /// Who, and where.
    pub who: String,
    /// When it was last heard of.
    pub renewed: Timestamp,
    uid: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run {} of {} (last heard of {:.0})", self.run, self.who, self.renewed)
    }
}

impl Holder {
    fn of(lease: &Lease) -> Self {
        let spec = lease.spec.as_ref();
        Self {
            run: lease.annotations().get(RUN).cloned().unwrap_or_default(),
            who: spec.and_then(|s| s.holder_identity.clone()).unwrap_or_else(|| "somebody".into()),
            renewed: spec.and_then(|s| s.renew_time.as_ref()).map_or(Timestamp::UNIX_EPOCH, |t| t.0),
            uid: lease.uid().unwrap_or_default(),
        }
    }

    /// Whether its process was heard of within the Lease's time.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Timestamp::now().duration_since(self.renewed).as_secs() < i64::from(VALID_SECONDS)
    }

    /// Who holds the Lease of a cluster, if anybody does.
    ///
    /// # Errors
    /// When the API server does not tell.
    pub async fn find(client: &Client) -> Result<Option<Self>, LeaseError> {
        let found = leases(client).get_opt(NAME).await.map_err(api("look who holds it"))?;
        Ok(found.as_ref().map(Self::of))
    }

    /// Asks the holder to stop.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn ask_to_stop(client: &Client, who: &str) -> Result<(), LeaseError> {
        let patch = json!({"metadata": {"annotations": {ABORT: who}}});
        let leases = leases(client);
        let asked = leases.patch(NAME, &PatchParams::default(), &Patch::Merge(patch)).await;
        gone_is_fine(asked.map(drop)).map_err(api("ask its holder to stop"))
    }

    /// Removes the Lease that this holder has left. Another one's stays.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn remove(&self, client: &Client) -> Result<(), LeaseError> {
        let uid = Some(self.uid.clone());
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid, resource_version: None }),
            ..DeleteParams::default()
        };
        gone_is_fine(leases(client).delete(NAME, &params).await.map(drop)).map_err(api("remove it"))
    }
}

/// The Lease while it is ours.
pub struct RunLease {
    client: Client,
    holder: Holder,
}

/// Why a run must stop before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stop {
    Asked(String),
    Lost,
}

impl RunLease {
    /// Takes the Lease for `run`; `who` is shown to others.
    ///
    /// # Errors
    /// [`LeaseError::Held`] and [`LeaseError::Dead`] tell of another run. Nothing was touched then.
    pub async fn acquire(client: &Client, run: &str, who: &str) -> Result<Self, LeaseError> {
        let lease = ours(run, who);
        match leases(client).create(&PostParams::default(), &lease).await {
            Ok(made) => Ok(Self { client: client.clone(), holder: Holder::of(&made) }),
            Err(kube::Error::Api(status)) if status.code == 409 => match Holder::find(client).await? {
                Some(holder) if holder.is_alive() => Err(LeaseError::Held(holder)),
                Some(holder) => Err(LeaseError::Dead(holder)),
                None => Err(api("take it")(kube::Error::Api(status))),
            },
            Err(e) => Err(api("take it")(e)),
        }
    }

    /// Renews the Lease until the run must stop, and says why. An API server that is away is waited for.
    pub async fn keep(&self) -> String {
        loop {
            sleep(RENEW).await;
            match timeout(ONE_CALL, self.renew()).await {
                Ok(Ok(Some(Stop::Asked(who)))) => return format!("{who} asked to stop"),
                Ok(Ok(Some(Stop::Lost))) => {
                    return "the Lease of this run was taken away, so another run may begin".into();
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the Lease could not be renewed"),
                Err(_) => tracing::debug!("the Lease could not be renewed in time"),
            }
        }
    }

    async fn renew(&self) -> Result<Option<Stop>, kube::Error> {
        let leases = leases(&self.client);
        let Some(mut found) = leases.get_opt(NAME).await? else { return Ok(Some(Stop::Lost)) };
        if found.uid().as_deref() != Some(&self.holder.uid) {
            return Ok(Some(Stop::Lost));
        }
        if let Some(who) = found.annotations().get(ABORT) {
            return Ok(Some(Stop::Asked(who.clone())));
        }
        found.spec.get_or_insert_default().renew_time = Some(MicroTime(Timestamp::now()));
        match leases.replace(NAME, &PostParams::default(), &found).await {
            // Somebody wrote to it in between: the next round reads what.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            other => other.map(|_| None),
        }
    }

    /// Gives the Lease back.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn release(&self) -> Result<(), LeaseError> {
        self.holder.remove(&self.client).await
    }
}

fn ours(run: &str, who: &str) -> Lease {
    let now = MicroTime(Timestamp::now());
    Lease {
        metadata: ObjectMeta {
            name: Some(NAME.into()),
            annotations: Some(BTreeMap::from([(RUN.into(), run.into())])),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(who.into()),
            lease_duration_seconds: Some(VALID_SECONDS),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }),
    }
}

fn leases(client: &Client) -> Api<Lease> {
    Api::namespaced(client.clone(), LEASE_NAMESPACE)
}

fn api(doing: &'static str) -> impl FnOnce(kube::Error) -> LeaseError {
    move |source| LeaseError::Api { doing, source: Box::new(source) }
}

fn gone_is_fine(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        // Gone, or another one has taken its name.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        other => other,
    }
}
