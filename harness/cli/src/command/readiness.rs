//! The checklist beside a run: its results before the first drill, and its predictions held against the drills.

use crate::cluster::Cluster;
use loopdrill_checklist::{Results, Selection, Status, output, prediction, run};
use loopdrill_drill::EventSender;
use loopdrill_model::DrillReport;
use loopdrill_report::OutputDir;
use loopdrill_survey::Ask;
use std::{fs, path::Path};

/// The checklist of a run, where it was asked for.
pub(crate) struct Readiness<'a> {
    wanted: bool,
    dir: &'a Path,
    before: Option<Results>,
}

impl<'a> Readiness<'a> {
    /// Nothing is known yet; what an earlier run left in the folder is removed.
    pub(crate) fn new(wanted: bool, dir: &'a Path) -> Self {
        for stale in [OutputDir::CHECKS, OutputDir::PREDICTIONS] {
            let _ = fs::remove_file(dir.join(stale));
        }
        Self { wanted, dir, before: None }
    }

    /// Runs the checks. That they cannot be run is told and stops no drill.
    pub(crate) async fn before(&mut self, cluster: &Cluster, events: &EventSender) {
        if !self.wanted {
            return;
        }
        events.progress("running the readiness checklist");
        let target = &cluster.target;
        let surveyed = loopdrill_survey::Cluster {
            name: target.name.clone(),
            client: target.client.clone(),
            nodes: target.nodes.clone(),
        };
        match loopdrill_survey::take(&surveyed, &Ask::default()).await {
            Ok(snapshot) => {
                let results = run(&snapshot, &Selection::default());
                let (failed, all) = (results.count(Status::Fail), results.checks.len());
                events.progress(format!("{failed} of {all} readiness checks fail"));
                match output::json(&results, &snapshot) {
                    Ok(text) => self.write(OutputDir::CHECKS, &text),
                    Err(error) => {
                        events.progress(format!("{} could not be written: {error}", OutputDir::CHECKS))
                    }
                }
                self.before = Some(results);
            }
            Err(error) => events.progress(format!("the readiness checklist could not be run: {error}")),
        }
    }

    /// What the checks answered, where they could be run.
    pub(crate) fn results(&self) -> Option<&Results> {
        self.before.as_ref()
    }

    /// Holds the predictions against what the drills did.
    pub(crate) fn conclude(&self, drills: &[DrillReport], print: bool) {
        let Some(before) = &self.before else { return };
        let held = prediction::hold(before, drills);
        if let Ok(text) = serde_json::to_string_pretty(&serde_json::json!({
            "predictions": held, "findings": prediction::findings(&held),
        })) {
            self.write(OutputDir::PREDICTIONS, &text);
        }
        if print {
            println!("\nWere the checklist's warnings right?\n\n{}", prediction::table(&held));
        }
    }

    fn write(&self, name: &str, text: &str) {
        if let Err(error) = fs::write(self.dir.join(name), text) {
            eprintln!("cannot write {}: {error}", self.dir.join(name).display());
        }
    }
}
