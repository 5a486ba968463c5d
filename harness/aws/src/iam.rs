//! The roles of a target: read whole, changed part by part.

use crate::{Action, CloudError, Edit, RoleState, connect, error::answer};
use aws_sdk_iam::Client;
use loopdrill_cluster::aws::AwsTarget;
use percent_encoding::percent_decode_str;
use std::fmt;

/// The IAM of a target's account. It touches only roles that the target names.
#[derive(Clone)]
pub struct Iam {
    client: Client,
    target: AwsTarget,
    place: String,
}

impl fmt::Debug for Iam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iam").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Iam {
    /// Connects, and makes sure that it is the right account.
    ///
    /// # Errors
    /// [`CloudError`]: no credentials, another account, or nobody who answers.
    pub async fn connect(target: &AwsTarget) -> Result<Self, CloudError> {
        let config = connect::with_credentials(target).await?;
        let place = target.place();
        let identity = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let identity = answer(Action::GetCallerIdentity, &place, identity)?;
        let found = identity.account().unwrap_or_default().to_owned();
        if found != target.account_id {
            return Err(CloudError::WrongAccount { expected: target.account_id.clone(), found });
        }
        Ok(Self { client: Client::new(&config), target: target.clone(), place })
    }

    fn named<'r>(&self, role: &'r str) -> Result<&'r str, CloudError> {
        match self.target.roles.iter().any(|r| r == role) {
            true => Ok(role),
            false => Err(CloudError::NotNamed { role: role.into() }),
        }
    }

    /// A role as it is now.
    ///
    /// # Errors
    /// [`CloudError`], with the action that is not allowed where one is not.
    pub async fn role(&self, role: &str) -> Result<RoleState, CloudError> {
        let name = self.named(role)?;
        let found = self.client.get_role().role_name(name).send().await;
        let found = answer(Action::GetRole, &self.place, found)?;
        let role = found.role();
        let mut state = RoleState {
            trust: decoded(role.and_then(|r| r.assume_role_policy_document()).unwrap_or_default()),
            tags: role
                .map(|r| r.tags().iter().map(|t| (t.key().to_owned(), t.value().to_owned())).collect())
                .unwrap_or_default(),
            ..RoleState::default()
        };
        let mut pages = self.client.list_attached_role_policies().role_name(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = answer(Action::ListAttachedRolePolicies, &self.place, page)?;
            state
                .attached
                .extend(page.attached_policies().iter().filter_map(|p| p.policy_arn()).map(String::from));
        }
        let mut pages = self.client.list_role_policies().role_name(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            for policy in answer(Action::ListRolePolicies, &self.place, page)?.policy_names() {
                let text = self.client.get_role_policy().role_name(name).policy_name(policy).send().await;
                match answer(Action::GetRolePolicy, &self.place, text) {
                    Ok(text) => drop(state.inline.insert(policy.clone(), decoded(text.policy_document()))),
                    // Deleted between the two calls.
                    Err(CloudError::NotFound { .. }) => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(state)
    }

    /// Changes one part of a role. Taking away what is not there is fine.
    ///
    /// # Errors
    /// [`CloudError`], with the action that is not allowed where one is not.
    pub async fn edit(&self, role: &str, edit: &Edit) -> Result<(), CloudError> {
        let (name, iam, place) = (self.named(role)?, &self.client, &self.place);
        match edit {
            Edit::Trust(text) => {
                let done = iam.update_assume_role_policy().role_name(name).policy_document(text).send().await;
                answer(Action::UpdateAssumeRolePolicy, place, done).map(drop)
            }
            Edit::Put(policy, text) => {
                let put = iam.put_role_policy().role_name(name).policy_name(policy).policy_document(text);
                answer(Action::PutRolePolicy, place, put.send().await).map(drop)
            }
            Edit::Delete(policy) => {
                let done = iam.delete_role_policy().role_name(name).policy_name(policy).send().await;
                gone_is_fine(answer(Action::DeleteRolePolicy, place, done).map(drop))
            }
            Edit::Attach(arn) => {
                let done = iam.attach_role_policy().role_name(name).policy_arn(arn).send().await;
                answer(Action::AttachRolePolicy, place, done).map(drop)
            }
            Edit::Detach(arn) => {
                let done = iam.detach_role_policy().role_name(name).policy_arn(arn).send().await;
                gone_is_fine(answer(Action::DetachRolePolicy, place, done).map(drop))
            }
        }
    }
}

fn gone_is_fine(done: Result<(), CloudError>) -> Result<(), CloudError> {
    match done {
        Err(CloudError::NotFound { .. }) => Ok(()),
        other => other,
    }
}

/// IAM gives policies in URL encoding.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_out_as_they_went_in() {
        assert_eq!(decoded("%7B%22a%22%3A%20%22b%2Bc%25%22%7D"), r#"{"a": "b+c%"}"#);
        assert_eq!(decoded("%7B%0A%20%20%7D"), "{\n  }");
    }
}
