//! What came and went: the findings of a detector over time.

use crate::{
    Screen, advice,
    diagnosis::render,
    scorecard::{blame, labelled},
};
use loopdrill_model::{Diagnoses, Diagnosis, Examined, Timestamp, signal::SourceState};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Seconds for which a finding may be away and is still not said to have gone.
const GAP: f64 = 3.0;

/// A finding came or went.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is new.
    Came(Box<Diagnosis>),
    /// It is over, since then.
    Went(Box<Diagnosis>, Timestamp),
}

/// What a detector found, from its first document to its last.
#[derive(Debug, Default)]
pub struct Timeline {
    seen: Vec<Seen>,
    lost: BTreeMap<String, String>,
    works: BTreeSet<String>,
    as_of: Option<Timestamp>,
    examined: Option<Examined>,
}

#[derive(Debug)]
struct Seen {
    finding: Diagnosis,
    last_at: Timestamp,
    over: bool,
}

/// The document that `diagnose` and `replay` print.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// Present and past findings, those that lasted to the end first, by falling confidence.
    pub diagnoses: Vec<&'a Diagnosis>,
    /// The newest moment that was judged. Absent when nothing was seen: then silence proves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// What was looked at, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examined: Option<&'a Examined>,
    /// Which signals were not to be had in the end, and why.
    pub lacking: Vec<Lack<'a>>,
}

/// A source of signals that does not work.
#[derive(Debug, Serialize)]
pub struct Lack<'a> {
    /// Its name.
    pub source: &'a str,
    /// Why.
    pub why: &'a str,
}

impl Timeline {
    /// Takes in whether a source of signals works.
    pub fn source(&mut self, state: &SourceState) {
        match &state.lost {
            Some(why) => {
                self.lost.insert(state.name.to_string(), why.clone());
                self.works.remove(state.name.as_str());
            }
            None => {
                self.lost.remove(state.name.as_str());
                self.works.insert(state.name.to_string());
            }
        }
    }

    /// The sources of signals that work, by name.
    pub fn working(&self) -> impl Iterator<Item = &str> {
        self.works.iter().map(String::as_str)
    }

    /// Takes in what had been looked at.
    pub fn examined(&mut self, examined: Examined) {
        self.examined = Some(examined);
    }

    /// Takes in the next document, and says what changed with it.
    pub fn take(&mut self, document: &Diagnoses) -> Vec<Change> {
        let Some(now) = document.as_of else { return Vec::new() };
        self.as_of = Some(now);
        let mut changes = Vec::new();
        for d in &document.diagnoses {
            match self.seen.iter_mut().find(|s| !s.over && s.finding.is_same_finding(d)) {
                Some(seen) => (seen.finding, seen.last_at) = (d.clone(), now),
                None => {
                    self.seen.push(Seen { finding: d.clone(), last_at: now, over: false });
                    changes.push(Change::Came(Box::new(d.clone())));
                }
            }
        }
        for seen in self.seen.iter_mut().filter(|s| !s.over) {
            if now.duration_since(seen.last_at).as_secs_f64() > GAP {
                seen.over = true;
                changes.push(Change::Went(Box::new(seen.finding.clone()), seen.last_at));
            }
        }
        changes
    }

    /// Whether there was any finding.
    #[must_use]
    pub fn found(&self) -> bool {
        !self.seen.is_empty()
    }

    /// When the last document was made.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.as_of
    }

    /// All of it.
    #[must_use]
    pub fn document(&self) -> Document<'_> {
        let mut all: Vec<&Seen> = self.seen.iter().collect();
        all.sort_by(|a, b| a.over.cmp(&b.over).then(b.finding.confidence.total_cmp(&a.finding.confidence)));
        let lack = |(source, why)| Lack { source, why };
        Document {
            diagnoses: all.into_iter().map(|s| &s.finding).collect(),
            as_of: self.as_of,
            examined: self.examined.as_ref(),
            lacking: self.lost.iter().map(|(s, w)| (s.as_str(), w.as_str())).map(lack).collect(),
        }
    }
}

/// A change for people, with its time of day.
#[must_use]
pub fn render_change(change: &Change, screen: Screen) -> String {
    match change {
        Change::Came(d) => format!("{}\n{}", time_of_day(d.diagnosed_at), render_found(d, screen, "  ")),
        Change::Went(d, at) => format!("{}\n  over: {}\n", time_of_day(*at), blame(d)),
    }
}

/// A finding for people, with what to do next about it.
#[must_use]
pub fn render_found(finding: &Diagnosis, screen: Screen, indent: &str) -> String {
    let mut text = render(finding, screen, indent);
    if let Some(cause) = finding.cause {
        let next = advice(cause, &finding.subjects);
        let inner = format!("{indent}  ");
        text += &labelled("look", &next.look, screen, &inner);
        text += &labelled("mend", &next.mend, screen, &inner);
    }
    text
}

fn time_of_day(at: Timestamp) -> String {
    format!("{:.1}", at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%H:%M:%S.%1f UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use loopdrill_model::Source;

    fn at(seconds: i64, found: &[Diagnosis]) -> Diagnoses {
        Diagnoses { diagnoses: found.to_vec(), as_of: Some(sample::at(seconds * 1000)), trouble: Vec::new() }
    }

    #[test]
    fn a_finding_comes_once_and_goes_when_it_stays_away() {
        let (mut timeline, domino) = (Timeline::default(), sample::domino());
        assert_eq!(timeline.take(&at(0, &[])), []);
        let came = timeline.take(&at(1, std::slice::from_ref(&domino)));
        assert_eq!(came, [Change::Came(Box::new(domino.clone()))]);
        let surer = Diagnosis { confidence: 1.0, ..domino.clone() };
        assert_eq!(timeline.take(&at(2, std::slice::from_ref(&surer))), []);
        assert_eq!(timeline.take(&at(4, &[])), []);
        assert_eq!(timeline.take(&at(6, &[])), [Change::Went(Box::new(surer.clone()), sample::at(2000))]);
        assert_eq!(timeline.take(&at(7, std::slice::from_ref(&domino))).len(), 1, "it is back, and new");
        let all = timeline.document().diagnoses;
        assert_eq!(all, [&domino, &surer], "what lasts comes first");
    }

    #[test]
    fn nothing_seen_is_no_silence() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.take(&Diagnoses::default()), []);
        assert_eq!(timeline.document().as_of, None);
    }

    #[test]
    fn what_is_lacking_is_told_until_it_is_there() {
        let mut timeline = Timeline::default();
        let state =
            |lost: Option<&str>| SourceState { name: Source::api("nodes"), lost: lost.map(Into::into) };
        timeline.source(&state(Some("forbidden")));
        assert_eq!(timeline.document().lacking[0].why, "forbidden");
        timeline.source(&state(None));
        assert!(timeline.document().lacking.is_empty());
    }
}
