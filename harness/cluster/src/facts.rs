//! What a cluster consists of and can do: probed once, before anything is touched.

use crate::aws::AwsTarget;
use loopdrill_kubernetes::Resources;
use loopdrill_model::Capability;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// `topology.kubernetes.io/zone`.
    pub zone: Option<String>,
    /// Whether it runs the control plane.
    pub control_plane: bool,
    /// Whether ordinary pods may run on it now.
    pub schedulable: bool,
    /// What it can give to pods.
    pub allocatable: Resources,
}

/// The private registry of a lab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegistryFacts {
    /// Host and port as nodes reach it and as image references name it.
    pub host: String,
    /// The node on which it runs.
    pub node: String,
    /// Its htpasswd file on that node.
    pub htpasswd: String,
    /// Namespace and name of the `kubernetes.io/dockerconfigjson` Secret that pulls from it.
    pub pull_secret: (String, String),
    /// An image that it serves to those who authenticate; runs this binary.
    pub image: String,
}

/// The zonal storage of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StorageFacts {
    /// The CSI driver's name.
    pub driver: String,
    /// A class that binds `WaitForFirstConsumer`.
    pub wait_class: String,
}

/// The cloud account whose roles the cluster's workloads take on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudFacts {
    /// The account.
    pub aws: AwsTarget,
    /// It is a part of the lab, and goes with it.
    pub of_lab: bool,
}

/// What victims on a cluster that is not ours must keep to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// The labels of the nodes on which they may run.
    pub selector: BTreeMap<String, String>,
    /// Namespace and name of the Secret that pulls their image.
    pub pull_secret: Option<(String, String)>,
    /// The Pod Security level that their namespaces enforce, and that they are made for.
    pub pod_security: String,
    /// How many pods of ours there may be at a time.
    pub pods: usize,
}

impl Fence {
    /// The name of the pull secret's copy in a drill's namespace.
    pub const PULL_SECRET: &str = "image-pull";

    /// Whether victims must do without root and without any capability.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.pod_security == "restricted"
    }
}

/// What the cluster consists of and can do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Its nodes.
    pub nodes: Vec<NodeFacts>,
    /// The API server's version.
    pub kubernetes: String,
    /// The kernel's version.
    pub kernel: String,
    /// The nodes' image, where known.
    pub node_image: String,
    /// Every capability that was probed: there, or why not.
    pub capabilities: BTreeMap<Capability, Result<(), String>>,
    /// The private registry, where there is one.
    pub registry: Option<RegistryFacts>,
    /// The zonal storage, where there is one.
    pub storage: Option<StorageFacts>,
    /// The cloud account, where one is given.
    #[serde(default)]
    pub cloud: Option<CloudFacts>,
    /// What victims must keep to, where the cluster is not ours.
    #[serde(default)]
    pub fence: Option<Fence>,
}

impl ClusterFacts {
    /// Whether `capability` was probed and found. `WorkerNodes` and `TwoZones` follow from the nodes.
    #[must_use]
    pub fn has(&self, capability: &Capability) -> bool {
        match capability {
            Capability::WorkerNodes(n) => self.workers().count() >= *n as usize,
            Capability::TwoZones => self.zones().len() >= 2,
            other => matches!(self.capabilities.get(other), Some(Ok(()))),
        }
    }

    /// Takes over the cloud account that a lab's state folder describes, where it does.
    pub fn find_cloud(&mut self, folder: &Path) {
        let none = || {
            Err("no cloud account is given; make the lab with `--with cloud-identity`, or pass --aws FILE"
                .into())
        };
        let found = AwsTarget::find(folder).map_or_else(none, |read| read.map_err(|e| e.to_string()));
        self.take_cloud(found.map(|aws| CloudFacts { aws, of_lab: true }));
    }

    /// Takes over the cloud account that was given, or why there is none.
    pub fn take_cloud(&mut self, found: Result<CloudFacts, String>) {
        let answer = found.as_ref().map(drop).map_err(Clone::clone);
        self.capabilities.insert(Capability::CloudIdentity, answer);
        self.cloud = found.ok();
    }

    /// Nodes on which ordinary pods may run.
    pub fn workers(&self) -> impl Iterator<Item = &NodeFacts> {
        self.nodes.iter().filter(|n| n.schedulable && !n.control_plane)
    }

    /// Zones that have a worker, with their workers' names.
    #[must_use]
    pub fn zones(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut zones = BTreeMap::<&str, Vec<&str>>::new();
        for node in self.workers() {
            if let Some(zone) = &node.zone {
                zones.entry(zone).or_default().push(&node.name);
            }
        }
        zones
    }

    /// The node that runs the control plane, where it is known.
    #[must_use]
    pub fn control_plane(&self) -> Option<&NodeFacts> {
        self.nodes.iter().find(|n| n.control_plane)
    }
}
