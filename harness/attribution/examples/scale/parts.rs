//! What the made-up cluster's objects are called and made of, and how a pod goes wrong.

use loopdrill_model::{Timestamp, signal::*};

pub(crate) const PODS_OF_A_SERVICE: usize = 20;
const SERVICES_OF_A_NAMESPACE: usize = 15;
/// One workload in so many has a volume a pod.
const WITH_VOLUMES: usize = 10;

pub(crate) fn has_volume(p: usize) -> bool {
    (p / PODS_OF_A_SERVICE).is_multiple_of(WITH_VOLUMES)
}

pub(crate) fn namespace(service: usize) -> String {
    format!("team-{}", service / SERVICES_OF_A_NAMESPACE)
}

pub(crate) fn node_name(n: usize) -> String {
    format!("ip-10-{}-{}-{}.eu-central-1.compute.internal", n / 65_536, n / 256 % 256, n % 256)
}

pub(crate) fn zone(n: usize) -> String {
    format!("eu-central-1{}", ["a", "b", "c"][n % 3])
}

pub(crate) fn toleration(state: &str) -> Toleration {
    Toleration {
        key: format!("node.kubernetes.io/{state}"),
        operator: TolerationOperator::Exists,
        value: String::new(),
        effect: "NoExecute".into(),
    }
}

pub(crate) fn crash(pod: &mut Pod, at: Timestamp) {
    let end =
        Terminated { exit_code: 1, reason: "Error".into(), started_at: Some(at), finished_at: Some(at) };
    let main = &mut pod.containers[0];
    main.ready = false;
    main.restarts = 9;
    main.last = Some(end);
    main.state = ContainerState::Waiting { reason: "CrashLoopBackOff".into(), message: String::new() };
}

pub(crate) fn unplace(pod: &mut Pod, since: Timestamp, nodes: usize) {
    let message = format!("0/{nodes} nodes are available: {nodes} Insufficient cpu.");
    pod.phase = "Pending".into();
    pod.node = None;
    pod.containers.clear();
    pod.requests.cpu_millis = 64_000;
    pod.unscheduled = Some(Unscheduled { reason: "Unschedulable".into(), message, since: Some(since) });
}

pub(crate) fn wait(pod: &mut Pod) {
    pod.phase = "Pending".into();
    pod.containers.iter_mut().for_each(|c| {
        c.ready = false;
        c.state = ContainerState::Waiting {
            reason: "CreateContainerConfigError".into(),
            message: "secret \"credentials\" not found".into(),
        };
    });
}
