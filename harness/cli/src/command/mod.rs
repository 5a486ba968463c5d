//! The commands, one file each.

pub(crate) mod completions;
pub(crate) mod lab;
pub(crate) mod list;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod undo;
