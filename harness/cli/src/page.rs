//! The page of a run, with what lies beside the run. `loopdrill run` and `loopdrill report` make it in here, and so the same.

use crate::Failure;
use loopdrill_detect::traces;
use loopdrill_model::{ExitStatus, RunReport};
use loopdrill_observe::record;
use loopdrill_report::{Beside, OutputDir, html};
use std::path::Path;

/// What the page shows besides the run: what lies in its folder, and how the signals went that decided its drills. The
/// recording is that in the folder, unless another one is named. Without one there are no signals to show.
pub(crate) fn beside(report: &RunReport, dir: &Path, named: Option<&Path>) -> Result<Beside, Failure> {
    let read = Beside::read(dir).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    let own = dir.join(OutputDir::RECORDING);
    let file = named.unwrap_or(&own);
    if named.is_none() && !file.exists() {
        return Ok(read);
    }
    match record::open(file) {
        Ok(replay) => Ok(Beside { traces: traces(replay, &report.drills), ..read }),
        Err(error) if named.is_some() => {
            Err(Failure::new(ExitStatus::Usage, &error).before(&file.display().to_string()))
        }
        Err(error) => {
            eprintln!("the page shows no signals, for {} cannot be read: {error}", file.display());
            Ok(read)
        }
    }
}

/// Makes the page of a run that has ended once more, when all that it shows is there.
pub(crate) fn again(report: &RunReport, dir: &OutputDir, recording: Option<&Path>) {
    let written = beside(report, dir.path(), recording).and_then(|beside| {
        dir.write(OutputDir::HTML, html(report, &beside).as_bytes())
            .map_err(|e| Failure::new(ExitStatus::Usage, &e))
    });
    if let Err(failure) = written {
        eprintln!("the page does not show what lies beside the run");
        failure.print();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::report;
    use clap::Parser as _;
    use loopdrill_model::{DrillMark, Event, EventKind, Timestamp};
    use loopdrill_observe::record::Entry;
    use std::{fs, path::PathBuf};

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: report::Args,
    }

    fn recording(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings").join(name)
    }

    /// The run that a recording is of: its last mark of each drill has the drill's report.
    fn run(name: &str) -> RunReport {
        let mut report = RunReport::new("recorded", "builtin", Timestamp::UNIX_EPOCH);
        for entry in record::open(&recording(name)).expect("a recording") {
            if let Entry::Mark(mark) = entry.expect("whole")
                && let DrillMark::End { report: drill } = mark.what
            {
                report.drills.push(*drill);
            }
        }
        report
    }

    /// A run's folder as it is when the run has ended.
    fn folder(name: &str) -> (tempfile::TempDir, RunReport) {
        let (dir, report) = (tempfile::tempdir().expect("a folder"), run(name));
        fs::copy(recording(name), dir.path().join(OutputDir::RECORDING)).expect("copied");
        (dir, report)
    }

    fn page(name: &str) -> String {
        let (dir, report) = folder(name);
        html(&report, &beside(&report, dir.path(), None).expect("read"))
    }

    #[test]
    fn the_signals_that_decided_are_on_the_page() {
        let etcd = page("etcd-disk.write-iops.gz");
        assert!(etcd.contains("etcd_disk_wal_fsync_duration_seconds p99, over 3 s"));
        assert!(etcd.contains("class=\"course\"") && etcd.contains(">threshold 100 ms<"));
        let network = page("overlay-mtu.df.gz");
        assert!(network.contains("pod to pod, don't fragment, largest that passes"));
        assert!(network.contains("class=\"course\""));
        let identity = page("revoked-iam.rbac.gz");
        assert!(identity.contains("class=\"moment\"") && identity.contains("SubjectAccessReview: at "));
    }

    #[test]
    fn a_page_that_is_made_again_is_the_same_to_the_byte() {
        let (dir, report) = folder("etcd-disk.write-iops.gz");
        let kept = fs::read(recording("etcd-disk.write-iops.gz")).expect("readable");
        let out = OutputDir::claim(dir.path()).expect("claimed");
        fs::write(dir.path().join(OutputDir::RECORDING), kept).expect("written");
        again(&report, &out, Some(&dir.path().join(OutputDir::RECORDING)));
        let first = fs::read_to_string(dir.path().join(OutputDir::HTML)).expect("made");
        assert!(first.contains("class=\"course\""));

        let at = report.ended_at;
        let detector = "builtin".to_owned();
        let (format, run, drills) = (EventKind::FORMAT, report.run.clone(), Vec::new());
        let began = Event { at, drill: None, kind: EventKind::RunStarted { format, run, drills, detector } };
        let ended = Event { at, drill: None, kind: EventKind::RunFinished { report: Box::new(report) } };
        let lines = [began, ended].map(|e| serde_json::to_string(&e).expect("an event") + "\n").concat();
        drop(out);
        let events = dir.path().join(OutputDir::EVENTS);
        fs::write(&events, lines).expect("written");
        let made = |more: &[&str]| {
            let file = dir.path().join("again.html");
            let html = format!("--html={}", file.display());
            let line = ["report", &events.display().to_string(), &html].map(str::to_owned);
            let line = line.into_iter().chain(more.iter().map(ToString::to_string));
            report::main(&Line::parse_from(line).args).expect("made");
            fs::read_to_string(file).expect("made")
        };
        assert!(made(&[]) == first, "with the recording beside the events");
        let elsewhere = recording("etcd-disk.write-iops.gz").display().to_string();
        fs::remove_file(dir.path().join(OutputDir::RECORDING)).expect("removed");
        assert!(made(&["--recording", &elsewhere]) == first, "with the recording elsewhere");
        assert!(!made(&[]).contains("class=\"course\""), "without a recording there is nothing to draw");
    }

    #[test]
    fn what_is_no_recording_stops_no_page() {
        let (dir, report) = folder("etcd-disk.write-iops.gz");
        let plain = html(&report, &Beside::default());
        let file = dir.path().join(OutputDir::RECORDING);
        fs::write(&file, "no recording").expect("written");
        assert!(html(&report, &beside(&report, dir.path(), None).expect("read")) == plain);
        assert!(beside(&report, dir.path(), Some(&file)).is_err(), "one that was named must be one");
        let other = recording("control.none.gz");
        let of_other = beside(&report, dir.path(), Some(&other)).expect("read");
        assert!(html(&report, &of_other) == plain, "the recording of another run shows nothing");
    }
}
