//! Throttled etcd disk: the log can not be written fast enough, and everything behind it queues.
//!
//! Where the nodes are in reach, the control group of etcd's container gets a limit of write operations on the disk under its data;
//! elsewhere a pod holds each of etcd's syncs for a moment ([`slow_sync`]). The victim is an ordinary client of the API on a worker: it writes one small object at a steady pace, and
//! every call takes many times as long, with no more traffic than before.
//!
//! The API server is then too slow to be asked for anything in a hurry, so the undo never asks it; and the
//! fault has not ended before the controllers that lead by a lease renew it again.

pub(crate) mod slow_sync;
pub(crate) mod stability;
mod writer;

pub(crate) use writer::{Call, write_forever};

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    look::seen,
    node::{LimitWriteIops, Limits, NodeChange, locate},
    victim::{
        self, Seen, Workload, create, newest,
        place::{a_worker, quiet_worker},
        pods_of, until,
    },
};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::LogParams};
use loopdrill_cluster::{ClusterFacts, NodeFacts};
use loopdrill_model::{Capability, Cause, Evidence};
use serde_json::json;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

pub(crate) const WRITER: &str = "api-writer";
/// How long the victim may take to start.
const START: Duration = Duration::from_secs(60);
/// How long the controllers may take to lead again after the undo.
pub(crate) const STABLE: Duration = Duration::from_secs(180);
/// Calls older than that say nothing about now.
const FRESH_S: i64 = 20;
/// So many calls decide.
const CALLS: usize = 3;
/// A write that takes longer is slow: some 50 times as long as on a healthy disk.
const SLOW_MS: u64 = 500;
/// Where etcd keeps its data on nodes that kubeadm made.
const DATA: &str = "/var/lib/etcd";
/// A write takes one to three seconds then, and leases just survive.
const WRITE_IOPS: NonZeroU32 = NonZeroU32::new(12).expect("not zero");

static SPEC: FaultSpec = FaultSpec {
    fault: "etcd-disk",
    variant: "write-iops",
    title: "etcd's disk is throttled, and every API call crawls with no more traffic than before",
    roots: &[&[Cause::EtcdDiskBound]],
    needs: &[Capability::ControlPlaneNode, Capability::WorkerNodes(1)],
    ..FaultSpec::CANONICAL
};

/// The one variant.
pub fn variants() -> Vec<Arc<dyn Fault>> {
    vec![Arc::new(EtcdDisk::default())]
}

/// See the module.
#[derive(Debug)]
pub struct EtcdDisk {
    write_iops: NonZeroU32,
}

impl EtcdDisk {
    /// Lets etcd write so many times a second.
    #[must_use]
    pub fn with_write_iops(write_iops: NonZeroU32) -> Self {
        Self { write_iops }
    }
}

impl Default for EtcdDisk {
    fn default() -> Self {
        Self::with_write_iops(WRITE_IOPS)
    }
}

pub(crate) fn etcd_node(facts: &ClusterFacts) -> Result<&NodeFacts, FaultError> {
    facts.control_plane().ok_or_else(|| FaultError::Unfit("no node runs the control plane".into()))
}

#[async_trait]
impl Fault for EtcdDisk {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().breaks(Resource::ControlPlane);
        quiet_worker(cluster).into_iter().fold(footprint, |f, n| f.uses_node(&n.name))
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let worker = quiet_worker(cluster).map_or("a worker", |node| &node.name);
        let node = cluster.control_plane().map_or("the control plane's node", |node| &node.name);
        let mut steps = vec![format!("start a client on {worker} that writes one ConfigMap twice a second")];
        if slow_sync::is_by_pod(cluster) {
            steps.extend(slow_sync::dry_run(node));
            return steps;
        }
        steps.push(format!(
            "on {node}: limit etcd's container to {} writes/s on the disk under {DATA}",
            self.write_iops
        ));
        steps.push(format!(
            "undo: the reverse, held and ended by {node} itself; then wait until leases are renewed again"
        ));
        steps
    }

    fn held_by(&self) -> &'static str {
        slow_sync::HELD_BY
    }

    /// Whether the agent is admitted is asked first.
    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        if slow_sync::is_by_pod(&ctx.target.facts) {
            slow_sync::set_up(ctx).await?;
        }
        start_writer(ctx).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        if slow_sync::is_by_pod(&ctx.target.facts) {
            return Ok(vec![slow_sync::plan(ctx)?]);
        }
        let nodes = ctx.target.node_access()?;
        let node = &etcd_node(&ctx.target.facts)?.name;
        let etcd = locate::process_disk(nodes, node, "etcd", DATA).await?;
        let write_iops = self.write_iops.get();
        let step = LimitWriteIops { cgroup: etcd.cgroup, device: etcd.device, write_iops }.into();
        Ok(vec![Change::Node(NodeChange::plan(nodes, node, vec![step], Limits::default()).await?)])
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        match slow_sync::is_by_pod(&ctx.target.facts) {
            true => slow_sync::in_force(ctx).await,
            false => Ok(Vec::new()),
        }
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        look_at_writes(ctx, SLOW_MS).await
    }

    /// Controllers that lost their lease restart; the cluster is not as before until they lead again.
    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        stability::wait(ctx, STABLE).await
    }
}

