//! The table: one entry a signature. Metric names are those of etcd, the API server, CoreDNS, kube-state-metrics and
//! node_exporter; node_exporter's series need a label `node`.

use crate::{Example, Recording, Signature};
use loopdrill_model::Cause;

/// Shared series.
pub const RECORDINGS: &[Recording] = &[
    Recording {
        record: "loopdrill:node_free",
        expr: r#"
            sum by (node, resource) (
              kube_node_status_allocatable{resource=~"cpu|memory"}
              unless on (node) kube_node_spec_unschedulable == 1
              unless on (node) kube_node_spec_taint{effect=~"NoSchedule|NoExecute"}
            ) - on (node, resource) (
              sum by (node, resource) (
                kube_pod_container_resource_requests{resource=~"cpu|memory", node!=""}
                and on (namespace, pod) kube_pod_status_phase{phase=~"Pending|Running"} == 1
              )
              or 0 * sum by (node, resource) (kube_node_status_allocatable{resource=~"cpu|memory"})
            )"#,
    },
    Recording {
        record: "loopdrill:pod_waits",
        expr: r#"
            max by (namespace, pod) (kube_pod_status_phase{phase="Pending"} == 1)
            and on (namespace, pod) kube_pod_status_unschedulable == 1"#,
    },
    Recording {
        record: "loopdrill:pod_wants",
        expr: r#"
            sum by (namespace, pod, resource) (kube_pod_container_resource_requests{resource=~"cpu|memory"})
            and on (namespace, pod) loopdrill:pod_waits"#,
    },
    Recording {
        record: "loopdrill:pod_fits_nowhere",
        expr: r#"
            max by (namespace, pod) (
              loopdrill:pod_wants > on (resource) group_left () max by (resource) (loopdrill:node_free)
            )"#,
    },
    Recording {
        record: "loopdrill:pod_exceeds_all",
        expr: r#"
            max by (namespace, pod) (
              loopdrill:pod_wants > on (resource) group_left () sum by (resource) (loopdrill:node_free)
            )"#,
    },
    Recording {
        record: "loopdrill:pod_has_volume",
        expr: r#"
            max by (namespace, pod) (
              kube_pod_spec_volumes_persistentvolumeclaims_info
              and on (namespace, persistentvolumeclaim) kube_persistentvolumeclaim_status_phase{phase="Bound"} == 1
            )"#,
    },
    Recording {
        record: "loopdrill:pod_names_claim",
        expr: r#"
            max by (namespace, pod, persistentvolumeclaim) (kube_pod_spec_volumes_persistentvolumeclaims_info)"#,
    },
    Recording {
        record: "loopdrill:pod_has_claim",
        expr: r#"max by (namespace, pod) (loopdrill:pod_names_claim)"#,
    },
    Recording {
        record: "loopdrill:container_crashes",
        expr: r#"
            max by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total[$W]) > 0)
            and on (namespace, pod, container)
              (kube_pod_container_status_last_terminated_exitcode == 1
               or (kube_pod_container_status_last_terminated_exitcode >= 128
                   and kube_pod_container_status_last_terminated_exitcode != 137))"#,
    },
    Recording {
        record: "loopdrill:requests_denied",
        expr: r#"sum(increase(authorization_attempts_total{result="no-opinion"}[$W])) > 0"#,
    },
    Recording {
        record: "loopdrill:tokens_refused",
        expr: r#"sum(increase(authentication_attempts{result="error"}[$W])) > 0"#,
    },
    Recording {
        record: "loopdrill:wal_fsync_p99",
        expr: r#"
            histogram_quantile(0.99, sum by (instance, le) (rate(etcd_disk_wal_fsync_duration_seconds_bucket[$W])))"#,
    },
    Recording {
        record: "loopdrill:replicas_refused",
        expr: r#"
            max by (namespace, deployment) (kube_deployment_status_condition{condition="ReplicaFailure", status="true"} == 1)"#,
    },
    Recording {
        record: "loopdrill:admission_refuses",
        expr: r#"
            sum by (name) (
              increase(apiserver_admission_controller_admission_duration_seconds_count{operation="CREATE", rejected="true"}[$W])
            ) > 0"#,
    },
    // A Service that had endpoints and has none, while nothing beside it was scaled to nothing: that is retired, not broken.
    Recording {
        record: "loopdrill:endpoints_vanished",
        expr: r#"
            max by (namespace, endpointslice) (last_over_time(kube_endpointslice_endpoints{ready="true"}[15m]))
            and on (namespace, endpointslice) kube_endpointslice_info
            unless on (namespace, endpointslice) kube_endpointslice_endpoints
            unless on (namespace) kube_deployment_spec_replicas == 0
            unless on (namespace) kube_namespace_status_phase{phase="Terminating"} == 1"#,
    },
    Recording {
        record: "loopdrill:container_awaited",
        expr: r#"
            max by (namespace, pod, node) (
              kube_pod_info{node!=""} and on (namespace, pod)
                kube_pod_container_status_waiting_reason{reason="ContainerCreating"} == 1
            )"#,
    },
    // Who serves a webhook that is reached by a Service.
    Recording {
        record: "loopdrill:webhook_serves",
        expr: r#"
            max by (name, namespace, service) (label_replace(label_replace(label_replace(
              last_over_time({__name__=~"kube_(validating|mutating)webhookconfiguration_webhook_clientconfig_service"}[$W]),
              "name", "$1", "webhook_name", "(.+)"), "namespace", "$1", "service_namespace", "(.+)"), "service", "$1", "service_name", "(.+)"))"#,
    },
    Recording {
        record: "loopdrill:webhook_rejects",
        expr: r#"
            sum by (name) (
              increase(apiserver_admission_webhook_rejection_count{error_type=~"calling_webhook_error|apiserver_internal_error"}[$W])
            ) > 0"#,
    },
    Recording {
        record: "loopdrill:webhook_median",
        expr: r#"
            histogram_quantile(0.5, sum by (name, le) (rate(apiserver_admission_webhook_admission_duration_seconds_bucket[$W])))"#,
    },
    Recording {
        record: "loopdrill:pull_fails",
        expr: r#"
            max by (namespace, pod, container, image_spec) (
              kube_pod_container_info
              and on (namespace, pod, container)
                kube_pod_container_status_waiting_reason{reason=~"ErrImagePull|ImagePullBackOff"} == 1
            )"#,
    },
];

