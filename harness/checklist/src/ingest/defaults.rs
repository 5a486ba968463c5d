//! What a LimitRange gives to containers that do not say it themselves, as the API server does when pods are made.

use super::{objects, raw};
use crate::snapshot::{Container, Workload};
use loopdrill_kubernetes::quantity::{millis, units};
use std::collections::BTreeMap;

/// The defaults of a namespace.
#[derive(Default, Clone, Copy)]
struct Given {
    cpu_request: Option<u64>,
    memory_request: Option<u64>,
    cpu_limit: Option<u64>,
    memory_limit: Option<u64>,
}

/// The defaults of all namespaces.
#[derive(Default)]
pub(super) struct Defaults(BTreeMap<String, Given>);

impl Defaults {
    /// Takes a LimitRange in: those of its limits that are about containers.
    pub(super) fn limit_range(&mut self, raw: &raw::LimitRange) {
        for item in raw.spec.limits.iter().filter(|i| i.r#type == "Container") {
            let cpu = |of: &BTreeMap<String, raw::Text>| of.get("cpu").and_then(|q| millis(&q.0));
            let memory = |of: &BTreeMap<String, raw::Text>| of.get("memory").and_then(|q| units(&q.0));
            let (limit, request) = (&item.default, &item.default_request);
            let given = self.0.entry(objects::namespace(&raw.metadata)).or_default();
            // Where there is no default, the most that is allowed is one, and the least is asked for.
            let (cpu_limit, memory_limit) =
                (cpu(limit).or(cpu(&item.max)), memory(limit).or(memory(&item.max)));
            let cpu_request = cpu(request).or(cpu_limit).or(cpu(&item.min));
            let memory_request = memory(request).or(memory_limit).or(memory(&item.min));
            given.cpu_limit = given.cpu_limit.or(cpu_limit);
            given.memory_limit = given.memory_limit.or(memory_limit);
            given.cpu_request = given.cpu_request.or(cpu_request);
            given.memory_request = given.memory_request.or(memory_request);
        }
    }

    /// Gives them to the containers of workloads that were not made yet.
    pub(super) fn apply(&self, workloads: &mut [Workload]) {
        for workload in workloads {
            let Some(given) = self.0.get(&workload.namespace) else { continue };
            workload.template.containers.iter_mut().for_each(|c| given.to(c));
        }
    }
}

impl Given {
    /// A container's own limit goes before a default request.
    fn to(self, container: &mut Container) {
        container.cpu_request = container.cpu_request.or(self.cpu_request);
        container.memory_request = container.memory_request.or(self.memory_request);
        container.cpu_limit = container.cpu_limit.or(self.cpu_limit);
        container.memory_limit = container.memory_limit.or(self.memory_limit);
    }
}
