//! `metrics.prom`: a run as gauges, for a textfile collector. It is OpenMetrics, and so the older text format, too.

use crate::{Mark, Score, Scorecard, score::DetectorScore};
use loopdrill_model::{ExitStatus, RunReport, Timestamp};

/// A label and its value.
type Label<'a> = (&'a str, String);

/// Metrics of one name after the other, as the format wants it.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Vec<Label<'a>>, f64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        self.0 += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
        for (labels, value) in samples {
            let labels: Vec<_> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escaped(v))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            self.0 += &format!("{name}{labels} {value}\n");
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The content of `metrics.prom`.
#[must_use]
pub fn prometheus(report: &RunReport) -> String {
    let mut page = Page::default();
    run(&mut page, report);
    drills(&mut page, report);
    times(&mut page, report);
    detectors(&mut page, report);
    page.0 += "# EOF\n";
    page.0
}

fn run(page: &mut Page, report: &RunReport) {
    let one = |value: f64| [(Vec::new(), value)];
    let v = &report.versions;
    let about = vec![
        ("cluster", report.cluster.clone()),
        ("detector", report.detector.clone()),
        ("version", v.loopdrill.clone()),
        ("kubernetes", v.kubernetes.clone()),
    ];
    page.family("loopdrill_run", "What was drilled, and by which version.", [(about, 1.0)]);
    page.family(
        "loopdrill_run_exit_code",
        "The exit code of the last run.",
        one(f64::from(report.exit_code)),
    );
    let ready = f64::from(u8::from(report.exit == ExitStatus::Ready));
    page.family("loopdrill_run_ready", "1 where the last run ended well.", one(ready));
    page.family("loopdrill_run_start_time_seconds", "When it began.", one(seconds(report.started_at)));
    page.family("loopdrill_run_end_time_seconds", "When it ended.", one(seconds(report.ended_at)));
    let outcomes = Scorecard::from(report).totals.by_name();
    let outcome = outcomes.map(|(name, n)| (vec![("outcome", name.replace(' ', "-"))], n as f64));
    page.family("loopdrill_drills", "Drills by how they ended.", outcome);
    let red = report.gate.iter().map(|g| (vec![("gate", g.gate.clone())], f64::from(g.exit.code())));
    page.family("loopdrill_gate_exit_code", "The exit code that the gate gave.", red);
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

fn drills(page: &mut Page, report: &RunReport) {
    let card = Scorecard::from(report);
    let good = card.rows.iter().map(|row| {
        let blamed = crate::answer_name(row.expected_loop);
        let labels = [("loop", blamed.into()), ("outcome", outcome(row.outcome))];
        let labels = of_drill(&row.drill.fault, &row.drill.variant).into_iter().chain(labels).collect();
        (labels, f64::from(u8::from(row.drill.exit(report.require) == ExitStatus::Ready)))
    });
    page.family("loopdrill_drill_ready", "1 where the drill ended as it must.", good);
    let gates = card.rows.iter().flat_map(|row| {
        row.marks.iter().filter(|(_, mark)| *mark != Mark::Unreached).map(|(gate, mark)| {
            let mut labels = of_drill(&row.drill.fault, &row.drill.variant);
            labels.push(("gate", gate.name().into()));
            (labels, f64::from(u8::from(*mark == Mark::Held)))
        })
    });
    page.family(
        "loopdrill_drill_gate",
        "1 where the gate held; gates that were not reached are absent.",
        gates,
    );
}

/// The outcome without the names of gates and capabilities, of which there are many.
fn outcome(outcome: &loopdrill_model::Outcome) -> String {
    outcome.to_string().split([' ', '(']).next().unwrap_or_default().into()
}

fn of_drill(fault: &str, variant: &str) -> Vec<Label<'static>> {
    vec![("fault", fault.into()), ("variant", variant.into())]
}

fn times(page: &mut Page, report: &RunReport) {
    let cases = Score::from(report).cases;
    let mut family = |name: &str, help: &str, of: fn(&crate::Case) -> Option<f64>| {
        let samples = cases.iter().filter_map(|case| {
            let mut labels = of_drill(&case.id.fault, &case.id.variant);
            labels.push(("detector", case.detector.clone()));
            Some((labels, of(case).filter(|s| s.is_finite())?))
        });
        page.family(name, help, samples);
    };
    family("loopdrill_lag_seconds", "From the first evidence to the diagnosis.", |c| c.lag);
    family("loopdrill_lead_seconds", "From the first evidence to the symptom.", |c| c.lead);
    family("loopdrill_since_injection_seconds", "From the injection to the diagnosis.", |c| {
        c.since_injection
    });
}

fn detectors(page: &mut Page, report: &RunReport) {
    let scores = Score::from(report).detectors;
    let mut family = |name: &str, help: &str, of: fn(&DetectorScore) -> usize| {
        page.family(
            name,
            help,
            scores.iter().map(|s| (vec![("detector", s.detector.clone())], of(s) as f64)),
        );
    };
    family("loopdrill_faults", "Faults that a detector was asked about.", |s| s.faults);
    family("loopdrill_faults_detected", "Faults of which it noticed anything.", |s| s.detected);
    family("loopdrill_faults_attributed", "Faults that it named rightly.", |s| s.attributed);
    family("loopdrill_false_alarms", "Its findings that belong to no drill.", |s| s.false_alarms);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_run_as_metrics() {
        insta::assert_snapshot!(prometheus(&sample::with_rival()));
    }

    #[test]
    fn text_of_a_cluster_cannot_break_a_line() {
        let mut report = sample::run();
        report.cluster = "a\"b\\c\nd".into();
        assert!(prometheus(&report).contains(r#"cluster="a\"b\\c\nd""#));
    }

    proptest::proptest! {
        #[test]
        fn each_name_is_told_in_one_piece(report in sample::any_run()) {
            let text = prometheus(&report);
            let types: Vec<_> = text.lines().filter_map(|l| l.strip_prefix("# TYPE ")).collect();
            let mut once = types.clone();
            once.sort_unstable();
            once.dedup();
            proptest::prop_assert_eq!(once.len(), types.len());
            proptest::prop_assert!(text.ends_with("# EOF\n"));
        }
    }
}
