//! What a diagnosis may blame: the control loops, and the causes inside them.

use crate::named;
use serde::{Deserialize, Serialize};
use std::fmt;

named! {
    /// A control loop of Kubernetes, or the application itself. "Nothing is wrong" is the absence of a diagnosis.
    pub enum Loop {
        /// Authenticates the request: ServiceAccounts, cloud IAM, registry credentials.
        Identity = "identity",
        /// Places the workload: scheduler and kubelet.
        Compute = "compute",
        /// Routes the packet: CNI, overlay, Services, DNS.
        Network = "network",
        /// Provisions the bytes: CSI and zonal disks.
        Storage = "storage",
        /// Keeps the other four converging: etcd, API server, controllers.
        ControlPlane = "control-plane",
        /// The application itself: a bug, a bad flag, a wrong tag.
        Workload = "workload",
    }
}

impl Loop {
    /// The five loops that can be drilled, in the order in which they are reported.
    pub const DRILLED: [Loop; 5] =
        [Loop::Identity, Loop::Compute, Loop::Network, Loop::Storage, Loop::ControlPlane];
}

macro_rules! causes {
    ($($variant:ident => $name:literal, $of:ident, $title:literal, $look:expr, $mend:literal;)+) => {
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

            /// A command that shows more, with NAMESPACE, POD and their like in place of names.
            #[must_use]
            pub const fn look(self) -> &'static str {
                match self { $(Cause::$variant => $look,)+ }
            }

            /// How it is mended, as far as that can be said for all clusters, with the same places.
            #[must_use]
            pub const fn mend(self) -> &'static str {
                match self { $(Cause::$variant => $mend,)+ }
            }
        }
    };
}

const DESCRIBE: &str = "kubectl -n NAMESPACE describe pod POD";
const PREVIOUS: &str = "kubectl -n NAMESPACE logs POD --previous --tail 50";

