//! Pods: placement, effective requests, containers.

use super::constraints::constraints;
use super::ways::{ports, ways};
use super::{created_at, name, namespace, owner, time, uid, version};
use k8s_openapi::api::core::v1::{
    Affinity, Container as ApiContainer, ContainerState as ApiState, ContainerStateTerminated, Pod as ApiPod,
    PodSpec, PodStatus,
};
use loopdrill_cluster::objects;
use loopdrill_kubernetes::{READY, quantity};
use loopdrill_model::signal::{
    CloudIdentity, Container, ContainerState, GivenUp, NodeTerm, Pod, Terminated, Unscheduled,
};

/// A pod as attribution sees it.
pub(crate) fn pod(object: &ApiPod) -> Pod {
    let meta = &object.metadata;
    let spec = object.spec.clone().unwrap_or_default();
    let status = object.status.clone().unwrap_or_default();
    Pod {
        namespace: namespace(meta),
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        created_at: created_at(meta),
        deleting: meta.deletion_timestamp.is_some(),
        phase: status.phase.clone().unwrap_or_default(),
        node: spec.node_name.clone().filter(|n| !n.is_empty()),
        host_network: spec.host_network == Some(true),
        service_account: spec.service_account_name.clone().unwrap_or_else(|| "default".into()),
        owner: owner(meta),
        labels: meta.labels.clone().unwrap_or_default().into(),
        requests: objects::pod_requests(object),
        node_selector: spec.node_selector.clone().unwrap_or_default().into(),
        node_affinity: node_affinity(spec.affinity.as_ref()).into(),
        placed_by_peers: placed_by_peers(&spec),
        tolerations: spec.tolerations.iter().flatten().map(objects::toleration).collect::<Vec<_>>().into(),
        claims: claims(meta.name.as_deref().unwrap_or_default(), &spec),
        tokens: tokens(&spec),
        cloud: cloud(&spec),
        unscheduled: unscheduled(&status),
        ready: objects::pod_is_ready(object),
        unready_since: unready_since(&status),
        given_up: given_up(&status),
        containers: containers(&spec, &status),
        constraints: constraints(object).into(),
        ways: ways(&spec).into(),
    }
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a k8s_openapi::api::core::v1::PodCondition> {
    status.conditions.iter().flatten().find(|c| c.type_ == kind)
}

fn unscheduled(status: &PodStatus) -> Option<Unscheduled> {
    let condition = condition(status, "PodScheduled").filter(|c| c.status == "False")?;
    Some(Unscheduled {
        reason: condition.reason.clone().unwrap_or_default(),
        message: condition.message.clone().unwrap_or_default(),
        since: time(condition.last_transition_time.as_ref()),
    })
}

fn unready_since(status: &PodStatus) -> Option<jiff::Timestamp> {
    let unready = condition(status, READY).filter(|c| c.status == "False")?;
    time(unready.last_transition_time.as_ref())
}

/// Only a pod that is over is given up; other reasons are of its deletion.
fn given_up(status: &PodStatus) -> Option<GivenUp> {
    let reason = status.reason.clone().filter(|r| !r.is_empty())?;
    let over = status.phase.as_deref() == Some("Failed");
    over.then(|| GivenUp { reason, message: status.message.clone().unwrap_or_default() })
}

/// Required node affinity.
fn node_affinity(affinity: Option<&Affinity>) -> Vec<NodeTerm> {
    let required = affinity
        .and_then(|a| a.node_affinity.as_ref())
        .and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
    required.map(objects::node_terms).unwrap_or_default()
}

fn placed_by_peers(spec: &PodSpec) -> bool {
    let affinity = spec.affinity.as_ref();
    let near = affinity.and_then(|a| a.pod_affinity.as_ref());
    let far = affinity.and_then(|a| a.pod_anti_affinity.as_ref());
    near.is_some_and(|a| a.required_during_scheduling_ignored_during_execution.iter().flatten().count() > 0)
        || far.is_some_and(|a| {
            a.required_during_scheduling_ignored_during_execution.iter().flatten().count() > 0
        })
        || spec.topology_spread_constraints.iter().flatten().any(|c| c.when_unsatisfiable == "DoNotSchedule")
}

fn claims(pod: &str, spec: &PodSpec) -> Vec<String> {
    let claim = |volume: &k8s_openapi::api::core::v1::Volume| {
        let named = volume.persistent_volume_claim.as_ref().map(|c| c.claim_name.clone());
        named.or_else(|| volume.ephemeral.as_ref().map(|_| format!("{pod}-{}", volume.name)))
    };
    spec.volumes.iter().flatten().filter_map(claim).collect()
}

/// The audiences of the ServiceAccount tokens that the pod mounts.
fn tokens(spec: &PodSpec) -> Vec<String> {
    let sources =
        spec.volumes.iter().flatten().filter_map(|v| v.projected.as_ref()?.sources.as_ref()).flatten();
    let tokens = sources.filter_map(|s| s.service_account_token.as_ref());
    tokens.map(|t| t.audience.clone().unwrap_or_default()).collect()
}

/// The AWS role that the pod takes on, from the environment variables that EKS (or a webhook like its) adds to pods.
fn cloud(spec: &PodSpec) -> Option<CloudIdentity> {
    let env = || spec.containers.iter().flat_map(|c| c.env.iter().flatten());
    let value = |name: &str| env().find(|e| e.name == name).and_then(|e| e.value.clone()).unwrap_or_default();
    let role = value("AWS_ROLE_ARN");
    let has_key = env().any(|e| e.name == "AWS_ACCESS_KEY_ID");
    (!role.is_empty() || has_key).then(|| CloudIdentity { role, endpoint: value("AWS_ENDPOINT_URL") })
}

fn containers(spec: &PodSpec, status: &PodStatus) -> Vec<Container> {
    let init = spec.init_containers.iter().flatten().map(|c| (true, c));
    let main = spec.containers.iter().map(|c| (false, c));
    init.chain(main).map(|(init, c)| container(c, init, status)).collect()
}

fn container(container: &ApiContainer, init: bool, status: &PodStatus) -> Container {
    let statuses = if init { &status.init_container_statuses } else { &status.container_statuses };
    let status = statuses.iter().flatten().find(|s| s.name == container.name);
    let limits = container.resources.as_ref().and_then(|r| r.limits.as_ref());
    Container {
        name: container.name.clone(),
        init,
        image: container.image.clone().unwrap_or_default(),
        ready: status.is_some_and(|s| s.ready),
        restarts: status.map_or(0, |s| u32::try_from(s.restart_count).unwrap_or(0)),
        state: state(status.and_then(|s| s.state.as_ref())),
        last: status.and_then(|s| s.last_state.as_ref()?.terminated.as_ref()).map(terminated),
        memory_limit_bytes: limits.and_then(|l| l.get("memory")).and_then(|q| quantity::units(&q.0)),
        has_liveness_probe: container.liveness_probe.is_some(),
        has_readiness_probe: container.readiness_probe.is_some(),
        ports: ports(container),
    }
}

/// A container whose state is not told yet waits, for a reason that nobody gave.
fn state(state: Option<&ApiState>) -> ContainerState {
    let Some(state) = state else {
        return ContainerState::Waiting { reason: String::new(), message: String::new() };
    };
    if let Some(ended) = &state.terminated {
        ContainerState::Terminated(terminated(ended))
    } else if let Some(running) = &state.running {
        ContainerState::Running { since: time(running.started_at.as_ref()) }
    } else {
        let waiting = state.waiting.clone().unwrap_or_default();
        ContainerState::Waiting {
            reason: waiting.reason.unwrap_or_default(),
            message: waiting.message.unwrap_or_default(),
        }
    }
}

fn terminated(t: &ContainerStateTerminated) -> Terminated {
    Terminated {
        exit_code: t.exit_code,
        reason: t.reason.clone().unwrap_or_default(),
        started_at: time(t.started_at.as_ref()),
        finished_at: time(t.finished_at.as_ref()),
    }
}
