//! Endpoint slices, summed over each service.

use super::{Handler, Key};
use crate::reduce;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use loopdrill_model::Signal;
use loopdrill_model::signal::Endpoints;
use std::collections::HashMap;

/// What each slice holds, by service.
#[derive(Default)]
pub(super) struct Slices {
    service_of: HashMap<Key, Key>,
    services: HashMap<Key, HashMap<String, (u32, u32)>>,
}

impl Slices {
    fn remove(&mut self, slice: &Key) -> Option<Key> {
        let service = self.service_of.remove(slice)?;
        if let Some(slices) = self.services.get_mut(&service) {
            slices.remove(&slice.name);
        }
        Some(service)
    }

    fn sum(&mut self, service: &Key) -> Signal {
        let slices = self.services.get(service);
        let (ready, not_ready) =
            slices.into_iter().flat_map(HashMap::values).fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
        if slices.is_some_and(HashMap::is_empty) {
            self.services.remove(service);
        }
        Signal::Endpoints(Endpoints {
            namespace: service.namespace.clone(),
            service: service.name.clone(),
            ready,
            not_ready,
        })
    }
}

impl Handler<EndpointSlice> for Slices {
    fn applied(&mut self, object: &EndpointSlice, signals: &mut Vec<Signal>) {
        let slice = Key::of(object);
        let moved_from = self.remove(&slice);
        let now = reduce::slice_counts(object).map(|(name, ready, not_ready)| {
            let service = Key { namespace: slice.namespace.clone(), name };
            self.services.entry(service.clone()).or_default().insert(slice.name.clone(), (ready, not_ready));
            self.service_of.insert(slice.clone(), service.clone());
            service
        });
        if let Some(before) = moved_from.filter(|before| now.as_ref() != Some(before)) {
            signals.push(self.sum(&before));
        }
        if let Some(service) = now {
            signals.push(self.sum(&service));
        }
    }

    fn gone(&mut self, key: &Key, _uid: &str, signals: &mut Vec<Signal>) {
        if let Some(service) = self.remove(key) {
            signals.push(self.sum(&service));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn slice(name: &str, service: &str, ready: &[Option<bool>]) -> EndpointSlice {
        let endpoints: Vec<_> =
            ready.iter().map(|r| json!({"addresses": ["10.0.0.1"], "conditions": {"ready": r}})).collect();
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4", "endpoints": endpoints,
        }))
        .expect("a slice")
    }

    fn last(signals: &[Signal]) -> (String, u32, u32) {
        match signals.last() {
            Some(Signal::Endpoints(e)) => (e.service.clone(), e.ready, e.not_ready),
            other => panic!("no endpoints: {other:?}"),
        }
    }

    #[test]
    fn sums_over_slices_and_forgets_those_that_go() {
        let (mut slices, mut out) = (Slices::default(), Vec::new());
        slices.applied(&slice("web-a", "web", &[Some(true), Some(false)]), &mut out);
        slices.applied(&slice("web-b", "web", &[None]), &mut out);
        assert_eq!(last(&out), ("web".into(), 2, 1));
        slices.gone(&Key { namespace: "shop".into(), name: "web-a".into() }, "", &mut out);
        assert_eq!(last(&out), ("web".into(), 1, 0));
        slices.applied(&slice("web-b", "other", &[Some(true)]), &mut out);
        let told: Vec<_> = out[out.len() - 2..].iter().map(|s| last(std::slice::from_ref(s))).collect();
        assert_eq!(told, [("web".into(), 0, 0), ("other".into(), 1, 0)]);
    }

    #[test]
    fn a_slice_of_no_service_is_nobodys() {
        let (mut slices, mut out) = (Slices::default(), Vec::new());
        let mut orphan = slice("x", "web", &[Some(true)]);
        orphan.metadata.labels = None;
        slices.applied(&orphan, &mut out);
        slices.gone(&Key { namespace: "shop".into(), name: "x".into() }, "", &mut out);
        assert!(out.is_empty());
    }
}
