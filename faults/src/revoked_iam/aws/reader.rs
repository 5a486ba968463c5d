//! The victim of the drills of a cloud: a workload that takes on a role with its ServiceAccount's token, as pods on
//! EKS do, and reads an object in a loop.

use crate::{
    FaultContext, FaultError, Footprint, Resource,
    victim::{
        Workload, api, metadata,
        place::{a_worker, quiet_worker},
        typed,
    },
};
use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount};
use kube::api::PostParams;
use loopdrill_cluster::{CloudFacts, ClusterFacts, aws::AwsTarget};
use loopdrill_model::Capability;
use serde_json::{Value, json};

/// The victim's name and that of its account: it must not tell what is wrong with it.
pub(super) const NAME: &str = "reader";
/// For whom the victim's token is.
pub(crate) const AUDIENCE: &str = "sts.amazonaws.com";
/// Where EKS puts it.
const TOKEN_DIR: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
/// Where the session is kept that outlives a container.
const CACHE_DIR: &str = "/cache";

pub(super) const NEEDS: &[Capability] = &[Capability::WorkerNodes(1), Capability::CloudIdentity];

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
pub(super) fn place(target: &AwsTarget) -> Vec<Value> {
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
    /// The reader with nothing wrong about it.
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
pub(super) fn pinned(ctx: &FaultContext, name: &str, args: &[&str]) -> Result<Workload, FaultError> {
    let node = a_worker(&ctx.target.facts)?;
    Ok(Workload::new(ctx, name, args).tells_readiness().on_node(&node.name))
}

/// The role is broken, the node of the victim used.
pub(crate) fn footprint(cluster: &ClusterFacts) -> Footprint {
    let footprint = Footprint::default().uses(Resource::ControlPlane);
    let roles = cluster.cloud.iter().map(|cloud| cloud.aws.victim_role());
    let footprint = roles.fold(footprint, |f, role| f.breaks(Resource::CloudRole(role.into())));
    quiet_worker(cluster).into_iter().fold(footprint, |f, n| f.uses_node(&n.name))
}

/// Role and account, for the dry run.
pub(super) fn named(cluster: &ClusterFacts) -> (&str, &str) {
    let cloud = cluster.cloud.as_ref();
    cloud.map_or(("the role", "the target's"), |c| (c.aws.victim_role(), c.aws.account_id.as_str()))
}

/// A fresh token of an account for the cloud.
pub(crate) async fn token(ctx: &FaultContext, account: &str) -> Result<String, FaultError> {
    token_for(ctx, account, AUDIENCE).await
}

/// A fresh token of an account for this audience.
pub(crate) async fn token_for(
    ctx: &FaultContext,
    account: &str,
    audience: &str,
) -> Result<String, FaultError> {
    let accounts = api::<ServiceAccount>(ctx);
    let request: TokenRequest = typed(json!({"spec": {"audiences": [audience], "expirationSeconds": 600}}));
    let given = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let given = given.map_err(FaultError::api(format!("ask for a token of ServiceAccount {account}")))?;
    Ok(given.status.and_then(|s| s.token).unwrap_or_default())
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

    pub(in crate::revoked_iam) fn lab() -> ClusterFacts {
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
}
