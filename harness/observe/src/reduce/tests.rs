use super::{service::*, storage::*, workload::*, *};
use loopdrill_model::signal::{ContainerState, Operator, Resources, TolerationOperator};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object")
}

#[test]
fn half_filled_objects_are_reduced_too() {
    let bare = json!({"metadata": {}});
    let pod = pod(&object(bare.clone()));
    assert_eq!((pod.version, pod.service_account.as_str()), (0, "default"));
    assert_eq!(node(&object(bare.clone())).ready, "Unknown");
    assert_eq!(claim(&object(bare.clone())).volume, None);
    assert!(volume(&object(bare.clone())).node_affinity.is_empty());
    assert_eq!(class(&object(json!({"metadata": {}, "provisioner": "p"}))).binding_mode, "Immediate");
    assert_eq!(deployment(&object(bare.clone())).desired, 1);
    assert_eq!(job(&object(bare.clone())).ready, 0);
    assert!(service(&object(bare.clone())).selector.is_empty());
    assert_eq!(lease(&object(bare.clone())).renewed_at, None);
    assert_eq!(quota(&object(bare.clone())).version, 0);
    assert_eq!(event(&object(json!({"metadata": {}, "involvedObject": {}}))).count, 1);
}

fn requests(spec: Value) -> Resources {
    let mut requests = pod(&object(json!({"metadata": {}, "spec": spec}))).requests;
    assert_eq!(std::mem::take(&mut requests.pods), 1, "every pod takes one place");
    requests
}

fn amount(cpu_millis: u64, memory_bytes: u64) -> Resources {
    Resources { cpu_millis, memory_bytes, ..Resources::default() }
}

fn wants(cpu: &str, memory: &str) -> Value {
    json!({"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}})
}

#[test]
fn requests_as_the_scheduler_counts_them() {
    let two = requests(json!({"containers": [wants("100m", "64Mi"), wants("1", "1Gi")]}));
    assert_eq!(two, amount(1100, (64 << 20) + (1 << 30)));

    let init =
        requests(json!({"containers": [wants("100m", "64Mi")], "initContainers": [wants("2", "1Mi")]}));
    assert_eq!(init, amount(2000, 64 << 20));

    let mut sidecar = wants("300m", "10Mi");
    sidecar["restartPolicy"] = "Always".into();
    let beside = requests(
        json!({"containers": [wants("100m", "0")], "initContainers": [sidecar, wants("200m", "0")]}),
    );
    assert_eq!(beside.cpu_millis, 500, "the init container runs beside the sidecar that came before it");

    let over = requests(json!({"containers": [wants("100m", "0")], "overhead": {"cpu": "50m"}}));
    assert_eq!(over.cpu_millis, 150);

    let level =
        requests(json!({"containers": [wants("100m", "1Mi")], "resources": {"requests": {"cpu": "700m"}}}));
    assert_eq!(level, amount(700, 1 << 20));

    let mut gpu = wants("100m", "0");
    gpu["resources"]["limits"] = json!({"nvidia.com/gpu": "2"});
    assert_eq!(requests(json!({"containers": [gpu]})).get("nvidia.com/gpu"), 2);

    assert_eq!(requests(json!({"containers": [{"name": "c"}]})), Resources::default());
    assert_eq!(requests(json!({"containers": [wants("nonsense", "-1")]})), Resources::default());
}

#[test]
fn a_resize_counts_the_larger_of_what_is_asked_and_what_is_held() {
    let pod = pod(&object(json!({
        "metadata": {}, "spec": {"containers": [wants("100m", "1Mi")]},
        "status": {"containerStatuses": [{
            "name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 0,
            "allocatedResources": {"cpu": "400m"},
        }]},
    })));
    assert_eq!(pod.requests, Resources { pods: 1, ..amount(400, 1 << 20) });
}

#[test]
fn a_pod_in_a_crash_loop() {
    let p = pod(&object(json!({
        "metadata": {"name": "p", "namespace": "shop", "uid": "u", "resourceVersion": "17",
                     "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "o", "controller": true}]},
        "spec": {"serviceAccountName": "app", "nodeName": "n1",
                 "containers": [{"name": "c", "image": "i", "resources": {"limits": {"memory": "32Mi"}}, "livenessProbe": {}}],
                 "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "e", "ephemeral": {}},
                             {"name": "cm", "configMap": {}}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}],
                   "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 3,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-24T12:00:00Z"}}}]},
    })));
    assert_eq!(p.version, 17);
    assert_eq!(p.owner, Some(Subject::new("ReplicaSet", "shop", "rs")));
    assert_eq!(p.claims, ["data", "p-e"]);
    let c = &p.containers[0];
    assert!(matches!(&c.state, ContainerState::Waiting { reason, .. } if reason == "CrashLoopBackOff"));
    assert_eq!(
        (c.restarts, c.last.as_ref().map(|l| l.exit_code), c.memory_limit_bytes),
        (3, Some(1), Some(32 << 20))
    );
    assert!(c.has_liveness_probe && !c.has_readiness_probe);
}

