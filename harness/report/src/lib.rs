//! Reports: folds over the event stream of a run.
//!
//! The stream ([`loopdrill_model::Event`]) is the one truth. Whatever a person or a machine gets to see of
//! a run is a [`Fold`] over it, so no report can know something that another cannot, and a new report is
//! one more fold. What is in the crate:
//!
//! | module | what is in it |
//! |---|---|
//! | `fold` | the trait, and [`Folds`], which feeds several at once |
//! | `output` | the output directory: claimed by one run at a time, files appear whole or not at all |
//! | `log` | `events.jsonl`, readable also after a kill |
//! | `file` | reports that are one file, written at the end |
//! | `junit`, `html`, `markdown`, `prometheus` | the content of each |
//! | `gather` | the report that follows from a stream of events, also from one that broke off |
//! | `gate` | what a pipeline's gate has to say |
//! | `scorecard` | the pure fold from a [`loopdrill_model::RunReport`] to what a scorecard says |
//! | `score` | the pure fold from answers to what a detector is worth: confusion matrix, lag, lead |
//! | `console` | live view, plain lines, scorecard |
//! | `diagnosis` | findings for people |
//! | `advice` | what to do next about a cause |
//! | `timeline` | findings over time: what came and went |

mod advice;
mod console;
mod diagnosis;
mod file;
mod fold;
mod gate;
mod gather;
mod html;
mod junit;
mod log;
mod markdown;
mod output;
mod prometheus;
mod say;
mod score;
mod scorecard;
mod style;
mod timeline;

#[cfg(test)]
mod sample;

pub use advice::{Advice, advice};
pub use console::{Console, ConsoleOptions, LineWriter};
pub use diagnosis::{diagnoses_json, render_diagnoses, render_diagnosis};
pub use file::{ReportFile, junit_xml, read, report_json};
pub use fold::{Fold, Folds};
pub use gate::render_gate;
pub use gather::gather;
pub use html::{Beside, CheckLine, PredictionLine, html};
pub use jiff::SignedDuration;
pub use log::{EventLog, read_events};
pub use markdown::markdown;
pub use output::{OutputDir, ReportError};
pub use prometheus::prometheus;
pub use say::{duration, paragraph};
pub use score::{ANSWERS, Case, Confusion, DetectorScore, Score, Spread, answer_name};
pub use scorecard::{Mark, Row, Scorecard, Totals, labelled};
pub use style::{Screen, Style};
pub use timeline::{Change, Document, Lack, Timeline, render_change, render_found};
