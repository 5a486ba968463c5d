//! `report.html`: one page for people, that needs nothing else. It makes no request (its policy forbids any), runs no
//! script, and says nothing by colour alone.

mod beside;
mod checks;
mod drills;
mod history;
mod plot;
mod score;

use crate::{Mark, Scorecard, gate, say, scorecard::verdict};
use loopdrill_model::{ExitStatus, Outcome, RunReport};
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

pub use beside::Beside;
pub use checks::{CheckLine, PredictionLine};

const STYLE: &str = include_str!("html/style.css");
/// Nothing is loaded from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// The content of `report.html`, with what lies beside the run.
#[must_use]
pub fn html(report: &RunReport, beside: &Beside) -> String {
    let card = Scorecard::from(report);
    let told = verdict(&card);
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (word(report.exit)) " – loopdrill on " (text(&report.cluster)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#drills" { "To the drills" }
                header { (head(&card, &told)) }
                main {
                    (gate_part(report))
                    (trouble(&card))
                    (drills::matrix(&card))
                    (drills::details(&card, beside))
                    (score::section(report))
                    (checks::section(beside))
                    (history::section(report, &beside.history))
                }
                footer { (about(report)) }
            }
        }
    };
    page.into_string()
}

/// Text that came from elsewhere.
fn text(from: &str) -> String {
    say::clean(from)
}

fn word(exit: ExitStatus) -> &'static str {
    match exit {
        ExitStatus::Ready => "Ready",
        ExitStatus::NotReady => "Not ready",
        ExitStatus::CleanupFailed => "Something is left",
        _ => "No verdict",
    }
}

/// How something is painted: well, badly, or neither.
fn tone(exit: ExitStatus) -> &'static str {
    if exit == ExitStatus::Ready { "good" } else { "bad" }
}

fn outcome_tone(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed | Outcome::Resilient => "good",
        Outcome::Skipped(_) | Outcome::Interrupted => "warn",
        _ => "bad",
    }
}

/// A gate's answer: a sign for the eye, a word for everybody.
fn mark(mark: Mark) -> Markup {
    let (class, word) = match mark {
        Mark::Held => ("good", "held"),
        Mark::Missed => ("bad", "did not hold"),
        Mark::Unreached => ("dim", "not reached"),
    };
    markup! { span class=(class) aria-hidden="true" { (mark.sign()) } span.hidden { (word) } }
}

fn head(card: &Scorecard<'_>, told: &str) -> Markup {
    let report = card.report;
    let took = say::duration(report.ended_at.duration_since(report.started_at));
    let ended = card.totals.by_name().into_iter().filter(|(_, n)| *n > 0);
    markup! {
        p.kicker { "loopdrill on " (text(&report.cluster)) }
        h1 class=(tone(report.exit)) {
            span aria-hidden="true" { @if report.exit == ExitStatus::Ready { "✓ " } @else { "✗ " } }
            (word(report.exit))
        }
        p.verdict { (told) }
        ul.facts {
            li { b { (card.totals.drills) } " drills" }
            @for (name, n) in ended { li { b { (n) } " " (name) } }
            li { b { (card.totals.false_alarms) } " false alarms" }
            li { "took " b { (took) } }
        }
    }
}

fn gate_part(report: &RunReport) -> Markup {
    let Some(judged) = &report.gate else { return markup! {} };
    markup! {
        section aria-labelledby="gate" {
            h2 #gate { "The gate" }
            p class=(tone(judged.exit)) { (text(&judged.verdict())) }
            ul.findings {
                @for finding in &judged.findings {
                    li class=(tone(finding.exit)) {
                        span aria-hidden="true" { (gate::sign(finding)) " " }
                        b { (text(&gate::head(finding))) } ": " (text(&finding.what))
                    }
                }
            }
        }
    }
}

