//! What is asked of the cloud: one table, from which the calls and the least-privilege policy both come.

use loopdrill_cluster::aws::AwsTarget;
use serde_json::{Value, json};
use std::fmt;

/// On what an action works, as far as a policy can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// On no resource in particular.
    Anything,
    /// On a role of the target.
    Role,
    /// It is done by workloads, not by a run.
    Workload,
}

macro_rules! actions {
    ($($variant:ident => $name:literal, $on:ident, $why:literal;)+) => {
        /// Something that is asked of the cloud.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $(#[doc = $why] $variant,)+
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Action] = &[$(Action::$variant,)+];

            /// As policies name it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Action::$variant => $name,)+ }
            }

            /// What it is for, in a few words.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self { $(Action::$variant => $why,)+ }
            }

            const fn on(self) -> On {
                match self { $(Action::$variant => On::$on,)+ }
            }
        }
    };
}

actions! {
    GetCallerIdentity => "sts:GetCallerIdentity", Anything, "makes sure that this is the target's account";
    GetRole => "iam:GetRole", Role, "reads a role's trust policy and tags";
    ListAttachedRolePolicies => "iam:ListAttachedRolePolicies", Role, "reads which managed policies a role has";
    ListRolePolicies => "iam:ListRolePolicies", Role, "reads which inline policies a role has";
    GetRolePolicy => "iam:GetRolePolicy", Role, "reads an inline policy";
    UpdateAssumeRolePolicy => "iam:UpdateAssumeRolePolicy", Role, "changes a trust policy and puts it back";
    PutRolePolicy => "iam:PutRolePolicy", Role, "adds an inline policy and puts one back";
    DeleteRolePolicy => "iam:DeleteRolePolicy", Role, "takes an inline policy away";
    AttachRolePolicy => "iam:AttachRolePolicy", Role, "puts a managed policy back";
    DetachRolePolicy => "iam:DetachRolePolicy", Role, "takes a managed policy away";
    AssumeRoleWithWebIdentity => "sts:AssumeRoleWithWebIdentity", Workload, "trades a ServiceAccount's token for a session";
    GetObject => "s3:GetObject", Workload, "reads the object that a victim lives from";
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The least that a run's own credentials must be allowed in this account: no more roles than the target names.
#[must_use]
pub fn policy(target: &AwsTarget) -> Value {
    let names =
        |on: On| -> Vec<&str> { Action::ALL.iter().filter(|a| a.on() == on).map(|a| a.name()).collect() };
    let roles: Vec<_> = target.roles.iter().map(|role| target.role_arn(role)).collect();
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Account", "Effect": "Allow", "Action": names(On::Anything), "Resource": "*"},
            {"Sid": "Roles", "Effect": "Allow", "Action": names(On::Role), "Resource": roles},
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_policy_names_the_targets_roles_and_no_action_of_workloads() {
        let text = "account_id: \"123456789012\"\nregion: cn-north-1\nroles: [a, b]\nbucket: b\n";
        let target = AwsTarget::parse(Path::new("aws.yaml"), text).expect("good");
        let policy = policy(&target);
        let roles = &policy["Statement"][1];
        assert_eq!(
            roles["Resource"],
            json!(["arn:aws-cn:iam::123456789012:role/a", "arn:aws-cn:iam::123456789012:role/b"])
        );
        let text = policy.to_string();
        for action in Action::ALL {
            assert_eq!(text.contains(&format!("\"{action}\"")), action.on() != On::Workload, "{action}");
        }
    }
}
