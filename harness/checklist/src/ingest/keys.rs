//! Long-lived keys of clouds, told by their form.
//!
//! What comes in are secrets; what goes out is which kind of key was seen.

mod others;

use super::placeholder::is_placeholder;
use crate::snapshot::KeyKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Names under which Azure's client secrets are kept, letters and digits only.
const AZURE: [&str; 3] = ["azureclientsecret", "armclientsecret", "aadclientsecret"];
/// Names under which the secret half of AWS' access keys is kept.
const AWS: [&str; 2] = ["secretaccesskey", "awssecretkey"];

/// The kind of long-lived key in an entry, by its value, and by its name where the value has no form of its own.
pub(super) fn kind_of(name: &str, value: &str) -> Option<KeyKind> {
    by_form(value)
        .or_else(|| by_name(name, value))
        .or_else(|| assignments(value).find_map(|(name, value)| by_name(name, value)))
        .or_else(|| by_form(&encoded_again(value)?))
        .or_else(|| words_of_base64(value).find_map(|text| by_form(&text)))
}

/// Whether a text holds a key of one form.
type Form = fn(&str) -> bool;

fn by_form(value: &str) -> Option<KeyKind> {
    let forms: [(Form, KeyKind); 7] = [
        (has_aws_key, KeyKind::AwsAccessKey),
        (has_gcp_key, KeyKind::GcpServiceAccount),
        (has_azure_secret, KeyKind::AzureClientSecret),
        (others::has_account_key, KeyKind::AzureAccountKey),
        (others::has_refresh_token, KeyKind::GcpRefreshToken),
        (others::has_alibaba_key, KeyKind::AlibabaAccessKey),
        (others::has_digital_ocean_token, KeyKind::DigitalOceanToken),
    ];
    forms.into_iter().find(|(has, _)| has(value)).map(|(_, kind)| kind)
}

fn by_name(name: &str, value: &str) -> Option<KeyKind> {
    if is_named(name, &AZURE) && !is_placeholder(value) {
        return Some(KeyKind::AzureClientSecret);
    }
    (is_named(name, &AWS) && is_aws_secret(value.trim())).then_some(KeyKind::AwsAccessKey)
}

/// Whether a name ends with one of these, whatever stands between its words.
fn is_named(name: &str, names: &[&str]) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    names.iter().any(|n| plain.ends_with(n))
}

/// What a file or a script gives to names that matter here: `NAME=value`, `"name": "value"`, `--name value`.
fn assignments(text: &str) -> impl Iterator<Item = (&str, &str)> {
    // All these names have that word in them, and most texts have not.
    let text = if text.to_ascii_lowercase().contains("secret") { text } else { "" };
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches(|c| !of_name(c));
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(|c| !of_name(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            rest = after;
            if !is_named(name, &AZURE) && !is_named(name, &AWS) {
                continue;
            }
            if let Some(value) = given_value(name, after) {
                return Some((name, value));
            }
        }
    })
}

/// The value behind a name. What is asked of a shell, or filled in, is none.
fn given_value<'a>(name: &str, after: &'a str) -> Option<&'a str> {
    let quotes = ['"', '\'', '\\'];
    let sign = after.trim_start_matches(quotes).trim_start_matches([' ', '\t']);
    let value = match sign.strip_prefix([':', '=']) {
        Some(value) => value.trim_start_matches([' ', '\t']),
        None if name.starts_with("--") => sign,
        None => return None,
    };
    let bare = value.trim_start_matches(quotes);
    let ends =
        |c: char| if bare.len() < value.len() { quotes.contains(&c) } else { " \t\r\n,;}".contains(c) };
    let value = bare.split(ends).next()?;
    (!value.is_empty() && !value.starts_with(['$', '`', '{', '<', '('])).then_some(value)
}

/// A text that was encoded before it became an entry of a Secret, which encodes it again.
fn encoded_again(value: &str) -> Option<String> {
    (value.len() > 20).then(|| decode(value)).flatten()
}

/// What stands in a text as base64, such as the entries of a Secret in a manifest that a ConfigMap holds.
fn words_of_base64(text: &str) -> impl Iterator<Item = String> {
    /// The shortest that can hold a key.
    const LEAST: usize = 28;
    let of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    text.split(move |c| !of_word(c)).filter(|word| word.len() >= LEAST).filter_map(decode)
}

