//! The lab's private registry, with accounts: what a team's own registry is to its cluster.
//!
//! Images name it by a host that does not exist anywhere; containerd on the nodes is told where it is. Its one
//! account has a random password, of which the cluster has the pull Secret and the node a hash. Where nodes may pull by
//! themselves, they have an account of their own beside it.

use crate::{
    LabError, apply,
    nodes::DockerNodes,
    ready::{is_available, until},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Secret};
use kube::{Api, Client, ResourceExt};
use loopdrill_cluster::{NodeAccess, RegistryFacts};
use rand::Rng;
use std::collections::BTreeMap;

const MANIFEST: &str = include_str!("registry.yaml");
const NAMESPACE: &str = "loopdrill-registry";
const DEPLOYMENT: &str = "registry";
const SECRET: &str = "pull";
/// Its name in image references.
const HOST: &str = "registry.lab:5000";
const HTPASSWD: &str = "/var/lib/loopdrill/registry/auth/htpasswd";
const USER: &str = "lab";
/// The account of the nodes themselves.
const NODE_USER: &str = "node";
/// Where the kubelet looks for a credential of its node.
const NODE_CREDENTIAL: &str = "/var/lib/kubelet/config.json";
/// Where an attaching process finds the image that the registry serves.
const IMAGE_ANNOTATION: &str = "loopdrill.dev/image";

/// Tells a node's containerd where the registry is: on the control-plane node, whose name the engine resolves.
pub(crate) fn hosts_file(lab: &str) -> (String, String) {
    hosts_file_of(HOST, &format!("http://{lab}-control-plane:5000"))
}

/// The file that gives a node an account of its own: the kubelet tries it beside the pull Secrets of pods.
pub(crate) fn node_credential() -> (String, String) {
    (NODE_CREDENTIAL.into(), docker_config(NODE_USER, &password()))
}

