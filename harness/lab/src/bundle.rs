//! Bundles: image archives beside the node image, which only the labs get that ask for them.

use crate::{LabError, nodes::DockerNodes};
use std::path::Path;

/// The reference of an image in a bundle.
pub(crate) fn reference(bundle: &Path, image: &str) -> Result<String, LabError> {
    let path = bundle.join(format!("{image}.ref"));
    let text = std::fs::read_to_string(&path);
    Ok(text.map_err(|e| LabError::io(format!("read {}", path.display()), e))?.trim().to_string())
}

/// Imports one archive into a node's containerd, unless its image is there.
pub(crate) async fn import(
    nodes: &DockerNodes,
    node: &str,
    bundle: &Path,
    image: &str,
) -> Result<(), LabError> {
    let reference = reference(bundle, image)?;
    let check = format!("ctr -n k8s.io images ls -q name=={reference} | grep -q .");
    if nodes.sh(node, &check).await?.code == 0 {
        return Ok(());
    }
    let path = bundle.join(format!("{image}.tar"));
    let file = tokio::fs::File::open(&path).await;
    let file = file.map_err(|e| LabError::io(format!("read {}", path.display()), e))?;
    let argv = ["ctr", "-n", "k8s.io", "images", "import", "-"];
    let output = nodes.exec_reader(node, &argv, file).await?;
    if output.code == 0 {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stderr).trim().to_string();
    if log.to_lowercase().contains("no space left") {
        return Err(LabError::NoSpace { what: format!("node {node} could not take image {reference}") });
    }
    Err(LabError::Step { node: node.into(), step: "importing an image of a bundle", log })
}
