//! `--with monitoring`: Prometheus and Alertmanager with a rule pack of ours, kube-state-metrics, node_exporter.
//!
//! Their images are a bundle beside the node image, built once and put onto the nodes of the labs that ask for it, so
//! that other labs do not carry them.

use crate::{
    LabError, Progress, apply,
    bundle::{import, reference},
    node_image,
    nodes::DockerNodes,
    ready::{internal_ip, is_available, is_complete, until},
};
use futures::future::try_join_all;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::{Node, Pod},
};
use kube::{Api, Client, ResourceExt, api::ListParams};
use loopdrill_rules::Pack;

const MANIFEST: &str = include_str!("monitoring.yaml");
/// Where the lab's monitoring runs.
pub const NAMESPACE: &str = "loopdrill-monitoring";
const SERVER: &str = "prometheus";
const EXPORTER: &str = "node-exporter";

/// The rules of a lab, which is scraped every second or two and has no time to lose.
const PACK: Pack = Pack { window: 12, interval: 1 };

/// Puts the images onto the nodes, installs everything, and waits until it is ready.
pub(crate) async fn install(
    client: &Client,
    nodes: &DockerNodes,
    lab: &str,
    progress: &Progress,
) -> Result<(), LabError> {
    let bundle = node_image::monitoring(progress).await?;
    let plane = format!("{lab}-control-plane");
    let exporter = nodes.names().iter().map(|node| import(nodes, node, &bundle, "exporter"));
    tokio::try_join!(try_join_all(exporter), import(nodes, &plane, &bundle, "server"))?;
    let targets = Targets::of(client).await?;
    let images = (reference(&bundle, "server")?, reference(&bundle, "exporter")?);
    let manifest = MANIFEST.replace("image: SERVER", &format!("image: {}", images.0));
    let mut objects = apply::parse(&manifest.replace("image: EXPORTER", &format!("image: {}", images.1)))?;
    let configuration =
        objects.iter_mut().filter(|o| o.types.as_ref().is_some_and(|t| t.kind == "ConfigMap"));
    for object in configuration.filter(|o| o.name_any() == SERVER) {
        object.data["data"]["rules.yaml"] = PACK.rules().into();
        let scrape = object.data["data"]["prometheus.yml"].as_str().unwrap_or_default();
        object.data["data"]["prometheus.yml"] = targets.fill(scrape).into();
    }
    apply::all(client, objects).await?;
    let deployments = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    let daemons = Api::<DaemonSet>::namespaced(client.clone(), NAMESPACE);
    until("the monitoring is", || async {
        let server = deployments.get(SERVER).await?;
        Ok(is_available(&server) && is_complete(&daemons.get(EXPORTER).await?))
    })
    .await
}

/// What is scraped beside what listens on the control-plane node itself: addresses, each with a label.
struct Targets {
    nodes: Vec<(String, String)>,
    dns: Vec<(String, String)>,
}

impl Targets {
    async fn of(client: &Client) -> Result<Self, LabError> {
        let listed = Api::<Node>::all(client.clone()).list(&ListParams::default()).await;
        let listed = listed.map_err(|e| LabError::kube("list the nodes", e))?;
        let nodes = listed.iter().filter_map(|n| Some((n.name_any(), internal_ip(n)?))).collect();
        let pods = Api::<Pod>::namespaced(client.clone(), "kube-system");
        let pods = pods.list(&ListParams::default().labels("k8s-app=kube-dns")).await;
        let pods = pods.map_err(|e| LabError::kube("list the pods of CoreDNS", e))?;
        let ip = |p: &Pod| p.status.as_ref()?.pod_ip.clone();
        let dns = pods.iter().filter_map(|p| Some((p.name_any(), ip(p)?))).collect();
        Ok(Self { nodes, dns })
    }

    fn fill(&self, configuration: &str) -> String {
        let list = |all: &[(String, String)], label: &str, port: u16, more: &str| -> String {
            let one = |(name, ip): &(String, String)| {
                format!("{{targets: [\"{ip}:{port}\"], labels: {{{label}: {name}{more}}}}}")
            };
            all.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        configuration
            .replace("NODES", &list(&self.nodes, "node", 9100, ""))
            .replace("KUBELETS", &list(&self.nodes, "node", 10250, ""))
            .replace("COREDNS", &list(&self.dns, "pod", 9153, ", namespace: kube-system"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_whole_and_only_its_images_are_left_open() {
        let objects = apply::parse(MANIFEST).expect("YAML");
        assert_eq!(objects.iter().filter(|o| o.name_any() == SERVER).count(), 3);
        assert_eq!(MANIFEST.matches("image: SERVER").count(), 3);
        assert_eq!(MANIFEST.matches("image: EXPORTER").count(), 1);
    }

    #[test]
    fn every_node_and_every_coredns_is_a_target() {
        let targets = Targets {
            nodes: vec![("n1".into(), "10.0.0.1".into()), ("n2".into(), "10.0.0.2".into())],
            dns: vec![("coredns-x".into(), "10.244.0.2".into())],
        };
        let objects = apply::parse(MANIFEST).expect("YAML");
        let config = objects.iter().find_map(|o| o.data["data"]["prometheus.yml"].as_str()).expect("there");
        let filled: serde_json::Value = serde_yaml::from_str(&targets.fill(config)).expect("YAML");
        let jobs = filled["scrape_configs"].as_array().expect("jobs");
        let of = |name: &str| {
            jobs.iter().find(|j| j["job_name"] == name).expect("a job")["static_configs"].clone()
        };
        assert_eq!(of("nodes")[1]["targets"][0], "10.0.0.2:9100");
        assert_eq!(of("kubelet")[0]["labels"]["node"], "n1");
        assert_eq!(of("coredns")[0]["labels"]["namespace"], "kube-system");
        assert!(jobs.iter().all(|j| j["static_configs"].is_array()), "Debian's build discovers nothing");
    }
}
