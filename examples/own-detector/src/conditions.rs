//! A detector: what operators say of themselves.

use crate::operator::{COPY, LABEL};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{ListParams, ResourceExt},
};
use loopdrill_testing::{
    DetectError, Detector, Target,
    model::{Cause, Diagnoses, Diagnosis, Evidence, Source, Subject, Timestamp},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// See the module.
#[derive(Debug)]
pub struct Conditions;

#[async_trait]
impl Detector for Conditions {
    fn name(&self) -> &str {
        "conditions"
    }

    async fn run(
        self: Arc<Self>,
        target: Arc<Target>,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError> {
        let all: Api<ConfigMap> = Api::all(target.client.clone());
        let (mut ready, mut since) = (Some(ready), BTreeMap::new());
        let mut look = tokio::time::interval(Duration::from_millis(500));
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            let Ok(said) = all.list(&ListParams::default().labels(LABEL)).await else { continue };
            let now = Timestamp::now();
            let hindered: Vec<_> = said.items.iter().filter(|status| is_forbidden(status)).collect();
            since.retain(|namespace, _| hindered.iter().any(|s| s.namespace().as_ref() == Some(namespace)));
            let diagnoses = hindered.iter().filter_map(|status| {
                let namespace = status.namespace()?;
                let first = *since.entry(namespace.clone()).or_insert(now);
                Some(forbidden(namespace, first, now))
            });
            out.send_replace(Diagnoses {
                diagnoses: diagnoses.collect(),
                as_of: Some(now),
                trouble: Vec::new(),
            });
            ready.take().map(|ready| ready.send(()));
        }
        Ok(())
    }
}

fn is_forbidden(status: &ConfigMap) -> bool {
    status.data.as_ref().and_then(|said| said.get("hindered")).is_some_and(|why| why == "Forbidden")
}

fn forbidden(namespace: String, first_evidence_at: Timestamp, diagnosed_at: Timestamp) -> Diagnosis {
    let cause = Cause::RbacDenied;
    let said = Evidence {
        signal: "the operator's status".into(),
        value: "Forbidden".into(),
        at: first_evidence_at,
        source: Source::api("configmaps"),
    };
    Diagnosis {
        control_loop: cause.control_loop(),
        cause: Some(cause),
        subjects: vec![Subject::new("ConfigMap", namespace, COPY)],
        confidence: 0.9,
        evidence: vec![said],
        chain: Vec::new(),
        first_evidence_at,
        diagnosed_at,
    }
}
