//! What is free on which node, counted as the scheduler counts it.

use crate::{
    FaultContext, FaultError,
    victim::{Seen, until},
};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::{Api, ResourceExt, api::ListParams, core::PartialObjectMeta};
use loopdrill_cluster::objects::{pod_requests, resources, takes_ordinary_pods};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

/// How long pods that are leaving are waited for.
const LEAVING: Duration = Duration::from_secs(60);

/// Unrequested CPU of a node, or how much of it a filler takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Free {
    pub(super) node: String,
    pub(super) millis: u64,
}

/// The unrequested CPU of every node on which an ordinary pod may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room(Vec<Free>);

/// How much a node keeps: less than the request, and enough in sum on two nodes already.
pub(super) fn keep(request: u64) -> u64 {
    request * 3 / 4
}

impl Room {
    /// The room on the nodes where victims may run.
    pub(crate) async fn now(ctx: &FaultContext) -> Result<Self, FaultError> {
        let (client, all) = (&ctx.target.client, ListParams::default());
        let selector = ctx.target.facts.fence.iter().flat_map(|f| &f.selector);
        let selector: Vec<_> = selector.map(|(k, v)| format!("{k}={v}")).collect();
        let ours = ListParams::default().labels(&selector.join(","));
        let nodes: Api<Node> = Api::all(client.clone());
        let pods: Api<Pod> = Api::all(client.clone());
        let nodes = nodes.list(&ours).await.map_err(FaultError::api("list the nodes"))?;
        let pods = pods.list(&all).await.map_err(FaultError::api("list all pods"))?;
        Ok(Self::of(&nodes.items, &pods.items))
    }

    /// The room as it stays when pods that are leaving have left.
    pub(crate) async fn settled(ctx: &FaultContext) -> Result<Self, FaultError> {
        let (client, all) = (&ctx.target.client, ListParams::default());
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let pods: Api<Pod> = Api::all(client.clone());
        let left = until(ctx, "the end of pods that are leaving", LEAVING, || async {
            let ending = namespaces.list_metadata(&all).await.map_err(FaultError::api("list namespaces"))?;
            let pods = pods.list(&all).await.map_err(FaultError::api("list all pods"))?;
            Ok(leaving(&pods.items, &ending_of(&ending.items)).map_or(Seen::Yes(()), Seen::NotYet))
        });
        match left.await {
            // One that does not go leaves no room, either; the read-back has the last word.
            Ok(()) | Err(FaultError::TimedOut { .. }) => Self::now(ctx).await,
            Err(e) => Err(e),
        }
    }

    fn of(nodes: &[Node], pods: &[Pod]) -> Self {
        let mut requested = BTreeMap::<&str, u64>::new();
        for pod in pods.iter().filter(|p| counts(p)) {
            if let Some(node) = pod.spec.as_ref().and_then(|s| s.node_name.as_deref()) {
                *requested.entry(node).or_default() += pod_requests(pod).cpu_millis;
            }
        }
        let free = nodes.iter().filter(|n| takes_ordinary_pods(n)).map(|n| {
            let name = n.name_any();
            let allocatable = resources(n.status.as_ref().and_then(|s| s.allocatable.as_ref())).cpu_millis;
            let taken = requested.get(name.as_str()).copied().unwrap_or_default();
            Free { millis: allocatable.saturating_sub(taken), node: name }
        });
        Self(free.collect())
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|f| f.millis).sum()
    }

    fn most(&self) -> u64 {
        self.0.iter().map(|f| f.millis).max().unwrap_or_default()
    }

    /// Whether `request` fits in sum and on no node.
    pub(super) fn is_fragmented(&self, request: u64) -> bool {
        self.most() < request && request <= self.sum()
    }

    /// By how much each of `nodes` must be filled, so that `request` fits on none of them.
    pub(crate) fn fill(&self, nodes: &[&str], request: u64) -> Vec<(String, u64)> {
        let keep = keep(request);
        let too_free = self.0.iter().filter(|f| nodes.contains(&f.node.as_str()) && f.millis >= request);
        too_free.map(|f| (f.node.clone(), f.millis - keep)).collect()
    }

    /// The fillers that make it so.
    pub(super) fn fillers(&self, request: u64) -> Result<Vec<Free>, String> {
        let keep = keep(request);
        let full = self.0.iter().filter(|f| f.millis >= request);
        let fillers: Vec<_> = full.map(|f| Free { node: f.node.clone(), millis: f.millis - keep }).collect();
        let after = self.0.iter().map(|f| Free {
            millis: if f.millis >= request { keep } else { f.millis },
            node: f.node.clone(),
        });
        if fillers.is_empty() {
            return Err(format!(
                "no node has {request}m CPU unrequested: {self}; free some, or ask for less"
            ));
        }
        match Room(after.collect()).is_fragmented(request) {
            true => Ok(fillers),
            false => Err(format!(
                "{request}m CPU cannot be fragmented over these nodes: {self}; two nodes with that much are needed"
            )),
        }
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Free { node, millis } in &self.0 {
            write!(f, "{millis}m on {node}, ")?;
        }
        write!(f, "{}m in sum", self.sum())
    }
}

