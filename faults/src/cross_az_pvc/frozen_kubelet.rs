//! A kubelet that stands still, on clusters of which nobody knows more than a kubeconfig: one short-lived pod in the node's
//! process namespace, with `SYS_PTRACE` and nothing else, traces all of its threads. The kernel lets them go on with the end
//! of the tracer, however it ends.
//!
//! Nobody reads a log through a kubelet that stands still, and it ends no pod: harness and program tell each other by the
//! [`pulse`], through the API server.

use crate::{
    Change, FaultContext, FaultError,
    node::traced::{Frozen, TraceError, process_of_node},
    object::{Create, LASTS, ObjectChange, ends_at},
    victim::{
        Seen,
        holder::{Reach, hold, holder},
        pulse, until,
    },
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Evidence, Source};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{process::ExitCode, time::Duration};
use tokio::task::spawn_blocking;

/// The pod that holds it.
const AGENT: &str = "standstill";
const KUBELET: &str = "kubelet";
/// How long it may take until the kubelet stands still.
const BITES: Duration = Duration::from_secs(30);

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

/// The pod that holds it. It stays where it is whatever becomes of the node.
fn agent(ctx: &FaultContext, node: &str) -> Pod {
    holder(ctx, AGENT, &["stop-kubelet"], node, Reach::Processes)
        .set("tolerations", json!([{"operator": "Exists"}]))
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
    fn of(frozen: &Result<Frozen, TraceError>) -> Self {
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
pub(crate) async fn stop_until(until: Timestamp) -> ExitCode {
    hold(until, async |pulse| {
        // Not before the kubelet has told that this pod runs.
        pulse.says_go().await;
        let frozen = spawn_blocking(|| process_of_node(KUBELET).and_then(Frozen::freeze)).await;
        let frozen = frozen.unwrap_or(Err(TraceError::Died));
        pulse.tell_on(|| Told::of(&frozen)).await;
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{object::testing::FakeApi, victim::testing::context};
    use loopdrill_cluster::Fence;

    #[tokio::test]
    async fn the_pod_sees_the_node_s_processes_and_stays_there() {
        let facts = ClusterFacts { fence: Some(Fence::default()), ..ClusterFacts::default() };
        assert!(is_by_pod(&facts));
        let ctx = context(&FakeApi::default(), facts);
        let spec = agent(&ctx, "n").spec.expect("spec");
        assert_eq!(spec.host_pid, Some(true));
        let tolerations = spec.tolerations.expect("tolerations");
        assert_eq!((tolerations.len(), tolerations[0].operator.as_deref()), (1, Some("Exists")));
    }

    #[test]
    fn what_it_says_is_what_is_read() {
        for told in [Told::Stands { pid: 7, threads: 3, of: 3 }, Told::Refused("no".into())] {
            let text = serde_json::to_string(&told).expect("a text");
            assert_eq!(serde_json::from_str::<Told>(&text).expect("read"), told);
        }
    }
}
