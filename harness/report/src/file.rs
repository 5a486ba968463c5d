//! Reports that are one file, written when the run is over.

use crate::{
    Beside, DetectorScore, Fold, OutputDir, ReportError, Score, Scorecard, Screen, html, junit, markdown,
    prometheus,
};
use loopdrill_model::{Event, EventKind, RunReport};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path, sync::Arc};

/// How a run becomes the content of a file.
type Render = fn(&RunReport) -> Result<Vec<u8>, String>;

/// The fold that writes one file from the whole report of the run. A run that breaks off before its end
/// leaves no such file: `events.jsonl` tells how far it came.
pub struct ReportFile {
    dir: Arc<OutputDir>,
    name: &'static str,
    render: Render,
    failed: Option<ReportError>,
}

impl ReportFile {
    /// `report.json`: the [`RunReport`], indented, keys in the order of its fields.
    #[must_use]
    pub fn json(dir: &Arc<OutputDir>) -> Self {
        Self::new(dir, OutputDir::JSON, json)
    }

    /// `junit.xml`, for CI systems.
    #[must_use]
    pub fn junit(dir: &Arc<OutputDir>) -> Self {
        Self::new(dir, OutputDir::JUNIT, junit::render)
    }

    /// `scorecard.txt`: what the console prints, to be kept with a CI job.
    #[must_use]
    pub fn scorecard(dir: &Arc<OutputDir>) -> Self {
        Self::new(dir, OutputDir::SCORECARD, |report| {
            Ok(Scorecard::from(report).text(Screen::plain()).into_bytes())
        })
    }

    /// `report.html`: one page that needs nothing else.
    #[must_use]
    pub fn html(dir: &Arc<OutputDir>) -> Self {
        Self::new(dir, OutputDir::HTML, |report| Ok(html(report, &Beside::default()).into_bytes()))
    }

    /// `summary.md`: what a pipeline shows beside its log.
    #[must_use]
    pub fn markdown(dir: &Arc<OutputDir>) -> Self {
        Self::new(dir, OutputDir::MARKDOWN, |report| Ok(markdown(report).into_bytes()))
    }

    /// `metrics.prom`: what a textfile collector takes.
    #[must_use]
    pub fn prometheus(dir: &Arc<OutputDir>) -> Self {
        Self::new(dir, OutputDir::PROMETHEUS, |report| Ok(prometheus(report).into_bytes()))
    }

    /// The file `name`, with the content that `render` makes of the report.
    #[must_use]
    pub fn new(dir: &Arc<OutputDir>, name: &'static str, render: Render) -> Self {
        Self { dir: Arc::clone(dir), name, render, failed: None }
    }

    fn write(&self, report: &RunReport) -> Result<(), ReportError> {
        let content = (self.render)(report)
            .map_err(|why| ReportError::Write { path: self.dir.path().join(self.name), why })?;
        self.dir.write(self.name, &content)
    }
}

impl Fold for ReportFile {
    fn event(&mut self, event: &Event) {
        if let EventKind::RunFinished { report, .. } = &event.kind {
            self.failed = self.write(report).err();
        }
    }

    fn finish(&mut self) -> Result<(), ReportError> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

/// What `report.json` says: the report, and the score that follows from it.
#[derive(Serialize)]
struct Scored<'r> {
    #[serde(flatten)]
    report: &'r RunReport,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    score: Vec<DetectorScore>,
}

/// The content of `report.json`.
///
/// # Errors
/// When a value has no JSON.
pub fn report_json(report: &RunReport) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&Scored { report, score: Score::from(report).detectors })?;
    text.push('\n');
    Ok(text)
}

/// The content of `junit.xml`.
///
/// # Errors
/// When a text cannot be written as XML.
pub fn junit_xml(report: &RunReport) -> Result<String, String> {
    junit::render(report).and_then(|bytes| String::from_utf8(bytes).map_err(|e| e.to_string()))
}

fn json(report: &RunReport) -> Result<Vec<u8>, String> {
    report_json(report).map(String::into_bytes).map_err(|e| e.to_string())
}