fn trouble(card: &Scorecard<'_>) -> Markup {
    if card.report.trouble.is_empty() && card.stray.is_empty() {
        return markup! {};
    }
    markup! {
        section aria-labelledby="outside" {
            h2 #outside { "Outside of the drills" }
            ul.findings {
                @for trouble in &card.report.trouble { li.bad { "✗ " (text(trouble)) } }
                @for alarm in card.stray { li.bad { "✗ false alarm: " (text(&crate::render_diagnosis(alarm))) } }
            }
        }
    }
}

fn about(report: &RunReport) -> Markup {
    let v = &report.versions;
    markup! {
        dl {
            dt { "Run" } dd { (text(&report.run)) ", " (report.started_at.to_string()) " to " (report.ended_at.to_string()) }
            @if !report.suites.is_empty() { dt { "Suites" } dd { (text(&report.suites.join(", "))) } }
            dt { "Versions" }
            dd { "loopdrill " (text(&v.loopdrill)) ", Kubernetes " (text(&v.kubernetes)) ", kernel " (text(&v.kernel)) }
            @for (name, can) in &report.capabilities {
                @if let Err(why) = can { dt { "Lacks" } dd { (text(name)) ": " (text(why)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use loopdrill_model::{Course, DrillReport, Source, Trace};

    /// Every run that the tests know, as a page.
    fn pages() -> Vec<String> {
        [sample::run(), sample::with_rival(), sample::with_outcomes(&[], false)]
            .iter()
            .map(|r| html(r, &Beside::default()))
            .collect()
    }

    #[test]
    fn it_asks_nothing_of_anybody_and_is_small() {
        for page in pages() {
            for word in ["http:", "https:", "src=", "url(", "<script", "@import"] {
                assert!(!page.contains(word), "{word}");
            }
            assert!(page.len() < 1 << 20);
        }
    }

    /// How a signal went, with as many points as a line has at most, and wide numbers.
    fn long_trace() -> Trace {
        let points =
            (0..162).map(|n| (sample::at(n * 37), 1000.0 + f64::from(u16::try_from(n).expect("few"))));
        Trace {
            signal: "etcd_disk_backend_commit_duration_seconds p99 ".repeat(3),
            source: Source::metrics("etcd/a-node"),
            course: Course::Line {
                what: "over 5 s",
                unit: "ms",
                threshold: Some(1100.0),
                pieces: vec![points.collect()],
            },
        }
    }

    #[test]
    fn forty_drills_with_all_their_signals_fit_a_megabyte() {
        let mut report = sample::run();
        let drill = report.drills.iter().find(|d| d.undone_at.is_some()).expect("one").clone();
        let named = |n: usize| DrillReport { variant: format!("variant-{n}"), ..drill.clone() };
        report.drills = (0..40).map(named).collect();
        let traces = report.drills.iter().map(|d| (d.id(), vec![long_trace(); 5])).collect();
        let page = html(&report, &Beside { traces, ..Beside::default() });
        assert_eq!(page.matches("class=\"course\"").count(), 200);
        assert!(page.len() < 1 << 20, "{} bytes", page.len());
        for word in ["http:", "https:", "url(", "<script"] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn signals_are_told_in_words_too_and_only_where_they_are_known() {
        let report = sample::run();
        let drill = report.drills.iter().find(|d| d.undone_at.is_some()).expect("one").id();
        let traces = vec![(drill, vec![long_trace()])];
        let page = html(&report, &Beside { traces, ..Beside::default() });
        assert!(page.contains("over 5 s: 1000 to 1161 ms, highest at 6.0 s, threshold 1100 ms\">"));
        assert_eq!(page.matches("class=\"course\"").count(), 1, "only of its drill");
        assert!(!html(&report, &Beside::default()).contains("class=\"course\""));
    }

    #[test]
    fn the_verdict_comes_first_and_every_drill_is_there() {
        let report = sample::run();
        let page = html(&report, &Beside::default());
        let at = |word: &str| page.find(word).unwrap_or_else(|| panic!("no {word}"));
        assert!(at("Something is left") < at("<h2"));
        for drill in &report.drills {
            assert!(
                page.contains(&format!("href=\"#drill-{}-{}\"", drill.fault, drill.variant)),
                "{}",
                drill.id()
            );
        }
    }

    #[test]
    fn ids_are_there_once_and_links_lead_somewhere() {
        for page in pages() {
            let after = |key: &str| -> Vec<String> {
                page.split(key).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
            };
            let ids = after(" id=\"");
            let mut once = ids.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), ids.len(), "{ids:?}");
            for target in after("href=\"#").into_iter().chain(after("aria-labelledby=\"")) {
                assert!(ids.contains(&target), "{target}");
            }
        }
    }

    #[test]
    fn text_of_a_cluster_is_no_markup() {
        let mut report = sample::run();
        report.cluster = "<b>\u{1b}[2J".into();
        let page = html(&report, &Beside::default());
        assert!(page.contains("&lt;b&gt;") && !page.contains("<b>\u{1b}") && !page.contains('\u{1b}'));
    }

    #[test]
    fn checks_are_shown_with_their_remedies() {
        let checks = r#"[{"id":"CO-04","title":"Budgets","loop":"compute","severity":"high","status":"fail","evidence":
            [{"status":"fail","object":"Deployment shop/web","value":"no budget"}],"remedy":"kind: PodDisruptionBudget","predicts":[]},
            {"id":"CO-01","title":"Requests","loop":"compute","severity":"low","status":"pass","evidence":[],"remedy":"-","predicts":[]}]"#;
        let checks = serde_json::from_str(checks).expect("checks");
        let page = html(&sample::run(), &Beside { checks, ..Beside::default() });
        assert!(page.contains("CO-04") && page.contains("Deployment shop/web: no budget"));
        assert!(page.contains("kind: PodDisruptionBudget") && page.contains("1 of 2"));
    }

    #[test]
    fn predictions_are_held_against_the_drills() {
        let predictions = r#"[{"fault":"overlay-mtu","predicted_by":[],"bitten":["df"],"resilient":[],"agreement":"bitten-not-predicted"},
            {"fault":"etcd-disk","predicted_by":["CP-01"],"bitten":["write-iops"],"resilient":[],"agreement":"predicted-and-bitten"}]"#;
        let checks = r#"[{"id":"CP-01","title":"Disk","loop":"control-plane","severity":"high","status":"fail","evidence":[],"remedy":"-"}]"#;
        let beside = Beside {
            checks: serde_json::from_str(checks).expect("checks"),
            predictions: serde_json::from_str(predictions).expect("predictions"),
            ..Beside::default()
        };
        let page = html(&sample::run(), &beside);
        assert!(page.contains("✗ bitten not predicted") && page.contains("✓ predicted and bitten"));
    }

    #[test]
    fn history_has_each_run_once_by_time_and_each_drill() {
        let this = sample::run();
        let older = RunReport {
            run: "older".into(),
            started_at: sample::at(-86_400_000),
            ..sample::with_outcomes(&[], false)
        };
        let page = html(&this, &Beside { history: vec![this.clone(), older], ..Beside::default() });
        let section = page.split("id=\"history\"").nth(1).expect("it is there");
        let at = |word: &str| section.find(word).unwrap_or_else(|| panic!("no {word}"));
        assert!(at("2026-11-23") < at("(this one)"));
        assert_eq!(section.matches("(this one)").count(), 2, "once in each table");
        assert!(section.contains("overlay-mtu/df") && section.contains("not run"));
        assert!(
            !html(&this, &Beside { history: vec![this.clone()], ..Beside::default() })
                .contains("id=\"history\"")
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 32, ..Default::default() })]
        #[test]
        fn any_run_is_a_page(report in sample::any_run()) {
            let page = html(&report, &Beside::default());
            proptest::prop_assert!(page.ends_with("</html>"));
            proptest::prop_assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        }
    }
}
