//! What every fault must keep to, tried on all of them over an API server in memory.

use super::*;
use crate::{
    FaultContext, FaultError, Footprint, Look, Resource,
    object::testing::FakeApi,
    revoked_iam::aws,
    victim::{VICTIM_LABEL, place::tests::facts, testing},
};
use loopdrill_cluster::{ClusterFacts, StorageFacts};
use loopdrill_model::Group;
use serde_json::{Value, json};

/// The workloads of all victims, and their claims.
const NAMES: [&str; 13] = [
    "api-caller",
    "api-writer",
    "app",
    "asker",
    "backend",
    "batch",
    "front",
    "lease-holder",
    "private",
    "reader",
    "twin",
    "writer",
    "backend-next",
];

fn lab() -> ClusterFacts {
    let storage = StorageFacts { driver: "disk.example.com".into(), wait_class: "wait".into() };
    let facts = facts(&[("x", Some("a")), ("y", Some("b")), ("z", Some("b"))]);
    let mut facts = ClusterFacts { storage: Some(storage), ..facts };
    facts.take_cloud(Ok(aws::tests::account()));
    facts
}

/// Puts the victims' Deployments and StatefulSets there, and the claim; each wants one pod.
fn put_workloads(api: &FakeApi) {
    for name in NAMES {
        for kind in ["deployments", "statefulsets"] {
            let url = format!("/apis/apps/v1/namespaces/d/{kind}/{name}");
            api.put(&url, json!({"metadata": {"name": name}, "spec": {"replicas": 1}}));
            api.put(&format!("{url}/scale"), json!({"metadata": {"name": name}, "spec": {"replicas": 1}}));
        }
        api.put(&claim(name), json!({"metadata": {"name": name}}));
    }
}

fn claim(name: &str) -> String {
    format!("/api/v1/namespaces/d/persistentvolumeclaims/{name}")
}

/// Puts a pod of the workload `name` with this status there.
fn put_pod(api: &FakeApi, name: &str, status: &Value) {
    let metadata = json!({
        "name": name, "labels": {VICTIM_LABEL: name}, "creationTimestamp": "2026-01-01T00:00:00Z",
    });
    api.put(&format!("/api/v1/namespaces/d/pods/{name}"), json!({"metadata": metadata, "status": status}));
}

fn put_log(api: &FakeApi, name: &str, log: &str) {
    api.put_text(&format!("/api/v1/namespaces/d/pods/{name}/log"), log);
}

/// A cluster in which every victim has one pod, with this status and log.
fn world(status: &Value, log: Option<&str>) -> FakeApi {
    let api = FakeApi::default();
    put_workloads(&api);
    for name in NAMES {
        put_pod(&api, name, status);
        log.into_iter().for_each(|log| put_log(&api, name, log));
    }
    api
}

/// What each fault sees in a cluster, before and after its symptom has shown.
async fn looks(api: &FakeApi) -> Vec<(Arc<dyn Fault>, bool, Result<Look, FaultError>)> {
    let ctx: FaultContext = testing::context(api, lab());
    let mut all = Vec::new();
    for fault in everything() {
        for shown in [false, true] {
            let look = fault.look(&ctx, shown).await;
            all.push((fault.clone(), shown, look));
        }
    }
    all
}

/// Asserts that nobody can tell anything in this cluster.
async fn nobody_can_tell(api: &FakeApi, world: &str) {
    for (fault, shown, look) in looks(api).await {
        let id = fault.spec().id();
        assert!(matches!(look, Ok(Look::Settling(_))), "{world}: {id}, shown {shown}: {look:?}");
    }
}

fn is_a_few_objects(fault: &dyn Fault) -> bool {
    fault.spec().group == Group::Decoy
        && fault.dry_run(&lab()).last().is_some_and(|l| l == "undo: delete it again")
}

