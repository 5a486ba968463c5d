//! What a drill must be allowed on a cluster that is not ours: one table. The preflight asks for it before anything is
//! touched, and `loopdrill rbac --drills` prints it. A drill that is not in it is not run there.

use loopdrill_cluster::Right;
use loopdrill_model::FaultId;

const fn right(
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    why: &'static str,
) -> Right {
    Right { group, resources, verbs, why }
}

const RBAC: &str = "rbac.authorization.k8s.io";
const FLOWCONTROL: &str = "flowcontrol.apiserver.k8s.io";
const PRIORITIES: &[&str] = &["flowschemas", "prioritylevelconfigurations"];

/// What every drill needs.
const EVERY: &[Right] = &[
    right("", &["namespaces"], &["get", "list", "create", "delete"], "each drill has a namespace of its own"),
    right("", &["pods"], &["create", "delete", "deletecollection"], "victims"),
    right("", &["serviceaccounts", "configmaps"], &["get"], "to see that a new namespace is complete"),
    right("apps", &["deployments"], &["create", "patch", "delete"], "victims"),
    right("apps", &["deployments/scale"], &["get"], "how many pods a victim wants"),
    right(
        "storage.k8s.io",
        &["storageclasses"],
        &["get", "list"],
        "what there is, and what a dead run may have left",
    ),
    right("storage.k8s.io", &["csidrivers", "csinodes"], &["get", "list"], "whether there are zonal volumes"),
    right(
        "admissionregistration.k8s.io",
        &["validatingwebhookconfigurations"],
        &["get", "list"],
        "what a dead run may have left",
    ),
    right(FLOWCONTROL, PRIORITIES, &["get", "list"], "what a dead run may have left"),
];

const CLAIMS: Right = right("", &["persistentvolumeclaims"], &["create", "delete"], "the victim's volume");

const ACCOUNT: Right = right("", &["serviceaccounts"], &["create"], "the victim's account");
const GRANT: Right = right(RBAC, &["roles", "rolebindings"], &["create"], "what the victim may do");
const WRITES: Right = right(
    "",
    &["configmaps"],
    &["create", "get", "list", "patch"],
    "what the victim does: nobody can grant what he has not",
);

const BINDING: &[Right] = &[
    right("", &["serviceaccounts"], &["create"], "the victim's account"),
    right(
        RBAC,
        &["roles", "rolebindings"],
        &["create"],
        "what the victim may do; undo: the same binding again",
    ),
    right(RBAC, &["rolebindings"], &["delete"], "the fault"),
    right("", &["configmaps"], &["list"], "what the victim does: nobody can grant what he has not"),
];
const CORDON: &[Right] =
    &[CLAIMS, right("", &["nodes"], &["update"], "the fault: a node is cordoned; undo: uncordoned")];
const DEFAULT_CLASS: &[Right] = &[
    CLAIMS,
    right("apps", &["statefulsets"], &["create", "patch"], "the victim"),
    right("apps", &["statefulsets/scale"], &["get"], "how many pods the victim wants"),
    right(
        "storage.k8s.io",
        &["storageclasses"],
        &["create", "delete"],
        "the fault: a new default class; undo: deleted",
    ),
];
const QUOTA: &[Right] =
    &[right("", &["resourcequotas"], &["create", "delete"], "the fault, in the drill's namespace")];
const A_WEBHOOK: Right = right(
    "admissionregistration.k8s.io",
    &["validatingwebhookconfigurations"],
    &["create", "delete"],
    "the fault: a webhook for the drill's namespace; undo: deleted",
);
const SERVER: Right = right("", &["services"], &["create"], "the webhook's server");
const WEBHOOK: &[Right] = &[A_WEBHOOK];
const UNTRUSTED: &[Right] = &[A_WEBHOOK, SERVER];

