//! Kubeconfigs of labs: read from the control-plane node, written for this machine, merged on request.

use crate::{LabError, labels, nodes::DockerNodes, state};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use loopdrill_cluster::NodeAccess;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The administrator's kubeconfig of a kind cluster, with the server's address as this machine sees it.
pub(crate) async fn fetch(
    nodes: &DockerNodes,
    plane: &str,
    file: &str,
    cluster: &str,
    port: u16,
) -> Result<Kubeconfig, LabError> {
    let argv = ["cat", file];
    let text = nodes.exec(plane, &argv, None).await?.success(plane, &argv)?;
    let mut config = Kubeconfig::from_yaml(&text).map_err(|error| invalid(file, &error))?;
    rename(&mut config, &format!("kind-{cluster}"), &format!("https://127.0.0.1:{port}"));
    Ok(config)
}

fn invalid(file: &str, error: &dyn std::fmt::Display) -> LabError {
    LabError::Io { what: format!("use kubeconfig {file}"), source: std::io::Error::other(error.to_string()) }
}

/// Gives the only cluster, user and context of a kubeconfig the names that kind gives them.
pub(crate) fn rename(config: &mut Kubeconfig, name: &str, server: &str) {
    for cluster in &mut config.clusters {
        cluster.name = name.into();
        if let Some(details) = &mut cluster.cluster {
            details.server = Some(server.into());
        }
    }
    for user in &mut config.auth_infos {
        user.name = name.into();
    }
    for context in &mut config.contexts {
        context.name = name.into();
        if let Some(details) = &mut context.context {
            details.cluster = name.into();
            details.user = Some(name.into());
        }
    }
    config.current_context = Some(name.into());
}

/// A client from a kubeconfig that is not on disk.
pub(crate) async fn client(config: Kubeconfig) -> Result<Client, LabError> {
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(config, &options)
        .await
        .map_err(|error| invalid("of the lab", &error))?;
    config.connect_timeout = Some(Duration::from_secs(5));
    // Proxies are for what is outside this machine.
    config.proxy_url = None;
    Client::try_from(config).map_err(|error| LabError::kube("make a client", error))
}

/// Where the kubeconfig of a lab is written.
pub(crate) fn path(name: &str) -> Result<PathBuf, LabError> {
    Ok(state::lab_dir(name)?.join("kubeconfig"))
}

/// Writes a kubeconfig that only this user may read.
pub(crate) fn write(path: &Path, config: &impl Serialize) -> Result<(), LabError> {
    let text = serde_yaml::to_string(config).map_err(|error| invalid(&path.display().to_string(), &error))?;
    write_private(path, &text)
}

/// Writes a file that only this user may read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), LabError> {
    let fail = |source| LabError::io(format!("write {}", path.display()), source);
    if let Some(parent) = path.parent() {
        state::create(parent)?;
    }
    // Written beside and moved in place: whoever reads it meanwhile sees the old one or the new one.
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&beside);
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(fail)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
    fs::rename(&beside, path).map_err(fail)
}

/// The user's own kubeconfig: the first file that `KUBECONFIG` names, or `~/.kube/config`.
fn users() -> Result<PathBuf, LabError> {
    let set = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    if let Some(first) = set.as_ref().and_then(|value| std::env::split_paths(value).next()) {
        return Ok(first);
    }
    match std::env::var_os("HOME") {
        Some(home) => Ok(PathBuf::from(home).join(".kube/config")),
        None => Err(invalid("of the user", &"neither KUBECONFIG nor HOME is set")),
    }
}

/// Adds a lab's entries to the user's own kubeconfig and makes its context the current one. Everything else in it
/// stays as it is, also what we do not know. Returns the file's path, and remembers it for [`unmerge`].
pub(crate) fn merge(lab: &str, config: &Kubeconfig) -> Result<PathBuf, LabError> {
    let path = users()?;
    let mut all = read_or_empty(&path)?;
    add_entries(&mut all, config)?;
    write(&path, &all)?;
    let note = state::lab_dir(lab)?.join(MERGED);
    fs::write(&note, path.as_os_str().as_encoded_bytes())
        .map_err(|source| LabError::io(format!("write {}", note.display()), source))?;
    Ok(path)
}

