//! What every report is.

use crate::{Console, EventLog, OutputDir, ReportError, ReportFile};
use loopdrill_model::Event;
use std::sync::Arc;

/// A report that grows with the event stream of one run.
pub trait Fold: Send {
    /// Takes in the next event. Must neither panic nor block for long: drills are running. What cannot be
    /// written is remembered and comes out of [`Fold::finish`].
    fn event(&mut self, event: &Event);

    /// Ends the report. Called once, after the last event, also when the run broke off.
    ///
    /// # Errors
    /// The first thing that could not be written, with what to do about it.
    fn finish(&mut self) -> Result<(), ReportError>;
}

/// Several reports of the same run.
#[derive(Default)]
pub struct Folds(Vec<Box<dyn Fold>>);

impl Folds {
    /// What a run writes to `dir`: `events.jsonl`, and each report that is one file.
    #[must_use]
    pub fn files(dir: &Arc<OutputDir>) -> Self {
        Self::default()
            .with(EventLog::new(dir))
            .with(ReportFile::json(dir))
            .with(ReportFile::junit(dir))
            .with(ReportFile::scorecard(dir))
            .with(ReportFile::html(dir))
            .with(ReportFile::markdown(dir))
            .with(ReportFile::prometheus(dir))
    }

    /// The files in `dir`, and the console after them: when it names the directory, they are there.
    #[must_use]
    pub fn standard(dir: &Arc<OutputDir>, console: Console) -> Self {
        Self::files(dir).with(console)
    }

    /// One report more.
    #[must_use]
    pub fn with(mut self, fold: impl Fold + 'static) -> Self {
        self.0.push(Box::new(fold));
        self
    }

    /// Feeds `event` to every report.
    pub fn event(&mut self, event: &Event) {
        for fold in &mut self.0 {
            fold.event(event);
        }
    }

    /// Ends every report and returns what could not be written, one error a report.
    pub fn finish(mut self) -> Vec<ReportError> {
        self.0.iter_mut().filter_map(|fold| fold.finish().err()).collect()
    }
}
