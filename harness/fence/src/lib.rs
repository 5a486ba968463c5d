//! A cluster that is not ours is drilled within a fence: the target file names it, and says how far a drill may go.
//!
//! Pure: what was seen of the cluster and the date are handed in. Whatever is not allowed word for word is refused, and
//! each refusal says what to do next. Only the owner of the cluster can move the fence, by the file.

mod blast;
mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod guard;
mod init;
mod look_alike;
mod remedy;

pub use blast::{Touch, leave};
pub use file::{BlastRadius, Image, Nodes, PodSecurity, Production, Storage, TargetFile};
pub use guard::{ENVIRONMENT, Refusal, Seen, SeenNode, guard};
pub use init::init;
pub use remedy::remedy;
