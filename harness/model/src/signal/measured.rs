//! What is counted, probed or asked for.

use crate::Subject;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Hands the table of what is measured to the macro `$then`, behind what else is to be handed to it. A line has the
/// variant of [`Signal`](super::Signal), its data, and which fields of that may quote what somebody wrote.
macro_rules! with_measured {
    ($then:ident $($rest:tt)*) => { $then! { $($rest)* measured {
        /// The API server's answer to "may this account do that?".
        AccessReview(AccessReview), [];
        /// A role of a cloud as it is now.
        CloudRole(CloudRole), [];
        /// A cloud's answer to a ServiceAccount's token.
        CloudAnswer(CloudAnswer), [endpoint];
        /// How much a container has written to its log.
        Log(Log), [];
        /// A counter or gauge of a metrics endpoint.
        Metric(Metric), [];
        /// A histogram of a metrics endpoint.
        Histogram(Histogram), [];
        /// What a node really uses.
        Usage(Usage), [];
        /// Counters of one network interface of a node.
        Interface(Interface), [];
        /// Counters of a node's IP and TCP layers.
        IpCounters(IpCounters), [];
        /// The answer to one active probe between nodes.
        Probe(Probe), [result];
    } } };
}

/// The API server's answer to a SubjectAccessReview.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct AccessReview {
    pub account: Subject,
    pub verb: String,
    pub group: String,
    pub resource: String,
    pub namespace: String,
    /// The one object that was asked for; empty for all of the resource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub allowed: bool,
}

/// A role of a cloud as it is now. Policies are named and fingerprinted; their texts are not here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudRole {
    /// Its ARN.
    pub role: String,
    /// A fingerprint of its trust policy.
    pub trust: String,
    /// Its trust policy lets web identities in, under whatever conditions.
    pub trusts_web_identity: bool,
    /// Managed policies by ARN, inline ones by name and fingerprint; those that only deny are not among them.
    pub grants: Vec<String>,
    /// Sessions that began before this are denied everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_revoked_before: Option<Timestamp>,
    /// Inline policies that deny without such a condition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<String>,
}

/// What a cloud said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloudWord {
    /// Yes.
    Accepted,
    /// This account, or this session, may not.
    Denied,
    /// The token is expired, malformed or for another audience.
    BadToken,
    /// Later.
    Throttled,
    /// Nothing.
    Silent,
    /// Something else.
    Unclear,
}

/// A cloud's answer to whoever comes with a fresh token of a ServiceAccount.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudAnswer {
    /// The account.
    pub account: Subject,
    /// The role that it wants to take on.
    pub role: String,
    /// Which API was asked: `sts` for a session, `s3` for the object that the session is for.
    pub api: String,
    /// Where the cloud was asked, when it is not where the SDK would look by itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// What it said.
    pub word: CloudWord,
}

/// How much a container wrote in one of its lives. Never the text itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// The pod.
    pub pod: Subject,
    /// The pod's uid.
    pub uid: String,
    /// The container's name.
    pub container: String,
    /// Which life: the restart count before it.
    pub restarts: u32,
    /// Bytes written.
    pub bytes: u64,
}

/// A counter or gauge of a metrics endpoint, in Prometheus' naming.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Prometheus' own names")]
pub struct Metric {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    #[serde(with = "super::exact")]
    pub value: f64,
}

/// A histogram of a metrics endpoint. Counts are cumulative over buckets and over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Name without `_bucket`.
    pub name: String,
    /// Labels without `le`.
    pub labels: BTreeMap<String, String>,
    /// Upper bound and cumulative count, by rising bound, without `+Inf`.
    #[serde(with = "super::exact::bounds")]
    pub buckets: Vec<(f64, u64)>,
    /// Sum of all observations.
    #[serde(with = "super::exact")]
    pub sum: f64,
    /// Number of all observations.
    pub count: u64,
}

/// What a node really uses now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The node.
    pub node: String,
    /// Thousandths of a core, averaged over the last interval.
    pub cpu_millis: u64,
}

/// What kind of link an interface is, from the kernel's own link info, never from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// vxlan, geneve, ipip, gre, wireguard: packets are encapsulated here.
    Overlay,
    /// The device that encapsulated packets leave by: it carries the node's own address.
    Underlay,
    /// A pod's end, bridges and the rest.
    Other,
}

/// Counters of one network interface of a node, as rtnetlink gives them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the kernel's own names")]
pub struct Interface {
    pub node: String,
    pub name: String,
    pub kind: LinkKind,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    /// Of an overlay only those that are no lack of a route: over IPv6, what does not fit below a tunnel is one of these.
    pub tx_errors: u64,
}

/// Counters of a node's IP layer (`/proc/net/snmp`) in its root namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the kernel's own names")]
pub struct IpCounters {
    pub node: String,
    pub frag_fails: u64,
}

/// Which way a probe takes between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbePath {
    /// From pod address to pod address, through the overlay when the nodes differ.
    Overlay,
    /// From node address to node address.
    Underlay,
    /// To the cluster's DNS.
    Dns,
}

/// The answer to one probe: a payload of `bytes` sent with don't-fragment, and an answer of the same size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The node it starts on.
    pub from: String,
    /// The node it goes to. The same as `from` for a probe within a node.
    pub to: String,
    /// Which way it takes.
    pub path: ProbePath,
    /// Payload size.
    pub bytes: u32,
    /// What came back.
    pub result: ProbeResult,
}

/// What came back of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeResult {
    /// The whole payload, after so many microseconds.
    Passed {
        /// Round-trip time in microseconds.
        micros: u64,
    },
    /// Nothing within the time limit.
    Lost,
    /// The kernel or a router said that the packet is too big: hosts adapt, this is no black hole.
    TooBig {
        /// The MTU it named.
        mtu: u32,
    },
    /// Refused or unreachable, with the error.
    Refused(String),
}