const CRASH: (&str, &str) = (
    "kube_pod_container_status_restarts_total{namespace=\"shop\",pod=\"web-0\",container=\"web\"}",
    "0+1x$N",
);
const EXIT_1: (&str, &str) = (
    "kube_pod_container_status_last_terminated_exitcode{namespace=\"shop\",pod=\"web-0\",container=\"web\"}",
    "1x$N",
);
const WEB: &[(&str, &str)] = &[("namespace", "shop"), ("pod", "web-0"), ("container", "web")];
const POD: &[(&str, &str)] = &[("namespace", "shop"), ("pod", "db-0")];
const PENDING: (&str, &str) =
    ("kube_pod_status_phase{namespace=\"shop\",pod=\"db-0\",phase=\"Pending\"}", "1x$N");
const UNSCHEDULABLE: (&str, &str) =
    ("kube_pod_status_unschedulable{namespace=\"shop\",pod=\"db-0\"}", "1x$N");
const NODE_A: (&str, &str) =
    ("kube_node_status_allocatable{node=\"a\",resource=\"cpu\",unit=\"core\"}", "4x$N");
const NODE_B: (&str, &str) =
    ("kube_node_status_allocatable{node=\"b\",resource=\"cpu\",unit=\"core\"}", "4x$N");
const CLAIM: (&str, &str) = (
    "kube_pod_spec_volumes_persistentvolumeclaims_info{namespace=\"shop\",pod=\"db-0\",volume=\"data\",persistentvolumeclaim=\"data\"}",
    "1x$N",
);

macro_rules! wants {
    ($cores:literal) => {
        (
            "kube_pod_container_resource_requests{namespace=\"shop\",pod=\"db-0\",container=\"db\",node=\"\",resource=\"cpu\",unit=\"core\"}",
            concat!($cores, "x$N"),
        )
    };
}

const REFUSED: (&str, &str) = (
    "kube_deployment_status_condition{namespace=\"shop\",deployment=\"web\",condition=\"ReplicaFailure\",status=\"true\"}",
    "1x$N",
);
const DEPLOYMENT: &[(&str, &str)] = &[("namespace", "shop"), ("deployment", "web")];

macro_rules! refusals {
    ($plugin:literal) => {
        (
            concat!(
                "apiserver_admission_controller_admission_duration_seconds_count{name=\"",
                $plugin,
                "\",operation=\"CREATE\",rejected=\"true\",type=\"validate\"}"
            ),
            "0+1x$N",
        )
    };
}

const CHECK: (&str, &str) = (
    "kube_validatingwebhookconfiguration_webhook_clientconfig_service{validatingwebhookconfiguration=\"w\",webhook_name=\"gate\",service_name=\"check\",service_namespace=\"shop\"}",
    "1x$N",
);
const REJECTED: (&str, &str) = (
    "apiserver_admission_webhook_rejection_count{name=\"gate\",error_type=\"calling_webhook_error\"}",
    "0+1x$N",
);
const GATE: &[(&str, &str)] = &[("name", "gate"), ("namespace", "shop"), ("service", "check")];

macro_rules! late {
    ($le:literal, $values:literal) => {
        (
            concat!(
                "apiserver_admission_webhook_admission_duration_seconds_bucket{name=\"gate\",le=\"",
                $le,
                "\"}"
            ),
            $values,
        )
    };
}

