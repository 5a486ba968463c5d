//! The signals that decided a drill, from its recording: how they went, and what they were held to.
//!
//! The snapshot has one line a signal of every recorded drill. A signal that a rule names otherwise than its measure would
//! be a number no longer, and shows as moments.

use super::each;
use crate::library::{RECORDINGS, Recording};
use loopdrill_detect::traces;
use loopdrill_model::{Course, DrillMark, DrillReport, FaultId, Trace};
use loopdrill_observe::record::Entry;
use std::fmt::Write as _;

fn reports(recording: &Recording) -> Vec<DrillReport> {
    let ended = recording.entries.iter().filter_map(|entry| match entry {
        Entry::Mark(mark) => match &mark.what {
            DrillMark::End { report } => Some((**report).clone()),
            _ => None,
        },
        _ => None,
    });
    ended.collect()
}

fn followed(recording: &Recording) -> Vec<(FaultId, Vec<Trace>)> {
    traces(recording.entries.iter().cloned().map(Ok), &reports(recording))
}

fn of(name: &str) -> Vec<Trace> {
    let recording = RECORDINGS.iter().find(|r| r.name == name).unwrap_or_else(|| panic!("no {name}"));
    followed(recording).into_iter().flat_map(|(_, traces)| traces).collect()
}

/// The values of a line in the order of time, and what they are held to.
fn line(trace: &Trace) -> (Vec<f64>, Option<f64>) {
    let Course::Line { pieces, threshold, .. } = &trace.course else { panic!("no line: {trace:?}") };
    (pieces.iter().flatten().map(|p| p.1).collect(), *threshold)
}

#[test]
fn a_throttled_disk_goes_over_its_threshold() {
    let traces = of("etcd-disk.write-iops");
    assert_eq!(traces[0].signal, "etcd_disk_wal_fsync_duration_seconds p99");
    let (values, threshold) = line(&traces[0]);
    let limit = threshold.expect("the rule has one");
    assert_eq!(limit, 100.0);
    let (before, most) = (values[0], values.iter().copied().fold(0.0, f64::max));
    assert!(before < limit && most > limit, "{before} to {most}");
}

#[test]
fn on_a_way_with_a_smaller_mtu_less_passes() {
    for name in ["overlay-mtu.df", "overlay-mtu.filtered-icmp"] {
        let traces = of(name);
        assert!(traces[0].signal.starts_with("probe ") && traces[0].signal.ends_with("don't fragment"));
        let (values, _) = line(&traces[0]);
        let least = values.iter().copied().fold(f64::MAX, f64::min);
        assert!(least > 0.0 && least < values[0], "{name}: {values:?}");
    }
}

#[test]
fn what_is_no_number_has_moments() {
    let traces = of("revoked-iam.rbac");
    let end = traces.iter().find(|t| t.signal.ends_with("terminated")).expect("a container ended");
    assert!(matches!(&end.course, Course::Moments(at) if at.len() >= 2), "{end:?}");
}

#[test]
fn a_line_has_few_points_in_the_order_of_time() {
    each(|recording| {
        for (drill, traces) in followed(recording) {
            assert!((1..=5).contains(&traces.len()), "{drill}");
            for trace in traces {
                let Course::Line { pieces, .. } = &trace.course else { continue };
                let points: Vec<_> = pieces.iter().flatten().collect();
                assert!(!points.is_empty() && points.len() <= 162, "{drill}: {}", points.len());
                assert!(points.is_sorted_by_key(|p| p.0) && pieces.iter().all(|p| !p.is_empty()), "{drill}");
            }
        }
    });
}

fn told(trace: &Trace) -> String {
    let Trace { signal, source, course } = trace;
    match course {
        Course::Moments(at) => format!("{signal} ({source}): {} moments", at.len()),
        Course::Line { what, unit, threshold, .. } => {
            let held = threshold.map_or_else(|| "nothing".into(), |t| format!("{t:.0} {unit}"));
            format!("{signal}, {what} ({source}): {unit}, held to {held}")
        }
    }
}

#[test]
fn the_signals_of_every_drill_are_those_that_are_known() {
    let mut all = String::new();
    for recording in RECORDINGS.iter() {
        for (drill, traces) in followed(recording) {
            let _ = writeln!(all, "{drill}");
            traces.iter().for_each(|trace| {
                let _ = writeln!(all, "  {}", told(trace));
            });
        }
    }
    insta::assert_snapshot!(all);
}
