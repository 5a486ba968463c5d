//! Starting a node's container, with `--privileged` where the engine allows it and with as much as it does
//! allow where not.

use crate::{LabError, engine::Engine, labels, owner, spec::Role, state};
use bollard::models::{
    HostConfig, HostConfigCgroupnsModeEnum, Mount, MountType, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};
use std::{collections::HashMap, time::Duration};
use testcontainers::{
    CopyTargetOptions, GenericImage, ImageExt,
    core::{CgroupnsMode, IntoContainerPort},
    runners::AsyncRunner,
};

/// Prepares a container that was started without `--privileged`, then hands over to the image's entrypoint.
/// It runs at every start, so a node that was powered off comes back the same way.
const ENTRYPOINT: &str = include_str!("node/entrypoint.sh");
const ENTRYPOINT_PATH: &str = "/usr/local/bin/loopdrill-entrypoint";

/// What a node's container needs to know.
#[derive(Debug, Clone)]
pub(crate) struct NodePlan {
    pub(crate) lab: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) image: String,
    /// The lab outlives this process.
    pub(crate) keep: bool,
    /// On the control plane: the port of this machine that leads to the API server.
    pub(crate) api_port: Option<u16>,
    /// Files to put on the node before it starts: path, content.
    pub(crate) files: Vec<(String, String)>,
    /// The environment of everything on the node.
    pub(crate) env: Vec<(String, String)>,
    /// A container whose volumes the node shares.
    pub(crate) volumes_from: String,
}

/// How much an engine lets containers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privileges {
    /// `--privileged`.
    Full,
    /// All capabilities except `CAP_SYS_RESOURCE`, and no confinement.
    Reduced,
}

impl Privileges {
    /// What this engine allowed last time.
    pub(crate) async fn known(engine: &Engine) -> Option<Self> {
        let text = std::fs::read_to_string(memory(engine).await?).ok()?;
        Some(if text.trim() == "full" { Privileges::Full } else { Privileges::Reduced })
    }

    pub(crate) async fn remember(self, engine: &Engine) {
        let text = if self == Privileges::Full { "full" } else { "reduced" };
        if let Some(path) = memory(engine).await {
            // Only costs the next lab another attempt.
            let _ = std::fs::write(path, text);
        }
    }
}

async fn memory(engine: &Engine) -> Option<std::path::PathBuf> {
    let id = engine.docker.info().await.ok()?.id?;
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    state::create(&state::dir()).ok()?;
    Some(state::dir().join(format!("engine-{id}")))
}

/// Starts the first node of a lab, and finds out what the engine allows. Remembers it for the next labs.
pub(crate) async fn start_first(engine: &Engine, plan: &NodePlan) -> Result<Privileges, LabError> {
    match start(plan, Privileges::Full).await {
        Ok(()) => {
            Privileges::Full.remember(engine).await;
            Ok(Privileges::Full)
        }
        Err(error) if is_refusal(&error) => {
            engine.remove(&plan.name).await?;
            start(plan, Privileges::Reduced).await.map_err(|error| match error {
                LabError::Engine { ref why, .. } if is_refusal(&error) => {
                    LabError::EngineTooWeak { why: why.clone() }
                }
                other => other,
            })?;
            Privileges::Reduced.remember(engine).await;
            Ok(Privileges::Reduced)
        }
        Err(other) => Err(other),
    }
}

/// Whether the engine did not start a container because that asked for too much.
pub(crate) fn is_refusal(error: &LabError) -> bool {
    let LabError::Engine { why, .. } = error else { return false };
    let why = why.to_lowercase();
    ["operation not permitted", "permission denied", "privileged", "apply caps"]
        .iter()
        .any(|word| why.contains(word))
}

/// Starts a node.
pub(crate) async fn start(plan: &NodePlan, privileges: Privileges) -> Result<(), LabError> {
    // The crate splits a reference into two parts and joins them again with a colon.
    let (name, tag) = plan.image.rsplit_once(':').unwrap_or((&plan.image, "latest"));
    let role = plan.role.name();
    let image = GenericImage::new(name, tag).with_entrypoint(ENTRYPOINT_PATH);
    let mut request = image
        .with_container_name(&plan.name)
        .with_hostname(&plan.name)
        .with_label(labels::KIND_CLUSTER, &plan.lab)
        .with_label(labels::KIND_ROLE, role)
        .with_label(labels::LAB, &plan.lab)
        .with_label(labels::OWNER, owner::current())
        .with_label(labels::KEPT, plan.keep.to_string())
        .with_cgroupns_mode(CgroupnsMode::Private)
        .with_security_opt("seccomp=unconfined")
        .with_security_opt("apparmor=unconfined")
        .with_startup_timeout(Duration::from_secs(120))
        .with_copy_to(
            CopyTargetOptions::new(ENTRYPOINT_PATH).with_mode(0o755),
            ENTRYPOINT.as_bytes().to_vec(),
        );
    for (path, content) in &plan.files {
        request =
            request.with_copy_to(CopyTargetOptions::new(path).with_mode(0o644), content.clone().into_bytes());
    }
    for (name, value) in &plan.env {
        request = request.with_env_var(name, value);
    }
    if let Some(port) = plan.api_port {
        request = request
            .with_env_var("KUBECONFIG", "/etc/kubernetes/admin.conf")
            .with_mapped_port(port, labels::API_PORT.tcp());
    }
    let (port, volumes_from) = (plan.api_port, plan.volumes_from.clone());
    let request = request.with_host_config_modifier(move |host| {
        configure(host, privileges, port);
        host.volumes_from = (!volumes_from.is_empty()).then(|| vec![volumes_from.clone()]);
    });
    match request.start().await {
        Ok(container) => {
            // Its destructor would remove the node; a lab's end is an act of its own, see `Lab::down`.
            std::mem::forget(container);
            Ok(())
        }
        Err(error) => Err(LabError::engine(format!("start node {}", plan.name), &error)),
    }
}

