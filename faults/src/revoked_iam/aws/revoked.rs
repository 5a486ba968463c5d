//! The same workload, whose role is revoked in three ways: one entry of a table each.

use super::{
    documents,
    reader::{NAME, NEEDS, Reader, account, cloud, footprint, named, token},
};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look,
    cloud::CloudChange,
    revoked_iam::silent_crash::look_for_crashes,
    victim::{Seen, create, delete_pods, until, wait_ready},
};
use async_trait::async_trait;
use loopdrill_aws::{CloudError, PROBE, RoleState, WebIdentityClient};
use loopdrill_cluster::{ClusterFacts, aws::AwsTarget};
use loopdrill_model::{Cause, Evidence, Source, Timestamp};
use std::{sync::Arc, time::Duration};

const START: Duration = Duration::from_secs(60);
/// IAM may take that long until a change shows to those that it hits.
const TAKES_HOLD: Duration = Duration::from_secs(40);

/// One way to revoke a role.
#[derive(Debug)]
struct Way {
    spec: FaultSpec,
    /// What is done to the role, for the dry run.
    does: fn() -> String,
    revoke: fn(&RoleState, &AwsTarget) -> Result<RoleState, String>,
    /// The victim keeps its session beside the container, so that it comes back with the revoked one.
    keeps_session: bool,
    /// The victim's pod is deleted: a session lasts an hour, and only a new pod asks for one.
    starts_anew: bool,
    refuses: Refuses,
}

/// Whom the cloud refuses once the role is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refuses {
    /// Sessions that exist. A newcomer gets a good one, so only their owner can tell, by its symptom.
    OldSessions,
    /// Clients that ask for a session.
    Newcomers,
    /// Clients that read.
    Readers,
}

static WAYS: [Way; 3] = [
    Way {
        spec: FaultSpec {
            fault: "revoked-iam",
            variant: "aws-session",
            title: "a cloud role's sessions are revoked, and a workload crashes with the one that it kept",
            roots: &[&[Cause::SessionRevoked]],
            needs: NEEDS,
            ..FaultSpec::CANONICAL
        },
        does: || format!("add the inline policy {} with the present time to it", documents::REVOKES_SESSIONS),
        revoke: |role, _| documents::sessions_revoked(role, Timestamp::now()),
        keeps_session: true,
        starts_anew: false,
        refuses: Refuses::OldSessions,
    },
    Way {
        spec: FaultSpec {
            fault: "revoked-iam",
            variant: "aws-trust",
            title: "a cloud role does not trust the cluster any more, and a workload that starts gets no session",
            roots: &[&[Cause::TrustDenied]],
            needs: NEEDS,
            ..FaultSpec::CANONICAL
        },
        does: || {
            "replace its trust policy by one that lets in the account's administrators alone, and start the workload anew"
                .into()
        },
        revoke: documents::trust_cut,
        keeps_session: false,
        starts_anew: true,
        refuses: Refuses::Newcomers,
    },
    Way {
        spec: FaultSpec {
            fault: "revoked-iam",
            variant: "aws-policy",
            title: "a cloud role loses its permission policies, and a workload crashes with an empty log",
            roots: &[&[Cause::IamDenied]],
            needs: NEEDS,
            ..FaultSpec::CANONICAL
        },
        does: || "detach its managed policies and delete its inline ones".into(),
        revoke: |role, _| documents::permissions_gone(role),
        keeps_session: false,
        starts_anew: false,
        refuses: Refuses::Readers,
    },
];

/// All of them.
pub(super) fn variants() -> impl Iterator<Item = Arc<dyn Fault>> {
    WAYS.iter().map(|way| Arc::new(Revoked(way)) as Arc<dyn Fault>)
}

/// The drill of one way.
#[derive(Debug)]
struct Revoked(&'static Way);

impl Revoked {
    /// What the cloud says now to a client with the victim's identity.
    async fn ask_the_cloud(&self, ctx: &FaultContext) -> Result<Seen<Vec<Evidence>>, FaultError> {
        let target = &cloud(&ctx.target.facts)?.aws;
        let cloud = WebIdentityClient::of(target).await;
        let begun = cloud.begin(&target.role_arn(target.victim_role()), &token(ctx, NAME).await?).await;
        let (said, service) = match begun {
            Ok(session) if self.0.refuses == Refuses::Readers => {
                (cloud.read(&session, &target.bucket, PROBE).await, "s3")
            }
            Ok(_) => (Ok(()), "sts"),
            Err(e) => (Err(e), "sts"),
        };
        Ok(match said {
            Err(CloudError::Denied { action, .. }) => {
                let (now, source) = (Timestamp::now(), Source::cloud(service));
                Seen::Yes(vec![Evidence::new(action.to_string(), "403 AccessDenied", now, source)])
            }
            Ok(()) => Seen::NotYet("the cloud still says yes".into()),
            Err(other) => Seen::NotYet(other.to_string()),
        })
    }
}

#[async_trait]
impl Fault for Revoked {
    fn spec(&self) -> &'static FaultSpec {
        &self.0.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        footprint(cluster)
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (role, account) = named(cluster);
        vec![
            format!("start a workload that takes on role {role} of account {account} and reads an object"),
            (self.0.does)(),
            "undo: put the role's policies back as they were, byte for byte".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        create(ctx, &account(ctx, NAME)?).await?;
        let reader = Reader { keeps: self.0.keeps_session, ..Reader::WELL };
        create(ctx, &reader.workload(ctx)?.deployment(1)).await?;
        wait_ready(ctx, NAME, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let cloud = cloud(&ctx.target.facts)?;
        let revoke = |role: &_| (self.0.revoke)(role, &cloud.aws);
        let change = CloudChange::plan(cloud, cloud.aws.victim_role(), revoke).await?;
        Ok(vec![Change::Cloud(Box::new(change))])
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        match self.0.refuses {
            Refuses::OldSessions => Ok(Vec::new()),
            Refuses::Newcomers | Refuses::Readers => {
                until(ctx, "the cloud's refusal", TAKES_HOLD, || self.ask_the_cloud(ctx)).await
            }
        }
    }

    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        match self.0.starts_anew {
            true => delete_pods(ctx, NAME).await,
            false => Ok(()),
        }
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        look_for_crashes(ctx, NAME).await
    }

    /// A pod in its back-off would wait for up to five minutes; a new one starts at once.
    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, NAME).await
    }
}
