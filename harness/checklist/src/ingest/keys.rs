//! Long-lived keys of clouds, told by their form.
//!
//! What comes in are secrets; what goes out is which kind of key was seen.

use crate::snapshot::{KeyKind, PullCredential};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use loopdrill_model::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The kind of long-lived key in an entry, by its value and, for Azure, by its name.
pub(super) fn kind_of(name: &str, value: &str) -> Option<KeyKind> {
    if has_aws_key(value) {
        return Some(KeyKind::AwsAccessKey);
    }
    if value.contains("\"private_key\"") && value.contains("service_account") {
        return Some(KeyKind::GcpServiceAccount);
    }
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    let named = ["azure_client_secret", "arm_client_secret"].iter().any(|n| name.ends_with(n));
    (!value.trim().is_empty() && (named || has_azure_secret(value))).then_some(KeyKind::AzureClientSecret)
}

/// `AKIA` and sixteen more of their alphabet, on their own. `ASIA…` belongs to a session, which ends.
fn has_aws_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    let of_key = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    text.match_indices("AKIA").any(|(at, _)| {
        let starts = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        let length = bytes[at..].iter().take_while(|b| of_key(b)).count();
        starts && length == 20 && bytes.get(at + 20).is_none_or(|b| !b.is_ascii_alphanumeric())
    })
}

/// Three characters, a digit, `Q~` and 31 to 34 more.
fn has_azure_secret(text: &str) -> bool {
    let of_secret = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'~');
    let bytes = text.as_bytes();
    text.match_indices("Q~").any(|(at, _)| {
        let Some(start) = at.checked_sub(4) else { return false };
        let before = bytes[start..at - 1].iter().all(of_secret) && bytes[at - 1].is_ascii_digit();
        let after = bytes[at + 2..].iter().take_while(|b| of_secret(b)).count();
        before && (31..=34).contains(&after) && (start == 0 || !of_secret(&bytes[start - 1]))
    })
}

/// The text of an entry of a Secret's `data`.
pub(super) fn decode(value: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()
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
}

/// The credentials in a `kubernetes.io/dockerconfigjson`.
pub(super) fn pull_credentials(config: &str) -> Option<Vec<PullCredential>> {
    let config: DockerConfig = serde_json::from_str(config).ok()?;
    Some(config.auths.into_iter().map(|(registry, auth)| credential(registry, auth)).collect())
}

fn credential(registry: String, auth: Auth) -> PullCredential {
    let decoded = decode(&auth.auth).or_else(|| {
        STANDARD_NO_PAD.decode(auth.auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok())
    });
    let (user, password) = decoded
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .map_or((auth.username.as_str(), auth.password.as_str()), |pair| pair);
    // The users under which registries of clouds take tokens, and how long those live.
    let lives_hours = match user {
        "AWS" => Some(12),
        "oauth2accesstoken" => Some(1),
        "00000000-0000-0000-0000-000000000000" => Some(3),
        _ => None,
    };
    PullCredential { registry, lives_hours, expires: token_expiry(password) }
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

    // Assembled here, so that no scanner takes this file for a leak. All are documented examples or made up.
    fn aws() -> String {
        ["AKIA", "IOSFODNN7EXAMPLE"].concat()
    }

    #[test]
    fn keys_are_told_by_their_form() {
        assert_eq!(kind_of("x", &aws()), Some(KeyKind::AwsAccessKey));
        let file = format!("[default]\naws_access_key_id={}\n", aws());
        assert_eq!(kind_of("credentials", &file), Some(KeyKind::AwsAccessKey));
        let gcp = r#"{"type": "service_account", "private_key": "x"}"#;
        assert_eq!(kind_of("key.json", gcp), Some(KeyKind::GcpServiceAccount));
        assert_eq!(kind_of("AZURE_CLIENT_SECRET", "x"), Some(KeyKind::AzureClientSecret));
        let azure = ["abc8", "Q~", &"x".repeat(32)].concat();
        assert_eq!(kind_of("x", &azure), Some(KeyKind::AzureClientSecret));
    }

    #[test]
    fn what_only_looks_like_a_key_is_none() {
        for value in [
            "ASIAIOSFODNN7EXAMPLE",
            "AKIAIOSFODNN7",
            "XAKIAIOSFODNN7EXAMPLE",
            "AKIAIOSFODNN7EXAMPLEX",
            "AKIA",
            "Q~",
            "8Q~",
            "",
            r#"{"type": "service_account"}"#,
        ] {
            assert_eq!(kind_of("x", value), None, "{value}");
        }
        assert_eq!(kind_of("AZURE_CLIENT_SECRET", " "), None);
    }

    #[test]
    fn tokens_of_clouds_are_known_to_be_short_lived() {
        let auth = STANDARD.encode("AWS:token");
        let config =
            format!(r#"{{"auths": {{"r.example": {{"auth": "{auth}"}}, "s": {{"username": "u"}}}}}}"#);
        let found = pull_credentials(&config).expect("a config");
        assert_eq!(found[0].lives_hours, Some(12));
        assert_eq!((found[1].lives_hours, found[1].expires), (None, None));
        assert_eq!(pull_credentials("nonsense"), None);
        let claims = URL_SAFE_NO_PAD.encode(r#"{"exp": 1700000000}"#);
        assert_eq!(token_expiry(&format!("h.{claims}.s")).map(|t| t.as_second()), Some(1_700_000_000));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(name in "\\PC{0,12}", value in "\\PC{0,64}") {
            let _ = kind_of(&name, &value);
            let _ = token_expiry(&value);
            let _ = pull_credentials(&value);
        }

        #[test]
        fn a_marker_in_any_text_is_found(before in "[^0-9A-Za-z]{0,8}", after in "[^0-9A-Za-z]{0,8}") {
            proptest::prop_assert_eq!(kind_of("x", &format!("{before}{}{after}", aws())), Some(KeyKind::AwsAccessKey));
        }
    }
}
