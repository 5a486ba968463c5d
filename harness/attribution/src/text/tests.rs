//! What messages of real clusters mean, beyond the examples of the tables.

use super::*;
use Cause::*;
use loopdrill_model::Loop::{self, *};

#[test]
fn pull_texts_are_told_apart() {
    let unexpected = "failed to pull and unpack image \"r:5000/a/b:1\": failed to resolve reference \
                      \"r:5000/a/b:1\": unexpected status from HEAD request to https://r:5000/v2/a/b/manifests/1: ";
    let cases = [
        (format!("{unexpected}401 Unauthorized"), Some(PullUnauthorized)),
        (format!("{unexpected}403 Forbidden"), Some(PullUnauthorized)),
        (format!("{unexpected}503 Service Unavailable"), Some(RegistryUnreachable)),
        (
            "rpc error: code = NotFound desc = failed to pull and unpack image \"r/a:1\": failed to resolve \
             image: r/a:1: not found"
                .into(),
            Some(ImageNotFound),
        ),
        (
            "failed to do request: Head \"https://r:5000/v2/\": dial tcp 10.0.0.1:5000: connect: connection \
             refused"
                .into(),
            Some(RegistryUnreachable),
        ),
        (
            "failed to authorize: failed to fetch oauth token: Post \"https://r/token\": dial tcp: lookup r: no \
             such host"
                .into(),
            Some(RegistryUnreachable),
        ),
        ("pull access denied, repository does not exist or may require authorization".into(), Some(PullUnauthorized)),
        ("Back-off pulling image \"r/401/unauthorized:not-found\"".into(), None),
    ];
    for (text, cause) in cases {
        assert_eq!(pull_failure("ErrImagePull", &text, "r:5000/a/b:1"), cause, "{text}");
    }
    assert_eq!(pull_failure("ErrImageNeverPull", "", ""), Some(ImageNotFound));
    assert_eq!(pull_failure("InvalidImageName", "", ""), Some(BadConfiguration));
}

#[test]
fn a_name_that_speaks_of_failure_does_not() {
    let text = "failed to resolve image: unauthorized-401/dial-tcp:timeout: not found";
    assert_eq!(pull_failure("ErrImagePull", text, "unauthorized-401/dial-tcp:timeout"), Some(ImageNotFound));
}

#[test]
fn creation_texts_are_told_apart() {
    let cases = [
        (
            "pods \"a-1\" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=1, limited: cpu=1",
            Some(QuotaExceeded),
        ),
        ("pods \"a\" is forbidden: failed quota: q: must specify limits.cpu", Some(QuotaExceeded)),
        (
            "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true",
            Some(BadConfiguration),
        ),
        (
            "Internal error occurred: failed calling webhook \"w.example.com\": failed to call webhook: Post \"https://w.n.svc:443/?timeout=10s\": service \"w\" not found",
            Some(WebhookBlocked),
        ),
        ("error looking up service account n/a: serviceaccount \"a\" not found", Some(BadConfiguration)),
        (
            "pods \"a\" is forbidden: unable to create new content in namespace n because it is being terminated",
            None,
        ),
        ("the server was unable to return a response in the time allotted", None),
    ];
    for (text, cause) in cases {
        assert_eq!(create_failure(text), cause, "{text}");
    }
}

#[test]
fn a_probe_that_waits_is_not_one_that_is_refused() {
    let failed =
        |why: &str| probe_waited(&format!("Liveness probe failed: Get \"http://10.0.0.1:80/\": {why}"));
    assert!(failed("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"));
    assert!(!failed("dial tcp 10.0.0.1:80: connect: connection refused"));
    assert!(!failed("dial tcp 10.0.0.1:80: i/o timeout (Client.Timeout exceeded while awaiting headers)"));
    assert!(!probe_waited("Readiness probe failed: HTTP probe failed with statuscode: 503"));
}

#[test]
fn mount_texts_are_told_apart() {
    let cause = |text: &str| mount_failure(text).map(|(cause, _)| cause);
    assert_eq!(
        cause("MountVolume.SetUp failed for volume \"c\" : configmap \"c\" not found"),
        Some(BadConfiguration)
    );
    for held in [
        "Waiting for detach for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another",
        "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) configmap-secret-0",
    ] {
        assert_eq!(cause(held), Some(AttachOrMountFailed), "{held}");
    }
    assert_eq!(
        cause(
            "MountVolume.SetUp failed for volume \"kube-api-access\" : object \"n\"/\"kube-root-ca.crt\" not registered"
        ),
        None
    );
    assert_eq!(
        cause(
            "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another"
        ),
        Some(AttachOrMountFailed)
    );
}

