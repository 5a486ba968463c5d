//! Labs on a real engine.
//!
//! A test here MUST use a lab name of its own, take its lab down and prove that nothing is left; it MUST NOT need
//! more than one lab at a time. Without an engine or a node image at hand it says that it is skipped.

use bollard::{
    Docker,
    models::{ContainerConfig, ContainerCreateBody},
    query_parameters::{
        CommitContainerOptions, CreateContainerOptions, RemoveContainerOptions, RemoveImageOptions,
        UploadToContainerOptions,
    },
};
use loopdrill_cluster::{NodeAccess, NodeError};
use loopdrill_lab::{
    Engine, Lab, LabError, LabSpec, NodeSpec, Progress, Role, UpOptions, labels, node_image, owner,
};
use loopdrill_model::{Capability, ExitStatus};
use std::{
    collections::HashMap,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::MutexGuard,
};

/// One lab at a time: machines that run tests are small.
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What a test on a real engine needs.
struct Ground {
    docker: Docker,
    image: String,
    _turn: MutexGuard<'static, ()>,
}

/// The ground for a test, or the reason why there is none.
async fn ground() -> Option<Ground> {
    let turn = ONE.lock().await;
    let engine = match Engine::connect().await {
        Ok(engine) => engine,
        Err(error) => {
            eprintln!("skipped: needs a Docker engine: {error}");
            return None;
        }
    };
    let image = match std::env::var("LOOPDRILL_NODE_IMAGE") {
        Ok(named) => Some(named),
        Err(_) => node_image::at_hand(&engine).await.expect("the engine answers"),
    };
    let Some(image) = image else {
        eprintln!("skipped: needs a node image; `loopdrill lab image` builds one");
        return None;
    };
    let docker = Docker::connect_with_defaults().expect("just connected").negotiate_version().await;
    Some(Ground { docker: docker.expect("answers"), image, _turn: turn })
}

impl Ground {
    /// The volumes of a lab's containers.
    async fn volumes(&self, lab: &str) -> Vec<String> {
        let mut volumes = Vec::new();
        for node in ["control-plane", "worker"] {
            let found = self.docker.inspect_container(&format!("{lab}-{node}"), None).await.expect("there");
            volumes.extend(found.mounts.into_iter().flatten().filter_map(|mount| mount.name));
        }
        volumes
    }

    async fn assert_nothing_left(&self, lab: &str) {
        for name in ["control-plane", "worker", "shelf"] {
            let found = self.docker.inspect_container(&format!("{lab}-{name}"), None).await;
            assert!(found.is_err(), "container {lab}-{name} is left");
        }
        let folder = loopdrill_lab::state::dir().join("labs").join(lab);
        assert!(!folder.exists(), "{} is left", folder.display());
    }
}

fn spec(test: &str) -> LabSpec {
    let nodes = vec![NodeSpec::new(Role::ControlPlane, "a"), NodeSpec::new(Role::Worker, "b")];
    LabSpec { nodes, ..LabSpec::named(&format!("t-{test}-{}", std::process::id())) }
}

/// Options for a bare lab, and what it says. `on` hears every line, too.
fn options(image: &str, on: impl Fn(&str) + Send + Sync + 'static) -> (UpOptions, Arc<Mutex<Vec<String>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let progress: Progress = Arc::new(move |line: &str| {
        heard.lock().expect("no panic while held").push(line.to_string());
        on(line);
    });
    let options = UpOptions::new(progress).expect("a test knows its own file");
    (UpOptions { node_image: Some(image.into()), addons: false, keep: false, ..options }, said)
}

async fn eventually(what: &str, limit: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_lives_and_leaves_nothing() {
    let Some(ground) = ground().await else { return };
    let spec = spec("life");
    let (options, _) = options(&ground.image, |_| {});
    let lab = Lab::up(&spec, &options).await.unwrap_or_else(|error| panic!("{error}"));
    let volumes = ground.volumes(&spec.name).await;
    assert!(volumes.len() >= 2);

    // The commands need the cluster's clean-up whatever they find, so they only report.
    let name = spec.name.clone();
    let local = tokio::task::LocalSet::new();
    let outcome = local
        .run_until(async { tokio::task::spawn_local(async move { live(&name, lab).await }).await })
        .await;
    assert!(Lab::down(&spec.name).await.expect("goes down"));
    outcome.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));

    ground.assert_nothing_left(&spec.name).await;
    for volume in volumes {
        assert!(ground.docker.inspect_volume(&volume).await.is_err(), "volume {volume} is left");
    }
    assert!(!Lab::down(&spec.name).await.expect("a second time does nothing"));
}