/// The engine's settings for a node, as kind has them.
fn configure(host: &mut HostConfig, privileges: Privileges, api_port: Option<u16>) {
    host.network_mode = Some(labels::KIND_NETWORK.into());
    host.publish_all_ports = Some(false);
    host.port_bindings = api_port.map(|port| {
        // Only this machine may speak to the API server.
        let binding = PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(port.to_string()) };
        HashMap::from([(format!("{}/tcp", labels::API_PORT), Some(vec![binding]))])
    });
    host.init = Some(false);
    host.cgroupns_mode = Some(HostConfigCgroupnsModeEnum::PRIVATE);
    // Back after a restart of the engine, and at no other time.
    host.restart_policy =
        Some(RestartPolicy { name: Some(RestartPolicyNameEnum::ON_FAILURE), maximum_retry_count: Some(1) });
    host.tmpfs = Some(HashMap::from([("/run".into(), String::new()), ("/tmp".into(), String::new())]));
    host.mounts =
        Some(vec![Mount { target: Some("/var".into()), typ: Some(MountType::VOLUME), ..Default::default() }]);
    host.binds = Some(vec!["/lib/modules:/lib/modules:ro".into()]);
    match privileges {
        Privileges::Full => host.privileged = Some(true),
        Privileges::Reduced => {
            host.privileged = Some(false);
            host.cap_add = Some(vec!["ALL".into()]);
            host.cap_drop = Some(vec!["SYS_RESOURCE".into()]);
            host.device_cgroup_rules = Some(vec!["a *:* rwm".into()]);
            host.masked_paths = Some(Vec::new());
            host.readonly_paths = Some(Vec::new());
        }
    }
}

/// This process's proxies for nodes that have to pull images, as kind passes them on. What is inside the lab is
/// reached without them.
pub(crate) fn proxies(
    inside: impl IntoIterator<Item = String>,
    lookup: impl Fn(&str) -> Option<String>,
) -> Vec<(String, String)> {
    let either =
        |name: &str| lookup(name).or_else(|| lookup(&name.to_lowercase())).filter(|value| !value.is_empty());
    let set: Vec<_> =
        ["HTTP_PROXY", "HTTPS_PROXY"].into_iter().filter_map(|name| Some((name, either(name)?))).collect();
    if set.is_empty() {
        return Vec::new();
    }
    let never = either("NO_PROXY").into_iter().chain(inside).collect::<Vec<_>>().join(",");
    let all = set.into_iter().chain([("NO_PROXY", never)]);
    all.flat_map(|(name, value)| [(name.to_string(), value.clone()), (name.to_lowercase(), value)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_for_what_is_outside() {
        assert!(proxies(["x".to_string()], |_| None).is_empty(), "without a proxy there is nothing to say");
        let known = |name: &str| match name {
            "https_proxy" => Some("http://proxy:3128".to_string()),
            "NO_PROXY" => Some("intranet".to_string()),
            _ => None,
        };
        let env = proxies(["10.96.0.0/16".to_string(), "x-worker".to_string()], known);
        let get = |name: &str| env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(get("HTTPS_PROXY"), Some("http://proxy:3128"));
        assert_eq!(get("no_proxy"), Some("intranet,10.96.0.0/16,x-worker"));
        assert_eq!(get("HTTP_PROXY"), None);
    }

    #[test]
    fn only_a_refusal_leads_to_another_attempt() {
        let engine = |why: &str| LabError::Engine { what: "start node x".into(), why: why.into() };
        assert!(is_refusal(&engine("unable to apply caps: operation not permitted")));
        assert!(!is_refusal(&engine("No such image: x")));
        assert!(!is_refusal(&LabError::PortTaken { port: 1 }));
    }
}
