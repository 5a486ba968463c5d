//! From node containers to a cluster: kubeadm's phases, in the order and at the moments that take least time.
//!
//! `kubeadm init` and `kubeadm join` one after the other spend most of their time waiting. Here the control
//! plane's certificates, static pods and kubelet come first, in one run of kubeadm. While etcd and the API
//! server start, the workers get their credentials and their configuration (signed by the cluster's authority on
//! the control-plane node, so no worker waits for a signer). As soon as the API server lives, workers start their
//! kubelets; as soon as it is ready, kubeadm's remaining phases and the overlay's manifest follow.

use crate::{
    LabError, Progress, apply,
    engine::Engine,
    kubeadm, labels,
    nodes::DockerNodes,
    ready::is_rolled_out,
    spec::{LabSpec, Role},
};
use futures::future::try_join_all;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Node};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use loopdrill_cluster::{ExecOutput, NodeAccess, NodeError, objects::node_is_ready};
use std::time::{Duration, Instant};

/// The overlay, as the node image has it.
pub(crate) const FLANNEL: &str = include_str!("../../../ci/node-image/manifests/flannel.yaml");
/// Where it says how large the packets of pods may be.
const POD_MTU: &str = "$FLANNEL_MTU";
const PREPARE: &str = include_str!("boot/prepare.sh");
const KUBELET: &str = include_str!("boot/kubelet.conf");
const FENCE: &str = include_str!("node/fence.nft");
const NFTABLES_PROBE: &str = include_str!("boot/nftables-probe.nft");

/// Phases of `kubeadm init` that need an API server, or that a lab has no use for.
const BEFORE_API: &str = "preflight,wait-control-plane,upload-config,upload-certs,mark-control-plane,\
     bootstrap-token,kubelet-finalize,addon,show-join-command";
/// The other way round: what is left to do once it answers.
const WITH_API: &str = "preflight,certs,kubeconfig,etcd,control-plane,kubelet-start,wait-control-plane,\
     upload-certs,mark-control-plane,kubelet-finalize,show-join-command";

/// A machine that is busy with other things may take ten times as long as an idle one.
const API_LIMIT: Duration = Duration::from_secs(300);
const READY_LIMIT: Duration = Duration::from_secs(300);

/// Files that a node needs before it starts.
pub(crate) fn files(
    spec: &LabSpec,
    name: &str,
    node: &crate::spec::NodeSpec,
    token: &str,
) -> Vec<(String, String)> {
    let file = |path: &str, text: &str| (path.to_string(), text.to_string());
    vec![
        (kubeadm::CONFIG.into(), kubeadm::config(spec, name, node, token)),
        file("/kind/fence.nft", FENCE),
        file("/kind/nftables-probe.nft", NFTABLES_PROBE),
        file("/etc/systemd/system/kubelet.service.d/20-loopdrill.conf", KUBELET),
    ]
}

/// A lab in the making.
pub(crate) struct Boot<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) nodes: &'a DockerNodes,
    pub(crate) spec: &'a LabSpec,
    pub(crate) image: &'a str,
    pub(crate) progress: &'a Progress,
    /// The MTU of pods, where it is not the overlay's.
    pub(crate) pod_mtu: Option<u32>,
}