/// Devices of overlays: flannel's, Calico's, Cilium's, Antrea's, OVN-Kubernetes' and Weave's, by the names that they give
/// them. Rules go by names; the built-in detector goes by the kind of the link.
pub(crate) const OVERLAY: &str =
    "flannel.*|vxlan.*|genev.*|cilium_vxlan|cilium_geneve|cilium_wg.*|antrea-tun.*|tunl.*|ipip.*|wireguard.*";

/// Further ways in which an alert shows.
pub(crate) const ALSO: &[(&str, Example)] = &[
    (
        "LoopdrillOverlayMtu",
        Example {
            series: &[
                ("node_network_transmit_errs_total{node=\"a\",device=\"vxlan-v6.calico\"}", "0+3x$N"),
                ("node_network_transmit_drop_total{node=\"a\",device=\"eth0\"}", "7x$N"),
            ],
            labels: &[("node", "a")],
        },
    ),
    (
        "LoopdrillOverlayMtu",
        Example {
            series: &[("node_network_transmit_drop_total{node=\"b\",device=\"genev_sys_6081\"}", "0+3x$N")],
            labels: &[("node", "b")],
        },
    ),
    (
        "LoopdrillRefusedByPolicy",
        Example { series: &[REFUSED, refusals!("PodSecurity")], labels: DEPLOYMENT },
    ),
];

