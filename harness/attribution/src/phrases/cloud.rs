//! What a cloud answers to whoever makes volumes and load balancers there: who may not, and whose token is of no use.
//! Drivers and controllers of all topics pass it on.

use super::Phrase;
use loopdrill_model::Cause::{IamDenied, RbacDenied, TokenInvalid};

pub(super) const TABLE: &[Phrase] = &[
    // The API server, of which the driver is a client, too.
    Phrase::strong(
        "is forbidden: user cannot",
        RbacDenied,
        "https://github.com/kubernetes-sigs/secrets-store-csi-driver/issues/523",
        "volumeattachments.storage.k8s.io is forbidden: User \"system:node:n\" cannot get resource \"volumeattachments\" in API group \"storage.k8s.io\"",
    ),
    // AWS.
    Phrase::strong(
        "unauthorizedoperation",
        IamDenied,
        "https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/595",
        "Could not attach volume \"vol-1\" to node \"i-1\": UnauthorizedOperation: You are not authorized to perform this operation.",
    ),
    Phrase::strong(
        "not authorized to perform",
        IamDenied,
        "https://github.com/kubernetes-sigs/aws-efs-csi-driver/issues/850",
        "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: elasticfilesystem:DescribeMountTargets",
    ),
    Phrase::strong(
        "accessdenied",
        IamDenied,
        "https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html",
        "Could not create volume: operation error EC2: CreateVolume, get identity: AccessDenied: no",
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
        "customerkeyhasbeenrevoked",
        IamDenied,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html",
        "operation error EC2: AttachVolume, https response error StatusCode: 400, api error CustomerKeyHasBeenRevoked: Volume vol-1 cannot be attached.",
    ),
    Phrase::strong(
        "invalididentitytoken",
        TokenInvalid,
        "https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/1226",
        "WebIdentityErr: failed to retrieve credentials caused by: InvalidIdentityToken: No OpenIDConnect provider found in your account for https://oidc.eks.eu-west-1.amazonaws.com/id/x",
    ),
    Phrase::strong(
        "expiredtoken",
        TokenInvalid,
        "https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html",
        "operation error EC2: AttachVolume, api error ExpiredToken: The security token included in the request is expired",
    ),
    // Azure.
    Phrase::strong(
        "does not have authorization to perform action",
        IamDenied,
        "https://github.com/Azure/AKS/issues/1476",
        "Code=\"AuthorizationFailed\" Message=\"The client 'a' with object id 'a' does not have authorization to perform action 'Microsoft.Compute/disks/read' over scope '/s'\"",
    ),
    Phrase::strong(
        "authorizationfailed",
        IamDenied,
        "https://github.com/Azure/AKS/issues/2625",
        "GET https://management.azure.com/subscriptions/s RESPONSE 403: 403 Forbidden ERROR CODE: AuthorizationFailed",
    ),
    Phrase::strong(
        "linkedauthorizationfailed",
        IamDenied,
        "https://github.com/Azure/AKS/issues/357",
        "Service returned an error. Status=403 Code=\"LinkedAuthorizationFailed\" Message=\"no\"",
    ),
    Phrase::strong(
        "it does not have permission to perform action",
        IamDenied,
        "https://github.com/kubernetes-sigs/cloud-provider-azure/issues/1999",
        "The client 'a' with object id 'a' has permission to perform action 'Microsoft.Network/x/write' on scope '/s'; however, it does not have permission to perform action 'Microsoft.Network/x/join/action' on the linked scope(s) '/t'",
    ),
    Phrase::strong(
        "authorizationpermissionmismatch",
        IamDenied,
        "https://github.com/kubernetes-sigs/blob-csi-driver/issues/632",
        "RESPONSE 403: AuthorizationPermissionMismatch, this request is not authorized",
    ),
    Phrase::strong(
        "failed to refresh the token for request",
        TokenInvalid,
        "https://github.com/Azure/AKS/issues/371",
        "azure.BearerAuthorizer#WithAuthorization: Failed to refresh the Token for request to https://management.azure.com/subscriptions/s: StatusCode=401 -- Original Error: adal: Refresh request failed. Status Code = '401'.",
    ),
    Phrase::strong(
        "expiredauthenticationtoken",
        TokenInvalid,
        "https://github.com/Azure/AKS/issues/4287",
        "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = NotFound desc = Volume not found, failed with error: GET http://localhost:7788/subscriptions/s RESPONSE 401: 401 Unauthorized ERROR CODE: ExpiredAuthenticationToken",
    ),
    // Google.
    Phrase::strong(
        "required permission",
        IamDenied,
        "https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver/issues/794",
        "unknown Insert disk error: googleapi: Error 403: Required 'compute.disks.create' permission for 'projects/p/zones/z/disks/d', forbidden",
    ),
    Phrase::strong(
        "permission denied on resource",
        IamDenied,
        "https://cloud.google.com/compute/docs/disks/customer-managed-encryption",
        "googleapi: Error 400: Cloud KMS error when using key projects/p/k: Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource 'projects/p/k' (or it may not exist)., kmsPermissionDenied",
    ),
    Phrase::strong(
        "insufficientpermissions",
        IamDenied,
        "https://github.com/kubernetes/kubernetes/issues/23517",
        "googleapi: Error 403: Insufficient Permission, insufficientPermissions",
    ),
    Phrase::strong(
        "does not have access to service account",
        IamDenied,
        "https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver/issues/794",
        "googleapi: Error 403: The user does not have access to service account 'x@p.iam.gserviceaccount.com'. Ask a project owner to grant you the iam.serviceAccountUser role on the service account, forbidden",
    ),
    // vSphere, OpenStack and smaller clouds.
    Phrase::strong(
        "incorrect user name or password",
        IamDenied,
        "https://github.com/kubernetes-sigs/vsphere-csi-driver/issues/846",
        "ServerFaultCode: Cannot complete login due to an incorrect user name or password.",
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
        "failed to get shared datastores in kubernetes cluster. Error: NoPermission",
    ),
    Phrase::strong(
        "notauthenticated",
        TokenInvalid,
        "https://github.com/kubernetes-sigs/vsphere-csi-driver/issues/1668",
        "rpc error: code = Internal desc = failed to create volume. Error: ServerFaultCode: NotAuthenticated",
    ),
    Phrase::strong(
        "authentication failed",
        IamDenied,
        "https://github.com/gophercloud/gophercloud/blob/main/errors.go",
        "rpc error: code = Internal desc = CreateVolume failed with error Authentication failed",
    ),
    Phrase::strong(
        "unable to authenticate",
        TokenInvalid,
        "https://github.com/vitobotta/hetzner-k3s/issues/560",
        "failed to ensure load balancer: hcops/LoadBalancerOps.GetByK8SServiceUID: api error: unable to authenticate (unauthorized)",
    ),
    Phrase::strong(
        "unable to authenticate you",
        TokenInvalid,
        "https://github.com/digitalocean/digitalocean-cloud-controller-manager/issues/62",
        "Failed to ensure load balancer for service n/s: GET https://api.digitalocean.com/v2/load_balancers: 401 Unable to authenticate you.",
    ),
];
