//! The things that a snapshot may hold, and whether they could be read.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Kinds of an input's objects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kinds {
    /// Whether they lie in namespaces.
    pub(crate) namespaced: bool,
    /// Each by name and the start of its `apiVersion`, removed versions included. The first is the input's own.
    pub(crate) all: &'static [(&'static str, &'static str)],
}

/// A line has the variant, what people call it, and where that is a list of objects, their [`Kinds`].
macro_rules! inputs {
    (@namespaced namespaced) => { true };
    (@namespaced clusterwide) => { false };
    ($(
        $(#[$doc:meta])* $variant:ident => $name:literal
        $(, $scope:ident { $($kind:literal of $group:literal),+ $(,)? })?;
    )+) => {
        /// One thing that a snapshot may hold, and that a check may need.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Input {
            $($(#[$doc])* $variant,)+
        }

        impl Input {
            /// Every input.
            pub const ALL: &'static [Input] = &[$(Input::$variant,)+];

            /// What people call it: where it is a list of objects, the resource with its group.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Input::$variant => $name,)+ }
            }

            /// The kinds of its objects; nothing where it is measured.
            pub(crate) const fn kinds(self) -> Option<Kinds> {
                match self {
                    $($(Input::$variant => Some(Kinds {
                        namespaced: inputs!(@namespaced $scope),
                        all: &[$(($kind, $group)),+],
                    }),)?)+
                    _ => None,
                }
            }
        }
    };
}

inputs! {
    /// `namespaces`.
    Namespaces => "namespaces", clusterwide { "Namespace" of "v1" };
    /// `nodes`.
    Nodes => "nodes", clusterwide { "Node" of "v1" };
    /// `pods`, and in manifests whatever makes them and is no input by itself. There a CronJob is a template of pods;
    /// clusters are asked for it by itself.
    Pods => "pods", namespaced {
        "Pod" of "v1", "PodTemplate" of "v1", "ReplicationController" of "v1", "ReplicaSet" of "apps/",
        "ReplicaSet" of "extensions/", "Job" of "batch/", "Job" of "extensions/", "CronJob" of "batch/",
        "Rollout" of "argoproj.io/", "DeploymentConfig" of "apps.openshift.io/",
        "Service" of "serving.knative.dev/", "Configuration" of "serving.knative.dev/",
        "Revision" of "serving.knative.dev/", "LimitRange" of "v1",
    };
    /// `deployments.apps`.
    Deployments => "deployments.apps", namespaced { "Deployment" of "apps/", "Deployment" of "extensions/" };
    /// `statefulsets.apps`.
    StatefulSets => "statefulsets.apps", namespaced { "StatefulSet" of "apps/" };
    /// `daemonsets.apps`.
    DaemonSets => "daemonsets.apps", namespaced { "DaemonSet" of "apps/", "DaemonSet" of "extensions/" };
    /// `cronjobs.batch`.
    CronJobs => "cronjobs.batch", namespaced { "CronJob" of "batch/" };
    /// `services`.
    Services => "services", namespaced { "Service" of "v1" };
    /// `ingresses.networking.k8s.io`.
    Ingresses => "ingresses.networking.k8s.io", namespaced {
        "Ingress" of "networking.k8s.io/", "Ingress" of "extensions/",
    };
    /// `networkpolicies.networking.k8s.io`.
    NetworkPolicies => "networkpolicies.networking.k8s.io", namespaced {
        "NetworkPolicy" of "networking.k8s.io/", "NetworkPolicy" of "extensions/",
    };
    /// `poddisruptionbudgets.policy`.
    Budgets => "poddisruptionbudgets.policy", namespaced { "PodDisruptionBudget" of "policy/" };
    /// `priorityclasses.scheduling.k8s.io`.
    PriorityClasses => "priorityclasses.scheduling.k8s.io", clusterwide {
        "PriorityClass" of "scheduling.k8s.io/",
    };
    /// `storageclasses.storage.k8s.io`.
    StorageClasses => "storageclasses.storage.k8s.io", clusterwide { "StorageClass" of "storage.k8s.io/" };
    /// `persistentvolumes`.
    Volumes => "persistentvolumes", clusterwide { "PersistentVolume" of "v1" };
    /// `persistentvolumeclaims`.
    Claims => "persistentvolumeclaims", namespaced { "PersistentVolumeClaim" of "v1" };
    /// `csinodes.storage.k8s.io`.
    CsiNodes => "csinodes.storage.k8s.io", clusterwide { "CSINode" of "storage.k8s.io/" };
    /// `secrets`.
    Secrets => "secrets", namespaced { "Secret" of "v1" };
    /// `configmaps`.
    ConfigMaps => "configmaps", namespaced { "ConfigMap" of "v1" };
    /// `serviceaccounts`.
    ServiceAccounts => "serviceaccounts", namespaced { "ServiceAccount" of "v1" };
    /// `clusterrolebindings.rbac.authorization.k8s.io`.
    Bindings => "clusterrolebindings.rbac.authorization.k8s.io", clusterwide {
        "ClusterRoleBinding" of "rbac.authorization.k8s.io/",
    };
    /// `horizontalpodautoscalers.autoscaling`.
    Autoscalers => "horizontalpodautoscalers.autoscaling", namespaced {
        "HorizontalPodAutoscaler" of "autoscaling/", "ScaledObject" of "keda.sh/",
    };
    /// `roles.rbac.authorization.k8s.io`.
    Roles => "roles.rbac.authorization.k8s.io", namespaced { "Role" of "rbac.authorization.k8s.io/" };
    /// `clusterroles.rbac.authorization.k8s.io`.
    ClusterRoles => "clusterroles.rbac.authorization.k8s.io", clusterwide {
        "ClusterRole" of "rbac.authorization.k8s.io/",
    };
    /// Latency and rejections that the API server measures.
    ApiLatency => "the API server's metrics";
    /// etcd's own metrics and health.
    Etcd => "etcd's metrics";
    /// When the control plane's certificates end.
    Certificates => "the control plane's certificates";
    /// What nodes really use.
    Usage => "the nodes' usage";
    /// Overlay and underlay devices on the nodes.
    Links => "the nodes' network devices";
    /// Payloads sent between nodes.
    Probes => "active probes between nodes";
    /// What a Prometheus in the cluster scrapes, and its rules.
    Prometheus => "Prometheus' targets and rules";
    /// What applications and nodes expose to be scraped.
    Surfaces => "metrics that pods and nodes expose";
    /// Samples of application logs, reduced to their shape.
    Logs => "samples of application logs";
}

impl Input {
    /// Which inputs are lists of objects, and whether those lie in namespaces.
    pub fn listed() -> impl Iterator<Item = (Self, bool)> {
        Self::ALL.iter().filter_map(|input| Some((*input, input.kinds()?.namespaced)))
    }

    /// The kind of its objects; empty where it is measured.
    pub(crate) fn own_kind(self) -> &'static str {
        self.kinds().and_then(|kinds| kinds.all.first()).map_or("", |(kind, _)| kind)
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is known about an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// It was read, but for so many objects that were not understood.
    Read {
        /// Objects that were read.
        objects: u64,
        /// Objects that were not understood.
        unreadable: u64,
    },
    /// It was not read; why, and what would help.
    Missing(String),
}
