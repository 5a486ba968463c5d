//! The DNS cache of one node is gone. The cluster's DNS is well, and so are the caches of other nodes; what asks the cache of
//! its own node gets no answer there, and no packet to any other Service is lost.
//!
//! Pods reach the cache of their node by a Service that stays on the node (`internalTrafficPolicy: Local`): that needs no
//! privilege and leaves nothing on a node. As with a cache on a link-local address, nobody else answers for one that is gone.

use super::{
    certificate::{self, SERVER, Validity, start_server},
    condition::{NAME, Told, shows, words},
};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    look::seen,
    object::{ObjectChange, Patch},
    overlay_mtu::{must_have_places, places},
    victim::{
        Seen, Workload, create, delete_pods, dns_forwarder, is_ready, look_at_all, metadata, pods_of, typed,
        until, wait_for_namespace, wait_ready,
    },
};
use async_trait::async_trait;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Service},
};
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Evidence};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// The same program as the victim, on the other node.
const TWIN: &str = "twin";
/// The Service of the caches, and the value of the label by which it finds them.
const CACHE: &str = "cache";
/// The cache of the victim's node, and that of the other one.
const CACHES: [&str; 2] = ["cache-1", "cache-2"];
/// The label that the caches share.
const COMPONENT: &str = "app.kubernetes.io/component";
/// The port of the server that the victims call.
const PORT: &str = "443";
const START: Duration = Duration::from_secs(60);
/// How long the pod of a cache may take to end.
const END: Duration = Duration::from_secs(30);

static SPEC: FaultSpec = FaultSpec {
    fault: "network-decoy",
    variant: "node-dns",
    title: "the DNS cache of one node is gone: names do not resolve there, and on other nodes they do",
    roots: &[&[Cause::NodeDnsFailure]],
    needs: &[Capability::WorkerNodes(2)],
    ..FaultSpec::DECOY
};

/// The one drill.
pub(super) fn drill() -> Arc<dyn Fault> {
    Arc::new(NodeDns)
}

/// See the module.
struct NodeDns;

/// The cache of one node.
fn cache(ctx: &FaultContext, name: &str, node: &str) -> Deployment {
    let mut cache =
        Workload::new(ctx, name, &["dns-forwarder"]).tells_readiness().on_node(node).deployment(1);
    let labels = cache.spec.template.metadata.get_or_insert_default().labels.get_or_insert_default();
    labels.insert(COMPONENT.into(), CACHE.into());
    cache
}

/// The way of each pod to the cache of its own node.
fn service(ctx: &FaultContext) -> Service {
    typed(json!({
        "metadata": metadata(ctx, CACHE),
        "spec": {
            "selector": {COMPONENT: CACHE}, "internalTrafficPolicy": "Local",
            "ports": [{"name": "dns", "protocol": "UDP", "port": 53, "targetPort": dns_forwarder::PORT}],
        },
    }))
}

/// Who asks the cache at `address` for its server, and ends where no name resolves.
fn victim(ctx: &FaultContext, name: &str, node: &str, address: &str) -> Deployment {
    let searches = [format!("{}.svc.cluster.local", ctx.namespace)];
    let victim = Workload::new(ctx, name, &["caller", SERVER, PORT]).tells_readiness().on_node(node);
    let victim = victim.set("dnsPolicy", json!("None"));
    victim.set("dnsConfig", json!({"nameservers": [address], "searches": searches})).deployment(1)
}

/// The address of the caches.
async fn address(ctx: &FaultContext) -> Result<String, FaultError> {
    let made = create::<Service>(ctx, &service(ctx)).await?;
    let address = made.spec.and_then(|spec| spec.cluster_ip).filter(|ip| ip.contains(['.', ':']));
    address.ok_or_else(|| FaultError::Unfit(format!("Service {CACHE} got no address")))
}

#[async_trait]
impl Fault for NodeDns {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().uses(Resource::ControlPlane);
        let Some(places) = places(cluster) else { return footprint };
        [places.sender, places.receiver].into_iter().fold(footprint, |f, node| f.uses_node(node))
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (there, here) = places(cluster).map_or(("another", "one worker"), |p| (p.sender, p.receiver));
        vec![
            format!(
                "start a DNS cache on {here} and on {there}, and on both a client that asks that of its node"
            ),
            format!("scale the cache of {here} to 0"),
            "undo: scale it back".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        wait_for_namespace(ctx).await?;
        let places = must_have_places(ctx)?;
        let nodes = [places.receiver, places.sender];
        start_server(ctx, &certificate::host(ctx), Validity::Now).await?;
        let address = address(ctx).await?;
        for (name, node) in CACHES.into_iter().zip(nodes) {
            create(ctx, &cache(ctx, name, node)).await?;
        }
        for name in CACHES {
            wait_ready(ctx, name, 1, START).await?;
        }
        for (name, node) in [NAME, TWIN].into_iter().zip(nodes) {
            create(ctx, &victim(ctx, name, node, &address)).await?;
        }
        for name in [NAME, TWIN] {
            wait_ready(ctx, name, 1, START).await?;
        }
        Ok(())
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let field: (&[&str], Option<Value>) = (&["spec", "replicas"], Some(json!(0)));
        let (client, run) = (&ctx.target.client, &ctx.target.run);
        let patch = Patch::plan::<Deployment>(client, Some(&ctx.namespace), CACHES[0], run, &[field]).await?;
        Ok(vec![Change::Object(ObjectChange::Patch(patch))])
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        until(ctx, "a node without its DNS cache", END, || async {
            let [here, there] = [pods_of(ctx, CACHES[0]).await?, pods_of(ctx, CACHES[1]).await?];
            Ok(match (here.len(), there.iter().filter(|p| is_ready(p)).count()) {
                (0, 1..) => {
                    Seen::Yes(vec![seen("DNS caches", "none on the victim's node, one on the other")])
                }
                (here, there) => {
                    Seen::NotYet(format!("{here} pods are there, and {there} on the other node"))
                }
            })
        })
        .await
    }