#[test]
fn an_unscheduled_pod_and_its_constraints() {
    let p = pod(&object(json!({
        "metadata": {"deletionTimestamp": "2026-11-24T12:00:00Z"},
        "spec": {"containers": [], "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"operator": "Exists"}, {"key": "k", "value": "v", "effect": "NoSchedule"}],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}],
                 "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n"]}]},
                {},
                {"matchExpressions": [{"key": "zone", "operator": "Fancy", "values": ["a"]}]},
            ]}}},
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]},
        "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]},
    })));
    assert!(p.deleting && p.placed_by_peers);
    assert_eq!(p.unscheduled.expect("unscheduled").reason, "Unschedulable");
    assert_eq!((p.tolerations[0].operator, p.tolerations[0].key.as_str()), (TolerationOperator::Exists, ""));
    assert_eq!(p.node_affinity.len(), 3);
    let [both, empty, fancy] = &p.node_affinity[..] else { panic!("three terms") };
    assert_eq!((both.expressions.len(), both.fields.len()), (1, 1));
    assert_eq!(empty.requirements().count(), 0);
    assert_eq!(fancy.expressions[0].operator, Operator::Unknown);
}

#[test]
fn nodes_and_volumes() {
    let n = node(&object(json!({
        "metadata": {"name": "n"},
        "spec": {"unschedulable": true, "taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"cpu": "1900m", "memory": "1Gi", "pods": "110", "nvidia.com/gpu": "4",
            "ephemeral-storage": "10Gi"}, "conditions": [
            {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"},
            {"type": "MemoryPressure", "status": "True"}, {"type": "DiskPressure", "status": "False"}]},
    })));
    let troubles: Vec<_> = n.troubles.iter().map(|t| t.kind.as_str()).collect();
    assert_eq!((n.ready.as_str(), troubles, n.unschedulable), ("Unknown", vec!["MemoryPressure"], true));
    let mut gives = Resources { pods: 110, ..amount(1900, 1 << 30) };
    gives.set("nvidia.com/gpu", 4);
    gives.set("ephemeral-storage", 10 << 30);
    assert_eq!(n.allocatable, gives);
    let v = volume(&object(json!({
        "metadata": {"name": "v"},
        "spec": {"csi": {"driver": "d", "volumeHandle": "h"}, "claimRef": {"namespace": "shop", "name": "data"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]}]}]}}},
        "status": {"phase": "Bound"},
    })));
    assert_eq!((v.phase.as_str(), v.node_affinity[0].expressions[0].values[0].as_str()), ("Bound", "a"));
}

#[test]
fn controllers_and_their_troubles() {
    let rs = replica_set(&object(json!({
        "metadata": {"name": "rs"}, "spec": {"replicas": 2, "selector": {}},
        "status": {"replicas": 0, "conditions": [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
            {"type": "Available", "status": "False"}]},
    })));
    assert_eq!((rs.desired, rs.ready, rs.troubles.len()), (2, 0, 1));
    assert_eq!(rs.troubles[0].2, "exceeded quota");
    let spec = json!({"completions": 5, "parallelism": 3, "template": {}});
    let running = job(&object(json!({"metadata": {}, "spec": spec, "status": {"succeeded": 4, "ready": 1}})));
    assert_eq!((running.desired, running.ready), (1, 1));
    let over = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    assert_eq!(job(&object(json!({"metadata": {}, "spec": spec, "status": over}))).desired, 0);
}

