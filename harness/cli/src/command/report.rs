//! `loopdrill report`: the reports of a run made again, from its events or its `report.json`.

use crate::{Failure, page, pipeline};
use loopdrill_model::{ExitStatus, RunReport};
use loopdrill_report::{
    Beside, OutputDir, ReportError, Scorecard, Screen, gather, html, junit_xml, markdown, prometheus,
    read_events, report_json,
};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Options of `loopdrill report`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The run: its events.jsonl, or its report.json
    #[arg(value_name = "EVENTS.jsonl")]
    from: PathBuf,
    /// One page for people, that needs nothing else
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    html: Option<String>,
    /// A case a gate, for CI systems
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    junit: Option<String>,
    /// A summary for a pipeline's page; also appended to $GITHUB_STEP_SUMMARY where that is set
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    markdown: Option<String>,
    /// The report for programs
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    json: Option<String>,
    /// Metrics for a textfile collector
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    prometheus: Option<String>,
    /// A folder with a folder for each run; the page then shows how they ended, run by run
    #[arg(long, value_name = "DIR", requires = "html")]
    history: Option<PathBuf>,
    /// The run's recording, of which the page shows the signals that decided [default: recording.gz beside the events]
    #[arg(long, value_name = "FILE", requires = "html")]
    recording: Option<PathBuf>,
    /// Where files without a name of their own go [default: beside the events]
    #[arg(long, value_name = "DIR", env = "ARTIFACT_DIR")]
    output_dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill report report/events.jsonl                     the scorecard
  loopdrill report report/events.jsonl --html --junit      report.html and junit.xml beside the events
  loopdrill report report/events.jsonl --html=drill.html --prometheus=-

  loopdrill report nightly/2026-11-29/events.jsonl --html --history nightly    with the nights before

A `readiness.json`, a `predictions.json` and a `recording.gz` beside the events are shown on the page, too. The exit code says whether the reports could be made, and
nothing about the run: that is `loopdrill gate`.";

pub(crate) fn main(args: &Args) -> Result<ExitStatus, Failure> {
    let report = read(&args.from)?;
    let beside = args.from.parent().unwrap_or(Path::new(""));
    let dir = args.output_dir.as_deref().unwrap_or(beside);
    let invalid = |e: &dyn std::fmt::Display| Failure::usage(format!("the report cannot be made: {e}"));
    let mut made = 0;
    let mut make = |to: &Option<String>, name: &str, text: &dyn Fn() -> Result<String, Failure>| match to {
        Some(to) => {
            made += 1;
            write(dir, to, name, &text()?)
        }
        None => Ok(()),
    };
    make(&args.html, OutputDir::HTML, &|| Ok(html(&report, &shown(&report, beside, args)?)))?;
    make(&args.junit, OutputDir::JUNIT, &|| junit_xml(&report).map_err(|e| invalid(&e)))?;
    make(&args.markdown, OutputDir::MARKDOWN, &|| Ok(markdown(&report)))?;
    make(&args.json, OutputDir::JSON, &|| report_json(&report).map_err(|e| invalid(&e)))?;
    make(&args.prometheus, OutputDir::PROMETHEUS, &|| Ok(prometheus(&report)))?;
    if args.markdown.is_some() {
        pipeline::tell(&report);
    }
    if made == 0 {
        // Nobody reads any more: nothing to be done about that.
        let _ = write!(std::io::stdout(), "{}", Scorecard::from(&report).text(Screen::stdout()));
    }
    Ok(ExitStatus::Ready)
}

/// A run by its events, also where they break off, or by its report.
fn read(path: &Path) -> Result<RunReport, Failure> {
    let usage = |e: ReportError| Failure::new(ExitStatus::Usage, &e);
    match read_events(path) {
        Ok(events) => gather(&events).ok_or_else(|| {
            Failure::usage(format!("{} tells of no run: it has no first event", path.display()))
        }),
        Err(garbled @ ReportError::Garbled { .. }) => {
            loopdrill_report::read(path).map_err(|_| usage(garbled))
        }
        Err(other) => Err(usage(other)),
    }
}

/// What the page shows besides the run.
fn shown(report: &RunReport, beside: &Path, args: &Args) -> Result<Beside, Failure> {
    let shown = page::beside(report, beside, args.recording.as_deref())?;
    match &args.history {
        Some(dir) => shown.with_history(dir).map_err(|e| Failure::new(ExitStatus::Usage, &e)),
        None => Ok(shown),
    }
}

/// Writes to the file that was named, to `name` in `dir`, or with `-` to standard output.
fn write(dir: &Path, to: &str, name: &str, text: &str) -> Result<(), Failure> {
    let file = match to {
        "-" => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            return Ok(());
        }
        "" => dir.join(name),
        named => named.into(),
    };
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&file, text));
    written.map_err(|e| Failure::usage(format!("cannot write {}: {e}", file.display())))
}
