//! Sessions: a ServiceAccount's token is traded for one, and with one an object is read.

use crate::{Action, CloudError, connect, error::answer};
use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use loopdrill_cluster::aws::AwsTarget;
use loopdrill_model::signal::CloudWord;
use std::{fmt, time::SystemTime};

/// The object that victims live from, in the target's bucket.
pub const PROBE: &str = "probe";

impl From<&CloudError> for CloudWord {
    fn from(error: &CloudError) -> Self {
        match error {
            CloudError::Denied { .. } => CloudWord::Denied,
            CloudError::Token { .. } => CloudWord::BadToken,
            CloudError::Throttled { .. } => CloudWord::Throttled,
            CloudError::Unreachable { .. } => CloudWord::Silent,
            _ => CloudWord::Unclear,
        }
    }
}

/// A session of a role. It is in no text.
#[derive(Clone)]
pub struct Session(pub(crate) Credentials);

impl Session {
    /// The session as variables of an environment, for who wants to keep it in a Secret.
    #[must_use]
    pub fn into_variables(self) -> [(&'static str, String); 3] {
        let token = self.0.session_token().unwrap_or_default().to_owned();
        [
            ("AWS_ACCESS_KEY_ID", self.0.access_key_id().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.0.secret_access_key().to_owned()),
            ("AWS_SESSION_TOKEN", token),
        ]
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// What workloads ask of the cloud, with nothing but a ServiceAccount's token.
#[derive(Clone)]
pub struct WebIdentityClient {
    pub(crate) config: SdkConfig,
    pub(crate) place: String,
    pub(crate) path_style: bool,
}

impl fmt::Debug for WebIdentityClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebIdentityClient").field("place", &self.place).finish_non_exhaustive()
    }
}

impl WebIdentityClient {
    /// The client of a target.
    pub async fn of(target: &AwsTarget) -> Self {
        let config = connect::unsigned(target).await;
        Self { config, place: target.place(), path_style: target.endpoint_url.is_some() }
    }

    /// Trades a token for a session of the role.
    ///
    /// # Errors
    /// [`CloudError::Denied`] when the role does not trust it, [`CloudError::Token`] when it is no good.
    pub async fn begin(&self, role_arn: &str, token: &str) -> Result<Session, CloudError> {
        const ACTION: Action = Action::AssumeRoleWithWebIdentity;
        let call = aws_sdk_sts::Client::new(&self.config).assume_role_with_web_identity();
        let call = call.role_arn(role_arn).role_session_name("loopdrill").web_identity_token(token.trim());
        let given = answer(ACTION, &self.place, call.send().await)?;
        let given = given.credentials().ok_or_else(|| CloudError::Other {
            action: ACTION,
            place: self.place.clone(),
            why: "an answer without credentials".into(),
        })?;
        let (id, secret, token) = (given.access_key_id(), given.secret_access_key(), given.session_token());
        let expires = SystemTime::try_from(*given.expiration()).ok();
        Ok(Session(Credentials::new(id, secret, Some(token.into()), expires, "web-identity")))
    }

    /// Reads an object in a session.
    ///
    /// # Errors
    /// [`CloudError::Denied`] when the session may not.
    pub async fn read(&self, session: &Session, bucket: &str, key: &str) -> Result<(), CloudError> {
        let config = aws_sdk_s3::config::Builder::from(&self.config)
            .credentials_provider(SharedCredentialsProvider::new(session.0.clone()))
            .force_path_style(self.path_style)
            .build();
        let got = aws_sdk_s3::Client::from_conf(config).get_object().bucket(bucket).key(key).send().await;
        answer(Action::GetObject, &self.place, got).map(drop)
    }
}