async fn live(name: &str, lab: Lab) {
    let (options, _) = options("unused", |_| {});
    let again = Lab::up(&LabSpec::named(name), &options).await.err().expect("the name is taken");
    assert!(matches!(again, LabError::Exists { .. }), "{again}");

    let mode = std::fs::metadata(lab.kubeconfig()).expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let listed = loopdrill_lab::list().await.expect("lists");
    let listed = listed.into_iter().find(|found| found.name == name).expect("in the list");
    assert!(listed.ours && listed.complete && !listed.kept && listed.nodes.len() == 2, "{listed:?}");
    assert!(
        loopdrill_lab::sweep().await.expect("sweeps").iter().all(|swept| swept != name),
        "its owner lives"
    );

    let lab = Lab::attach(lab.name()).await.expect("attaches");
    let facts = lab.facts().await.expect("facts");
    assert_eq!(
        facts.nodes.iter().map(|node| node.zone.as_deref()).collect::<Vec<_>>(),
        [Some("a"), Some("b")]
    );
    for capability in [Capability::NodeAccess, Capability::VxlanOverlay, Capability::NodeServiceManager] {
        assert_eq!(facts.capabilities[&capability], Ok(()), "{capability}");
    }
    assert!(facts.capabilities[&Capability::PrivateRegistry].is_err(), "a bare lab has none, and says so");

    let nodes = lab.nodes();
    let worker = format!("{name}-worker");
    commands(nodes.as_ref(), &worker).await;
    fence(nodes.as_ref(), &worker).await;
    services(nodes.as_ref(), &[&format!("{name}-control-plane"), &worker]).await;
    power(nodes.as_ref(), &worker, lab.client()).await;
    rest(lab).await;
}

/// A lab that was stopped has the objects and the addresses that it had, and everything runs anew.
async fn rest(lab: Lab) {
    let name = lab.name().to_owned();
    let nodes = async |client: &kube::Client| {
        let list = kube::Api::<k8s_openapi::api::core::v1::Node>::all(client.clone());
        let list = list.list(&kube::api::ListParams::default()).await.expect("the API server answers");
        let addresses = |node: k8s_openapi::api::core::v1::Node| {
            let addresses = node.status.and_then(|status| status.addresses).unwrap_or_default();
            (node.metadata.name, node.metadata.uid, format!("{addresses:?}"))
        };
        list.items.into_iter().map(addresses).collect::<Vec<_>>()
    };
    let before = nodes(lab.client()).await;
    assert!(Lab::stop(&name).await.expect("stops"));
    assert!(!Lab::stop(&name).await.expect("a second time does nothing"));
    assert!(loopdrill_lab::is_stopped(&name).await.expect("the engine answers"));
    let error = Lab::attach(&name).await.err().expect("nothing runs");
    assert!(error.to_string().contains(&format!("loopdrill lab start --name {name}")), "{error}");
    let progress: loopdrill_lab::Progress = Arc::new(|_: &str| {});
    let lab = Lab::start(&name, &progress).await.expect("starts");
    assert!(!loopdrill_lab::is_stopped(&name).await.expect("the engine answers"));
    assert_eq!(nodes(lab.client()).await, before);
    services(lab.nodes().as_ref(), &[&format!("{name}-control-plane"), &format!("{name}-worker")]).await;
    fence(lab.nodes().as_ref(), &format!("{name}-worker")).await;
}

async fn commands(nodes: &dyn NodeAccess, worker: &str) {
    let output =
        nodes.exec(worker, &["sh", "-c", "cat; echo err >&2; exit 3"], Some(b"hello")).await.expect("runs");
    assert_eq!(
        (output.code, output.stdout.as_slice(), output.stderr.as_slice()),
        (3, &b"hello"[..], &b"err\n"[..])
    );
    let large = vec![b'x'; 3 << 20];
    let output = nodes.exec(worker, &["wc", "-c"], Some(&large)).await.expect("runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), (3 << 20).to_string());
    let unread = nodes.exec(worker, &["true"], Some(&large)).await.expect("a command need not read");
    assert_eq!(unread.code, 0);

    let held =
        nodes.exec_stdin(worker, &["sh", "-c", "touch /tmp/begun; cat >/tmp/got; touch /tmp/ended"]).await;
    let mut held = held.expect("starts");
    held.write_all(b"beat").await.expect("takes input");
    let exists = async |path| nodes.exec(worker, &["test", "-e", path], None).await.expect("runs").code == 0;
    eventually("the command starts", Duration::from_secs(120), async || exists("/tmp/begun").await).await;
    assert!(!exists("/tmp/ended").await, "it goes on for as long as its input is held");
    drop(held);
    eventually("it reads the end of its input", Duration::from_secs(120), async || {
        exists("/tmp/ended").await
    })
    .await;

    let mut pipe = nodes
        .exec_pipe(worker, &["sh", "-c", "read line; echo got $line; cat >/dev/null"])
        .await
        .expect("starts");
    pipe.stdin.write_all(b"it\n").await.expect("takes input");
    let mut answer = [0; 7];
    pipe.stdout.read_exact(&mut answer).await.expect("answers");
    assert_eq!(&answer, b"got it\n");
    drop(pipe.stdin);
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(300), pipe.stdout.read_to_end(&mut rest)).await;
    end.expect("ends with its input").expect("cleanly");

    let unknown = nodes.exec("no-such-node", &["true"], None).await.expect_err("no node");
    assert!(matches!(unknown, NodeError::Down { .. }), "{unknown}");
}