/// Namespaces that are being deleted.
fn ending_of(namespaces: &[PartialObjectMeta<Namespace>]) -> BTreeSet<String> {
    let ending = namespaces.iter().filter(|n| n.metadata.deletion_timestamp.is_some());
    ending.map(ResourceExt::name_any).collect()
}

/// A pod that is being deleted, or whose namespace is, and still holds CPU on its node. The controller of namespaces takes
/// its time: a namespace is in deletion for seconds before its pods are.
fn leaving(pods: &[Pod], ending: &BTreeSet<String>) -> Option<String> {
    let holds = |p: &&Pod| {
        let placed = p.spec.as_ref().is_some_and(|s| s.node_name.is_some());
        counts(p) && placed && pod_requests(p).cpu_millis > 0
    };
    let goes = |p: &&Pod| {
        let namespace = p.metadata.namespace.as_ref();
        p.metadata.deletion_timestamp.is_some() || namespace.is_some_and(|n| ending.contains(n))
    };
    let pod = pods.iter().filter(goes).find(holds)?;
    Some(format!("{}/{} is still there", pod.namespace().unwrap_or_default(), pod.name_any()))
}

/// A pod that is over takes nothing.
fn counts(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::victim::typed;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn room(free: &[u64]) -> Room {
        Room(free.iter().enumerate().map(|(i, m)| Free { node: format!("n{i}"), millis: *m }).collect())
    }

    proptest! {
        #[test]
        fn fillers_fragment_or_say_why_not(free in prop::collection::vec(0_u64..4000, 0..6), request in 20_u64..2000) {
            let before = room(&free);
            if let Ok(fillers) = before.fillers(request) {
                let mut after = before;
                for filler in fillers {
                    let node = after.0.iter_mut().find(|f| f.node == filler.node).expect("a node of the room");
                    prop_assert!(filler.millis <= node.millis);
                    node.millis -= filler.millis;
                }
                prop_assert!(after.is_fragmented(request), "{}", after);
            }
        }

        #[test]
        fn two_nodes_with_room_are_enough(a in 1000_u64..4000, b in 1000_u64..4000, request in 20_u64..1000) {
            prop_assert!(room(&[a, b]).fillers(request).is_ok());
        }
    }

    #[test]
    fn one_node_or_a_full_cluster_is_refused_with_figures() {
        assert!(room(&[2000]).fillers(100).expect_err("one node").contains("2000m on n0"));
        assert!(room(&[10, 20]).fillers(100).expect_err("full").contains("30m in sum"));
    }

    #[test]
    fn only_a_pod_that_leaves_room_is_waited_for() {
        let pod = |deleted: bool, cpu: &str, phase: &str| -> Pod {
            let at = deleted.then_some("2026-01-01T00:00:00Z");
            typed(json!({"metadata": {"name": "p", "namespace": "n", "deletionTimestamp": at},
                "spec": {"nodeName": "x", "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]},
                "status": {"phase": phase}}))
        };
        let none = BTreeSet::new();
        assert_eq!(leaving(&[pod(false, "100m", "Running")], &none), None);
        assert_eq!(leaving(&[pod(true, "0", "Running"), pod(true, "100m", "Failed")], &none), None);
        assert!(leaving(&[pod(true, "100m", "Running")], &none).is_some_and(|why| why.contains("n/p")));
        // Its namespace is in deletion, and it is not yet.
        let namespace = |name: &str, at: Option<&str>| -> PartialObjectMeta<Namespace> {
            typed(json!({"metadata": {"name": name, "deletionTimestamp": at}}))
        };
        let other = ending_of(&[namespace("n", None), namespace("m", Some("2026-01-01T00:00:00Z"))]);
        assert_eq!(leaving(&[pod(false, "100m", "Running")], &other), None);
        let own = ending_of(&[namespace("n", Some("2026-01-01T00:00:00Z"))]);
        assert!(leaving(&[pod(false, "100m", "Running")], &own).is_some_and(|why| why.contains("n/p")));
    }

    #[test]
    fn only_nodes_that_take_pods_count() {
        let node = |name: &str, spec: Value, ready: &str| -> Node {
            typed(json!({"metadata": {"name": name}, "spec": spec, "status": {
                "allocatable": {"cpu": "2"}, "conditions": [{"type": "Ready", "status": ready}],
            }}))
        };
        let tainted = json!({"taints": [{"key": "k", "effect": "NoSchedule"}]});
        let nodes = [
            node("good", json!({"taints": [{"key": "k", "effect": "PreferNoSchedule"}]}), "True"),
            node("tainted", tainted, "True"),
            node("cordoned", json!({"unschedulable": true}), "True"),
            node("dead", json!({}), "Unknown"),
        ];
        let pod = |phase: &str| -> Pod {
            typed(json!({"spec": {"nodeName": "good", "containers": [
                {"name": "c", "resources": {"requests": {"cpu": "300m"}}}]}, "status": {"phase": phase}}))
        };
        let room = Room::of(&nodes, &[pod("Running"), pod("Succeeded")]);
        assert_eq!(room, Room(vec![Free { node: "good".into(), millis: 1700 }]));
    }
}
