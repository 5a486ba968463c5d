//! Webhooks whose server is there and is not trusted. What the API server says of its certificate is
//! the evidence.

use super::{
    certificate::{Certificate, SERVER, Validity, host, start_self_certified, start_server},
    condition::{NAME, Told, look_for_pod, until_refused, words},
};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    object::{Create, ObjectChange},
    victim::{Workload, api, place::quiet_worker, typed, wait_for_namespace},
};
use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use k8s_openapi::api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Secret};
use loopdrill_cluster::{ClusterFacts, RUN_LABEL};
use loopdrill_model::{Capability, Cause};
use serde_json::json;
use std::{sync::Arc, time::Duration};

const FAULT: &str = "control-plane-decoy";
/// An authority that did not make its certificate.
const AUTHORITY: &str = "authority.example.com";
/// It is asked under a name that is not its own.
const ANOTHER: &str = "check.example.com";

/// What is wrong with a webhook.
struct Webhook {
    spec: FaultSpec,
    does: &'static str,
    wrong: Wrong,
}

/// Its certificate.
struct Wrong {
    validity: Validity,
    /// It is for the name by which the server is called.
    own_name: bool,
    /// The one that is registered for the server is its own.
    registered: bool,
    /// What the API server then says.
    says: &'static str,
}

static WEBHOOKS: [Webhook; 3] = [
    Webhook {
        spec: FaultSpec {
            variant: "untrusted-webhook",
            title: "a webhook's certificate is of an authority that is not registered for it, and no pod comes into being",
            ..SPEC
        },
        does: "register a webhook with the certificate of another authority than its server's",
        wrong: Wrong {
            validity: Validity::Now,
            own_name: true,
            registered: false,
            says: "unknown authority",
        },
    },
    Webhook {
        spec: FaultSpec {
            variant: "expired-webhook",
            title: "a webhook's certificate has expired, it refuses every pod, and a Deployment has none",
            ..SPEC
        },
        does: "register a webhook whose server's certificate has expired",
        wrong: Wrong { validity: Validity::Expired, own_name: true, registered: true, says: "expired" },
    },
    Webhook {
        spec: FaultSpec {
            variant: "misnamed-webhook",
            title: "a webhook's certificate is for another name, it refuses every pod, and a Deployment has none",
            ..SPEC
        },
        does: "register a webhook whose server's certificate is for another name",
        wrong: Wrong {
            validity: Validity::Now,
            own_name: false,
            registered: true,
            says: "certificate is valid for",
        },
    },
];

const SPEC: FaultSpec = FaultSpec {
    fault: FAULT,
    roots: &[&[Cause::WebhookBlocked]],
    needs: &[Capability::WorkerNodes(1)],
    ..FaultSpec::DECOY
};

/// All of them.
pub(super) fn variants() -> impl Iterator<Item = Arc<dyn Fault>> {
    WEBHOOKS.iter().map(|webhook| Arc::new(Decoy(webhook)) as Arc<dyn Fault>)
}

/// The drill of one webhook.
struct Decoy(&'static Webhook);

/// What a webhook of the drill's server is asked about.
pub(crate) struct Asked {
    pub(crate) operations: &'static [&'static str],
    pub(crate) resource: &'static str,
    /// Seconds that its answer may take.
    pub(crate) timeout: u8,
    /// What becomes of a request without an answer: `Fail` or `Ignore`.
    pub(crate) otherwise: &'static str,
}

/// Pods that come into being.
const PODS: Asked = Asked { operations: &["CREATE"], resource: "pods", timeout: 5, otherwise: "Fail" };

/// The webhook for the writes of this drill's namespace, registered with the certificate `authority`.
pub(crate) fn registration(ctx: &FaultContext, authority: &str, asked: &Asked) -> Result<Create, FaultError> {
    let (namespace, drill) = (&ctx.namespace, &ctx.id.variant);
    let webhook = json!({
        "metadata": {"name": format!("{NAME}-{drill}-{}", ctx.target.run)},
        "webhooks": [{
            "name": format!("check.{namespace}.example.com"), "failurePolicy": asked.otherwise, "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": asked.timeout,
            "clientConfig": {
                "service": {"namespace": namespace, "name": SERVER, "path": "/check"},
                "caBundle": BASE64_STANDARD.encode(authority),
            },
            // The run's label is no name: a namespace that somebody else makes later in its place has it not.
            "namespaceSelector": {"matchLabels": {
                "kubernetes.io/metadata.name": namespace, RUN_LABEL: ctx.target.run,
            }},
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"],
                "operations": asked.operations, "resources": [asked.resource],
            }],
        }],
    });
    Ok(Create::new(&typed::<ValidatingWebhookConfiguration>(webhook), &ctx.target.run)?)
}