#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_to_see_nobody_is_well() {
    for (fault, shown, look) in looks(&FakeApi::default()).await {
        let id = fault.spec().id();
        match look {
            Ok(Look::Settling(_)) => {}
            // A decoy that is a few objects has ended when they are gone.
            Ok(Look::Well) if shown && is_a_few_objects(&*fault) => {}
            other => panic!("{id}, shown {shown}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_workload_without_a_pod_is_not_well() {
    let api = FakeApi::default();
    put_workloads(&api);
    nobody_can_tell(&api, "no pods").await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_says_nothing_is_not_well() {
    for status in
        [json!({}), json!({"phase": "Pending"}), json!({"phase": "Running", "containerStatuses": []})]
    {
        for log in [None, Some("")] {
            nobody_can_tell(&world(&status, log), &format!("{status} with log {log:?}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_tells_nothing() {
    for code in [403, 500, 503] {
        let api = world(&testing::ready(), None);
        api.fail_always(code);
        for (fault, shown, look) in looks(&api).await {
            let id = fault.spec().id();
            assert!(matches!(look, Ok(Look::Settling(_)) | Err(_)), "{code}: {id}, shown {shown}: {look:?}");
        }
    }
}

/// Who is judged by what it reports, and not by its pod.
fn is_judged_by_reports(fault: &dyn Fault) -> bool {
    let (fault, variant) = (fault.spec().fault, fault.spec().variant);
    matches!(fault, "overlay-mtu" | "network-decoy" | "etcd-disk" | "api-latency") && variant != "node-dns"
        || matches!(variant, "overload" | "slow-webhook" | "own-limit")
}

#[tokio::test(start_paused = true)]
async fn a_ready_pod_without_a_report_is_not_well() {
    for log in [None, Some(""), Some("what is this\n")] {
        let all = looks(&world(&testing::ready(), log)).await;
        let silent: Vec<_> = all.into_iter().filter(|(fault, ..)| is_judged_by_reports(&**fault)).collect();
        assert_eq!(silent.len(), 2 * 14);
        for (fault, shown, look) in silent {
            let id = fault.spec().id();
            assert!(matches!(look, Ok(Look::Settling(_))), "{log:?}: {id}, shown {shown}: {look:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_symptom_a_ready_writer_must_have_its_data_again() {
    let ids = ["cross-az-pvc/cordon", "domino/zone-full"];
    let look_with = async |log: Option<&str>| {
        let all = looks(&world(&testing::ready(), log)).await.into_iter();
        let mine = all.filter(|(fault, shown, _)| *shown && ids.contains(&&*fault.spec().id().to_string()));
        mine.map(|(.., look)| look.expect("can be looked at")).collect::<Vec<_>>()
    };
    for log in [None, Some(""), Some("found some\n")] {
        let looks = look_with(log).await;
        assert!(
            looks.len() == 2 && looks.iter().all(|l| matches!(l, Look::Settling(_))),
            "{log:?}: {looks:?}"
        );
    }
    let lost = look_with(Some("found 0 records\n")).await;
    assert!(lost.iter().all(|l| matches!(l, Look::Broken(_))), "{lost:?}");
    assert_eq!(look_with(Some("found 3 records\n")).await, [Look::Well, Look::Well]);
}

/// Without this the tests above could not fail: there is a cluster in which victims are well.
#[tokio::test(start_paused = true)]
async fn a_ready_pod_is_well_where_nothing_else_counts() {
    let all = looks(&world(&testing::ready(), None)).await;
    let well = all.iter().filter(|(_, shown, look)| !shown && matches!(look, Ok(Look::Well)));
    let well: Vec<_> = well.map(|(fault, ..)| fault.spec().id().to_string()).collect();
    for id in ["revoked-iam/rbac", "revoked-iam/aws-session", "cross-az-pvc/cordon", "domino/two-faults"] {
        assert!(well.iter().any(|w| w == id), "{id} is not among {well:?}");
    }
}

/// One workload lost its rights and crashes; the other found room all the same. And the other way round.
#[tokio::test(start_paused = true)]
async fn of_two_faults_one_that_bit_is_no_symptom() {
    let crashes = json!({"containerStatuses": [{
        "name": "victim", "image": "", "imageID": "", "ready": false, "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}},
    }]});
    let no_room = testing::refused("0/2 nodes are available: 2 Insufficient cpu.");
    let look_at = async |rights: &Value, room: &Value| {
        let api = world(&testing::ready(), Some(""));
        put_pod(&api, "api-caller", rights);
        put_pod(&api, "asker", room);
        let both = looks(&api).await.into_iter().filter(|(f, ..)| f.spec().variant == "two-faults");
        both.map(|(.., look)| look.expect("can be looked at")).collect::<Vec<_>>()
    };
    for looks in [look_at(&crashes, &testing::ready()).await, look_at(&testing::ready(), &no_room).await] {
        assert!(looks.len() == 2 && looks.iter().all(|l| matches!(l, Look::Settling(_))), "{looks:?}");
    }
    let both = look_at(&crashes, &no_room).await;
    assert!(both.iter().all(|l| matches!(l, Look::Broken(evidence) if evidence.len() == 2)), "{both:?}");
}

#[test]
fn what_does_not_touch_the_lost_zone_runs_beside_it() {
    let facts = facts(&[("x", Some("a")), ("y", Some("b"))]);
    let of = |fault: &str| -> Footprint {
        let all = catalogue();
        let fault = all.iter().find(|f| f.spec().id().to_string() == fault);
        fault.expect("is in the catalogue").footprint(&facts)
    };
    let cordon = of("cross-az-pvc/cordon");
    assert_eq!(cordon.broken().collect::<Vec<_>>(), [&Resource::NodeLife("x".into())]);
    assert!(cordon.overlaps(&of("cross-az-pvc/node-failure")));
    assert!(cordon.overlaps(&of("request-fragmentation/fillers")), "fillers need all nodes");
    for beside in ["cross-az-pvc/immediate", "revoked-iam/rbac", "revoked-iam/pull"] {
        assert!(!cordon.overlaps(&of(beside)), "{beside}");
    }
}

#[test]
fn a_cluster_that_lacks_everything_makes_no_fault_panic() {
    for fault in everything() {
        assert!(!fault.dry_run(&ClusterFacts::default()).is_empty());
        let _ = fault.footprint(&ClusterFacts::default());
        for causes in fault.spec().roots {
            let first = causes.first().expect("a root has a cause").control_loop();
            assert!(causes.iter().all(|c| c.control_loop() == first), "{}", fault.spec().id());
        }
    }
}

#[test]
fn each_drill_has_a_name_of_its_own() {
    let mut names: Vec<_> = everything().iter().map(|f| f.spec().id().to_string()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(catalogue().len() + cloud_catalogue().len(), count);
}
