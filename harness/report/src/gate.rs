//! What a pipeline's gate has to say, for people.

use crate::{
    Screen,
    say::{clean, wrap},
};
use loopdrill_model::{ExitStatus, Finding, Judgement};

/// The verdict of a gate, and a line a finding, ending with a line break.
#[must_use]
pub fn render_gate(judged: &Judgement, screen: Screen) -> String {
    let paint = if judged.exit == ExitStatus::Ready { crate::Style::good } else { crate::Style::bad };
    let mut out = format!("{}\n", paint(screen.style, &clean(&judged.verdict())));
    for finding in &judged.findings {
        let lines = wrap(&format!("{} {}: {}", sign(finding), head(finding), finding.what), screen.width - 2);
        let paint = if finding.is_red() { crate::Style::bad } else { crate::Style::dim };
        let lines: Vec<_> = lines.iter().map(|line| paint(screen.style, line)).collect();
        out += &format!("  {}\n", lines.join("\n    "));
    }
    out
}

/// Of what kind a finding is, and what it is about.
pub(crate) fn head(finding: &Finding) -> String {
    format!("{} {}", finding.kind.name(), finding.about)
}

/// `✗` for what keeps the gate closed.
pub(crate) fn sign(finding: &Finding) -> &'static str {
    if finding.is_red() { "✗" } else { "–" }
}