/// The signatures: the five canonical faults, and what is confused with them.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        alert: "LoopdrillRbacDenied",
        cause: Cause::RbacDenied,
        expr: "loopdrill:container_crashes and on () loopdrill:requests_denied unless on () loopdrill:tokens_refused",
        hold: 0,
        confidence: 0.8,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} exits with an error while the API server denies requests",
        example: Example {
            series: &[CRASH, EXIT_1, ("authorization_attempts_total{result=\"no-opinion\"}", "3+2x$N")],
            labels: WEB,
        },
    },
    Signature {
        alert: "LoopdrillTokenInvalid",
        cause: Cause::TokenInvalid,
        expr: "loopdrill:container_crashes and on () loopdrill:tokens_refused",
        hold: 0,
        confidence: 0.75,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} exits with an error while the API server refuses tokens",
        example: Example {
            series: &[CRASH, EXIT_1, ("authentication_attempts{result=\"error\"}", "3+2x$N")],
            labels: WEB,
        },
    },
    Signature {
        alert: "LoopdrillPullUnauthorized",
        cause: Cause::PullUnauthorized,
        // The same image ran before: it is there, and the registry refuses who asks.
        expr: r#"loopdrill:pull_fails and on (image_spec) last_over_time(kube_pod_container_info{image_id!=""}[1h])"#,
        hold: 0,
        confidence: 0.7,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} cannot pull an image that ran here before",
        example: Example {
            series: &[
                (
                    "kube_pod_container_info{namespace=\"shop\",pod=\"web-0\",container=\"web\",image_spec=\"r/web:1\",image_id=\"\"}",
                    "1x$N",
                ),
                (
                    "kube_pod_container_info{namespace=\"shop\",pod=\"web-9\",container=\"web\",image_spec=\"r/web:1\",image_id=\"sha256:1\"}",
                    "1x4",
                ),
                (
                    "kube_pod_container_status_waiting_reason{namespace=\"shop\",pod=\"web-0\",container=\"web\",reason=\"ErrImagePull\"}",
                    "1x$N",
                ),
            ],
            labels: &[
                ("namespace", "shop"),
                ("pod", "web-0"),
                ("container", "web"),
                ("image_spec", "r/web:1"),
            ],
        },
    },
    Signature {
        alert: "LoopdrillImageNotFound",
        cause: Cause::ImageNotFound,
        expr: r#"loopdrill:pull_fails unless on (image_spec) last_over_time(kube_pod_container_info{image_id!=""}[1h])"#,
        hold: 0,
        confidence: 0.6,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} cannot pull an image that never ran here",
        example: Example {
            series: &[
                (
                    "kube_pod_container_info{namespace=\"shop\",pod=\"web-0\",container=\"web\",image_spec=\"r/web:oops\",image_id=\"\"}",
                    "1x$N",
                ),
                (
                    "kube_pod_container_status_waiting_reason{namespace=\"shop\",pod=\"web-0\",container=\"web\",reason=\"ImagePullBackOff\"}",
                    "1x$N",
                ),
            ],
            labels: &[
                ("namespace", "shop"),
                ("pod", "web-0"),
                ("container", "web"),
                ("image_spec", "r/web:oops"),
            ],
        },
    },
    Signature {
        alert: "LoopdrillFragmentation",
        cause: Cause::Fragmentation,
        expr: "loopdrill:pod_waits and on (namespace, pod) loopdrill:pod_fits_nowhere unless on (namespace, pod) loopdrill:pod_exceeds_all",
        hold: 0,
        confidence: 0.85,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} fits on no node, though free requests suffice in sum",
        example: Example { series: &[PENDING, UNSCHEDULABLE, NODE_A, NODE_B, wants!("5")], labels: POD },
    },
    Signature {
        alert: "LoopdrillExhaustion",
        cause: Cause::Exhaustion,
        expr: "loopdrill:pod_waits and on (namespace, pod) loopdrill:pod_exceeds_all",
        hold: 0,
        confidence: 0.85,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} asks for more than all nodes have left together",
        example: Example { series: &[PENDING, UNSCHEDULABLE, NODE_A, NODE_B, wants!("9")], labels: POD },
    },
    Signature {
        alert: "LoopdrillPlacementConstraint",
        cause: Cause::PlacementConstraint,
        expr: "loopdrill:pod_waits unless on (namespace, pod) loopdrill:pod_fits_nowhere unless on (namespace, pod) loopdrill:pod_has_claim",
        hold: 0,
        confidence: 0.6,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} would fit on a node and may not run there",
        example: Example { series: &[PENDING, UNSCHEDULABLE, NODE_A, wants!("2")], labels: POD },
    },
    Signature {
        alert: "LoopdrillVolumeZoneMismatch",
        cause: Cause::VolumeZoneMismatch,
        expr: "loopdrill:pod_waits and on (namespace, pod) loopdrill:pod_has_volume unless on (namespace, pod) loopdrill:pod_fits_nowhere",
        hold: 0,
        confidence: 0.85,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} would fit on a node if its volume were there",
        example: Example {
            series: &[
                PENDING,
                UNSCHEDULABLE,
                NODE_A,
                wants!("2"),
                CLAIM,
                (
                    "kube_persistentvolumeclaim_status_phase{namespace=\"shop\",persistentvolumeclaim=\"data\",phase=\"Bound\"}",
                    "1x$N",
                ),
            ],
            labels: POD,
        },
    },
    Signature {
        alert: "LoopdrillClaimWithoutClass",
        cause: Cause::ClaimOrClassMissing,
        expr: r#"
            max by (namespace, persistentvolumeclaim, storageclass) (
              kube_persistentvolumeclaim_info{volumename=""}
              and on (namespace, persistentvolumeclaim) kube_persistentvolumeclaim_status_phase{phase="Pending"} == 1
              unless on (storageclass) kube_storageclass_info
            )"#,
        hold: 5,
        confidence: 0.7,
        summary: "claim {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} names a class that does not exist",
        example: Example {
            series: &[
                (
                    "kube_persistentvolumeclaim_info{namespace=\"shop\",persistentvolumeclaim=\"data\",storageclass=\"fast\",volumename=\"\"}",
                    "1x$N",
                ),
                (
                    "kube_persistentvolumeclaim_status_phase{namespace=\"shop\",persistentvolumeclaim=\"data\",phase=\"Pending\"}",
                    "1x$N",
                ),
            ],
            labels: &[("namespace", "shop"), ("persistentvolumeclaim", "data"), ("storageclass", "fast")],
        },
    },
    Signature {
        alert: "LoopdrillClaimMissing",
        cause: Cause::ClaimOrClassMissing,
        expr: r#"
            loopdrill:pod_names_claim and on (namespace, pod) loopdrill:pod_waits
            unless on (namespace, persistentvolumeclaim) kube_persistentvolumeclaim_info"#,
        hold: 5,
        confidence: 0.8,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} names claim {{ $labels.persistentvolumeclaim }}, which does not exist",
        example: Example {
            series: &[PENDING, UNSCHEDULABLE, CLAIM],
            labels: &[("namespace", "shop"), ("pod", "db-0"), ("persistentvolumeclaim", "data")],
        },
    },
    Signature {
        alert: "LoopdrillProvisioningFailed",
        cause: Cause::ProvisioningFailed,
        // A class that binds at once, and does not.
        expr: r#"
            max by (namespace, persistentvolumeclaim, storageclass) (
              kube_persistentvolumeclaim_info{volumename=""}
              and on (namespace, persistentvolumeclaim) kube_persistentvolumeclaim_status_phase{phase="Pending"} == 1
              and on (storageclass) kube_storageclass_info{volume_binding_mode="Immediate"}
            )"#,
        hold: 10,
        confidence: 0.6,
        summary: "claim {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} gets no volume of class {{ $labels.storageclass }}",
        example: Example {
            series: &[
                (
                    "kube_persistentvolumeclaim_info{namespace=\"shop\",persistentvolumeclaim=\"data\",storageclass=\"fast\",volumename=\"\"}",
                    "1x$N",
                ),
                (
                    "kube_persistentvolumeclaim_status_phase{namespace=\"shop\",persistentvolumeclaim=\"data\",phase=\"Pending\"}",
                    "1x$N",
                ),
                ("kube_storageclass_info{storageclass=\"fast\",volume_binding_mode=\"Immediate\"}", "1x$N"),
            ],
            labels: &[("namespace", "shop"), ("persistentvolumeclaim", "data"), ("storageclass", "fast")],
        },
    },
    Signature {
        alert: "LoopdrillQuotaExceeded",
        cause: Cause::QuotaExceeded,
        expr: r#"loopdrill:replicas_refused and on () loopdrill:admission_refuses{name="ResourceQuota"}"#,
        hold: 0,
        confidence: 0.75,
        summary: "pods of {{ $labels.namespace }}/{{ $labels.deployment }} are refused, and a quota refuses",
        example: Example { series: &[REFUSED, refusals!("ResourceQuota")], labels: DEPLOYMENT },
    },
    Signature {
        alert: "LoopdrillRefusedByPolicy",
        cause: Cause::BadConfiguration,
        // What pods must be like, or an account that is not there.
        expr: r#"loopdrill:replicas_refused and on () loopdrill:admission_refuses{name=~"LimitRanger|PodSecurity|ServiceAccount"}"#,
        hold: 0,
        confidence: 0.7,
        summary: "pods of {{ $labels.namespace }}/{{ $labels.deployment }} are refused by what their namespace demands",
        example: Example { series: &[REFUSED, refusals!("LimitRanger")], labels: DEPLOYMENT },
    },
    Signature {
        alert: "LoopdrillBadConfiguration",
        cause: Cause::BadConfiguration,
        expr: r#"
            max by (namespace, pod, container) (
              kube_pod_container_status_waiting_reason{reason=~"CreateContainerConfigError|InvalidImageName"} == 1)"#,
        hold: 5,
        confidence: 0.75,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} refers to something that does not exist",
        example: Example {
            series: &[(
                "kube_pod_container_status_waiting_reason{namespace=\"shop\",pod=\"web-0\",container=\"web\",reason=\"CreateContainerConfigError\"}",
                "1x$N",
            )],
            labels: WEB,
        },
    },
    Signature {
        alert: "LoopdrillMountOfNothing",
        cause: Cause::BadConfiguration,
        expr: r#"
            loopdrill:container_awaited and on (node) sum by (node) (increase(
              storage_operation_duration_seconds_count{volume_plugin=~"kubernetes.io/(configmap|secret|projected)", status!="success"}[$W])) > 0"#,
        hold: 3,
        confidence: 0.65,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} does not start, and its node {{ $labels.node }} finds no ConfigMap or Secret to mount",
        example: Example {
            series: &[
                ("kube_pod_info{namespace=\"shop\",pod=\"web-0\",node=\"a\"}", "1x$N"),
                (
                    "kube_pod_container_status_waiting_reason{namespace=\"shop\",pod=\"web-0\",container=\"web\",reason=\"ContainerCreating\"}",
                    "1x$N",
                ),
                (
                    "storage_operation_duration_seconds_count{node=\"a\",volume_plugin=\"kubernetes.io/configmap\",operation_name=\"volume_mount\",status=\"fail-unknown\"}",
                    "0+1x$N",
                ),
            ],
            labels: &[("namespace", "shop"), ("pod", "web-0"), ("node", "a")],
        },
    },
    Signature {
        alert: "LoopdrillProbeFailing",
        cause: Cause::ProbeFailing,
        expr: r#"
            max by (namespace, pod, container) (
              increase(prober_probe_total{probe_type=~"Liveness|Startup", result="failed"}[$W]) > 0)
            and on (namespace, pod, container) increase(kube_pod_container_status_restarts_total[$W]) > 0
            unless on (namespace, pod, container)
              kube_pod_container_status_last_terminated_reason{reason="OOMKilled"} == 1"#,
        hold: 0,
        confidence: 0.75,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} is restarted because a probe fails",
        example: Example {
            series: &[
                CRASH,
                (
                    "prober_probe_total{namespace=\"shop\",pod=\"web-0\",container=\"web\",probe_type=\"Liveness\",result=\"failed\"}",
                    "0+2x$N",
                ),
            ],
            labels: WEB,
        },
    },
    Signature {
        alert: "LoopdrillNodeDown",
        cause: Cause::NodeDown,
        expr: r#"min by (node) (kube_node_status_condition{condition="Ready", status="true"}) == 0"#,
        hold: 0,
        confidence: 0.65,
        summary: "node {{ $labels.node }} is not ready",
        example: Example {
            series: &[("kube_node_status_condition{node=\"a\",condition=\"Ready\",status=\"true\"}", "0x$N")],
            labels: &[("node", "a")],
        },
    },
    Signature {
        alert: "LoopdrillMachineGone",
        cause: Cause::NodeDown,
        // A kubelet alone may die; of a machine that is gone nothing is scraped.
        expr: r#"
            max by (node) (up{node!=""}) == 0
            and on (node) min by (node) (kube_node_status_condition{condition="Ready", status="true"}) == 0"#,
        hold: 0,
        confidence: 0.9,
        summary: "node {{ $labels.node }} is not ready, and nothing on it answers",
        example: Example {
            series: &[
                ("up{node=\"a\",job=\"nodes\"}", "0x$N"),
                ("up{node=\"a\",job=\"kubelet\"}", "0x$N"),
                ("kube_node_status_condition{node=\"a\",condition=\"Ready\",status=\"true\"}", "0x$N"),
            ],
            labels: &[("node", "a")],
        },
    },
    Signature {
        alert: "LoopdrillOutOfMemory",
        cause: Cause::OutOfMemory,
        expr: r#"
            max by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total[$W]) > 0)
            and on (namespace, pod, container) kube_pod_container_status_last_terminated_reason{reason="OOMKilled"} == 1"#,
        hold: 0,
        confidence: 0.8,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} exceeds its memory limit",
        example: Example {
            series: &[
                CRASH,
                (
                    "kube_pod_container_status_last_terminated_reason{namespace=\"shop\",pod=\"web-0\",container=\"web\",reason=\"OOMKilled\"}",
                    "1x$N",
                ),
            ],
            labels: WEB,
        },
    },
    Signature {
        alert: "LoopdrillOverlayMtu",
        cause: Cause::OverlayMtu,
        // Drops on the overlay's device (over IPv6 the kernel counts errors instead), or fragments that may not be made,
        // while the physical device sends cleanly.
        expr: r#"
            max by (node) (
              increase(node_network_transmit_drop_total{device=~"$OVERLAY"}[$W]) > 0
              or increase(node_network_transmit_errs_total{device=~"$OVERLAY"}[$W]) > 0
              or increase(node_netstat_Ip_FragFails[$W]) > 0
            )
            unless on (node) increase(node_network_transmit_drop_total{device=~"eth.*|en.*"}[$W]) > 0"#,
        hold: 0,
        confidence: 0.8,
        summary: "large packets vanish on the overlay of node {{ $labels.node }}",
        example: Example {
            series: &[
                ("node_network_transmit_drop_total{node=\"a\",device=\"flannel.1\"}", "0+3x$N"),
                ("node_network_transmit_drop_total{node=\"a\",device=\"eth0\"}", "7x$N"),
            ],
            labels: &[("node", "a")],
        },
    },
    Signature {
        alert: "LoopdrillPacketLoss",
        cause: Cause::PacketLoss,
        expr: r#"max by (node) (rate(node_network_receive_drop_total{device=~"eth.*|en.*"}[$W])) > 5"#,
        hold: 5,
        confidence: 0.5,
        summary: "node {{ $labels.node }} drops what it receives",
        example: Example {
            series: &[("node_network_receive_drop_total{node=\"a\",device=\"eth0\"}", "0+100x$N")],
            labels: &[("node", "a")],
        },
    },
    Signature {
        alert: "LoopdrillDnsFailure",
        cause: Cause::DnsFailure,
        expr: r#"sum by (namespace) (rate(coredns_dns_responses_total{rcode="SERVFAIL"}[$W])) > 1"#,
        hold: 5,
        confidence: 0.55,
        summary: "cluster DNS answers with failures",
        example: Example {
            series: &[(
                "coredns_dns_responses_total{namespace=\"kube-system\",rcode=\"SERVFAIL\"}",
                "0+50x$N",
            )],
            labels: &[("namespace", "kube-system")],
        },
    },
    Signature {
        alert: "LoopdrillDnsAbsent",
        cause: Cause::DnsFailure,
        expr: r#"
            sum by (namespace) (
              kube_deployment_status_replicas_available{namespace="kube-system", deployment=~".*(coredns|kube-dns).*"}) == 0"#,
        hold: 3,
        confidence: 0.8,
        summary: "nothing answers cluster names: no server of DNS in {{ $labels.namespace }} is available",
        example: Example {
            series: &[(
                "kube_deployment_status_replicas_available{namespace=\"kube-system\",deployment=\"coredns\"}",
                "0x$N",
            )],
            labels: &[("namespace", "kube-system")],
        },
    },
    Signature {
        alert: "LoopdrillNoReadyEndpoints",
        cause: Cause::NoReadyEndpoints,
        expr: "loopdrill:endpoints_vanished",
        hold: 4,
        confidence: 0.7,
        summary: "a Service of {{ $labels.namespace }} has lost all its endpoints ({{ $labels.endpointslice }})",
        example: Example {
            series: &[
                ("kube_endpointslice_info{namespace=\"shop\",endpointslice=\"web-x\"}", "1x$N"),
                (
                    "kube_endpointslice_endpoints{namespace=\"shop\",endpointslice=\"web-x\",address=\"10.1.0.2\",ready=\"true\"}",
                    "1x2 stale",
                ),
            ],
            labels: &[("namespace", "shop"), ("endpointslice", "web-x")],
        },
    },
    Signature {
        alert: "LoopdrillBackendSlow",
        cause: Cause::BackendSlow,
        // It says that it is ready and does not answer its kubelet in time; one that is restarted for it is the probe's.
        expr: r#"
            max by (namespace, pod, container) (
              increase(prober_probe_total{probe_type="Liveness", result="failed"}[$W]) > 0)
            and on (namespace, pod, container) kube_pod_container_status_ready == 1
            unless on (namespace, pod, container) kube_pod_container_status_restarts_total > 0
            unless on () max(loopdrill:wal_fsync_p99) > 0.1"#,
        hold: 6,
        confidence: 0.5,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} is ready and answers its kubelet late or not at all",
        example: Example {
            series: &[
                (
                    "prober_probe_total{namespace=\"shop\",pod=\"web-0\",container=\"web\",probe_type=\"Liveness\",result=\"failed\"}",
                    "0+2x$N",
                ),
                (
                    "kube_pod_container_status_ready{namespace=\"shop\",pod=\"web-0\",container=\"web\"}",
                    "1x$N",
                ),
            ],
            labels: WEB,
        },
    },
    Signature {
        alert: "LoopdrillEtcdDiskBound",
        cause: Cause::EtcdDiskBound,
        // A single slow write is a neighbour's; a disk that is the bottleneck is slow on average, too.
        expr: r#"
            loopdrill:wal_fsync_p99 > 0.1
            and on (instance) (
              sum by (instance) (rate(etcd_disk_wal_fsync_duration_seconds_sum[$W]))
              / sum by (instance) (rate(etcd_disk_wal_fsync_duration_seconds_count[$W]))
            ) > 0.05"#,
        hold: 0,
        confidence: 0.9,
        summary: "etcd on {{ $labels.instance }} waits for its disk",
        example: Example {
            series: &[
                ("etcd_disk_wal_fsync_duration_seconds_bucket{instance=\"cp\",le=\"0.064\"}", "10x$N"),
                ("etcd_disk_wal_fsync_duration_seconds_bucket{instance=\"cp\",le=\"0.512\"}", "10+4x$N"),
                ("etcd_disk_wal_fsync_duration_seconds_bucket{instance=\"cp\",le=\"+Inf\"}", "10+4x$N"),
                ("etcd_disk_wal_fsync_duration_seconds_sum{instance=\"cp\"}", "1+1x$N"),
                ("etcd_disk_wal_fsync_duration_seconds_count{instance=\"cp\"}", "10+4x$N"),
            ],
            labels: &[("instance", "cp")],
        },
    },
    Signature {
        alert: "LoopdrillApiOverload",
        cause: Cause::ApiOverload,
        expr: r#"
            histogram_quantile(0.99, sum by (instance, le) (
              rate(apiserver_request_duration_seconds_bucket{verb!~"WATCH|CONNECT"}[$W]))) > 0.5
            and on () (
              sum(increase(apiserver_flowcontrol_rejected_requests_total[$W])) > 0
              or sum(max_over_time(apiserver_flowcontrol_current_inqueue_requests[$W])) > 10
            )
            unless on () max(loopdrill:wal_fsync_p99) > 0.1"#,
        hold: 0,
        confidence: 0.7,
        summary: "the API server turns requests away or lets them wait while etcd's disk is well",
        example: Example {
            series: &[
                ("apiserver_request_duration_seconds_bucket{instance=\"cp\",verb=\"LIST\",le=\"1\"}", "0x$N"),
                (
                    "apiserver_request_duration_seconds_bucket{instance=\"cp\",verb=\"LIST\",le=\"4\"}",
                    "0+9x$N",
                ),
                (
                    "apiserver_request_duration_seconds_bucket{instance=\"cp\",verb=\"LIST\",le=\"+Inf\"}",
                    "0+9x$N",
                ),
                ("apiserver_flowcontrol_rejected_requests_total{instance=\"cp\"}", "0+9x$N"),
            ],
            labels: &[("instance", "cp")],
        },
    },
    Signature {
        alert: "LoopdrillWebhookBlocked",
        cause: Cause::WebhookBlocked,
        expr: "loopdrill:webhook_serves and on (name) loopdrill:webhook_rejects",
        hold: 0,
        confidence: 0.8,
        summary: "webhook {{ $labels.name }}, which {{ $labels.namespace }}/{{ $labels.service }} serves, cannot be called, and requests are refused for it",
        example: Example { series: &[CHECK, REJECTED], labels: GATE },
    },
    Signature {
        alert: "LoopdrillWebhookElsewhereBlocked",
        cause: Cause::WebhookBlocked,
        // It is called by a URL, or nothing tells by which Service.
        expr: "loopdrill:webhook_rejects unless on (name) loopdrill:webhook_serves",
        hold: 10,
        confidence: 0.7,
        summary: "webhook {{ $labels.name }} cannot be called, and requests are refused for it",
        example: Example { series: &[REJECTED], labels: &[("name", "gate")] },
    },
    Signature {
        alert: "LoopdrillWebhookSlow",
        cause: Cause::WebhookSlow,
        // One that cannot be called takes all of its time, too; and a slow etcd makes webhooks late that ask the API.
        expr: r#"
            loopdrill:webhook_serves and on (name) loopdrill:webhook_median > 0.5
            unless on (name) loopdrill:webhook_rejects
            unless on () max(loopdrill:wal_fsync_p99) > 0.1"#,
        hold: 0,
        confidence: 0.75,
        summary: "webhook {{ $labels.name }}, which {{ $labels.namespace }}/{{ $labels.service }} serves, answers late, and every write that it is asked about waits",
        example: Example {
            series: &[CHECK, late!("0.5", "0x$N"), late!("2.5", "0+5x$N"), late!("+Inf", "0+5x$N")],
            labels: GATE,
        },
    },
    Signature {
        alert: "LoopdrillPriorityLevelFull",
        cause: Cause::PriorityLevelFull,
        // Of an API server that is busy, or whose etcd is slow, most seats are taken, or everybody waits. Less sure than an overload.
        expr: r#"
            (sum by (priority_level) (increase(apiserver_flowcontrol_request_wait_duration_seconds_bucket{le="+Inf"}[$W]))
             - sum by (priority_level) (increase(apiserver_flowcontrol_request_wait_duration_seconds_bucket{le="0.5"}[$W]))
            ) > 2
            and on () sum(apiserver_flowcontrol_current_executing_seats) < 0.25 * sum(apiserver_flowcontrol_nominal_limit_seats)
            unless on () max(loopdrill:wal_fsync_p99) > 0.1"#,
        hold: 0,
        confidence: 0.65,
        summary: "callers of the API server's priority level {{ $labels.priority_level }} wait for a seat, and it has seats enough",
        example: Example {
            series: &[
                (
                    "apiserver_flowcontrol_request_wait_duration_seconds_bucket{priority_level=\"tenants\",le=\"0.5\"}",
                    "0x$N",
                ),
                (
                    "apiserver_flowcontrol_request_wait_duration_seconds_bucket{priority_level=\"tenants\",le=\"+Inf\"}",
                    "0+4x$N",
                ),
                ("apiserver_flowcontrol_current_executing_seats{priority_level=\"tenants\"}", "2x$N"),
                ("apiserver_flowcontrol_nominal_limit_seats{priority_level=\"tenants\"}", "2x$N"),
                ("apiserver_flowcontrol_nominal_limit_seats{priority_level=\"system\"}", "598x$N"),
            ],
            labels: &[("priority_level", "tenants")],
        },
    },
    Signature {
        alert: "LoopdrillApplicationExit",
        cause: Cause::ApplicationExit,
        expr: "loopdrill:container_crashes unless on () loopdrill:requests_denied unless on () loopdrill:tokens_refused",
        hold: 0,
        confidence: 0.5,
        summary: "{{ $labels.namespace }}/{{ $labels.pod }} exits with an error, and nothing was denied to anybody",
        example: Example { series: &[CRASH, EXIT_1], labels: WEB },
    },
];

