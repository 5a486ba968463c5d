//! What looks like revoked rights by the words in a log: a refusal that is long past or was another's, certificates, names
//! and disks that the program itself is told wrongly.

use super::{
    certificate::{self, SERVER, Validity, start_server, with_certificate},
    condition::{Condition, Site, Symptom, Told, shows},
};
use crate::{
    FaultError, FaultSpec,
    object::Create,
    victim::{VICTIM_LABEL, metadata, tls, typed},
};
use futures::FutureExt;
use k8s_openapi::api::core::v1::{Secret, Service};
use loopdrill_model::{Capability, Cause};
use serde_json::json;

const FAULT: &str = "identity-decoy";
const NEEDS: &[Capability] = &[Capability::WorkerNodes(1)];

/// A refusal of last week, as a client of the API writes it down.
fn old_refusal(namespace: &str, account: &str) -> String {
    format!(
        "E1120 03:14:15.926535       1 reflector.go:204] \"Failed to watch\" err=\"failed to list *v1.ConfigMap: configmaps \
         is forbidden: User \\\"system:serviceaccount:{namespace}:{account}\\\" cannot list resource \\\"configmaps\\\" \
         in API group \\\"\\\" in the namespace \\\"{namespace}\\\"\""
    )
}

/// What a healthy program may write in a bad hour, again and again.
const NOISE: [&str; 5] = [
    "ERROR retry 1 of 5: dial tcp 203.0.113.7:5432: connect: connection refused",
    "WARN upstream answered 503 Service Unavailable, using the cached answer",
    "ERROR AccessDenied: user is not authorized to perform s3:GetObject on the optional bucket",
    "panic: recovered: runtime error: index out of range [3] with length 3",
    "FATAL error budget of the week is used up: context deadline exceeded",
];

/// The victim on a node of its own, that writes this and ends, or serves.
fn writes(site: &Site<'_>, how: [&str; 2], line: &str) -> Result<Vec<Create>, FaultError> {
    site.runs(&site.pinned(&[how[0], how[1], line])?)
}

/// The victim calls this server.
fn calls(site: &Site<'_>, host: &str, port: &str) -> Result<Vec<Create>, FaultError> {
    site.runs(&site.pinned(&["caller", host, port])?.tells_readiness())
}

pub(super) static CONDITIONS: &[Condition] = &[
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "old-refusal",
            title: "a healthy workload's log still quotes a 403 of last week: nothing is wrong",
            roots: &[],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        does: "start a healthy workload that writes an old refusal to its log",
        objects: |site| {
            let line = old_refusal(&site.ctx.namespace, "default");
            site.runs(&site.pinned(&["tells", "once", &line])?.tells_readiness())
        },
        symptom: Symptom::Healthy,
        told: Told::Log("configmaps is forbidden"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "noisy-log",
            title: "a healthy workload writes errors all the time: nothing is wrong",
            roots: &[],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        does: "start a healthy workload that writes lines of errors every other second",
        objects: |site| {
            let args: Vec<_> = ["tells", "often"].into_iter().chain(NOISE).collect();
            site.runs(&site.pinned(&args)?.tells_readiness())
        },
        symptom: Symptom::Healthy,
        told: Told::Log("AccessDenied"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "quoted-refusal",
            title: "a workload ends by itself, and its last words quote a 403 that another account got",
            roots: &[&[Cause::ApplicationExit]],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        does: "start a workload that writes another account's refusal to its log and ends with code 1",
        objects: |site| writes(site, ["ends", "1"], &old_refusal("payments", "reporter")),
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Log("configmaps is forbidden"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "expired-certificate",
            title: "a server's certificate has expired, and its client ends again and again",
            roots: &[&[Cause::ApplicationExit, Cause::BadConfiguration]],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        does: "start a server whose certificate has expired, and a client that ends when it does not trust its server",
        before: Some(|ctx| start_server(ctx, SERVER, Validity::Expired).boxed()),
        objects: |site| {
            let port = tls::PORT.to_string();
            let service = json!({
                "metadata": metadata(site.ctx, "secure"),
                "spec": {"clusterIP": "None", "selector": {VICTIM_LABEL: SERVER}},
            });
            let mut objects = vec![site.creates::<Service>(&typed(service))?];
            objects.extend(site.runs(&with_certificate(site.pinned(&["tls-caller", "secure", &port])?))?);
            Ok(objects)
        },
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Log("expired"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "misspelt-service",
            title: "a workload asks for a Service whose name it misspells, and ends again and again",
            roots: &[&[Cause::BadConfiguration, Cause::ApplicationExit]],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        does: "start a server with its Service, and a client that misspells the Service's name",
        before: Some(|ctx| {
            async move { start_server(ctx, &certificate::host(ctx), Validity::Now).await }.boxed()
        }),
        objects: |site| calls(site, "chekc", "443"),
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Log("lookup chekc: no such host"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "missing-key",
            title: "a Secret lacks the key that a container wants, and the container is not created",
            roots: &[&[Cause::BadConfiguration]],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        does: "start a workload that wants a key that its Secret does not have",
        objects: |site| {
            let secret = json!({"metadata": metadata(site.ctx, "login"), "stringData": {"user": "app"}});
            let from = json!({"secretKeyRef": {"name": "login", "key": "password"}});
            let env = json!([{"name": "PASSWORD", "valueFrom": from}]);
            let mut objects = vec![site.creates::<Secret>(&typed(secret))?];
            objects.extend(site.runs(&site.pinned(&["sleep"])?.of_container("env", env))?);
            Ok(objects)
        },
        symptom: Symptom::Pod(shows::no_settings),
        told: Told::Symptom("couldn't find key password"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "no-command",
            title: "an image has no program of the name that a container is told to run",
            roots: &[&[Cause::BadConfiguration]],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        does: "start a workload whose command is not in its image",
        objects: |site| {
            site.runs(&site.pinned(&["sleep"])?.of_container("command", json!(["/usr/bin/serve"])))
        },
        symptom: Symptom::Pod(shows::not_started),
        told: Told::Event("no such file or directory"),
        ..Condition::PLAIN
    },
];
