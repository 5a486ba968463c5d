//! A pod that holds a fault on a node for as long as its one process lives: what it changed, the kernel takes back with that
//! process, however it ends. It ends at its last moment, with the [`pulse`] of whoever drills, and when its pod is to go.

use super::{
    Workload, api, newest, pods_of,
    pulse::{self, Pulse},
};
use crate::{
    FaultContext, FaultError,
    object::{LASTS, ends_at},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::LogParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{process::ExitCode, time::Duration};
use tokio::time::{sleep, timeout};

/// How long behind the fault's own end the kubelet ends the pod.
const GRACE: Duration = Duration::from_secs(60);

/// What of its node the pod reaches, by one capability each and no other right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The network, whose packet filters it changes.
    Network,
    /// The processes, which it traces.
    Processes,
}

/// The pod `name` on that node; its program is given `args` and its last moment. It is as bare as such a pod can be.
pub(crate) fn holder(ctx: &FaultContext, name: &str, args: &[&str], node: &str, reach: Reach) -> Workload {
    let until = ends_at().as_second().to_string();
    let args = [args, &[&until]].concat();
    let (host, capability) = match reach {
        Reach::Network => ("hostNetwork", "NET_ADMIN"),
        Reach::Processes => ("hostPID", "SYS_PTRACE"),
    };
    let mut rights = json!({
        "runAsUser": 0, "runAsNonRoot": false, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"], "add": [capability]}, "seccompProfile": {"type": "RuntimeDefault"},
    });
    if reach == Reach::Processes {
        // The usual profile lets a container trace only what has that profile, too.
        rights["appArmorProfile"] = json!({"type": "Unconfined"});
    }
    Workload::new(ctx, name, &args)
        .on_node(node)
        .account(pulse::PULSE)
        .of_container("securityContext", rights)
        .of_container("env", pulse::environment())
        .set(host, json!(true))
        .set("restartPolicy", json!("Never"))
        .set("activeDeadlineSeconds", json!((LASTS + GRACE).as_secs()))
}

/// What the program in the pod `name` said last.
pub(crate) async fn told<T: DeserializeOwned>(
    ctx: &FaultContext,
    name: &str,
) -> Result<Option<T>, FaultError> {
    let pods = pods_of(ctx, name).await?;
    let Some(pod) = newest(&pods) else { return Ok(None) };
    let (name, params) = (pod.name_any(), LogParams { tail_lines: Some(1), ..LogParams::default() });
    Ok(match api::<Pod>(ctx).logs(&name, &params).await {
        Ok(log) => log.lines().next_back().and_then(|line| serde_json::from_str(line).ok()),
        // A container that is only being made has no log.
        Err(kube::Error::Api(status)) if status.code == 400 => None,
        Err(e) => return Err(FaultError::api(format!("read the log of {name}"))(e)),
    })
}

/// In the pod: holds what `held` holds, until the last moment or until nobody wants it any more. What it holds must end with
/// this process at the latest.
pub(crate) async fn hold(until: Timestamp, held: impl AsyncFnOnce(&Pulse)) -> ExitCode {
    let Some(pulse) = Pulse::of_this_pod() else { return ExitCode::from(2) };
    let rest = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
    tokio::select! {
        _ = timeout(rest, held(&pulse)) => {}
        () = pulse.lost() => {}
    }
    ExitCode::SUCCESS
}

/// In the pod: says a line a second, for as long as it is asked.
pub(crate) async fn say<T: Serialize>(what: impl Fn() -> T) {
    loop {
        println!("{}", serde_json::to_string(&what()).expect("plain data serialises"));
        sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{object::testing::FakeApi, victim::testing::context};
    use loopdrill_cluster::{ClusterFacts, Fence};

    #[tokio::test]
    async fn the_pod_has_one_right_and_ends_by_itself() {
        let fence = Fence { pod_security: "restricted".into(), ..Fence::default() };
        let facts = ClusterFacts { fence: Some(fence), ..ClusterFacts::default() };
        let ctx = context(&FakeApi::default(), facts);
        for (reach, right, profile) in
            [(Reach::Network, "NET_ADMIN", None), (Reach::Processes, "SYS_PTRACE", Some("Unconfined"))]
        {
            let spec = holder(&ctx, "h", &["holds"], "n", reach).pod().spec.expect("spec");
            let reached = (spec.host_network == Some(true), spec.host_pid == Some(true));
            assert_eq!(reached, (reach == Reach::Network, reach == Reach::Processes));
            assert!(spec.volumes.is_none() && spec.host_ipc.is_none());
            assert_eq!(spec.restart_policy.as_deref(), Some("Never"));
            assert_eq!(spec.active_deadline_seconds, Some(660));
            assert_eq!(spec.service_account_name.as_deref(), Some("pulse"));
            let container = &spec.containers[0];
            assert!(container.ports.is_none(), "it listens nowhere");
            let rights = container.security_context.clone().expect("rights");
            let capabilities = rights.capabilities.expect("capabilities");
            assert_eq!(capabilities.add, Some(vec![right.to_owned()]));
            assert_eq!(capabilities.drop, Some(vec!["ALL".to_owned()]));
            assert_eq!((rights.privileged, rights.run_as_user), (None, Some(0)));
            assert_eq!(rights.app_armor_profile.map(|p| p.type_).as_deref(), profile);
            let args = container.args.clone().expect("arguments");
            let until: i64 = args.last().and_then(|a| a.parse().ok()).expect("its last moment");
            assert!(
                args.starts_with(&["victim".into(), "holds".into()]) && until > Timestamp::now().as_second()
            );
        }
    }
}
