//! A webhook that is trusted, answers every time, and takes its time: what a throttled etcd disk looks like to who writes. It
//! is made as the canonical drill makes it, and refuses what it does not answer, as most webhooks of clusters do.

use super::webhook::Asked;
use crate::{
    Fault, FaultSpec, Resource,
    api_latency::slow_admission::{Kind, SlowAdmission},
};
use loopdrill_model::{Capability, Cause};
use std::sync::Arc;

pub(crate) static KIND: Kind = Kind {
    spec: FaultSpec {
        fault: "control-plane-decoy",
        variant: "slow-webhook",
        title: "a webhook answers every time and late, refuses nothing, and every write of a namespace crawls",
        roots: &[&[Cause::WebhookSlow]],
        needs: &[Capability::WorkerNodes(1)],
        ..FaultSpec::DECOY
    },
    // It has more time than it takes: nothing may be refused.
    asked: Asked {
        operations: &["CREATE", "UPDATE"],
        resource: "configmaps",
        timeout: 10,
        otherwise: "Fail",
    },
    // The API server itself is what a detector finds late; drills that judge it by its latency must not run beside.
    breaks: Resource::ControlPlane,
};

/// The one drill.
pub(super) fn drill() -> Arc<dyn Fault> {
    Arc::new(SlowAdmission(&KIND))
}
