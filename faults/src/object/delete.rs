//! An object that was there is deleted; undo creates it again as it was.

use super::{
    Manifest, ObjectRef,
    ops::{Ops, is_going, uid_of},
};
use crate::ChangeError;
use kube::{Client, Resource};
use loopdrill_model::Evidence;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An object that is deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delete {
    /// Which object.
    pub object: ObjectRef,
    /// The one that was there; another of the same name is not touched.
    pub uid: String,
    /// Its content, for the undo.
    pub snapshot: Manifest,
}

impl fmt::Display for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delete {}", self.object)
    }
}

impl Delete {
    /// Takes the snapshot of an object that will be deleted.
    ///
    /// # Errors
    /// When it is not there, is being deleted already, or the API server does not tell.
    pub async fn plan<K>(client: &Client, namespace: Option<&str>, name: &str) -> Result<Self, ChangeError>
    where
        K: Resource<DynamicType = ()>,
    {
        let object = ObjectRef::of::<K>(namespace, name);
        let ops = Ops::new(client, &object);
        let found = match ops.get().await? {
            None => return Err(ops.foreign("there is none of that name")),
            Some(found) if is_going(&found) => return Err(ops.foreign("it is being deleted already")),
            Some(found) => found,
        };
        Ok(Self { uid: uid_of(&found).into(), snapshot: Manifest::of(&found), object })
    }

    pub(super) async fn apply(&self, client: &Client) -> Result<(), ChangeError> {
        let ops = Ops::new(client, &self.object);
        let Some(found) = ops.get().await? else { return Ok(()) };
        if uid_of(&found) != self.uid {
            return Err(ops.foreign("another one has taken its name since the snapshot"));
        }
        let differences = self.snapshot.differences(&Manifest::of(&found));
        if !differences.is_empty() {
            return Err(ops.foreign(format!("since the snapshot {}", differences.join(", "))));
        }
        ops.delete(&self.uid).await
    }

    pub(super) async fn read_back(&self, client: &Client) -> Result<Option<Evidence>, ChangeError> {
        let found = Ops::new(client, &self.object).get().await?;
        Ok(found.is_none().then(|| self.object.shows("is not there")))
    }

    pub(super) async fn undo(&self, client: &Client) -> Result<(), ChangeError> {
        let ops = Ops::new(client, &self.object);
        loop {
            match ops.get().await? {
                Some(found) if is_going(&found) => ops.until_gone(uid_of(&found)).await?,
                Some(found) => {
                    let differences = self.snapshot.differences(&Manifest::of(&found));
                    return match differences.is_empty() {
                        true => Ok(()),
                        false => Err(ops.foreign(format!(
                            "somebody has created one that is not the one we deleted: {}",
                            differences.join(", ")
                        ))),
                    };
                }
                // Without us it would have gone with its namespace.
                None if ops.is_homeless().await? => return Ok(()),
                None if ops.create(self.snapshot.value()).await? => return Ok(()),
                None => {}
            }
            ops.again("create").await?;
        }
    }

    pub(super) async fn differences(&self, client: &Client) -> Result<Vec<String>, ChangeError> {
        let ops = Ops::new(client, &self.object);
        Ok(match ops.get().await? {
            None if ops.is_homeless().await? => vec![],
            None => vec![format!("{} is not there", self.object)],
            Some(found) => {
                let differences = self.snapshot.differences(&Manifest::of(&found));
                differences.into_iter().map(|d| format!("{}: {d}", self.object)).collect()
            }
        })
    }
}
