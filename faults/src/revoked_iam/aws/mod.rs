//! A role of the cloud is revoked, in the three ways in which operators and attackers do it.
//!
//! | variant | what happens to the role | whom it hits |
//! |---|---|---|
//! | `aws-session` | a deny policy for sessions that began before now, as AWS' console adds it | sessions that exist |
//! | `aws-trust` | its trust policy is replaced | whoever starts or renews |
//! | `aws-policy` | its managed policies are detached, its inline ones deleted | everybody at once |
//!
//! The victim is the same: it takes the role on with its ServiceAccount's token, as pods on EKS do, and reads an
//! object in a loop. For `aws-session` it keeps its session beside the container, as command-line tools do, so that
//! a container that starts anew comes with the revoked one.
//!
//! [`static_key`] is the same revocation with two victims: one with a projected token, one with a key in a Secret.

mod documents;
mod static_key;

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Resource,
    cloud::CloudChange,
    revoked_iam::silent_crash::look_at,
    victim::{
        Latch, Seen, Workload, api, create, delete_pods, metadata, place::quiet_worker, typed, until,
        wait_ready,
    },
};
use async_trait::async_trait;
use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount};
use kube::api::PostParams;
use loopdrill_aws::{CloudError, Door, PROBE};
use loopdrill_model::{Capability, Cause, Evidence, Source, Timestamp};
use loopdrill_target::{CloudFacts, ClusterFacts, aws::AwsTarget};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// The victim's name and that of its account: it must not tell what is wrong with it.
const NAME: &str = "reader";
const START: Duration = Duration::from_secs(60);
/// IAM may take that long until a change shows to those that it hits.
const TAKES_HOLD: Duration = Duration::from_secs(40);

/// For whom the victim's token is.
pub(crate) const AUDIENCE: &str = "sts.amazonaws.com";
/// Where EKS puts it.
const TOKEN_DIR: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
/// Where the session is kept that outlives a container.
const CACHE_DIR: &str = "/cache";

/// How the role is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Session,
    Trust,
    Policy,
}

const NEEDS: &[Capability] = &[Capability::WorkerNodes(1), Capability::CloudIdentity];

static SPECS: [(FaultSpec, Way); 3] = [
    (
        FaultSpec {
            fault: "revoked-iam",
            variant: "aws-session",
            title: "a cloud role's sessions are revoked, and a workload crashes with the one that it kept",
            roots: &[&[Cause::SessionRevoked]],
            needs: NEEDS,
            ..FaultSpec::CANONICAL
        },
        Way::Session,
    ),
    (
        FaultSpec {
            fault: "revoked-iam",
            variant: "aws-trust",
            title: "a cloud role does not trust the cluster any more, and a workload that starts gets no session",
            roots: &[&[Cause::TrustDenied]],
            needs: NEEDS,
            ..FaultSpec::CANONICAL
        },
        Way::Trust,
    ),
    (
        FaultSpec {
            fault: "revoked-iam",
            variant: "aws-policy",
            title: "a cloud role loses its permission policies, and a workload crashes with an empty log",
            roots: &[&[Cause::IamDenied]],
            needs: NEEDS,
            ..FaultSpec::CANONICAL
        },
        Way::Policy,
    ),
];

/// All of them.
pub(super) fn variants() -> impl Iterator<Item = Arc<dyn Fault>> {
    let fault = |(spec, way): &'static (FaultSpec, Way)| {
        Arc::new(Aws { spec, way: *way, latch: Latch::default() }) as Arc<dyn Fault>
    };
    SPECS.iter().map(fault).chain([Arc::new(static_key::StaticKey::default()) as Arc<dyn Fault>])
}

/// See the module.
#[derive(Debug)]
struct Aws {
    spec: &'static FaultSpec,
    way: Way,
    latch: Latch,
}

pub(crate) fn cloud(facts: &ClusterFacts) -> Result<&CloudFacts, FaultError> {
    facts.cloud.as_ref().ok_or_else(|| FaultError::Unfit("no cloud account is given; pass --aws FILE".into()))
}

/// The account that takes the role on, marked as EKS marks it.
pub(crate) fn account(ctx: &FaultContext, name: &str) -> Result<ServiceAccount, FaultError> {
    let target = &cloud(&ctx.target.facts)?.aws;
    let mut metadata = metadata(ctx, name);
    metadata["annotations"] = json!({"eks.amazonaws.com/role-arn": target.role_arn(target.victim_role())});
    Ok(typed(json!({"metadata": metadata})))
}

