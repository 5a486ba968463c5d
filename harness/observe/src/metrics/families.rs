//! Which series are wanted of which endpoint: those that the failure signatures name.

/// What a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A counter or gauge.
    Number,
    /// A histogram.
    Histogram,
}

/// A wanted family. Series that differ only in labels that are not kept are added up.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name, of a histogram without `_bucket`.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Labels that are kept.
    pub keep: &'static [&'static str],
    /// Series that have one of these labels are left out.
    pub skip: &'static [(&'static str, &'static str)],
    /// Series that lack one of these labels are left out.
    pub only: &'static [(&'static str, &'static str)],
}

const fn number(name: &'static str, keep: &'static [&'static str]) -> Family {
    Family { name, kind: Kind::Number, keep, skip: &[], only: &[] }
}

const fn histogram(name: &'static str, keep: &'static [&'static str]) -> Family {
    Family { name, kind: Kind::Histogram, keep, skip: &[], only: &[] }
}

/// Requests that last as long as their caller likes say nothing about latency.
const LONG: &[(&str, &str)] =
    &[("verb", "WATCH"), ("verb", "WATCHLIST"), ("verb", "CONNECT"), ("verb", "PROXY")];

/// `/metrics` of the API server. Latency and counts are by verb, over all resources.
pub const API_SERVER: &[Family] = &[
    Family { skip: LONG, ..histogram("apiserver_request_duration_seconds", &["verb"]) },
    Family { skip: LONG, ..number("apiserver_request_total", &["verb", "code"]) },
    number("apiserver_flowcontrol_rejected_requests_total", &["priority_level", "reason"]),
    number("apiserver_flowcontrol_current_inqueue_requests", &["priority_level"]),
    number("apiserver_current_inflight_requests", &["request_kind"]),
    number("authorization_attempts_total", &["result"]),
    number("authentication_attempts", &["result"]),
    histogram("apiserver_admission_webhook_admission_duration_seconds", &["name", "rejected"]),
    number("apiserver_admission_webhook_request_total", &["name", "code", "rejected"]),
    number("apiserver_admission_webhook_rejection_count", &["name", "error_type", "rejection_code"]),
    number("apiserver_admission_webhook_fail_open_count", &["name"]),
    histogram("etcd_request_duration_seconds", &["operation"]),
    number("etcd_request_errors_total", &["operation"]),
    histogram("go_sched_latencies_seconds", &[]),
    number("process_cpu_seconds_total", &[]),
    number("process_start_time_seconds", &[]),
];

/// `/metrics` of etcd.
pub const ETCD: &[Family] = &[
    histogram("etcd_disk_wal_fsync_duration_seconds", &[]),
    histogram("etcd_disk_backend_commit_duration_seconds", &[]),
    number("etcd_server_leader_changes_seen_total", &[]),
    number("etcd_server_has_leader", &[]),
    number("etcd_server_proposals_committed_total", &[]),
    number("etcd_server_proposals_pending", &[]),
    number("etcd_server_proposals_failed_total", &[]),
    number("etcd_server_slow_apply_total", &[]),
    number("etcd_server_heartbeat_send_failures_total", &[]),
    number("etcd_server_quota_backend_bytes", &[]),
    number("etcd_mvcc_db_total_size_in_bytes", &[]),
    number("process_cpu_seconds_total", &[]),
    number("process_start_time_seconds", &[]),
];

/// `/metrics` of a kubelet.
pub const KUBELET: &[Family] = &[
    number("rest_client_requests_total", &["code"]),
    number("kubelet_runtime_operations_errors_total", &["operation_type"]),
    number("process_cpu_seconds_total", &[]),
    number("process_start_time_seconds", &[]),
];

/// `/metrics/resource` of a kubelet.
pub const KUBELET_RESOURCE: &[Family] =
    &[number("node_cpu_usage_seconds_total", &[]), number("node_memory_working_set_bytes", &[])];

/// `/metrics/cadvisor` of a control plane's kubelet: whether etcd or the API server is starved of CPU.
pub const CONTROL_PLANE_CONTAINERS: &[Family] = &[
    in_kube_system("container_cpu_cfs_periods_total"),
    in_kube_system("container_cpu_cfs_throttled_periods_total"),
    in_kube_system("container_pressure_cpu_waiting_seconds_total"),
];

const fn in_kube_system(name: &'static str) -> Family {
    Family { only: &[("namespace", "kube-system")], ..number(name, &["pod", "container"]) }
}
