//! What failing containers said, in their newest lives.

use loopdrill_model::{Timestamp, signal::*};
use std::collections::BTreeMap;

/// A clue with the time at which it was first heard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeenClue {
    pub(crate) clue: Clue,
    pub(crate) at: Timestamp,
}

/// Clues by pod's uid and container, then by life.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clues {
    heard: BTreeMap<(String, String), BTreeMap<u32, Vec<SeenClue>>>,
}

/// Lives of one container whose words are remembered.
const MOST_LIVES: usize = 2;
/// Clues of one life.
const MOST_CLUES: usize = 16;
/// Containers whose words are remembered; more are a flood.
const MOST_CONTAINERS: usize = 2_000;

impl Clues {
    pub(crate) fn put(&mut self, clue: &Clue, at: Timestamp) {
        let key = (clue.uid.clone(), clue.container.clone());
        if self.heard.len() >= MOST_CONTAINERS && !self.heard.contains_key(&key) {
            return;
        }
        let lives = self.heard.entry(key).or_default();
        let said = lives.entry(clue.restarts).or_default();
        let room = said.len() < MOST_CLUES;
        match said.iter_mut().find(|s| s.clue.kind == clue.kind) {
            Some(known) => {
                known.at = known.at.min(at);
                known.clue.lines_after = known.clue.lines_after.min(clue.lines_after);
            }
            None if room => said.push(SeenClue { clue: clue.clone(), at }),
            None => {}
        }
        // One order, however they arrived.
        said.sort_by(|a, b| (a.clue.lines_after, &a.clue.kind).cmp(&(b.clue.lines_after, &b.clue.kind)));
        while lives.len() > MOST_LIVES {
            lives.pop_first();
        }
    }

    /// Forgets what the containers of a pod said.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.heard.retain(|(pod, _), _| pod != uid);
    }

    /// The containers of which anything is known: pod's uid and name.
    pub(crate) fn heard_of(&self) -> impl Iterator<Item = (&String, &String)> {
        self.heard.keys().map(|(uid, container)| (uid, container))
    }

    /// What the container said in its newest life of which anything is known, what it said last first.
    pub(crate) fn of(&self, uid: &str, container: &str) -> &[SeenClue] {
        let lives = self.heard.get(&(uid.to_owned(), container.to_owned()));
        lives.and_then(|l| l.values().next_back()).map_or(&[], Vec::as_slice)
    }
}
