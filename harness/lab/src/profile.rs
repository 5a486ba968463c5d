//! Profiles: what runs in a lab, as a bad and as a good example for the readiness checklist.
//!
//! The manifests lie in `suites/profiles` for people to read, and are part of this binary.

use crate::{LabError, LabSpec, NodeSpec, Role, apply, ready};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::Node,
};
use kube::{Api, Client, api::ListParams};
use loopdrill_model::{Timestamp, named};

/// Where both profiles run their applications, and the hardened one its headroom.
const NAMESPACES: [&str; 2] = ["shop", "kube-system"];

named! {
    /// A profile.
    pub enum Profile {
        /// Breaks nearly every check.
        Naive = "naive",
        /// Fails none.
        Hardened = "hardened",
    }
}

impl Profile {
    /// Its manifests, with the places of what only the lab knows.
    #[must_use]
    pub const fn manifests(self) -> &'static [&'static str] {
        match self {
            Profile::Naive => &[include_str!("../../../suites/profiles/naive/shop.yaml")],
            Profile::Hardened => &[
                include_str!("../../../suites/profiles/hardened/platform.yaml"),
                include_str!("../../../suites/profiles/hardened/web.yaml"),
                include_str!("../../../suites/profiles/hardened/orders.yaml"),
                include_str!("../../../suites/profiles/hardened/headroom.yaml"),
            ],
        }
    }

    /// The MTU of its pods, where it is not the overlay's. What IPv6 demands of every link leaves 170 bytes for whatever
    /// else may wrap a packet on its way, so a path that narrows by less carries everything that pods send.
    pub(crate) const fn pod_mtu(self) -> Option<u32> {
        match self {
            Profile::Naive => None,
            Profile::Hardened => Some(1280),
        }
    }

    /// Whether its nodes pull with a credential of their own, beside those of the pods.
    pub(crate) fn nodes_may_pull(self) -> bool {
        self == Profile::Hardened
    }

    /// The nodes that it wants where the specification names none: the hardened one has a second worker in each zone.
    #[must_use]
    pub fn spec(self, name: &str) -> LabSpec {
        let mut spec = LabSpec::named(name);
        if self == Profile::Hardened {
            spec.nodes.push(NodeSpec::new(Role::Worker, "a"));
            spec.nodes.push(NodeSpec::new(Role::Worker, "b"));
        }
        spec
    }
}

/// Applies a profile and waits until all of it runs.
pub(crate) async fn install(client: &Client, image: &str, profile: Profile) -> Result<(), LabError> {
    let memory = most_memory(client).await?;
    let expires = in_ninety_days();
    for text in profile.manifests() {
        let text = text.replace("${IMAGE}", image).replace("${MOST_MEMORY}", &memory.to_string());
        apply::all(client, apply::parse(&text.replace("${EXPIRES}", &expires))?).await?;
    }
    ready::until(&format!("the {} profile is", profile.name()), || async {
        for namespace in NAMESPACES {
            let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
            let sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
            let deployments = deployments.list(&ListParams::default()).await?;
            let sets = sets.list(&ListParams::default()).await?;
            if !(deployments.iter().all(ready::is_available) && sets.iter().all(is_complete)) {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await
}

fn is_complete(set: &StatefulSet) -> bool {
    let wanted = set.spec.replicas.unwrap_or(1);
    set.status.as_ref().is_some_and(|s| s.ready_replicas == Some(wanted))
}

/// 96 % of what the smallest worker can give, in bytes.
async fn most_memory(client: &Client) -> Result<u64, LabError> {
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await;
    let nodes = nodes.map_err(|e| LabError::kube("list nodes", e))?;
    let facts = nodes.iter().map(crate::probe::node_facts);
    let least = facts.filter(|n| n.schedulable).map(|n| n.allocatable.memory_bytes).min();
    Ok(least.unwrap_or(0) / 100 * 96)
}

fn in_ninety_days() -> String {
    let days = jiff::SignedDuration::from_hours(90 * 24);
    let at = Timestamp::now().checked_add(days).unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_well_formed_and_use_the_labs_own_image() {
        for profile in Profile::ALL {
            for text in profile.manifests() {
                let objects = apply::parse(&text.replace("${MOST_MEMORY}", "1")).expect("valid YAML");
                assert!(!objects.is_empty());
                let images = text.lines().filter(|l| l.trim_start().starts_with("image:"));
                assert!(images.map(str::trim).all(|l| l == "image: ${IMAGE}"), "{}", profile.name());
            }
        }
    }

    #[test]
    fn the_hardened_profile_has_two_workers_in_each_zone() {
        let spec = Profile::Hardened.spec("x");
        for zone in ["a", "b"] {
            let workers = spec.nodes.iter().filter(|n| n.role == Role::Worker && n.zone == zone).count();
            assert_eq!(workers, 2, "{zone}");
        }
        assert_eq!(in_ninety_days().len(), 10);
    }
}
