//! Pods that the API server refuses to a controller.

use super::Phrase;
use loopdrill_model::Cause::{
    BadConfiguration, ControlPlaneStarved, QuotaExceeded, RbacDenied, WebhookBlocked,
};

pub(super) const TABLE: &[Phrase] = &[
    Phrase::harmless(
        "because it is being terminated",
        "https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/admission/namespace/lifecycle/admission.go",
        "pods \"a\" is forbidden: unable to create new content in namespace n because it is being terminated",
    ),
    Phrase::strong(
        "failed calling webhook",
        WebhookBlocked,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/errors/statuserror.go",
        "Internal error occurred: failed calling webhook \"w.example.com\": failed to call webhook: Post \"https://w.n.svc:443/?timeout=10s\": service \"w\" not found",
    ),
    Phrase::strong(
        "failed to call webhook",
        WebhookBlocked,
        "https://github.com/cert-manager/cert-manager/issues/2319",
        "failed to call webhook: Post \"https://w.n.svc:443/mutate\": x509: certificate has expired or is not yet valid",
    ),
    Phrase::strong(
        "no endpoints available for service",
        WebhookBlocked,
        "https://github.com/kubernetes/ingress-nginx/issues/5401",
        "Post \"https://w.n.svc:443/validate\": no endpoints available for service \"w\"",
    ),
    Phrase::strong(
        "failed calling admission webhook",
        WebhookBlocked,
        "https://github.com/istio/istio/issues/13840",
        "Error creating: Internal error occurred: failed calling admission webhook \"sidecar-injector.istio.io\": Post https://i.s.svc:443/inject?timeout=30s: context deadline exceeded",
    ),
    Phrase::new(
        "request did not complete within requested timeout",
        WebhookBlocked,
        "https://github.com/kubernetes/kubernetes/issues/112765",
        "Error creating: Timeout: request did not complete within requested timeout context deadline exceeded",
    ),
    // etcd, or whatever is between it and the API server.
    Phrase::strong(
        "etcdserver: request timed out",
        ControlPlaneStarved,
        "https://github.com/etcd-io/etcd/blob/main/server/etcdserver/errors/errors.go",
        "create Pod db-0 in StatefulSet db failed error: etcdserver: request timed out",
    ),
    Phrase::strong(
        "etcdserver: leader changed",
        ControlPlaneStarved,
        "https://github.com/etcd-io/etcd/blob/main/server/etcdserver/errors/errors.go",
        "create Pod db-0 in StatefulSet db failed error: etcdserver: leader changed",
    ),
    Phrase::new(
        "resource quota evaluates timeout",
        ControlPlaneStarved,
        "https://github.com/rancher/rancher/issues/18658",
        "Internal error occurred: resource quota evaluates timeout",
    ),
    Phrase::new(
        "resource quota evaluation timed out",
        ControlPlaneStarved,
        "https://github.com/epinio/epinio/issues/651",
        "Internal error occurred: resource quota evaluation timed out",
    ),
    Phrase::strong(
        "etcdserver: mvcc: database space exceeded",
        ControlPlaneStarved,
        "https://github.com/etcd-io/etcd/blob/main/api/v3rpc/rpctypes/error.go",
        "Error creating: etcdserver: mvcc: database space exceeded",
    ),
    Phrase::strong(
        "exceeded quota",
        QuotaExceeded,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go",
        "pods \"a-1\" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=1, limited: cpu=1",
    ),
    Phrase::strong(
        "failed quota",
        QuotaExceeded,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go",
        "pods \"a\" is forbidden: failed quota: q: must specify limits.cpu",
    ),
    Phrase::strong(
        "exceeds quota",
        QuotaExceeded,
        "https://github.com/openshift/origin/issues/4821",
        "pods \"a\" is forbidden: limited to 2: exceeds quota",
    ),
    Phrase::strong(
        "status unknown for quota",
        QuotaExceeded,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go",
        "pods \"a\" is forbidden: status unknown for quota: q, resources: cpu",
    ),
    Phrase::strong(
        "insufficient quota to match these scopes",
        QuotaExceeded,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go",
        "pods \"a\" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [high]}]",
    ),
    Phrase::strong(
        "is forbidden: user cannot",
        RbacDenied,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go",
        "pods is forbidden: User \"system:serviceaccount:kube-system:replicaset-controller\" cannot create resource \"pods\" in API group \"\" in the namespace \"n\"",
    ),
    Phrase::new(
        "violates podsecurity",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/pod-security-admission/admission/admission.go",
        "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true",
    ),
    Phrase::new(
        "unable to validate against any security context constraint",
        BadConfiguration,
        "https://github.com/openshift/origin/issues/19449",
        "pods \"a-\" is forbidden: unable to validate against any security context constraint: [provider restricted: .spec.securityContext.fsGroup: Invalid value]",
    ),
    Phrase::new(
        "denied the request",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/errors/statuserror.go",
        "admission webhook \"policy.example.com\" denied the request: labels are missing",
    ),
    Phrase::new(
        "denied request",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/validating/plugin.go",
        "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
    ),
    Phrase::new(
        "usage per container is",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/admission/limitranger/admission.go",
        "pods \"a\" is forbidden: maximum cpu usage per Container is 500m, but limit is 1",
    ),
    Phrase::new(
        "no priorityclass with name",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/admission/priority/admission.go",
        "pods \"a\" is forbidden: no PriorityClass with name high was found",
    ),
    Phrase::new(
        "error looking up service account",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/admission/serviceaccount/admission.go",
        "error looking up service account n/a: serviceaccount \"a\" not found",
    ),
    Phrase::new(
        "not found",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go",
        "pods \"a\" is forbidden: pod rejected: RuntimeClass \"x\" not found",
    ),
    Phrase::new(
        "is invalid",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go",
        "Pod \"a\" is invalid: spec.containers[0].image: Required value",
    ),
    Phrase::new(
        "forbidden",
        BadConfiguration,
        "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go",
        "pods \"a\" is forbidden: no",
    ),
    Phrase::strong(
        "cannot set blockownerdeletion",
        RbacDenied,
        "https://github.com/operator-framework/operator-sdk/issues/4020",
        "pods \"a\" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>",
    ),
];
