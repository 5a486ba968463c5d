//! Load balancers that are not made: the cloud providers of AWS, Azure, Google, OpenStack, Hetzner; MetalLB; the AWS load
//! balancer controller.

use super::Phrase;
use loopdrill_model::Cause::{BadConfiguration, IamDenied, LoadBalancerFailed};

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
        "permission denied",
        IamDenied,
        "https://cloud.google.com/kubernetes-engine/docs/troubleshooting/load-balancing",
        "googleapi: Error 403: Permission denied on 'x'",
    ),
    Phrase::strong(
        "service not found",
        BadConfiguration,
        "https://github.com/kubernetes-sigs/aws-load-balancer-controller/pull/1637",
        "Failed build model due to ingress: bugbash/echo: Service \"echo-sew\" not found",
    ),
    Phrase::strong(
        "translation failed: invalid ingress spec",
        BadConfiguration,
        "https://github.com/kubernetes/ingress-gce/blob/master/pkg/controller/translator/translator.go",
        "Translation failed: invalid ingress spec: could not find service \"shop/web\"",
    ),
];