impl Boot<'_> {
    pub(crate) fn control_plane(&self) -> String {
        format!("{}-control-plane", self.spec.name)
    }

    fn workers(&self) -> Vec<String> {
        let all = self.spec.named_nodes().into_iter();
        all.filter(|(_, node)| node.role == Role::Worker).map(|(name, _)| name).collect()
    }

    /// Runs a script on a node; a failure shows the script's own last lines.
    async fn step(&self, node: &str, step: &'static str, script: &str) -> Result<ExecOutput, LabError> {
        match self.nodes.sh(node, script).await {
            Ok(output) if output.code == 0 => Ok(output),
            Ok(output) => {
                Err(LabError::Step { node: node.into(), step, log: self.failure(node, &output).await })
            }
            Err(error) => Err(self.died(node, error).await),
        }
    }

    /// The lines that tell why a step failed: its own, and the kubelet's complaints where it ran.
    async fn failure(&self, node: &str, output: &ExecOutput) -> String {
        let mut lines = tail(&String::from_utf8_lossy(&output.stderr), 15);
        let script = "journalctl -u kubelet -p err -n 5 --no-pager -o cat 2>/dev/null; \
             journalctl -u containerd -p err -n 3 --no-pager -o cat 2>/dev/null";
        if let Ok(journal) = self.nodes.sh(node, script).await {
            lines.extend(tail(&String::from_utf8_lossy(&journal.stdout), 8));
        }
        quoted(&lines)
    }

    /// Whether a node is unreachable because its container ended.
    async fn died(&self, node: &str, error: NodeError) -> LabError {
        if let NodeError::Down { why, .. } = &error {
            let log = quoted(&tail(&self.engine.log(node, 10).await, 10));
            return LabError::NodeDied { node: node.into(), why: why.clone(), log };
        }
        LabError::Node(error)
    }

    /// Waits for the node's service manager and completes its configuration.
    pub(crate) async fn prepare(&self, node: &str) -> Result<(), LabError> {
        let output = self.step(node, "starting containerd", PREPARE).await?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_string();
        if !version.starts_with(&format!("{}.", crate::KUBERNETES)) {
            let why = format!("it holds Kubernetes {version}");
            return Err(LabError::WrongImage { image: self.image.into(), why });
        }
        Ok(())
    }

    /// Writes a worker's kubelet configuration. Its kubelet starts once there are credentials, too.
    pub(crate) async fn configure_worker(&self, worker: &str) -> Result<(), LabError> {
        self.prepare(worker).await?;
        let script = format!("kubeadm init phase kubelet-start --config {} >/dev/null", kubeadm::CONFIG);
        self.step(worker, "configuring the kubelet", &script).await.map(drop)
    }

    /// Configures all workers.
    pub(crate) async fn configure_workers(&self) -> Result<(), LabError> {
        let workers = self.workers();
        try_join_all(workers.iter().map(|worker| self.configure_worker(worker))).await.map(drop)
    }

    /// Certificates, static pods and kubelet of the control plane.
    pub(crate) async fn control_plane_up(&self) -> Result<(), LabError> {
        let script = format!(
            "kubeadm init --config {} --skip-phases={BEFORE_API} 2>&1 | tee /var/log/kubeadm-init.log >&2; \
             exit ${{PIPESTATUS[0]}}",
            kubeadm::CONFIG
        );
        self.step(&self.control_plane(), "kubeadm init", &script).await.map(drop)
    }

    /// Gives a worker its credentials, signed by the cluster's authority on the control-plane node.
    async fn credentials(&self, worker: &str) -> Result<(), LabError> {
        let script = format!(
            "d=$(mktemp -d); mkdir -p $d/pki; cp /etc/kubernetes/pki/ca.crt $d/pki/; kubeadm kubeconfig user --config {} \
             --client-name system:node:{worker} --org system:nodes >$d/kubelet.conf; tar -C $d -c .; rm -r $d",
            kubeadm::CONFIG
        );
        let archive = self.step(&self.control_plane(), "signing a worker's credentials", &script).await?;
        let argv = [
            "bash",
            "-euc",
            "umask 077; mkdir -p /etc/kubernetes; tar -C /etc/kubernetes --no-same-owner -x",
        ];
        match self.nodes.exec(worker, &argv, Some(&archive.stdout)).await {
            Ok(output) if output.code == 0 => Ok(()),
            Ok(output) => {
                let log = self.failure(worker, &output).await;
                Err(LabError::Step { node: worker.into(), step: "handing over credentials", log })
            }
            Err(error) => Err(self.died(worker, error).await),
        }
    }

    /// Gives all workers their credentials.
    pub(crate) async fn workers_may_join(&self) -> Result<(), LabError> {
        let workers = self.workers();
        try_join_all(workers.iter().map(|worker| self.credentials(worker))).await.map(drop)
    }

    /// Waits until the API server answers `path` with success.
    pub(crate) async fn api(&self, client: &Client, path: &str) -> Result<(), LabError> {
        let started = Instant::now();
        loop {
            let Err(last) = ask(client, path).await else { return Ok(()) };
            if started.elapsed() > API_LIMIT {
                let why = format!("the API server says: {last}");
                return Err(self.not_ready("the API server is", API_LIMIT, why).await);
            }
            self.alive().await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Fails when a node's container has ended.
    async fn alive(&self) -> Result<(), LabError> {
        for node in self.nodes.names() {
            if !self.nodes.is_powered(node).await? {
                let down = NodeError::Down { node: node.clone(), why: "its container ended".into() };
                return Err(self.died(node, down).await);
            }
        }
        Ok(())
    }

    async fn not_ready(&self, what: &str, limit: Duration, why: String) -> LabError {
        let script = "journalctl -u kubelet -p err -n 8 --no-pager -o cat; \
             for f in $(ls -t /var/log/containers/*.log 2>/dev/null | head -4); do \
             echo \"$(basename $f):\"; tail -n 2 $f; done";
        let mut lines = vec![why];
        if let Ok(output) = self.nodes.sh(&self.control_plane(), script).await {
            lines.extend(tail(&String::from_utf8_lossy(&output.stdout), 20));
        }
        LabError::NotReady { what: what.into(), seconds: limit.as_secs(), log: quoted(&lines) }
    }

    /// kubeadm's phases that need the API server, the overlay, and the workers' kubelets.
    pub(crate) async fn converge(&self, client: &Client) -> Result<(), LabError> {
        let plane = self.control_plane();
        let phases = format!("kubeadm init --config {} --skip-phases={WITH_API} >/dev/null", kubeadm::CONFIG);
        let mark = format!("kubeadm init phase mark-control-plane --config {} >/dev/null", kubeadm::CONFIG);
        let addons = async {
            self.step(&plane, "kubeadm init (addons)", &phases).await?;
            ask_dns_often(client).await
        };
        let label = async { self.step(&plane, "kubeadm init (labels)", &mark).await.map(drop) };
        tokio::try_join!(addons, label, apply::all(client, overlay(&plane, self.pod_mtu)?))?;
        Ok(())
    }

    /// Starts the workers' kubelets.
    pub(crate) async fn start_workers(&self) -> Result<(), LabError> {
        let workers = self.workers();
        let start = |worker| self.step(worker, "starting the kubelet", "systemctl start kubelet");
        try_join_all(workers.iter().map(|worker| start(worker))).await.map(drop)
    }

    /// Waits until all nodes and CoreDNS are ready.
    pub(crate) async fn ready(&self, client: &Client) -> Result<(), LabError> {
        let started = Instant::now();
        let expected = self.spec.nodes.len();
        let nodes = Api::<Node>::all(client.clone());
        let deployments = Api::<Deployment>::namespaced(client.clone(), "kube-system");
        let mut said = 0;
        loop {
            let ready = match nodes.list(&ListParams::default()).await {
                Ok(list) => list.items.iter().filter(|node| node_is_ready(node)).count(),
                Err(_) => 0,
            };
            if ready > said {
                (self.progress)(&format!("{ready} of {expected} nodes ready"));
                said = ready;
            }
            let dns = match deployments.get_opt("coredns").await {
                Ok(Some(found)) => is_rolled_out(&found),
                _ => false,
            };
            if ready == expected && dns {
                return Ok(());
            }
            if started.elapsed() > READY_LIMIT {
                let why = format!(
                    "{ready} of {expected} nodes are ready, CoreDNS {}",
                    if dns { "is" } else { "is not" }
                );
                return Err(self.not_ready("nodes and CoreDNS are", READY_LIMIT, why).await);
            }
            self.alive().await?;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
}

/// Whether the API server answers `path` with success; else what it says.
pub(crate) async fn ask(client: &Client, path: &str) -> Result<(), String> {
    match tokio::time::timeout(Duration::from_secs(5), client.request_text(http_get(path))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(complaint(&error.to_string())),
        Err(_) => Err("no answer within 5 s".into()),
    }
}

/// What an API server complains about, without the thirty things that are fine.
fn complaint(answer: &str) -> String {
    let bad: Vec<_> = answer.lines().filter(|line| line.starts_with("[-]")).collect();
    if bad.is_empty() { answer.lines().next().unwrap_or_default().into() } else { bad.join(", ") }
}

/// Has CoreDNS asked every second whether it is ready. It is so a second after its start, and the usual ten seconds
/// between two questions are half of what a lab takes. Comes before the controllers run, so no pod is made twice.
async fn ask_dns_often(client: &Client) -> Result<(), LabError> {
    let probe = serde_json::json!({ "name": "coredns", "readinessProbe": { "periodSeconds": 1 } });
    let patch = serde_json::json!({ "spec": { "template": { "spec": { "containers": [probe] } } } });
    let deployments = Api::<Deployment>::namespaced(client.clone(), "kube-system");
    let done = deployments.patch("coredns", &PatchParams::default(), &Patch::Strategic(patch)).await;
    done.map(drop).map_err(|error| LabError::kube("configure CoreDNS", error))
}

/// The overlay's objects. Its daemon speaks to the control-plane node itself: through the API server's Service it
/// would have to wait for kube-proxy first, and everything else waits for the overlay.
fn overlay(plane: &str, pod_mtu: Option<u32>) -> Result<Vec<DynamicObject>, LabError> {
    let mut objects = match pod_mtu {
        Some(mtu) => apply::parse(&FLANNEL.replace(POD_MTU, &mtu.to_string()))?,
        None => apply::parse(FLANNEL)?,
    };
    let port = labels::API_PORT.to_string();
    for object in &mut objects {
        let containers = object.data.pointer_mut("/spec/template/spec/containers");
        for container in containers.and_then(|list| list.as_array_mut()).into_iter().flatten() {
            let env = container["env"].as_array().cloned().unwrap_or_default();
            let address = [("KUBERNETES_SERVICE_HOST", plane), ("KUBERNETES_SERVICE_PORT", &port)];
            let address = address.map(|(name, value)| serde_json::json!({ "name": name, "value": value }));
            container["env"] = env.into_iter().chain(address).collect();
        }
    }
    Ok(objects)
}

fn http_get(path: &str) -> http::Request<Vec<u8>> {
    http::Request::get(path).body(Vec::new()).expect("a fixed path is a valid request")
}

/// The last lines of a text, without empty ones.
fn tail(text: &str, count: usize) -> Vec<String> {
    let lines: Vec<_> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| shortened(line)).collect()
}

/// Lines of somebody else's, below an error of ours.
fn quoted(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

/// A line of a log, which may be as long as it likes, at a length that a terminal can show.
fn shortened(line: &str) -> String {
    const LONGEST: usize = 240;
    let mut text: String = line.chars().take(LONGEST).collect();
    if text.len() < line.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlay_needs_no_kube_proxy() {
        let objects = overlay("x-control-plane", None).expect("valid");
        let daemons = objects.iter().find(|o| o.types.as_ref().is_some_and(|t| t.kind == "DaemonSet"));
        let env =
            daemons.expect("flannel's").data["spec"]["template"]["spec"]["containers"][0]["env"].clone();
        let env = env.as_array().expect("a list").clone();
        let host = env.iter().find(|e| e["name"] == "KUBERNETES_SERVICE_HOST").expect("set");
        assert_eq!(host["value"], "x-control-plane");
        assert!(env.iter().any(|e| e["name"] == "NODE_NAME"), "what the manifest has is kept");
    }

    #[test]
    fn pods_may_have_a_smaller_mtu_than_the_overlay() {
        let script = |mtu| {
            let objects = overlay("x", mtu).expect("valid");
            let script = objects.iter().find_map(|o| o.data["data"]["write-cni-conf.sh"].as_str());
            script.expect("there").to_string()
        };
        assert!(script(None).contains("\"mtu\": $FLANNEL_MTU,"));
        assert!(script(Some(1280)).contains("\"mtu\": 1280,"));
    }

    #[test]
    fn only_complaints_are_shown() {
        assert_eq!(
            complaint("[+]ping ok\n[-]etcd failed: reason withheld\nlivez check failed"),
            "[-]etcd failed: reason withheld"
        );
        assert_eq!(complaint("connection refused\nmore"), "connection refused");
    }

    #[test]
    fn the_end_of_a_text_is_what_counts() {
        assert_eq!(tail("a\n\nb\nc\n", 2), ["b", "c"]);
        assert_eq!(tail("a", 5), ["a"]);
        let long = tail(&"ä".repeat(1000), 1);
        assert_eq!(long[0].chars().count(), 241);
    }
}
