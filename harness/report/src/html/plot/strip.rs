//! A strip of the drawing: how one signal went, with the value at which the rule's answer turns as a dashed line. The words
//! beside it say the same.

use super::{LEFT, Scale, n, seconds};
use crate::{html::text, say};
use jiff::Timestamp;
use loopdrill_model::{Course, Trace};
use maud::{Markup, html as markup};

/// Place of a strip for its name.
const NAME: f64 = 18.0;
/// Height of a line's field, and of a row of moments.
const FIELD: f64 = 44.0;
const ROW: f64 = 16.0;
const GAP: f64 = 8.0;

/// A strip, in seconds after the injection.
#[derive(Debug, PartialEq)]
pub(super) struct Strip {
    name: String,
    content: Content,
    /// Lines of words beside it.
    words: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum Content {
    Line { pieces: Vec<Vec<(f64, f64)>>, threshold: Option<f64>, top: f64 },
    Moments(Vec<f64>),
}

impl Strip {
    pub(super) fn of(trace: &Trace, zero: Timestamp) -> Option<Self> {
        let after = |at: &Timestamp| at.duration_since(zero).as_secs_f64();
        match &trace.course {
            Course::Moments(moments) => {
                let moments: Vec<_> = moments.iter().map(after).collect();
                let (first, last) = (moments.first()?, moments.last()?);
                let words = match moments.len() {
                    1 => format!("at {}", seconds(*first)),
                    many => format!("{many} times, {} to {}", seconds(*first), seconds(*last)),
                };
                let name = text(&trace.signal);
                Some(Self { name, content: Content::Moments(moments), words: vec![words] })
            }
            Course::Line { what, unit, threshold, pieces } => {
                let points = |piece: &Vec<(Timestamp, f64)>| {
                    piece.iter().filter(|p| p.1.is_finite()).map(|(at, v)| (after(at), *v)).collect()
                };
                let pieces: Vec<Vec<_>> =
                    pieces.iter().map(points).filter(|p: &Vec<_>| !p.is_empty()).collect();
                let all = || pieces.iter().flatten().copied();
                let first = all().next()?.1;
                let low = all().reduce(|a, b| if b.1 < a.1 { b } else { a })?;
                let high = all().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
                let farthest = match first - low.1 > high.1 - first {
                    true => format!("lowest at {}", seconds(low.0)),
                    false => format!("highest at {}", seconds(high.0)),
                };
                let mut words = match amount(low.1) == amount(high.1) {
                    true => vec![with_unit(high.1, unit)],
                    false => vec![format!("{} to {}", amount(low.1), with_unit(high.1, unit)), farthest],
                };
                words.extend(threshold.map(|limit| format!("threshold {}", with_unit(limit, unit))));
                let top = threshold.unwrap_or(0.0).max(high.1);
                Some(Self {
                    name: format!("{}, {what}", text(&trace.signal)),
                    content: Content::Line { pieces, threshold: *threshold, top },
                    words,
                })
            }
        }
    }

    pub(super) fn height(&self) -> f64 {
        let field = match self.content {
            Content::Line { .. } => FIELD,
            Content::Moments(_) => ROW,
        };
        NAME + field + GAP
    }

    /// The first and the last moment of it.
    pub(super) fn ends(&self) -> (f64, f64) {
        let all: Vec<f64> = match &self.content {
            Content::Line { pieces, .. } => pieces.iter().flatten().map(|p| p.0).collect(),
            Content::Moments(moments) => moments.clone(),
        };
        all.iter().fold((0.0, 0.0), |(first, last), at| (at.min(first), at.max(last)))
    }

    pub(super) fn told(&self) -> String {
        format!("{}: {}", self.name, self.words.join(", "))
    }

    pub(super) fn draw(&self, y: f64, scale: &Scale) -> Markup {
        let field = y + NAME;
        markup! {
            text.words x="8" y=(n(y + 12.0)) { (say::cut(&self.name, 110)) }
            @match &self.content {
                Content::Line { pieces, threshold, top } => {
                    (line(pieces, *threshold, *top, field, scale))
                }
                Content::Moments(moments) => @for at in moments {
                    path.moment d=(format!("M{} {}l4 6l-4 6l-4 -6z", n(scale.x(*at)), n(field))) {}
                }
            }
            @for (at, words) in self.words.iter().enumerate() {
                text.words x=(n(scale.end() + 10.0)) y=(n(field + 11.0 + 16.0 * at as f64)) { (words) }
            }
        }
    }
}

fn line(pieces: &[Vec<(f64, f64)>], threshold: Option<f64>, top: f64, y: f64, scale: &Scale) -> Markup {
    let place = |value: f64| y + FIELD * (1.0 - value / top.max(f64::MIN_POSITIVE));
    markup! {
        text.axis x=(n(LEFT - 8.0)) y=(n(y + 9.0)) text-anchor="end" { (amount(top)) }
        text.axis x=(n(LEFT - 8.0)) y=(n(y + FIELD)) text-anchor="end" { "0" }
        line.grid x1=(n(LEFT)) x2=(n(scale.end())) y1=(n(y + FIELD)) y2=(n(y + FIELD)) {}
        @if let Some(limit) = threshold {
            line.threshold x1=(n(LEFT)) x2=(n(scale.end())) y1=(n(place(limit))) y2=(n(place(limit))) {}
        }
        @for piece in pieces {
            path.course d=(path(piece.iter().map(|(at, value)| (scale.x(*at), place(*value))))) {}
        }
    }
}

/// A point alone is drawn, too: as the end of a line of no length.
fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        path.push(if path.is_empty() { 'M' } else { 'L' });
        path.push_str(&format!("{} {}", n(x), n(y)));
    }
    path.push_str("h0");
    path
}

