//! What alert rules can and cannot do within a budget, before anything is injected.

use super::{PrometheusOptions, answer::PollError};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// Rules that are named in a message.
const NAMED: usize = 4;

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    interval: f64,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    name: String,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// One alert rule: its name, its labels, how long it holds back, how often it is evaluated, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AlertRule {
    name: String,
    labels: BTreeMap<String, String>,
    hold: f64,
    interval: f64,
}

pub(super) fn alert_rules(text: &str) -> Result<Vec<AlertRule>, PollError> {
    let answer: Answer = serde_json::from_str(text).map_err(|e| PollError::Garbled(e.to_string()))?;
    let of = |g: Group| {
        let interval = g.interval;
        g.rules.into_iter().map(move |r| AlertRule {
            name: r.name,
            labels: r.labels,
            hold: r.duration,
            interval,
        })
    };
    Ok(answer.data.groups.into_iter().flat_map(of).collect())
}

/// The interval at which most of its targets are scraped, in seconds; 0 where it does not say.
pub(super) fn scrape_interval(targets: &str) -> f64 {
    let value: serde_json::Value = serde_json::from_str(targets).unwrap_or_default();
    let active = value["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<f64> =
        active.iter().filter_map(|t| t["scrapeInterval"].as_str()).filter_map(seconds).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// A duration as Prometheus writes it: `1m30s`, `500ms`.
fn seconds(text: &str) -> Option<f64> {
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |n| digits + n);
        total += number
            * match &rest[digits..unit] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Some(total)
}

/// What the rules cannot do, in sentences.
///
/// # Errors
/// When no rule says which loop it is about: then no alert can ever be an answer.
pub(super) fn limits(
    rules: &[AlertRule],
    scrape: f64,
    options: &PrometheusOptions,
) -> Result<Vec<String>, String> {
    let (named, unnamed): (Vec<_>, Vec<_>) =
        rules.iter().partition(|r| options.mapping.meaning(&r.name, &r.labels).is_some());
    if named.is_empty() {
        return Err(format!(
            "none of its {} alert rules names a loop; add those of `loopdrill rules`, give yours a label `loop`, or \
             map them with --alert-map",
            unnamed.len()
        ));
    }
    let budget = options.budget.as_secs_f64();
    let late = |r: &&&AlertRule| r.hold + scrape + r.interval > budget;
    let late: Vec<_> = named.iter().filter(late).collect();
    if late.is_empty() {
        return Ok(Vec::new());
    }
    let told = late.iter().take(NAMED).map(|r| {
        let all = Duration::from_secs_f64((r.hold + scrape + r.interval).clamp(0.0, 1e9));
        format!(
            "{} ({:.0} s for + {scrape:.0} s scrape + {:.0} s evaluation = {all:.0?})",
            r.name, r.hold, r.interval
        )
    });
    let more = late.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Ok(vec![format!(
        "{} of {} rules cannot fire within the budget of {budget:.0} s: {}{more}; shorten them, or raise --detect-within",
        late.len(),
        named.len(),
        told.collect::<Vec<_>>().join(", "),
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, hold: f64, labelled: bool) -> AlertRule {
        let labels = labelled.then(|| ("loop".to_string(), "network".to_string()));
        AlertRule { name: name.into(), labels: labels.into_iter().collect(), hold, interval: 1.0 }
    }

    #[test]
    fn what_cannot_meet_the_budget_is_named_with_its_sum() {
        let options = PrometheusOptions::default();
        let told = limits(&[rule("Fast", 0.0, true), rule("Slow", 900.0, true)], 2.0, &options);
        let told = told.expect("they name loops");
        assert!(
            told[0].starts_with(
                "1 of 2 rules cannot fire within the budget of 20 s: Slow (900 s for + 2 s scrape"
            )
        );
        assert!(limits(&[rule("Fast", 5.0, true)], 2.0, &options).expect("fine").is_empty());
        let told = limits(&[rule("Theirs", 0.0, false)], 2.0, &options).expect_err("no loop");
        assert!(told.contains("--alert-map"), "{told}");
    }

    #[test]
    fn durations_and_intervals_are_read_as_prometheus_writes_them() {
        assert_eq!(
            (seconds("1m30s"), seconds("500ms"), seconds("2h")),
            (Some(90.0), Some(0.5), Some(7200.0))
        );
        assert_eq!((seconds("x"), seconds("5"), seconds("5y")), (None, None, None));
        let targets = r#"{"data":{"activeTargets":[{"scrapeInterval":"1s"},{"scrapeInterval":"2s"},{"scrapeInterval":"30s"}]}}"#;
        assert_eq!(scrape_interval(targets), 2.0);
        assert_eq!(scrape_interval("garbage"), 0.0);
    }
}