/// A message as somebody reported it, and the loop that was to blame.
type Report = (&'static str, Loop);

fn read_all(reports: &[Report], read: impl Fn(&str) -> Option<Cause>) {
    let wrong: Vec<_> = reports
        .iter()
        .filter_map(|(message, blame)| {
            let cause = read(message);
            (cause.map(Cause::control_loop) != Some(*blame))
                .then(|| format!("{blame}, not {cause:?}: {message}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pulls_of_all_registries() {
    let reports: &[Report] = &[
        (
            "rpc error: code = Unknown desc = Error response from daemon: Head \"https://c.azurecr.io/v2/a/manifests/v2\": unauthorized: authentication required, visit https://aka.ms/acr/authorization for more information.",
            Identity,
        ),
        (
            "failed to pull and unpack image \"c.azurecr.io/a:1\": failed to resolve reference \"c.azurecr.io/a:1\": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://c.azurecr.io/oauth2/token?scope=repository%3Aa%3Apull&service=c.azurecr.io: 401 Unauthorized",
            Identity,
        ),
        (
            "failed to pull and unpack image \"1.dkr.ecr.us-east-1.amazonaws.com/a:1\": failed to resolve reference \"1.dkr.ecr.us-east-1.amazonaws.com/a:1\": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
            Identity,
        ),
        (
            "failed to resolve reference \"ghcr.io/acme/a:1\": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=repository%3Aacme%2Fa%3Apull&service=ghcr.io: 403 Forbidden",
            Identity,
        ),
        ("Error response from daemon: Get https://ghcr.io/v2/acme/a/manifests/1: denied", Identity),
        (
            "rpc error: code = Unknown desc = reading manifest latest in registry.redhat.io/ubi8: unauthorized: Please login to the Red Hat Registry using your Customer Portal credentials.",
            Identity,
        ),
        (
            "rpc error: code = Unknown desc = initializing source docker://quay.io/acme/a:1: reading manifest 1 in quay.io/acme/a: unauthorized: access to the requested resource is not authorized",
            Identity,
        ),
        (
            "failed to resolve reference \"europe-docker.pkg.dev/p/r/a:1\": failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://europe-docker.pkg.dev/v2/token: 403 Forbidden",
            Identity,
        ),
        (
            "failed to pull image \"registry.gitlab.com/g/a:1\": failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden",
            Identity,
        ),
        (
            "rpc error: code = Unknown desc = failed to pull and unpack image \"harbor.example/library/a:1\": failed to copy: httpReadSeeker: failed open: unexpected status code https://harbor.example/v2/library/a/blobs/sha256:ab: 503 Service Unavailable",
            Network,
        ),
        (
            "rpc error: code = DeadlineExceeded desc = failed to pull and unpack image \"docker.io/library/a:1\": failed to resolve reference \"docker.io/library/a:1\": failed to do request: Head \"https://registry-1.docker.io/v2/library/a/manifests/1\": dial tcp 34.226.69.105:443: i/o timeout",
            Network,
        ),
        (
            "failed to pull and unpack image \"docker.io/library/a:1\": failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/a/manifests/sha256:ab: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit",
            Network,
        ),
        (
            "Error response from daemon: Get \"https://registry-1.docker.io/v2/\": context deadline exceeded",
            Network,
        ),
        (
            "pinging container registry r.example:5000: Get \"http://r.example:5000/v2/\": dial tcp 10.0.0.7:5000: connect: connection refused",
            Network,
        ),
        (
            "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/a:nope\": failed to resolve reference \"docker.io/library/a:nope\": docker.io/library/a:nope: not found",
            Workload,
        ),
        (
            "Error response from daemon: manifest for r.example/a:nope not found: manifest unknown: manifest unknown",
            Workload,
        ),
        (
            "rpc error: code = Unknown desc = choosing image instance: no image found in image index for architecture arm64, variant \"v8\", OS linux",
            Workload,
        ),
        (
            "rpc error: code = Unknown desc = no matching manifest for linux/amd64 in the manifest list entries",
            Workload,
        ),
        (
            "failed to pull and unpack image \"r.example/a:1\": failed to extract layer sha256:ab: write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/a: no space left on device: unknown",
            Compute,
        ),
        (
            "writing blob: adding layer with blob \"sha256:ab\": Error processing tar file(exit status 1): write /a: no space left on device",
            Compute,
        ),
    ];
    read_all(reports, |m| pull_failure("ErrImagePull", m, "r.example/a:1"));
}

#[test]
fn mounts_of_all_drivers() {
    let reports: &[Report] = &[
        (
            "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = Internal desc = Could not attach volume \"vol-1\" to node \"i-1\": could not attach volume \"vol-1\" to node \"i-1\": VolumeInUse: vol-1 is already attached to an instance status code: 400",
            Storage,
        ),
        (
            "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = NotFound desc = Volume not found, failed with error: Retriable: false, RetryAfter: 0s, HTTPStatusCode: 404",
            Storage,
        ),
        (
            "AttachVolume.Attach failed for volume \"pvc-1\" : CSINode n1 does not contain driver ebs.csi.aws.com",
            Storage,
        ),
        (
            "MountVolume.WaitForAttach failed for volume \"pvc-1\" : volume attachment is being deleted",
            Storage,
        ),
        (
            "MountVolume.SetUp failed for volume \"nfs\" : mount failed: exit status 32 Mounting command: mount Mounting arguments: -t nfs 10.0.0.4:/x /y Output: mount.nfs: Connection timed out",
            Storage,
        ),
        (
            "MountVolume.MountDevice failed for volume \"pvc-1\" : rpc error: code = Internal desc = 'fsck' found errors on device /dev/longhorn/pvc-1 but could not correct them",
            Storage,
        ),
        (
            "MountVolume.SetUp failed for volume \"pvc-1\" : rpc error: code = Internal desc = Could not mount \"fs-1:/\" at \"/x\": mount failed: exit status 1 Output: Failed to resolve \"fs-1.efs.eu-west-1.amazonaws.com\" - check that your file system ID is correct",
            Storage,
        ),
        (
            "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = Internal desc = operation error EC2: AttachVolume, https response error StatusCode: 403, api error UnauthorizedOperation: You are not authorized to perform this operation.",
            Identity,
        ),
        (
            "MountVolume.SetUp failed for volume \"blob\" : rpc error: code = Internal desc = Mount failed with error: rpc error: code = Unknown desc = exit status 255 Error: failed to initialize: RESPONSE 403: AuthorizationPermissionMismatch",
            Identity,
        ),
        (
            "MountVolume.SetUp failed for volume \"secrets-store\" : rpc error: code = Unknown desc = failed to mount secrets store objects for pod n/p, err: rpc error: code = Unknown desc = failed to mount objects, error: failed to get objectType:secret, objectName:db, objectVersion:: azure.BearerAuthorizer#WithAuthorization: Failed to refresh the Token for request to https://kv.vault.azure.net/: StatusCode=400 -- Original Error: adal: Refresh request failed. Status Code = '400'. Response body: {\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}",
            Identity,
        ),
        (
            "MountVolume.SetUp failed for volume \"secrets\" : rpc error: code = Unknown desc = failed to mount secrets store objects for pod n/p, err: rpc error: code = Unknown desc = error making mount request: couldn't read secret \"db\": failed to login: Error making API request. URL: POST http://vault.vault:8200/v1/auth/kubernetes/login Code: 403. Errors: * permission denied",
            Identity,
        ),
        (
            "MountVolume.SetUp failed for volume \"secrets\" : rpc error: code = Unknown desc = failed to mount secrets store objects for pod n/p, err: rpc error: code = Internal desc = rpc error: code = PermissionDenied desc = Permission 'secretmanager.versions.access' denied for resource 'projects/p/secrets/s' (or it may not exist).",
            Identity,
        ),
        (
            "MountVolume.SetUp failed for volume \"secrets\" : rpc error: code = Unknown desc = failed to mount secrets store objects for pod n/p, err: rpc error: code = Unknown desc = error making mount request: failed to login: Post \"https://vault.example:8200/v1/auth/kubernetes/login\": dial tcp: lookup vault.example: no such host",
            Network,
        ),
        ("MountVolume.SetUp failed for volume \"config\" : configmap \"app-config\" not found", Workload),
        ("MountVolume.SetUp failed for volume \"certs\" : secret \"tls\" not found", Workload),
        (
            "MountVolume.SetUp failed for volume \"conf\" : references non-existent secret key: a.pem",
            Workload,
        ),
    ];
    read_all(reports, |m| mount_failure(m).map(|(cause, _)| cause));
}

#[test]
fn sandboxes_of_all_plugins() {
    let reports: &[Report] = &[
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to set up sandbox container \"ab\" network for pod \"p\": networkPlugin cni failed to set up pod \"p_n\" network: add cmd: failed to assign an IP address to container",
            Network,
        ),
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"ab\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.1:50051: connect: connection refused\"",
            Network,
        ),
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"ab\": plugin type=\"calico\" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that the calico/node container is running and has mounted /var/lib/calico/",
            Network,
        ),
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"ab\": plugin type=\"flannel\" failed (add): open /run/flannel/subnet.env: no such file or directory",
            Network,
        ),
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create pod network sandbox k8s_p_n_u_0(ab): error adding pod n_p to CNI network \"multus-cni-network\": plugin type=\"multus\" name=\"multus-cni-network\" failed (add): [n/p:ovn-kubernetes]: error adding container to network \"ovn-kubernetes\": CNI request failed with status 400: '[n/p ab] failed to get pod annotation: timed out waiting for annotations",
            Network,
        ),
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"ab\": plugin type=\"azure-vnet\" failed (add): IPAM Invoker Add failed with error: Failed to get IP address from CNS: http request failed: Post \"http://localhost:10090/network/requestipconfigs\": dial tcp 127.0.0.1:10090: connect: connection refused",
            Network,
        ),
        (
            "network is not ready: runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:docker: network plugin is not ready: cni config uninitialized",
            Network,
        ),
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error setting cgroup config for procHooks process: unit kubepods.slice not found: unknown",
            Compute,
        ),
        (
            "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
            Compute,
        ),
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = error reserving pod name k8s_p_n_u_0 for id ab: name is reserved",
            Compute,
        ),
        (
            "Failed to create pod sandbox: open /run/systemd/resolve/resolv.conf: no such file or directory",
            Compute,
        ),
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image \"k8s.gcr.io/pause:3.5\": failed to pull image \"k8s.gcr.io/pause:3.5\": failed to pull and unpack image \"k8s.gcr.io/pause:3.5\": failed to resolve reference \"k8s.gcr.io/pause:3.5\": failed to do request: Head \"https://k8s.gcr.io/v2/pause/manifests/3.5\": dial tcp 64.233.189.82:443: i/o timeout",
            Network,
        ),
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image \"602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/pause:3.5\": failed to pull image: failed to pull and unpack image: failed to resolve reference: pulling from host 602401143452.dkr.ecr.us-west-2.amazonaws.com failed with status code [manifests 3.5]: 401 Unauthorized",
            Identity,
        ),
    ];
    read_all(reports, |m| sandbox_failure("FailedCreatePodSandBox", m).map(|(cause, _)| cause));
}

