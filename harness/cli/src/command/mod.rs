//! The commands, one file each.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod diagnose;
pub(crate) mod lab;
pub(crate) mod list;
pub(crate) mod rbac;
pub(crate) mod readiness;
pub(crate) mod replay;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod undo;
