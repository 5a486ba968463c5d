//! The one gate through which every text leaves: credentials are taken out of it, and what a program printed.
//!
//! Most of a cluster's texts never get here, because signals have no field for them. What has one are messages of
//! Kubernetes, runtimes and registries, which the model's tables name as [`Texts`], and those quote URLs, headers, and the
//! output of probes and hooks. What is
//! taken out is what can be told apart by its form; meaning, which attribution lives on, stays.

use loopdrill_model::Signal;
use loopdrill_model::signal::{KubeEvent, Texts};
use regex::{Captures, Regex};
use std::sync::LazyLock;

const GONE: &str = "[redacted]";

/// What is kept of what matches a pattern.
#[derive(Debug, Clone, Copy)]
enum Keep {
    Nothing,
    /// The first group, which introduces the secret.
    Before,
    /// The two groups around the secret.
    Around,
    /// The first group, and the second where that is what somebody says about a secret.
    Said,
}

impl Keep {
    /// What stands in the place of what was found in `whole`.
    fn of(self, whole: &str, found: &Captures<'_>) -> String {
        match self {
            Keep::Nothing => GONE.to_owned(),
            Keep::Before => format!("{}{GONE}", &found[1]),
            Keep::Around => format!("{}{GONE}{}", &found[1], &found[2]),
            Keep::Said => value(whole, found),
        }
    }
}

/// What a secret looks like.
const SECRETS: &[(&str, Keep)] = &[
    // Keys and certificates in PEM, to the end of the text.
    (r"-----BEGIN[\s\S]*", Keep::Nothing),
    // Signed web tokens.
    (r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]+)*", Keep::Nothing),
    // Access keys of clouds and forges.
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", Keep::Nothing),
    (r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AIza)[A-Za-z0-9_-]{12,}", Keep::Nothing),
    // User and password in a URL.
    (r#"([A-Za-z][A-Za-z0-9+.-]*://)[^/\s"'@]+(@)"#, Keep::Around),
    // Parameters of a query and assignments.
    (
        r#"(?i)([\w.-]*(?:token|secret|passw(?:or)?d|signature|credential|api[_-]?key|access[_-]?key|sig)[\w.-]*=)[^&\s"',;)]+"#,
        Keep::Before,
    ),
    // Members of a JSON object.
    (
        r#"(?i)(\\?"[\w.-]*(?:token|secret|passw(?:or)?d|api[_-]?key|auth)[\w.-]*\\?"\s*:\s*\\?")[^"\\]+"#,
        Keep::Before,
    ),
    // What follows a word for a secret and a colon: the secret, or what somebody says about it.
    (r"(?i)((?:passw(?:or)?d|api[_-]?key)\s*:\s*)(\S+)", Keep::Said),
];

/// The credential of an HTTP header.
const HEADER: &str = r"(?i)\b(bearer|basic)(\s+)([A-Za-z0-9._~+/-]{6,}=*)";

/// All patterns, or why they are of no use. Then no text leaves at all: see [`take_out`].
static PATTERNS: LazyLock<Result<Patterns, regex::Error>> = LazyLock::new(|| Patterns::new(HEADER, SECRETS));

/// The patterns, ready for use.
struct Patterns {
    header: Regex,
    secrets: Vec<(Regex, Keep)>,
}

impl Patterns {
    fn new(header: &str, secrets: &[(&str, Keep)]) -> Result<Self, regex::Error> {
        let secrets = secrets.iter().map(|(pattern, keep)| Ok((Regex::new(pattern)?, *keep)));
        Ok(Self { header: Regex::new(header)?, secrets: secrets.collect::<Result<_, regex::Error>>()? })
    }

    fn redact(&self, text: &mut String) {
        if self.header.is_match(text) {
            *text = self.header.replace_all(text, credential).into_owned();
        }
        for (secret, keep) in &self.secrets {
            if secret.is_match(text) {
                let whole = std::mem::take(text);
                *text =
                    secret.replace_all(&whole, |found: &Captures<'_>| keep.of(&whole, found)).into_owned();
            }
        }
    }
}

/// What registries, runtimes and databases say about a password, and nobody has for one. Anything else is redacted.
const ABOUT: &[&str] = &[
    "authentication required",
    "authentication failed",
    "unauthorized:",
    "unauthorized ",
    "access denied",
    "denied:",
    "access to the requested",
    "incorrect username or password",
    "invalid username or password",
    "received unexpected http status",
    "rpc error: code =",
];

/// Takes out of a signal what must not leave.
pub(crate) fn signal(signal: &mut Signal) {
    if let Signal::Event(event) = signal {
        without_words_of_programs(event);
    }
    signal.clean(&mut text);
}

fn without_words_of_programs(event: &mut KubeEvent) {
    match event.reason.as_str() {
        "Unhealthy" | "ProbeWarning" => without_output(&mut event.message),
        "FailedPostStartHook" | "FailedPreStopHook" => cut_after(&mut event.message, "message: "),
        _ => {}
    }
}

/// What the kubelet itself says of a probe begins with one of these; anything else was printed by a program.
const KUBELET: &[&str] = &[
    "HTTP probe failed with statuscode: ",
    "Get \"",
    "dial tcp",
    "command timed out",
    "command \"",
    "timeout: ",
    "service unhealthy",
    "rpc error: ",
    "error: this server does not implement",
];

/// Keeps that and how a probe failed, and drops what its command printed.
fn without_output(message: &mut String) {
    let Some(at) = ["probe failed: ", "probe warning: ", "probe errored: ", " state: "]
        .into_iter()
        .find_map(|intro| message.find(intro).map(|at| at + intro.len()))
    else {
        return;
    };
    let said = &message[at..];
    if KUBELET.iter().any(|own| said.starts_with(own)) {
        return;
    }
    let bytes = said.len();
    message.truncate(at);
    message.push_str(&format!("(output of {bytes} bytes)"));
}

fn cut_after(message: &mut String, intro: &str) {
    if let Some(at) = message.find(intro) {
        message.truncate(at + intro.len());
        message.push_str(GONE);
    }
}

/// Takes credentials out of a text.
fn text(text: &mut String) {
    take_out(PATTERNS.as_ref(), text);
}

/// Takes credentials out of a text; takes all of it out where nothing can tell a credential from the rest.
fn take_out(patterns: Result<&Patterns, &regex::Error>, text: &mut String) {
    match patterns {
        Ok(patterns) => patterns.redact(text),
        Err(error) => {
            tracing::error!(%error, "a pattern of the redaction is none: a text was dropped");
            GONE.clone_into(text);
        }
    }
}

/// Keeps what is said about a secret in words that are known, and takes out whatever else may be one.
fn value(whole: &str, found: &Captures<'_>) -> String {
    let rest = found.get(2).map_or("", |v| &whole[v.start()..]).to_lowercase();
    if ABOUT.iter().any(|said| rest.starts_with(said)) || rest == "unauthorized" {
        found[0].to_owned()
    } else {
        format!("{}{GONE}", &found[1])
    }
}

/// "Basic authentication" is no credential: plain words in lower case stay.
fn credential(found: &Captures<'_>) -> String {
    if found[3].chars().all(|c| c.is_ascii_lowercase()) {
        found[0].to_owned()
    } else {
        format!("{}{}{GONE}", &found[1], &found[2])
    }
}

#[cfg(test)]
mod tests;
