//! Containers that are not made or not started: what the pod says of them, or what the node cannot do.

use super::Phrase;
use loopdrill_model::Cause::{
    AttachOrMountFailed, BadConfiguration, DeviceUnavailable, NodePressure, RuntimeFailing,
};

pub(super) const TABLE: &[Phrase] = &[
    Phrase::strong(
        "failed to reserve container name",
        RuntimeFailing,
        "https://github.com/k3s-io/k3s/issues/2312",
        "failed to reserve container name \"a_p_n_u_2\": name \"a_p_n_u_2\" is reserved for \"a865\"",
    ),
    Phrase::strong(
        "is reserved for",
        RuntimeFailing,
        "https://github.com/containerd/containerd/issues/4604",
        "name \"a_p_n_u_2\" is reserved for \"a865\"",
    ),
    Phrase::strong(
        "error reserving ctr name",
        RuntimeFailing,
        "https://github.com/cri-o/cri-o/issues/2828",
        "error reserving ctr name k8s_a_p_n_u_0 for id 1: name is reserved",
    ),
    Phrase::strong(
        "is already in use by",
        RuntimeFailing,
        "https://github.com/kubernetes/kubernetes/issues/95048",
        "Error response from daemon: Conflict. The container name \"/k8s_a_p_n_u_0\" is already in use by container \"1\". You have to remove (or rename) that container to be able to reuse that name.",
    ),
    Phrase::transient(
        "context deadline exceeded",
        RuntimeFailing,
        "https://github.com/k3s-io/k3s/issues/2312",
        "Error: context deadline exceeded",
    ),
    Phrase::strong(
        "ttrpc: closed",
        RuntimeFailing,
        "https://github.com/containerd/containerd/issues/5502",
        "failed to create containerd task: failed to create shim task: ttrpc: closed: unknown",
    ),
    Phrase::strong(
        "dial unix",
        RuntimeFailing,
        "https://github.com/kubernetes/kubernetes/issues/112955",
        "connection error: desc = \"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: connection refused\"",
    ),
    Phrase::strong(
        "unable to create new parent process",
        RuntimeFailing,
        "https://github.com/containerd/containerd/issues/9160",
        "OCI runtime create failed: runc create failed: unable to create new parent process: namespace path: lstat /proc/0/ns/ipc: no such file or directory",
    ),
    Phrase::strong(
        "unable to apply cgroup configuration",
        RuntimeFailing,
        "https://github.com/opencontainers/runc/issues/3366",
        "runc create failed: unable to start container process: unable to apply cgroup configuration: no",
    ),
    Phrase::wrapper(
        "failed to create shim task",
        RuntimeFailing,
        "https://github.com/containerd/containerd/issues/7388",
        "failed to create containerd task: failed to create shim task: no",
    ),
    Phrase::strong(
        "no space left on device",
        NodePressure,
        "https://github.com/kubernetes/kubernetes/issues/61999",
        "failed to create containerd container: mkdir /var/lib/containerd/a: no space left on device",
    ),
    Phrase::strong(
        "cannot allocate memory",
        NodePressure,
        "https://github.com/kubernetes/kubernetes/issues/61937",
        "OCI runtime create failed: mkdir /sys/fs/cgroup/memory/kubepods/a: cannot allocate memory",
    ),
    Phrase::strong(
        "resource temporarily unavailable",
        NodePressure,
        "https://github.com/kubernetes/kubernetes/issues/47874",
        "fork/exec /usr/bin/runc: resource temporarily unavailable",
    ),
    Phrase::strong(
        "nvidia-container-cli: initialization error",
        DeviceUnavailable,
        "https://github.com/NVIDIA/nvidia-docker/issues/1648",
        "OCI runtime create failed: error running hook #0: nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
    ),
    Phrase::strong(
        "nvidia-container-cli: device error",
        DeviceUnavailable,
        "https://github.com/NVIDIA/nvidia-docker/issues/1225",
        "nvidia-container-cli: device error: GPU-1: unknown device: unknown",
    ),
    Phrase::strong(
        "error gathering device information while adding custom device",
        DeviceUnavailable,
        "https://github.com/moby/moby/issues/31614",
        "Error response from daemon: error gathering device information while adding custom device \"/dev/fuse\": no such file or directory",
    ),
    Phrase::strong(
        "stale file handle",
        AttachOrMountFailed,
        "https://github.com/kubernetes-sigs/nfs-subdir-external-provisioner/issues/30",
        "failed to prepare subPath for volumeMount \"data\" of container \"a\": stat: stale file handle",
    ),
    Phrase::strong(
        "transport endpoint is not connected",
        AttachOrMountFailed,
        "https://github.com/kubernetes-csi/csi-driver-smb/issues/366",
        "failed to generate container \"1\" spec: failed to generate spec: failed to stat \"/v\": transport endpoint is not connected",
    ),
    Phrase::strong(
        "input/output error",
        AttachOrMountFailed,
        "https://github.com/longhorn/longhorn/issues/2309",
        "failed to generate spec: failed to mkdir \"/v/a\": input/output error",
    ),
    Phrase::new(
        "secret not found",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet_pods.go",
        "secret \"db\" not found",
    ),
    Phrase::new(
        "configmap not found",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet_pods.go",
        "configmap \"app\" not found",
    ),
    Phrase::new(
        "couldn't find key",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet_pods.go",
        "couldn't find key url in ConfigMap shop/app",
    ),
    Phrase::new(
        "executable file not found",
        BadConfiguration,
        "https://github.com/containerd/rust-extensions/issues/183",
        "OCI runtime create failed: starting container process caused: exec: \"ecko\": executable file not found in $PATH: unknown",
    ),
    Phrase::new(
        "no such file or directory",
        BadConfiguration,
        "https://github.com/opencontainers/runc/blob/main/libcontainer/standard_init_linux.go",
        "runc create failed: unable to start container process: exec: \"/app\": stat /app: no such file or directory",
    ),
    Phrase::new(
        "exec format error",
        BadConfiguration,
        "https://github.com/docker-library/docker/issues/485",
        "exec /entrypoint.sh: exec format error",
    ),
    Phrase::new(
        "permission denied",
        BadConfiguration,
        "https://github.com/opencontainers/runc/issues/3715",
        "unable to start container process: exec: \"/app\": permission denied",
    ),
    Phrase::new(
        "no command specified",
        BadConfiguration,
        "https://github.com/moby/moby/issues/40100",
        "Error response from daemon: No command specified",
    ),
    Phrase::new(
        "container has runasnonroot and image will run as root",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kuberuntime/security_context.go",
        "container has runAsNonRoot and image will run as root (pod: \"p\", container: a)",
    ),
    Phrase::new(
        "container has runasnonroot and image has non-numeric user",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kuberuntime/security_context.go",
        "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root",
    ),
    Phrase::new(
        "are you trying to mount a directory onto a file",
        BadConfiguration,
        "https://github.com/opencontainers/runc/issues/2128",
        "mounting \"/v\" to rootfs at \"/f\" caused: not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?",
    ),
    Phrase::new(
        "failed to prepare subpath for volumemount",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet_pods.go",
        "failed to prepare subPath for volumeMount \"data\" of container \"a\"",
    ),
    Phrase::new(
        "failed to create subpath directory",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet_pods.go",
        "failed to create subPath directory for volumeMount \"data\" of container \"a\"",
    ),
];