/// A cluster in which nothing is wrong.
pub const HEALTHY: &[(&str, &str)] = &[
    ("kube_pod_container_status_restarts_total{namespace=\"shop\",pod=\"web-0\",container=\"web\"}", "3x$N"),
    EXIT_1,
    ("authorization_attempts_total{result=\"no-opinion\"}", "3x$N"),
    ("authentication_attempts{result=\"error\"}", "1x$N"),
    NODE_A,
    NODE_B,
    ("kube_pod_status_phase{namespace=\"shop\",pod=\"db-0\",phase=\"Pending\"}", "0x$N"),
    ("kube_pod_status_phase{namespace=\"shop\",pod=\"db-0\",phase=\"Running\"}", "1x$N"),
    (
        "kube_persistentvolumeclaim_status_phase{namespace=\"shop\",persistentvolumeclaim=\"data\",phase=\"Bound\"}",
        "1x$N",
    ),
    CLAIM,
    (
        "kube_persistentvolumeclaim_info{namespace=\"shop\",persistentvolumeclaim=\"data\",storageclass=\"\",volumename=\"v\"}",
        "1x$N",
    ),
    (
        "apiserver_admission_controller_admission_duration_seconds_count{name=\"ResourceQuota\",operation=\"CREATE\",rejected=\"true\"}",
        "4x$N",
    ),
    (
        "prober_probe_total{namespace=\"shop\",pod=\"web-0\",container=\"web\",probe_type=\"Liveness\",result=\"failed\"}",
        "2x$N",
    ),
    ("node_network_transmit_errs_total{node=\"a\",device=\"vxlan.calico\"}", "9x$N"),
    ("kube_node_status_condition{node=\"a\",condition=\"Ready\",status=\"true\"}", "1x$N"),
    ("node_network_transmit_drop_total{node=\"a\",device=\"flannel.1\"}", "9x$N"),
    ("node_network_receive_drop_total{node=\"a\",device=\"eth0\"}", "5x$N"),
    ("etcd_disk_wal_fsync_duration_seconds_bucket{instance=\"cp\",le=\"0.008\"}", "10+4x$N"),
    ("etcd_disk_wal_fsync_duration_seconds_bucket{instance=\"cp\",le=\"+Inf\"}", "10+4x$N"),
];