/// Starts the client and waits until it writes swiftly.
pub(crate) async fn start_writer(ctx: &FaultContext) -> Result<(), FaultError> {
    let worker = a_worker(&ctx.target.facts)?;
    allow_writing(ctx).await?;
    let writer = Workload::new(ctx, WRITER, &[WRITER]).account(WRITER).on_node(&worker.name);
    create(ctx, &writer.deployment(1)).await?;
    victim::wait_ready(ctx, WRITER, 1, START).await?;
    until(ctx, "a client that writes swiftly", START, || async {
        Ok(match look_at_writes(ctx, SLOW_MS).await? {
            Look::Well => Seen::Yes(()),
            Look::Settling(what) => Seen::NotYet(what),
            Look::Broken(_) => Seen::NotYet("writes are slow before anything was changed".into()),
        })
    })
    .await
}

/// The writer's account, with what it needs.
pub(crate) async fn allow_writing(ctx: &FaultContext) -> Result<(), FaultError> {
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "get", "list", "patch"]}]);
    victim::account(ctx, WRITER, rules).await
}

/// Reads what the writer says of its last calls. Those are slow that take `slow_ms` milliseconds.
pub(crate) async fn look_at_writes(ctx: &FaultContext, slow_ms: u64) -> Result<Look, FaultError> {
    Ok(match last_writes(ctx).await? {
        Ok(calls) => judge_writes(&calls, slow_ms),
        Err(why) => Look::Settling(why),
    })
}

/// The writer's last calls, oldest first; or why they are not known.
pub(crate) async fn last_writes(ctx: &FaultContext) -> Result<Result<Vec<Call>, String>, FaultError> {
    let pods = pods_of(ctx, WRITER).await?;
    let Some(pod) = newest(&pods) else { return Ok(Err("the writer has no pod".into())) };
    let pod = pod.name_any();
    let params =
        LogParams { since_seconds: Some(FRESH_S), tail_lines: Some(CALLS as i64), ..LogParams::default() };
    let log = victim::api::<Pod>(ctx).logs(&pod, &params).await;
    let calls =
        |log: String| log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<_>>();
    Ok(match log {
        Ok(log) => Ok(calls(log)),
        Err(e) => Err(format!("read the log of {pod}: {e}")),
    })
}

/// Judges the last calls, oldest first. One slow call may be an accident; all of them are the symptom.
pub(crate) fn judge_writes(calls: &[Call], slow_ms: u64) -> Look {
    let slow = calls.iter().filter(|call| call.ms >= slow_ms).count();
    let failed = calls.iter().find_map(|call| call.error.as_ref());
    match (calls.len(), slow, failed) {
        (CALLS, CALLS, _) => Look::Broken(vec![
            seen("time of a small write, p50", format!("{} ms", median(calls))),
            seen("rate of the client's calls", format!("{:.1} a second", rate(calls))),
            seen("errors of the client's calls", failed.map_or("none", String::as_str)),
        ]),
        (CALLS, 0, None) => Look::Well,
        (_, _, Some(error)) => Look::Settling(format!("a write failed: {error}")),
        (n, slow, None) => Look::Settling(format!("{slow} of its last {n} writes were slow")),
    }
}

fn median(calls: &[Call]) -> u64 {
    let mut times: Vec<u64> = calls.iter().map(|call| call.ms).collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Calls a second: no more than before, so that load is no explanation.
fn rate(calls: &[Call]) -> f64 {
    let span = calls[calls.len() - 1].at.duration_since(calls[0].at).as_secs_f64();
    (calls.len() - 1) as f64 / span.max(f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hold, victim::place::tests::facts};
    use jiff::{Timestamp, ToSpan};

    fn calls(times: &[u64]) -> Vec<Call> {
        let start = Timestamp::UNIX_EPOCH;
        let call =
            |(s, ms): (i64, &u64)| Call { at: start + s.seconds(), ms: *ms, own_ms: None, error: None };
        (1..).zip(times).map(call).collect()
    }

    #[test]
    fn only_steadily_slow_writes_are_the_symptom() {
        assert_eq!(judge_writes(&calls(&[12, 9, 499]), SLOW_MS), Look::Well);
        assert!(
            matches!(judge_writes(&calls(&[900, 3000, 1500]), SLOW_MS), Look::Broken(e) if e[0].value == "1500 ms" && e[1].value == "1.0 a second")
        );
        for times in [&[][..], &[900, 900], &[12, 900, 900], &[900, 900, 12]] {
            assert!(matches!(judge_writes(&calls(times), SLOW_MS), Look::Settling(_)), "{times:?}");
        }
        let at = Timestamp::UNIX_EPOCH;
        let refused = Call { at, ms: 3, own_ms: None, error: Some("403".into()) };
        assert!(
            matches!(judge_writes(&vec![refused; 3], SLOW_MS), Look::Settling(_)),
            "a quick refusal is something else"
        );
        let late = Call { at, ms: 10_000, own_ms: None, error: Some("no answer".into()) };
        assert!(matches!(judge_writes(&vec![late; 3], SLOW_MS), Look::Broken(_)));
    }

    #[test]
    fn nothing_else_may_need_the_control_plane_meanwhile() {
        let mut facts = facts(&[("x", None)]);
        let footprint = EtcdDisk::default().footprint(&facts);
        assert_eq!(footprint.0.get(&Resource::ControlPlane), Some(&Hold::Breaks));
        let lines = EtcdDisk::with_write_iops(NonZeroU32::MIN).dry_run(&facts);
        assert!(lines[1].contains("start a pod") && lines[2].contains("begin 700 ms later"), "{lines:?}");
        let reach = [
            Capability::NodeAccess,
            Capability::NodeServiceManager,
            Capability::LocalEtcd,
            Capability::BlockIoThrottle,
        ];
        facts.capabilities.extend(reach.map(|capability| (capability, Ok(()))));
        let lines = EtcdDisk::with_write_iops(NonZeroU32::MIN).dry_run(&facts);
        assert!(lines[1].contains("to 1 writes/s"), "{lines:?}");
    }
}
