//! The table of metrics: where each is asked for, what of it is kept, and who reads it.
//!
//! # Invariants
//! - Whoever reads a metric names its entry of this table, never a text of its own: what nobody asks for cannot be read.
//! - What nobody reads is not asked for. Each reader has a test that leaves out the samples of one entry after the other,
//!   and fails for one that makes no difference to any answer.

/// Where metrics are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/metrics` of the API server.
    ApiServer,
    /// `/metrics` of etcd.
    Etcd,
    /// `/metrics/resource` of a kubelet.
    KubeletResource,
}

/// Who reads a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The rules of attribution.
    Rules,
    /// The observer, which makes [`Usage`](crate::signal::Usage) of it.
    Usage,
    /// The checks of the checklist, through its snapshot.
    Checks,
}

/// What a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A counter or gauge.
    Number,
    /// A histogram.
    Histogram,
}

/// A metric of one endpoint. Series that differ only in labels that are not kept are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Its name, of a histogram without `_bucket`.
    pub name: &'static str,
    /// Where it is told.
    pub endpoint: Endpoint,
    /// What it holds.
    pub kind: Kind,
    /// Labels that are kept.
    pub keep: &'static [&'static str],
    /// Series that have one of these labels are left out.
    pub skip: &'static [(&'static str, &'static str)],
    /// Who reads it.
    pub readers: &'static [Reader],
}

/// What is asked of an endpoint for these readers.
#[must_use]
pub fn asked(endpoint: Endpoint, readers: &[Reader]) -> Vec<&'static Family> {
    let wanted = |f: &&&Family| f.endpoint == endpoint && f.readers.iter().any(|r| readers.contains(r));
    FAMILIES.iter().filter(wanted).copied().collect()
}

const fn number(endpoint: Endpoint, name: &'static str, readers: &'static [Reader]) -> Family {
    Family { name, endpoint, kind: Kind::Number, keep: &[], skip: &[], readers }
}

const fn histogram(endpoint: Endpoint, name: &'static str, readers: &'static [Reader]) -> Family {
    Family { kind: Kind::Histogram, ..number(endpoint, name, readers) }
}

/// Requests that last as long as their caller likes say nothing about latency.
const LONG: &[(&str, &str)] =
    &[("verb", "WATCH"), ("verb", "WATCHLIST"), ("verb", "CONNECT"), ("verb", "PROXY")];

macro_rules! families {
    ($($(#[$doc:meta])+ $name:ident = $family:expr;)+) => {
        $($(#[$doc])+ pub const $name: Family = $family;)+

        /// All of the table.
        pub const FAMILIES: &[&Family] = &[$(&$name),+];
    };
}

use Endpoint::{ApiServer, Etcd, KubeletResource};
use Reader::{Checks, Rules, Usage};

families! {
    /// How long requests took, by verb, over all resources.
    REQUEST_DURATION = Family {
        keep: &["verb"],
        skip: LONG,
        ..histogram(ApiServer, "apiserver_request_duration_seconds", &[Rules, Checks])
    };
    /// Requests by the status that they were answered with.
    REQUESTS = Family {
        keep: &["code"],
        skip: LONG,
        ..number(ApiServer, "apiserver_request_total", &[Rules])
    };
    /// Requests that priority and fairness turned away.
    REJECTED_REQUESTS = Family {
        keep: &["priority_level"],
        ..number(ApiServer, "apiserver_flowcontrol_rejected_requests_total", &[Rules, Checks])
    };
    /// Requests that priority and fairness let through, by the kind that it takes them for.
    DISPATCHED_REQUESTS = Family {
        keep: &["flow_schema"],
        ..number(ApiServer, "apiserver_flowcontrol_dispatched_requests_total", &[Rules])
    };
    /// Requests that wait for their turn.
    QUEUED_REQUESTS = Family {
        keep: &["priority_level"],
        ..number(ApiServer, "apiserver_flowcontrol_current_inqueue_requests", &[Rules])
    };
    /// How long requests waited for their turn, by the level at which they did.
    REQUEST_WAIT = Family {
        keep: &["priority_level"],
        ..histogram(ApiServer, "apiserver_flowcontrol_request_wait_duration_seconds", &[Rules])
    };
    /// Seats that requests under way take, by level.
    EXECUTING_SEATS = Family {
        keep: &["priority_level"],
        ..number(ApiServer, "apiserver_flowcontrol_current_executing_seats", &[Rules])
    };
    /// Seats that each level has of its own; in sum, those of the API server.
    NOMINAL_SEATS = Family {
        keep: &["priority_level"],
        ..number(ApiServer, "apiserver_flowcontrol_nominal_limit_seats", &[Rules])
    };
    /// Whether callers may what they ask for.
    AUTHORIZATIONS =
        Family { keep: &["result"], ..number(ApiServer, "authorization_attempts_total", &[Rules]) };
    /// Whether callers are who they say.
    AUTHENTICATIONS =
        Family { keep: &["result"], ..number(ApiServer, "authentication_attempts", &[Rules]) };
    /// Requests that an admission webhook refused, or that failed because it could not be called.
    WEBHOOK_REJECTIONS = Family {
        keep: &["error_type", "name"],
        ..number(ApiServer, "apiserver_admission_webhook_rejection_count", &[Rules])
    };
    /// How long calls of admission webhooks took, those that failed included.
    WEBHOOK_DURATION = Family {
        keep: &["name"],
        ..histogram(ApiServer, "apiserver_admission_webhook_admission_duration_seconds", &[Rules])
    };
    /// Requests that were let through because an admission webhook could not be called.
    WEBHOOK_FAIL_OPEN = Family {
        keep: &["name"],
        ..number(ApiServer, "apiserver_admission_webhook_fail_open_count", &[Rules])
    };
    /// How long what could run in the API server waited for a CPU.
    SCHEDULING = histogram(ApiServer, "go_sched_latencies_seconds", &[Rules]);
    /// How long the API server waited for etcd, by what it asked for.
    ETCD_REQUESTS = Family {
        keep: &["operation"],
        ..histogram(ApiServer, "etcd_request_duration_seconds", &[Rules])
    };
    /// For how long the certificates that clients show are still good.
    CLIENT_CERTIFICATES =
        histogram(ApiServer, "apiserver_client_certificate_expiration_seconds", &[Checks]);
    /// How long etcd's log waits for its disk.
    WAL_FSYNC = histogram(Etcd, "etcd_disk_wal_fsync_duration_seconds", &[Rules, Checks]);
    /// How long etcd's database waits for its disk.
    BACKEND_COMMIT = histogram(Etcd, "etcd_disk_backend_commit_duration_seconds", &[Rules, Checks]);
    /// What waits for etcd's members to agree.
    PENDING_PROPOSALS = number(Etcd, "etcd_server_proposals_pending", &[Rules]);
    /// The size of etcd's database.
    DATABASE_SIZE = number(Etcd, "etcd_mvcc_db_total_size_in_bytes", &[Checks]);
    /// How large etcd's database may become.
    DATABASE_QUOTA = number(Etcd, "etcd_server_quota_backend_bytes", &[Checks]);
    /// CPU time that a node has used.
    NODE_CPU = number(KubeletResource, "node_cpu_usage_seconds_total", &[Usage]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_and_for_somebody() {
        for (at, family) in FAMILIES.iter().enumerate() {
            assert!(!family.readers.is_empty(), "{} has no reader", family.name);
            assert!(FAMILIES[..at].iter().all(|f| f.name != family.name), "{} is there twice", family.name);
        }
    }
}
