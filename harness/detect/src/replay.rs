//! The built-in detector again, from a recording.

use crate::core::{Core, digest};
use loopdrill_model::{Diagnoses, Timestamp};
use loopdrill_observe::record::Entry;

/// A moment at which the detector judged.
#[derive(Debug, Clone)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What it published; nothing as long as the cluster had not been listed.
    pub document: Option<Diagnoses>,
    /// Whether it published the same then, byte for byte.
    pub is_as_recorded: bool,
}

/// Plays a recording, line by line.
#[derive(Debug, Default)]
pub struct Player(Core);

impl Player {
    /// Takes one line in. Marks change nothing.
    pub fn play(&mut self, entry: &Entry) -> Option<Moment> {
        match entry {
            Entry::Seen(observation) => {
                self.0.take(observation);
                None
            }
            Entry::Judged(judged) => {
                let document = self.0.judge(judged.at, judged.partial).document;
                let is_as_recorded = document.as_ref().map(digest) == judged.document;
                Some(Moment { at: judged.at, document, is_as_recorded })
            }
            Entry::Mark(_) => None,
        }
    }
}
