//! What a pipeline's step leaves for people and for later steps. `$GITHUB_STEP_SUMMARY` names a file to which steps append
//! Markdown, and `$GITHUB_OUTPUT` one to which they append `name=value` lines.

use loopdrill_model::{ExitStatus, RunReport};
use std::{fs::File, io::Write as _, path::Path};

/// Appends a run's summary and its outputs, where the pipeline asks for them. That they cannot be written changes no verdict.
pub(crate) fn tell(report: &RunReport) {
    let files =
        [("GITHUB_STEP_SUMMARY", loopdrill_report::markdown(report)), ("GITHUB_OUTPUT", outputs(report))];
    for (variable, text) in files {
        let Some(file) = std::env::var_os(variable).filter(|f| !f.is_empty()) else { continue };
        if let Err(e) = append(Path::new(&file), &text) {
            eprintln!("the file of ${variable} could not be written: {e}");
        }
    }
}

/// `verdict` is open or closed, `failed` is the number of drills that did not end as they must.
fn outputs(report: &RunReport) -> String {
    let verdict = if report.exit == ExitStatus::Ready { "open" } else { "closed" };
    let failed = report.drills.iter().filter(|d| d.exit(report.require) != ExitStatus::Ready).count();
    format!("verdict={verdict}\nfailed={failed}\n")
}

fn append(file: &Path, text: &str) -> std::io::Result<()> {
    File::options().create(true).append(true).open(file)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_steps_said_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("summary.md");
        append(&file, "one\n").expect("written");
        append(&file, "two\n").expect("written");
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "one\ntwo\n");
    }
}
