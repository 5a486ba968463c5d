//! What `diagnose` and `replay` print alike.

use crate::Failure;
use loopdrill_model::ExitStatus;
use loopdrill_report::{Change, Screen, Timeline, render_change, render_found};
use std::{io::Write, time::Duration};

/// Prints a change at once.
pub(crate) fn print_change(change: &Change) {
    // Nobody reads any more: nothing to be done about that.
    let _ = writeln!(std::io::stdout(), "{}", render_change(change, Screen::stdout()));
}

/// Prints all findings, what is surest first, each with what to do next.
pub(crate) fn print_found(timeline: &Timeline) {
    let found = timeline.document().diagnoses.into_iter().map(|d| render_found(d, Screen::stdout(), ""));
    let _ = writeln!(std::io::stdout(), "{}", found.collect::<Vec<_>>().join("\n"));
}

/// Prints all findings as a detector's document.
pub(crate) fn print_document(timeline: &Timeline) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&timeline.document());
    let text = text.map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}

/// A span of time as an option's value: `90s`, `10m`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|_| "write it as 90s, 10m or 1h30m".to_string())?;
    match Duration::try_from(span) {
        Ok(span) if !span.is_zero() => Ok(span),
        _ => Err("it must be longer than nothing".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("1h30m"), Ok(Duration::from_secs(5400)));
        for bad in ["", "0s", "-5s", "soon", "10"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }
}
