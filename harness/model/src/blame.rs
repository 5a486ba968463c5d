//! What a diagnosis may blame: the control loops, and the causes inside them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A control loop of Kubernetes, or the application itself. "Nothing is wrong" is the absence of a diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loop {
    /// Authenticates the request: ServiceAccounts, cloud IAM, registry credentials.
    Identity,
    /// Places the workload: scheduler and kubelet.
    Compute,
    /// Routes the packet: CNI, overlay, Services, DNS.
    Network,
    /// Provisions the bytes: CSI and zonal disks.
    Storage,
    /// Keeps the other four converging: etcd, API server, controllers.
    ControlPlane,
    /// The application itself: a bug, a bad flag, a wrong tag.
    Workload,
}

impl Loop {
    /// The five loops that can be drilled, in the order in which they are reported.
    pub const DRILLED: [Loop; 5] =
        [Loop::Identity, Loop::Compute, Loop::Network, Loop::Storage, Loop::ControlPlane];

    /// The name used in reports, options and alerts' `loop` labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Loop::Identity => "identity",
            Loop::Compute => "compute",
            Loop::Network => "network",
            Loop::Storage => "storage",
            Loop::ControlPlane => "control-plane",
            Loop::Workload => "workload",
        }
    }
}

impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

macro_rules! causes {
    ($($variant:ident => $name:literal, $of:ident, $title:literal;)+) => {
        /// Why something is broken. Each cause belongs to exactly one loop.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Cause {
            $(#[doc = $title] #[serde(rename = $name)] $variant,)+
        }

        impl Cause {
            /// Every cause, for help texts and the tests that must cover them all.
            pub const ALL: &'static [Cause] = &[$(Cause::$variant,)+];

            /// The stable name used in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Cause::$variant => $name,)+ }
            }

            /// The loop this cause lies in.
            #[must_use]
            pub const fn control_loop(self) -> Loop {
                match self { $(Cause::$variant => Loop::$of,)+ }
            }

            /// One line for people.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Cause::$variant => $title,)+ }
            }
        }
    };
}

causes! {
    RbacDenied => "rbac-denied", Identity, "the API server denies the ServiceAccount's requests (RBAC)";
    IamDenied => "iam-denied", Identity, "the cloud's IAM denies the workload's requests";
    TrustDenied => "trust-denied", Identity, "a cloud role does not trust the workload's account any more";
    SessionRevoked => "session-revoked", Identity, "the sessions of a cloud role are revoked";
    TokenInvalid => "token-invalid", Identity, "a token is expired, malformed or for another audience";
    PullUnauthorized => "pull-unauthorized", Identity, "the registry rejects the pull credential";
    Fragmentation => "fragmentation", Compute, "free requests suffice in sum and on no single node";
    Exhaustion => "exhaustion", Compute, "the cluster has too little unrequested capacity in sum";
    PlacementConstraint => "placement-constraint", Compute, "selector, affinity or taint excludes every node";
    QuotaExceeded => "quota-exceeded", Compute, "a ResourceQuota refuses the pods";
    OutOfMemory => "out-of-memory", Compute, "the container exceeds its memory limit";
    NodeDown => "node-down", Compute, "a node's kubelet no longer reports";
    OverlayMtu => "overlay-mtu", Network, "large packets vanish on the overlay, small ones pass";
    PacketLoss => "packet-loss", Network, "packets of every size are lost between nodes";
    TrafficFiltered => "traffic-filtered", Network, "a policy or filter drops the traffic";
    DnsFailure => "dns-failure", Network, "cluster names do not resolve";
    RegistryUnreachable => "registry-unreachable", Network, "the registry does not answer";
    CloudUnreachable => "cloud-unreachable", Network, "the cloud's API does not answer";
    NoReadyEndpoints => "no-ready-endpoints", Workload, "the Service has no ready endpoint";
    BackendSlow => "backend-slow", Workload, "the backend answers too slowly at every size";
    VolumeZoneMismatch => "volume-zone-mismatch", Storage, "the volume is pinned to a zone where the pod may not run";
    ClaimOrClassMissing => "claim-or-class-missing", Storage, "the claim or its StorageClass does not exist";
    ProvisioningFailed => "provisioning-failed", Storage, "the provisioner cannot create the volume";
    AttachOrMountFailed => "attach-or-mount-failed", Storage, "the volume cannot be attached or mounted";
    EtcdDiskBound => "etcd-disk-bound", ControlPlane, "etcd waits for its disk";
    ApiOverload => "api-overload", ControlPlane, "clients ask more of the API server than it can serve";
    ControlPlaneStarved => "control-plane-starved", ControlPlane, "etcd or the API server lacks CPU or memory";
    WebhookBlocked => "webhook-blocked", ControlPlane, "an admission webhook blocks the API";
    CloudThrottled => "cloud-throttled", Workload, "the cloud's API throttles the account's requests";
    BadConfiguration => "bad-configuration", Workload, "the workload refers to something that does not exist";
    ProbeFailing => "probe-failing", Workload, "a probe fails while the container runs";
    ImageNotFound => "image-not-found", Workload, "the image or tag does not exist";
    ApplicationExit => "application-exit", Workload, "the application exits by itself";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_serialised_form() {
        for cause in Cause::ALL {
            assert_eq!(serde_json::to_value(cause).expect("plain enum"), cause.name());
        }
        for l in Loop::DRILLED {
            assert_eq!(serde_json::to_value(l).expect("plain enum"), l.name());
        }
    }
}
