//! What a lab has beyond a bare cluster: zonal storage and a private registry.

use crate::{LabError, engine::Engine, nodes::DockerNodes};
use kube::Client;

/// Files that the addons need on every node before it starts.
pub(crate) fn files(_lab: &str) -> Vec<(String, String)> {
    Vec::new()
}

/// stub
pub(crate) struct Shelf;

impl Shelf {
    pub(crate) async fn create(_engine: &Engine, _lab: &str, _image: &str) -> Result<Self, LabError> {
        Ok(Shelf)
    }
    pub(crate) fn holder(&self) -> &str {
        ""
    }
    pub(crate) async fn hand_over(self, _engine: &Engine) -> Result<(), LabError> {
        Ok(())
    }
}

/// stub
pub(crate) async fn install(
    _client: &Client,
    _nodes: &DockerNodes,
    _lab: &str,
    _image: &str,
) -> Result<(), LabError> {
    Ok(())
}