fn with_unit(value: f64, unit: &str) -> String {
    let space = if unit.is_empty() || unit.starts_with('/') { "" } else { " " };
    format!("{}{space}{unit}", amount(value))
}

/// A number, without digits that say nothing.
fn amount(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        small if small < 10.0 && small.fract() != 0.0 => 2,
        middle if middle < 100.0 && middle.fract() != 0.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use loopdrill_model::Source;

    fn trace(course: Course) -> Trace {
        Trace { signal: "fsync p99".into(), source: Source::metrics("etcd/n"), course }
    }

    fn line(pieces: Vec<Vec<(Timestamp, f64)>>, threshold: Option<f64>) -> Trace {
        trace(Course::Line { what: "over 3 s", unit: "ms", threshold, pieces })
    }

    #[test]
    fn a_line_says_how_far_it_went_and_what_it_is_held_to() {
        let pieces = vec![vec![(sample::at(-1000), 4.25), (sample::at(2000), 1014.3)]];
        let strip = Strip::of(&line(pieces, Some(100.0)), sample::at(0)).expect("a strip");
        assert_eq!(strip.told(), "fsync p99, over 3 s: 4.25 to 1014 ms, highest at 2.0 s, threshold 100 ms");
        assert_eq!(strip.ends(), (-1.0, 2.0));
        let drawn = strip.draw(0.0, &Scale { first: -1.0, last: 2.0 }).into_string();
        assert_eq!(drawn.matches("class=\"threshold\"").count(), 1);
        assert_eq!(drawn.matches("class=\"course\"").count(), 1);
    }

    #[test]
    fn of_a_line_that_falls_the_lowest_place_is_told() {
        let piece = vec![(sample::at(0), 1390.0), (sample::at(2500), 743.0), (sample::at(5000), 1400.0)];
        let strip = Strip::of(&line(vec![piece], None), sample::at(0)).expect("a strip");
        assert_eq!(strip.words, ["743 to 1400 ms", "lowest at 2.5 s"]);
    }

    #[test]
    fn a_threshold_above_the_line_is_in_the_picture() {
        let strip = Strip::of(&line(vec![vec![(sample::at(0), 1.0)]], Some(4.0)), sample::at(0));
        let strip = strip.expect("a strip");
        assert!(matches!(strip.content, Content::Line { top: 4.0, .. }), "{strip:?}");
        assert_eq!(strip.words, ["1 ms", "threshold 4 ms"]);
    }

    #[test]
    fn without_a_threshold_none_is_drawn() {
        let strip = Strip::of(&line(vec![vec![(sample::at(0), 1.0)]], None), sample::at(0)).expect("a strip");
        assert!(!strip.draw(0.0, &Scale { first: 0.0, last: 1.0 }).into_string().contains("threshold"));
    }

    #[test]
    fn where_a_value_is_not_known_there_is_no_line() {
        let pieces = vec![vec![(sample::at(0), 1.0)], vec![(sample::at(900), f64::NAN)], vec![]];
        let strip = Strip::of(&line(pieces, None), sample::at(0)).expect("a strip");
        let drawn = strip.draw(0.0, &Scale { first: 0.0, last: 1.0 }).into_string();
        assert_eq!(drawn.matches("<path").count(), 1);
        assert_eq!(Strip::of(&line(Vec::new(), Some(1.0)), sample::at(0)), None);
    }

    #[test]
    fn what_is_no_number_is_marked() {
        let course = Course::Moments(vec![sample::at(1000), sample::at(2500)]);
        let strip = Strip::of(&trace(course), sample::at(0)).expect("a strip");
        assert_eq!(strip.told(), "fsync p99: 2 times, 1.0 s to 2.5 s");
        let drawn = strip.draw(0.0, &Scale { first: 0.0, last: 3.0 }).into_string();
        assert_eq!(drawn.matches("class=\"moment\"").count(), 2);
    }

    #[test]
    fn amounts_have_the_digits_that_say_something() {
        for (value, told) in [(0.0, "0"), (0.123, "0.12"), (4.0, "4"), (12.34, "12.3"), (1014.3, "1014")] {
            assert_eq!(amount(value), told);
        }
    }
}
