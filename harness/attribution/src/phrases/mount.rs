//! Volumes that do not attach or mount: EBS, Azure disks and files, GCE PD, Ceph, Longhorn, NFS, vSphere, Cinder, local.

use super::Phrase;
use loopdrill_model::Cause::{
    AttachOrMountFailed, BadConfiguration, IamDenied, NodePressure, ResizeFailed, VolumeFaulty, VolumeLimit,
};

pub(super) const TABLE: &[Phrase] = &[
    // Said of what is well.
    Phrase::harmless(
        "object not registered",
        "https://github.com/kubernetes/kubernetes/issues/105204",
        "MountVolume.SetUp failed for volume \"kube-api-access\" : object \"n\"/\"kube-root-ca.crt\" not registered",
    ),
    Phrase::harmless(
        "failed to sync configmap cache",
        "https://github.com/kubernetes/kubernetes/issues/91817",
        "MountVolume.SetUp failed for volume \"c\" : failed to sync configmap cache: timed out waiting for the condition",
    ),
    Phrase::harmless(
        "failed to sync secret cache",
        "https://github.com/kubernetes/kubernetes/issues/91817",
        "MountVolume.SetUp failed for volume \"c\" : failed to sync secret cache: timed out waiting for the condition",
    ),
    // What the pod refers to is not there.
    Phrase::strong(
        "configmap not found",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/configmap/configmap.go",
        "MountVolume.SetUp failed for volume \"c\" : configmap \"c\" not found",
    ),
    Phrase::strong(
        "configmaps not found",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/issues/42679",
        "MountVolume.SetUp failed for volume \"c\" : configmaps \"c\" not found",
    ),
    Phrase::strong(
        "secret not found",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/secret/secret.go",
        "MountVolume.SetUp failed for volume \"c\" : secret \"c\" not found",
    ),
    Phrase::strong(
        "secrets not found",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/issues/42679",
        "MountVolume.SetUp failed for volume \"c\" : secrets \"c\" not found",
    ),
    Phrase::strong(
        "serviceaccounts not found",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/token/token_manager.go",
        "MountVolume.SetUp failed for volume \"kube-api-access-x\" : failed to fetch token: serviceaccounts \"app\" not found",
    ),
    Phrase::strong(
        "references non-existent",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/configmap/configmap.go",
        "MountVolume.SetUp failed for volume \"c\" : configmap references non-existent config key: a.yaml",
    ),
    Phrase::strong(
        "hostpath type check failed",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/hostpath/host_path.go",
        "MountVolume.SetUp failed for volume \"h\" : hostPath type check failed: /data is not a directory",
    ),
    // Somebody may not.
    Phrase::strong(
        "code = permissiondenied",
        IamDenied,
        "https://github.com/GoogleCloudPlatform/gcs-fuse-csi-driver/blob/main/docs/troubleshooting.md",
        "MountVolume.SetUp failed for volume \"gcs\" : rpc error: code = PermissionDenied desc = failed to get GCS bucket",
    ),
    Phrase::strong(
        "code = unauthenticated",
        IamDenied,
        "https://github.com/GoogleCloudPlatform/gcs-fuse-csi-driver/blob/main/docs/troubleshooting.md",
        "MountVolume.SetUp failed for volume \"gcs\" : rpc error: code = Unauthenticated desc = failed to prepare storage service",
    ),
    Phrase::strong(
        "nmi response failed with status code",
        IamDenied,
        "https://github.com/Azure/secrets-store-csi-driver-provider-azure/issues/34",
        "MountVolume.SetUp failed for volume \"v\" : kubernetes.io/csi: mounter.SetupAt failed: rpc error: code = Unknown desc = error mounting secret level=fatal msg=\"[error] : failed to get vault: failed to get management token: nmi response failed with status code: 403\"",
    ),
    // The node takes no more.
    Phrase::strong(
        "maximum number of data disks allowed to be attached",
        VolumeLimit,
        "https://github.com/kubernetes-sigs/azuredisk-csi-driver/issues/1842",
        "HTTPStatusCode: 409, RawError: {\"error\": {\"code\": \"OperationNotAllowed\", \"message\": \"The maximum number of data disks allowed to be attached to a VM of this size is 4.\"}}",
    ),
    Phrase::strong(
        "attachmentlimitexceeded",
        VolumeLimit,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/1163",
        "api error AttachmentLimitExceeded: Volume attachment limit exceeded",
    ),
    Phrase::strong(
        "maximum number of volumes already attached",
        VolumeLimit,
        "https://github.com/hetznercloud/csi-driver/issues/240",
        "rpc error: code = Internal desc = failed to publish volume: maximum number of volumes already attached to the server (resource_limit_exceeded)",
    ),
    Phrase::strong(
        "exceeded limit on resource",
        VolumeLimit,
        "https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver/issues/1053",
        "googleapi: Error 400: Exceeded limit 'maximum_persistent_disks' on resource 'i'. Limit: 16.0, limitExceeded",
    ),
    // The node's own disk.
    Phrase::strong(
        "no space left on device",
        NodePressure,
        "https://github.com/kubernetes/kubernetes/issues/61999",
        "MountVolume.SetUp failed for volume \"t\" : mkdir /var/lib/kubelet/pods/1/volumes: no space left on device",
    ),
    // The volume.
    Phrase::strong(
        "multi-attach error for volume",
        AttachOrMountFailed,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/542",
        "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another",
    ),
    Phrase::strong(
        "volume is already used by pod(s)",
        AttachOrMountFailed,
        "https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/volume/attachdetach/reconciler/reconciler.go",
        "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) db-0",
    ),
    Phrase::new(
        "not found in the list of registered csi drivers",
        AttachOrMountFailed,
        "https://github.com/ceph/ceph-csi/issues/710",
        "MountVolume.MountDevice failed for volume \"pvc-1\" : driver name rbd.csi.ceph.com not found in the list of registered CSI drivers",
    ),
    Phrase::wrapper(
        "unmounted volumes=",
        AttachOrMountFailed,
        "https://github.com/longhorn/longhorn/issues/3229",
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data], failed to process volumes=[]: no",
    ),
    Phrase::wrapper(
        "timed out waiting for the condition",
        AttachOrMountFailed,
        "https://github.com/longhorn/longhorn/issues/3229",
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: timed out waiting for the condition",
    ),
    Phrase::wrapper(
        "timeout expired waiting for volumes to attach or mount",
        AttachOrMountFailed,
        "https://github.com/ceph/ceph-csi/issues/710",
        "Unable to mount volumes for pod \"p_n(u)\": timeout expired waiting for volumes to attach or mount for pod \"n\"/\"p\".",
    ),
    Phrase::transient(
        "context deadline exceeded",
        AttachOrMountFailed,
        "https://github.com/longhorn/longhorn/issues/10670",
        "MountVolume.MountDevice failed for volume \"v\" : rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    ),
    Phrase::new(
        "wrong fs type, bad option, bad superblock",
        AttachOrMountFailed,
        "https://github.com/longhorn/longhorn/issues/3229",
        "mount failed: exit status 32 Output: mount: wrong fs type, bad option, bad superblock on 172.16.66.191:/pvc-1, missing codepage or helper program, or other error",
    ),
    Phrase::new(
        "mount failed: exit status",
        AttachOrMountFailed,
        "https://github.com/longhorn/longhorn/issues/6857",
        "rpc error: code = Internal desc = mount failed: exit status 32",
    ),
    Phrase::new(
        "already mounted or mount point busy",
        AttachOrMountFailed,
        "https://github.com/longhorn/longhorn/issues/3062",
        "Output: mount: /g: /dev/longhorn/pvc-1 already mounted or mount point busy.",
    ),
    Phrase::new(
        "can't read superblock",
        VolumeFaulty,
        "https://github.com/longhorn/longhorn/issues/2309",
        "Output: mount: /g: can't read superblock on /dev/sdb.",
    ),
    Phrase::strong(
        "found errors on device",
        VolumeFaulty,
        "https://github.com/kubernetes/mount-utils/blob/master/mount_linux.go",
        "'fsck' found errors on device /dev/sdb but could not correct them",
    ),
    Phrase::new(
        "structure needs cleaning",
        VolumeFaulty,
        "https://github.com/ceph/ceph-csi/issues/859",
        "mount: mount /dev/rbd0 on /g failed: Structure needs cleaning",
    ),
    Phrase::strong(
        "access denied by server while mounting",
        AttachOrMountFailed,
        "https://github.com/kubernetes-csi/csi-driver-nfs/issues/118",
        "Output: mount.nfs: access denied by server while mounting 10.0.0.4:/export",
    ),
    Phrase::new(
        "mount.nfs: connection timed out",
        AttachOrMountFailed,
        "https://github.com/kubernetes-csi/csi-driver-nfs/issues/118",
        "Output: mount.nfs: Connection timed out",
    ),
    Phrase::new(
        "no route to host",
        AttachOrMountFailed,
        "https://github.com/kubernetes-csi/csi-driver-nfs/issues/118",
        "Output: mount.nfs: No route to host",
    ),
    Phrase::new(
        "stale file handle",
        AttachOrMountFailed,
        "https://github.com/kubernetes-sigs/nfs-subdir-external-provisioner/issues/30",
        "mkdir /var/lib/kubelet/pods/1/volumes/nfs: stale file handle",
    ),
    Phrase::new(
        "transport endpoint is not connected",
        AttachOrMountFailed,
        "https://github.com/ctrox/csi-s3/issues/98",
        "stat /g: transport endpoint is not connected",
    ),
    Phrase::new(
        "mount error(13): permission denied",
        AttachOrMountFailed,
        "https://github.com/kubernetes-sigs/azurefile-csi-driver/issues/270",
        "Output: mount error(13): Permission denied Refer to the mount.cifs(8) manual page",
    ),
    Phrase::new(
        "host is down",
        AttachOrMountFailed,
        "https://github.com/kubernetes-csi/csi-driver-smb/issues/366",
        "Output: mount error(112): Host is down",
    ),
    Phrase::new(
        "rbd: map failed",
        AttachOrMountFailed,
        "https://github.com/ceph/ceph-csi/issues/1062",
        "rpc error: code = Internal desc = rbd: map failed with error an error (exit status 110) occurred while running rbd args: [map replicapool/csi-vol-1], rbd error output: rbd: sysfs write failed rbd: map failed: (110) Connection timed out",
    ),
    Phrase::new(
        "is still being used",
        AttachOrMountFailed,
        "https://github.com/rook/rook/issues/3532",
        "rpc error: code = Internal desc = rbd image replicapool/csi-vol-1 is still being used",
    ),
    Phrase::transient(
        "an operation with the given volume id",
        AttachOrMountFailed,
        "https://github.com/ceph/ceph-csi/issues/1062",
        "rpc error: code = Aborted desc = an operation with the given Volume ID 0001-1 already exists",
    ),
    Phrase::new(
        "is not ready for workloads",
        AttachOrMountFailed,
        "https://github.com/longhorn/longhorn/issues/2590",
        "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = Aborted desc = volume pvc-1 is not ready for workloads",
    ),
    Phrase::new(
        "cannot attach data disk",
        AttachOrMountFailed,
        "https://github.com/kubernetes/kubernetes/issues/78657",
        "Status=<nil> Code=\"AttachDiskWhileBeingDetached\" Message=\"Cannot attach data disk 'b1380f4b' to VM 'k8s_11' because the disk is currently being detached or the last detach operation failed.\"",
    ),
    Phrase::new(
        "failed to acquire lease while creating disk",
        AttachOrMountFailed,
        "https://github.com/kubernetes/kubernetes/issues/46421",
        "Code=\"AcquireDiskLeaseFailed\" Message=\"Failed to acquire lease while creating disk 'x' using blob with URI https://x.\"",
    ),
    Phrase::new(
        "resource_in_use_by_another_resource",
        AttachOrMountFailed,
        "https://github.com/kubernetes/kubernetes/issues/48968",
        "googleapi: Error 400: RESOURCE_IN_USE_BY_ANOTHER_RESOURCE - The disk resource 'd' is already being used by 'n'",
    ),
    Phrase::new(
        "volumeinuse",
        AttachOrMountFailed,
        "https://github.com/kubernetes/kubernetes/issues/57497",
        "Error attaching EBS volume \"vol-1\" to instance \"i-1\": VolumeInUse: vol-1 is already attached to an instance",
    ),
    Phrase::new(
        "failed to attach disk",
        AttachOrMountFailed,
        "https://github.com/kubernetes-sigs/vsphere-csi-driver/issues/846",
        "rpc error: code = Internal desc = failed to attach disk: \"7d03bad9\" with node: \"w1\" err ServerFaultCode: No",
    ),
    Phrase::transient(
        "requestlimitexceeded",
        AttachOrMountFailed,
        "https://github.com/openshiftio/openshift.io/issues/1520",
        "Failed to attach volume \"pvc-1\" on node \"n\" with: Error attaching EBS volume \"vol-1\" to instance \"i-1\": RequestLimitExceeded: Request limit exceeded. status code: 503",
    ),
    Phrase::new(
        "failed to find device path",
        AttachOrMountFailed,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/1027",
        "rpc error: code = Internal desc = Failed to find device path /dev/xvdba. no device path",
    ),
    Phrase::new(
        "could not attach volume",
        AttachOrMountFailed,
        "https://github.com/kubernetes-sigs/karpenter/issues/260",
        "rpc error: code = Internal desc = Could not attach volume \"vol-1\" to node \"i-1\": attachment of disk failed",
    ),
    Phrase::new(
        "path does not exist",
        AttachOrMountFailed,
        "https://github.com/kubernetes-sigs/sig-storage-local-static-provisioner/issues/424",
        "MountVolume.NewMounter initialization failed for volume \"local\" : path \"/mnt/disks/a\" does not exist",
    ),
    Phrase::strong(
        "could not get a free device name to assign to node",
        VolumeLimit,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/pkg/cloud/devicemanager/manager.go",
        "rpc error: code = Internal desc = Could not attach volume \"vol-1\" to node \"i-1\": could not get a free device name to assign to node i-1",
    ),
    Phrase::new(
        "stale nfs file handle",
        AttachOrMountFailed,
        "https://github.com/kubernetes-sigs/nfs-subdir-external-provisioner/issues/30",
        "MountVolume.SetUp failed for volume \"nfs\" : stat /x: stale NFS file handle",
    ),
    // Who holds it, in the words of clouds and arrays.
    Phrase::new(
        "is already being used by",
        AttachOrMountFailed,
        "https://github.com/kubernetes/kubernetes/issues/48968",
        "googleapi: Error 400: The disk resource 'projects/p/disks/d' is already being used by 'projects/p/instances/node1'",
    ),
    Phrase::new(
        "is attached to a different instance",
        AttachOrMountFailed,
        "https://github.com/kubernetes/kubernetes/blob/v1.12.0/pkg/cloudprovider/providers/openstack/openstack_volumes.go",
        "disk 4e41d530 path /dev/vdb is attached to a different instance (9454752c)",
    ),
    Phrase::new(
        "already has other clients added to it",
        AttachOrMountFailed,
        "https://github.com/dell/csi-powerscale/blob/main/service/controller.go",
        "runid=1 export '35' in access zone 'z' already has other clients added to it, and the access mode is SINGLE_NODE_MULTI_WRITER, thus the request fails",
    ),
    // What the kubelet wants to grow before it mounts it.
    Phrase::strong(
        "failed while expanding volume",
        ResizeFailed,
        "https://github.com/hwameistor/hwameistor/issues/702",
        "MountVolume.Setup failed while expanding volume for volume \"pvc-1\" : Expander.NodeExpand failed to expand the volume : rpc error: code = Internal desc = no",
    ),
    Phrase::strong(
        "failed to expand the volume",
        ResizeFailed,
        "https://github.com/hwameistor/hwameistor/issues/702",
        "Expander.NodeExpand failed to expand the volume : rpc error: code = Internal desc = error when resizing filesystem on volume \"6\" on node",
    ),
    // Whose file system nobody repairs.
    Phrase::strong(
        "unexpected inconsistency; run fsck manually",
        VolumeFaulty,
        "https://github.com/longhorn/longhorn/issues/2644",
        "'fsck' found errors on device /dev/sdb but could not correct them: /dev/sdb: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.",
    ),
];
