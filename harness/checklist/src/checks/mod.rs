//! The checks, one file a loop, and two about what runs through all of them. Each is declared once, with everything
//! that is to be said about it.

mod compute;
mod control_plane;
mod habits;
mod identity;
mod network;
mod observability;
mod pods;
mod references;
mod selection;
mod storage;
mod zonal;

pub use observability::{BUDGET_SECONDS, LEADING, LOG_FIELDS};

use crate::{
    check::Check,
    snapshot::{Input, Workload},
};
use selection::Services;
pub(crate) use selection::is_of_one_pod;

/// CPU and memory for a container of which nothing is known.
pub(crate) const SMALL: (&str, &str) = ("100m", "128Mi");

/// The classes that Kubernetes brings along; it lets nobody else make one that begins like them.
const SYSTEM_CLASSES: [&str; 2] = ["system-cluster-critical", "system-node-critical"];

/// What a check of workloads cannot do without.
const WORKLOADS: &[Input] = &[Input::Deployments, Input::StatefulSets, Input::DaemonSets, Input::Pods];

/// All checks, in the order of the checklist.
pub fn all() -> impl Iterator<Item = &'static Check> {
    [
        identity::CHECKS,
        references::IDENTITY,
        habits::IDENTITY,
        compute::CHECKS,
        references::COMPUTE,
        habits::COMPUTE,
        network::CHECKS,
        references::NETWORK,
        habits::NETWORK,
        storage::CHECKS,
        references::STORAGE,
        control_plane::CHECKS,
        observability::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// The check of this name, in whatever case.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Check> {
    all().find(|c| c.id.eq_ignore_ascii_case(id))
}

/// Whether a workload matters beyond itself: others call it, or it holds data.
fn is_critical(services: &Services<'_>, workload: &Workload) -> bool {
    workload.kind == "StatefulSet" || services.leading_to(workload).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fault;

    #[test]
    fn every_check_of_the_checklist_is_declared_once_and_in_order() {
        for area in crate::Area::ALL {
            let ids: Vec<_> = all().filter(|c| c.area == area).map(|c| c.id).collect();
            let series = ids.first().expect("every area has checks").split('-').next().expect("a series");
            let expected: Vec<_> = (1..=ids.len()).map(|n| format!("{series}-{n:02}")).collect();
            assert_eq!(ids, expected, "{area}");
        }
        let ids: std::collections::BTreeSet<_> = all().map(|c| c.id).collect();
        assert_eq!(ids.len(), all().count());
    }

    #[test]
    fn everything_is_said_about_each() {
        for check in all() {
            assert!(check.title.len() > 20 && check.title.len() < 120, "{}: {}", check.id, check.title);
            assert!(check.why.len() > 40 && check.remedy.len() > 40, "{}", check.id);
            assert!(!check.needs.is_empty(), "{}", check.id);
            assert!(check.predicts.iter().all(|f| fault::ALL.contains(f)), "{}", check.id);
            assert!(!check.predicts.is_empty(), "{}", check.id);
        }
    }
}
