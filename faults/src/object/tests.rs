//! The three changes against an API server in memory.

use super::{testing::FakeApi, *};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Node, Secret},
    rbac::v1::RoleBinding,
};
use serde_json::{Value, json};

const MAP: &str = "/api/v1/namespaces/shop/configmaps/settings";
const BINDING: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings/reader";
const HOME: &str = "/api/v1/namespaces/shop";
const NODE: &str = "/api/v1/nodes/n1";

fn settings() -> ObjectChange {
    let map: ConfigMap = serde_json::from_value(json!({
        "metadata": {"name": "settings", "namespace": "shop"}, "data": {"a": "1"},
    }))
    .expect("a ConfigMap");
    ObjectChange::Create(Create::new(&map, "run-1").expect("has a name"))
}

fn binding() -> Value {
    json!({
        "kind": "RoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "reader", "namespace": "shop", "labels": {"team": "x"}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "app"}],
    })
}

fn node(unschedulable: Option<bool>) -> Value {
    json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1"}, "spec": {"unschedulable": unschedulable, "podCIDR": "10.0.0.0/24"}})
}

async fn cordon(api: &FakeApi) -> Result<ObjectChange, ChangeError> {
    let set: [(&[&str], _); 1] = [(&["spec", "unschedulable"], Some(json!(true)))];
    Patch::plan::<Node>(&api.client(), None, "n1", "run-1", &set).await.map(ObjectChange::Patch)
}

fn content(api: &FakeApi, url: &str) -> Option<String> {
    api.object(url).map(|o| Manifest::of(&o).canonical())
}

/// What a process after a crash has.
fn journaled(change: &ObjectChange) -> ObjectChange {
    let text = serde_json::to_string(change).expect("json");
    serde_json::from_str(&text).expect("json")
}

/// Apply, read back and undo, each twice, then compare.
async fn whole_life(api: &FakeApi, change: &ObjectChange, url: &str) {
    let client = api.client();
    let before = content(api, url);
    assert!(change.read_back(&client).await.expect("answer").is_none(), "not yet in force");
    for _ in 0..2 {
        change.apply(&client).await.expect("apply");
        assert!(change.read_back(&client).await.expect("answer").is_some());
        assert_ne!(change.differences(&client).await.expect("answer"), Vec::<String>::new());
    }
    let change = journaled(change);
    for _ in 0..2 {
        change.undo(&client).await.expect("undo");
        assert!(change.read_back(&client).await.expect("answer").is_none());
        assert_eq!(change.differences(&client).await.expect("answer"), Vec::<String>::new());
    }
    assert_eq!(content(api, url), before);
}

#[tokio::test]
async fn a_created_object_is_gone_again() {
    whole_life(&FakeApi::default(), &settings(), MAP).await;
}