/// Reads a `report.json`.
///
/// # Errors
/// [`ReportError::Read`], [`ReportError::Newer`] for the report of a newer build, [`ReportError::Garbled`]
/// for anything that is no report.
pub fn read(path: &Path) -> Result<RunReport, ReportError> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let text = fs::read(path).map_err(|source| ReportError::Read { path: path.into(), source })?;
    let garbled =
        |e: serde_json::Error| ReportError::Garbled { path: path.into(), what: "report", why: e.to_string() };
    let Format { format } = serde_json::from_slice(&text).map_err(garbled)?;
    if format > RunReport::FORMAT {
        return Err(ReportError::Newer { path: path.into(), found: format, known: RunReport::FORMAT });
    }
    let mut report: RunReport = serde_json::from_slice(&text).map_err(garbled)?;
    // Builds before there were rivals named their one detector nowhere else.
    for result in report.drills.iter_mut().flat_map(|d| &mut d.detectors).filter(|r| r.name.is_empty()) {
        result.name.clone_from(&report.detector);
    }
    Ok(RunReport { format: RunReport::FORMAT, ..report })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Folds, sample};
    use jiff::SignedDuration;

    fn seconds(seconds: f64) -> SignedDuration {
        SignedDuration::from_secs_f64(seconds)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let out = Arc::new(OutputDir::claim(dir.path()).expect("claimed"));
        let report = sample::run();
        let mut file = ReportFile::json(&out);
        sample::events(&report).iter().for_each(|e| file.event(e));
        file.finish().expect("written");
        assert_eq!(read(&dir.path().join(OutputDir::JSON)).expect("readable"), report);
    }

    #[test]
    fn a_run_that_breaks_off_leaves_no_report() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let out = Arc::new(OutputDir::claim(dir.path()).expect("claimed"));
        let mut events = sample::events(&sample::run());
        events.pop();
        let mut file = ReportFile::json(&out);
        events.iter().for_each(|e| file.event(e));
        file.finish().expect("nothing to write");
        assert!(!dir.path().join(OutputDir::JSON).exists());
    }

    #[test]
    fn the_scorecard_is_kept_as_it_is_printed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let out = Arc::new(OutputDir::claim(dir.path()).expect("claimed"));
        let report = sample::run();
        let mut folds = Folds::default().with(ReportFile::scorecard(&out));
        sample::events(&report).iter().for_each(|e| folds.event(e));
        assert!(folds.finish().is_empty());
        let kept = fs::read_to_string(dir.path().join(OutputDir::SCORECARD)).expect("readable");
        assert_eq!(kept, Scorecard::from(&report).text(Screen::plain()));
    }

    #[test]
    fn a_newer_report_and_garbage_are_told_apart() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("report.json");
        // A newer build may have changed everything but the version.
        fs::write(&path, r#"{"format": 3, "verdict": []}"#).expect("written");
        let error = read(&path).expect_err("newer");
        assert!(matches!(error, ReportError::Newer { found: 3, known: 2, .. }), "{error}");
        for garbage in ["", "[]", "{\"format\": 1}", "{\"format\": -1}", "\u{0}"] {
            fs::write(&path, garbage).expect("written");
            assert!(matches!(read(&path), Err(ReportError::Garbled { .. })), "{garbage:?}");
        }
        assert!(matches!(read(dir.path()), Err(ReportError::Read { .. })));
    }

    #[test]
    fn a_report_of_format_1_is_read() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join(OutputDir::JSON);
        fs::write(&path, include_str!("fixtures/report.format-1.json")).expect("written");
        let report = read(&path).expect("format 1");
        assert_eq!((report.format, report.false_alarms.len()), (RunReport::FORMAT, 1));
        let control = &report.drills[0];
        assert_eq!(control.deciding().map(|d| d.name.as_str()), Some("builtin"), "of a build without rivals");
        let drill = &report.drills[1];
        assert_eq!(Scorecard::from(&report).rows[1].lag, drill.deciding().and_then(|d| d.lag).map(seconds));
        assert!(drill.undone_at.is_some() && drill.diagnosis().is_some());
    }

    #[test]
    fn the_format_is_a_contract() {
        insta::assert_json_snapshot!(sample::run());
    }
}
