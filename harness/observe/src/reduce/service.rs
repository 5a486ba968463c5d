//! Services, endpoint slices, leases, quotas.

use super::{count, name, namespace, uid, version};
use k8s_openapi::api::coordination::v1::Lease as ApiLease;
use k8s_openapi::api::core::v1::{ResourceQuota, Service as ApiService};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use loopdrill_model::signal::{Lease, Quota, Service};
use std::collections::BTreeMap;

/// A service as attribution sees it.
pub(crate) fn service(object: &ApiService) -> Service {
    let meta = &object.metadata;
    let spec = object.spec.clone().unwrap_or_default();
    Service {
        namespace: namespace(meta),
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        selector: spec.selector.unwrap_or_default(),
        headless: spec.cluster_ip.as_deref() == Some("None"),
    }
}

/// The service that a slice belongs to, and its ready and unready endpoints. Readiness that is not told
/// counts as ready, as the API says. A slice without a service is nobody's.
pub(crate) fn slice_counts(slice: &EndpointSlice) -> Option<(String, u32, u32)> {
    let service = slice.metadata.labels.as_ref()?.get("kubernetes.io/service-name")?.clone();
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
        transitions: count(spec.lease_transitions),
        renewed_at: spec.renew_time.map(|t| t.0),
    }
}

/// A quota as attribution sees it.
pub(crate) fn quota(object: &ResourceQuota) -> Quota {
    let meta = &object.metadata;
    let status = object.status.clone().unwrap_or_default();
    let hard = status.hard.or_else(|| object.spec.as_ref().and_then(|s| s.hard.clone()));
    Quota {
        namespace: namespace(meta),
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        hard: notation(hard),
        used: notation(status.used),
    }
}

fn notation(amounts: Option<BTreeMap<String, Quantity>>) -> BTreeMap<String, String> {
    amounts.unwrap_or_default().into_iter().map(|(name, q)| (name, q.0)).collect()
}