/// A packet to a Service or its port that does not exist, or to a pod that does not, stays in the lab.
async fn fence(nodes: &dyn NodeAccess, worker: &str) {
    let count = "nft add table inet t_leaks; \
         nft add chain inet t_leaks out '{ type filter hook postrouting priority 300; }'; \
         nft add rule inet t_leaks out oifname eth0 ip daddr '{ 10.244.0.0/16, 10.96.0.0/16 }' counter; \
         for to in 10.96.255.254/81 10.96.0.1/81 10.244.250.250/80; do \
         timeout 2 bash -c \"</dev/tcp/$to\" 2>/dev/null && echo reached $to; done; \
         nft list chain inet t_leaks out; nft delete table inet t_leaks";
    let output = nodes.exec(worker, &["bash", "-c", count], None).await.expect("runs");
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.contains("counter packets 0 bytes 0"), "something left the lab: {answer}");
    assert!(!answer.contains("reached"), "{answer}");
}

/// A process in a node's own network reaches a Service with pods behind it, as the API server must reach webhooks
/// and aggregated APIs.
async fn services(nodes: &dyn NodeAccess, names: &[&str]) {
    for name in names {
        // The cluster's DNS, over TCP.
        let ask = ["timeout", "5", "bash", "-c", "</dev/tcp/10.96.0.10/53 && echo reached"];
        eventually(&format!("{name} reaches a Service"), Duration::from_secs(60), async || {
            let output = nodes.exec(name, &ask, None).await.expect("runs");
            String::from_utf8_lossy(&output.stdout).contains("reached")
        })
        .await;
    }
}

