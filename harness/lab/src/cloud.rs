//! `--with cloud-identity`: a cloud account for the lab, which trusts the lab's own ServiceAccounts.
//!
//! The cluster is the issuer (Kubernetes' defaults make it one), [`loopdrill_cloud`] the account. Beside the lab's
//! kubeconfig lie the description of the account and the operator's key, as for any account on AWS.
//!
//! Where the lab has a private registry, the account has one, too: the same images behind ECR's rules. A credential
//! provider on each node gives the kubelet passwords for it, from the token of the pod's own ServiceAccount.

use crate::{
    AGENT, LabError, Progress, apply,
    bundle::{import, reference},
    kubeconfig, node_image,
    nodes::DockerNodes,
    ready::{internal_ip, is_rolled_out, until},
    registry, state,
};
use futures::future::try_join_all;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Node, Secret},
};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use loopdrill_cloud as cloud;
use loopdrill_cluster::NodeAccess;
use loopdrill_kubernetes::well_known::CONTROL_PLANE;
use serde::Serialize;
use std::path::PathBuf;

/// The file that describes the account, in the lab's state folder.
pub const FILE: &str = "aws.yaml";
/// The operator's key, in the form of AWS' own tools.
const CREDENTIALS: &str = "aws-credentials";
/// The kubelet's list of credential providers, and its own flags.
const PROVIDER: &str = "/etc/kubernetes/image-credentials.json";
const KUBELET: &str = "/etc/default/kubelet";

/// What a user of the account has to know.
#[derive(Serialize)]
struct Description {
    account_id: &'static str,
    region: &'static str,
    endpoint_url: String,
    roles: [&'static str; 1],
    bucket: &'static str,
    credentials_file: PathBuf,
}

/// Puts moto onto the control-plane node, installs the cloud, and waits until its endpoint answers.
pub(crate) async fn install(
    client: &Client,
    nodes: &DockerNodes,
    lab: &str,
    image: &str,
    progress: &Progress,
) -> Result<(), LabError> {
    let bundle = node_image::cloud(progress).await?;
    let plane = format!("{lab}-control-plane");
    import(nodes, &plane, &bundle, "moto").await?;
    let mut objects = cloud::manifests(image, &reference(&bundle, "moto")?);
    let account = registry::account(client).await?;
    // After the namespace, before whoever reads them.
    objects.insert(1, secret(cloud::SEED_SECRET, cloud::SEED_KEY, &rand::random::<u64>().to_string()));
    if let Some(account) = &account {
        objects.insert(1, secret(cloud::REGISTRY_SECRET, cloud::REGISTRY_KEY, account));
    }
    apply::objects(client, objects).await?;
    available(client).await?;
    let endpoint = endpoint(client).await?;
    until("the cloud's endpoint is", || async {
        let argv = ["curl", "-s", "-o", "/dev/null", "--max-time", "2", endpoint.as_str()];
        Ok(nodes.exec(&plane, &argv, None).await.is_ok_and(|output| output.code == 0))
    })
    .await?;
    if account.is_some() {
        let all = nodes.names().iter().map(|node| let_pull(nodes, node, &endpoint));
        try_join_all(all).await?;
    }
    describe(client, lab).await
}

/// The image as the account's registry serves it.
#[must_use]
pub fn served(image: &str) -> String {
    registry::served_by(cloud::REGISTRY, image)
}

/// Tells a node's containerd where the account's registry is, and its kubelet which program gives passwords for it. A
/// kubelet reads that at its start only, and does not start while the program is missing; so it is restarted here, when
/// the program is there.
async fn let_pull(nodes: &DockerNodes, node: &str, endpoint: &str) -> Result<(), LabError> {
    let (hosts, text) = registry::hosts_file_of(cloud::REGISTRY, endpoint);
    let (bin, name) = AGENT.rsplit_once('/').unwrap_or_default();
    let flags =
        format!("--image-credential-provider-config={PROVIDER} --image-credential-provider-bin-dir={bin}");
    let script = format!(
        "mkdir -p $(dirname {hosts}); printf '%s' '{text}' >{hosts}; \
         printf '%s' '{}' >{PROVIDER}; \
         touch {KUBELET}; grep -q ^KUBELET_EXTRA_ARGS= {KUBELET} || echo KUBELET_EXTRA_ARGS= >>{KUBELET}; \
         grep -q {PROVIDER} {KUBELET} || sed -i 's|^KUBELET_EXTRA_ARGS=|&{flags} |' {KUBELET}; \
         systemctl restart kubelet; \
         for i in $(seq 100); do curl -sf http://127.0.0.1:10248/healthz >/dev/null && exit; sleep 0.2; done; \
         journalctl -u kubelet -n 5 --no-pager -o cat >&2; exit 1",
        serde_json::to_string(&provider(endpoint, name)).unwrap_or_default()
    );
    let output = nodes.sh(node, &script).await?;
    if output.code == 0 {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stderr).trim().to_string();
    Err(LabError::Step { node: node.into(), step: "restarting the kubelet with a credential provider", log })
}

/// The kubelet's configuration of the credential provider, which is this binary.
fn provider(endpoint: &str, name: &str) -> serde_json::Value {
    let address = endpoint.trim_start_matches("http://");
    serde_json::json!({
        "apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig",
        "providers": [{
            "name": name, "matchImages": ["*.dkr.ecr.*.lab"], "defaultCacheDuration": "0s",
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
            "args": ["cloud", "credentials", format!("--endpoint={address}")],
            "tokenAttributes": {
                "serviceAccountTokenAudience": cloud::AUDIENCE, "cacheType": "Token",
                "requireServiceAccount": true,
                "requiredServiceAccountAnnotationKeys": [cloud::ROLE_ANNOTATION],
            },
        }],
    })
}

/// Replaces the binary that the proxy runs. moto restarts with it, and the proxy sets the account up anew.
pub(crate) async fn refresh(client: &Client, image: &str) -> Result<(), LabError> {
    let front = serde_json::json!({ "name": "front", "image": image });
    let patch = serde_json::json!({ "spec": { "template": { "spec": { "containers": [front] } } } });
    let deployments = Api::<Deployment>::namespaced(client.clone(), cloud::NAMESPACE);
    let done = deployments.patch(cloud::DEPLOYMENT, &PatchParams::default(), &Patch::Strategic(patch)).await;
    done.map_err(|e| LabError::kube("replace the cloud's front", e))?;
    available(client).await
}

async fn available(client: &Client) -> Result<(), LabError> {
    let deployments = Api::<Deployment>::namespaced(client.clone(), cloud::NAMESPACE);
    until("the cloud is", || async { Ok(is_rolled_out(&deployments.get(cloud::DEPLOYMENT).await?)) }).await
}

fn secret(name: &str, key: &str, value: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": cloud::NAMESPACE },
        "stringData": { key: value },
    })
}

