//! A workload of the cloud, from the inside: it takes on the role that its environment names and reads an object.
//!
//! The environment is the one that EKS gives a pod: `AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_REGION`, and
//! `AWS_ENDPOINT_URL` where the cloud is not AWS itself. Without a role the SDK's default chain decides.

use crate::{
    CloudError, connect,
    error::short,
    session::{Session, WebIdentityClient},
};
use aws_config::retry::RetryConfig;
use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use aws_smithy_async::time::TimeSource;
use loopdrill_cluster::with_causes;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A session is renewed so long before its end.
const EARLY: Duration = Duration::from_secs(60);

/// The variable by which a workload is told that its clock is ahead, by so many seconds: containers have no clock of their
/// own that could be. Such a workload does not try again: this SDK learns the right time from the first refusal and succeeds
/// with the second attempt, others do not.
pub const CLOCK_AHEAD: &str = "CLOCK_AHEAD_SECONDS";

/// A clock that is ahead.
#[derive(Debug)]
struct Ahead(Duration);

impl TimeSource for Ahead {
    fn now(&self) -> SystemTime {
        SystemTime::now() + self.0
    }
}

/// Web identity as the environment gives it.
#[derive(Debug)]
struct Identity {
    role_arn: String,
    token_file: PathBuf,
}

/// See the module.
#[derive(Debug)]
pub struct Workload {
    client: WebIdentityClient,
    identity: Option<Identity>,
    /// Where the session outlives the process, as command-line tools keep it.
    cache: Option<PathBuf>,
    session: Option<Session>,
}

/// A session on disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: String,
    secret: String,
    token: Option<String>,
    /// Seconds since 1970.
    expires: u64,
}

impl Workload {
    /// The workload that this process's environment describes.
    pub async fn from_env(cache: Option<PathBuf>) -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let identity = match (var("AWS_ROLE_ARN"), var("AWS_WEB_IDENTITY_TOKEN_FILE")) {
            (Some(role_arn), Some(file)) => Some(Identity { role_arn, token_file: file.into() }),
            _ => None,
        };
        let endpoint = var("AWS_ENDPOINT_URL");
        let loader = connect::loader();
        let loader = if identity.is_some() { loader.no_credentials() } else { loader };
        let ahead = var(CLOCK_AHEAD).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        let loader = match ahead {
            Some(ahead) => loader.time_source(Ahead(ahead)).retry_config(RetryConfig::disabled()),
            None => loader,
        };
        let place =
            endpoint.clone().unwrap_or_else(|| format!("AWS {}", var("AWS_REGION").unwrap_or_default()));
        let client = WebIdentityClient { config: loader.load().await, place, path_style: endpoint.is_some() };
        Self { client, identity, cache, session: None }
    }

    /// Reads an object once, with a session that still lasts.
    ///
    /// # Errors
    /// [`CloudError`]; after a refusal the session in memory is given up, the one on disk stays.
    pub async fn read(&mut self, bucket: &str, key: &str) -> Result<(), CloudError> {
        let session = self.session().await?;
        self.client.read(&session, bucket, key).await.inspect_err(|_| self.session = None)
    }

    async fn session(&mut self) -> Result<Session, CloudError> {
        if let Some(session) = self.session.as_ref().filter(|s| lasts(s)) {
            return Ok(session.clone());
        }
        let session = match self.cache.as_deref().and_then(take_up).filter(lasts) {
            Some(kept) => kept,
            None => {
                let fresh = self.begin().await?;
                if let Some(cache) = &self.cache {
                    // A cache that cannot be written is none: the session is in memory all the same.
                    let _ = keep(cache, &fresh);
                }
                fresh
            }
        };
        self.session = Some(session.clone());
        Ok(session)
    }

    async fn begin(&self) -> Result<Session, CloudError> {
        let none = |why: String| CloudError::NoCredentials { place: self.client.place.clone(), why };
        if let Some(identity) = &self.identity {
            let token = fs::read_to_string(&identity.token_file).map_err(|e| none(e.to_string()))?;
            return self.client.begin(&identity.role_arn, &token).await;
        }
        let provider =
            self.client.config.credentials_provider().ok_or_else(|| none("there is no provider".into()))?;
        let found = provider.provide_credentials().await;
        found.map(Session).map_err(|e| none(short(&with_causes(&e))))
    }
}

fn lasts(session: &Session) -> bool {
    session.0.expiry().is_none_or(|end| end > SystemTime::now() + EARLY)
}

fn take_up(cache: &Path) -> Option<Session> {
    let kept: Kept = serde_json::from_slice(&fs::read(cache).ok()?).ok()?;
    let expires = UNIX_EPOCH.checked_add(Duration::from_secs(kept.expires))?;
    Some(Session(Credentials::new(kept.id, kept.secret, kept.token, Some(expires), "cache")))
}

fn keep(cache: &Path, Session(session): &Session) -> std::io::Result<()> {
    let Some(expires) = session.expiry().and_then(|end| end.duration_since(UNIX_EPOCH).ok()) else {
        return Ok(());
    };
    let kept = Kept {
        id: session.access_key_id().into(),
        secret: session.secret_access_key().into(),
        token: session.session_token().map(String::from),
        expires: expires.as_secs(),
    };
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(cache)?;
    file.write_all(&serde_json::to_vec(&kept)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(end: SystemTime) -> Session {
        Session(Credentials::new("id", "canary-secret", Some("canary-token".into()), Some(end), "test"))
    }

    #[test]
    fn a_session_comes_back_from_its_cache_and_no_text_shows_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = folder.path().join("session");
        keep(&cache, &session(SystemTime::now() + Duration::from_secs(900))).expect("written");
        let back = take_up(&cache).expect("kept");
        assert_eq!((back.0.access_key_id(), back.0.secret_access_key()), ("id", "canary-secret"));
        assert!(lasts(&back) && !lasts(&session(SystemTime::now())));
        assert!(!format!("{back:?}").contains("canary"));
        assert_eq!(take_up(&folder.path().join("none")).map(drop), None);
    }
}
