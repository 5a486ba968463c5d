//! `loopdrill replay --demo`: the five canonical drills from a recording that comes with the binary.

use super::{Played, play_entries};
use crate::Failure;
use loopdrill_detect::{Scored, Verdict};
use loopdrill_model::{Diagnosis, DrillMark, ExitStatus, Mark, Timestamp};
use loopdrill_observe::record::{self, Entry};
use loopdrill_report::{Screen, duration, labelled, paragraph};
use std::{
    io::{Cursor, IsTerminal as _, Write as _},
    thread,
    time::{Duration, Instant},
};

/// A run of the five canonical drills on a lab, as `loopdrill run` recorded it.
const RECORDING: &[u8] = include_bytes!("../../../demo/five-drills.gz");

/// How long the story may take where somebody watches.
const STORY: Duration = Duration::from_millis(2000);

pub(super) fn main() -> Result<ExitStatus, Failure> {
    let began = Instant::now();
    let bad = |e: &dyn std::error::Error| Failure::new(ExitStatus::Usage, e).before("the demo's recording");
    let replay = record::read(Cursor::new(RECORDING)).map_err(|e| bad(&e))?;
    let header = replay.header().clone();
    let mut marks = Vec::new();
    let entries = replay.inspect(|entry| {
        if let Ok(Entry::Mark(mark)) = entry {
            marks.push(mark.clone());
        }
    });
    let played = play_entries(entries, &header, |_| {});
    if let Some(error) = &played.broke_off {
        return Err(bad(error));
    }
    tell(&played, &marks, began);
    let right = played.scored.iter().all(|s| s.verdict == Verdict::Right) && played.false_alarms.is_empty();
    Ok(if right { ExitStatus::Ready } else { ExitStatus::NotReady })
}

/// The story, drill by drill, paced where somebody watches.
fn tell(played: &Played, marks: &[Mark], began: Instant) {
    let screen = Screen::stdout();
    let mut out = std::io::stdout();
    let mut say = |text: &str| {
        let _ = write!(out, "{text}");
        let _ = out.flush();
    };
    say(&paragraph(
        "A recorded run: five faults were injected into a real Kubernetes, one for each control loop. The detector \
         saw only signals. It is computed again now from those same signals.",
        screen,
    ));
    let steps = played.scored.len().max(1);
    for (n, scored) in played.scored.iter().enumerate() {
        if std::io::stdout().is_terminal() {
            let due = STORY * u32::try_from(n).unwrap_or(0) / u32::try_from(steps).unwrap_or(1);
            thread::sleep(due.saturating_sub(began.elapsed()));
        }
        say(&story(scored, marks, screen));
    }
    let right = played.scored.iter().filter(|s| s.verdict == Verdict::Right).count();
    say(&format!(
        "\n{right} of {} blamed on the right loop and cause, {} false alarms; {} judgements replayed in {} ms.\n\
         Your turn: `loopdrill run` drills a lab of its own, `loopdrill diagnose --context NAME --once` looks at a \
         cluster.\n",
        played.scored.len(),
        played.false_alarms.len(),
        played.judged,
        began.elapsed().as_millis(),
    ));
}

fn story(scored: &Scored, marks: &[Mark], screen: Screen) -> String {
    let mine = marks.iter().filter(|m| m.drill == scored.drill);
    let report = mine.clone().find_map(|m| match &m.what {
        DrillMark::End { report } => Some(report),
        _ => None,
    });
    let undone = mine.clone().find(|m| m.what == DrillMark::Undo).map(|m| m.at);
    let mut out = format!("\n{}\n", screen.style.bold(&scored.drill.to_string()));
    let zero = scored.injected_at;
    let mut fact = |label: &str, text: &str| out += &labelled(label, text, screen, "  ");
    fact("fault", title(scored));
    let symptom = report.and_then(|r| r.gates.manifested.evidence.first());
    if let Some(symptom) = symptom {
        fact(
            "symptom",
            &format!("{} {}: {}", when(scored.manifested_at, zero), symptom.signal, symptom.value),
        );
    }
    match &scored.result.diagnosis {
        Some(d) => blame(d, scored, &mut fact),
        None => fact("blamed", "nobody"),
    }
    fact("answer", if scored.verdict == Verdict::Right { "✓ right" } else { "✗ wrong" });
    if undone.is_some() {
        fact("undone", &format!("{} and verified", when(undone, zero)));
    }
    out
}

fn title(scored: &Scored) -> &'static str {
    let known = loopdrill_faults::catalogue().into_iter().find(|f| f.spec().id() == scored.drill);
    known.map_or("nothing is injected", |f| f.spec().title)
}

fn blame(d: &Diagnosis, scored: &Scored, fact: &mut impl FnMut(&str, &str)) {
    let zero = scored.injected_at;
    if let Some(e) = d.evidence.first() {
        fact(
            "evidence",
            &format!("{} {}: {}", when(scored.result.first_evidence_at(), zero), e.signal, e.value),
        );
    }
    let cause = d.cause.map(|c| format!(": {}", c.title())).unwrap_or_default();
    fact("blamed", &format!("{} {}{cause}", when(scored.result.detected.at, zero), d.control_loop));
}

fn when(at: Option<Timestamp>, zero: Option<Timestamp>) -> String {
    at.zip(zero).map_or_else(String::new, |(at, zero)| format!("+{}", duration(at.duration_since(zero))))
}
