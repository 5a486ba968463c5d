//! Pods that the kubelet gives up, and nodes of which it says that they are not ready.

use super::Phrase;
use loopdrill_model::Cause::{
    BadConfiguration, CniFailed, DeviceUnavailable, Exhaustion, LocalStorageExceeded, NodeDown, NodePressure,
    PlacementConstraint, RuntimeFailing,
};

pub(super) const TABLE: &[Phrase] = &[
    // Pods.
    Phrase::strong(
        "the node was low on resource",
        NodePressure,
        "https://github.com/concourse/hush-house/issues/8",
        "The node was low on resource: ephemeral-storage. Container a was using 73712Ki, which exceeds its request of 0.",
    ),
    Phrase::strong(
        "the node had condition",
        NodePressure,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/eviction/eviction_manager.go",
        "The node had condition: [DiskPressure].",
    ),
    Phrase::strong(
        "usage of emptydir volume exceeds the limit",
        LocalStorageExceeded,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/eviction/eviction_manager.go",
        "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Gi\".",
    ),
    Phrase::strong(
        "local storage usage exceeds the total limit of containers",
        LocalStorageExceeded,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/eviction/eviction_manager.go",
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.",
    ),
    Phrase::strong(
        "exceeded its local ephemeral storage limit",
        LocalStorageExceeded,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/eviction/eviction_manager.go",
        "Container a exceeded its local ephemeral storage limit \"1Gi\".",
    ),
    Phrase::strong(
        "allocate failed due to",
        DeviceUnavailable,
        "https://github.com/kubernetes/kubernetes/issues/97131",
        "Pod Allocate failed due to device plugin GetPreferredAllocation rpc failed with err: rpc error: code = Unknown desc = nvml: GPU is lost, which is unexpected",
    ),
    Phrase::strong(
        "cannot allocate unhealthy devices",
        DeviceUnavailable,
        "https://github.com/trueforge-org/truecharts/issues/19201",
        "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices amd.com/gpu, which is unexpected",
    ),
    Phrase::strong(
        "requested number of devices unavailable",
        DeviceUnavailable,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/cm/devicemanager/manager.go",
        "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected",
    ),
    Phrase::strong(
        "node didn't have enough resource",
        Exhaustion,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/lifecycle/predicate.go",
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 4000, used: 1500, capacity: 4000",
    ),
    Phrase::strong(
        "resources cannot be allocated with topology locality",
        Exhaustion,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/cm/topologymanager/topology_manager.go",
        "Pod was rejected: Resources cannot be allocated with Topology locality",
    ),
    Phrase::new(
        "predicate nodeaffinity failed",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/issues/93338",
        "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ),
    Phrase::new(
        "predicate nodeports failed",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/lifecycle/predicate.go",
        "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    ),
    Phrase::new(
        "predicate tainttoleration failed",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/lifecycle/predicate.go",
        "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
    ),
    Phrase::new(
        "forbidden sysctl",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/sysctl/allowlist.go",
        "forbidden sysctl: \"net.core.somaxconn\" not allowlisted",
    ),
    Phrase::new(
        "cannot enforce apparmor",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/security/apparmor/validate.go",
        "Cannot enforce AppArmor: profile \"p\" is not loaded",
    ),
    // Nodes.
    Phrase::new(
        "networkpluginnotready",
        CniFailed,
        "https://github.com/kubernetes/kubernetes/issues/71692",
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:docker: network plugin is not ready",
    ),
    Phrase::new(
        "cni config uninitialized",
        CniFailed,
        "https://github.com/kubernetes/kubeadm/issues/1031",
        "runtime network not ready: network plugin is not ready: cni config uninitialized",
    ),
    Phrase::new(
        "cni plugin not initialized",
        CniFailed,
        "https://github.com/containerd/containerd/issues/8419",
        "Network plugin returns error: cni plugin not initialized",
    ),
    Phrase::new(
        "has your network provider started?",
        CniFailed,
        "https://github.com/cri-o/cri-o/issues/4085",
        "no CNI configuration file in /etc/kubernetes/cni/net.d/. Has your network provider started?",
    ),
    Phrase::new(
        "pleg is not healthy",
        RuntimeFailing,
        "https://github.com/kubernetes/kubernetes/issues/45419",
        "PLEG is not healthy: pleg was last seen active 3m7.6s ago; threshold is 3m0s",
    ),
    Phrase::strong(
        "container runtime is down",
        RuntimeFailing,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/runtime.go",
        "[container runtime is down, PLEG is not healthy: pleg has yet to be successful]",
    ),
    Phrase::strong(
        "container runtime not ready",
        RuntimeFailing,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet.go",
        "container runtime not ready: RuntimeReady=false reason:DockerDaemonNotReady message:docker: failed to get docker version",
    ),
    Phrase::new(
        "container runtime status check may not have completed yet",
        RuntimeFailing,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/runtime.go",
        "container runtime status check may not have completed yet",
    ),
    Phrase::new(
        "kubelet stopped posting node status",
        NodeDown,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/nodelifecycle/node_lifecycle_controller.go",
        "Kubelet stopped posting node status.",
    ),
    Phrase::new(
        "kubelet never posted node status",
        NodeDown,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/nodelifecycle/node_lifecycle_controller.go",
        "Kubelet never posted node status.",
    ),
    Phrase::new(
        "node is shutting down",
        NodeDown,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/nodeshutdown/nodeshutdown_manager_linux.go",
        "node is shutting down",
    ),
    Phrase::strong(
        "no space left on device",
        NodePressure,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/cm/devicemanager/manager.go",
        "Allocate failed due to failed to write checkpoint file \"kubelet_internal_checkpoint\": write /x: no space left on device, which is unexpected",
    ),
    Phrase::strong(
        "cannot connect to the docker daemon",
        RuntimeFailing,
        "https://github.com/moby/moby/blob/master/client/errors.go",
        "failed to get docker version: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    ),
];
