//! Secrets of a store outside that are mounted as files: AWS, Azure, Google, Vault, through the Secrets Store driver.

use super::Phrase;
use loopdrill_model::Cause::{
    BadConfiguration, CloudUnreachable, IamDenied, RbacDenied, TokenInvalid, TrustDenied,
};

pub(super) const TABLE: &[Phrase] = &[
    Phrase::strong(
        "not authorized to perform sts:assumerolewithwebidentity",
        TrustDenied,
        "https://github.com/aws/secrets-store-csi-driver-provider-aws/issues/17",
        "Failed fetching parameters: WebIdentityErr: failed to retrieve credentials\ncaused by: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity\n\tstatus code: 403, request id: 74069505",
    ),
    Phrase::strong(
        "no matching federated identity record found",
        TrustDenied,
        "https://azure.github.io/azure-workload-identity/docs/troubleshooting.html",
        "AADSTS70021: No matching federated identity record found for presented assertion. Assertion Issuer: 'https://oidc.example/'",
    ),
    Phrase::new(
        "is not authorized to perform",
        IamDenied,
        "https://github.com/aws/secrets-store-csi-driver-provider-aws/issues/34",
        "AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: secretsmanager:GetSecretValue on resource: x",
    ),
    Phrase::new(
        "not authorized to perform action",
        IamDenied,
        "https://github.com/Azure/secrets-store-csi-driver-provider-azure/issues/945",
        "Caller is not authorized to perform action on resource. If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.",
    ),
    Phrase::new(
        "code= forbidden",
        IamDenied,
        "https://github.com/Azure/secrets-store-csi-driver-provider-azure/issues/1328",
        "keyvault.BaseClient#GetSecret: Failure responding to request: StatusCode=403 -- Original Error: autorest/azure: Service returned an error. Status=403 Code=\"Forbidden\" Message=\"The user has no rights.\"",
    ),
    Phrase::new(
        "does not have secrets get permission on key vault",
        IamDenied,
        "https://github.com/Azure/secrets-store-csi-driver-provider-azure/issues/414",
        "Message=\"The user, group or application 'appid=1' does not have secrets get permission on key vault 'kv;location=westeurope'.\"",
    ),
    Phrase::new(
        "access denied",
        IamDenied,
        "https://github.com/Azure/aad-pod-identity/issues/414",
        "Access denied. Caller was not found on any access policy.",
    ),
    Phrase::new(
        "accessdenied",
        IamDenied,
        "https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html",
        "AccessDenied: no\n\tstatus code: 403",
    ),
    Phrase::new(
        "permission denied",
        IamDenied,
        "https://github.com/hashicorp/vault-csi-provider/issues/112",
        "error making mount request: couldn't read secret \"db\": Error making API request.\n\nCode: 403. Errors:\n\n* 1 error occurred:\n\t* permission denied",
    ),
    Phrase::new(
        "code: 403",
        IamDenied,
        "https://github.com/hashicorp/vault-csi-provider/issues/112",
        "failed to login: Error making API request. Code: 403. Errors: none",
    ),
    Phrase::new(
        "statuscode=403",
        IamDenied,
        "https://github.com/Azure/secrets-store-csi-driver-provider-azure/issues/1328",
        "keyvault.BaseClient#GetSecret: Failure responding to request: StatusCode=403 -- Original Error",
    ),
    Phrase::new(
        "code = permissiondenied",
        IamDenied,
        "https://github.com/GoogleCloudPlatform/secrets-store-csi-driver-provider-gcp/issues/103",
        "rpc error: code = PermissionDenied desc = Permission 'secretmanager.versions.access' denied for resource 'projects/p/secrets/s' (or it may not exist).",
    ),
    Phrase::new(
        "an iam role must be associated with service account",
        IamDenied,
        "https://github.com/aws/secrets-store-csi-driver-provider-aws/blob/main/auth/auth.go",
        "us-east-1: An IAM role must be associated with service account app (namespace: shop)",
    ),
    Phrase::new(
        "identity not found",
        IamDenied,
        "https://github.com/Azure/secrets-store-csi-driver-provider-azure/issues/282",
        "failed to acquire token: Response body: {\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}",
    ),
    Phrase::new(
        "nmi response failed with status code",
        IamDenied,
        "https://github.com/Azure/secrets-store-csi-driver-provider-azure/issues/1016",
        "failed to get keyvault client: failed to get authorizer for keyvault client: nmi response failed with status code: 404, response body: getting assigned identities for pod n/p in CREATED state failed after 16 attempts",
    ),
    Phrase::new(
        "nodepublishsecretref secret is not set",
        IamDenied,
        "https://github.com/Azure/secrets-store-csi-driver-provider-azure/issues/1290",
        "failed to create auth config, error: failed to get credentials, nodePublishSecretRef secret is not set",
    ),
    Phrase::wrapper(
        "webidentityerr",
        IamDenied,
        "https://github.com/aws/secrets-store-csi-driver-provider-aws/issues/17",
        "Failed fetching parameters: WebIdentityErr: failed to retrieve credentials",
    ),
    Phrase::strong(
        "invalididentitytoken",
        TokenInvalid,
        "https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html",
        "InvalidIdentityToken: No OpenIDConnect provider found in your account",
    ),
    Phrase::strong(
        "expiredtoken",
        TokenInvalid,
        "https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html",
        "ExpiredToken: The security token included in the request is expired",
    ),
    Phrase::new(
        "code = unauthenticated",
        TokenInvalid,
        "https://github.com/GoogleCloudPlatform/secrets-store-csi-driver-provider-gcp/issues/103",
        "rpc error: code = Unauthenticated desc = Request had invalid authentication credentials.",
    ),
    Phrase::strong(
        "is forbidden: user cannot",
        RbacDenied,
        "https://github.com/kubernetes-sigs/secrets-store-csi-driver/issues/523",
        "failed to get secretproviderclass: secretproviderclasses is forbidden: User \"system:serviceaccount:n:a\" cannot get resource \"secretproviderclasses\"",
    ),
    Phrase::new(
        "secretproviderclass not found",
        BadConfiguration,
        "https://github.com/kubernetes-sigs/secrets-store-csi-driver/issues/348",
        "failed to get secretproviderclass n/app, error: SecretProviderClass.secrets-store.csi.x-k8s.io \"app\" not found",
    ),
    Phrase::new(
        "can't find the specified secret",
        BadConfiguration,
        "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html",
        "ResourceNotFoundException: Secrets Manager can't find the specified secret.",
    ),
    Phrase::new(
        "was not found in this key vault",
        BadConfiguration,
        "https://github.com/Azure/secrets-store-csi-driver-provider-azure/issues/154",
        "Code=\"SecretNotFound\" Message=\"A secret with (name/id) db was not found in this key vault.\"",
    ),
    Phrase::transient(
        "no such host",
        CloudUnreachable,
        "https://github.com/hashicorp/vault-csi-provider/issues/150",
        "Post \"https://vault.example:8200/v1/auth/kubernetes/login\": dial tcp: lookup vault.example on 10.96.0.10:53: no such host",
    ),
    Phrase::transient(
        "i/o timeout",
        CloudUnreachable,
        "https://github.com/hashicorp/vault-csi-provider/issues/150",
        "dial tcp 10.0.0.1:443: i/o timeout",
    ),
    Phrase::transient(
        "connection refused",
        CloudUnreachable,
        "https://github.com/hashicorp/vault-csi-provider/issues/150",
        "dial tcp 10.0.0.1:8200: connect: connection refused",
    ),
    Phrase::transient(
        "context deadline exceeded",
        CloudUnreachable,
        "https://github.com/kubernetes-sigs/secrets-store-csi-driver/issues/489",
        "failed to mount secrets store objects for pod n/p, err: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    ),
    Phrase::new(
        "provider not found",
        BadConfiguration,
        "https://github.com/kubernetes-sigs/secrets-store-csi-driver/issues/560",
        "error connecting to provider \"aws\": provider not found: provider \"aws\"",
    ),
    Phrase::new(
        "vault is sealed",
        CloudUnreachable,
        "https://github.com/hashicorp/vault-csi-provider/issues/168",
        "error making mount request: failed to login: Error making API request. URL: POST http://vault:8200/v1/auth/kubernetes/login Code: 503. Errors: * Vault is sealed",
    ),
    Phrase::new(
        "code: 503",
        CloudUnreachable,
        "https://github.com/hashicorp/vault-csi-provider/issues/168",
        "error making mount request: failed to login: Error making API request. URL: POST http://vault:8200/v1/auth/kubernetes/login Code: 503. Errors: no",
    ),
];