#[test]
fn claims_of_all_provisioners() {
    let reports: &[Report] = &[
        (
            "failed to provision volume with StorageClass \"gp3\": rpc error: code = Internal desc = Could not create volume \"pvc-1\": could not create volume in EC2: UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: ec2:CreateVolume",
            Identity,
        ),
        (
            "failed to provision volume with StorageClass \"managed-csi\": rpc error: code = Unknown desc = Retriable: false, RetryAfter: 0s, HTTPStatusCode: 403, RawError: {\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"The client 'a' with object id 'a' does not have authorization to perform action 'Microsoft.Compute/disks/write' over scope '/s' or the scope is invalid.\"}}",
            Identity,
        ),
        (
            "failed to provision volume with StorageClass \"standard-rwo\": rpc error: code = ResourceExhausted desc = CreateVolume failed to create single zonal disk pvc-1: googleapi: Error 403: QUOTA_EXCEEDED - Quota 'SSD_TOTAL_GB' exceeded.  Limit: 500.0 in region europe-west1.",
            Storage,
        ),
        ("storageclass.storage.k8s.io \"fast-ssd\" not found", Storage),
        (
            "failed to provision volume with StorageClass \"rook-ceph-block\": rpc error: code = Aborted desc = an operation with the given Volume ID pvc-1 already exists",
            Storage,
        ),
        (
            "failed to provision volume with StorageClass \"local-path\": configuration error, no node was specified",
            Storage,
        ),
    ];
    read_all(reports, |m| claim_failure("ProvisioningFailed", m));
}
