//! The cluster as issuer of tokens: who it is, and its keys, as its API server publishes them.

use jsonwebtoken::jwk::JwkSet;
use kube::Client;
use serde::Deserialize;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// An unknown key may be a new one; forgers must not make us ask all the time.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The issuer's keys, asked for when they are needed.
pub(crate) struct Issuer {
    client: Client,
    pub(crate) url: String,
    keys: Mutex<Option<(JwkSet, Instant)>>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

/// What of a key set this proxy can use; others are left out, so that one of them does not spoil all.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

impl Issuer {
    /// Asks the API server who it is.
    pub(crate) async fn discover(client: Client) -> Result<Self, kube::Error> {
        let discovery: Discovery = client.request(get("/.well-known/openid-configuration")).await?;
        Ok(Issuer { client, url: discovery.issuer, keys: Mutex::new(None) })
    }

    /// The keys, which hold `wanted` where the issuer has it.
    pub(crate) async fn keys(&self, wanted: Option<&str>) -> Result<JwkSet, kube::Error> {
        let mut known = self.keys.lock().await;
        if let Some((keys, asked)) = &*known
            && (wanted.is_none_or(|kid| keys.find(kid).is_some()) || asked.elapsed() < ASK_AGAIN)
        {
            return Ok(keys.clone());
        }
        let published: KeySet = self.client.request(get("/openid/v1/jwks")).await?;
        let usable = published.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        let keys = JwkSet { keys: usable.collect() };
        *known = Some((keys.clone(), Instant::now()));
        Ok(keys)
    }
}

fn get(path: &str) -> http::Request<Vec<u8>> {
    http::Request::get(path).body(Vec::new()).expect("a fixed path is a valid request")
}
