//! A drill over time, as a drawing: the fault in force, the symptom, from the first evidence to the diagnosis of each
//! detector, and below them the signals that decided, where a recording has them. Each lane and each strip has its words
//! beside it, so nothing is told by colour or place alone.

mod strip;

use super::text;
use crate::say;
use jiff::Timestamp;
use loopdrill_model::{DrillReport, Trace};
use maud::{Markup, html as markup};
use strip::Strip;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 160.0;
const RIGHT: f64 = 230.0;
const LANE: f64 = 30.0;

/// One line of the drawing, in seconds after the injection.
#[derive(Debug, PartialEq)]
struct Lane {
    label: String,
    class: &'static str,
    from: f64,
    to: Option<f64>,
    words: String,
}

/// The drawing, where the fault was in force.
pub(super) fn timeline(drill: &DrillReport, traces: &[Trace]) -> Markup {
    let (lanes, Some(zero)) = (lanes(drill), drill.injected_at()) else { return markup! {} };
    let strips: Vec<_> = traces.iter().filter_map(|trace| Strip::of(trace, zero)).collect();
    let scale = Scale::of(&lanes, &strips);
    let height = 34.0 + LANE * lanes.len() as f64 + strips.iter().map(Strip::height).sum::<f64>();
    let told = lanes.iter().map(|l| format!("{}: {}", l.label, l.words));
    let told: Vec<_> = told.chain(strips.iter().map(Strip::told)).collect();
    markup! {
        div.wide role="region" aria-label=(format!("{} over time", drill.id())) tabindex="0" {
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(text(&told.join("; "))) {
                @for tick in scale.ticks() {
                    @let x = scale.x(tick);
                    line.grid x1=(n(x)) x2=(n(x)) y1="4" y2=(n(height - 24.0)) {}
                    text.axis x=(n(x)) y=(n(height - 8.0)) text-anchor="middle" { (seconds(tick)) }
                }
                @for (at, lane) in lanes.iter().enumerate() { (draw(lane, at, &scale)) }
                @for (at, strip) in strips.iter().enumerate() {
                    (strip.draw(8.0 + LANE * lanes.len() as f64 + strips[..at].iter().map(Strip::height).sum::<f64>(), &scale))
                }
            }
        }
    }
}

fn draw(lane: &Lane, at: usize, scale: &Scale) -> Markup {
    let y = 4.0 + LANE * at as f64;
    let (from, to) = (scale.x(lane.from), lane.to.map(|to| scale.x(to)));
    let end = to.unwrap_or(from).max(from);
    markup! {
        text.label x=(n(LEFT - 12.0)) y=(n(y + 17.0)) text-anchor="end" { (say::cut(&lane.label, 22)) }
        @if let Some(to) = to {
            rect class=(lane.class) x=(n(from.min(to))) y=(n(y + 7.0)) width=(n((to - from).abs().max(2.0))) height="12" rx="2" {}
        }
        @if lane.to.is_none() {
            path class=(lane.class) d=(format!("M{0} {1}l6 8l-6 8l-6 -8z", n(from), n(y + 5.0))) {}
        }
        text.words x=(n(end + 10.0)) y=(n(y + 17.0)) { (lane.words) }
    }
}

fn lanes(drill: &DrillReport) -> Vec<Lane> {
    let Some(zero) = drill.injected_at() else { return Vec::new() };
    let after = |at: Timestamp| at.duration_since(zero).as_secs_f64();
    let undone = drill.undone_at.map(after);
    let mut lanes = vec![Lane {
        label: "fault in force".into(),
        class: "fault",
        from: 0.0,
        to: undone,
        words: undone.map_or("from 0 s; not undone".into(), |to| format!("0 s to {}", seconds(to))),
    }];
    if let Some(from) = drill.manifested_at().map(after) {
        let to = drill.gates.recovered.at.filter(|_| drill.gates.recovered.ok).map(after);
        let until = to.map_or("did not recover".into(), |to| format!("recovered at {}", seconds(to)));
        lanes.push(Lane {
            label: "symptom".into(),
            class: "symptom",
            from,
            to,
            words: format!("{}; {until}", seconds(from)),
        });
    }
    lanes.extend(drill.detectors.iter().filter_map(|detector| {
        let to = detector
            .detected
            .at
            .filter(|_| detector.detected.ok && detector.diagnosis.is_some())
            .map(after)?;
        let from = detector.first_evidence_at().map_or(to, after);
        let right = if detector.attributed.ok { "right" } else { "wrong" };
        Some(Lane {
            label: text(&detector.name),
            class: if detector.attributed.ok { "right" } else { "wrong" },
            from,
            to: Some(to),
            words: format!("{} to {}, {right}", seconds(from), seconds(to)),
        })
    }));
    lanes
}

/// From seconds to places.
struct Scale {
    first: f64,
    last: f64,
}

impl Scale {
    fn of(lanes: &[Lane], strips: &[Strip]) -> Self {
        let of_strips = || strips.iter().map(Strip::ends).flat_map(|(first, last)| [first, last]);
        let of_lanes = || lanes.iter().flat_map(|l| [Some(l.from), l.to]).flatten();
        let ends = || of_lanes().chain(of_strips()).filter(|s| s.is_finite());
        let first = ends().fold(0.0, f64::min);
        Self { first, last: ends().fold(1.0, f64::max).max(first + 1.0) }
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + (seconds - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT)
    }

    /// Where the picture of time ends, and the words begin.
    fn end(&self) -> f64 {
        WIDTH - RIGHT
    }

    /// Round seconds, about five of them.
    fn ticks(&self) -> Vec<f64> {
        let rough = (self.last - self.first) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|k| k * power).into_iter().find(|s| *s >= rough).unwrap_or(rough);
        let begin = (self.first / step).ceil();
        (0..8).map(|k| (begin + f64::from(k)) * step).take_while(|tick| *tick <= self.last).collect()
    }
}

/// A place, without digits that nobody sees.
fn n(place: f64) -> String {
    format!("{place:.1}")
}

fn seconds(s: f64) -> String {
    say::seconds(s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_lane_each_in_seconds_after_the_injection() {
        let report = sample::with_rival();
        let drill = report.drills.iter().find(|d| d.fault == "revoked-iam").expect("it is there");
        let lanes = lanes(drill);
        let labels: Vec<_> = lanes.iter().map(|l| l.label.as_str()).collect();
        assert_eq!(labels, ["fault in force", "symptom", "builtin", "exec:a-tool-with-a-long-name"]);
        assert_eq!((lanes[0].from, lanes[0].to), (0.0, Some(5.0)));
        assert_eq!(lanes[1].from, 1.5);
    }

    #[test]
    fn without_an_injection_there_is_nothing_to_draw() {
        let report = sample::run();
        let skipped = report.drills.iter().find(|d| d.injected_at().is_none()).expect("one");
        assert!(timeline(skipped, &[]).into_string().is_empty());
    }

    #[test]
    fn ticks_are_round_and_in_the_picture() {
        for (first, last) in [(0.0, 1.0), (-2.5, 31.0), (0.0, 600.0)] {
            let scale = Scale { first, last };
            let ticks = scale.ticks();
            assert!((2..=8).contains(&ticks.len()), "{ticks:?}");
            assert!(ticks.iter().all(|t| scale.x(*t) >= LEFT - 0.1 && scale.x(*t) <= WIDTH - RIGHT));
        }
    }
}