// Name, loop, title; a command that shows more, and how it is mended. What stands in capitals is filled in.
causes! {
    RbacDenied => "rbac-denied", Identity, "the API server denies the ServiceAccount's requests (RBAC)",
        "kubectl auth can-i --list -n NAMESPACE --as system:serviceaccount:NAMESPACE:ACCOUNT",
        "kubectl -n NAMESPACE create rolebinding NAME --role ROLE --serviceaccount NAMESPACE:ACCOUNT (a clusterrolebinding for what is asked for in the whole cluster)";
    IamDenied => "iam-denied", Identity, "the cloud's IAM denies the workload's requests",
        "aws iam list-attached-role-policies --role-name ROLE (or your cloud's: what may the workload's identity do?)",
        "attach the policy that allows the denied action to the role of ACCOUNT";
    TrustDenied => "trust-denied", Identity, "a cloud role does not trust the workload's account any more",
        "aws iam get-role --role-name ROLE (who may take it on?)",
        "let the role's trust policy name system:serviceaccount:NAMESPACE:ACCOUNT of this cluster's issuer";
    SessionRevoked => "session-revoked", Identity, "the sessions of a cloud role are revoked",
        "aws iam get-role-policy --role-name ROLE --policy-name AWSRevokeOlderSessions",
        "kubectl -n NAMESPACE delete pod POD: a new pod takes a new session";
    TokenInvalid => "token-invalid", Identity, "a token is expired, malformed or for another audience",
        "kubectl -n NAMESPACE get pod POD -o yaml (audience and lifetime of its projected tokens)",
        "correct the audience, or renew the token: kubectl -n NAMESPACE delete pod POD";
    PullUnauthorized => "pull-unauthorized", Identity, "the registry rejects the pull credential",
        "kubectl -n NAMESPACE get serviceaccount,pod POD -o yaml (imagePullSecrets)",
        "kubectl -n NAMESPACE create secret docker-registry NAME …, and name it in imagePullSecrets";
    Fragmentation => "fragmentation", Compute, "free requests suffice in sum and on no single node",
        "kubectl describe nodes (requests by node)",
        "free one node for the pod: move smaller pods away, or lower its requests";
    Exhaustion => "exhaustion", Compute, "the cluster has too little unrequested capacity in sum",
        "kubectl describe nodes (requests by node)",
        "add a node, or lower requests";
    PlacementConstraint => "placement-constraint", Compute, "selector, affinity or taint excludes every node",
        DESCRIBE,
        "correct nodeSelector, affinity or tolerations, or label a node so that one matches";
    QuotaExceeded => "quota-exceeded", Compute, "a ResourceQuota refuses the pods",
        "kubectl -n NAMESPACE describe resourcequota",
        "raise the quota, or lower requests and replicas in NAMESPACE";
    OutOfMemory => "out-of-memory", Compute, "the container exceeds its memory limit",
        DESCRIBE,
        "raise the container's memory limit, or lower what the program uses";
    NodeDown => "node-down", Compute, "a node's kubelet no longer reports",
        "kubectl describe node NODE",
        "restart the kubelet or the machine; when it is gone for good, kubectl delete node NODE";
    NodePressure => "node-pressure", Compute, "a node runs out of disk, memory or processes",
        "kubectl describe node NODE",
        "free or enlarge the disk or memory of NODE, and let pods ask for what they use";
    RuntimeFailing => "runtime-failing", Compute, "a node's container runtime does not do its work",
        "kubectl describe node NODE",
        "restart the container runtime of NODE; where its disk is slow or full, mend that first";
    DeviceUnavailable => "device-unavailable", Compute, "a device that the pod wants is missing or unhealthy",
        "kubectl describe node NODE",
        "restart the device plugin of NODE, and take broken devices out of use";
    LocalStorageExceeded => "local-storage-exceeded", Compute, "the pod writes more to its node's disk than it may",
        DESCRIBE,
        "raise the limit of ephemeral-storage or of the emptyDir, or write less to it";
    OverlayMtu => "overlay-mtu", Network, "large packets vanish on the overlay, small ones pass",
        "ip -d link show, on both nodes (MTU of the overlay and of the link below it)",
        "set the CNI's MTU to that of the link less the encapsulation, and restart its pods";
    PacketLoss => "packet-loss", Network, "packets of every size are lost between nodes",
        "ip -s link show, on NODE (drops and errors)",
        "repair or replace the link; until then kubectl drain NODE --ignore-daemonsets";
    TrafficFiltered => "traffic-filtered", Network, "a policy or filter drops the traffic",
        "kubectl get networkpolicies -A",
        "allow the traffic in the policy, security group or firewall between the nodes";
    DnsFailure => "dns-failure", Network, "cluster names do not resolve",
        "kubectl -n kube-system get pods,endpointslices -l k8s-app=kube-dns",
        "kubectl -n kube-system rollout restart deployment coredns, when its pods do not answer";
    NodeDnsFailure => "node-dns-failure", Network, "names do not resolve on one node, and elsewhere they do",
        "kubectl get pods -A -o wide --field-selector spec.nodeName=NODE (the node's DNS cache and its proxy)",
        "bring back what answers for names on NODE: the pod of its DNS cache, or kube-proxy where there is no cache";
    RegistryUnreachable => "registry-unreachable", Network, "the registry does not answer",
        DESCRIBE,
        "let the nodes reach the registry: DNS, proxy, firewall";
    CloudUnreachable => "cloud-unreachable", Network, "the cloud's API does not answer",
        PREVIOUS,
        "let the pods reach the cloud's API: DNS, proxy, NAT, endpoint";
    CniFailed => "cni-failed", Network, "the network plugin does not give the pod its network",
        DESCRIBE,
        "mend the network plugin's pods on the node; where addresses are used up, give it a larger range";
    LoadBalancerFailed => "load-balancer-failed", Network, "the load balancer of a Service cannot be made",
        "kubectl -n NAMESPACE describe service SERVICE",
        "give the cloud what the event says is missing: tags, subnets, addresses, quota, rights";
    NoReadyEndpoints => "no-ready-endpoints", Workload, "the Service has no ready endpoint",
        "kubectl -n NAMESPACE get service,endpointslices,pods -o wide",
        "correct the selector of SERVICE, or bring the pods back that it selects";
    BackendSlow => "backend-slow", Workload, "the backend answers too slowly at every size",
        "kubectl -n NAMESPACE top pod POD",
        "find what the backend waits for, or give it more CPU or replicas";
    VolumeZoneMismatch => "volume-zone-mismatch", Storage, "the volume is pinned to a zone where the pod may not run",
        "kubectl get pv VOLUME -o yaml (its nodeAffinity)",
        "let the pod run in the volume's zone, or restore its data into a volume in another";
    ClaimOrClassMissing => "claim-or-class-missing", Storage, "the claim or its StorageClass does not exist",
        "kubectl -n NAMESPACE get pvc; kubectl get storageclasses",
        "create the claim or the class, or correct its name";
    ProvisioningFailed => "provisioning-failed", Storage, "the provisioner cannot create the volume",
        "kubectl -n NAMESPACE describe pvc CLAIM",
        "mend what the provisioner names: quota, parameters, credentials";
    AttachOrMountFailed => "attach-or-mount-failed", Storage, "the volume cannot be attached or mounted",
        "kubectl get volumeattachments; kubectl -n NAMESPACE describe pod POD",
        "end the pod that still holds the volume; when its node is gone, kubectl delete its VolumeAttachment";
    VolumeLimit => "volume-limit", Storage, "the nodes take no more volumes",
        DESCRIBE,
        "add a node, or spread the pods with volumes; the machine type sets how many a node takes";
    ResizeFailed => "resize-failed", Storage, "the volume cannot grow as its claim asks",
        "kubectl -n NAMESPACE describe persistentvolumeclaim CLAIM",
        "do what the event says: many disks grow only while no pod uses them, or once in some hours";
    VolumeFull => "volume-full", Storage, "the volume has no space left",
        "kubectl -n NAMESPACE exec POD -- df -h",
        "kubectl -n NAMESPACE edit pvc CLAIM (a larger request, where the class can grow), or delete what is not needed";
    VolumeFaulty => "volume-faulty", Storage, "the volume's file system fails, or turned read-only",
        "kubectl -n NAMESPACE get pvc CLAIM; dmesg, on the pod's node (file system and disk errors)",
        "mend the disk or its network, then kubectl -n NAMESPACE delete pod POD: a new mount checks the file system";
    EtcdDiskBound => "etcd-disk-bound", ControlPlane, "etcd waits for its disk",
        "kubectl get --raw /metrics (etcd_request_duration_seconds)",
        "give etcd a disk of its own with less latency, and lower what writes to it";
    ApiOverload => "api-overload", ControlPlane, "clients ask more of the API server than it can serve",
        "kubectl get --raw /metrics (apiserver_flowcontrol_rejected_requests_total)",
        "stop or limit the client that asks most: a FlowSchema with a small priority level";
    ControlPlaneStarved => "control-plane-starved", ControlPlane, "etcd or the API server lacks CPU or memory",
        "kubectl -n kube-system top pods",
        "give the control plane's node more CPU and memory, or move other work from it";
    WebhookBlocked => "webhook-blocked", ControlPlane, "an admission webhook blocks the API",
        "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
        "bring the webhook's pods or certificate back; until then failurePolicy: Ignore";
    AggregatedApiDown => "aggregated-api-down", ControlPlane, "an API that the API server passes on does not answer",
        "kubectl get apiservices; kubectl describe apiservice NAME",
        "bring the pods of its Service back, or correct its certificate; nobody needs it any more: kubectl delete apiservice NAME";
    WebhookSlow => "webhook-slow", ControlPlane, "an admission webhook answers late, and writes wait for it",
        "kubectl get --raw /metrics (apiserver_admission_webhook_admission_duration_seconds)",
        "give the webhook's pods more CPU or replicas, let its rules match less, and lower its timeoutSeconds";
    PriorityLevelFull => "priority-level-full", ControlPlane, "one priority level of the API server is full, and its callers wait",
        "kubectl get flowschemas; kubectl get --raw /debug/api_priority_and_fairness/dump_priority_levels",
        "kubectl edit prioritylevelconfiguration LEVEL (nominalConcurrencyShares), or let who asks most there ask less";
    CloudThrottled => "cloud-throttled", Workload, "the cloud's API throttles the account's requests",
        PREVIOUS,
        "ask the cloud less often, or for a higher limit";
    BadConfiguration => "bad-configuration", Workload, "the workload refers to something that does not exist",
        DESCRIBE,
        "create what it refers to, or correct the reference";
    ProbeFailing => "probe-failing", Workload, "a probe fails while the container runs",
        DESCRIBE,
        "mend what the probe asks, or correct its path, port and times";
    ImageNotFound => "image-not-found", Workload, "the image or tag does not exist",
        DESCRIBE,
        "push the image, or correct its name and tag";
    ApplicationExit => "application-exit", Workload, "the application exits by itself",
        PREVIOUS,
        "mend the program or its settings; kubectl -n NAMESPACE rollout undo goes back";
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
        for l in Loop::ALL {
            assert_eq!(serde_json::to_value(l).expect("plain enum"), l.name());
        }
    }
}
