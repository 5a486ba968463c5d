//! What a cluster consists of and can do.
use crate::LabError;
use kube::Client;
use loopdrill_target::{ClusterFacts, NodeAccess};
use std::sync::Arc;

/// stub
pub async fn probe(_client: &Client, _nodes: Option<&Arc<dyn NodeAccess>>) -> Result<ClusterFacts, LabError> {
    Ok(ClusterFacts::default())
}
