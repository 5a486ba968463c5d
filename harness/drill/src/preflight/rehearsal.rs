//! A drill's set-up with a client whose every write is a dry run on the server.
//!
//! Nothing that is written so is there afterwards, so the first look for the victim's pods would wait for ever: it ends the
//! rehearsal. Pods that a controller would make are tried here, as it would make them.

use super::told;
use crate::Session;
use http::{Method, Request, Response, StatusCode, Uri};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::PostParams, client::Body};
use loopdrill_cluster::Target;
use loopdrill_faults::{Change, Fault, FaultContext, FaultError, object::ObjectChange};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long the rehearsal of one drill may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What was written.
type Written = Arc<Mutex<Vec<Value>>>;

/// Rehearses one drill in a namespace of ours.
///
/// # Errors
/// The first refusal word for word, with its remedy.
pub(super) async fn rehearse(
    session: &Session,
    fault: &Arc<dyn Fault>,
    namespace: &str,
) -> Result<(), String> {
    let (written, looked) = (Written::default(), session.cancel.child_token());
    let client = &session.target.client;
    let target = Target { client: rehearsing(client, &written, &looked), ..(*session.target).clone() };
    let ctx = FaultContext {
        target: Arc::new(target),
        id: fault.spec().id(),
        namespace: namespace.into(),
        cancel: looked,
    };
    match timeout(LIMIT, set_up_and_plan(fault, &ctx)).await {
        Ok(Ok(()) | Err(FaultError::Interrupted)) => {}
        Ok(Err(FaultError::Api { doing, source })) => return Err(told(&doing, &source)),
        Ok(Err(other)) => return Err(other.to_string()),
        Err(_) => return Err(format!("its rehearsal did not end within {} s", LIMIT.as_secs())),
    }
    let written = std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
    for object in &written {
        try_pods_of(client, namespace, object).await?;
    }
    Ok(())
}

/// A set-up that waits for nothing of its own is over at once, and then its plan stands on nothing, either.
async fn set_up_and_plan(fault: &Arc<dyn Fault>, ctx: &FaultContext) -> Result<(), FaultError> {
    fault.set_up(ctx).await?;
    for change in fault.plan(ctx).await? {
        if let Change::Object(ObjectChange::Create(create)) = &change {
            change_is_admitted(ctx, create.manifest.value(), &create.object).await?;
        }
    }
    Ok(())
}

async fn change_is_admitted(
    ctx: &FaultContext,
    manifest: &Value,
    object: &loopdrill_faults::object::ObjectRef,
) -> Result<(), FaultError> {
    let doing = FaultError::api(format!("create {object}"));
    let typed = serde_json::from_value(manifest.clone());
    let typed = typed.map_err(|e| FaultError::Unfit(e.to_string()))?;
    object.api(&ctx.target.client).create(&PostParams::default(), &typed).await.map(drop).map_err(doing)
}

/// Tries the pod that a controller would make of this object.
async fn try_pods_of(client: &Client, namespace: &str, object: &Value) -> Result<(), String> {
    let Some(pod) = pod_of(object) else { return Ok(()) };
    let name = pod.metadata.name.clone().unwrap_or_default();
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let tried = Api::<Pod>::namespaced(client.clone(), namespace).create(&params, &pod).await;
    tried.map(drop).map_err(|e| told(&format!("Pod {name}"), &e))
}

/// The pod of a controller's template. Its account is not there, since it was only tried.
fn pod_of(object: &Value) -> Option<Pod> {
    let template = object.pointer("/spec/template")?;
    let mut pod = json!({"metadata": template.get("metadata"), "spec": template.get("spec")?});
    pod["metadata"]["name"] = format!("{}-0", object.pointer("/metadata/name")?.as_str()?).into();
    let volumes = claims_of(object, pod["metadata"]["name"].as_str()?);
    let spec = pod["spec"].as_object_mut()?;
    spec.remove("serviceAccountName");
    if !volumes.is_empty() {
        spec.insert("volumes".into(), volumes.into());
    }
    serde_json::from_value(pod).ok()
}

