//! The commands, one file each.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod lab;
pub(crate) mod list;
pub(crate) mod run;
pub(crate) mod undo;