/// The one URL of the account, the same for pods and for this machine.
async fn endpoint(client: &Client) -> Result<String, LabError> {
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default().labels(CONTROL_PLANE)).await;
    let nodes = nodes.map_err(|e| LabError::kube("list the control-plane nodes", e))?;
    let address = nodes.iter().find_map(internal_ip).ok_or_else(|| LabError::NotReady {
        what: "the cloud's endpoint is".into(),
        seconds: 0,
        log: "  | no control-plane node has an address".into(),
    })?;
    Ok(format!("http://{address}:{}", cloud::NODE_PORT))
}

/// Writes the account's description and the operator's key beside the lab's kubeconfig.
pub(crate) async fn describe(client: &Client, lab: &str) -> Result<(), LabError> {
    let secrets = Api::<Secret>::namespaced(client.clone(), cloud::NAMESPACE);
    let secret = secrets.get(cloud::OPERATOR_SECRET).await;
    let secret = secret.map_err(|e| LabError::kube("read the operator's key of the cloud", e))?;
    let (id, key) = cloud::credentials(&secret).ok_or_else(|| LabError::NotReady {
        what: "the operator's key of the cloud is".into(),
        seconds: 0,
        log: format!("  | Secret {}/{} holds no key", cloud::NAMESPACE, cloud::OPERATOR_SECRET),
    })?;
    let folder = state::lab_dir(lab)?;
    let credentials = folder.join(CREDENTIALS);
    let text = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {key}\n");
    kubeconfig::write_private(&credentials, &text)?;
    let description = Description {
        account_id: cloud::ACCOUNT,
        region: cloud::REGION,
        endpoint_url: endpoint(client).await?,
        roles: [cloud::ROLE],
        bucket: cloud::BUCKET,
        credentials_file: credentials,
    };
    kubeconfig::write(&folder.join(FILE), &description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_what_runs_read() {
        let description = Description {
            account_id: cloud::ACCOUNT,
            region: cloud::REGION,
            endpoint_url: "http://172.18.0.2:30500".into(),
            roles: [cloud::ROLE],
            bucket: cloud::BUCKET,
            credentials_file: "/state/aws-credentials".into(),
        };
        let text = serde_yaml::to_string(&description).expect("YAML");
        let read: serde_json::Value = serde_yaml::from_str(&text).expect("YAML");
        // A number would lose the leading zeros that account ids may have.
        assert_eq!(read["account_id"], "123456789012");
        assert_eq!(read["roles"][0], "loopdrill-victim");
        assert_eq!(read["credentials_file"], "/state/aws-credentials");
    }

    #[test]
    fn the_provider_is_this_binary_and_its_registry_matches() {
        let config = provider("http://172.18.0.2:30500", "loopdrill");
        let provider = &config["providers"][0];
        assert_eq!(provider["args"][2], "--endpoint=172.18.0.2:30500");
        let pattern = provider["matchImages"][0].as_str().expect("a pattern");
        assert_eq!(pattern.split('.').count(), cloud::REGISTRY.split('.').count());
        assert!(served("localhost/loopdrill:0123").ends_with("us-east-1.lab/loopdrill:0123"));
        assert!(!config.to_string().contains('\''), "it is quoted for a shell");
    }
}
