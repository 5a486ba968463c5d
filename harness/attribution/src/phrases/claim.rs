//! Claims that no volume is made for, and volumes that do not grow.

use super::Phrase;
use loopdrill_model::Cause::{
    ClaimOrClassMissing, IamDenied, ProvisioningFailed, RbacDenied, ResizeFailed, TokenInvalid,
};

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
        "unauthorizedoperation",
        IamDenied,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/595",
        "failed to provision volume with StorageClass \"gp3\": rpc error: code = Internal desc = Could not create volume: UnauthorizedOperation: You are not authorized to perform this operation.",
    ),
    Phrase::strong(
        "not authorized to perform",
        IamDenied,
        "https://github.com/kubernetes-sigs/aws-efs-csi-driver/issues/850",
        "failed to provision volume with StorageClass \"efs\": rpc error: code = Unauthenticated desc = Access Denied. Please ensure you have the right AWS permissions: User: a is not authorized to perform: elasticfilesystem:CreateAccessPoint",
    ),
    Phrase::strong(
        "accessdenied",
        IamDenied,
        "https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html",
        "Could not create volume: operation error EC2: CreateVolume, get identity: AccessDenied: no",
    ),
    Phrase::strong(
        "access denied",
        IamDenied,
        "https://github.com/kubernetes-sigs/aws-efs-csi-driver/issues/850",
        "rpc error: code = Unauthenticated desc = Access Denied. Please ensure you have the right AWS permissions",
    ),
    Phrase::strong(
        "nocredentialproviders: no valid providers in chain",
        IamDenied,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/1146",
        "Could not create volume \"pvc-1\" in EC2: NoCredentialProviders: no valid providers in chain",
    ),
    Phrase::strong(
        "no ec2 imds role found",
        IamDenied,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/1783",
        "get credentials: failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata",
    ),
    Phrase::strong(
        "does not have authorization to perform action",
        IamDenied,
        "https://github.com/Azure/AKS/issues/1476",
        "Code=\"AuthorizationFailed\" Message=\"The client 'a' with object id 'a' does not have authorization to perform action 'Microsoft.Compute/disks/write' over scope '/s'\"",
    ),
    Phrase::strong(
        "permission to perform this operation was denied",
        IamDenied,
        "https://github.com/vmware-archive/kubernetes-archived/issues/505",
        "Failed to provision volume with StorageClass \"fast\": ServerFaultCode: Permission to perform this operation was denied.",
    ),
    Phrase::strong(
        "nopermission",
        IamDenied,
        "https://github.com/kubernetes-sigs/vsphere-csi-driver/issues/350",
        "failed to provision volume with StorageClass \"vsphere-storage\": rpc error: code = Internal desc = failed to get shared datastores in kubernetes cluster. Error: NoPermission",
    ),
    Phrase::strong(
        "does not have access to service account",
        IamDenied,
        "https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver/issues/794",
        "googleapi: Error 403: The user does not have access to service account 'x@p.iam.gserviceaccount.com'. Ask a project owner to grant you the iam.serviceAccountUser role on the service account, forbidden",
    ),
    Phrase::strong(
        "failed to refresh the token for request",
        TokenInvalid,
        "https://github.com/Azure/AKS/issues/371",
        "azure.BearerAuthorizer#WithAuthorization: Failed to refresh the Token for request to https://management.azure.com/subscriptions/s: StatusCode=401 -- Original Error: adal: Refresh request failed. Status Code = '401'.",
    ),
    Phrase::strong(
        "required permission for",
        IamDenied,
        "https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver/issues/794",
        "unknown Insert disk error: googleapi: Error 403: Required 'compute.disks.create' permission for 'projects/p/zones/z/disks/d', forbidden",
    ),
    Phrase::strong(
        "code = permissiondenied",
        IamDenied,
        "https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver/issues/293",
        "rpc error: code = PermissionDenied desc = CreateVolume failed: googleapi: Error 403: Required 'compute.disks.create' permission for 'projects/p', forbidden",
    ),
    Phrase::strong(
        "is forbidden: user cannot",
        RbacDenied,
        "https://github.com/kubernetes-sigs/nfs-subdir-external-provisioner/issues/25",
        "failed to provision volume: persistentvolumes is forbidden: User \"system:serviceaccount:n:a\" cannot create resource \"persistentvolumes\"",
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
];