const OWN_LIMIT: &[Right] = &[ACCOUNT, GRANT, WRITES];
const SLOW_ADMISSION: &[Right] = &[ACCOUNT, GRANT, WRITES, A_WEBHOOK, SERVER];
const ONE_SEAT: &[Right] = &[
    ACCOUNT,
    GRANT,
    WRITES,
    right(
        FLOWCONTROL,
        PRIORITIES,
        &["create", "delete"],
        "the fault: a priority level for the drill's own account; undo: deleted",
    ),
];
const PULSE: Right = right(
    "coordination.k8s.io",
    &["leases"],
    &["create", "get", "patch"],
    "by which who holds the fault knows that the run lives",
);
const READS_PODS: Right =
    right("", &["pods"], &["get"], "by which who holds the fault knows that it is to end");
const NODE_FAILURE: &[Right] = &[
    CLAIMS,
    ACCOUNT,
    GRANT,
    PULSE,
    READS_PODS,
    right("storage.k8s.io", &["volumeattachments"], &["list"], "where the volume is attached"),
];
const PATH: &[Right] = &[
    ACCOUNT,
    GRANT,
    PULSE,
    READS_PODS,
    right("", &["services"], &["create"], "the victim's backend"),
    right("apps", &["daemonsets"], &["create"], "the detector's probes, one pod on each node"),
    right("", &["pods"], &["patch"], "to tell each probe whom to ask"),
];
const ETCD_DISK: &[Right] = &[ACCOUNT, GRANT, WRITES, PULSE, READS_PODS];

/// The drills that can be done by the API alone, each with what it needs besides.
const TABLE: &[(&str, &str, &[Right])] = &[
    ("revoked-iam", "rbac", BINDING),
    ("request-fragmentation", "fillers", &[]),
    ("overlay-mtu", "path", PATH),
    ("cross-az-pvc", "node-failure", NODE_FAILURE),
    ("cross-az-pvc", "cordon", CORDON),
    ("cross-az-pvc", "immediate", DEFAULT_CLASS),
    ("etcd-disk", "write-iops", ETCD_DISK),
    ("api-latency", "slow-admission", SLOW_ADMISSION),
    ("api-latency", "one-seat", ONE_SEAT),
    ("identity-decoy", "bad-flag", &[]),
    ("identity-decoy", "liveness-probe", &[]),
    ("identity-decoy", "memory-limit", &[]),
    ("compute-decoy", "selector", &[]),
    ("compute-decoy", "exhaustion", &[]),
    ("compute-decoy", "quota", QUOTA),
    ("compute-decoy", "missing-claim", &[]),
    ("storage-decoy", "missing-class", &[CLAIMS]),
    ("storage-decoy", "missing-configmap", &[]),
    ("control-plane-decoy", "webhook", WEBHOOK),
    ("control-plane-decoy", "untrusted-webhook", UNTRUSTED),
    ("control-plane-decoy", "own-limit", OWN_LIMIT),
];

/// What this drill must be allowed; `None` for one that is not done on a cluster that is not ours.
#[must_use]
pub fn rights(drill: &FaultId) -> Option<Vec<Right>> {
    let (.., more) =
        TABLE.iter().find(|(fault, variant, _)| *fault == drill.fault && *variant == drill.variant)?;
    Some(EVERY.iter().chain(*more).copied().collect())
}

/// The drills that can be done by the API alone.
pub fn by_api_alone() -> impl Iterator<Item = FaultId> {
    TABLE.iter().map(|(fault, variant, _)| FaultId::new(*fault, *variant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;
    use loopdrill_model::Capability;

    #[test]
    fn what_is_in_the_table_exists_and_touches_no_node() {
        let all = catalogue();
        for drill in by_api_alone() {
            let fault =
                all.iter().find(|f| f.spec().id() == drill).unwrap_or_else(|| panic!("{drill} is no drill"));
            assert!(!fault.spec().needs.contains(&Capability::NodeAccess), "{drill}");
        }
    }

    #[test]
    fn nobody_asks_for_everything() {
        for right in by_api_alone().filter_map(|d| rights(&d)).flatten() {
            assert!(!right.verbs.contains(&"*") && !right.resources.contains(&"*"), "{right:?}");
            assert!(!right.resources.contains(&"secrets"), "{right:?}");
        }
    }
}
