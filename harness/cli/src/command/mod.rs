//! The commands, one file each.

pub(crate) mod abort;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod diagnose;
pub(crate) mod explain;
pub(crate) mod gate;
pub(crate) mod image;
pub(crate) mod lab;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod rbac;
pub(crate) mod readiness;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod suite;
pub(crate) mod target;
pub(crate) mod undo;
