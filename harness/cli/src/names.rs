//! Values of options that several commands share.

use loopdrill_model::Loop;

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
    let known = || Loop::DRILLED.map(Loop::name).join(", ");
    Loop::DRILLED.into_iter().find(|l| l.name() == name).ok_or_else(|| format!("the loops are {}", known()))
}
