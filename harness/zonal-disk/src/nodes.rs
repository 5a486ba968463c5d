//! Where nodes are: the one thing that the controller asks the cluster.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Node;

/// Why a node's zone could not be found out.
#[derive(Debug, thiserror::Error)]
#[error("the zone of node {node} could not be read: {source}")]
pub(crate) struct LookupError {
    node: String,
    source: kube::Error,
}

/// Knows the nodes and their zones.
#[async_trait]
pub(crate) trait Nodes: Send + Sync {
    /// The node's zone: nothing when there is no such node, `Some(None)` when it has no zone.
    async fn zone(&self, node: &str) -> Result<Option<Option<String>>, LookupError>;
}

/// The nodes as the API server knows them now.
pub(crate) struct ApiNodes(pub(crate) kube::Client);

#[async_trait]
impl Nodes for ApiNodes {
    async fn zone(&self, node: &str) -> Result<Option<Option<String>>, LookupError> {
        let nodes = kube::Api::<Node>::all(self.0.clone());
        let found =
            nodes.get_metadata_opt(node).await.map_err(|source| LookupError { node: node.into(), source })?;
        Ok(found.map(|n| n.metadata.labels.and_then(|mut labels| labels.remove(crate::ZONE_LABEL))))
    }
}
