//! Keeps the account set up: at the start, and again when moto has lost it.

use crate::{
    NAMESPACE, OPERATOR_SECRET, SETTINGS, THROTTLE,
    account::Account,
    endpoint::{Endpoint, EndpointError},
    setup::{self, Keys},
    sigv4::AccessKey,
};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Mutex, RwLock};

/// The Secret with the proxy's own key, which nobody else needs.
const FRONT_SECRET: &str = "front-key";
const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";

/// Why the account could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeeperError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("cannot keep the keys in Secrets of namespace {NAMESPACE}: {0}; see the Role of the front")]
    Secret(#[from] Box<kube::Error>),
}

/// What came of a look at the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is as it was.
    There,
    /// It was set up anew.
    Anew,
}

/// The reconciler of the account.
pub(crate) struct Reconciler {
    moto: Endpoint,
    account: String,
    issuer: String,
    seed: u64,
    secrets: Api<Secret>,
    settings: Api<ConfigMap>,
    throttled: RwLock<Vec<String>>,
    key: RwLock<Option<AccessKey>>,
    /// How often the account was set up.
    set_ups: AtomicU64,
    one: Mutex<()>,
}

impl Reconciler {
    pub(crate) fn new(moto: Endpoint, account: &str, issuer: &str, seed: u64, client: Client) -> Self {
        Reconciler {
            moto,
            account: account.into(),
            issuer: issuer.into(),
            seed,
            secrets: Api::namespaced(client.clone(), NAMESPACE),
            settings: Api::namespaced(client, NAMESPACE),
            throttled: RwLock::new(Vec::new()),
            key: RwLock::new(None),
            set_ups: AtomicU64::new(0),
            one: Mutex::new(()),
        }
    }

    /// The account, when it is set up.
    pub(crate) async fn account(&self) -> Option<Account> {
        let key = self.key.read().await.clone()?;
        Some(Account { id: self.account.clone(), moto: self.moto.clone(), key })
    }

    /// How often the account was set up. Whoever sees it rise between a request and its answer knows that moto
    /// may have lost the account in between, whoever of several set it up anew.
    pub(crate) fn set_ups(&self) -> u64 {
        self.set_ups.load(Ordering::Acquire)
    }

    /// Looks whether the account is there, and sets it up where it is not; then `lost` is called first, so that
    /// nobody meets the new account together with what belonged to the old one.
    pub(crate) async fn look(&self, lost: impl Fn()) -> Result<Look, KeeperError> {
        let _one = self.one.lock().await;
        let known = match self.key.read().await.clone() {
            Some(key) => Some(key),
            None => self.read(FRONT_SECRET).await?,
        };
        if let Some(key) = known
            && setup::is_done(&self.moto, &key).await?
        {
            *self.key.write().await = Some(key);
            return Ok(Look::There);
        }
        *self.key.write().await = None;
        lost();
        let Keys { front, operator } = {
            let (moto, _alone) = self.moto.alone().await;
            setup::set_up(&moto, &self.account, &self.issuer, self.seed).await?
        };
        self.write(FRONT_SECRET, &front).await?;
        self.write(OPERATOR_SECRET, &operator).await?;
        *self.key.write().await = Some(front);
        self.set_ups.fetch_add(1, Ordering::AcqRel);
        Ok(Look::Anew)
    }

    /// Reads the settings anew; an API server that does not answer leaves them as they are.
    pub(crate) async fn read_settings(&self) {
        if let Ok(found) = self.settings.get_opt(SETTINGS).await {
            *self.throttled.write().await = found.as_ref().map(throttled).unwrap_or_default();
        }
    }

    /// Whether an action is to be throttled.
    pub(crate) async fn is_throttled(&self, action: &str) -> bool {
        self.throttled.read().await.iter().any(|throttled| throttled == action)
    }

    async fn read(&self, name: &str) -> Result<Option<AccessKey>, KeeperError> {
        Ok(self.secrets.get_opt(name).await.map_err(Box::new)?.and_then(|secret| key_of(&secret)))
    }

    async fn write(&self, name: &str, key: &AccessKey) -> Result<(), KeeperError> {
        let secret = secret(name, key);
        let params = PatchParams::apply("loopdrill-cloud").force();
        self.secrets.patch(name, &params, &Patch::Apply(&secret)).await.map_err(Box::new)?;
        Ok(())
    }
}

/// The actions in the settings, one a word.
fn throttled(settings: &ConfigMap) -> Vec<String> {
    let text = settings.data.as_ref().and_then(|data| data.get(THROTTLE)).map(String::as_str);
    text.unwrap_or_default().split_whitespace().map(str::to_string).collect()
}

fn secret(name: &str, key: &AccessKey) -> Secret {
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let mut secret = Secret::default();
    secret.metadata.name = Some(name.into());
    secret.data = Some(BTreeMap::from([(ID.into(), bytes(&key.id)), (SECRET.into(), bytes(&key.secret))]));
    secret
}

fn key_of(secret: &Secret) -> Option<AccessKey> {
    let (id, secret) = credentials(secret)?;
    Some(AccessKey { id, secret })
}

/// Id and secret of the access key in a Secret that the proxy wrote.
#[must_use]
pub fn credentials(secret: &Secret) -> Option<(String, String)> {
    let data = secret.data.as_ref()?;
    let get = |name: &str| String::from_utf8(data.get(name)?.0.clone()).ok().filter(|text| !text.is_empty());
    Some((get(ID)?, get(SECRET)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_actions() {
        let mut settings = ConfigMap::default();
        assert!(throttled(&settings).is_empty());
        let text = "sts:AssumeRoleWithWebIdentity\ns3:GetObject ";
        settings.data = Some(BTreeMap::from([(THROTTLE.into(), text.into())]));
        assert_eq!(throttled(&settings), ["sts:AssumeRoleWithWebIdentity", "s3:GetObject"]);
    }

    #[test]
    fn keys_survive_their_secret() {
        let key = AccessKey { id: "AKIAX".into(), secret: "s/+".into() };
        assert_eq!(key_of(&secret("x", &key)), Some(key));
        assert_eq!(key_of(&Secret::default()), None);
        assert_eq!(key_of(&secret("x", &AccessKey { id: String::new(), secret: "s".into() })), None);
    }
}
