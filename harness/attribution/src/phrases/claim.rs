//! Claims that no volume is made for, and volumes that do not grow.

use super::Phrase;
use loopdrill_model::Cause::{ClaimOrClassMissing, IamDenied, ProvisioningFailed, ResizeFailed};

pub(super) const TABLE: &[Phrase] = &[
    Phrase::harmless(
        "didn't find a plugin capable of expanding the volume",
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/volume/expand/expand_controller.go",
        "Ignoring the PVC: didn't find a plugin capable of expanding the volume; waiting for an external controller to process this PVC.",
    ),
    Phrase::strong(
        "storageclass not found",
        ClaimOrClassMissing,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/volume/persistentvolume/pv_controller.go",
        "storageclass.storage.k8s.io \"fast\" not found",
    ),
    Phrase::strong(
        "no persistent volumes available for this claim and no storage class is set",
        ClaimOrClassMissing,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/volume/persistentvolume/pv_controller.go",
        "no persistent volumes available for this claim and no storage class is set",
    ),
    Phrase::strong(
        "access denied",
        IamDenied,
        "https://github.com/kubernetes-sigs/aws-efs-csi-driver/issues/850",
        "rpc error: code = Unauthenticated desc = Access Denied. Please ensure you have the right AWS permissions",
    ),
    Phrase::strong(
        "code = permissiondenied",
        IamDenied,
        "https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver/issues/293",
        "rpc error: code = PermissionDenied desc = CreateVolume failed: googleapi: Error 403: Required 'compute.disks.create' permission for 'projects/p', forbidden",
    ),
    Phrase::new(
        "code = resourceexhausted",
        ProvisioningFailed,
        "https://github.com/kadalu/kadalu/issues/1066",
        "failed to provision volume with StorageClass \"r2\": rpc error: code = ResourceExhausted desc = No Hosting Volumes available, add more storage",
    ),
    Phrase::new(
        "volumelimitexceeded",
        ProvisioningFailed,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/2512",
        "api error VolumeLimitExceeded: You have exceeded your maximum io2 storage limit of 30 TiB in this region.",
    ),
    Phrase::new(
        "quota exceeded",
        ProvisioningFailed,
        "https://github.com/dell/csm/issues/1375",
        "rpc error: code = Unknown desc = QUOTA_EXCEEDED - Quota 'SSD_TOTAL_GB' exceeded. Limit: 500.0 in region europe-west1",
    ),
    Phrase::new(
        "volumesizeexceedsavailablequota",
        ProvisioningFailed,
        "https://github.com/kubernetes/cloud-provider-openstack/pull/2860",
        "got 413 instead: VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota.",
    ),
    Phrase::new(
        "no topology key found",
        ProvisioningFailed,
        "https://github.com/kubernetes-csi/external-provisioner/blob/master/pkg/controller/topology.go",
        "failed to provision volume with StorageClass \"ebs\": error generating accessibility requirements: no topology key found on CSINode w1",
    ),
    Phrase::new(
        "no available topology found",
        ProvisioningFailed,
        "https://github.com/kubernetes-csi/external-provisioner/blob/master/pkg/controller/topology.go",
        "error generating accessibility requirements: no available topology found",
    ),
    Phrase::new(
        "an operation with the given volume id",
        ProvisioningFailed,
        "https://github.com/ceph/ceph-csi/issues/1062",
        "failed to provision volume with StorageClass \"csi-rbd-sc\": rpc error: code = Aborted desc = an operation with the given Volume ID pvc-1 already exists",
    ),
    Phrase::transient(
        "code = deadlineexceeded",
        ProvisioningFailed,
        "https://github.com/rook/rook/issues/4896",
        "failed to provision volume with StorageClass \"rook\": rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    ),
    Phrase::wrapper(
        "failed to provision volume with storageclass",
        ProvisioningFailed,
        "https://github.com/openebs/openebs/issues/2412",
        "failed to provision volume with StorageClass \"openebs\": no",
    ),
    Phrase::new(
        "requested volume size is greater than",
        ProvisioningFailed,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/volume/persistentvolume/pv_controller.go",
        "Cannot bind to requested volume \"v\": requested volume size is greater than that of the volume",
    ),
    Phrase::new(
        "cannot bind to requested volume",
        ProvisioningFailed,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/volume/persistentvolume/pv_controller.go",
        "Cannot bind to requested volume \"v\": incompatible accessMode",
    ),
    // It does not grow.
    Phrase::strong(
        "error expanding volume",
        ResizeFailed,
        "https://github.com/Azure/AKS/issues/1477",
        "error expanding volume \"n/c\" of plugin \"kubernetes.io/azure-disk\": no",
    ),
    Phrase::strong(
        "cannot resize disk",
        ResizeFailed,
        "https://github.com/Azure/AKS/issues/1477",
        "Service returned an error. Status= Code=\"OperationNotAllowed\" Message=\"Cannot resize disk kubernetes-dynamic-pvc-1 while it is attached to running VM /s.\"",
    ),
    Phrase::strong(
        "by resizer failed",
        ResizeFailed,
        "https://github.com/kubernetes-csi/external-resizer/issues/474",
        "resize volume \"pv-1\" by resizer \"volume.csi.azure.com\" failed: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    ),
    Phrase::strong(
        "could not resize volume",
        ResizeFailed,
        "https://github.com/gardener/pvc-autoscaler/issues/293",
        "failed to expand pvc with rpc error: code = Internal desc = Could not resize volume \"1192\" to size 204800",
    ),
    Phrase::strong(
        "failed to expand pvc",
        ResizeFailed,
        "https://github.com/gardener/pvc-autoscaler/issues/293",
        "failed to expand pvc with rpc error: code = Internal desc = no",
    ),
    Phrase::strong(
        "maximum modification rate per volume limit",
        ResizeFailed,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/modify-volume.md",
        "VolumeModificationRateExceeded: You've reached the maximum modification rate per volume limit. Wait at least 6 hours between modifications per EBS volume.",
    ),
    Phrase::transient(
        "volume expansion not completed yet",
        ResizeFailed,
        "https://github.com/hwameistor/hwameistor/issues/626",
        "rpc error: code = Unknown desc = volume expansion not completed yet",
    ),
    Phrase::strong(
        "failed to get an available volume in ec2",
        IamDenied,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/3010",
        "rpc error: code = Internal desc = Could not create volume \"pvc-1\": failed to get an available volume in EC2: InvalidVolume.NotFound: The volume 'vol-1' does not exist.",
    ),
];
