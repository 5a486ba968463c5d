//! The checklist beside a run: its results before the first drill, and its predictions held against the drills.

use crate::cluster::Cluster;
use loopdrill_checklist::{Results, Selection, Status, output, prediction, run};
use loopdrill_drill::EventSender;
use loopdrill_model::DrillReport;
use loopdrill_survey::Ask;
use std::{fs, path::Path};

/// The results of the checks.
const CHECKS: &str = "readiness.json";
/// What became of the predictions.
const PREDICTIONS: &str = "predictions.json";

/// The checklist of a run, where it was asked for.
pub(crate) struct Readiness<'a> {
    wanted: bool,
    dir: &'a Path,
    before: Option<Results>,
}

impl<'a> Readiness<'a> {
    /// Nothing is known yet; what an earlier run left in the folder is removed.
    pub(crate) fn new(wanted: bool, dir: &'a Path) -> Self {
        for stale in [CHECKS, PREDICTIONS] {
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
                self.write(CHECKS, &output::json(&results, &snapshot));
                self.before = Some(results);
            }
            Err(error) => events.progress(format!("the readiness checklist could not be run: {error}")),
        }
    }

    /// Holds the predictions against what the drills did.
    pub(crate) fn conclude(&self, drills: &[DrillReport], print: bool) {
        let Some(before) = &self.before else { return };
        let held = prediction::hold(before, drills);
        if let Ok(text) = serde_json::to_string_pretty(&serde_json::json!({
            "predictions": held, "findings": prediction::findings(&held),
        })) {
            self.write(PREDICTIONS, &text);
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
