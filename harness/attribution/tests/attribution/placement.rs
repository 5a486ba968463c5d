//! Resources beside CPU and memory, and rules about nodes: what the scheduler counts, and what it asks of a node.

use crate::{scene::*, scenes::INSUFFICIENT};
use loopdrill_model::{Cause::*, Diagnosis, signal::*};

const GPU: &str = "nvidia.com/gpu";

/// On each worker `taken` of `all` of one resource are taken, and a pod wants `wanted`.
fn contended(resource: &str, all: u64, taken: u64, wanted: u64) -> Scene {
    let mut s = Scene::lab();
    for worker in ["w1", "w2"] {
        s.node(worker, |n| n.allocatable.set(resource, all));
        let node = s.name(worker);
        s.pod(&format!("filler-{worker}"), |p| {
            p.node = Some(node);
            p.requests.set(resource, taken);
        });
    }
    s.pass(5.0);
    s.unscheduled("victim", INSUFFICIENT, |p| p.requests.set(resource, wanted));
    s.pass(1.0);
    s
}

fn says(found: &[Diagnosis], words: &str) -> bool {
    found.iter().flat_map(|d| &d.evidence).any(|e| e.value.contains(words))
}

#[test]
fn every_resource_can_be_fragmented() {
    for resource in [GPU, "ephemeral-storage", "hugepages-2Mi"] {
        let s = contended(resource, 4, 2, 3);
        assert_eq!(s.causes(), [Fragmentation], "{resource}");
        assert!(says(&s.diagnoses(), &format!("3 {resource}; free in sum")), "{:?}", s.diagnoses());
    }
}

#[test]
fn every_resource_can_be_exhausted() {
    for (resource, taken, wanted) in [(GPU, 4, 1), ("ephemeral-storage", 3, 3), (GPU, 0, 5)] {
        assert_eq!(contended(resource, 4, taken, wanted).causes(), [Exhaustion], "{resource}");
    }
}

#[test]
fn a_node_takes_as_many_pods_as_its_kubelet_runs() {
    let s = contended("pods", 10, 10, 1);
    assert_eq!(s.causes(), [Exhaustion]);
    assert!(says(&s.diagnoses(), ", 0 pods"), "{:?}", s.diagnoses());
}

#[test]
fn what_no_node_offers_is_exhausted_beside_empty_nodes() {
    let mut s = Scene::lab();
    s.unscheduled("victim", "0/3 nodes are available: 3 Insufficient example.com/dongle.", |p| {
        p.requests.set("example.com/dongle", 1);
    });
    s.pass(1.0);
    assert_eq!(s.causes(), [Exhaustion]);
}

#[test]
fn what_fits_stays_silent() {
    assert_eq!(contended(GPU, 4, 2, 2).causes(), []);
    assert_eq!(contended("pods", 10, 9, 1).causes(), []);
}

/// A pod whose affinity asks for a node by its name.
fn by_name(operator: &str, node: &str) -> Scene {
    let mut s = Scene::lab();
    let name = s.name(node);
    s.unscheduled(
        "victim",
        "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
        |p| {
            let fields = vec![Requirement::new("metadata.name", operator, [name])];
            p.node_affinity = vec![NodeTerm { fields, ..NodeTerm::default() }].into();
        },
    );
    s.pass(3.0);
    s
}

#[test]
fn a_node_is_asked_for_by_its_name() {
    assert_eq!(by_name("In", "gone").causes(), [PlacementConstraint]);
    assert_eq!(by_name("In", "w1").causes(), []);
    assert_eq!(by_name("NotIn", "gone").causes(), []);
}

#[test]
fn numeric_tolerations_open_a_node() {
    let with = |value: &str| {
        let mut s = Scene::lab();
        for worker in ["w1", "w2"] {
            let sla = Taint { key: "sla".into(), value: "950".into(), effect: "NoSchedule".into() };
            s.node(worker, |n| n.taints.push(sla));
        }
        let value = value.to_owned();
        s.unscheduled("victim", "0/3 nodes are available: 3 node(s) had untolerated taint(s).", |p| {
            p.tolerations.push(Toleration {
                key: "sla".into(),
                operator: TolerationOperator::Gt,
                value,
                effect: String::new(),
            });
        });
        s.pass(3.0);
        s.causes()
    };
    assert_eq!(with("990"), [PlacementConstraint]);
    assert_eq!(with("900"), []);
}
