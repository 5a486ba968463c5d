//! The messages of CSI 1.x that the driver uses.

mod controller;
mod identity;
mod node;
mod volume;

pub(crate) use controller::*;
pub(crate) use identity::*;
pub(crate) use node::*;
pub(crate) use volume::*;
