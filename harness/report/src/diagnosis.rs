//! Findings for people, and for programs as a detector prints them.

use crate::{
    Screen, say,
    scorecard::{after, blame, labelled},
};
use loopdrill_model::{Diagnoses, Diagnosis, Subject};

/// Subjects named in a line; the rest is counted.
const SUBJECTS: usize = 4;

/// One finding with all that it rests on, in plain text of 100 columns.
#[must_use]
pub fn render_diagnosis(finding: &Diagnosis) -> String {
    render(finding, Screen::plain(), "")
}

/// All findings, by falling confidence as they come.
#[must_use]
pub fn render_diagnoses(found: &Diagnoses, screen: Screen) -> String {
    match found.diagnoses.as_slice() {
        [] if found.as_of.is_none() => "no finding, and no signal either: that proves nothing\n".into(),
        [] => "no finding\n".into(),
        all => all.iter().map(|d| render(d, screen, "")).collect::<Vec<_>>().join("\n"),
    }
}

/// The document that a detector prints, indented.
///
/// # Errors
/// When a confidence is not a number.
pub fn diagnoses_json(found: &Diagnoses) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(found)? + "\n")
}

pub(crate) fn render(finding: &Diagnosis, screen: Screen, indent: &str) -> String {
    let title = finding.cause.map(|c| format!(": {}", c.title())).unwrap_or_default();
    let inner = format!("{indent}  ");
    let mut out = String::new();
    for line in say::wrap(&format!("{}{title}", blame(finding)), screen.width - indent.len()) {
        out += &format!("{indent}{}\n", screen.style.bold(&line));
    }
    let mut fact = |label: &str, text: &str| out += &labelled(label, text, screen, &inner);
    if !finding.subjects.is_empty() {
        fact("about", &subjects(&finding.subjects));
    }
    for e in &finding.evidence {
        let when = after(e.at, finding.first_evidence_at);
        fact(
            "evidence",
            &format!("{}: {} ({}, {when})", say::clean(&e.signal), say::clean(&e.value), e.source),
        );
    }
    for (n, link) in finding.chain.iter().enumerate() {
        let label = if n == 0 { "root" } else { "so" };
        let where_ =
            if link.subjects.is_empty() { String::new() } else { format!(" ({})", subjects(&link.subjects)) };
        fact(label, &format!("{}: {}{where_}", link.control_loop, link.what));
    }
    let lag = say::duration(finding.diagnosed_at.duration_since(finding.first_evidence_at));
    fact("seen", &format!("first evidence at {}, diagnosed {lag} later", finding.first_evidence_at));
    out
}

fn subjects(all: &[Subject]) -> String {
    let mut named: Vec<_> = all.iter().take(SUBJECTS).map(Subject::to_string).collect();
    if all.len() > SUBJECTS {
        named.push(format!("and {} more", all.len() - SUBJECTS));
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_finding_tells_what_why_where_and_since_when() {
        insta::assert_snapshot!(render_diagnosis(&sample::domino()));
    }

    #[test]
    fn findings_are_listed_and_their_absence_is_said() {
        let none = Diagnoses::default();
        assert!(render_diagnoses(&none, Screen::plain()).contains("proves nothing"));
        let none = Diagnoses { as_of: Some(sample::at(0)), ..none };
        assert_eq!(render_diagnoses(&none, Screen::plain()), "no finding\n");
        let two = Diagnoses { diagnoses: vec![sample::domino(), sample::domino()], ..none };
        let narrow = render_diagnoses(&two, Screen { width: 60, ..Screen::plain() });
        assert!(narrow.lines().all(|l| console::measure_text_width(l) <= 60), "{narrow}");
        let json = diagnoses_json(&two).expect("plain data");
        assert_eq!(serde_json::from_str::<Diagnoses>(&json).expect("the same format"), two);
    }
}
