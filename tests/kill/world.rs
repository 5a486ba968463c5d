//! The lab of the matrix: its victims, its weather, and what is looked at after a kill.

use super::{
    moments::Weather,
    support::{self, differences, lab::access, wait},
};
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, ObjectMeta, PostParams},
};
use loopdrill_cluster::{NodeAccess, NodeError, RUN_LABEL, Target, objects, remove_namespace};
use loopdrill_faults::{Change, Fault, FaultContext, UndoAccess, journal::Pending, node::NodeChange};
use loopdrill_lab::Lab;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{runtime::Runtime, task::JoinSet, time::timeout};

/// It ends what hangs.
const LONG: Duration = Duration::from_secs(240);
/// Names what is of the matrix.
const MINE: &str = "kill";
/// Everything that comes to or leaves a node is dropped, and nothing that stays there.
const CUT: &str = r#"table inet kill_matrix {
    chain in { type filter hook input priority -300; iifname "eth0" drop; }
    chain out { type filter hook output priority -300; oifname "eth0" drop; }
    chain through { type filter hook forward priority -300; iifname "eth0" drop; oifname "eth0" drop; }
}"#;
const MEND: &str = "nft delete table inet kill_matrix 2>/dev/null || true";

/// A fault with its victim, ready to be injected any number of times.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) fault: Arc<dyn Fault>,
    pub(crate) ctx: FaultContext,
}

pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) target: Arc<Target>,
    access: UndoAccess,
    nodes: Arc<dyn NodeAccess>,
}

impl World {
    /// The lab of that name, as a drill knows it, and without what a matrix that died has left there.
    pub(crate) fn enter(lab: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let run = format!("{MINE}-{:x}", std::process::id());
        let (target, access) = runtime.block_on(async {
            let mut found = Lab::attach(lab).await.unwrap_or_else(|e| panic!("{e}"));
            found.refresh(&support::binary()).await.unwrap_or_else(|e| panic!("{e}"));
            let target = found.target(&run).await.unwrap_or_else(|e| panic!("{e}"));
            (Arc::new(target), access(lab).await)
        });
        let nodes = access.nodes.clone().expect("a lab has nodes");
        let world = World { runtime, target, access, nodes };
        Weather::ALL.iter().for_each(|weather| world.clears_up(*weather));
        world.runtime.block_on(async {
            let mine = |n: &Namespace| n.labels().get(RUN_LABEL).is_some_and(|run| run.starts_with(MINE));
            let left = world.list_namespaces().await.into_iter().filter(mine);
            world.remove(left.map(|n| n.name_any())).await;
        });
        world
    }

    fn client(&self) -> Client {
        self.target.client.clone()
    }

    async fn list_namespaces(&self) -> Vec<Namespace> {
        let api = Api::<Namespace>::all(self.client());
        api.list(&ListParams::default()).await.expect("the API answers").items
    }

    pub(crate) fn namespaces(&self) -> BTreeSet<String> {
        let listed = self.runtime.block_on(self.list_namespaces());
        listed.iter().map(ResourceExt::name_any).collect()
    }

    async fn remove(&self, namespaces: impl Iterator<Item = String>) {
        let mut all = JoinSet::new();
        for name in namespaces {
            let client = self.client();
            all.spawn(async move { remove_namespace(&client, &name, LONG).await });
        }
        while let Some(removed) = all.join_next().await {
            removed.expect("no panic").unwrap_or_else(|left| panic!("{}: {}", left.namespace, left.why));
        }
    }

    /// Sets the victims up side by side, each in a namespace of its own.
    pub(crate) fn set_up(&self, faults: &[Arc<dyn Fault>]) -> Vec<Result<Stage, String>> {
        self.runtime.block_on(async {
            let mut all = JoinSet::new();
            for (at, fault) in faults.iter().cloned().enumerate() {
                let target = Arc::clone(&self.target);
                all.spawn(async move { (at, set_up(target, fault).await) });
            }
            let mut stages = all.join_all().await;
            stages.sort_by_key(|(at, _)| *at);
            stages.into_iter().map(|(_, stage)| stage).collect()
        })
    }

    /// Removes victims with all that is in their namespaces.
    pub(crate) fn clear(&self, stages: &[Stage]) {
        let names = stages.iter().map(|stage| stage.ctx.namespace.clone());
        self.runtime.block_on(self.remove(names));
    }

