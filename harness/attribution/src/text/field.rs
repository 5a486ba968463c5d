//! Messages that people reported from clusters, each with what was to blame there. The tables had none of them as an example
//! when these were collected; whoever mends a table adds what it read wrongly.

use super::*;
use Cause::*;

/// Who said it: the reason of an event or a status where it counts, and the words.
type Said = (&'static str, &'static str);

fn all_mean(cause: Cause, said: &[Said], read: impl Fn(&str, &str) -> Option<Cause>) {
    let wrong: Vec<_> = said
        .iter()
        .filter_map(|(reason, text)| {
            let got = read(reason, text);
            (got != Some(cause)).then(|| format!("{got:?}, not {cause:?}: {text}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn mount(_: &str, text: &str) -> Option<Cause> {
    mount_failure(text).map(|(cause, _)| cause)
}

fn balancer(_: &str, text: &str) -> Option<Cause> {
    Some(balancer_failure(text).0)
}

fn pull(reason: &str, text: &str) -> Option<Cause> {
    pull_failure(reason, text, "")
}

fn container(_: &str, text: &str) -> Option<Cause> {
    Some(container_failure(text).0)
}

fn schedule(_: &str, text: &str) -> Option<Cause> {
    scheduling_failure(text)?.cause
}

/// What a cloud denies is denied, whether a volume is made, attached, or a load balancer wanted.
#[test]
fn a_cloud_s_denial_is_one_for_volumes_and_balancers_alike() {
    let said: &[Said] = &[
        (
            "",
            "rpc error: code = Internal desc = Retriable: false, RetryAfter: 0s, HTTPStatusCode: 403, RawError: {\"error\":{\"code\":\"LinkedAuthorizationFailed\",\"message\":\"The client 'a' with object id 'a' has permission to perform action 'Microsoft.Compute/disks/write' on scope '/s'; however, it does not have permission to perform action(s) 'Microsoft.Compute/diskEncryptionSets/read' on the linked scope(s) '/t' (respectively) or the linked scope(s) are invalid.\"}}",
        ),
        ("", "failed to attach disk: \"63d4e68c\" with node: \"worker0\" err ServerFaultCode: NoPermission"),
        ("", "err ServerFaultCode: Permission to perform this operation was denied."),
        ("", "Error: ServerFaultCode: Cannot complete login due to an incorrect user name or password."),
        (
            "",
            "operation error EC2: DescribeInstances, get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, canceled, context deadline exceeded",
        ),
        (
            "",
            "Failed to getDisk: googleapi: Error 403: Request had insufficient authentication scopes. More details: Reason: insufficientPermissions, Message: Insufficient Permission",
        ),
        (
            "",
            "googleapi: Error 400: Cloud KMS error when using key projects/p/k: Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource 'projects/p' (or it may not exist)., kmsPermissionDenied",
        ),
        (
            "",
            "GET https://management.azure.com/subscriptions/s RESPONSE 403: 403 Forbidden ERROR CODE: AuthorizationFailed",
        ),
    ];
    all_mean(IamDenied, said, mount);
    all_mean(IamDenied, said, balancer);
    all_mean(IamDenied, said, |_, text| claim_failure("ProvisioningFailed", text));
}

#[test]
fn a_token_that_a_cloud_does_not_take_is_one_for_volumes_and_balancers_alike() {
    let said: &[Said] = &[
        (
            "",
            "WebIdentityErr: failed to retrieve credentials caused by: InvalidIdentityToken: No OpenIDConnect provider found in your account for https://oidc.eks.eu-west-1.amazonaws.com/id/AB status code: 400",
        ),
        ("", "hcops/LoadBalancerOps.GetByK8SServiceUID: api error: unable to authenticate (unauthorized)"),
        (
            "",
            "GET https://api.digitalocean.com/v2/load_balancers: 401 (request \"1\") Unable to authenticate you",
        ),
        ("", "failed to create volume. Error: ServerFaultCode: NotAuthenticated"),
    ];
    all_mean(TokenInvalid, said, mount);
    all_mean(TokenInvalid, said, balancer);
    all_mean(TokenInvalid, said, |_, text| claim_failure("ProvisioningFailed", text));
}

#[test]
fn an_error_that_is_quoted_whole_is_heard() {
    let said: &[Said] = &[(
        "",
        "Error syncing load balancer: failed to ensure load balancer: Unable to update load balancer attributes during attribute sync: \"AccessDenied: User: arn:aws:sts::1:assumed-role/r/i-1 is not authorized to perform: elasticloadbalancing:ModifyLoadBalancerAttributes on resource: arn:aws:x status code: 403\"",
    )];
    all_mean(IamDenied, said, balancer);
    for silent in [
        "container \"accessdenied\" went wrong",
        "it went wrong with \"accessdenied: 1\"",
        "\"sh: a b\" unauthorized-operation",
    ] {
        assert_eq!(balancer_failure(silent).0, LoadBalancerFailed, "{silent}");
    }
}

#[test]
fn pulls_that_a_proxy_a_policy_or_the_node_stops() {
    let unreached: &[Said] = &[
        (
            "ErrImagePull",
            "Error response from daemon: Head \"https://europe-west3-docker.pkg.dev/v2/k/images/a/manifests/v4.0.0\": Forbidden",
        ),
        ("ErrImagePull", "Error response from daemon: Get https://registry-1.docker.io/v2/: Forbidden"),
        (
            "ErrImagePull",
            "failed to do request: Head \"https://r.corp:5000/v2/a/manifests/1\": remote error: tls: handshake failure",
        ),
        (
            "ErrImagePull",
            "failed to copy: httpReadSeeker: failed open: failed to do request: Get \"https://r/v2/a/blobs/sha256:ab\": http2: client connection lost",
        ),
        (
            "RegistryUnavailable",
            "image pull failed for r.corp/a:1 because the registry is unavailable: connection error",
        ),
    ];
    all_mean(RegistryUnreachable, unreached, pull);
    let refused: &[Said] = &[
        (
            "ErrImagePull",
            "copying system image from manifest list: Source image rejected: A signature was required, but no signature exists",
        ),
        (
            "SignatureValidationFailed",
            "image pull failed for quay.io/a/b:1 because the signature validation failed",
        ),
        (
            "ErrImagePull",
            "unknown: current image with 3 vulnerabilities cannot be pulled due to configured policy in 'Prevent images with vulnerability severity of \"High\" or higher from running.'",
        ),
    ];
    all_mean(BadConfiguration, refused, pull);
    let no_image: &[Said] = &[
        (
            "ErrImagePull",
            "rpc error: code = Unknown desc = unsupported docker v2s2 media type: \"application/vnd.oci.image.layer.v1.tar+gzip\"",
        ),
        (
            "ErrImagePull",
            "failed to pull and unpack image \"r/charts/a:1\": failed to unpack image on snapshotter overlayfs: mismatched image rootfs and manifest layers",
        ),
    ];
    all_mean(ImageNotFound, no_image, pull);
    let node: &[Said] = &[
        (
            "ErrImagePull",
            "failed to extract layer sha256:ab: mount callback failed on /x: archive/tar: invalid tar header: unknown",
        ),
        (
            "ErrImagePull",
            "failed to prepare extraction snapshot \"extract-1 sha256:ab\": failed to stat parent: stat /x/fs: no such file or directory",
        ),
        (
            "ErrImagePull",
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        ),
    ];
    all_mean(RuntimeFailing, node, pull);
}

#[test]
fn containers_that_the_runtime_or_a_device_keeps_from_starting() {
    let runtime: &[Said] = &[
        (
            "",
            "failed to start container \"p\": Error response from daemon: OCI runtime create failed: container_linux.go:380: starting container process caused: process_linux.go:385: applying cgroup configuration for process caused: error creating systemd unit `docker-p.scope`: got `failed`: unknown",
        ),
        (
            "",
            "failed to create containerd task: failed to start shim: start failed: : exit status 1: unknown",
        ),
        (
            "",
            "failed to create containerd task: failed to create shim task: exec: \"runc\": executable file not found in $PATH: unknown",
        ),
        (
            "",
            "failed to create containerd container: get image \"sha256:ab\": rpc error: code = NotFound desc = content digest sha256:ab: not found",
        ),
    ];
    all_mean(RuntimeFailing, runtime, container);
    let device: &[Said] = &[
        (
            "",
            "OCI runtime create failed: error running hook #0: nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.4, please update your driver to a newer version: unknown",
        ),
        (
            "",
            "OCI runtime create failed: nvidia-container-cli: ldcache error: open failed: /run/nvidia/driver/sbin/ldconfig.real: no such file or directory: unknown",
        ),
        (
            "",
            "could not apply required modification to OCI specification: error modifying OCI spec: failed to inject CDI devices: unresolvable CDI devices nvidia.com/gpu=0: unknown",
        ),
    ];
    all_mean(DeviceUnavailable, device, container);
    let own: &[Said] = &[
        (
            "",
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: mkdir /app: not a directory: unknown",
        ),
        (
            "",
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: unable to start container process: error during container init: error mounting \"/x\" to rootfs at \"/etc/app/sub\": mkdirat /etc/app/sub: read-only file system: unknown",
        ),
        (
            "",
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: unknown capability \"CAP_FOO\": unknown",
        ),
    ];
    all_mean(BadConfiguration, own, container);
    let stale: &[Said] = &[(
        "",
        "failed to prepare subPath for volumeMount \"data\" of container \"app\": mkdir /x/data: stale NFS file handle",
    )];
    all_mean(AttachOrMountFailed, stale, container);
}

#[test]
fn schedulers_of_all_ages() {
    let missing: &[Said] = &[
        (
            "",
            "0/3 nodes are available: persistentvolumeclaim \"data\" bound to non-existent persistentvolume \"pv-1\". preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod..",
        ),
        (
            "",
            "running PreFilter plugin \"VolumeBinding\": error getting PVC \"n/data\": could not find v1.PersistentVolumeClaim \"n/data\"",
        ),
    ];
    all_mean(ClaimOrClassMissing, missing, schedule);
    all_mean(
        ProvisioningFailed,
        &[("", "PersistentVolumeClaim is not bound: \"mongo-1\" (repeated 3 times)")],
        schedule,
    );
    let device: &[Said] = &[
        ("", "0/2 nodes are available: 2 resourceclaim not available on the node."),
        ("", "0/2 nodes are available: resourceclaim.resource.k8s.io \"gpu\" not found."),
        ("", "0/2 nodes are available: 2 device class gpu.example.com does not exist."),
    ];
    all_mean(DeviceUnavailable, device, schedule);
    all_mean(
        PlacementConstraint,
        &[("", "0/3 nodes are available: 3 node(s) didn't match the requested hostname.")],
        schedule,
    );
}

#[test]
fn what_others_said() {
    all_mean(
        IamDenied,
        &[(
            "ProvisioningFailed",
            "failed to provision volume with StorageClass \"ebscsi\": rpc error: code = Internal desc = Could not create volume \"pvc-1\": failed to get an available volume in EC2: InvalidVolume.NotFound: The volume 'vol-1' does not exist. status code: 400",
        )],
        claim_failure,
    );
    all_mean(
        RbacDenied,
        &[(
            "",
            "pods \"web-1\" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>",
        )],
        |_, text| create_failure(text),
    );
    all_mean(
        RbacDenied,
        &[(
            "FailedCreatePodSandBox",
            "plugin type=\"calico\" failed (add): error getting ClusterInformation: connection is unauthorized: clusterinformations.crd.projectcalico.org \"default\" is forbidden: User \"system:serviceaccount:kube-system:calico-cni-plugin\" cannot get resource \"clusterinformations\"",
        )],
        |reason, text| sandbox_failure(reason, text).map(|(cause, _)| cause),
    );
    all_mean(
        RegistryUnreachable,
        &[(
            "FailedCreatePodSandBox",
            "error creating pod sandbox with name \"k8s_p_n_u_0\": initializing source docker://registry.k8s.io/pause:3.9: pinging container registry registry.k8s.io: Get \"https://registry.k8s.io/v2/\": dial tcp 34.96.108.209:443: i/o timeout",
        )],
        |reason, text| sandbox_failure(reason, text).map(|(cause, _)| cause),
    );
    all_mean(
        NodePressure,
        &[(
            "UnexpectedAdmissionError",
            "Pod was rejected: Allocate failed due to failed to write checkpoint file \"kubelet_internal_checkpoint\": write /x/.1: no space left on device, which is unexpected",
        )],
        giving_up,
    );
    all_mean(
        PlacementConstraint,
        &[("SMTAlignmentError", "SMT Alignment Error: requested 3 cpus not multiple cpus per core = 2")],
        giving_up,
    );
    all_mean(
        RuntimeFailing,
        &[(
            "",
            "rpc error: code = Unknown desc = failed to get docker version: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        )],
        |_, text| not_ready(text),
    );
}

#[test]
fn what_a_node_cannot_repair_or_grow_is_told_from_what_it_cannot_mount() {
    let faulty: &[Said] = &[
        (
            "",
            "MountVolume.SetUp failed for volume \"pvc-1\" : rpc error: code = Internal desc = 'fsck' found errors on device /dev/longhorn/pvc-1 but could not correct them: fsck from util-linux 2.31.1\next2fs_check_if_mount: Can't check if filesystem is mounted due to missing mtab file while determining whether /dev/longhorn/pvc-1 is mounted.",
        ),
        ("", "Output: mount: /g: mount(2) system call failed: Structure needs cleaning."),
    ];
    all_mean(VolumeFaulty, faulty, mount);
    let grows = "MountVolume.Setup failed while expanding volume for volume \"pvc-2\" : Expander.NodeExpand failed to expand the volume : rpc error: code = Internal desc = error when resizing filesystem on volume \"6\" on node: error when resizing filesystem on devicePath /dev/sde and volumePath /var/lib/kubelet/pods/0";
    all_mean(ResizeFailed, &[("", grows)], mount);
}

#[test]
fn who_holds_a_volume_is_said_in_many_words() {
    for held in [
        "AttachVolume.Attach failed for volume “pvc-id” : googleapi: Error 400: The disk resource ‘projects/p/zones/z/disks/d’ is already being used by ‘projects/p/zones/z/instances/node1’",
        "AttachVolume.Attach failed for volume \"pvc-1\" : disk 4e41d530 is attached to a different instance (9454752c)",
        "AttachVolume.Attach failed for volume \"k8s-1\" : rpc error: code = FailedPrecondition desc =  runid=226485 export '35' in access zone 'z' already has other clients added to it, and the access mode is SINGLE_NODE_MULTI_WRITER, thus the request fails",
    ] {
        assert_eq!(mount_failure(held), Some((AttachOrMountFailed, crate::text::Said::Clearly)), "{held}");
    }
}

#[test]
fn an_error_that_is_passed_on_in_quotes_is_heard() {
    let killing = "error killing pod: failed to \"KillPodSandbox\" for \"1\" with KillPodSandboxError: \"rpc error: code = Unknown desc = failed to destroy network for sandbox \\\"a\\\": plugin type=\\\"calico\\\" failed (delete): error getting ClusterInformation: Get \\\"https://10.96.0.1:443/x\\\": dial tcp 10.96.0.1:443: i/o timeout\"";
    all_mean(CniFailed, &[("FailedKillPod", killing)], |reason, text| {
        sandbox_failure(reason, text).map(|(cause, _)| cause)
    });
    let caused = "Error: failed to start container \"j\": Error response from daemon: OCI runtime create failed: container_linux.go:348: starting container process caused \"exec: \\\"bash\\\": executable file not found in $PATH\": unknown";
    assert_eq!(container_failure(caused), (BadConfiguration, crate::text::Said::Clearly));
}

#[test]
fn what_a_node_has_lost_is_not_the_image_s() {
    let store = "Failed to pull image \"gcr.io/p/i:1\": rpc error: code = NotFound desc = failed to pull and unpack image \"gcr.io/p/i:1\": failed to unpack image on snapshotter overlayfs: failed to extract layer sha256:eada838fb7777f76: failed to get reader from content store: content digest sha256:9a96: not found";
    all_mean(RuntimeFailing, &[("Failed", store)], pull);
}
