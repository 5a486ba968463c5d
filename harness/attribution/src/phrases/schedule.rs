//! The scheduler's own reasons, of all versions since 1.20. It counts nodes by reason, so several reasons stand side by
//! side; the ones that weigh most say what keeps the last nodes closed.

use super::Phrase;
use loopdrill_model::Cause::{
    AttachOrMountFailed, ClaimOrClassMissing, DeviceUnavailable, Exhaustion, PlacementConstraint,
    ProvisioningFailed, VolumeLimit, VolumeZoneMismatch,
};

pub(super) const TABLE: &[Phrase] = &[
    Phrase::strong(
        "exceed max volume count",
        VolumeLimit,
        "https://github.com/lucidworks/fusion-cloud-native/issues/198",
        "0/4 nodes are available: 1 node(s) exceed max volume count, 3 node(s) didn't match Pod's node affinity.",
    ),
    Phrase::strong(
        "volume node affinity conflict",
        VolumeZoneMismatch,
        "https://github.com/kubernetes/kubernetes/blob/release-1.30/pkg/scheduler/framework/plugins/volumebinding/volume_binding.go",
        "0/3 nodes are available: 1 node(s) had volume node affinity conflict, 2 Insufficient cpu.",
    ),
    Phrase::strong(
        "didn't match persistentvolume's node affinity",
        VolumeZoneMismatch,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/volumebinding/volume_binding.go",
        "0/3 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity, 2 node(s) had untolerated taint(s).",
    ),
    Phrase::strong(
        "no available volume zone",
        VolumeZoneMismatch,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/volumezone/volume_zone.go",
        "0/2 nodes are available: 2 node(s) had no available volume zone.",
    ),
    Phrase::strong(
        "didn't find available persistent volumes to bind",
        ProvisioningFailed,
        "https://github.com/kubernetes-sigs/sig-storage-local-static-provisioner/issues/424",
        "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.",
    ),
    Phrase::strong(
        "did not have enough free storage",
        ProvisioningFailed,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/volumebinding/binder.go",
        "0/3 nodes are available: 3 node(s) did not have enough free storage.",
    ),
    Phrase::strong(
        "unbound immediate persistentvolumeclaims",
        ProvisioningFailed,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/volumebinding/volume_binding.go",
        "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
    ),
    Phrase::strong(
        "persistentvolumeclaim not found",
        ClaimOrClassMissing,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/volumebinding/volume_binding.go",
        "0/3 nodes are available: persistentvolumeclaim \"data\" not found.",
    ),
    Phrase::strong(
        "bound to non-existent pv(s)",
        ClaimOrClassMissing,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/volumebinding/binder.go",
        "0/3 nodes are available: 3 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).",
    ),
    Phrase::strong(
        "with readwriteoncepod access mode already in-use by another pod",
        AttachOrMountFailed,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go",
        "0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    ),
    Phrase::strong(
        "with the same name and readwriteoncepod access mode",
        AttachOrMountFailed,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go",
        "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.",
    ),
    Phrase::new(
        "cannot allocate all claims",
        DeviceUnavailable,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/dynamicresources/dynamicresources.go",
        "0/2 nodes are available: 2 cannot allocate all claims.",
    ),
    Phrase::new(
        "insufficient",
        Exhaustion,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/noderesources/fit.go",
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    ),
    Phrase::new(
        "too many pods",
        Exhaustion,
        "https://github.com/aws/karpenter-provider-aws/issues/1887",
        "0/13 nodes are available: 13 Too many pods.",
    ),
    Phrase::new(
        "didn't match pod anti-affinity rules",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/interpodaffinity/filtering.go",
        "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.",
    ),
    Phrase::new(
        "didn't match pod affinity rules",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/interpodaffinity/filtering.go",
        "0/3 nodes are available: 3 node(s) didn't match pod affinity rules.",
    ),
    Phrase::strong(
        "had no available disk",
        AttachOrMountFailed,
        "https://github.com/kubernetes/kubernetes/blob/release-1.27/pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go",
        "0/2 nodes are available: 2 node(s) had no available disk.",
    ),
    Phrase::strong(
        "persistentvolumeclaim is being deleted",
        ClaimOrClassMissing,
        "https://github.com/kubernetes/kubernetes/blob/release-1.30/pkg/scheduler/framework/plugins/volumebinding/volume_binding.go",
        "0/3 nodes are available: persistentvolumeclaim \"data\" is being deleted.",
    ),
    Phrase::strong(
        "storageclass not found",
        ClaimOrClassMissing,
        "https://github.com/kubernetes/kubernetes/blob/release-1.30/pkg/scheduler/framework/plugins/volumebinding/binder.go",
        "0/3 nodes are available: storageclass.storage.k8s.io \"fast\" not found.",
    ),
    Phrase::new(
        "binding volumes",
        ProvisioningFailed,
        "https://github.com/kubernetes/kubernetes/blob/release-1.30/pkg/scheduler/framework/plugins/volumebinding/volume_binding.go",
        "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded",
    ),
    Phrase::new(
        "no nodes available to schedule pods",
        Exhaustion,
        "https://github.com/kubernetes/kubernetes/blob/release-1.30/pkg/scheduler/schedule_one.go",
        "no nodes available to schedule pods",
    ),
    Phrase::new(
        "didn't match pod affinity/anti-affinity",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/release-1.20/pkg/scheduler/framework/plugins/interpodaffinity/filtering.go",
        "0/3 nodes are available: 3 node(s) didn't match pod affinity/anti-affinity, 3 node(s) didn't match pod affinity rules.",
    ),
    Phrase::new(
        "didn't satisfy existing pods anti-affinity rules",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/interpodaffinity/filtering.go",
        "0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules.",
    ),
    Phrase::new(
        "didn't match the requested node name",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/nodename/node_name.go",
        "0/3 nodes are available: 3 node(s) didn't match the requested node name.",
    ),
    Phrase::transient(
        "filtered out by the prefilter result",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/schedule_one.go",
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node is filtered out by the prefilter result.",
    ),
    Phrase::transient(
        "were unreachable",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/release-1.11/pkg/scheduler/algorithm/predicates/error.go",
        "0/3 nodes are available: 3 node(s) were not ready, 3 node(s) were unreachable.",
    ),
    Phrase::new(
        "didn't match pod topology spread constraints",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/podtopologyspread/filtering.go",
        "0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints (missing required label).",
    ),
    Phrase::new(
        "didn't have free ports for the requested pod ports",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/nodeports/node_ports.go",
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    ),
    Phrase::transient(
        "didn't match pod's node",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go",
        "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
    ),
    Phrase::transient(
        "didn't match node selector",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/release-1.19/pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go",
        "0/3 nodes are available: 3 node(s) didn't match node selector.",
    ),
    Phrase::transient(
        "had untolerated taint",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go",
        "0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: gpu}.",
    ),
    Phrase::transient(
        "that the pod didn't tolerate",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/release-1.20/pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go",
        "0/3 nodes are available: 3 node(s) had taint {a: b}, that the pod didn't tolerate.",
    ),
    Phrase::transient(
        "were unschedulable",
        PlacementConstraint,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/nodeunschedulable/node_unschedulable.go",
        "0/3 nodes are available: 3 node(s) were unschedulable.",
    ),
];