#[test]
fn events_of_both_forms() {
    let old = event(&object(json!({
        "metadata": {"uid": "e1"}, "type": "Warning", "reason": "BackOff", "count": 7,
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "p", "uid": "u"},
        "firstTimestamp": "2026-11-24T12:00:00Z", "lastTimestamp": "2026-11-24T12:05:00Z", "source": {"component": "kubelet"},
    })));
    assert_eq!((old.count, old.component.as_str(), old.warning), (7, "kubelet", true));
    let new = event(&object(json!({
        "metadata": {}, "type": "Warning", "reason": "FailedScheduling", "eventTime": "2026-11-24T12:00:00.5Z",
        "series": {"count": 4, "lastObservedTime": "2026-11-24T12:06:00.25Z"}, "reportingComponent": "default-scheduler",
        "involvedObject": {}, "source": {},
    })));
    assert_eq!((new.count, new.component.as_str()), (4, "default-scheduler"));
    assert!(new.last_at > new.first_at);
}

#[test]
fn who_a_binding_is_for() {
    let subjects: Vec<k8s_openapi::api::rbac::v1::Subject> = object(json!([
        {"kind": "ServiceAccount", "name": "app"},
        {"kind": "User", "name": "system:serviceaccount:other:app"},
        {"kind": "User", "name": "alice"},
        {"kind": "Group", "name": "system:serviceaccounts:shop"},
        {"kind": "Group", "name": "system:authenticated"},
    ]));
    let found = bound_accounts(Some(&subjects), "shop");
    assert_eq!(
        found,
        [
            Subject::new("Group", "", "system:serviceaccounts:shop"),
            Subject::new("ServiceAccount", "other", "app"),
            Subject::new("ServiceAccount", "shop", "app"),
        ]
    );
}

#[test]
fn why_a_pod_was_given_up_and_since_when_it_is_not_ready() {
    let since = "2026-01-02T03:04:05Z";
    let status = |phase: &str| {
        json!({"metadata": {}, "status": {"phase": phase, "reason": "Evicted", "message": "The node was low",
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": since}]}})
    };
    let failed = pod(&object(status("Failed")));
    assert_eq!(failed.given_up.expect("it is over").reason, "Evicted");
    assert_eq!(failed.unready_since.expect("it is not ready").to_string(), since);
    assert_eq!(pod(&object(status("Running"))).given_up, None);
}

#[test]
fn what_a_node_says_is_wrong_with_it() {
    let reduced = node(&object(json!({"metadata": {}, "status": {"conditions": [
        {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "PLEG is not healthy"},
        {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure", "message": "full",
            "lastTransitionTime": "2026-01-02T03:04:05Z"},
        {"type": "MemoryPressure", "status": "False", "message": "kubelet has sufficient memory available"},
    ]}})));
    assert_eq!(reduced.ready_message, "PLEG is not healthy");
    let kinds: Vec<_> = reduced.troubles.iter().map(|t| (t.kind.as_str(), t.since.is_some())).collect();
    assert_eq!(kinds, [("DiskPressure", true)]);
    let well = node(&object(json!({"metadata": {}, "status": {"conditions": [
        {"type": "Ready", "status": "True", "message": "kubelet is posting ready status"}]}})));
    assert_eq!(well.ready_message, "");
}

#[test]
fn a_claim_that_wants_to_grow_and_a_service_that_wants_a_balancer() {
    let of_size = |asked: &str, has: &str| {
        claim(&object(json!({"metadata": {}, "spec": {"resources": {"requests": {"storage": asked}}},
            "status": {"capacity": {"storage": has}, "conditions": [
                {"type": "Resizing", "status": "True"}, {"type": "FileSystemResizePending", "status": "False"}]}})))
    };
    assert!(of_size("200Gi", "100Gi").grows && !of_size("100Gi", "100Gi").grows);
    assert_eq!(of_size("2Gi", "1Gi").conditions.len(), 1);
    assert!(!claim(&object(json!({"metadata": {}}))).grows);
    let of_kind = |kind: &str, ingress: Value| {
        let spec = json!({"type": kind});
        let status = json!({"loadBalancer": {"ingress": ingress}});
        service(&object(json!({"metadata": {}, "spec": spec, "status": status}))).awaits_load_balancer
    };
    assert!(of_kind("LoadBalancer", json!([])) && of_kind("LoadBalancer", Value::Null));
    assert!(!of_kind("LoadBalancer", json!([{"ip": "10.0.0.1"}])) && !of_kind("ClusterIP", Value::Null));
}
