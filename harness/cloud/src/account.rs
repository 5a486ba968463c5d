//! What moto knows about the account: roles, their policies, identity providers. Asked anew each time, so that a change
//! counts at once.

use crate::{
    endpoint::{Endpoint, EndpointError},
    policy::Document,
    sigv4::AccessKey,
    trust, xml,
};

/// The account, as the proxy's own key sees it.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) moto: Endpoint,
    pub(crate) key: AccessKey,
}

/// A role.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) longest: u64,
    /// Nothing where the document cannot be read.
    pub(crate) trust: Option<Document>,
}

/// What a new session is.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) key: AccessKey,
    pub(crate) token: String,
}

/// The name of a role by its ARN.
pub(crate) fn role_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

impl Account {
    async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String, EndpointError> {
        self.moto.call(&self.key, "iam", action, parameters).await
    }

    /// The role of an ARN, where there is one.
    pub(crate) async fn role(&self, arn: &str) -> Result<Option<Role>, EndpointError> {
        let answer = match self.iam("GetRole", &[("RoleName", role_name(arn))]).await {
            Ok(answer) => answer,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        let part = |part: &'static str| {
            xml::text(&answer, part).ok_or(EndpointError::Answer { action: "GetRole".into(), part })
        };
        let role = Role {
            id: part("RoleId")?,
            arn: part("Arn")?,
            longest: part("MaxSessionDuration").ok().and_then(|text| text.parse().ok()).unwrap_or(3600),
            trust: Document::parse(&decoded(&part("AssumeRolePolicyDocument")?)).ok(),
        };
        Ok(Some(role).filter(|role| role.arn == arn))
    }

    /// The audiences that the account's provider for an issuer accepts; nothing without such a provider.
    pub(crate) async fn audiences(&self, issuer: &str) -> Result<Option<Vec<String>>, EndpointError> {
        let arn = trust::provider_arn(&self.id, issuer);
        match self.iam("GetOpenIDConnectProvider", &[("OpenIDConnectProviderArn", &arn)]).await {
            Ok(answer) => Ok(Some(xml::texts(&answer, "member"))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All policies of a role, inline and attached. A document that cannot be read is `None`.
    pub(crate) async fn policies(&self, role: &str) -> Result<Vec<Option<Document>>, EndpointError> {
        let mut documents = Vec::new();
        let names = self.iam("ListRolePolicies", &[("RoleName", role), ("MaxItems", "1000")]).await?;
        for name in xml::texts(&names, "member") {
            let parameters = [("RoleName", role), ("PolicyName", name.as_str())];
            match self.iam("GetRolePolicy", &parameters).await {
                Ok(answer) => documents.push(document(&answer, "PolicyDocument")),
                // Deleted between the two calls.
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error),
            }
        }
        let attached = [("RoleName", role), ("MaxItems", "1000")];
        let attached = self.iam("ListAttachedRolePolicies", &attached).await?;
        for arn in xml::texts(&attached, "PolicyArn") {
            documents.push(self.managed(&arn).await?);
        }
        Ok(documents)
    }

    async fn managed(&self, arn: &str) -> Result<Option<Document>, EndpointError> {
        let policy = self.iam("GetPolicy", &[("PolicyArn", arn)]).await?;
        let version = xml::text(&policy, "DefaultVersionId").unwrap_or_else(|| "v1".into());
        let parameters = [("PolicyArn", arn), ("VersionId", version.as_str())];
        Ok(document(&self.iam("GetPolicyVersion", &parameters).await?, "Document"))
    }

    /// Has moto make a session. Whether the role may be taken on has been decided before: moto looks at trust policies
    /// for `AssumeRole` only, and there it does not know web identities.
    pub(crate) async fn open_session(
        &self,
        role: &str,
        name: &str,
        token: &str,
        seconds: u64,
    ) -> Result<Issued, EndpointError> {
        let action = "AssumeRoleWithWebIdentity";
        let seconds = seconds.to_string();
        let parameters = [
            ("RoleArn", role),
            ("RoleSessionName", name),
            ("WebIdentityToken", token),
            ("DurationSeconds", seconds.as_str()),
        ];
        let answer = self.moto.call(&self.key, "sts", action, &parameters).await?;
        let part = |part: &'static str| {
            xml::text(&answer, part).ok_or(EndpointError::Answer { action: action.into(), part })
        };
        let key = AccessKey { id: part("AccessKeyId")?, secret: part("SecretAccessKey")? };
        Ok(Issued { key, token: part("SessionToken")? })
    }
}

fn document(answer: &str, element: &str) -> Option<Document> {
    Document::parse(&decoded(&xml::text(answer, element)?)).ok()
}

/// IAM answers with documents that are encoded as in URLs.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_decoded() {
        let answer = "<R><PolicyDocument>%7B%22Statement%22%3A%20%5B%5D%7D</PolicyDocument></R>";
        assert!(document(answer, "PolicyDocument").is_some());
        assert!(document("<R><PolicyDocument>nothing</PolicyDocument></R>", "PolicyDocument").is_none());
        assert_eq!(role_name("arn:aws:iam::123456789012:role/path/r"), "r");
    }
}
