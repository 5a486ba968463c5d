//! What looks like revoked rights: containers that end again and again, images that do not come.

use super::condition::{Condition, NAME, Symptom, shows};
use crate::{FaultError, FaultSpec, revoked_iam::aws::Reader};
use loopdrill_aws::CLOCK_AHEAD;
use loopdrill_model::{Capability, Cause};
use serde_json::json;

const FAULT: &str = "identity-decoy";
const IN_CLOUD: &[Capability] = &[Capability::WorkerNodes(1), Capability::CloudIdentity];

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
        pulls: false,
        objects: |site| site.runs(&site.pinned(&["disk-writer", "/no/such/folder"])?),
        symptom: Symptom::Pod(shows::restarts),
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
        pulls: false,
        objects: |site| {
            let probe = json!({"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 2});
            site.runs(&site.pinned(&["sleep"])?.of_container("livenessProbe", probe))
        },
        symptom: Symptom::Pod(shows::restarts),
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
        pulls: false,
        objects: |site| {
            let limit = json!({"limits": {"memory": "64Mi"}});
            site.runs(&site.pinned(&["memory-eater"])?.of_container("resources", limit))
        },
        symptom: Symptom::Pod(shows::restarts),
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
        pulls: false,
        // Loopback: not a packet leaves the node.
        objects: |site| site.runs(&site.pinned(&["sleep"])?.image("127.0.0.1:9/team/app:1")),
        symptom: Symptom::Pod(shows::no_image),
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
        pulls: false,
        objects: |site| {
            let sources = json!([
                {"serviceAccountToken": {"audience": "vault", "expirationSeconds": 3600, "path": "token"}},
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
        pulls: false,
        objects: |site| site.reads_from_cloud(Reader { audience: "vault", ..Reader::WELL }),
        symptom: Symptom::Pod(shows::restarts),
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
        pulls: false,
        objects: |site| {
            let env = vec![
                json!({"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}),
                // Where kube-proxy says how it is.
                json!({"name": "AWS_ENDPOINT_URL", "value": "http://$(HOST):10256"}),
            ];
            site.reads_from_cloud(Reader { env, ..Reader::WELL })
        },
        symptom: Symptom::Pod(shows::restarts),
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
        pulls: false,
        objects: |site| {
            let env = vec![json!({"name": CLOCK_AHEAD, "value": "3000"})];
            site.reads_from_cloud(Reader { env, ..Reader::WELL })
        },
        symptom: Symptom::Pod(shows::restarts),
    },
];
