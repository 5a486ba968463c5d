//! A drill's surroundings on an API server in memory, for tests.

use super::typed;
use crate::{FaultContext, object::testing::FakeApi};
use k8s_openapi::api::core::v1::Pod;
use loopdrill_cluster::{ClusterFacts, Target};
use loopdrill_model::FaultId;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A drill in namespace `d` of run `r1`.
pub(crate) fn context(api: &FakeApi, facts: ClusterFacts) -> FaultContext {
    let target = Target {
        name: "t".into(),
        client: api.client(),
        nodes: None,
        image: "image:1".into(),
        run: "r1".into(),
        facts: Arc::new(facts),
        kubeconfig: None,
    };
    FaultContext {
        target: Arc::new(target),
        id: FaultId::new("some", "fault"),
        namespace: "d".into(),
        cancel: CancellationToken::new(),
    }
}

/// A pod with this status.
pub(crate) fn pod(name: &str, status: Value) -> Pod {
    typed(json!({"metadata": {"name": name}, "status": status}))
}

/// The status of a pod that is ready.
pub(crate) fn ready() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
}

/// The status of a pod that the scheduler cannot place.
pub(crate) fn refused(why: &str) -> Value {
    json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}]})
}
