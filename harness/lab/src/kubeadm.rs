//! The configuration that kubeadm reads on each node.

use crate::{
    labels,
    spec::{LabSpec, NodeSpec, Role},
};

/// The pods' network; flannel's manifest names it, too.
pub(crate) const POD_SUBNET: &str = "10.244.0.0/16";
/// The Services' network.
pub(crate) const SERVICE_SUBNET: &str = "10.96.0.0/16";
/// Where the configuration lies; kind's entrypoint corrects the node's address in it after a restart.
pub(crate) const CONFIG: &str = "/kind/kubeadm.conf";
/// Stands for the node's address until the node has one.
pub(crate) const ADDRESS: &str = "__NODE_ADDRESS__";
/// Stands for the version of the node image.
pub(crate) const VERSION: &str = "__KUBERNETES_VERSION__";
/// Stands for the mode of kube-proxy that the kernel can do.
pub(crate) const PROXY_MODE: &str = "__PROXY_MODE__";

/// How long a node may be silent before the control plane calls it not ready: four of the kubelet's renewals.
const NODE_GRACE_SECONDS: u32 = 20;
const LEASE_SECONDS: u32 = 20;

/// The name under which nodes reach the API server.
pub(crate) fn endpoint(lab: &str) -> String {
    format!("{lab}-control-plane:{}", labels::API_PORT)
}

/// The configuration of one node. All nodes get the whole of it, so that every phase runs everywhere.
pub(crate) fn config(spec: &LabSpec, name: &str, node: &NodeSpec, token: &str) -> String {
    let labels: Vec<_> = spec.labels_of(node).iter().map(|(key, value)| format!("{key}={value}")).collect();
    let (lab, labels) = (&spec.name, labels.join(","));
    // A lab of one node has to run its pods there.
    let tainted = node.role == Role::ControlPlane && spec.nodes.len() > 1;
    let taints =
        if tainted { "[{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]" } else { "[]" };
    format!(
        include_str!("kubeadm/config.yaml"),
        token = token,
        address = ADDRESS,
        port = labels::API_PORT,
        name = name,
        taints = taints,
        lab = lab,
        labels = labels,
        version = VERSION,
        endpoint = endpoint(lab),
        pods = POD_SUBNET,
        services = SERVICE_SUBNET,
        grace = NODE_GRACE_SECONDS,
        lease = LEASE_SECONDS,
        proxy_mode = PROXY_MODE,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(spec: &LabSpec, index: usize) -> Vec<serde_json::Value> {
        let nodes = spec.named_nodes();
        let (name, node) = &nodes[index];
        let text = config(spec, name, node, "abcdef.0123456789abcdef");
        text.split("\n---\n").map(|part| serde_yaml::from_str(part).expect("valid YAML")).collect()
    }

    #[test]
    fn nodes_register_with_the_labels_of_clouds() {
        let all = documents(&LabSpec::named("demo"), 2);
        let args = all[0]["nodeRegistration"]["kubeletExtraArgs"].as_array().expect("a list").clone();
        let labels = args.iter().find(|arg| arg["name"] == "node-labels").expect("labels")["value"].clone();
        let labels = labels.as_str().expect("text");
        assert!(labels.contains("topology.kubernetes.io/zone=b"), "{labels}");
        assert_eq!(all[0]["nodeRegistration"]["name"], "demo-worker2");
        assert_eq!(all[0]["nodeRegistration"]["taints"].as_array().map(Vec::len), Some(0));
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn only_a_lab_with_workers_keeps_pods_off_its_control_plane() {
        let taints =
            |spec: &LabSpec| documents(spec, 0)[0]["nodeRegistration"]["taints"].as_array().map(Vec::len);
        assert_eq!(taints(&LabSpec::default()), Some(1));
        let single = LabSpec { nodes: vec![NodeSpec::new(Role::ControlPlane, "a")], ..LabSpec::default() };
        assert_eq!(taints(&single), Some(0));
    }
}
