//! One paginated list for each kind.

use crate::{Ask, Cluster, Shared, api};
use loopdrill_checklist::Input;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Objects in one answer.
const PAGE: usize = 500;

/// How a kind is listed.
pub(crate) struct Kind {
    input: Input,
    root: &'static str,
    name: &'static str,
    namespaced: bool,
}

const fn kind(input: Input, root: &'static str, name: &'static str, namespaced: bool) -> Kind {
    Kind { input, root, name, namespaced }
}

/// Every kind that checks look at. All versions in here are served from Kubernetes 1.21 on.
pub(crate) const KINDS: &[Kind] = &[
    kind(Input::Namespaces, "/api/v1", "namespaces", false),
    kind(Input::Nodes, "/api/v1", "nodes", false),
    kind(Input::Pods, "/api/v1", "pods", true),
    kind(Input::Deployments, "/apis/apps/v1", "deployments", true),
    kind(Input::StatefulSets, "/apis/apps/v1", "statefulsets", true),
    kind(Input::DaemonSets, "/apis/apps/v1", "daemonsets", true),
    kind(Input::CronJobs, "/apis/batch/v1", "cronjobs", true),
    kind(Input::Services, "/api/v1", "services", true),
    kind(Input::Ingresses, "/apis/networking.k8s.io/v1", "ingresses", true),
    kind(Input::NetworkPolicies, "/apis/networking.k8s.io/v1", "networkpolicies", true),
    kind(Input::Budgets, "/apis/policy/v1", "poddisruptionbudgets", true),
    kind(Input::PriorityClasses, "/apis/scheduling.k8s.io/v1", "priorityclasses", false),
    kind(Input::StorageClasses, "/apis/storage.k8s.io/v1", "storageclasses", false),
    kind(Input::Volumes, "/api/v1", "persistentvolumes", false),
    kind(Input::Claims, "/api/v1", "persistentvolumeclaims", true),
    kind(Input::CsiNodes, "/apis/storage.k8s.io/v1", "csinodes", false),
    kind(Input::Secrets, "/api/v1", "secrets", true),
    kind(Input::ConfigMaps, "/api/v1", "configmaps", true),
    kind(Input::ServiceAccounts, "/api/v1", "serviceaccounts", true),
    kind(Input::Bindings, "/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", false),
];

#[derive(Deserialize)]
struct List<'a> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize, Default)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

/// Lists a kind into the builder: everything, or the namespaces that were asked for where that is forbidden.
pub(crate) async fn list(cluster: &Cluster, ask: &Ask, kind: &Kind, shared: Shared) {
    let everything = format!("{}/{}", kind.root, kind.name);
    let mut result = pages(cluster, kind.input, &everything, &shared).await;
    let forbidden = result.as_ref().is_err_and(|why| why.starts_with("forbidden"));
    if forbidden && kind.namespaced && !ask.namespaces.is_empty() {
        result = Ok(());
        for namespace in &ask.namespaces {
            let path = format!("{}/namespaces/{namespace}/{}", kind.root, kind.name);
            result = result.and(pages(cluster, kind.input, &path, &shared).await);
        }
    }
    match result {
        Ok(()) => shared.lock().read(kind.input),
        Err(why) => shared.lock().missing(kind.input, why),
    }
}

async fn pages(cluster: &Cluster, input: Input, path: &str, shared: &Shared) -> Result<(), String> {
    let mut next = String::new();
    loop {
        let text = api::text(&cluster.client, &format!("{path}?limit={PAGE}&continue={next}")).await?;
        let page: List<'_> =
            serde_json::from_str(&text).map_err(|e| format!("the list is not understood: {e}"))?;
        let mut builder = shared.lock();
        for item in page.items.iter().flatten() {
            // What is not understood is counted by the builder, and keeps checks from passing.
            let _ = builder.add(input, item.get());
        }
        drop(builder);
        match page.metadata.next.filter(|n| !n.is_empty()) {
            Some(token) => next = escaped(&token),
            None => return Ok(()),
        }
    }
}

/// A token as part of a query.
fn escaped(token: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    token.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_every_form_are_read() {
        let page = |text: &str| {
            let list: List<'_> = serde_json::from_str(text).expect("a list");
            (list.items.map_or(0, |i| i.len()), list.metadata.next)
        };
        assert_eq!(
            page(r#"{"items": [{"a": 1}, {}], "metadata": {"continue": "x"}}"#),
            (2, Some("x".into()))
        );
        assert_eq!(page(r#"{"items": null, "kind": "PodList"}"#), (0, None));
        assert_eq!(escaped("a+b/c="), "a%2Bb%2Fc%3D");
    }
}
