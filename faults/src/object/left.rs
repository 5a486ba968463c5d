//! What runs have left in a cluster, found in the cluster alone: by the label on what they created, and by the annotations
//! on what they altered. The undo of it is that of the changes themselves.

use super::{
    Create, HOLDER, Manifest, ObjectChange, ObjectRef, UNTIL,
    ops::is_transient,
    original::{ORIGINAL, Original},
    patch::{get, holder},
};
use crate::ChangeError;
use kube::{Client, ResourceExt, api::ListParams, core::DynamicObject};
use loopdrill_cluster::RUN_LABEL;
use serde_json::Value;
use std::{fmt, time::Duration};
use tokio::time::{Instant, sleep};

/// The kinds outside a drill's own namespace that a drill may touch on a cluster that is not ours: version, kind, plural.
/// What is not among them, nobody would find again.
pub const REACH: [(&str, &str, &str); 6] = [
    ("v1", "Node", "nodes"),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
    ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", "flowschemas"),
    ("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", "prioritylevelconfigurations"),
    // Last, with all that is in it.
    ("v1", "Namespace", "namespaces"),
];

/// The label of namespaces of observers, which are not a drill's.
const OBSERVER: &str = "loopdrill.dev/observer";
/// How long the cluster's own controllers may take to follow an undo.
const FOLLOW: Duration = Duration::from_secs(10);

/// Something that a run has left.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// The run.
    pub run: String,
    /// The change, with its undo; or why it cannot be undone from here.
    pub change: Result<ObjectChange, String>,
    /// Which object.
    pub object: ObjectRef,
    before: Option<Manifest>,
    /// When its effect ends by itself, as it says.
    until: Option<String>,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.change {
            Ok(change) => change.fmt(f)?,
            Err(_) => self.object.fmt(f)?,
        }
        match &self.until {
            Some(until) => write!(f, " (without effect from {until} on)"),
            None => Ok(()),
        }
    }
}

/// Whether an undo without the journal would find this change of a drill with that namespace.
#[must_use]
pub fn is_within_reach(change: &ObjectChange, namespace: &str) -> bool {
    let (object, is_delete) = match change {
        ObjectChange::Create(c) => (&c.object, false),
        ObjectChange::Patch(c) => (&c.object, false),
        ObjectChange::Delete(c) => (&c.object, true),
    };
    match &object.namespace {
        // It goes with its namespace.
        Some(home) => home == namespace,
        None => {
            !is_delete
                && REACH
                    .iter()
                    .any(|(version, kind, _)| *version == object.api_version && *kind == object.kind)
        }
    }
}

/// All that runs have left in a cluster, in the order in which it must be undone.
///
/// # Errors
/// When the API server does not tell.
pub async fn find_left(client: &Client) -> Result<Vec<Left>, ChangeError> {
    let mut found = Vec::new();
    for (version, kind, plural) in REACH {
        let any = ObjectRef {
            api_version: version.into(),
            kind: kind.into(),
            plural: plural.into(),
            namespace: None,
            name: String::new(),
        };
        let listed = any.api(client).list(&ListParams::default()).await;
        let listed = match listed {
            // A cluster that does not know the kind has none of them.
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            other => other.map_err(|source| ChangeError::Api {
                what: format!("look for {plural} that a run has left"),
                source: Box::new(source),
            })?,
        };
        found.extend(listed.items.iter().filter_map(|object| left(&any, object)));
    }
    Ok(found)
}

fn left(kind: &ObjectRef, found: &DynamicObject) -> Option<Left> {
    let object = ObjectRef { name: found.name_any(), ..kind.clone() };
    let mut value = serde_json::to_value(found).ok()?;
    value["apiVersion"] = kind.api_version.clone().into();
    value["kind"] = kind.kind.clone().into();
    if let Some(run) = holder(&value) {
        let (change, before) = match altered(&value) {
            Ok(original) => (Ok(ObjectChange::Patch(original.patch)), Some(original.before)),
            Err(why) => (Err(why), None),
        };
        return Some(Left { run: run.into(), change, object, before, until: None });
    }
    let run = found.labels().get(RUN_LABEL).filter(|_| !found.labels().contains_key(OBSERVER))?;
    let manifest = Manifest::of(&value);
    let until = found.annotations().get(UNTIL).cloned();
    let create = Create { object: object.clone(), run: run.clone(), manifest };
    Some(Left { run: run.clone(), change: Ok(ObjectChange::Create(create)), object, before: None, until })
}

