//! What rules find, before findings are compared with each other.

use crate::world::World;
use loopdrill_model::{Cause, ChainLink, Diagnosis, Evidence, Source, Subject, Timestamp};
use std::{cell::Cell, collections::BTreeMap};

/// Subjects named in one finding; more would help nobody.
const MOST_SUBJECTS: usize = 24;
/// Facts told of one finding that was made of many.
const MOST_EVIDENCE: usize = 12;
/// Seconds for which a proven mechanism must last: shorter than any budget, longer than a reshuffle.
pub(crate) const PROVEN: f64 = 0.7;

/// What a finding rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Basis {
    /// What the cluster shows.
    #[default]
    Observed,
    /// What a failing container said, and the cluster confirms or makes likely: it explains why its pods fail.
    Clue,
    /// What a failing container said, and nothing else: it explains nothing.
    Weak,
}

/// One cause with its evidence.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) cause: Cause,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) confidence: f64,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) chain: Vec<ChainLink>,
    pub(crate) since: Timestamp,
    /// Of a node: its machine is gone, and not only its kubelet silent.
    pub(crate) gone: bool,
    /// Somebody said why, and it is nothing that being late brings about: a certificate, an argument, a file.
    pub(crate) said_why: bool,
    pub(crate) basis: Basis,
}

impl Finding {
    /// A finding whose first evidence was seen at `since`.
    pub(crate) fn new(cause: Cause, confidence: f64, since: Timestamp) -> Self {
        Self {
            cause,
            subjects: Vec::new(),
            confidence,
            evidence: Vec::new(),
            chain: Vec::new(),
            since,
            gone: false,
            said_why: false,
            basis: Basis::Observed,
        }
    }

    pub(crate) fn about(mut self, subjects: impl IntoIterator<Item = Subject>) -> Self {
        for subject in subjects {
            if self.subjects.len() >= MOST_SUBJECTS {
                break;
            }
            self.add_subject(subject);
        }
        self
    }

    pub(crate) fn add_subject(&mut self, subject: Subject) {
        if self.subjects.len() < MOST_SUBJECTS && !self.subjects.contains(&subject) {
            self.subjects.push(subject);
        }
    }

    pub(crate) fn proven_by(
        mut self,
        signal: impl Into<String>,
        value: impl Into<String>,
        at: Timestamp,
        source: &Source,
    ) -> Self {
        self.evidence.push(Evidence::new(signal, value, at, source.clone()));
        self
    }

    pub(crate) fn leading_to(mut self, links: impl IntoIterator<Item = ChainLink>) -> Self {
        self.chain.extend(links);
        self
    }

    /// Takes in another finding of the same cause: what it is about, since when, and the first of its evidence.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.since = self.since.min(other.since);
        self.gone |= other.gone;
        self.said_why |= other.said_why;
        if self.evidence.len() < MOST_EVIDENCE {
            self.evidence.extend(other.evidence.into_iter().take(1));
        }
        other.subjects.into_iter().for_each(|s| self.add_subject(s));
    }

    pub(crate) fn has(&self, subject: &Subject) -> bool {
        self.subjects.contains(subject)
    }

    pub(crate) fn into_diagnosis(self, at: Timestamp) -> Diagnosis {
        Diagnosis {
            control_loop: self.cause.control_loop(),
            cause: Some(self.cause),
            subjects: self.subjects,
            confidence: (self.confidence.clamp(0.0, 0.99) * 100.0).round() / 100.0,
            evidence: self.evidence,
            chain: self.chain,
            first_evidence_at: self.since,
            diagnosed_at: at,
        }
    }
}

/// A step of a chain.
pub(crate) fn link(cause: Cause, what: impl Into<String>, subjects: Vec<Subject>) -> ChainLink {
    ChainLink { control_loop: cause.control_loop(), what: what.into(), subjects }
}

/// The findings of all rules. Those of one cause and one group become one.
pub(crate) struct Findings<'w> {
    world: &'w World,
    found: Vec<Finding>,
    /// Where in `found` the finding of a cause and group is.
    places: BTreeMap<(Cause, String), usize>,
    held_back: Cell<bool>,
}

impl<'w> Findings<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self { world, found: Vec::new(), places: BTreeMap::new(), held_back: Cell::new(false) }
    }

    /// Whether something lasts for at least `seconds` since `since` (in the observer's time). When it does
    /// not yet, the judgement is unsettled.
    pub(crate) fn lasts(&self, since: Timestamp, seconds: f64) -> bool {
        let lasts = self.world.age(since) >= seconds;
        if !lasts {
            self.held_back.set(true);
        }
        lasts
    }

    /// Something may be about to be found: the judgement is unsettled.
    pub(crate) fn hold_back(&self) {
        self.held_back.set(true);
    }

    /// Adds a finding, merged with the one of the same cause and `group` when there is one.
    pub(crate) fn add(&mut self, group: impl Into<String>, finding: Finding) {
        let place = *self.places.entry((finding.cause, group.into())).or_insert(self.found.len());
        let Some(known) = self.found.get_mut(place) else {
            self.found.push(finding);
            return;
        };
        known.since = known.since.min(finding.since);
        known.said_why |= finding.said_why;
        if finding.basis == Basis::Clue {
            known.basis = Basis::Clue;
        }
        if finding.confidence > known.confidence {
            known.confidence = finding.confidence;
            known.evidence = finding.evidence;
            known.chain = finding.chain;
        }
        let (pods, rest): (Vec<_>, Vec<_>) =
            finding.subjects.into_iter().partition(|s| s.kind == "Pod" && !known.subjects.contains(s));
        let place = known.subjects.iter().position(|s| s.kind != "Pod").unwrap_or(known.subjects.len());
        if known.subjects.len() < MOST_SUBJECTS {
            known.subjects.splice(place..place, pods);
        }
        rest.into_iter().for_each(|s| known.add_subject(s));
    }

    pub(crate) fn held_back(&self) -> bool {
        self.held_back.get()
    }

    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.found
    }
}

/// A pod as a subject.
pub(crate) fn pod_subject(pod: &loopdrill_model::signal::Pod) -> Subject {
    Subject::new("Pod", &pod.namespace, &pod.name)
}

/// A node as a subject.
pub(crate) fn node_subject(name: &str) -> Subject {
    Subject::new("Node", "", name)
}

/// The first words of a message, enough to recognise it.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.trim().replace('\n', " ");
    match line.char_indices().nth(240) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
