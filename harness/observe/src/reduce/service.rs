//! Services, endpoint slices, leases, quotas, aggregated APIs.

use super::{name, namespace, time, uid, version};
use crate::watch::{Reduce, WHAT_THERE_IS, Watched, everywhere, in_namespaces};
use k8s_openapi::api::coordination::v1::Lease as ApiLease;
use k8s_openapi::api::core::v1::{ResourceQuota, Service as ApiService, ServicePort as ApiPort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{APIService, APIServiceCondition};
use loopdrill_kubernetes::well_known;
use loopdrill_model::Subject;
use loopdrill_model::signal::{AggregatedApi, Condition, Lease, Quota, Service, ServicePort};

/// Kubelets renew a lease each in a namespace of their own; leader election happens everywhere else.
const NO_KUBELETS: &str = "metadata.namespace!=kube-node-lease";

/// What is watched of Services and the like.
pub(super) fn watched() -> Vec<Watched> {
    vec![
        in_namespaces(WHAT_THERE_IS, Reduce(service)),
        in_namespaces("who leads", Reduce(lease)).of(NO_KUBELETS),
        in_namespaces(WHAT_THERE_IS, Reduce(quota)),
        everywhere("which APIs others answer", Reduce(aggregated_api)),
    ]
}

/// A service as attribution sees it.
pub(crate) fn service(object: &ApiService) -> Service {
    let meta = &object.metadata;
    let spec = object.spec.clone().unwrap_or_default();
    let given = object.status.as_ref().and_then(|s| s.load_balancer.as_ref()?.ingress.as_ref());
    let addresses = spec.cluster_ips.or_else(|| spec.cluster_ip.clone().map(|ip| vec![ip]));
    let ports = spec.ports.iter().flatten().filter_map(|p| u16::try_from(p.port).ok()).collect();
    let targets = spec.ports.iter().flatten().filter_map(target).collect();
    let policy = spec.internal_traffic_policy.as_deref();
    Service {
        created_at: meta.creation_timestamp.as_ref().map(|t| t.0),
        awaits_load_balancer: spec.type_.as_deref() == Some("LoadBalancer")
            && given.is_none_or(Vec::is_empty),
        namespace: namespace(meta),
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        selector: spec.selector.unwrap_or_default(),
        addresses: addresses.into_iter().flatten().filter(|ip| ip != "None" && !ip.is_empty()).collect(),
        ports,
        targets,
        local_only: policy == Some("Local"),
        external: spec.type_.as_deref() == Some("ExternalName"),
    }
}

/// A port and where it leads: to the same number, where nothing is said.
fn target(port: &ApiPort) -> Option<ServicePort> {
    let number = u16::try_from(port.port).ok()?;
    let (target, target_name) = match &port.target_port {
        Some(IntOrString::String(name)) => match name.parse() {
            Ok(number) => (Some(number), String::new()),
            Err(_) => (None, name.clone()),
        },
        Some(IntOrString::Int(n)) if *n > 0 => (u16::try_from(*n).ok(), String::new()),
        _ => (Some(number), String::new()),
    };
    let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".into());
    Some(ServicePort { port: number, protocol, target, target_name })
}

/// The service that a slice belongs to, and its ready and unready endpoints. Readiness that is not told
/// counts as ready, as the API says. A slice without a service is nobody's.
pub(crate) fn slice_counts(slice: &EndpointSlice) -> Option<(String, u32, u32)> {
    let service = slice.metadata.labels.as_ref()?.get(well_known::SERVICE_NAME)?.clone();
    let is_ready = |e: &&k8s_openapi::api::discovery::v1::Endpoint| {
        e.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true)
    };
    let all = slice.endpoints.iter().flatten();
    let ready = all.clone().filter(is_ready).count();
    let total = all.count();
    Some((service, u32::try_from(ready).ok()?, u32::try_from(total - ready).ok()?))
}

/// A lease as attribution sees it.
pub(crate) fn lease(object: &ApiLease) -> Lease {
    let meta = &object.metadata;
    let spec = object.spec.clone().unwrap_or_default();
    Lease {
        namespace: namespace(meta),
        name: name(meta),
        version: version(meta),
        holder: spec.holder_identity.unwrap_or_default(),
        renewed_at: spec.renew_time.map(|t| t.0),
    }
}

/// A quota as attribution sees it.
pub(crate) fn quota(object: &ResourceQuota) -> Quota {
    let meta = &object.metadata;
    Quota { namespace: namespace(meta), name: name(meta), uid: uid(meta), version: version(meta) }
}

/// An APIService as attribution sees it.
pub(crate) fn aggregated_api(object: &APIService) -> AggregatedApi {
    let meta = &object.metadata;
    let answers = object.spec.as_ref().and_then(|spec| spec.service.as_ref());
    let conditions = object.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let mut refused = conditions.filter(|c| c.type_ == "Available" && c.status == "False");
    AggregatedApi {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        service: answers.map(|s| {
            let (namespace, name) = (s.namespace.clone(), s.name.clone());
            Subject::new("Service", namespace.unwrap_or_default(), name.unwrap_or_default())
        }),
        unavailable: refused.next().map(condition),
    }
}

fn condition(c: &APIServiceCondition) -> Condition {
    Condition {
        kind: c.type_.clone(),
        reason: c.reason.clone().unwrap_or_default(),
        message: c.message.clone().unwrap_or_default(),
        since: time(c.last_transition_time.as_ref()),
    }
}