    /// The same question from both nodes: no answer here, and one there.
    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        let there = look_at_all::<Deployment>(ctx, TWIN, |_| None).await?;
        let here = look_at_all::<Deployment>(ctx, NAME, ends).await?;
        let Look::Broken(evidence) = here else {
            return Ok(if there == Look::Well { here } else { there });
        };
        if there != Look::Well {
            return Ok(Look::Settling("the client on the other node is not well either".into()));
        }
        let look = words::look(ctx, Told::Log("lookup check: i/o timeout"), evidence).await?;
        Ok(match look {
            Look::Broken(mut evidence) => {
                evidence.push(seen("the same client on the other node", "ready: the name resolves"));
                Look::Broken(evidence)
            }
            look => look,
        })
    }

    /// A pod in its back-off would wait for minutes; a new one starts at once.
    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        wait_ready(ctx, CACHES[0], 1, START).await?;
        delete_pods(ctx, NAME).await
    }
}

/// It ends again and again, and does not work meanwhile.
fn ends(pod: &Pod) -> Option<Vec<Evidence>> {
    shows::restarts(pod).filter(|_| !is_ready(pod))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        object::testing::FakeApi,
        victim::{VICTIM_LABEL, testing},
    };

    fn crashes() -> Value {
        json!({"phase": "Running", "containerStatuses": [{
            "name": "victim", "image": "", "imageID": "", "ready": false, "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}},
        }]})
    }

    /// What is seen where the victim and its twin have this status, and the victim wrote this.
    async fn look(here: Value, there: Value, log: &str) -> Look {
        let api = FakeApi::default();
        for (name, status) in [(NAME, here), (TWIN, there)] {
            let scale = json!({"metadata": {"name": name}, "spec": {"replicas": 1}});
            api.put(&format!("/apis/apps/v1/namespaces/d/deployments/{name}/scale"), scale);
            let metadata = json!({"name": name, "labels": {VICTIM_LABEL: name}});
            api.put(
                &format!("/api/v1/namespaces/d/pods/{name}"),
                json!({"metadata": metadata, "status": status}),
            );
            api.put_text(&format!("/api/v1/namespaces/d/pods/{name}/log"), log);
        }
        let ctx = testing::context(&api, ClusterFacts::default());
        NodeDns.look(&ctx, false).await.expect("it can be looked at")
    }

    #[tokio::test]
    async fn a_name_must_be_lost_here_and_found_there() {
        let silence = "dial tcp: lookup check: i/o timeout\n";
        assert_eq!(look(testing::ready(), testing::ready(), "").await, Look::Well);
        let lost = look(crashes(), testing::ready(), silence).await;
        assert!(
            matches!(&lost, Look::Broken(e) if e.iter().any(|e| e.value.contains("the name resolves"))),
            "{lost:?}"
        );
        for (here, there, log) in [
            (crashes(), crashes(), silence),
            (crashes(), testing::ready(), "dial tcp check:443: connect: connection refused\n"),
            (testing::ready(), crashes(), silence),
        ] {
            let look = look(here, there, log).await;
            assert!(matches!(look, Look::Settling(_)), "{look:?}");
        }
    }

    /// The Service leads to the caches and to nobody else, and victims ask nobody else.
    #[tokio::test]
    async fn all_objects_fit_together() {
        let ctx = testing::context(&FakeApi::default(), ClusterFacts::default());
        let spec = service(&ctx).spec.expect("a spec");
        assert_eq!(spec.internal_traffic_policy.as_deref(), Some("Local"));
        let wanted = spec.selector.expect("a selector");
        let labels =
            |d: &Deployment| d.spec.template.metadata.clone().and_then(|m| m.labels).expect("labels");
        let cache = cache(&ctx, CACHES[0], "n");
        let chosen = cache.spec.selector.match_labels.clone().expect("a selector");
        assert!(wanted.iter().chain(&chosen).all(|(k, v)| labels(&cache).get(k) == Some(v)));
        let victim = victim(&ctx, NAME, "n", "10.96.7.7");
        assert!(!wanted.iter().all(|(k, v)| labels(&victim).get(k) == Some(v)));
        let pod = victim.spec.template.spec.expect("a spec");
        let dns = pod.dns_config.expect("its own");
        assert_eq!(
            (pod.dns_policy.as_deref(), dns.nameservers),
            (Some("None"), Some(vec!["10.96.7.7".into()]))
        );
    }
}
