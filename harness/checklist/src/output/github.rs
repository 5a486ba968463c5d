//! Workflow commands of GitHub Actions: a finding becomes a note at its line of a pull request, without any upload.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands> has the form, and the
//! characters that have to be escaped.

use crate::check::{CheckResult, Evidence, Results, Severity, Status};

/// Each finding as a command, and nothing else.
#[must_use]
pub fn github(results: &Results) -> String {
    results.findings().map(|(check, evidence)| command(check, evidence)).collect()
}

fn command(check: &CheckResult, evidence: &Evidence) -> String {
    let command = match (evidence.status, check.severity) {
        (Status::Fail, Severity::High | Severity::Critical) => "error",
        (Status::Fail, _) => "warning",
        _ => "notice",
    };
    let mut properties = Vec::new();
    if let Some(file) = &evidence.file {
        properties.push(format!("file={}", property(file)));
    }
    if let Some(lines) = evidence.lines {
        properties.push(format!("line={},endLine={}", lines.first, lines.last));
    }
    properties.push(format!("title={}", property(&format!("{} {}", check.id, check.title))));
    let message = match evidence.object.as_str() {
        "" => evidence.value.clone(),
        object => format!("{object}: {}", evidence.value),
    };
    format!("::{command} {}::{}\n", properties.join(","), data(&message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