/// Tells a node's containerd where a registry is.
pub(crate) fn hosts_file_of(host: &str, url: &str) -> (String, String) {
    let text = format!("server = \"{url}\"\n\n[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
    (format!("/etc/containerd/certs.d/{host}/hosts.toml"), text)
}

/// The image as a registry serves it.
pub(crate) fn served_by(host: &str, image: &str) -> String {
    let (_, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    format!("{host}/loopdrill:{tag}")
}

fn served(image: &str) -> String {
    served_by(HOST, image)
}

/// Starts the registry, gives it its account and waits until it serves. Returns the account's password.
pub(crate) async fn start(
    client: &Client,
    nodes: &DockerNodes,
    lab: &str,
    image: &str,
) -> Result<String, LabError> {
    let node = format!("{lab}-control-plane");
    let password = match known_password(client).await? {
        Some(known) => known,
        None => password(),
    };
    accept(nodes, &node, &password).await?;
    let mut objects = apply::parse(MANIFEST)?;
    for object in &mut objects {
        if object.name_any() == SECRET {
            object.data["stringData"] =
                serde_json::json!({ ".dockerconfigjson": docker_config(USER, &password) });
        }
        if object.name_any() == DEPLOYMENT && object.data["spec"]["replicas"] == 1 {
            object.annotations_mut().insert(IMAGE_ANNOTATION.into(), served(image));
        }
    }
    apply::all(client, objects).await?;
    let deployments = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    until("the private registry is", || async { Ok(is_available(&deployments.get(DEPLOYMENT).await?)) })
        .await?;
    Ok(password)
}

/// An account in the only form that the registry reads: a bcrypt hash. Cheap on purpose, since every request of every
/// pull computes it, and the password is random.
fn htpasswd_line(user: &str, password: &str) -> Result<String, LabError> {
    let hash = bcrypt::hash(password, 5).map_err(|error| LabError::Io {
        what: "hash the registry's password".into(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(format!("{user}:{hash}\n"))
}

/// Writes the accounts.
async fn accept(nodes: &DockerNodes, node: &str, password: &str) -> Result<(), LabError> {
    let read = nodes.sh(node, &format!("cat {NODE_CREDENTIAL} 2>/dev/null || true")).await?;
    let of_nodes = serde_json::from_slice(&read.stdout).ok().and_then(|c| password_in(&c));
    let mut accounts = htpasswd_line(USER, password)?;
    if let Some(password) = of_nodes {
        accounts.push_str(&htpasswd_line(NODE_USER, &password)?);
    }
    let script = format!("mkdir -p $(dirname {HTPASSWD}); cat >{HTPASSWD}.new; mv {HTPASSWD}.new {HTPASSWD}");
    let argv = ["bash", "-euc", &script];
    nodes.exec(node, &argv, Some(accounts.as_bytes())).await?.success(node, &argv)?;
    Ok(())
}

/// Pushes the image from the registry's own node, so that nothing but the node has to reach it.
pub(crate) async fn push(
    nodes: &DockerNodes,
    lab: &str,
    image: &str,
    password: &str,
) -> Result<(), LabError> {
    let node = &format!("{lab}-control-plane");
    let local = served(image).replace(HOST, "127.0.0.1:5000");
    let script = format!(
        "read -r account; trap 'ctr -n k8s.io images rm {local} >/dev/null' EXIT; \
         ctr -n k8s.io images tag --force {image} {local} >/dev/null; \
         ctr -n k8s.io images push --plain-http --user \"$account\" {local} >/dev/null"
    );
    let argv = ["bash", "-euc", &script];
    let output = nodes.exec(node, &argv, Some(format!("{USER}:{password}\n").as_bytes())).await?;
    if output.code == 0 {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stderr).trim().to_string();
    Err(LabError::Step { node: node.into(), step: "filling the private registry", log })
}

fn password() -> String {
    let mut rng = rand::rng();
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    (0..32).map(|_| char::from(letters[rng.random_range(0..letters.len())])).collect()
}

fn docker_config(user: &str, password: &str) -> String {
    let auth = STANDARD.encode(format!("{user}:{password}"));
    let account = serde_json::json!({ "username": user, "password": password, "auth": auth });
    serde_json::json!({ "auths": BTreeMap::from([(HOST, account)]) }).to_string()
}

/// The account of a registry that is there already, as `user:password`.
pub(crate) async fn account(client: &Client) -> Result<Option<String>, LabError> {
    Ok(known_password(client).await?.map(|password| format!("{USER}:{password}")))
}

/// The password of a registry that is there already.
async fn known_password(client: &Client) -> Result<Option<String>, LabError> {
    let secrets = Api::<Secret>::namespaced(client.clone(), NAMESPACE);
    let found =
        secrets.get_opt(SECRET).await.map_err(|error| LabError::kube("read the pull Secret", error))?;
    let config = found.and_then(|secret| secret.data?.remove(".dockerconfigjson"));
    let config = config.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes.0).ok());
    Ok(config.and_then(|config| password_in(&config)))
}

fn password_in(config: &serde_json::Value) -> Option<String> {
    Some(config["auths"][HOST]["password"].as_str()?.to_string())
}

/// The private registry of a cluster, where there is one and it is ready.
pub(crate) async fn find(client: &Client, control_plane: Option<&str>) -> Result<RegistryFacts, String> {
    let deployments = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    let found = deployments.get_opt(DEPLOYMENT).await.map_err(|error| error.to_string())?;
    let Some(found) = found else {
        return Err("this cluster has no registry of loopdrill's; a lab has one".into());
    };
    if !is_available(&found) {
        return Err(format!("the registry (Deployment {NAMESPACE}/{DEPLOYMENT}) is not ready"));
    }
    let image = found.annotations().get(IMAGE_ANNOTATION).cloned();
    let (Some(image), Some(node)) = (image, control_plane) else {
        return Err("the registry does not say which image it serves".into());
    };
    Ok(RegistryFacts {
        host: HOST.into(),
        node: node.into(),
        htpasswd: HTPASSWD.into(),
        pull_secret: (NAMESPACE.into(), SECRET.into()),
        image,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_has_what_a_kubelet_reads() {
        let config: serde_json::Value = serde_json::from_str(&docker_config(USER, "p")).expect("JSON");
        let account = &config["auths"][HOST];
        assert_eq!(account["auth"], "bGFiOnA=");
        assert_eq!(account["username"], "lab");
        assert_eq!(password_in(&config).as_deref(), Some("p"));
    }

    #[test]
    fn passwords_are_long_and_never_the_same() {
        assert_eq!(password().len(), 32);
        assert_ne!(password(), password());
    }

    #[test]
    fn the_image_keeps_its_tag() {
        assert_eq!(served("localhost/loopdrill:0123abc"), "registry.lab:5000/loopdrill:0123abc");
    }

    #[test]
    fn nodes_find_the_registry_by_the_name_of_their_control_plane() {
        let (path, text) = hosts_file("x");
        assert_eq!(path, "/etc/containerd/certs.d/registry.lab:5000/hosts.toml");
        assert!(text.contains("http://x-control-plane:5000"));
    }
}