#[tokio::test]
async fn what_went_with_its_namespace_or_node_needs_no_undo() {
    let api = FakeApi::default();
    let client = api.client();
    api.put(BINDING, binding());
    api.put(NODE, node(None));
    let delete = Delete::plan::<RoleBinding>(&client, Some("shop"), "reader").await.expect("snapshot");
    let changes = [ObjectChange::Delete(delete), cordon(&api).await.expect("snapshot")];
    for change in &changes {
        change.apply(&client).await.expect("apply");
    }
    api.remove(NODE);
    for home in
        [Some(json!({"metadata": {"name": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z"}})), None]
    {
        api.remove(HOME);
        home.into_iter().for_each(|home| api.put(HOME, home));
        for change in &changes {
            change.undo(&client).await.expect("nothing is left to undo");
            assert_eq!(change.differences(&client).await.expect("answer"), Vec::<String>::new());
        }
    }
    assert!(api.object(BINDING).is_none());
}

#[tokio::test]
async fn a_deleted_object_is_back_byte_for_byte() {
    let api = FakeApi::default();
    api.put(HOME, json!({"metadata": {"name": "shop"}}));
    api.put(BINDING, binding());
    let delete = Delete::plan::<RoleBinding>(&api.client(), Some("shop"), "reader").await.expect("snapshot");
    whole_life(&api, &ObjectChange::Delete(delete), BINDING).await;
}

#[tokio::test]
async fn an_altered_field_is_set_back() {
    for unschedulable in [None, Some(false)] {
        let api = FakeApi::default();
        api.put(NODE, node(unschedulable));
        whole_life(&api, &cordon(&api).await.expect("snapshot"), NODE).await;
    }
}

#[tokio::test]
async fn undoing_what_was_never_applied_touches_nothing() {
    let api = FakeApi::default();
    api.put(NODE, node(None));
    api.put(HOME, json!({"metadata": {"name": "shop"}}));
    api.put(BINDING, binding());
    let delete = Delete::plan::<RoleBinding>(&api.client(), Some("shop"), "reader").await.expect("snapshot");
    for change in [settings(), ObjectChange::Delete(delete), cordon(&api).await.expect("snapshot")] {
        change.undo(&api.client()).await.expect("undo");
        assert_eq!(change.differences(&api.client()).await.expect("answer"), Vec::<String>::new());
    }
    assert_eq!(api.count("POST") + api.count("PUT") + api.count("DELETE"), 0);
}

#[tokio::test]
async fn a_foreign_object_of_the_same_name_stays() {
    let api = FakeApi::default();
    let foreign =
        json!({"metadata": {"name": "settings", "labels": {loopdrill_cluster::RUN_LABEL: "run-2"}}});
    api.put(MAP, foreign);
    let before = content(&api, MAP);
    let error = settings().apply(&api.client()).await.expect_err("foreign");
    assert!(matches!(error, ChangeError::Foreign { .. }), "{error}");
    settings().undo(&api.client()).await.expect("nothing of ours is there");
    assert_eq!(content(&api, MAP), before);
}

#[tokio::test]
async fn a_deleted_object_that_somebody_replaced_is_not_overwritten() {
    let api = FakeApi::default();
    api.put(HOME, json!({"metadata": {"name": "shop"}}));
    api.put(BINDING, binding());
    let delete = Delete::plan::<RoleBinding>(&api.client(), Some("shop"), "reader").await.expect("snapshot");
    let delete = ObjectChange::Delete(delete);
    delete.apply(&api.client()).await.expect("apply");
    let mut other = binding();
    other["subjects"][0]["name"] = "intruder".into();
    api.put(BINDING, other);
    let error = delete.undo(&api.client()).await.expect_err("foreign").to_string();
    assert!(error.contains("intruder") && error.contains("app"), "both are shown: {error}");
    assert_eq!(delete.differences(&api.client()).await.expect("answer").len(), 1);
    api.put(BINDING, binding());
    delete.undo(&api.client()).await.expect("the same one is fine");
}

#[tokio::test]
async fn an_object_changed_since_the_snapshot_is_not_deleted() {
    let api = FakeApi::default();
    api.put(HOME, json!({"metadata": {"name": "shop"}}));
    api.put(BINDING, binding());
    let delete = Delete::plan::<RoleBinding>(&api.client(), Some("shop"), "reader").await.expect("snapshot");
    let delete = ObjectChange::Delete(delete);
    let mut other = api.object(BINDING).expect("is there");
    other["metadata"]["labels"]["team"] = "y".into();
    api.put(BINDING, other);
    assert!(matches!(delete.apply(&api.client()).await, Err(ChangeError::Foreign { .. })));
    api.remove(BINDING);
    api.put(BINDING, binding());
    assert!(matches!(delete.apply(&api.client()).await, Err(ChangeError::Foreign { .. })), "another uid");
    assert_eq!(api.count("DELETE"), 0);
}

#[tokio::test]
async fn a_field_that_somebody_changed_since_is_left_alone() {
    let api = FakeApi::default();
    api.put("/api/v1/nodes/n1", json!({"metadata": {"name": "n1"}, "spec": {"providerID": "a"}}));
    let set: [(&[&str], _); 1] = [(&["spec", "providerID"], Some(json!("b")))];
    let patch = Patch::plan::<Node>(&api.client(), None, "n1", "run-1", &set).await.expect("snapshot");
    let patch = ObjectChange::Patch(patch);
    patch.apply(&api.client()).await.expect("apply");
    let mut now = api.object(NODE).expect("is there");
    now["spec"]["providerID"] = "c".into();
    api.put(NODE, now);
    let error = patch.undo(&api.client()).await.expect_err("foreign").to_string();
    assert!(error.contains(r#"spec.providerID is "c", it was "a" before and "b" is ours"#), "{error}");
}

#[tokio::test]
async fn a_cordon_of_somebody_else_is_not_ours() {
    let api = FakeApi::default();
    api.put(NODE, node(None));
    let ours = cordon(&api).await.expect("snapshot");
    api.put(NODE, node(Some(true)));
    assert!(ours.apply(&api.client()).await.is_err());
    assert!(ours.read_back(&api.client()).await.expect("answer").is_none());
    ours.undo(&api.client()).await.expect("nothing of ours is there");
    assert_eq!(api.object(NODE).expect("is there")["spec"]["unschedulable"], true);
    let refused = cordon(&api).await.expect_err("already").to_string();
    assert!(refused.contains("is true already"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_asked_again_and_a_silent_one_is_given_up() {
    let api = FakeApi::default();
    api.fail_next(&[503, 500, 429]);
    settings().apply(&api.client()).await.expect("in the end");
    api.fail_next(&[403]);
    assert!(matches!(settings().undo(&api.client()).await, Err(ChangeError::Api { .. })), "no is no");
    api.fail_next(&[503; 1000]);
    let error = settings().undo(&api.client()).await.expect_err("deadline");
    assert!(matches!(error, ChangeError::NoApi { .. }), "{error}");
    assert!(error.to_string().contains("loopdrill undo"), "{error}");
}

#[tokio::test]
async fn the_content_of_a_secret_is_in_no_text() {
    let api = FakeApi::default();
    let url = "/api/v1/namespaces/shop/secrets/key";
    let secret = |v: &str| json!({"metadata": {"name": "key", "namespace": "shop"}, "data": {"k": v}});
    api.put(HOME, json!({"metadata": {"name": "shop"}}));
    api.put(url, secret("CANARY1"));
    let delete = Delete::plan::<Secret>(&api.client(), Some("shop"), "key").await.expect("snapshot");
    let delete = ObjectChange::Delete(delete);
    delete.apply(&api.client()).await.expect("apply");
    api.put(url, secret("CANARY2"));
    let error = delete.undo(&api.client()).await.expect_err("foreign");
    let differences = delete.differences(&api.client()).await.expect("answer");
    let texts = format!("{delete} {delete:?} {error} {error:?} {differences:?}");
    assert!(texts.contains("data.k was (hidden)") && !texts.contains("CANARY"), "{texts}");
    assert!(Patch::plan::<Secret>(&api.client(), Some("shop"), "key", "run-1", &[]).await.is_err());
}