/// Takes a lab's entries out of the user's own kubeconfig again, if we put them there.
pub(crate) fn unmerge(lab: &str) -> Result<(), LabError> {
    let Ok(path) = fs::read_to_string(state::dir().join("labs").join(lab).join(MERGED)) else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    if !path.exists() {
        return Ok(());
    }
    let mut all = read_or_empty(&path)?;
    remove_entries(&mut all, &format!("kind-{lab}"));
    write(&path, &all)
}

/// Where we note into which file a lab was merged.
const MERGED: &str = "merged-into";
pub(crate) const LISTS: [&str; 3] = ["clusters", "users", "contexts"];

fn read_or_empty(path: &Path) -> Result<Value, LabError> {
    let file = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(LabError::io(format!("read {file}"), source)),
    };
    parse(&file, &text)
}

/// What a kubeconfig holds, also what we do not know.
pub(crate) fn parse(file: &str, text: &str) -> Result<Value, LabError> {
    let is_list = |list: &Value| list.is_null() || list.is_array();
    match serde_yaml::from_str(text).map_err(|error| invalid(file, &error))? {
        Value::Null => Ok(json!({ "apiVersion": "v1", "kind": "Config" })),
        Value::Object(all) if LISTS.iter().all(|list| all.get(*list).is_none_or(is_list)) => {
            Ok(Value::Object(all))
        }
        _ => Err(invalid(file, &"it is no kubeconfig; move it away or name another with KUBECONFIG")),
    }
}

/// Puts the entries of a lab in the place of those of its name.
pub(crate) fn add_entries(all: &mut Value, config: &Kubeconfig) -> Result<(), LabError> {
    let name = config.current_context.as_deref().unwrap_or_default();
    remove_entries(all, name);
    let ours = serde_json::to_value(config).map_err(|error| invalid("of the lab", &error))?;
    for list in LISTS {
        if !all[list].is_array() {
            all[list] = json!([]);
        }
        let entries = ours[list].as_array().cloned().unwrap_or_default();
        all[list].as_array_mut().into_iter().for_each(|known| known.extend(entries.clone()));
    }
    all["current-context"] = json!(name);
    Ok(())
}

pub(crate) fn remove_entries(all: &mut Value, name: &str) {
    for list in LISTS {
        if let Some(entries) = all[list].as_array_mut() {
            entries.retain(|entry| entry["name"] != name);
        }
    }
    if all["current-context"] == name {
        all["current-context"] = json!("");
    }
}

/// The port of this machine that leads to a cluster's API server.
pub(crate) fn port_of(container: &bollard::models::ContainerSummary) -> Option<u16> {
    let ports = container.ports.as_ref()?;
    ports.iter().find(|port| port.private_port == labels::API_PORT).and_then(|port| port.public_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn sample(name: &str) -> Kubeconfig {
        let text = "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: https://x:6443}}]\n\
             users: [{name: b, user: {}}]\ncontexts: [{name: c, context: {cluster: a, user: b}}]\ncurrent-context: c\n";
        let mut config = Kubeconfig::from_yaml(text).expect("valid");
        rename(&mut config, name, "https://127.0.0.1:4242");
        config
    }

    #[test]
    fn names_are_those_of_kind_and_the_server_is_local() {
        let config = sample("kind-demo");
        assert_eq!(config.current_context.as_deref(), Some("kind-demo"));
        let server = config.clusters[0].cluster.as_ref().and_then(|c| c.server.clone());
        assert_eq!(server.as_deref(), Some("https://127.0.0.1:4242"));
        assert_eq!(config.contexts[0].context.as_ref().map(|c| c.cluster.as_str()), Some("kind-demo"));
    }

    #[test]
    fn only_the_user_may_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/kubeconfig");
        write(&path, &sample("kind-demo")).expect("written");
        write(&path, &sample("kind-demo")).expect("written again");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path().join("deep")).expect("there").count(), 1);
    }

    #[test]
    fn entries_of_others_survive() {
        let mut all = serde_json::to_value(sample("mine")).expect("serialises");
        all["x-unknown"] = json!("kept");
        for list in LISTS {
            let more = serde_json::to_value(sample("kind-demo")).expect("serialises")[list][0].clone();
            all[list].as_array_mut().expect("a list").push(more);
        }
        remove_entries(&mut all, "kind-demo");
        for list in LISTS {
            assert_eq!(all[list].as_array().map(Vec::len), Some(1), "{list}");
        }
        assert_eq!(all["current-context"], "mine");
        assert_eq!(all["x-unknown"], "kept");
    }
}