/// The JSON of a service account with its private key; whole, or as a part of another text.
fn has_gcp_key(value: &str) -> bool {
    if !value.contains("service_account") || !value.contains("private_key") {
        return false;
    }
    match serde_json::from_str::<serde_json::Value>(value) {
        Ok(json) if json.is_object() => {
            json["private_key"].as_str().is_some_and(|key| !is_placeholder(key))
                || json
                    .as_object()
                    .is_some_and(|all| all.values().any(|v| v.as_str().is_some_and(has_gcp_key)))
        }
        _ => {
            ["\"private_key\"", "\\\"private_key\\\"", "-----BEGIN "].iter().any(|mark| value.contains(mark))
        }
    }
}

/// Forty characters of base64.
fn is_aws_secret(value: &str) -> bool {
    let of_secret = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'+' | b'=');
    value.len() == 40 && value.bytes().all(of_secret) && !is_placeholder(value)
}

/// `AKIA` and sixteen more of their alphabet, on their own. `ASIA…` belongs to a session, which ends; one and the same
/// character sixteen times is a placeholder.
fn has_aws_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    let of_key = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    text.match_indices("AKIA").any(|(at, _)| {
        let starts = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        let length = bytes[at..].iter().take_while(|b| of_key(b)).count();
        let ends = bytes.get(at + 20).is_none_or(|b| !b.is_ascii_alphanumeric());
        starts && length == 20 && ends && !is_placeholder(&text[at + 4..at + 20])
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

/// The text of an entry of a Secret's `data`. The API server's decoder passes over line ends.
pub(super) fn decode(value: &str) -> Option<String> {
    String::from_utf8(bytes(value)?).ok()
}

/// What can be read of an entry of `data`: its text; and of what is no text whatever looks like one, together with what
/// is written there, since somebody may have forgotten to encode it.
pub(super) fn readable(value: &str) -> String {
    match bytes(value).map(String::from_utf8) {
        Some(Ok(text)) => text,
        Some(Err(binary)) => format!("{value}\n{}", String::from_utf8_lossy(binary.as_bytes())),
        // The API refuses it; what its author meant may well be there all the same.
        None => {
            format!("{value}\n{}", decode(&value.split_whitespace().collect::<String>()).unwrap_or_default())
        }
    }
}

fn bytes(value: &str) -> Option<Vec<u8>> {
    let value: String = value.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    STANDARD.decode(value.trim()).ok()
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
        assert_eq!(kind_of("AZURE_CLIENT_SECRET", "x1"), Some(KeyKind::AzureClientSecret));
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
    fn keys_are_found_in_files_and_scripts() {
        for text in [
            "export AZURE_CLIENT_SECRET=x1y2",
            "{\"aadClientSecret\": \"x1y2\"}",
            "--azure-client-secret x1y2",
        ] {
            assert_eq!(kind_of("x", text), Some(KeyKind::AzureClientSecret), "{text}");
        }
        for text in [
            "AZURE_CLIENT_SECRET=${X}",
            "aadClientSecret: msi",
            "echo $AZURE_CLIENT_SECRET",
            "azure_client_secret",
            "AZURE_CLIENT_SECRET=$(cat /run/secret)",
            "AZURE_CLIENT_SECRET={{ .Values.secret }}",
            "AZURE_CLIENT_SECRET=\nother=x",
            "AZURE_CLIENT_SECRET_FILE=/run/x",
        ] {
            assert_eq!(kind_of("x", text), None, "{text}");
        }
        let half = ["wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYEXAMPLEKEY"].concat();
        assert_eq!(kind_of("AWS_SECRET_ACCESS_KEY", &half), Some(KeyKind::AwsAccessKey));
        assert_eq!(kind_of("AWS_SECRET_ACCESS_KEY", "made-up"), None);
        assert_eq!(kind_of("key.json", &STANDARD.encode(aws())), Some(KeyKind::AwsAccessKey));
    }

    #[test]
    fn wrapped_base64_is_decoded() {
        let encoded = STANDARD.encode(aws().repeat(4));
        let wrapped = format!("{}\n{}\r\n", &encoded[..40], &encoded[40..]);
        assert_eq!(decode(&wrapped), Some(aws().repeat(4)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(name in "\\PC{0,12}", value in "\\PC{0,64}") {
            let _ = kind_of(&name, &value);
        }

        #[test]
        fn a_marker_in_any_text_is_found(before in "[^0-9A-Za-z]{0,8}", after in "[^0-9A-Za-z]{0,8}") {
            proptest::prop_assert_eq!(kind_of("x", &format!("{before}{}{after}", aws())), Some(KeyKind::AwsAccessKey));
        }
    }
}