fn altered(found: &Value) -> Result<Original, String> {
    let annotation = get(found, &["metadata", "annotations", ORIGINAL]).and_then(Value::as_str);
    let annotation = annotation.ok_or_else(|| {
        format!("it has the annotation {HOLDER} and no {ORIGINAL}; undo it where its journal is, with `loopdrill undo`")
    })?;
    Original::decode(annotation).map_err(|e| e.to_string())
}

impl Left {
    /// Takes it back, and looks that it is gone. What else differs from before is another's, and is told.
    ///
    /// # Errors
    /// When something of ours may still be in force, or somebody else has changed the same thing since.
    pub async fn undo(&self, client: &Client) -> Result<Vec<String>, String> {
        let change = self.change.as_ref().map_err(Clone::clone)?;
        change.undo(client).await.map_err(|e| e.to_string())?;
        let differences = change.differences(client).await.map_err(|e| e.to_string())?;
        if !differences.is_empty() {
            return Err(format!("still different: {}", differences.join("; ")));
        }
        match &self.before {
            Some(before) => self.of_others(client, before).await.map_err(|e| e.to_string()),
            None => Ok(Vec::new()),
        }
    }

    /// What is not as it was and not ours. Controllers get a moment to follow.
    async fn of_others(&self, client: &Client, before: &Manifest) -> Result<Vec<String>, kube::Error> {
        let end = Instant::now() + FOLLOW;
        loop {
            match self.object.api(client).get_opt(&self.object.name).await {
                Ok(None) => return Ok(Vec::new()),
                Ok(Some(found)) => {
                    let mut now = serde_json::to_value(&found).map_err(kube::Error::SerdeError)?;
                    now["apiVersion"] = self.object.api_version.clone().into();
                    now["kind"] = self.object.kind.clone().into();
                    let differences = before.differences(&Manifest::of(&now));
                    if differences.is_empty() || Instant::now() >= end {
                        return Ok(differences);
                    }
                }
                Err(e) if is_transient(&e) && Instant::now() < end => {}
                Err(e) => return Err(e),
            }
            sleep(Duration::from_millis(250)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Patch, testing::FakeApi};
    use jiff::Timestamp;
    use k8s_openapi::api::{
        admissionregistration::v1::ValidatingWebhookConfiguration,
        core::v1::{Namespace, Node},
    };
    use serde_json::json;

    const NODE: &str = "/api/v1/nodes/n1";

    async fn a_run_that_died(api: &FakeApi) -> ObjectChange {
        api.put(NODE, json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1", "labels": {"a": "b"}}, "spec": {"podCIDR": "10.0.0.0/24"}}));
        let client = api.client();
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": "drill-x"}})).expect("a namespace");
        let create = ObjectChange::Create(Create::new(&namespace, "r1").expect("named"));
        create.apply(&client).await.expect("created");
        let set: [(&[&str], _); 1] = [(&["spec", "unschedulable"], Some(json!(true)))];
        let patch = Patch::plan::<Node>(&client, None, "n1", "r1", &set).await.expect("planned");
        let patch = ObjectChange::Patch(patch);
        patch.apply(&client).await.expect("applied");
        patch
    }

    fn content(api: &FakeApi) -> String {
        Manifest::of(&api.object(NODE).expect("a node")).canonical()
    }

    #[tokio::test]
    async fn without_any_journal_a_cluster_is_put_right_byte_for_byte() {
        let api = FakeApi::default();
        let patch = a_run_that_died(&api).await;
        let found = find_left(&api.client()).await.expect("listed");
        assert_eq!(found.iter().map(|l| l.object.kind.as_str()).collect::<Vec<_>>(), ["Node", "Namespace"]);
        assert_eq!(found[0].change.as_ref(), Ok(&patch));
        assert_eq!(found[0].undo(&api.client()).await, Ok(vec![]));
        let again = found[0].undo(&api.client()).await;
        assert_eq!(again, Ok(vec![]), "an undo is safe to repeat");
        assert_eq!(
            content(&api),
            r#"{"apiVersion":"v1","kind":"Node","metadata":{"labels":{"a":"b"},"name":"n1"},"spec":{"podCIDR":"10.0.0.0/24"}}"#
        );
        assert_eq!(find_left(&api.client()).await.expect("listed").len(), 1, "the namespace");
    }

    #[tokio::test]
    async fn what_ends_by_itself_says_until_when_it_matters() {
        let api = FakeApi::default();
        let client = api.client();
        let ends = Timestamp::from_second(1_800_000_000).expect("in range");
        let named = |name: &str| json!({"metadata": {"name": name}});
        let webhook: ValidatingWebhookConfiguration = serde_json::from_value(named("w")).expect("a webhook");
        let create = Create::new(&webhook, "r1").expect("named").ends(ends);
        ObjectChange::Create(create).apply(&client).await.expect("created");
        let found = find_left(&client).await.expect("listed");
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        let until = "(without effect from 2027-01-15T08:00:00Z on)";
        assert_eq!(told, [format!("create ValidatingWebhookConfiguration w {until}")]);
        for one in &found {
            assert_eq!(one.undo(&client).await, Ok(vec![]));
        }
        api.fail_next(&[404]);
        assert_eq!(find_left(&client).await.expect("a kind that is not known is none"), []);
        api.fail_next(&[403]);
        assert!(find_left(&client).await.is_err(), "a kind that nobody may list may be there");
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_changed_is_shown_and_stays() {
        let api = FakeApi::default();
        a_run_that_died(&api).await;
        let mut node = api.object(NODE).expect("a node");
        node["metadata"]["labels"]["a"] = json!("c");
        api.put(NODE, node);
        let found = find_left(&api.client()).await.expect("listed");
        let shown = found[0].undo(&api.client()).await.expect("undone");
        assert_eq!(shown, [r#"metadata.labels.a was "b" and is "c""#]);
        assert!(content(&api).contains(r#""a":"c""#));
    }

    #[tokio::test]
    async fn a_field_that_others_set_since_is_not_overwritten() {
        let api = FakeApi::default();
        a_run_that_died(&api).await;
        let mut node = api.object(NODE).expect("a node");
        node["spec"]["unschedulable"] = json!("maybe");
        api.put(NODE, node);
        let found = find_left(&api.client()).await.expect("listed");
        let error = found[0].undo(&api.client()).await.expect_err("foreign");
        assert_eq!(
            error,
            "Node n1 is in a foreign state: spec.unschedulable is \"maybe\", it was absent before and true is ours; put it \
             right by hand, then run `loopdrill undo`"
        );
        assert!(content(&api).contains("maybe"));
    }

    #[tokio::test]
    async fn an_original_that_was_tampered_with_is_not_used() {
        let api = FakeApi::default();
        a_run_that_died(&api).await;
        let mut node = api.object(NODE).expect("a node");
        let annotation = &mut node["metadata"]["annotations"][ORIGINAL];
        *annotation = annotation.as_str().expect("text").replacen("sha256:", "sha256:0", 1).into();
        api.put(NODE, node);
        let found = find_left(&api.client()).await.expect("listed");
        assert!(found[0].change.as_ref().is_err_and(|why| why.contains("digest")), "{:?}", found[0].change);
        assert!(content(&api).contains("unschedulable"), "nothing is touched");
    }

    #[test]
    fn an_observers_namespace_is_no_drills() {
        let kind = ObjectRef::of::<Namespace>(None, "");
        let namespace = |labels: Value| -> DynamicObject {
            serde_json::from_value(json!({"metadata": {"name": "x", "labels": labels}})).expect("an object")
        };
        assert!(left(&kind, &namespace(json!({RUN_LABEL: "r1"}))).is_some());
        assert!(left(&kind, &namespace(json!({RUN_LABEL: "r1", OBSERVER: "namespace"}))).is_none());
        assert!(left(&kind, &namespace(json!({}))).is_none());
    }
}
