//! A role as it is, byte for byte, and the way from one state to another.

use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Everything of a role that decides what its sessions may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleState {
    /// Who may take it on: the trust policy's text as it is stored.
    pub trust: String,
    /// ARNs of the managed policies.
    pub attached: BTreeSet<String>,
    /// Inline policies: name and text as it is stored.
    pub inline: BTreeMap<String, String>,
    /// Its tags. Nothing here changes them; the snapshot shows when somebody did.
    pub tags: BTreeMap<String, String>,
}

/// One part of a role that can change by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The trust policy.
    Trust,
    /// A managed policy, by its ARN.
    Attached(String),
    /// An inline policy, by its name.
    Inline(String),
}

/// What brings one part from one state to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Store this trust policy.
    Trust(String),
    /// Attach the managed policy.
    Attach(String),
    /// Detach it.
    Detach(String),
    /// Store this inline policy.
    Put(String, String),
    /// Delete it.
    Delete(String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Trust => f.write_str("the trust policy"),
            Part::Attached(arn) => write!(f, "managed policy {arn}"),
            Part::Inline(name) => write!(f, "inline policy {name}"),
        }
    }
}

impl RoleState {
    /// What is there of one part: a policy's text, or the ARN of one that is attached.
    #[must_use]
    pub fn part(&self, part: &Part) -> Option<&str> {
        match part {
            Part::Trust => Some(&self.trust),
            Part::Attached(arn) => self.attached.get(arn).map(String::as_str),
            Part::Inline(name) => self.inline.get(name).map(String::as_str),
        }
    }

    /// The parts in which two states differ.
    #[must_use]
    pub fn parts_that_differ(&self, other: &Self) -> Vec<Part> {
        let trust = (self.trust != other.trust).then_some(Part::Trust);
        let attached = self.attached.symmetric_difference(&other.attached).cloned().map(Part::Attached);
        let names: BTreeSet<_> = self.inline.keys().chain(other.inline.keys()).collect();
        let inline = names.into_iter().filter(|n| self.inline.get(*n) != other.inline.get(*n));
        let inline = inline.cloned().map(Part::Inline);
        trust.into_iter().chain(attached).chain(inline).collect()
    }

    /// What brings `part` of `present` to what it is in this state; `None` when it is so already.
    #[must_use]
    pub fn edit(&self, part: &Part, present: &Self) -> Option<Edit> {
        if self.part(part) == present.part(part) {
            return None;
        }
        Some(match (part, self.part(part)) {
            (Part::Trust, text) => Edit::Trust(text.unwrap_or_default().into()),
            (Part::Attached(arn), Some(_)) => Edit::Attach(arn.clone()),
            (Part::Attached(arn), None) => Edit::Detach(arn.clone()),
            (Part::Inline(name), Some(text)) => Edit::Put(name.clone(), text.into()),
            (Part::Inline(name), None) => Edit::Delete(name.clone()),
        })
    }

    /// Characters of the inline policies as quotas count them: white space is free.
    #[must_use]
    pub fn inline_size(&self) -> usize {
        self.inline.values().map(|text| text.chars().filter(|c| !c.is_whitespace()).count()).sum()
    }
}

/// A policy's text for a message: whole where it is short.
#[must_use]
pub fn excerpt(text: Option<&str>) -> String {
    const MOST: usize = 1500;
    match text {
        None => "(none)".into(),
        Some(text) => match text.char_indices().nth(MOST) {
            Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
            None => text.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> RoleState {
        RoleState {
            trust: "t".into(),
            attached: ["a", "b"].map(String::from).into(),
            inline: [("x", "1"), ("y", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn edits_lead_there_and_back() {
        let before = state();
        let mut after = before.clone();
        after.trust = "T".into();
        after.attached.remove("a");
        after.inline.remove("x");
        after.inline.insert("y".into(), "3".into());
        after.inline.insert("z".into(), "4".into());
        let parts = before.parts_that_differ(&after);
        assert_eq!(parts.len(), 5);
        let edits = |to: &RoleState, from: &RoleState| -> Vec<_> {
            parts.iter().filter_map(|p| to.edit(p, from)).collect()
        };
        let there = edits(&after, &before);
        assert!(there.contains(&Edit::Detach("a".into())) && there.contains(&Edit::Delete("x".into())));
        let back = edits(&before, &after);
        assert!(
            back.contains(&Edit::Attach("a".into())) && back.contains(&Edit::Put("x".into(), "1".into()))
        );
        assert_eq!(edits(&before, &before), vec![]);
    }

    #[test]
    fn white_space_does_not_count_and_long_texts_are_cut() {
        let mut state = state();
        state.inline = [("x".to_owned(), " { } \n".to_owned())].into();
        assert_eq!(state.inline_size(), 2);
        assert!(excerpt(Some(&"é".repeat(3000))).ends_with("(6000 bytes)"));
        assert_eq!(excerpt(None), "(none)");
    }
}