    /// Plans as soon as that is possible: a victim may still be coming back from the last kill, or a node.
    pub(crate) fn plan(&self, stage: &Stage) -> Result<Vec<Change>, String> {
        self.runtime.block_on(async {
            let mut last = String::from("the nodes are not ready");
            let planned = timeout(LONG, async {
                loop {
                    if self.has_ready_nodes().await {
                        match stage.fault.plan(&stage.ctx).await {
                            Ok(plan) if !plan.is_empty() => return plan,
                            Ok(_) => last = "an empty plan".into(),
                            Err(why) => last = why.to_string(),
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            });
            planned.await.map_err(|_| last)
        })
    }

    /// Waits until all nodes are ready.
    pub(crate) fn rest(&self) {
        wait("ready nodes", LONG, || self.runtime.block_on(self.has_ready_nodes()).then_some(()));
    }

    async fn has_ready_nodes(&self) -> bool {
        let nodes = Api::<Node>::all(self.client()).list(&ListParams::default()).await;
        nodes.is_ok_and(|nodes| nodes.iter().all(objects::node_is_ready))
    }

    /// Kills what holds changes of this plan on nodes, and says how many such units there were.
    pub(crate) async fn kill_holders(&self, plan: &[Pending]) -> usize {
        let mut killed = 0;
        for p in plan {
            if let Some(change) = held(&p.change) {
                let unit = format!("loopdrill-{}.service", p.id);
                let argv = ["systemctl", "kill", "--signal=KILL", &unit];
                let asked = self.nodes.exec(&change.node, &argv, None).await;
                killed += usize::from(asked.is_ok_and(|output| output.code == 0));
            }
        }
        killed
    }

    /// Makes a weather. A node that is switched off has none.
    pub(crate) fn begin(&self, weather: Weather, plan: &[Pending]) {
        match weather {
            Weather::Calm => {}
            Weather::NoApi => self.on(&self.planes(), &signal_api("STOP")),
            Weather::NoNetwork => self.on(&self.all(), &format!("nft -f - <<'END'\n{CUT}\nEND\n")),
            Weather::NewRuntime => self.on(&self.touched(plan), "systemctl restart --no-block containerd"),
        }
    }

    /// Ends it.
    pub(crate) fn clears_up(&self, weather: Weather) {
        match weather {
            Weather::Calm => {}
            Weather::NoApi => self.on(&self.planes(), &signal_api("CONT")),
            Weather::NoNetwork => self.on(&self.all(), MEND),
            Weather::NewRuntime => {
                let is_up = ["systemctl", "is-active", "--quiet", "containerd"];
                wait("the nodes' container runtime", LONG, || {
                    let mut asked = self.all().into_iter().map(|node| {
                        let output = self.runtime.block_on(self.nodes.exec(&node, &is_up, None));
                        output.map_or(true, |output| output.code == 0)
                    });
                    asked.all(|up| up).then_some(())
                });
            }
        }
    }

    fn all(&self) -> Vec<String> {
        self.target.facts.nodes.iter().map(|node| node.name.clone()).collect()
    }

    fn planes(&self) -> Vec<String> {
        let planes = self.target.facts.nodes.iter().filter(|node| node.control_plane);
        planes.map(|node| node.name.clone()).collect()
    }

    /// The nodes of a plan; the workers where it touches none.
    fn touched(&self, plan: &[Pending]) -> Vec<String> {
        let nodes = plan.iter().filter_map(|p| match &p.change {
            Change::Node(change) => Some(change.node.clone()),
            Change::Object(_) | Change::Cloud(_) => None,
        });
        let nodes: Vec<String> = nodes.collect();
        if nodes.is_empty() { self.target.facts.workers().map(|n| n.name.clone()).collect() } else { nodes }
    }

    /// Runs a script on these nodes at once.
    fn on(&self, nodes: &[String], script: &str) {
        self.runtime.block_on(async {
            let mut all = JoinSet::new();
            for node in nodes {
                let (node, access, script) = (node.clone(), Arc::clone(&self.nodes), script.to_owned());
                all.spawn(async move {
                    let argv = ["sh", "-c", &script];
                    access.exec(&node, &argv, None).await.and_then(|o| o.success(&node, &argv))
                });
            }
            while let Some(done) = all.join_next().await {
                match done.expect("no panic") {
                    Ok(_) | Err(NodeError::Down { .. }) => {}
                    Err(why) => panic!("{why}"),
                }
            }
        });
    }

    /// What differs from the snapshots.
    pub(crate) fn differences(&self, plan: &[Pending]) -> Vec<String> {
        self.runtime.block_on(differences(&self.access, plan))
    }

    /// Units and files of a run that are on a node now.
    pub(crate) fn left_on_nodes(&self, run: &str) -> Vec<String> {
        let script = format!(
            "ls -d /var/lib/loopdrill/{run}-* /run/loopdrill/{run}-* 2>/dev/null; \
             systemctl list-units --all --plain --no-legend 'loopdrill-{run}-*'"
        );
        let argv = ["sh", "-c", &script];
        self.runtime.block_on(async {
            let mut left = Vec::new();
            for node in self.all() {
                let output = self.nodes.exec(&node, &argv, None).await.and_then(|o| o.success(&node, &argv));
                let text = output.unwrap_or_else(|why| why.to_string());
                left.extend(text.lines().map(|line| format!("{node}: {line}")));
            }
            left
        })
    }
}

/// The change of a node that the node holds.
pub(crate) fn held(change: &Change) -> Option<&NodeChange> {
    match change {
        Change::Node(change) if change.is_held() => Some(change),
        Change::Node(_) | Change::Object(_) | Change::Cloud(_) => None,
    }
}

fn signal_api(signal: &str) -> String {
    format!("grep -lx kube-apiserver /proc/[0-9]*/comm 2>/dev/null | cut -d/ -f3 | xargs -r kill -{signal}")
}

async fn set_up(target: Arc<Target>, fault: Arc<dyn Fault>) -> Result<Stage, String> {
    let id = fault.spec().id();
    let namespace = loopdrill_drill::namespace_of(&id, &target.run);
    let labels = [(RUN_LABEL, target.run.as_str()), ("pod-security.kubernetes.io/enforce", "privileged")];
    let labels: BTreeMap<String, String> = labels.map(|(key, value)| (key.into(), value.into())).into();
    let metadata =
        ObjectMeta { name: Some(namespace.clone()), labels: Some(labels), ..ObjectMeta::default() };
    let object = Namespace { metadata, ..Namespace::default() };
    let made = Api::all(target.client.clone()).create(&PostParams::default(), &object).await;
    made.map_err(|e| format!("namespace {namespace}: {e}"))?;
    let ctx = FaultContext { target, id, namespace, cancel: Default::default() };
    match timeout(LONG, fault.set_up(&ctx)).await {
        Ok(Ok(())) => Ok(Stage { fault, ctx }),
        Ok(Err(why)) => Err(why.to_string()),
        Err(_) => Err(format!("its victim was not well within {} s", LONG.as_secs())),
    }
}
