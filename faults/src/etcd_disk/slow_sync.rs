//! Syncs of etcd's log that take longer, on clusters of which nobody knows more than a kubeconfig: one short-lived pod on the
//! control plane's node, in the process namespace of that, with `SYS_PTRACE` and nothing else, holds each `fsync` and `fdatasync`
//! of etcd for a moment before it begins. No sync is left out, so no data is at risk that a slow disk would not put at risk; and the
//! kernel lets etcd go on as before with the end of the tracer, however it ends.

use super::etcd_node;
use crate::{
    Change, FaultContext, FaultError,
    node::traced::{Delayed, TraceError, etcd_of_node},
    object::{Create, LASTS, ObjectChange, ends_at},
    victim::{
        Seen,
        holder::{Reach, hold, holder, say, told},
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
const AGENT: &str = "slowdown";
/// So much later each sync begins: a write waits for one or two, and leases survive.
const BY: Duration = Duration::from_millis(700);
/// How long the first sync may take.
const BITES: Duration = Duration::from_secs(30);

/// Whether a pod must do it: nobody reaches the nodes, or the disk cannot be throttled there.
pub(super) fn is_by_pod(facts: &ClusterFacts) -> bool {
    let of_node = [
        Capability::NodeAccess,
        Capability::NodeServiceManager,
        Capability::LocalEtcd,
        Capability::BlockIoThrottle,
    ];
    !of_node.iter().all(|capability| facts.has(capability))
}

pub(super) const HELD_BY: &str = "the kernel of the control plane's node, for as long as one process lives";

/// What it does, and how it is undone.
pub(super) fn dry_run(node: &str) -> Vec<String> {
    vec![
        format!(
            "start a pod in the process namespace of {node} with SYS_PTRACE, which traces processes, and no other right"
        ),
        format!("by tracing etcd, let each of its syncs to disk begin {} ms later", BY.as_millis()),
        format!(
            "the tracing process ends when this one has not told for {} s that it lives",
            pulse::LOST.as_secs()
        ),
        format!(
            "after {} s it ends, whatever happened, and the kernel lets etcd go on as before",
            LASTS.as_secs()
        ),
        "undo: delete the pod, at which its process ends; then wait until leases are renewed again".into(),
    ]
}

/// Whether the agent is admitted, and the pulse that it will feel.
pub(super) async fn set_up(ctx: &FaultContext) -> Result<(), FaultError> {
    pulse::start(ctx, agent(ctx)?).await
}

pub(super) fn plan(ctx: &FaultContext) -> Result<Change, FaultError> {
    let create = Create::new(&agent(ctx)?, &ctx.target.run)?.ends(ends_at());
    Ok(Change::Object(ObjectChange::Create(create)))
}

/// Waits until a sync has begun later.
pub(super) async fn in_force(ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
    let node = &etcd_node(&ctx.target.facts)?.name;
    until(ctx, "a first sync that begins later", BITES, || async {
        Ok(match told(ctx, AGENT).await? {
            Some(Told::Delays { pid, threads, of, syncs }) if syncs > 0 => {
                let value = format!(
                    "{syncs} have begun {} ms later; {threads} of {of} threads of process {pid} are traced",
                    BY.as_millis()
                );
                Seen::Yes(vec![Evidence::new(
                    "etcd's syncs to disk",
                    value,
                    Timestamp::now(),
                    Source::node(node),
                )])
            }
            Some(Told::Delays { .. }) => Seen::NotYet("etcd is traced and has synced nothing yet".into()),
            Some(Told::Refused(why)) => return Err(FaultError::Unfit(why)),
            None => Seen::NotYet("the pod that is to hold it has said nothing".into()),
        })
    })
    .await
}

/// The pod that holds it. Where victims may run does not bind it: etcd is where it is.
fn agent(ctx: &FaultContext) -> Result<Pod, FaultError> {
    let node = &etcd_node(&ctx.target.facts)?.name;
    Ok(holder(ctx, AGENT, &["slow-sync"], node, Reach::Processes)
        .set("tolerations", json!([{"operator": "Exists"}]))
        .set("nodeSelector", json!({}))
        .pod())
}

/// What the tracer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Told {
    /// So many of all threads are traced, and so many syncs have begun later.
    Delays { pid: i32, threads: usize, of: usize, syncs: u64 },
    /// None is.
    Refused(String),
}

impl Told {
    fn of(delayed: &Result<Delayed, TraceError>) -> Self {
        match delayed {
            Ok(delayed) => match delayed.traced() {
                Ok((threads, of)) => Told::Delays { pid: delayed.pid(), threads, of, syncs: delayed.syncs() },
                Err(_) => Told::Refused("etcd has ended, as it does when it is started anew".into()),
            },
            Err(why) => Told::Refused(why.to_string()),
        }
    }
}

/// Delays etcd's syncs until a last moment, or until the harness is not heard any more.
pub(crate) async fn delay_until(until: Timestamp) -> ExitCode {
    hold(until, async |_| {
        let delayed = spawn_blocking(|| Delayed::delay(etcd_of_node()?, BY)).await;
        let delayed = delayed.unwrap_or(Err(TraceError::Died));
        say(|| Told::of(&delayed)).await;
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{object::testing::FakeApi, victim::testing::context};
    use loopdrill_cluster::Fence;

    #[tokio::test]
    async fn the_pod_is_where_etcd_is_whatever_keeps_victims_away() {
        let mut nodes = crate::victim::place::tests::facts(&[("cp", None)]).nodes;
        nodes.iter_mut().for_each(|node| node.control_plane = true);
        let selector = [("pool".to_owned(), "drills".to_owned())].into();
        let fence = Fence { selector, ..Fence::default() };
        let facts = ClusterFacts { nodes, fence: Some(fence), ..ClusterFacts::default() };
        assert!(is_by_pod(&facts));
        let spec = agent(&context(&FakeApi::default(), facts)).expect("a node").spec.expect("spec");
        assert_eq!(spec.host_pid, Some(true));
        assert_eq!(spec.node_selector.unwrap_or_default().len(), 0);
        let tolerations = spec.tolerations.expect("tolerations");
        assert_eq!((tolerations.len(), tolerations[0].operator.as_deref()), (1, Some("Exists")));
        assert!(serde_json::to_string(&spec.affinity).expect("JSON").contains("\"cp\""));
    }

    #[tokio::test]
    async fn without_a_node_of_the_control_plane_there_is_no_pod() {
        let ctx = context(&FakeApi::default(), ClusterFacts::default());
        assert!(agent(&ctx).expect_err("none").to_string().contains("no node runs the control plane"));
    }

    #[test]
    fn what_it_says_is_what_is_read() {
        for told in [Told::Delays { pid: 7, threads: 3, of: 3, syncs: 9 }, Told::Refused("no".into())] {
            let text = serde_json::to_string(&told).expect("a text");
            assert_eq!(serde_json::from_str::<Told>(&text).expect("read"), told);
        }
    }
}
