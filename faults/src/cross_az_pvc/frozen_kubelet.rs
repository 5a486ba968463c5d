//! A kubelet that stands still, on clusters of which nobody knows more than a kubeconfig: one short-lived pod in the node's
//! process namespace, with `SYS_PTRACE` and nothing else, traces all of its threads. The kernel lets them go on with the end
//! of the tracer, however it ends.
//!
//! Nobody reads a log through a kubelet that stands still, and it ends no pod: harness and program tell each other by the
//! [`pulse`], through the API server.

use crate::{
    Change, FaultContext, FaultError,
    node::frozen::{FreezeError, Frozen, process_of_node},
    object::{Create, LASTS, ObjectChange, ends_at},
    victim::{
        Seen, Workload,
        pulse::{self, Pulse},
        until,
    },
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Evidence, Source};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{process::ExitCode, time::Duration};
use tokio::{task::spawn_blocking, time::timeout};

/// The pod that holds it.
const AGENT: &str = "standstill";
const KUBELET: &str = "kubelet";
/// How long it may take until the kubelet stands still.
const BITES: Duration = Duration::from_secs(30);
/// How long behind the fault's own end the kubelet, which runs again then, ends the pod.
const GRACE: Duration = Duration::from_secs(60);

/// Whether a pod must do it: nobody reaches the nodes, or what manages services there.
pub(super) fn is_by_pod(facts: &ClusterFacts) -> bool {
    ![Capability::NodeAccess, Capability::NodeServiceManager].iter().all(|c| facts.has(c))
}

pub(super) const HELD_BY: &str = "the kernel of the node, for as long as one process lives";

/// What it does, and how it is undone.
pub(super) fn dry_run(workers: &str) -> Vec<String> {
    vec![
        format!(
            "start a pod in the process namespace of its node ({workers}) with SYS_PTRACE, which traces processes, and no other right"
        ),
        "by tracing it, let the node's kubelet stand still: the node becomes NotReady, and Services leave out all of its pods".into(),
        format!("the tracing process ends when this one has not told for {} s that it lives", pulse::LOST.as_secs()),
        format!("after {} s it ends, whatever happened, and the kernel lets the kubelet go on", LASTS.as_secs()),
        "undo: delete the pod, at which its process ends".into(),
    ]
}

/// Whether the agent is admitted, and the pulse that it will feel.
pub(super) async fn set_up(ctx: &FaultContext) -> Result<(), FaultError> {
    pulse::start(ctx, agent(ctx, "any")).await
}

pub(super) fn plan(ctx: &FaultContext, node: &str) -> Result<Change, FaultError> {
    let create = Create::new(&agent(ctx, node), &ctx.target.run)?.ends(ends_at());
    Ok(Change::Object(ObjectChange::Create(create)))
}

/// Lets it begin, and waits until the kernel says that it stands still.
pub(super) async fn in_force(ctx: &FaultContext, node: &str) -> Result<Vec<Evidence>, FaultError> {
    pulse::go(ctx).await?;
    until(ctx, "a kubelet that stands still", BITES, || async {
        Ok(match pulse::told(ctx).await? {
            Some(Told::Stands { pid, threads, of }) if threads == of && of > 0 => {
                let value = format!("all {of} threads of process {pid} are stopped by a tracer");
                Seen::Yes(vec![Evidence::new("the kubelet", value, Timestamp::now(), Source::node(node))])
            }
            Some(Told::Stands { threads, of, .. }) => {
                Seen::NotYet(format!("{threads} of {of} threads stand"))
            }
            Some(Told::Refused(why)) => return Err(FaultError::Unfit(why)),
            None => Seen::NotYet("the pod that is to hold it has said nothing".into()),
        })
    })
    .await
}