async fn power(nodes: &dyn NodeAccess, worker: &str, client: &kube::Client) {
    nodes.power_off(worker).await.expect("off");
    nodes.power_off(worker).await.expect("off is off");
    assert!(!nodes.is_powered(worker).await.expect("known"));
    let down = nodes.exec(worker, &["true"], None).await.expect_err("off");
    assert!(matches!(down, NodeError::Down { .. }), "{down}");
    let api = kube::Api::<k8s_openapi::api::core::v1::Node>::all(client.clone());
    let ready = async || {
        let node = api.get(worker).await.expect("the API server lives elsewhere");
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    eventually("the control plane notices", Duration::from_secs(60), async || !ready().await).await;
    nodes.power_on(worker).await.expect("on");
    nodes.power_on(worker).await.expect("on is on");
    eventually("the node is back", Duration::from_secs(120), ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_making_leaves_nothing() {
    let Some(ground) = ground().await else { return };
    let spec = spec("cancel");
    let token = tokio_util::sync::CancellationToken::new();
    let stop = token.clone();
    let (options, _) = options(&ground.image, move |line| {
        if line.contains("control plane is starting") {
            stop.cancel();
        }
    });
    let error = Lab::up(&spec, &UpOptions { cancel: token, ..options }).await.err().expect("cancelled");
    assert!(matches!(error, LabError::Interrupted), "{error}");
    assert_eq!(error.exit(), ExitStatus::Interrupted);
    ground.assert_nothing_left(&spec.name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_making_leaves_nothing() {
    let Some(ground) = ground().await else { return };
    let spec = spec("drop");
    let (started, mut has_started) = tokio::sync::mpsc::unbounded_channel();
    let (options, _) = options(&ground.image, move |line| {
        if line.contains("containers started") {
            let _ = started.send(());
        }
    });
    tokio::select! {
        _ = Lab::up(&spec, &options) => panic!("nobody waits that long"),
        _ = has_started.recv() => {}
    }
    ground.assert_nothing_left(&spec.name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_in_the_making_is_named() {
    let Some(ground) = ground().await else { return };
    let spec = spec("dies");
    let node = format!("{}-control-plane", spec.name);
    let (docker, victim) = (ground.docker.clone(), node.clone());
    let (options, _) = options(&ground.image, move |line| {
        if line.contains("control plane is starting") {
            let (docker, victim) = (docker.clone(), victim.clone());
            tokio::spawn(async move { docker.kill_container(&victim, None).await });
        }
    });
    let error = Lab::up(&spec, &options).await.err().expect("its node died");
    assert!(matches!(&error, LabError::NodeDied { node: found, .. } if *found == node), "{error}");
    assert_eq!(error.exit(), ExitStatus::NoCluster);
    ground.assert_nothing_left(&spec.name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_and_nothing_is_left() {
    let Some(ground) = ground().await else { return };
    let held = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = held.local_addr().expect("bound").port();
    let spec = LabSpec { api_port: Some(port), ..spec("port") };
    let (options, _) = options(&ground.image, |_| {});
    let error = Lab::up(&spec, &options).await.err().expect("taken");
    assert!(error.to_string().contains(&format!("port {port} ")), "{error}");
    ground.assert_nothing_left(&spec.name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_another_version_is_refused() {
    let Some(ground) = ground().await else { return };
    let spec = spec("version");
    let image = image_with_version(&ground, "v1.30.4").await;
    let (options, _) = options(&image, |_| {});
    let error = Lab::up(&spec, &options).await.err().expect("too old");
    let removed = ground.docker.remove_image(&image, None::<RemoveImageOptions>, None).await;
    assert!(matches!(error, LabError::WrongImage { .. }) && error.to_string().contains("v1.30.4"), "{error}");
    ground.assert_nothing_left(&spec.name).await;
    removed.expect("the test's image goes");
}

/// The node image with another version written on it.
async fn image_with_version(ground: &Ground, version: &str) -> String {
    let name = format!("t-version-image-{}", std::process::id());
    let body = ContainerCreateBody { image: Some(ground.image.clone()), ..Default::default() };
    let create = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
    ground.docker.create_container(Some(create), body).await.expect("created");
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(version.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, "kind/version", version.as_bytes()).expect("in memory");
    let archive = archive.into_inner().expect("in memory");
    let upload = UploadToContainerOptions { path: "/".into(), ..Default::default() };
    let body = bollard::body_full(archive.into());
    ground.docker.upload_to_container(&name, Some(upload), body).await.expect("uploaded");
    let commit = CommitContainerOptions {
        container: Some(name.clone()),
        repo: Some(name.clone()),
        tag: Some("old".into()),
        ..Default::default()
    };
    ground.docker.commit_container(commit, ContainerConfig::default()).await.expect("committed");
    let force = RemoveContainerOptions { v: true, force: true, ..Default::default() };
    ground.docker.remove_container(&name, Some(force)).await.expect("removed");
    format!("{name}:old")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_accepts_and_says_nothing_is_given_up() {
    let Some(_ground) = ground().await else { return };
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let image = format!("{}/node:v1", silent.local_addr().expect("bound"));
    let engine = Engine::connect().await.expect("just connected");
    let progress: Progress = Arc::new(|_: &str| {});
    let chosen = node_image::choose(&engine, Some(&image), &progress);
    let chosen = tokio::time::timeout(Duration::from_secs(300), chosen).await.expect("it is given up");
    let error = chosen.expect_err("nothing comes");
    assert!(
        matches!(error, LabError::NoImage { .. }) && error.to_string().contains("--node-image"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_of_dead_runs_are_swept_and_nothing_else() {
    let Some(ground) = ground().await else { return };
    let mine = owner::current();
    let dead =
        mine.splitn(3, ':').enumerate().map(|(n, part)| if n == 1 { "1" } else { part }).collect::<Vec<_>>();
    let (gone, alive) = (format!("t-gone-{}", std::process::id()), format!("t-alive-{}", std::process::id()));
    for (lab, owner) in [(&gone, dead.join(":")), (&alive, mine)] {
        let labels = HashMap::from([
            (labels::LAB.to_string(), lab.clone()),
            (labels::OWNER.to_string(), owner),
            (labels::KEPT.to_string(), "true".to_string()),
        ]);
        let body = ContainerCreateBody {
            image: Some(ground.image.clone()),
            labels: Some(labels),
            ..Default::default()
        };
        let name = Some(format!("{lab}-worker"));
        let create = CreateContainerOptions { name, ..Default::default() };
        ground.docker.create_container(Some(create), body).await.expect("created");
    }
    let swept = loopdrill_lab::sweep().await;
    let kept = Lab::down(&alive).await;
    let swept = swept.expect("sweeps");
    assert!(swept.contains(&gone), "{swept:?}");
    assert!(!swept.contains(&alive) && kept.expect("goes down"), "a living process's lab stays");
    ground.assert_nothing_left(&gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_does_not_exist_is_named_with_those_that_do() {
    let Some(_ground) = ground().await else { return };
    let error = Lab::attach("t-no-such-lab").await.err().expect("there is none");
    assert!(
        matches!(error, LabError::NotFound { .. }) && error.to_string().contains("t-no-such-lab"),
        "{error}"
    );
}
