//! What stands where a secret is to be filled in later.

/// Marks by which tools find what they have to fill in.
const BRACKETS: [(&str, &str); 8] = [
    ("#{", "}"),
    ("$(", ")"),
    ("${", "}"),
    ("{{", "}}"),
    ("<", ">"),
    ("%%", "%%"),
    ("@@", "@@"),
    ("[[", "]]"),
];
/// Starts of references to where the secret really is.
const REFERENCES: [&str; 19] = [
    "vault:",
    "vault://",
    "ref+",
    "secretref",
    "enc[",
    "op://",
    "gcp-secret",
    "gsm:",
    "gcp:secretmanager",
    "aws:secretsmanager",
    "arn:aws:secretsmanager",
    "arn:aws:ssm",
    "awssm:",
    "azure:",
    "akv://",
    "sm://",
    "bao:",
    "berglas://",
    "file://",
];
/// What people write so that somebody writes something else, letters and digits only.
const WORDS: [&str; 24] = [
    "changeme",
    "changeit",
    "changethis",
    "replaceme",
    "replacethis",
    "replace",
    "tochange",
    "todo",
    "tbd",
    "fixme",
    "fillme",
    "fillin",
    "placeholder",
    "dummy",
    "fake",
    "example",
    "sample",
    "secret",
    "na",
    "redacted",
    "msi",
    "none",
    "null",
    "empty",
];
const STARTS: [&str; 7] = ["putyour", "your", "insert", "changeme", "replacewith", "replaceme", "enteryour"];

/// Whether a value is only the place of one.
pub(super) fn is_placeholder(value: &str) -> bool {
    let value = value.trim();
    let small = value.to_ascii_lowercase();
    let word: String = small.chars().filter(char::is_ascii_alphanumeric).collect();
    word.is_empty()
        || is_bracketed(value)
        || is_underlined(value)
        || is_path(value)
        || REFERENCES.iter().any(|r| small.starts_with(r))
        || WORDS.contains(&word.as_str())
        || STARTS.iter().any(|s| word.starts_with(s))
        || is_one_character(&word)
}

fn is_bracketed(value: &str) -> bool {
    let pair = |(open, close): &(&str, &str)| {
        value.find(open).is_some_and(|at| value[at + open.len()..].contains(close))
    };
    BRACKETS.iter().any(pair) || is_variable(value)
}

/// `/run/secrets/azure`: where the secret is mounted.
fn is_path(value: &str) -> bool {
    let of_path =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '/' | '-' | '_' | '.');
    value.starts_with('/') && value.matches('/').count() > 1 && value.chars().all(of_path)
}

/// `$NAME`.
fn is_variable(value: &str) -> bool {
    let of_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    value.strip_prefix('$').is_some_and(|name| !name.is_empty() && name.chars().all(of_name))
}

/// `__NAME__`, `@NAME@`.
fn is_underlined(value: &str) -> bool {
    let between = |mark: &str| {
        let inner = value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
        inner.is_some_and(|name| !name.is_empty())
    };
    between("__") || between("@")
}

/// `xxxx`, `0000`.
fn is_one_character(word: &str) -> bool {
    let first = word.chars().next();
    word.len() > 1 && word.chars().all(|c| Some(c) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_later_is_no_secret() {
        for value in [
            "$(FROM_VAULT)",
            "${AZURE_CLIENT_SECRET}",
            "$AZURE_CLIENT_SECRET",
            "<your secret>",
            "{{ .Values.secret }}",
            "vault:secret/data/azure#secret",
            "ref+vault://azure/secret",
            "ENC[AES256_GCM,data:x]",
            "CHANGEME",
            "change-me-please",
            "xxxxxxxx",
            "********",
            "YOUR_CLIENT_SECRET",
            "__SECRET__",
            "@SECRET@",
            "#{SECRET}#",
            "n/a",
            "berglas://bucket/azure",
            "put-your-secret-here",
            "%%SECRET%%",
            "",
            " ",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in ["made-up", "s3cr3t-value", "a$b", "abc8-x", "1<2", "$price", "totally real"] {
            assert!(!is_placeholder(value), "{value}");
        }
    }
}