/// The certificate that the server shows.
async fn shown(ctx: &FaultContext) -> Result<String, FaultError> {
    let secret =
        api::<Secret>(ctx).get(SERVER).await.map_err(FaultError::api("read the server's certificate"))?;
    let pem = secret.data.and_then(|mut data| data.remove("tls.crt"));
    let pem = pem.and_then(|pem| String::from_utf8(pem.0).ok());
    pem.ok_or_else(|| FaultError::Unfit("the server's Secret holds no certificate".into()))
}

#[async_trait]
impl Fault for Decoy {
    fn spec(&self) -> &'static FaultSpec {
        &self.0.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().uses(Resource::ControlPlane);
        quiet_worker(cluster).into_iter().fold(footprint, |f, n| {
            f.uses(Resource::NodeLife(n.name.clone())).uses(Resource::NodeNetwork(n.name.clone()))
        })
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec!["start the server of a webhook".into(), self.0.does.into(), "undo: delete it again".into()]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        wait_for_namespace(ctx).await?;
        let Wrong { validity, own_name, .. } = self.0.wrong;
        match (validity, own_name) {
            (Validity::Now, true) => start_self_certified(ctx, Duration::ZERO, Timestamp::UNIX_EPOCH).await,
            (_, true) => start_server(ctx, &host(ctx), validity).await,
            (_, false) => start_server(ctx, ANOTHER, validity).await,
        }
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let authority = match self.0.wrong.registered {
            true => shown(ctx).await?,
            false => Certificate::make(AUTHORITY, Validity::Now)?.pem,
        };
        let victim = Workload::new(ctx, NAME, &["sleep"]);
        let victim = Create::new(&victim.deployment(1), &ctx.target.run)?;
        let objects = [registration(ctx, &authority, &PODS)?, victim];
        Ok(objects.into_iter().map(|o| Change::Object(ObjectChange::Create(o))).collect())
    }

    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        until_refused(ctx).await
    }

    async fn look(&self, ctx: &FaultContext, shown: bool) -> Result<Look, FaultError> {
        match look_for_pod(ctx).await? {
            Some(Look::Broken(evidence)) => words::look(ctx, Told::Event(self.0.wrong.says), evidence).await,
            Some(look) => Ok(look),
            None if shown => Ok(Look::Well),
            None => Ok(Look::Settling(format!("{NAME} is not there"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api_latency::slow_admission, decoys::slow_webhook, object::testing::FakeApi, victim::testing::context,
    };

    /// Nothing outside of the drill's namespace is shown to a webhook, and no key is in a plan.
    #[tokio::test]
    async fn a_webhook_is_for_its_own_namespace_and_its_key_for_nobody() {
        let ctx = context(&FakeApi::default(), ClusterFacts::default());
        for asked in [&PODS, &slow_webhook::KIND.asked, &slow_admission::KIND.asked] {
            let made = registration(&ctx, "PEM", asked).expect("an object");
            assert!(made.object.name.ends_with(&ctx.target.run) && made.object.namespace.is_none());
            let hooks = made.manifest.value()["webhooks"].clone();
            let selected = &hooks[0]["namespaceSelector"]["matchLabels"];
            assert_eq!(selected["kubernetes.io/metadata.name"], ctx.namespace.as_str(), "{}", asked.resource);
            assert_eq!(selected[RUN_LABEL], ctx.target.run.as_str(), "{}", asked.resource);
            assert_eq!(hooks[0]["failurePolicy"], asked.otherwise);
            assert_eq!(hooks[0]["clientConfig"]["caBundle"], BASE64_STANDARD.encode("PEM"));
            assert!(!made.manifest.value().to_string().contains("PRIVATE"));
        }
    }
}