/// Where the cloud is. Nobody else gives credentials here: not the node.
fn place(target: &AwsTarget) -> Vec<Value> {
    let mut env = vec![
        json!({"name": "AWS_REGION", "value": target.region}),
        json!({"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}),
    ];
    env.extend(target.endpoint_url.iter().map(|url| json!({"name": "AWS_ENDPOINT_URL", "value": url})));
    env
}

/// What EKS adds to a pod whose account is so marked.
fn identity(target: &AwsTarget) -> [Value; 2] {
    [
        json!({"name": "AWS_ROLE_ARN", "value": target.role_arn(target.victim_role())}),
        json!({"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": format!("{TOKEN_DIR}/token")}),
    ]
}

/// The victim: as whom it goes to the cloud, and where it looks for it.
pub(crate) struct Reader<'a> {
    /// Its name and that of its account.
    pub(crate) name: &'a str,
    /// For whom its token is.
    pub(crate) audience: &'a str,
    /// It keeps its session beside the container.
    pub(crate) keeps: bool,
    /// More of its environment; what comes later wins.
    pub(crate) env: Vec<Value>,
}

impl Reader<'_> {
    /// The one that is as it should be.
    pub(crate) const WELL: Reader<'static> =
        Reader { name: NAME, audience: AUDIENCE, keeps: false, env: Vec::new() };

    /// The workload, with its token in the place where EKS puts it.
    pub(crate) fn workload(self, ctx: &FaultContext) -> Result<Workload, FaultError> {
        let target = &cloud(&ctx.target.facts)?.aws;
        let source = json!({"audience": self.audience, "expirationSeconds": 3600, "path": "token"});
        let token = json!({"sources": [{"serviceAccountToken": source}]});
        let mut volumes = vec![json!({"name": "aws-iam-token", "projected": token})];
        let mut mounts = vec![json!({"name": "aws-iam-token", "mountPath": TOKEN_DIR, "readOnly": true})];
        let mut args = vec!["cloud-reader", &target.bucket];
        if self.keeps {
            volumes.push(json!({"name": "cache", "emptyDir": {}}));
            mounts.push(json!({"name": "cache", "mountPath": CACHE_DIR}));
            args.push(CACHE_DIR);
        }
        let mut env = place(target);
        env.extend(identity(target));
        for more in self.env {
            env.retain(|e| e["name"] != more["name"]);
            env.push(more);
        }
        Ok(pinned(ctx, self.name, &args)?
            .account_without_token(self.name)
            .set("volumes", json!(volumes))
            .of_container("volumeMounts", json!(mounts))
            .of_container("env", json!(env)))
    }
}

/// A workload that tells its readiness, on a worker that no other drill takes away.
fn pinned(ctx: &FaultContext, name: &str, args: &[&str]) -> Result<Workload, FaultError> {
    let node = quiet_worker(&ctx.target.facts);
    let node = node.ok_or_else(|| FaultError::Unfit("there is no worker node".into()))?;
    Ok(Workload::new(ctx, name, args).tells_readiness().on_node(&node.name))
}

/// The role is broken, the node of the victim used.
pub(crate) fn footprint(cluster: &ClusterFacts) -> Footprint {
    let footprint = Footprint::default().uses(Resource::ControlPlane);
    let roles = cluster.cloud.iter().map(|cloud| cloud.aws.victim_role());
    let footprint = roles.fold(footprint, |f, role| f.breaks(Resource::CloudRole(role.into())));
    quiet_worker(cluster).into_iter().fold(footprint, |f, n| {
        f.uses(Resource::NodeLife(n.name.clone())).uses(Resource::NodeNetwork(n.name.clone()))
    })
}

/// Role and account, for the dry run.
fn named(cluster: &ClusterFacts) -> (&str, &str) {
    let cloud = cluster.cloud.as_ref();
    cloud.map_or(("the role", "the target's"), |c| (c.aws.victim_role(), c.aws.account_id.as_str()))
}

/// A fresh token of an account for the cloud.
pub(crate) async fn token(ctx: &FaultContext, account: &str) -> Result<String, FaultError> {
    let accounts = api::<ServiceAccount>(ctx);
    let request: TokenRequest = typed(json!({"spec": {"audiences": [AUDIENCE], "expirationSeconds": 600}}));
    let given = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let given = given.map_err(FaultError::api(format!("ask for a token of ServiceAccount {account}")))?;
    Ok(given.status.and_then(|s| s.token).unwrap_or_default())
}

impl Aws {
    /// What the cloud says now to whoever comes as the victim does.
    async fn ask_the_cloud(&self, ctx: &FaultContext) -> Result<Seen<Vec<Evidence>>, FaultError> {
        let target = &cloud(&ctx.target.facts)?.aws;
        let door = Door::of(target).await;
        let said = match door.begin(&target.role_arn(target.victim_role()), &token(ctx, NAME).await?).await {
            Ok(session) if self.way == Way::Policy => door.read(&session, &target.bucket, PROBE).await,
            Ok(_) => Ok(()),
            Err(e) => Err(e),
        };
        Ok(match said {
            Err(CloudError::Denied { action, .. }) => Seen::Yes(vec![Evidence {
                signal: action.to_string(),
                value: "403 AccessDenied".into(),
                at: Timestamp::now(),
                source: Source::cloud(if self.way == Way::Trust { "sts" } else { "s3" }),
            }]),
            Ok(()) => Seen::NotYet("the cloud still says yes".into()),
            Err(other) => Seen::NotYet(other.to_string()),
        })
    }
}

