//! The one gate through which every text leaves: credentials are taken out of it, and what a program printed.
//!
//! Most of a cluster's texts never get here, because signals have no field for them. What has one are messages of
//! Kubernetes, runtimes and registries, and those quote URLs, headers, and the output of probes and hooks. What is
//! taken out is what can be told apart by its form; meaning, which attribution lives on, stays.

use loopdrill_model::Signal;
use loopdrill_model::signal::{ContainerState, KubeEvent, Pod, ProbeResult};
use regex::{Captures, Regex};
use std::sync::LazyLock;

const GONE: &str = "[redacted]";

/// What a secret looks like, and what to keep of the match.
static SECRETS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let table = [
        // Keys and certificates in PEM, to the end of the text.
        (r"-----BEGIN[\s\S]*", ""),
        // Signed web tokens.
        (r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]+)*", ""),
        // Access keys of clouds and forges.
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", ""),
        (r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AIza)[A-Za-z0-9_-]{12,}", ""),
        // User and password in a URL.
        (r#"([A-Za-z][A-Za-z0-9+.-]*://)[^/\s"'@]+(@)"#, "both"),
        // Parameters of a query and assignments.
        (
            r#"(?i)([\w.-]*(?:token|secret|passw(?:or)?d|signature|credential|api[_-]?key|access[_-]?key|sig)[\w.-]*=)[^&\s"',;)]+"#,
            "first",
        ),
        // Members of a JSON object.
        (
            r#"(?i)(\\?"[\w.-]*(?:token|secret|passw(?:or)?d|api[_-]?key|auth)[\w.-]*\\?"\s*:\s*\\?")[^"\\]+"#,
            "first",
        ),
        (r"(?i)((?:passw(?:or)?d|api[_-]?key)\s*:\s*)\S+", "first"),
    ];
    // A pattern that does not compile fails the tests below.
    table.into_iter().filter_map(|(pattern, keep)| Some((Regex::new(pattern).ok()?, keep))).collect()
});

/// The credential of an HTTP header.
static HEADER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b(bearer|basic)(\s+)([A-Za-z0-9._~+/-]{6,}=*)").ok());

/// Takes out of a signal what must not leave.
pub(crate) fn signal(signal: &mut Signal) {
    match signal {
        Signal::Pod(o) => pod(o),
        Signal::Event(event) => self::event(event),
        Signal::Attachment(o) => o.error.iter_mut().for_each(text),
        Signal::Controller(o) => o.troubles.iter_mut().for_each(|(_, _, message)| text(message)),
        Signal::CloudAnswer(answer) => text(&mut answer.endpoint),
        Signal::SourceState(state) => state.lost.iter_mut().for_each(text),
        Signal::Probe(probe) => {
            if let ProbeResult::Refused(why) = &mut probe.result {
                text(why);
            }
        }
        Signal::Node(_)
        | Signal::Claim(_)
        | Signal::Volume(_)
        | Signal::StorageClass(_)
        | Signal::Service(_)
        | Signal::Endpoints(_)
        | Signal::Lease(_)
        | Signal::Quota(_)
        | Signal::Grant(_)
        | Signal::Gone(_)
        | Signal::AccessReview(_)
        | Signal::CloudRole(_)
        | Signal::Log(_)
        | Signal::Metric(_)
        | Signal::Histogram(_)
        | Signal::Usage(_)
        | Signal::Interface(_)
        | Signal::IpCounters(_)
        | Signal::Tick => {}
    }
}

fn pod(pod: &mut Pod) {
    pod.unscheduled.iter_mut().for_each(|u| text(&mut u.message));
    pod.cloud.iter_mut().for_each(|c| text(&mut c.endpoint));
    for container in &mut pod.containers {
        text(&mut container.image);
        if let ContainerState::Waiting { message, .. } = &mut container.state {
            text(message);
        }
    }
}

fn event(event: &mut KubeEvent) {
    match event.reason.as_str() {
        "Unhealthy" | "ProbeWarning" => without_output(&mut event.message),
        "FailedPostStartHook" | "FailedPreStopHook" => cut_after(&mut event.message, "message: "),
        _ => {}
    }
    text(&mut event.message);
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
    if let Some(header) = &*HEADER
        && header.is_match(text)
    {
        *text = header.replace_all(text, credential).into_owned();
    }
    for (secret, keep) in &*SECRETS {
        if secret.is_match(text) {
            let with = match *keep {
                "first" => format!("${{1}}{GONE}"),
                "both" => format!("${{1}}{GONE}${{2}}"),
                _ => GONE.into(),
            };
            *text = secret.replace_all(text, with).into_owned();
        }
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
