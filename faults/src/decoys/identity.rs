//! What looks like revoked rights: containers that end again and again, images that do not come.

use super::condition::{Condition, NAME, Symptom, Told, shows};
use crate::{
    FaultContext, FaultError, FaultSpec,
    look::seen,
    revoked_iam::aws::{self, Reader},
    victim::typed,
};
use futures::FutureExt;
use k8s_openapi::api::authentication::v1::TokenReview;
use kube::{Api, api::PostParams};
use loopdrill_aws::{CLOCK_AHEAD, WebIdentityClient};
use loopdrill_model::{Capability, Cause, Evidence, signal::CloudWord};
use serde_json::json;

const FAULT: &str = "identity-decoy";
const IN_CLOUD: &[Capability] = &[Capability::WorkerNodes(1), Capability::CloudIdentity];

/// Whom tokens of a wrong audience are for.
const AUDIENCE: &str = "vault";
/// Where a token is expected.
const TOKEN_DIR: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

pub(super) static CONDITIONS: &[Condition] = &[
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "bad-flag",
            title: "a workload is told to write where it cannot, and ends with code 1 again and again",
            roots: &[&[Cause::ApplicationExit]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload that writes to a folder that does not exist",
        objects: |site| site.runs(&site.pinned(&["disk-writer", "/no/such/folder"])?),
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Log("cannot write to /no/such/folder"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "liveness-probe",
            title: "a liveness probe asks at a closed port, and the kubelet kills a healthy container",
            roots: &[&[Cause::ProbeFailing]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload whose liveness probe asks at a port that nobody opens",
        objects: |site| {
            let probe = json!({"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 2});
            site.runs(&site.pinned(&["sleep"])?.of_container("livenessProbe", probe))
        },
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Event("Liveness probe failed"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "memory-limit",
            title: "a container outgrows its memory limit and is killed again and again",
            roots: &[&[Cause::OutOfMemory]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload that grows beyond its limit of 64 MiB",
        objects: |site| {
            let limit = json!({"limits": {"memory": "64Mi"}});
            site.runs(&site.pinned(&["memory-eater"])?.of_container("resources", limit))
        },
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Symptom("OOMKilled"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "missing-tag",
            title: "an image's tag does not exist in a registry that accepts the credential",
            roots: &[&[Cause::ImageNotFound]],
            needs: &[Capability::WorkerNodes(1), Capability::PrivateRegistry],
            ..FaultSpec::DECOY
        },
        does: "start a workload whose image has a tag that the registry does not know",
        pulls: true,
        objects: |site| {
            let registry = site.facts().registry.as_ref();
            let image = registry.map(|r| r.image.as_str()).unwrap_or_default();
            let (name, _) = image
                .rsplit_once(':')
                .filter(|(_, tag)| !tag.contains('/'))
                .ok_or_else(|| FaultError::Unfit(format!("the registry's image {image:?} has no tag")))?;
            site.runs(&site.pinned(&["sleep"])?.pulled(&format!("{name}:next"), NAME))
        },
        symptom: Symptom::Pod(shows::no_image),
        told: Told::Event("not found"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "silent-registry",
            title: "the registry of an image refuses connections",
            roots: &[&[Cause::RegistryUnreachable]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload whose image lies at a port of its own node that nobody opens",
        // Loopback: not a packet leaves the node.
        objects: |site| site.runs(&site.pinned(&["sleep"])?.image("127.0.0.1:9/team/app:1")),
        symptom: Symptom::Pod(shows::no_image),
        told: Told::Event("connection refused"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "wrong-audience",
            title: "a workload's token is for another audience, and the API server does not accept it",
            roots: &[&[Cause::TokenInvalid]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload that calls the API with a token for another audience",
        objects: |site| {
            let sources = json!([
                {"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": 3600, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ]);
            let caller = site
                .pinned(&["api-caller"])?
                .set("volumes", json!([{"name": "identity", "projected": {"sources": sources}}]))
                .of_container("volumeMounts", json!([{"name": "identity", "mountPath": TOKEN_DIR}]));
            site.runs(&caller)
        },
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Answer(|ctx| refused_by_api(ctx).boxed()),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "cloud-audience",
            title: "a workload's token is for another audience, and the cloud does not accept it",
            roots: &[&[Cause::TokenInvalid]],
            needs: IN_CLOUD,
            ..FaultSpec::DECOY
        },
        does: "start a workload that goes to the cloud with a token for another audience",
        objects: |site| site.reads_from_cloud(Reader { audience: AUDIENCE, ..Reader::WELL }),
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Answer(|ctx| refused_by_cloud(ctx).boxed()),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "cloud-endpoint",
            title: "a workload looks for its cloud where it is not, and ends with code 1 again and again",
            roots: &[&[Cause::BadConfiguration]],
            needs: IN_CLOUD,
            ..FaultSpec::DECOY
        },
        does: "start a workload that looks for the cloud at a port of its own node, where something else answers",
        objects: |site| {
            let env = vec![
                json!({"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}),
                // Where kube-proxy says how it is.
                json!({"name": "AWS_ENDPOINT_URL", "value": "http://$(HOST):10256"}),
            ];
            site.reads_from_cloud(Reader { env, ..Reader::WELL })
        },
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Symptom("code 1 "),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "cloud-clock",
            title: "a workload's clock is 50 minutes ahead, and the cloud does not take what it signs",
            roots: &[&[Cause::ApplicationExit]],
            needs: IN_CLOUD,
            ..FaultSpec::DECOY
        },
        does: "start a workload that signs its requests to the cloud 50 minutes ahead of time",
        objects: |site| {
            let env = vec![json!({"name": CLOCK_AHEAD, "value": "3000"})];
            site.reads_from_cloud(Reader { env, ..Reader::WELL })
        },
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Symptom("code 1 "),
        ..Condition::PLAIN
    },
];

/// What the API server says of a token like the victim's.
async fn refused_by_api(ctx: &FaultContext) -> Result<Option<Evidence>, FaultError> {
    let token = aws::token_for(ctx, "default", AUDIENCE).await?;
    let review: TokenReview = typed(json!({"spec": {"token": token}}));
    let reviewed = Api::all(ctx.target.client.clone()).create(&PostParams::default(), &review).await;
    let status = reviewed.map_err(FaultError::api("have a token reviewed"))?.status.unwrap_or_default();
    let refused = status.authenticated != Some(true);
    Ok(refused.then(|| seen("TokenReview", format!("a token for {AUDIENCE} is not accepted"))))
}

/// What the cloud says of a token like the victim's.
async fn refused_by_cloud(ctx: &FaultContext) -> Result<Option<Evidence>, FaultError> {
    let target = &aws::cloud(&ctx.target.facts)?.aws;
    let token = aws::token_for(ctx, NAME, AUDIENCE).await?;
    let begun =
        WebIdentityClient::of(target).await.begin(&target.role_arn(target.victim_role()), &token).await;
    let refused = begun.is_err_and(|e| CloudWord::from(&e) == CloudWord::BadToken);
    Ok(refused.then(|| seen("the cloud's answer", format!("a token for {AUDIENCE} is not accepted"))))
}