/// The pod that holds it. It stays where it is whatever becomes of the node, and is as bare as a tracer can be.
fn agent(ctx: &FaultContext, node: &str) -> Pod {
    let until = ends_at().as_second().to_string();
    let rights = json!({
        "runAsUser": 0, "runAsNonRoot": false, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE"]}, "seccompProfile": {"type": "RuntimeDefault"},
        // The usual profile lets a container trace only what has that profile, too.
        "appArmorProfile": {"type": "Unconfined"},
    });
    let pod = Workload::new(ctx, AGENT, &["stop-kubelet", &until]).on_node(node).account(pulse::PULSE);
    pod.of_container("securityContext", rights)
        .of_container("env", pulse::environment())
        .set("hostPID", json!(true))
        .set("restartPolicy", json!("Never"))
        .set("tolerations", json!([{"operator": "Exists"}]))
        .set("activeDeadlineSeconds", json!((LASTS + GRACE).as_secs()))
        .pod()
}

/// What the tracer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Told {
    /// So many of all threads are stopped.
    Stands { pid: i32, threads: usize, of: usize },
    /// It is not.
    Refused(String),
}

impl Told {
    fn of(frozen: &Result<Frozen, FreezeError>) -> Self {
        match frozen {
            Ok(frozen) => match frozen.stopped() {
                Ok((threads, of)) => Told::Stands { pid: frozen.pid(), threads, of },
                Err(_) => Told::Refused("the kubelet has ended, as it does when it is started anew".into()),
            },
            Err(why) => Told::Refused(why.to_string()),
        }
    }
}

/// Lets the kubelet stand still until a last moment, or until the harness is not heard any more.
pub(crate) async fn hold(until: Timestamp) -> ExitCode {
    let Some(pulse) = Pulse::of_this_pod() else { return ExitCode::from(2) };
    let rest = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
    let held = async {
        // Not before the kubelet has told that this pod runs.
        pulse.says_go().await;
        let frozen = spawn_blocking(|| process_of_node(KUBELET).and_then(Frozen::freeze)).await;
        let frozen = frozen.unwrap_or(Err(FreezeError::Died));
        pulse.tell_on(|| Told::of(&frozen)).await;
    };
    tokio::select! {
        _ = timeout(rest, held) => {}
        () = pulse.lost() => {}
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{object::testing::FakeApi, victim::testing::context};
    use loopdrill_cluster::Fence;

    #[tokio::test]
    async fn the_pod_sees_the_node_s_processes_with_one_right_and_stays_there() {
        let facts = ClusterFacts { fence: Some(Fence::default()), ..ClusterFacts::default() };
        assert!(is_by_pod(&facts));
        let ctx = context(&FakeApi::default(), facts);
        let spec = agent(&ctx, "n").spec.expect("spec");
        assert_eq!((spec.host_pid, spec.host_network, spec.volumes), (Some(true), None, None));
        assert_eq!(
            (spec.restart_policy.as_deref(), spec.active_deadline_seconds),
            (Some("Never"), Some(660))
        );
        let tolerations = spec.tolerations.expect("tolerations");
        assert_eq!((tolerations.len(), tolerations[0].operator.as_deref()), (1, Some("Exists")));
        assert_eq!(spec.service_account_name.as_deref(), Some("pulse"));
        let rights = spec.containers[0].security_context.clone().expect("rights");
        let capabilities = rights.capabilities.expect("capabilities");
        assert_eq!(capabilities.add, Some(vec!["SYS_PTRACE".to_owned()]));
        assert_eq!(capabilities.drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(rights.app_armor_profile.map(|p| p.type_).as_deref(), Some("Unconfined"));
        assert_eq!(rights.privileged, None);
    }

    #[test]
    fn what_it_says_is_what_is_read() {
        for told in [Told::Stands { pid: 7, threads: 3, of: 3 }, Told::Refused("no".into())] {
            let text = serde_json::to_string(&told).expect("a text");
            assert_eq!(serde_json::from_str::<Told>(&text).expect("read"), told);
        }
    }
}