/// The volumes that a StatefulSet gives to a pod of its, for their claims.
fn claims_of(object: &Value, pod: &str) -> Vec<Value> {
    let templates = object.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    let names = templates.into_iter().flatten().filter_map(|t| t.pointer("/metadata/name")?.as_str());
    let volume =
        |name| json!({"name": name, "persistentVolumeClaim": {"claimName": format!("{name}-{pod}")}});
    names.map(volume).collect()
}

/// A client whose every write is a dry run, and whose first look for pods after one ends the rehearsal.
fn rehearsing(client: &Client, written: &Written, looked: &CancellationToken) -> Client {
    let namespace = client.default_namespace().to_owned();
    let (client, written, looked) = (client.clone(), Arc::clone(written), looked.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, written, looked) = (client.clone(), Arc::clone(&written), looked.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            let bytes = body.collect_bytes().await?;
            let is_read = parts.method == Method::GET;
            let note = |o: Value| written.lock().unwrap_or_else(PoisonError::into_inner).push(o);
            match is_read {
                true if parts.uri.path().ends_with("/pods") => looked.cancel(),
                true => {}
                false => {
                    parts.uri = dry_run(&parts.uri)?;
                    serde_json::from_slice(&bytes).into_iter().for_each(note);
                }
            }
            let binds = parts.uri.path().ends_with("/rolebindings");
            let answer = client.send(Request::from_parts(parts, Body::from(bytes.to_vec()))).await?;
            // The Role that it names was only tried, so it is not found; for its rules the Role itself was asked.
            if binds && answer.status() == StatusCode::NOT_FOUND {
                return Ok(Response::builder()
                    .status(StatusCode::CREATED)
                    .body(Body::from(bytes.to_vec()))?);
            }
            Ok::<_, tower::BoxError>(answer)
        }
    });
    Client::new(service, namespace)
}

/// The same address, as a dry run.
fn dry_run(uri: &Uri) -> Result<Uri, http::Error> {
    let mut parts = uri.clone().into_parts();
    let joined =
        format!("{}?{}dryRun=All", uri.path(), uri.query().map(|q| format!("{q}&")).unwrap_or_default());
    parts.path_and_query = Some(joined.replace("?&", "?").parse()?);
    Uri::from_parts(parts).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_becomes_a_dry_run() {
        let of = |uri: &str| dry_run(&uri.parse().expect("a uri")).expect("a uri").to_string();
        assert_eq!(of("/api/v1/pods"), "/api/v1/pods?dryRun=All");
        assert_eq!(of("/api/v1/pods?"), "/api/v1/pods?dryRun=All");
        assert_eq!(of("/api/v1/pods?fieldManager=x"), "/api/v1/pods?fieldManager=x&dryRun=All");
    }

    #[test]
    fn the_pod_of_a_deployment_is_tried_without_an_account_that_is_not_there() {
        let template = || json!({"metadata": {"labels": {"a": "b"}}, "spec": {"serviceAccountName": "x", "containers": []}});
        let pod =
            pod_of(&json!({"metadata": {"name": "web"}, "spec": {"template": template()}})).expect("a pod");
        assert_eq!(pod.metadata.name.as_deref(), Some("web-0"));
        assert_eq!(pod.spec.expect("spec").service_account_name, None);
        assert!(pod_of(&json!({"metadata": {"name": "c"}, "spec": {}})).is_none());
        let claims = json!([{"metadata": {"name": "data"}}]);
        let set = json!({"metadata": {"name": "db"}, "spec": {"template": template(), "volumeClaimTemplates": claims}});
        let volumes = pod_of(&set).and_then(|p| p.spec?.volumes).expect("volumes");
        assert_eq!(
            volumes[0].persistent_volume_claim.as_ref().map(|c| c.claim_name.as_str()),
            Some("data-db-0")
        );
    }
}
