//! What is seen of a cluster before anything is decided. Reads only.

use crate::{Failure, kubeconfig};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Namespace, Node},
};
use kube::{Api, Client, ResourceExt, api::ListParams};
use loopdrill_cluster::objects;
use loopdrill_fence::{Seen, SeenNode};
use loopdrill_model::ExitStatus;
use std::{path::Path, time::Duration};
use tokio::time::timeout;

/// How long a cluster may take for all these answers.
const LIMIT: Duration = Duration::from_secs(30);
const SYSTEM: &str = "kube-system";

/// A cluster that was seen.
pub(crate) struct Sight {
    pub(crate) client: Client,
    pub(crate) seen: Seen,
    /// The autoscaler that would buy nodes, where there is one.
    pub(crate) autoscaler: Option<&'static str>,
}

/// Looks at the cluster of a context.
pub(crate) async fn see(context: &str, file: Option<&Path>) -> Result<Sight, Failure> {
    let reached = kubeconfig::reach(context, file).await?;
    let client = reached.client;
    let looked = timeout(LIMIT, look(&client)).await.map_err(|_| {
        Failure::of(
            ExitStatus::NoCluster,
            format!(
                "the API server of {context} does not answer within {} s; is this the right kubeconfig?",
                LIMIT.as_secs()
            ),
        )
    })?;
    let (seen, autoscaler) = looked.map_err(|e| unseen(context, &e))?;
    let seen = Seen { context: context.into(), names: reached.names, ..seen };
    Ok(Sight { client, seen, autoscaler })
}

fn unseen(context: &str, error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 401 => Failure::of(
            ExitStatus::NoCluster,
            format!(
                "the API server of {context} does not know this account (401); renew its credentials and try again"
            ),
        ),
        kube::Error::Api(status) if status.code == 403 => Failure::of(
            ExitStatus::NotAdmitted,
            format!("{}; {}", status.message, loopdrill_fence::remedy(&status.message)),
        ),
        other => Failure::new(ExitStatus::NoCluster, other)
            .before(&format!("the API server of {context} does not answer")),
    }
}

async fn look(client: &Client) -> Result<(Seen, Option<&'static str>), kube::Error> {
    let all = ListParams::default();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let nodes: Api<Node> = Api::all(client.clone());
    let (system, namespaces, nodes) =
        tokio::try_join!(namespaces.get(SYSTEM), namespaces.list_metadata(&all), nodes.list(&all))?;
    let mut marks = system.labels().clone();
    marks.extend(system.annotations().clone());
    let seen = Seen {
        uid: system.uid().unwrap_or_default(),
        marks,
        namespaces: namespaces.items.iter().map(ResourceExt::name_any).collect(),
        nodes: nodes.items.iter().map(seen_node).collect(),
        ..Seen::default()
    };
    let autoscaler = autoscaler(client, &nodes.items).await;
    Ok((seen, autoscaler))
}

fn seen_node(node: &Node) -> SeenNode {
    SeenNode {
        name: node.name_any(),
        labels: node.labels().clone(),
        ready: objects::node_is_ready(node),
        takes_pods: objects::takes_ordinary_pods(node),
    }
}

/// Whoever buys a node for a pod that waits for one. What may not be looked at tells nothing; other signs may.
async fn autoscaler(client: &Client, nodes: &[Node]) -> Option<&'static str> {
    let of_nodes = nodes.iter().flat_map(|n| n.labels().iter()).find_map(|(key, value)| of_label(key, value));
    if of_nodes.is_some() {
        return of_nodes;
    }
    let groups = client.list_api_groups().await.map(|g| g.groups).unwrap_or_default();
    if groups.iter().any(|g| g.name == "karpenter.sh" || g.name.ends_with(".karpenter.sh")) {
        return Some("Karpenter");
    }
    let status =
        Api::<ConfigMap>::namespaced(client.clone(), SYSTEM).get_opt("cluster-autoscaler-status").await;
    let deployments = Api::<Deployment>::all(client.clone()).list_metadata(&ListParams::default()).await;
    let runs = deployments.is_ok_and(|d| d.items.iter().any(|d| d.name_any().contains("cluster-autoscaler")));
    (runs || status.is_ok_and(|s| s.is_some())).then_some("the Cluster Autoscaler")
}

fn of_label(key: &str, value: &str) -> Option<&'static str> {
    match key {
        "eks.amazonaws.com/compute-type" if value == "auto" => Some("EKS Auto Mode"),
        "cloud.google.com/gke-provisioning" if value == "autopilot" => Some("GKE Autopilot"),
        _ if key.starts_with("karpenter.sh/") => Some("Karpenter"),
        _ => None,
    }
}
