//! Changes to API objects. (helper F2 fills this in)
use crate::ChangeError;
use loopdrill_model::Evidence;
use serde::{Deserialize, Serialize};
use std::fmt;

/// stub
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum ObjectChange {
    /// stub
    Stub,
}

impl fmt::Display for ObjectChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stub")
    }
}

#[expect(missing_docs, clippy::unused_async, reason = "stub")]
impl ObjectChange {
    pub async fn apply(&self, _c: &kube::Client) -> Result<(), ChangeError> {
        Ok(())
    }
    pub async fn read_back(&self, _c: &kube::Client) -> Result<Option<Evidence>, ChangeError> {
        Ok(None)
    }
    pub async fn undo(&self, _c: &kube::Client) -> Result<(), ChangeError> {
        Ok(())
    }
    pub async fn differences(&self, _c: &kube::Client) -> Result<Vec<String>, ChangeError> {
        Ok(vec![])
    }
}
