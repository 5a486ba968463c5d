//! One paginated list for each kind.

use crate::{Ask, Cluster, Shared, api};
use loopdrill_checklist::Input;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Objects in one answer.
const PAGE: usize = 500;

/// The path of an input's list, for everything or for a namespace. Its name is that of the resource with its group; the
/// first stable version of each is served from Kubernetes 1.21 on.
fn path(input: Input, namespace: Option<&str>) -> String {
    let (name, root) = match input.name().split_once('.') {
        Some((name, group)) => (name, format!("/apis/{group}/v1")),
        None => (input.name(), "/api/v1".into()),
    };
    match namespace {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{name}"),
        None => format!("{root}/{name}"),
    }
}

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

/// Lists an input into the builder: everything, or the namespaces that were asked for where that is forbidden.
pub(crate) async fn list(cluster: &Cluster, ask: &Ask, (input, namespaced): (Input, bool), shared: Shared) {
    let mut result = pages(cluster, input, &path(input, None), &shared).await;
    let forbidden = result.as_ref().is_err_and(|why| why.starts_with("forbidden"));
    if forbidden && namespaced && !ask.namespaces.is_empty() {
        result = Ok(());
        for namespace in &ask.namespaces {
            result = result.and(pages(cluster, input, &path(input, Some(namespace)), &shared).await);
        }
    }
    match result {
        Ok(()) => shared.lock().read(input),
        Err(why) => shared.lock().missing(input, why),
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
    percent_encoding::utf8_percent_encode(token, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_listed_by_their_names() {
        assert_eq!(path(Input::Pods, None), "/api/v1/pods");
        assert_eq!(path(Input::Deployments, Some("a")), "/apis/apps/v1/namespaces/a/deployments");
        assert_eq!(path(Input::Bindings, None), "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings");
        let listed: Vec<_> = Input::listed().map(|(input, _)| input).collect();
        let resources: Vec<_> = Input::ALL.iter().copied().filter(|i| !i.name().contains(' ')).collect();
        assert!(listed.contains(&Input::Nodes));
        assert_eq!(listed, resources, "what has the name of a resource is listed");
    }

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
