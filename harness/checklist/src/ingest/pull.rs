//! Credentials for registries, without their secrets.

use super::keys;
use crate::snapshot::PullCredential;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use loopdrill_model::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The two types of pull secrets, each with its entry.
const TYPES: [(&str, &str); 2] =
    [("kubernetes.io/dockerconfigjson", ".dockerconfigjson"), ("kubernetes.io/dockercfg", ".dockercfg")];

/// Why a pull secret is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PullError {
    /// Its entry is not there, or is not base64 of a text.
    #[error(
        "its entry {0} is missing or cannot be decoded; make it anew with `kubectl create secret docker-registry`"
    )]
    Undecodable(&'static str),
    /// Its entry is no configuration of Docker's.
    #[error(
        "its entry {0} is no Docker configuration; make it anew with `kubectl create secret docker-registry`"
    )]
    NoConfig(&'static str),
    /// A registry is named without anything to authenticate with.
    #[error(
        "its entry {0} has no credential that can be decoded; make it anew with `kubectl create secret docker-registry`"
    )]
    NoCredential(&'static str),
    /// It names no registry.
    #[error("its entry {0} names no registry; make it anew with `kubectl create secret docker-registry`")]
    Empty(&'static str),
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default, rename = "identitytoken")]
    identity_token: String,
    #[serde(default, rename = "registrytoken")]
    registry_token: String,
}

/// The credentials in a pull secret; `None` where a Secret is none by its type.
pub(super) fn credentials(
    r#type: &str,
    texts: &BTreeMap<String, String>,
) -> Option<Result<Vec<PullCredential>, PullError>> {
    let (_, entry) = TYPES.into_iter().find(|(t, _)| *t == r#type)?;
    Some(of_entry(entry, texts))
}

fn of_entry(entry: &'static str, texts: &BTreeMap<String, String>) -> Result<Vec<PullCredential>, PullError> {
    let text = texts.get(entry).ok_or(PullError::Undecodable(entry))?;
    let auths = if entry == ".dockercfg" {
        serde_json::from_str(text).ok()
    } else {
        serde_json::from_str(text).ok().map(|config: DockerConfig| config.auths)
    };
    let auths: BTreeMap<String, Auth> = auths.ok_or(PullError::NoConfig(entry))?;
    if auths.is_empty() {
        return Err(PullError::Empty(entry));
    }
    auths.into_iter().map(|(registry, auth)| credential(entry, registry, auth)).collect()
}

fn credential(entry: &'static str, registry: String, auth: Auth) -> Result<PullCredential, PullError> {
    let token = !auth.identity_token.is_empty() || !auth.registry_token.is_empty();
    let pair = decoded(&auth.auth);
    let pair = pair.as_deref().and_then(|pair| pair.split_once(':'));
    if pair.is_none() && auth.username.is_empty() && !token {
        return Err(PullError::NoCredential(entry));
    }
    let (user, password) = pair.unwrap_or((auth.username.as_str(), auth.password.as_str()));
    // The users under which registries of clouds take tokens, and how long those live.
    let lives_hours = match user {
        "AWS" => Some(12),
        "oauth2accesstoken" => Some(1),
        "00000000-0000-0000-0000-000000000000" => Some(3),
        _ => None,
    };
    let tokens = [password, &auth.registry_token, &auth.identity_token];
    Ok(PullCredential { registry, lives_hours, expires: tokens.into_iter().find_map(token_expiry) })
}

fn decoded(auth: &str) -> Option<String> {
    let unpadded = || String::from_utf8(STANDARD_NO_PAD.decode(auth.trim()).ok()?).ok();
    keys::decode(auth).or_else(unpadded)
}

/// The `exp` of a JSON web token.
fn token_expiry(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let payload = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Timestamp::from_second(claims.exp).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn read(r#type: usize, text: &str) -> Result<Vec<PullCredential>, PullError> {
        let (name, entry) = TYPES[r#type];
        credentials(name, &[(entry.to_string(), text.to_string())].into()).expect("a pull secret")
    }

    #[test]
    fn tokens_of_clouds_are_known_to_be_short_lived() {
        let auth = STANDARD.encode("AWS:token");
        let auths = format!(r#"{{"r.example": {{"auth": "{auth}"}}, "s": {{"username": "u"}}}}"#);
        let found = read(0, &format!(r#"{{"auths": {auths}}}"#)).expect("a config");
        assert_eq!(found[0].lives_hours, Some(12));
        assert_eq!((found[1].lives_hours, found[1].expires), (None, None));
        assert_eq!(read(1, &auths).expect("the older form"), found);
        let claims = URL_SAFE_NO_PAD.encode(r#"{"exp": 1700000000}"#);
        assert_eq!(token_expiry(&format!("h.{claims}.s")).map(|t| t.as_second()), Some(1_700_000_000));
    }

    #[test]
    fn what_is_of_no_use_is_told() {
        assert_eq!(read(0, "nonsense"), Err(PullError::NoConfig(".dockerconfigjson")));
        assert_eq!(read(0, "{}"), Err(PullError::Empty(".dockerconfigjson")));
        let bare = r#"{"auths": {"r.example": {"auth": "${AUTH}"}}}"#;
        assert_eq!(read(0, bare), Err(PullError::NoCredential(".dockerconfigjson")));
        assert_eq!(credentials("Opaque", &BTreeMap::new()), None);
        let missing = credentials(TYPES[1].0, &BTreeMap::new());
        assert_eq!(missing, Some(Err(PullError::Undecodable(".dockercfg"))));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(value in "\\PC{0,64}") {
            let _ = token_expiry(&value);
            let _ = (read(0, &value), read(1, &value));
        }
    }
}
