//! The objects that are installed.

use crate::options::ObserveOptions;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Namespace;
use loopdrill_cluster::RUN_LABEL;
use serde_json::{Value, json};
use std::time::Duration;

/// The label of our pods; its value is what they do.
pub(super) const ROLE_LABEL: &str = "loopdrill.dev/observer";
pub(super) const PROBE: &str = "probe";
pub(super) const COUNTERS: &str = "counters";
/// The annotation that tells a probe its peers.
pub(super) const PEERS: &str = "loopdrill.dev/peers";

/// A short name made of the run's id.
pub(super) fn suffix(run: &str) -> String {
    let plain: String =
        run.chars().map(|c| c.to_ascii_lowercase()).filter(char::is_ascii_alphanumeric).collect();
    let from = plain.len().saturating_sub(12);
    if plain.is_empty() { "run".into() } else { plain[from..].into() }
}

pub(super) fn namespace(name: &str, run: &str) -> Namespace {
    typed(json!({
        "metadata": {
            "name": name,
            "labels": {
                RUN_LABEL: run,
                ROLE_LABEL: "namespace",
                // Counters live in their node's network.
                "pod-security.kubernetes.io/enforce": "privileged",
            },
        },
    }))
}

/// Probes on the pod network.
pub(super) fn probe(image: &str, run: &str, options: &ObserveOptions) -> DaemonSet {
    let volume = json!({
        "name": "peers",
        "downwardAPI": {"items": [{
            "path": "peers",
            "fieldRef": {"fieldPath": format!("metadata.annotations['{PEERS}']")},
        }]},
    });
    let mounts = json!([{"name": "peers", "mountPath": "/run/loopdrill", "readOnly": true}]);
    daemon_set(
        PROBE,
        image,
        run,
        options.probe_interval,
        json!({
            "volumes": [volume],
            "nodeSelector": selector(options),
        }),
        mounts,
    )
}

/// Counters of the node, for clusters whose nodes are out of reach otherwise.
pub(super) fn counters(image: &str, run: &str, options: &ObserveOptions) -> DaemonSet {
    let more = json!({"hostNetwork": true, "nodeSelector": selector(options)});
    daemon_set(COUNTERS, image, run, options.counters_interval, more, json!([]))
}

fn selector(options: &ObserveOptions) -> Value {
    let mut labels = json!({"kubernetes.io/os": "linux"});
    options.selector.iter().for_each(|(key, value)| labels[key] = value.clone().into());
    labels
}

fn daemon_set(
    role: &str,
    image: &str,
    run: &str,
    interval: Duration,
    more: Value,
    mounts: Value,
) -> DaemonSet {
    let labels = json!({RUN_LABEL: run, ROLE_LABEL: role});
    let mut spec = json!({
        "containers": [{
            "name": role,
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "args": ["observer", role, "--interval", format!("{}ms", interval.as_millis())],
            "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
            // Nothing is requested: an observer must fit on a node that is full, and change no one's sums.
            "resources": {"requests": {"cpu": "0", "memory": "0"}, "limits": {"memory": "64Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumeMounts": mounts,
        }],
        "tolerations": [{"operator": "Exists"}],
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 0,
    });
    if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
        spec.extend(more);
    }
    typed(json!({
        "metadata": {"name": role, "labels": labels},
        "spec": {
            "selector": {"matchLabels": {ROLE_LABEL: role}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }))
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a manifest of our own, which the tests build")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_well_formed_and_ask_for_nothing() {
        let selector = [("pool".to_owned(), "drills".to_owned())].into();
        let options = ObserveOptions { selector, ..ObserveOptions::default() };
        for set in [probe("image", "r1", &options), counters("image", "r1", &options)] {
            let spec = set.spec.template.spec.expect("a pod");
            assert_eq!(spec.node_selector.as_ref().map(|s| s["pool"].as_str()), Some("drills"));
            assert_eq!(spec.automount_service_account_token, Some(false));
            let requests = spec.containers[0].resources.clone().and_then(|r| r.requests).expect("requests");
            assert!(requests.values().all(|q| q.0 == "0"));
            assert_eq!(set.metadata.labels.expect("labels")[RUN_LABEL], "r1");
        }
        assert_eq!(namespace("n", "r1").metadata.labels.expect("labels")[RUN_LABEL], "r1");
    }

    #[test]
    fn a_suffix_is_a_valid_name() {
        assert_eq!(suffix("2026-11-24T12:40:00Z/AbC"), "24t124000zabc"[1..]);
        assert_eq!(suffix("§"), "run");
        assert_eq!(suffix("r1"), "r1");
    }
}
