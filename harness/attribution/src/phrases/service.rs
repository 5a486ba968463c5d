//! Load balancers that are not made: the cloud providers of AWS, Azure, Google, OpenStack, Hetzner; MetalLB; the AWS load
//! balancer controller.

use super::Phrase;
use loopdrill_model::Cause::{IamDenied, LoadBalancerFailed, TokenInvalid};

pub(super) const TABLE: &[Phrase] = &[
    Phrase::new(
        "could not find any suitable subnets",
        LoadBalancerFailed,
        "https://github.com/kubernetes-sigs/cluster-api-provider-aws/issues/1008",
        "Error creating load balancer (will retry): failed to ensure load balancer for service n/s: could not find any suitable subnets for creating the ELB",
    ),
    Phrase::new(
        "multiple tagged security groups found",
        LoadBalancerFailed,
        "https://github.com/hashicorp-education/learn-terraform-provision-eks-cluster/issues/85",
        "Error syncing load balancer: failed to ensure load balancer: Multiple tagged security groups found for instance i-1; ensure only the k8s security group is tagged",
    ),
    Phrase::new(
        "no available ips",
        LoadBalancerFailed,
        "https://github.com/hetznercloud/hcloud-cloud-controller-manager/issues/69",
        "Failed to allocate IP for \"default/my-service\": no available IPs",
    ),
    Phrase::wrapper(
        "failed to ensure load balancer",
        LoadBalancerFailed,
        "https://github.com/kubernetes/cloud-provider/blob/master/controllers/service/controller.go",
        "Error syncing load balancer: failed to ensure load balancer: no",
    ),
    Phrase::wrapper(
        "failed to allocate ip for",
        LoadBalancerFailed,
        "https://github.com/metallb/metallb/blob/main/controller/service.go",
        "Failed to allocate IP for \"n/s\": no",
    ),
    Phrase::new(
        "failed build model due to",
        LoadBalancerFailed,
        "https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/2592",
        "Failed build model due to couldn't auto-discover subnets: unable to resolve at least one subnet",
    ),
    Phrase::new(
        "failed deploy model due to",
        LoadBalancerFailed,
        "https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/2692",
        "Failed deploy model due to TargetGroupNotFound: One or more target groups not found",
    ),
    Phrase::new(
        "toomanyloadbalancers",
        LoadBalancerFailed,
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html",
        "TooManyLoadBalancers: Exceeded quota of account 1111",
    ),
    Phrase::new(
        "cannot create more than",
        LoadBalancerFailed,
        "https://github.com/Azure/AKS/issues/1136",
        "Code=\"PublicIPCountLimitReached\" Message=\"Cannot create more than 20 public IP addresses for this subscription in this region.\"",
    ),
    Phrase::transient(
        "a retryable error occurred",
        LoadBalancerFailed,
        "https://github.com/gardener-attic/gardener-extensions/issues/384",
        "Code=\"RetryableError\" Message=\"A retryable error occurred.\" Details=[{\"code\":\"RetryableErrorDueToAnotherOperation\",\"message\":\"Operation x is updating resource /s.\"}]",
    ),
    Phrase::new(
        "the server could not find the requested resource",
        LoadBalancerFailed,
        "https://github.com/harvester/harvester/issues/4401",
        "failed to ensure load balancer: create or update lb failed, error: the server could not find the requested resource (post loadbalancers.meta.k8s.io)",
    ),
    Phrase::strong(
        "is not authorized to perform",
        IamDenied,
        "https://github.com/kubernetes/kops/issues/15990",
        "Error syncing load balancer: failed to ensure load balancer: AccessDenied: User: arn:aws:sts::1:assumed-role/r/i is not authorized to perform: elasticloadbalancing:ModifyLoadBalancerAttributes",
    ),
    Phrase::strong(
        "accessdenied",
        IamDenied,
        "https://github.com/kubernetes/kops/issues/15990",
        "failed to ensure load balancer: AccessDenied: no status code: 403",
    ),
    Phrase::strong(
        "unauthorizedoperation",
        IamDenied,
        "https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/2692",
        "Failed deploy model due to UnauthorizedOperation: You are not authorized to perform this operation.",
    ),
    Phrase::strong(
        "does not have authorization to perform action",
        IamDenied,
        "https://github.com/Azure/AKS/issues/1136",
        "failed to ensure load balancer: Code=\"AuthorizationFailed\" Message=\"The client 'a' with object id 'b' does not have authorization to perform action 'Microsoft.Network/x' over scope '/s'\"",
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
        "permission denied",
        IamDenied,
        "https://cloud.google.com/kubernetes-engine/docs/troubleshooting/load-balancing",
        "googleapi: Error 403: Permission denied on 'x'",
    ),
];