#[async_trait]
impl Fault for Aws {
    fn spec(&self) -> &'static FaultSpec {
        self.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        footprint(cluster)
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (role, account) = named(cluster);
        let does = match self.way {
            Way::Session => format!("add the inline policy {} with the present time to it", documents::REVOKES_SESSIONS),
            Way::Trust => "replace its trust policy by one that lets in the account's administrators alone, and start the workload anew".into(),
            Way::Policy => "detach its managed policies and delete its inline ones".into(),
        };
        vec![
            format!("start a workload that takes on role {role} of account {account} and reads an object"),
            does,
            "undo: put the role's policies back as they were, byte for byte".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        self.latch.reset();
        create(ctx, &account(ctx, NAME)?).await?;
        let reader = Reader { keeps: self.way == Way::Session, ..Reader::WELL };
        create(ctx, &reader.workload(ctx)?.deployment(1)).await?;
        wait_ready(ctx, NAME, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let cloud = cloud(&ctx.target.facts)?;
        let change = CloudChange::plan(cloud, cloud.aws.victim_role(), |role| match self.way {
            Way::Session => documents::sessions_revoked(role, Timestamp::now()),
            Way::Trust => documents::trust_cut(role, &cloud.aws),
            Way::Policy => documents::permissions_gone(role),
        });
        Ok(vec![Change::Cloud(Box::new(change.await?))])
    }

    /// A revoked session is not the one that a newcomer gets, so only its owner can tell: by its symptom.
    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        match self.way {
            Way::Session => Ok(Vec::new()),
            Way::Trust | Way::Policy => {
                until(ctx, "the cloud's refusal", TAKES_HOLD, || self.ask_the_cloud(ctx)).await
            }
        }
    }

    /// Who has a session keeps it for an hour; who starts anew asks for one.
    async fn provoke(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        match self.way {
            Way::Trust => delete_pods(ctx, NAME).await,
            Way::Session | Way::Policy => Ok(()),
        }
    }

    async fn symptom(&self, ctx: &FaultContext) -> Result<Option<Vec<Evidence>>, FaultError> {
        Ok(self.latch.judge(look_at(ctx, NAME).await?))
    }

    /// A pod in its back-off would wait for up to five minutes; a new one starts at once.
    async fn relieve(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, NAME).await
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{object::testing::FakeApi, victim::place::tests::facts, victim::testing::context};
    use std::path::Path;

    pub(crate) fn account() -> CloudFacts {
        let text = "account_id: \"123456789012\"\nregion: eu-west-1\nendpoint_url: http://172.18.0.2:30500\n\
                    roles: [victim]\nbucket: b\n";
        let aws = AwsTarget::parse(Path::new("aws.yaml"), text).expect("good");
        CloudFacts { aws, of_lab: true }
    }

    fn lab() -> ClusterFacts {
        let mut facts = facts(&[("x", None), ("y", None)]);
        facts.take_cloud(Ok(account()));
        facts
    }

    #[tokio::test]
    async fn the_victim_is_what_eks_makes_of_a_pod() {
        let ctx = context(&FakeApi::default(), lab());
        let pod = Reader { keeps: true, ..Reader::WELL }.workload(&ctx).expect("possible").pod();
        let spec = pod.spec.expect("spec");
        assert_eq!(spec.service_account_name.as_deref(), Some(NAME));
        assert_eq!(spec.automount_service_account_token, Some(false));
        let env = spec.containers[0].env.clone().unwrap_or_default();
        let value = |name: &str| env.iter().find(|e| e.name == name).and_then(|e| e.value.clone());
        assert_eq!(value("AWS_ROLE_ARN").as_deref(), Some("arn:aws:iam::123456789012:role/victim"));
        assert_eq!(value("AWS_ENDPOINT_URL").as_deref(), Some("http://172.18.0.2:30500"));
        let projected = spec.volumes.iter().flatten().find_map(|v| v.projected.clone()).expect("a token");
        let token = projected.sources.iter().flatten().find_map(|s| s.service_account_token.clone());
        assert_eq!(token.and_then(|t| t.audience).as_deref(), Some(AUDIENCE));
        assert_eq!(spec.volumes.map(|v| v.len()), Some(2));
    }

    #[test]
    fn a_role_is_broken_by_one_drill_at_a_time_and_named_in_the_dry_run() {
        for fault in variants() {
            let mine = fault.footprint(&lab());
            let broken: Vec<_> = mine.broken().map(ToString::to_string).collect();
            assert_eq!(broken, ["cloud role victim"], "{}", fault.spec().id());
            assert!(mine.overlaps(&mine.clone()));
            assert!(
                fault.dry_run(&lab())[0].contains("role victim of account 123456789012"),
                "{}",
                fault.spec().id()
            );
            assert!(!ClusterFacts::default().has(&Capability::CloudIdentity));
            assert!(fault.spec().needs.iter().all(|need| lab().has(need)));
        }
    }
}
