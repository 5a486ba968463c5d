//! Changes to a node, held on the node itself. (helper F1 fills this in)
use crate::ChangeError;
use loopdrill_model::Evidence;
use loopdrill_target::NodeAccess;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// stub
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeChange {
    /// stub
    pub node: String,
}

impl fmt::Display for NodeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stub")
    }
}

#[expect(missing_docs, clippy::unused_async, reason = "stub")]
impl NodeChange {
    pub async fn apply(&self, _n: &Arc<dyn NodeAccess>, _id: &str) -> Result<(), ChangeError> {
        Ok(())
    }
    pub async fn read_back(&self, _n: &Arc<dyn NodeAccess>, _id: &str) -> Result<Option<Evidence>, ChangeError> {
        Ok(None)
    }
    pub async fn undo(&self, _n: &Arc<dyn NodeAccess>, _id: &str) -> Result<(), ChangeError> {
        Ok(())
    }
    pub async fn differences(&self, _n: &Arc<dyn NodeAccess>) -> Result<Vec<String>, ChangeError> {
        Ok(vec![])
    }
}
