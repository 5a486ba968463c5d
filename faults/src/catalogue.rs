//! All faults in all variants, in the order in which they are reported.

use crate::{
    Fault, api_latency, cross_az_pvc, decoys, dominoes, etcd_disk, overlay_mtu, request_fragmentation,
    revoked_iam,
};
use loopdrill_model::Capability;
use std::sync::Arc;

/// All that need no cloud account.
#[must_use]
pub fn catalogue() -> Vec<Arc<dyn Fault>> {
    everything().into_iter().filter(|f| !needs_cloud(&**f)).collect()
}

/// What a run with a cloud account has besides.
#[must_use]
pub fn cloud_catalogue() -> Vec<Arc<dyn Fault>> {
    everything().into_iter().filter(|f| needs_cloud(&**f)).collect()
}

fn needs_cloud(fault: &dyn Fault) -> bool {
    fault.spec().needs.contains(&Capability::CloudIdentity)
}

fn everything() -> Vec<Arc<dyn Fault>> {
    let folders = [
        revoked_iam::variants,
        request_fragmentation::variants,
        overlay_mtu::variants,
        cross_az_pvc::variants,
        etcd_disk::variants,
        api_latency::variants,
        decoys::variants,
        dominoes::variants,
    ];
    folders.into_iter().flat_map(|variants| variants()).collect()
}

#[cfg(test)]
mod tests;
