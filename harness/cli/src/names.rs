//! Values of options that several commands share.

use loopdrill_model::{Group, Loop};

/// How a command prints its result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}

/// A loop's name as an option's value.
pub(crate) fn control_loop(name: &str) -> Result<Loop, String> {
    let mut all = Loop::DRILLED.into_iter().chain([Loop::Workload]);
    let known = || Loop::DRILLED.map(Loop::name).join(", ");
    all.find(|l| l.name() == name).ok_or_else(|| format!("the loops are {} and workload", known()))
}

/// Sets of drills as an option's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Groups {
    /// The canonical faults in their variants
    Canonical,
    /// Conditions with the same symptom and another cause
    Decoys,
    /// One cause in several loops, and several causes at once
    Dominoes,
    /// Everything
    All,
}

impl Groups {
    /// The groups that the word names.
    pub(crate) fn all(self) -> &'static [Group] {
        match self {
            Groups::Canonical => &[Group::Canonical],
            Groups::Decoys => &[Group::Decoy],
            Groups::Dominoes => &[Group::Domino],
            Groups::All => &Group::ALL,
        }
    }
}
