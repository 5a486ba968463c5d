//! The victims: small workloads that show a symptom by themselves, and what faults need to run them.
//!
//! [`Workload`] and [`until`] are the outside: how a victim is started, waited for and read. The inside is programs
//! that several faults share; [`crate::programs`] names all.

mod account;
pub(crate) mod api_caller;
pub(crate) mod caller;
pub(crate) mod cloud_reader;
pub(crate) mod disk_writer;
pub(crate) mod dns_forwarder;
pub(crate) mod filler;
pub(crate) mod holder;
pub(crate) mod http_server;
pub(crate) mod memory_eater;
pub mod place;
mod pods;
pub(crate) mod pulse;
mod ready;
pub(crate) mod service;
pub(crate) mod teller;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod tls;
mod wait;
mod workload;

pub use disk_writer::records_found;
pub use pods::{create, delete_pods, log_of, pods_of, scale, unscheduled, wait_ready};
pub use wait::{Seen, until};
pub use workload::{Claim, READY_PORT, VICTIM_LABEL, Workload};
pub(crate) use {
    account::account,
    pods::{api, describe, is_ready, look_at_all, newest, wait_for_namespace},
    workload::{metadata, typed},
};
