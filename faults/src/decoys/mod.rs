//! Decoys: conditions with the symptom of a canonical fault and another cause. A detector that says "identity" to
//! every crash loop is wrong here.
//!
//! | looks like | file | and is in truth |
//! |---|---|---|
//! | revoked IAM | `logs` | old, noisy and quoted lines of a log, an expired certificate, a misspelt Service, a missing key, command or port |
//! | revoked IAM | `identity` | a bad flag, a failing probe, too little memory, a missing tag, a silent registry, a token for somebody else |
//! | a revoked cloud role | `identity`, `cloud` | a cloud that does not answer or throttles, another endpoint, a wrong clock |
//! | request fragmentation | `compute` | a selector without nodes, true exhaustion, a quota, a LimitRange, a policy, a missing claim or account, a port or a node that is taken |
//! | lowered overlay MTU | `network`, `node_dns` | a filter, loss at every size, no DNS, none on one node, no endpoint, a slow backend |
//! | cross-AZ PVC | `storage` | a missing class, a class that asks for the impossible, a missing ConfigMap, a claim for one pod alone, a full scratch space, a read-only root, nothing at all |
//! | throttled etcd disk, API latency | `control_plane`, `webhook`, `slow_webhook`, `own_limit` | a webhook that is not there, not trusted or slow; too many clients; a client that holds itself back |
//!
//! Most are a few objects that are wrong by themselves: a [`condition::Condition`] says which, and what is then seen of
//! them. Those of `network` and `cloud` do something to a healthy victim: an entry of a table each. One more decoy is
//! one more entry.

pub(crate) mod certificate;
mod cloud;
mod compute;
mod condition;
mod control_plane;
mod hammer;
mod identity;
mod logs;
mod network;
mod node_dns;
mod own_limit;
pub(crate) mod slow_webhook;
mod storage;
pub(crate) mod webhook;

use crate::Fault;
use condition::drills;
pub(crate) use hammer::hammer_forever;
use std::sync::Arc;

/// All decoys, in the order of the loops that they look like.
#[must_use]
pub fn variants() -> Vec<Arc<dyn Fault>> {
    let mut all: Vec<Arc<dyn Fault>> = Vec::new();
    all.extend(drills(identity::CONDITIONS));
    all.extend(drills(logs::CONDITIONS));
    all.extend(cloud::variants());
    all.extend(drills(compute::CONDITIONS));
    all.extend(network::variants());
    all.push(node_dns::drill());
    all.extend(drills(storage::CONDITIONS));
    all.extend(drills(control_plane::CONDITIONS));
    all.extend(webhook::variants());
    all.push(slow_webhook::drill());
    all.push(own_limit::drill());
    all.push(control_plane::overload());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        FaultContext, object::testing::FakeApi, victim::place::tests::facts, victim::testing::context,
    };
    use loopdrill_cluster::{ClusterFacts, RegistryFacts, StorageFacts};
    use loopdrill_model::Group;
    use std::collections::{BTreeMap, BTreeSet};

    fn lab() -> FaultContext {
        let registry = RegistryFacts {
            host: "r:5000".into(),
            node: "x".into(),
            htpasswd: "/f".into(),
            pull_secret: ("n".into(), "s".into()),
            image: "r:5000/team/app:1".into(),
        };
        let storage = StorageFacts { driver: "disk.example.com".into(), wait_class: "wait".into() };
        let facts = facts(&[("x", Some("a")), ("y", Some("b"))]);
        let mut facts = ClusterFacts { registry: Some(registry), storage: Some(storage), ..facts };
        facts.take_cloud(Ok(crate::revoked_iam::aws::tests::account()));
        context(&FakeApi::default(), facts)
    }

    #[test]
    fn each_loop_has_three_at_least_and_each_has_a_name_of_its_own() {
        let mut by_fault = BTreeMap::<&str, BTreeSet<&str>>::new();
        let all = variants();
        for spec in all.iter().map(|f| f.spec()) {
            assert_eq!(spec.group, Group::Decoy, "{}", spec.id());
            assert!(by_fault.entry(spec.fault).or_default().insert(spec.variant), "{} twice", spec.id());
        }
        assert_eq!(by_fault.len(), 5);
        assert!(by_fault.values().all(|variants| variants.len() >= 3), "{by_fault:?}");
        assert!(all.len() >= 15);
    }

    /// Most decoys belong to another loop than the one whose symptom they show, so that a detector that blames the loop
    /// of the symptom fails.
    #[test]
    fn the_loop_of_the_symptom_is_mostly_the_wrong_answer() {
        let all = variants();
        let looks_like = |fault: &str| fault.trim_end_matches("-decoy").to_owned();
        let right = all.iter().map(|f| f.spec()).filter(|spec| {
            spec.expectation().control_loop().is_some_and(|l| l.name() == looks_like(spec.fault))
        });
        // Some share the loop and differ in the cause.
        assert!(right.count() * 2 <= all.len() + 2);
    }

    #[tokio::test]
    async fn every_condition_builds_its_objects() {
        let ctx = lab();
        for conditions in [
            identity::CONDITIONS,
            logs::CONDITIONS,
            compute::CONDITIONS,
            storage::CONDITIONS,
            control_plane::CONDITIONS,
        ] {
            for condition in conditions {
                let objects = (condition.objects)(&condition::Site { ctx: &ctx });
                let objects = objects.unwrap_or_else(|e| panic!("{}: {e}", condition.spec.id()));
                assert!(!objects.is_empty(), "{}", condition.spec.id());
                for object in &objects {
                    let home = object.object.namespace.as_deref();
                    assert!(home.is_none_or(|n| n == ctx.namespace), "{}", object.object);
                    // What has no namespace must not be taken for another run's.
                    assert!(
                        home.is_some() || object.object.name.ends_with(&ctx.target.run),
                        "{}",
                        object.object
                    );
                }
            }
        }
    }

    #[tokio::test]
    async fn an_image_without_a_tag_cannot_have_a_wrong_one() {
        let mut ctx = lab();
        let target = std::sync::Arc::get_mut(&mut ctx.target).expect("nobody else has it");
        let mut facts = (*target.facts).clone();
        facts.registry.as_mut().expect("set above").image = "r:5000/team/app".into();
        target.facts = std::sync::Arc::new(facts);
        let missing =
            identity::CONDITIONS.iter().find(|c| c.spec.variant == "missing-tag").expect("is there");
        assert!((missing.objects)(&condition::Site { ctx: &ctx }).is_err());
    }
}
