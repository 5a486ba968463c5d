//! A role of a cloud account is altered; undo brings back what was there, byte for byte.
//!
//! # Invariants
//! - only the parts that the plan changes are looked at and touched; what somebody else adds beside them stays;
//! - a part that is neither as it was nor as we left it is not overwritten: [`ChangeError::Foreign`] shows both;
//! - every step is idempotent; a change that was cut in the middle is undone part by part;
//! - the serialised change names the account and where its credentials are, and holds none.

use crate::ChangeError;
use loopdrill_aws::{CloudError, Iam, Part, RoleState, excerpt};
use loopdrill_cluster::CloudFacts;
use loopdrill_model::{Evidence, Source, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};
use tokio::time::{Instant, sleep};

/// IAM shows a change to its own readers after seconds.
const SETTLES: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);

/// A role that is altered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudChange {
    /// The account, and how it is reached.
    pub cloud: CloudFacts,
    /// The role.
    pub role: String,
    /// The role as it was.
    pub before: RoleState,
    /// The role as the fault needs it.
    pub after: RoleState,
}

impl fmt::Display for CloudChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of role {} in account {}", self.list(), self.role, self.cloud.aws.account_id)
    }
}

impl CloudChange {
    /// Takes the snapshot of a role; `change` says what it is to become.
    ///
    /// # Errors
    /// When the role is not one of the target's, cannot be read, or would not change.
    pub async fn plan(
        cloud: &CloudFacts,
        role: &str,
        change: impl FnOnce(&RoleState) -> Result<RoleState, String>,
    ) -> Result<Self, ChangeError> {
        let foreign = |found| ChangeError::Foreign { what: format!("role {role}"), found };
        let failed = |source| ChangeError::Cloud { what: format!("the snapshot of role {role}"), source };
        let iam = Iam::connect(&cloud.aws).await.map_err(failed)?;
        let before = iam.role(role).await.map_err(failed)?;
        let after = change(&before).map_err(foreign)?;
        if before.parts_that_differ(&after).is_empty() {
            return Err(foreign("it is already as the fault would make it".into()));
        }
        Ok(Self { cloud: cloud.clone(), role: role.into(), before, after })
    }

    fn parts(&self) -> Vec<Part> {
        self.before.parts_that_differ(&self.after)
    }

    fn list(&self) -> String {
        let verb = |part: &Part| match (self.before.part(part), self.after.part(part), part) {
            (None, _, _) => format!("add {part}"),
            (_, None, Part::Attached(_)) => format!("detach {part}"),
            (_, None, _) => format!("delete {part}"),
            _ => format!("change {part}"),
        };
        self.parts().iter().map(verb).collect::<Vec<_>>().join(", ")
    }

    fn failed(&self, source: CloudError) -> ChangeError {
        ChangeError::Cloud { what: self.to_string(), source }
    }

    /// The first part that is neither as it was nor as we make it.
    fn stranger(&self, present: &RoleState) -> Option<String> {
        let known = |part: &Part| {
            let found = present.part(part);
            found == self.before.part(part) || found == self.after.part(part)
        };
        let part = self.parts().into_iter().find(|part| !known(part))?;
        let [found, before, ours] = [present, &self.before, &self.after].map(|s| excerpt(s.part(&part)));
        Some(format!("{part} is now {found}; it was {before} before, and ours is {ours}"))
    }

    /// Brings the role to `wanted`, as far as the change goes.
    async fn bring(&self, iam: &Iam, present: &RoleState, wanted: &RoleState) -> Result<(), ChangeError> {
        if let Some(found) = self.stranger(present) {
            return Err(ChangeError::Foreign { what: format!("role {}", self.role), found });
        }
        for edit in self.parts().iter().filter_map(|part| wanted.edit(part, present)) {
            iam.edit(&self.role, &edit).await.map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    pub(crate) async fn apply(&self) -> Result<(), ChangeError> {
        let iam = Iam::connect(&self.cloud.aws).await.map_err(|e| self.failed(e))?;
        let present = iam.role(&self.role).await.map_err(|e| self.failed(e))?;
        self.bring(&iam, &present, &self.after).await
    }

    pub(crate) async fn read_back(&self) -> Result<Option<Evidence>, ChangeError> {
        let left = self.settled(&self.after).await?;
        let (signal, value) = (format!("role {}", self.role), format!("done: {}", self.list()));
        Ok(left.is_empty().then(|| Evidence::new(signal, value, Timestamp::now(), Source::cloud("iam"))))
    }

    /// A role that somebody has deleted has nothing of ours left.
    pub(crate) async fn undo(&self) -> Result<(), ChangeError> {
        let iam = Iam::connect(&self.cloud.aws).await.map_err(|e| self.failed(e))?;
        match iam.role(&self.role).await {
            Ok(present) => self.bring(&iam, &present, &self.before).await,
            Err(CloudError::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.failed(e)),
        }
    }

    pub(crate) async fn differences(&self) -> Result<Vec<String>, ChangeError> {
        let left = self.settled(&self.before).await?;
        Ok(left.iter().map(|part| format!("{part} of role {} is not as it was", self.role)).collect())
    }

    /// The parts that are not as `wanted` when IAM has had its time.
    async fn settled(&self, wanted: &RoleState) -> Result<Vec<Part>, ChangeError> {
        let iam = Iam::connect(&self.cloud.aws).await.map_err(|e| self.failed(e))?;
        let deadline = Instant::now() + SETTLES;
        loop {
            let present = match iam.role(&self.role).await {
                Ok(present) => present,
                Err(CloudError::NotFound { .. }) if *wanted == self.before => return Ok(Vec::new()),
                Err(e) => return Err(self.failed(e)),
            };
            let mut parts = self.parts();
            parts.retain(|part| present.part(part) != wanted.part(part));
            // What somebody else made of it does not settle.
            if parts.is_empty() || self.stranger(&present).is_some() || Instant::now() >= deadline {
                return Ok(parts);
            }
            sleep(PAUSE).await;
        }
    }
}
