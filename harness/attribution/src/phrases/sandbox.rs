//! Sandboxes that are not made: the AWS VPC CNI, Azure CNI, Calico, Cilium, flannel, OVN, Multus, host-local; containerd,
//! CRI-O, dockershim. Only whoever speaks decides: an address is the network's, a rootfs the node's.

use super::Phrase;
use loopdrill_model::Cause::{
    BadConfiguration, CniFailed, NodePressure, RbacDenied, RuntimeFailing, TokenInvalid,
};

pub(super) const TABLE: &[Phrase] = &[
    Phrase::harmless(
        "pod sandbox changed, it will be killed and re-created",
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kuberuntime/kuberuntime_manager.go",
        "Pod sandbox changed, it will be killed and re-created.",
    ),
    // Addresses.
    Phrase::strong(
        "failed to assign an ip address to container",
        CniFailed,
        "https://github.com/aws/amazon-vpc-cni-k8s/issues/1791",
        "failed to setup network for sandbox \"2585\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container",
    ),
    Phrase::strong(
        "no ip addresses available in",
        CniFailed,
        "https://github.com/containernetworking/plugins/blob/main/plugins/ipam/host-local/backend/allocator/allocator.go",
        "plugin type=\"flannel\" failed (add): failed to delegate add: failed to allocate for range 0: no IP addresses available in range set: 10.244.1.1-10.244.1.254",
    ),
    Phrase::strong(
        "range is full",
        CniFailed,
        "https://github.com/cilium/cilium/issues/10627",
        "networkPlugin cni failed to set up pod \"p_n\" network: unable to allocate IP via local cilium agent: [POST /ipam][502] postIpamFailure range is full",
    ),
    Phrase::strong(
        "no more ips available",
        CniFailed,
        "https://github.com/cilium/cilium/issues/17691",
        "plugin type=\"cilium-cni\" failed (add): unable to allocate IP via local cilium agent: [POST /ipam][502] postIpamFailure No more IPs available",
    ),
    Phrase::new(
        "unable to allocate ip via local cilium agent",
        CniFailed,
        "https://github.com/cilium/cilium/issues/18331",
        "plugin type=\"cilium-cni\" failed (add): unable to allocate IP via local cilium agent: no",
    ),
    Phrase::strong(
        "failed to request ipv4 addresses",
        CniFailed,
        "https://github.com/projectcalico/calico/issues/3589",
        "failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 addresses; No more free affine blocks and strict affinity enabled",
    ),
    Phrase::strong(
        "failed to allocate pool",
        CniFailed,
        "https://github.com/Azure/azure-container-networking/issues/195",
        "networkPlugin cni failed to set up pod \"p_n\" network: Failed to allocate pool: Failed to delegate: Failed to allocate address: no available addresses",
    ),
    Phrase::strong(
        "no available addresses",
        CniFailed,
        "https://github.com/Azure/azure-container-networking/issues/195",
        "Failed to allocate address: Failed to delegate: Failed to allocate address: No available addresses",
    ),
    // The plugin is not there, or does not answer.
    Phrase::strong(
        "has mounted",
        CniFailed,
        "https://github.com/projectcalico/calico/issues/2699",
        "plugin type=\"calico\" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that the calico/node container is running and has mounted /var/lib/calico/",
    ),
    Phrase::strong(
        "loadflannelsubnetenv failed",
        CniFailed,
        "https://github.com/flannel-io/flannel/issues/890",
        "plugin type=\"flannel\" failed (add): loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file or directory",
    ),
    Phrase::strong(
        "failed to find plugin",
        CniFailed,
        "https://github.com/containernetworking/cni/blob/main/pkg/invoke/find.go",
        "failed to setup network for sandbox \"1\": failed to find plugin \"loopback\" in path [/opt/cni/bin]",
    ),
    Phrase::strong(
        "unable to connect to cilium daemon",
        CniFailed,
        "https://github.com/cilium/cilium/issues/9784",
        "plugin type=\"cilium-cni\" failed (add): unable to connect to Cilium daemon: failed to create cilium agent client after 30.000000 seconds timeout",
    ),
    Phrase::strong(
        "unable to connect to cilium agent",
        CniFailed,
        "https://github.com/cilium/cilium/issues/40312",
        "plugin type=\"cilium-cni\" failed (add): unable to connect to Cilium agent: failed to create cilium agent client after 30.000000 seconds timeout: Get \"http://localhost/v1/config\": dial unix /var/run/cilium/cilium.sock: connect: no such file or directory Is the agent running?",
    ),
    Phrase::strong(
        "unable to create endpoint",
        CniFailed,
        "https://github.com/cilium/cilium/issues/30820",
        "plugin type=\"cilium-cni\" failed (add): unable to create endpoint: Cilium API client timeout exceeded",
    ),
    Phrase::strong(
        "failed to configure pod interface",
        CniFailed,
        "https://github.com/ovn-kubernetes/ovn-kubernetes/issues/2482",
        "CNI request failed with status 400: '[n/p] failed to configure pod interface: timed out waiting for OVS port binding (ovn-installed)",
    ),
    Phrase::strong(
        "timed out waiting for ovs port binding",
        CniFailed,
        "https://github.com/ovn-kubernetes/ovn-kubernetes/issues/2482",
        "failed to configure pod interface: timed out waiting for OVS port binding (ovn-installed) for 0a:58:0a",
    ),
    Phrase::strong(
        "failed to get pod annotation",
        CniFailed,
        "https://github.com/ovn-kubernetes/ovn-kubernetes/issues/1616",
        "[n/p 1] failed to get pod annotation: timed out waiting for annotations: context deadline exceeded",
    ),
    Phrase::new(
        "cni request failed with status",
        CniFailed,
        "https://github.com/k8snetworkplumbingwg/multus-cni/issues/1072",
        "plugin type=\"multus-shim\" name=\"multus-cni-network\" failed (add): CmdAdd (shim): CNI request failed with status 400: 'x'",
    ),
    Phrase::strong(
        "no networks found in",
        CniFailed,
        "https://github.com/k8snetworkplumbingwg/multus-cni/issues/1072",
        "GetCNIConfig: err in GetCNIConfigFromFile: No networks found in /host/etc/cni/net.d",
    ),
    Phrase::new(
        "netplugin failed",
        CniFailed,
        "https://github.com/projectcalico/cni-plugin/issues/909",
        "networkPlugin cni failed to set up pod \"kafka-0_default\" network: netplugin failed with no error message",
    ),
    Phrase::new(
        "failed (add)",
        CniFailed,
        "https://github.com/containerd/go-cni",
        "failed to setup network for sandbox \"1\": plugin type=\"x\" name=\"y\" failed (add): no",
    ),
    Phrase::new(
        "failed (delete)",
        CniFailed,
        "https://github.com/containerd/go-cni",
        "failed to destroy network for sandbox \"1\": plugin type=\"x\" name=\"y\" failed (delete): no",
    ),
    Phrase::new(
        "networkplugin cni failed to set up pod",
        CniFailed,
        "https://github.com/k8snetworkplumbingwg/multus-cni/issues/702",
        "networkPlugin cni failed to set up pod \"test_default\" network: no",
    ),
    Phrase::new(
        "failed to setup network for sandbox",
        CniFailed,
        "https://github.com/containerd/containerd/blob/main/internal/cri/server/sandbox_run.go",
        "failed to setup network for sandbox \"1\": no",
    ),
    Phrase::new(
        "failed to create pod network sandbox",
        CniFailed,
        "https://github.com/cri-o/cri-o/blob/main/server/sandbox_run_linux.go",
        "failed to create pod network sandbox k8s_p_n_u_0(1): no",
    ),
    Phrase::new(
        "error adding pod",
        CniFailed,
        "https://github.com/cri-o/ocicni/blob/main/pkg/ocicni/ocicni.go",
        "error adding pod n_p to CNI network \"multus-cni-network\": no",
    ),
    Phrase::new(
        "network is not ready",
        CniFailed,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/errors.go",
        "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
    ),
    Phrase::new(
        "cni plugin not initialized",
        CniFailed,
        "https://github.com/rancher/rke2/issues/4476",
        "Network plugin returns error: cni plugin not initialized",
    ),
    Phrase::new(
        "cni config uninitialized",
        CniFailed,
        "https://github.com/kubernetes/kubeadm/issues/1031",
        "reason:NetworkPluginNotReady message:docker: network plugin is not ready: cni config uninitialized",
    ),
    // The plugin's own token.
    Phrase::strong(
        "connection is unauthorized",
        TokenInvalid,
        "https://github.com/projectcalico/calico/issues/5712",
        "plugin type=\"calico\" failed (add): error getting ClusterInformation: connection is unauthorized: Unauthorized",
    ),
    Phrase::strong(
        "pod: unauthorized",
        TokenInvalid,
        "https://github.com/k8snetworkplumbingwg/multus-cni/issues/1094",
        "failed to setup network for sandbox \"b\": Multus: [default/a/u]: error getting pod: Unauthorized",
    ),
    Phrase::strong(
        "failed (add): unauthorized",
        TokenInvalid,
        "https://github.com/easzlab/kubeasz/issues/1332",
        "failed to setup network for sandbox \"1\": plugin type=\"calico\" failed (add): Unauthorized",
    ),
    // The runtime and the node's disk.
    Phrase::strong(
        "failed to reserve sandbox name",
        RuntimeFailing,
        "https://github.com/containerd/containerd/issues/4604",
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve sandbox name \"p_n_u_0\": name \"p_n_u_0\" is reserved for \"ab12\"",
    ),
    Phrase::strong(
        "is reserved for",
        RuntimeFailing,
        "https://github.com/containerd/containerd/issues/4604",
        "name \"p_n_u_0\" is reserved for \"ab12\"",
    ),
    Phrase::strong(
        "error reserving pod name",
        RuntimeFailing,
        "https://github.com/cri-o/cri-o/issues/2828",
        "error reserving pod name k8s_p_n_u_0 for id 1: name is reserved",
    ),
    Phrase::new(
        "oci runtime create failed",
        RuntimeFailing,
        "https://github.com/containerd/containerd/issues/9222",
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to create new parent process",
    ),
    Phrase::new(
        "failed to create containerd task",
        RuntimeFailing,
        "https://github.com/containerd/containerd/issues/9160",
        "failed to start sandbox \"1\": failed to create containerd task: no",
    ),
    Phrase::new(
        "failed to start sandbox container",
        RuntimeFailing,
        "https://github.com/kubernetes/kubernetes/issues/60645",
        "failed to start sandbox container for pod \"p\": Error response from daemon: no",
    ),
    Phrase::strong(
        "container runtime is down",
        RuntimeFailing,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/runtime.go",
        "Failed to create pod sandbox: container runtime is down",
    ),
    Phrase::transient(
        "dial unix",
        RuntimeFailing,
        "https://github.com/kubernetes/kubernetes/issues/112955",
        "connection error: desc = \"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: no such file or directory\"",
    ),
    Phrase::strong(
        "unable to apply cgroup configuration",
        RuntimeFailing,
        "https://github.com/opencontainers/runc/issues/3366",
        "runc create failed: unable to start container process: unable to apply cgroup configuration: no",
    ),
    Phrase::transient(
        "context deadline exceeded",
        RuntimeFailing,
        "https://github.com/containerd/containerd/issues/4604",
        "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    ),
    Phrase::strong(
        "no space left on device",
        NodePressure,
        "https://github.com/kubernetes/kubernetes/issues/61999",
        "failed to create sandbox: mkdir /var/lib/containerd/a: no space left on device",
    ),
    Phrase::strong(
        "cannot allocate memory",
        NodePressure,
        "https://github.com/kubernetes/kubernetes/issues/61937",
        "OCI runtime create failed: container init caused: mkdir /sys/fs/cgroup/memory/kubepods/a: cannot allocate memory",
    ),
    Phrase::strong(
        "resource temporarily unavailable",
        NodePressure,
        "https://github.com/kubernetes/kubernetes/issues/47874",
        "failed to start sandbox: fork/exec /proc/self/exe: resource temporarily unavailable",
    ),
    Phrase::strong(
        "too many open files",
        NodePressure,
        "https://github.com/kubernetes/kubernetes/issues/64315",
        "failed to create fsnotify watcher: too many open files",
    ),
    // What the pod asks for is not there.
    Phrase::strong(
        "runtimeclass not found",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/runtimeclass/runtimeclass_manager.go",
        "failed to get sandbox runtime: RuntimeClass.node.k8s.io \"gvisor\" not found",
    ),
    Phrase::strong(
        "no runtime for is configured",
        BadConfiguration,
        "https://github.com/containerd/containerd/blob/main/internal/cri/server/sandbox_run.go",
        "failed to get sandbox runtime: no runtime for \"nvidia\" is configured",
    ),
    Phrase::strong(
        "is forbidden: user cannot",
        RbacDenied,
        "https://github.com/projectcalico/calico/issues/5712",
        "plugin type=\"calico\" failed (add): error getting ClusterInformation: connection is unauthorized: clusterinformations.crd.projectcalico.org \"default\" is forbidden: User \"u\" cannot get resource \"clusterinformations\"",
    ),
];
