//! The checks, one file a loop. Each is declared once, with everything that is to be said about it.

mod compute;
mod control_plane;
mod identity;
mod network;
mod observability;
mod storage;

pub use observability::{BUDGET_SECONDS, LEADING, LOG_FIELDS};

use crate::{
    check::Check,
    snapshot::{Input, Snapshot, Workload},
};

/// What a check of workloads cannot do without.
const WORKLOADS: &[Input] = &[Input::Deployments, Input::StatefulSets, Input::DaemonSets, Input::Pods];

/// All checks, in the order of the checklist.
pub fn all() -> impl Iterator<Item = &'static Check> {
    [
        identity::CHECKS,
        compute::CHECKS,
        network::CHECKS,
        storage::CHECKS,
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
fn is_critical(snapshot: &Snapshot, workload: &Workload) -> bool {
    workload.kind == "StatefulSet" || is_served(snapshot, workload)
}

/// Whether a Service leads to it.
fn is_served(snapshot: &Snapshot, workload: &Workload) -> bool {
    snapshot.services.iter().any(|s| leads_to(s, workload))
}

fn leads_to(service: &crate::snapshot::Service, workload: &Workload) -> bool {
    service.namespace == workload.namespace
        && service.selector.iter().all(|(k, v)| workload.template.labels.get(k) == Some(v))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fault;

    #[test]
    fn every_check_of_the_checklist_is_declared_once_and_in_order() {
        let ids: Vec<_> = all().map(|c| c.id).collect();
        let series = |name: &str, n: usize| (1..=n).map(|i| format!("{name}-{i:02}")).collect::<Vec<_>>();
        let expected = [
            series("ID", 5),
            series("CO", 7),
            series("NE", 5),
            series("ST", 5),
            series("CP", 4),
            series("OB", 4),
        ]
        .concat();
        assert_eq!(ids, expected);
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
