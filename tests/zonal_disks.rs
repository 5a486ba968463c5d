//! The disks of a lab behave like a cloud's, and what users see of them is Kubernetes' own.

mod support;

use k8s_openapi::api::{
    core::v1::{Event, PersistentVolume, PersistentVolumeClaim, Pod, ServiceAccount},
    storage::v1::{StorageClass, VolumeAttachment},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, LogParams, PostParams},
};
use loopdrill_cluster::NodeAccess;
use loopdrill_zonal_disk::{
    DRIVER, IMMEDIATE_CLASS, NAMESPACE, NODE_DAEMON_SET, SHELF_DIR, WAIT_CLASS, ZONE_LABEL,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use support::lab::TestLab;

/// How long anything may take: detaching waits for the kubelet, and the machine may be busy.
const LIMIT: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn disks_of_a_real_lab() {
    let lab = TestLab::up("disks");
    let access = lab.access().await;
    let client = access.client.clone().expect("the lab's API answers");
    let nodes = access.nodes.clone().expect("a lab has nodes");
    let disks = Disks::new(client, nodes, &lab.name).await;

    disks.a_claim_waits_for_its_pod_and_follows_it().await;
    disks.a_disk_moves_within_its_zone_and_not_beyond().await;
    disks.a_disk_stays_with_a_dead_node().await;
    disks.immediate_claims_land_where_the_class_allows().await;
    disks.what_a_zonal_disk_cannot_do_is_said_in_the_claims_events().await;
    disks.nothing_is_left_of_deleted_claims().await;
}

/// A lab with disks: a control plane and a worker in zone `a`, another worker in zone `b`.
struct Disks {
    client: Client,
    nodes: Arc<dyn NodeAccess>,
    image: String,
    plane: String,
    worker_a: String,
    worker_b: String,
}

impl Disks {
    async fn new(client: Client, nodes: Arc<dyn NodeAccess>, lab: &str) -> Self {
        let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
        let driver =
            pods.list(&ListParams::default().labels(&format!("app={NODE_DAEMON_SET}"))).await.expect("pods");
        let image =
            driver.items[0].spec.as_ref().and_then(|s| s.containers[0].image.clone()).expect("an image");
        // Pods can be made from when their namespace has its account.
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
        until("the default account", || async { accounts.get_opt("default").await.ok()? }).await;
        let [plane, worker_a, worker_b] =
            ["control-plane", "worker", "worker2"].map(|n| format!("{lab}-{n}"));
        Self { client, nodes, image, plane, worker_a, worker_b }
    }

    async fn a_claim_waits_for_its_pod_and_follows_it(&self) {
        self.claim("waits", WAIT_CLASS, "ReadWriteOnce").await;
        self.event("waits", "waiting for first consumer").await;
        self.pod("follows", "waits", &json!({ZONE_LABEL: "b"})).await;
        self.running("follows").await;
        assert_eq!(self.zone_of("waits").await, "b");
        self.delete_pod("follows").await;
    }

    async fn a_disk_moves_within_its_zone_and_not_beyond(&self) {
        self.claim("moves", WAIT_CLASS, "ReadWriteOnce").await;
        self.pod("first", "moves", &on(&self.worker_a)).await;
        assert_eq!(self.records_found("first").await, 0);
        assert_eq!(self.attached_to("moves").await, [self.worker_a.as_str()]);

        self.pod("second", "moves", &on(&self.plane)).await;
        self.event("second", "Waiting for detach for volume").await;
        assert_eq!(self.attached_to("moves").await, [self.worker_a.as_str()], "one node at a time");
        self.delete_pod("first").await;
        assert!(self.records_found("second").await > 0, "the data came along");
        assert_eq!(self.attached_to("moves").await, [self.plane.as_str()]);
        self.delete_pod("second").await;

        self.pod("beyond", "moves", &json!({ZONE_LABEL: "b"})).await;
        self.event("beyond", "didn't match PersistentVolume's node affinity").await;
        assert_eq!(self.phase("beyond").await, "Pending");
        self.delete_pod("beyond").await;
    }

    async fn a_disk_stays_with_a_dead_node(&self) {
        self.pod("dies", "moves", &on(&self.worker_a)).await;
        let before = self.records_found("dies").await;
        self.exec(&self.worker_a, &["systemctl", "stop", "kubelet"]).await;
        let force = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.api::<Pod>().delete("dies", &force).await.expect("deleted by force");
        self.pod("waits-for-it", "moves", &on(&self.plane)).await;
        self.event("waits-for-it", "Volume is already exclusively attached to one node").await;
        assert_eq!(self.attached_to("moves").await, [self.worker_a.as_str()]);
        assert_eq!(self.phase("waits-for-it").await, "Pending");

        self.exec(&self.worker_a, &["systemctl", "start", "kubelet"]).await;
        assert!(self.records_found("waits-for-it").await > before, "the data came along");
        self.delete_pod("waits-for-it").await;
    }

    async fn immediate_claims_land_where_the_class_allows(&self) {
        self.claim("at-once", IMMEDIATE_CLASS, "ReadWriteOnce").await;
        let zone = self.zone_of("at-once").await;
        assert!(["a", "b"].contains(&zone.as_str()), "zone {zone}");
        let class = json!({
            "metadata": {"name": "test-only-b"}, "provisioner": DRIVER, "volumeBindingMode": "Immediate",
            "allowedTopologies": [{"matchLabelExpressions": [{"key": ZONE_LABEL, "values": ["b"]}]}],
        });
        let classes = Api::<StorageClass>::all(self.client.clone());
        classes.create(&PostParams::default(), &typed(class)).await.expect("a class");
        for name in ["only-b-1", "only-b-2", "only-b-3", "only-b-4"] {
            self.claim(name, "test-only-b", "ReadWriteOnce").await;
            assert_eq!(self.zone_of(name).await, "b");
        }
    }

    async fn what_a_zonal_disk_cannot_do_is_said_in_the_claims_events(&self) {
        self.claim("shared", IMMEDIATE_CLASS, "ReadWriteMany").await;
        self.event("shared", "a zonal disk can be attached to one node at a time").await;
    }

    async fn nothing_is_left_of_deleted_claims(&self) {
        let claims = self.api::<PersistentVolumeClaim>();
        claims.delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("deleted");
        let volumes = Api::<PersistentVolume>::all(self.client.clone());
        until("the volumes are gone", || async {
            volumes.list(&ListParams::default()).await.ok()?.items.is_empty().then_some(())
        })
        .await;
        let attachments = Api::<VolumeAttachment>::all(self.client.clone());
        assert!(attachments.list(&ListParams::default()).await.expect("a list").items.is_empty());
        for node in [&self.plane, &self.worker_a, &self.worker_b] {
            let left = self.exec(node, &["find", SHELF_DIR, "-mindepth", "2"]).await;
            assert_eq!(left, "", "disks are left on the shelf");
            let mounts = self.exec(node, &["cat", "/proc/self/mounts"]).await;
            let ours =
                mounts.lines().filter(|m| m.contains("/kubernetes.io~csi/") || m.contains("/globalmount"));
            assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new(), "mounts are left on {node}");
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), "default")
    }

    async fn claim(&self, name: &str, class: &str, mode: &str) {
        let claim = json!({"metadata": {"name": name}, "spec": {
            "storageClassName": class, "accessModes": [mode], "resources": {"requests": {"storage": "1Mi"}},
        }});
        self.api::<PersistentVolumeClaim>()
            .create(&PostParams::default(), &typed(claim))
            .await
            .expect("a claim");
    }

    /// A pod that counts the records on its disk when it starts, and then writes more.
    async fn pod(&self, name: &str, claim: &str, selector: &Value) {
        let pod = json!({"metadata": {"name": name}, "spec": {
            "nodeSelector": selector,
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "writer", "image": self.image, "imagePullPolicy": "IfNotPresent",
                "args": ["victim", "disk-writer", "/data"],
                "volumeMounts": [{"name": "disk", "mountPath": "/data"}],
            }],
            "volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": claim}}],
        }});
        self.api::<Pod>().create(&PostParams::default(), &typed(pod)).await.expect("a pod");
    }

    async fn phase(&self, name: &str) -> String {
        let pod = self.api::<Pod>().get(name).await.expect("the pod is there");
        pod.status.and_then(|s| s.phase).unwrap_or_default()
    }

    async fn running(&self, name: &str) {
        until(&format!("pod {name} runs"), || async { (self.phase(name).await == "Running").then_some(()) })
            .await;
    }

    async fn records_found(&self, name: &str) -> u64 {
        self.running(name).await;
        let pods = self.api::<Pod>();
        let log = || async {
            loopdrill_faults::victim::records_found(&pods.logs(name, &LogParams::default()).await.ok()?)
        };
        until(&format!("pod {name} read its disk"), log).await
    }

    async fn delete_pod(&self, name: &str) {
        self.api::<Pod>().delete(name, &DeleteParams::default()).await.expect("deleted");
        let gone = || async { self.api::<Pod>().get_opt(name).await.ok()?.is_none().then_some(()) };
        until(&format!("pod {name} is gone"), gone).await;
    }

    /// Waits for an event of an object.
    async fn event(&self, object: &str, words: &str) {
        let events = self.api::<Event>();
        let of_object = ListParams::default().fields(&format!("involvedObject.name={object}"));
        until(&format!("an event of {object} says {words:?}"), || async {
            let found = events.list(&of_object).await.ok()?.items;
            found.iter().any(|e| e.message.as_ref().is_some_and(|m| m.contains(words))).then_some(())
        })
        .await;
    }

    async fn volume_of(&self, claim: &str) -> PersistentVolume {
        let claims = self.api::<PersistentVolumeClaim>();
        let bound = || async { claims.get(claim).await.ok()?.spec?.volume_name };
        let name = until(&format!("claim {claim} is bound"), bound).await;
        Api::all(self.client.clone()).get(&name).await.expect("the bound volume is there")
    }

    /// The one zone from which a claim's volume can be used.
    async fn zone_of(&self, claim: &str) -> String {
        let volume = serde_json::to_value(self.volume_of(claim).await).expect("json");
        let terms = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
        assert_eq!(
            (
                &terms[1],
                &terms[0]["matchExpressions"][0]["key"],
                &terms[0]["matchExpressions"][0]["values"][1]
            ),
            (&Value::Null, &json!(ZONE_LABEL), &Value::Null),
            "{terms}"
        );
        terms[0]["matchExpressions"][0]["values"][0].as_str().expect("a zone").into()
    }

    /// The nodes to which a claim's volume is attached.
    async fn attached_to(&self, claim: &str) -> Vec<String> {
        let volume = self.volume_of(claim).await.name_any();
        let attachments =
            Api::<VolumeAttachment>::all(self.client.clone()).list(&ListParams::default()).await;
        let of_volume = |a: &VolumeAttachment| a.spec.source.persistent_volume_name.as_ref() == Some(&volume);
        let attached = attachments.expect("a list").items.into_iter().filter(of_volume);
        attached.filter(|a| a.status.as_ref().is_some_and(|s| s.attached)).map(|a| a.spec.node_name).collect()
    }

    async fn exec(&self, node: &str, argv: &[&str]) -> String {
        let output = self.nodes.exec(node, argv, None).await.expect("the node runs");
        output.success(node, argv).expect("the command succeeds")
    }
}

fn on(node: &str) -> Value {
    json!({"kubernetes.io/hostname": node})
}

fn typed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the kind's fields")
}

/// Polls until `look` finds something.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
