//! A role of the cloud is revoked, in the three ways in which operators and attackers do it.
//!
//! | variant | what happens to the role | whom it hits |
//! |---|---|---|
//! | `aws-session` | a deny policy for sessions that began before now, as AWS' console adds it | sessions that exist |
//! | `aws-trust` | its trust policy is replaced | whoever starts or renews |
//! | `aws-policy` | its managed policies are detached, its inline ones deleted | everybody at once |
//!
//! The victim is the same: it takes the role on with its ServiceAccount's token, as pods on EKS do, and reads an
//! object in a loop. For `aws-session` it keeps its session beside the container, as command-line tools do, so that
//! a container that starts anew comes with the revoked one.
//!
//! [`static_key`] is the same revocation with two victims: one with a projected token, one with a key in a Secret.

mod documents;
mod reader;
mod revoked;
mod static_key;

use crate::Fault;
#[cfg(test)]
pub(crate) use reader::tests;
pub(crate) use reader::{Reader, account, cloud, footprint, token, token_for};
use std::sync::Arc;

/// All of them.
pub(super) fn variants() -> impl Iterator<Item = Arc<dyn Fault>> {
    revoked::variants().chain([Arc::new(static_key::StaticKey) as Arc<dyn Fault>])
}

#[cfg(test)]
mod all {
    use super::{tests::lab, variants};
    use loopdrill_cluster::ClusterFacts;
    use loopdrill_model::Capability;

    #[test]
    fn a_role_is_broken_by_one_drill_at_a_time_and_named_in_the_dry_run() {
        for fault in variants() {
            let mine = fault.footprint(&lab());
            let broken: Vec<_> = mine.broken().map(ToString::to_string).collect();
            assert_eq!(broken, ["cloud role victim"], "{}", fault.spec().id());
            assert!(mine.overlaps(&mine.clone()));
            assert!(
                fault.dry_run(&lab())[0].contains("role victim of account 123456789012"),
                "{}",
                fault.spec().id()
            );
            assert!(!ClusterFacts::default().has(&Capability::CloudIdentity));
            assert!(fault.spec().needs.iter().all(|need| lab().has(need)));
        }
    }
}
