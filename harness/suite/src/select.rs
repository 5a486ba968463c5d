//! The drills of a suite.

use crate::{Expected, Known, Suite};

/// A drill of a suite, and how it must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The drill.
    pub drill: Known,
    /// How it must end.
    pub expected: Expected,
}

impl Suite {
    /// The drills in the order in which the entries name them, each once. The last entry that selects a drill says how
    /// it must end, so a suite can name a set and then its exceptions.
    #[must_use]
    pub fn select(&self, known: &[Known]) -> Vec<Selected> {
        let mut selected: Vec<Selected> = Vec::new();
        for entry in &self.drills {
            for drill in known.iter().filter(|k| entry.selects(k)) {
                match selected.iter_mut().find(|s| s.drill == *drill) {
                    Some(before) => before.expected = entry.expect.clone(),
                    None => selected.push(Selected { drill: drill.clone(), expected: entry.expect.clone() }),
                }
            }
        }
        selected
    }
}
