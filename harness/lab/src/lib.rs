//! Labs: real Kubernetes clusters on this machine, whose nodes are containers.
//!
//! A lab is a kind cluster: its nodes carry kind's labels and run an image with the contract of `kindest/node`, so
//! the `kind` CLI lists, loads images into and deletes it. The other way round, a cluster that the `kind` CLI made
//! can be attached to.
//!
//! Invariants:
//! - whatever `Lab::up` started is gone again when it fails, is cancelled or is dropped;
//! - a container always says by label which process made it, so a sweep finds what a dead process left;
//! - what is not ours (a kind cluster, a network that was there before) is never removed.

mod addons;
mod apply;
mod boot;
mod bundle;
pub mod cloud;
mod engine;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod image;
mod inventory;
mod kubeadm;
mod kubeconfig;
mod lab;
pub mod labels;
pub mod lease;
mod make;
pub mod monitoring;
mod node;
pub mod node_image;
mod nodes;
pub mod owner;
mod planned;
mod probe;
mod profile;
mod reach;
mod ready;
mod registry;
mod spec;
pub mod state;
mod teardown;
mod warm;

pub use engine::Engine;
pub use error::LabError;
pub use image::{AGENT, Account, PodImage, PushError, push};
pub use inventory::{LabSummary, kubeconfig, list};
pub use lab::{Lab, UpOptions};
pub use nodes::DockerNodes;
pub use planned::planned_facts;
pub use probe::probe;
pub use profile::Profile;
pub use reach::reach;
pub use spec::{LabSpec, NodeSpec, Role};
pub use state::folder;
pub use teardown::sweep;
pub use warm::{is_stopped, matching};

/// Hears what is going on, one line a phase.
pub type Progress = std::sync::Arc<dyn Fn(&str) + Send + Sync>;

/// The minor version of Kubernetes that labs run.
pub const KUBERNETES: &str = "v1.37";
