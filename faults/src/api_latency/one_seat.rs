//! A priority level with one seat that catches the calls of one account, which has more of them under way: each waits for its
//! turn, in an API server that has hundreds of free seats. The victim is the one of a throttled etcd disk; its account has a
//! second client, whose lists take long and give the API server nothing to do.
//!
//! The level has no share of the API server's seats, so that no other level loses one for it: such a level lets one request
//! through at a time. What is deleted in the end is what catches the calls, and the level behind it.

use super::{LASTS, SLOW_MS, ends_at, lister::AT_ONCE, time_of_write};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    etcd_disk::{WRITER, look_at_writes, start_writer},
    look::seen,
    object::{Create, ObjectChange},
    victim::{
        Seen, Workload, create,
        place::{a_worker, quiet_worker},
        typed, until, wait_ready,
    },
};
use async_trait::async_trait;
use k8s_openapi::api::{
    core::v1::ConfigMap,
    flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration},
};
use kube::Api;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Evidence};
use serde_json::{Value, json};
use std::time::Duration;

/// The account's second client.
const LISTER: &str = "api-lister";
/// Milliseconds between an answer and its next question.
const PAUSE_MS: &str = "100";
const START: Duration = Duration::from_secs(60);
/// How long the API server may take to learn of a new level.
const LEARNS: Duration = Duration::from_secs(20);
/// Before the schemas that come with Kubernetes, but for those of probes and of who is exempt.
const PRECEDENCE: i32 = 20;
/// Requests that may wait; more are refused. The drill's own clients never have so many.
const QUEUE: i32 = 16;

static SPEC: FaultSpec = FaultSpec {
    fault: super::FAULT,
    variant: "one-seat",
    title: "a priority level with one seat makes an account's calls wait, in an API server that is idle",
    roots: &[&[Cause::PriorityLevelFull]],
    needs: &[Capability::WorkerNodes(1)],
    ..FaultSpec::CANONICAL
};

/// See the module.
pub(crate) struct OneSeat;

/// The name of what has no namespace: that of the run is in it.
fn name(ctx: &FaultContext) -> String {
    format!("{WRITER}-{}", ctx.target.run)
}

fn level(ctx: &FaultContext) -> Value {
    json!({
        "metadata": {"name": name(ctx)},
        "spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0,
            "limitResponse": {
                "type": "Queue", "queuing": {"queues": 1, "handSize": 1, "queueLengthLimit": QUEUE},
            },
        }},
    })
}

/// Catches what the drill's own account asks for in the drill's own namespace, and nothing else.
fn schema(ctx: &FaultContext) -> Value {
    let account = json!({"name": WRITER, "namespace": ctx.namespace});
    json!({
        "metadata": {"name": name(ctx)},
        "spec": {
            "matchingPrecedence": PRECEDENCE,
            "priorityLevelConfiguration": {"name": name(ctx)},
            "rules": [{
                "subjects": [{"kind": "ServiceAccount", "serviceAccount": account}],
                "resourceRules": [{
                    "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": [ctx.namespace],
                }],
            }],
        },
    })
}

#[async_trait]
impl Fault for OneSeat {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().breaks(Resource::OwnApiCalls);
        quiet_worker(cluster).into_iter().fold(footprint, |f, n| f.uses_node(&n.name))
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec![
            "start a client that writes one ConfigMap twice a second".into(),
            format!(
                "start another one of its account that has {AT_ONCE} lists under way for which the API server waits 3 s \
                 each, and which stops after {} s",
                LASTS.as_secs()
            ),
            "create a priority level without seats of its own, and a FlowSchema that catches that account alone".into(),
            "undo: delete both".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        start_writer(ctx).await?;
        let worker = a_worker(&ctx.target.facts)?;
        let until = ends_at().as_second().to_string();
        let lister = Workload::new(ctx, LISTER, &[LISTER, PAUSE_MS, &until]);
        create(ctx, &lister.account(WRITER).on_node(&worker.name).deployment(1)).await?;
        wait_ready(ctx, LISTER, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let (run, ends) = (&ctx.target.run, ends_at());
        let level = Create::new(&typed::<PriorityLevelConfiguration>(level(ctx)), run)?.ends(ends);
        let schema = Create::new(&typed::<FlowSchema>(schema(ctx)), run)?.ends(ends);
        Ok([level, schema].into_iter().map(|c| Change::Object(ObjectChange::Create(c))).collect())
    }

    /// An API server says of each schema whether it has its level.
    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        let schemas: Api<FlowSchema> = Api::all(ctx.target.client.clone());
        let name = name(ctx);
        until(ctx, "a FlowSchema that leads to its level", LEARNS, || async {
            let found = schemas.get(&name).await.map_err(FaultError::api("look at the FlowSchema"))?;
            Ok(match leads_to_its_level(&found) {
                true => Seen::Yes(vec![seen("the level that the account's calls wait at", name.clone())]),
                false => Seen::NotYet("the API server has not said so yet".into()),
            })
        })
        .await
    }

    /// Slow writes are the symptom of a slow etcd and of an overload, too: then everybody's are slow.
    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        let look = look_at_writes(ctx, SLOW_MS).await?;
        let Look::Broken(mut evidence) = look else { return Ok(look) };
        let other = time_of_write::<ConfigMap>(ctx).await?;
        Ok(match is_swift(other) {
            true => {
                let value = format!("{} ms", other.as_millis());
                evidence.push(seen("the same write of another account", value));
                Look::Broken(evidence)
            }
            false => Look::Settling(format!("another account's write takes {} ms, too", other.as_millis())),
        })
    }
}

fn is_swift(other: Duration) -> bool {
    2 * other < Duration::from_millis(SLOW_MS)
}

fn leads_to_its_level(schema: &FlowSchema) -> bool {
    let conditions = schema.status.iter().flat_map(|s| s.conditions.iter().flatten());
    conditions.into_iter().any(|c| c.type_ == "Dangling" && c.status.as_deref() == Some("False"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Hold,
        object::{UNTIL, is_within_reach, testing::FakeApi},
        victim::{place::tests::facts, testing::context},
    };

    /// The blast radius: one account, in one namespace, and no seat of anybody else.
    #[tokio::test]
    async fn it_catches_its_own_account_alone_and_takes_no_seat_from_others() {
        let ctx = context(&FakeApi::default(), ClusterFacts::default());
        let plan = OneSeat.plan(&ctx).await.expect("a plan");
        let creates: Vec<_> = plan
            .iter()
            .map(|change| match change {
                Change::Object(change @ ObjectChange::Create(create)) => {
                    assert!(is_within_reach(change, &ctx.namespace), "{change}");
                    create
                }
                other => panic!("{other} is no creation"),
            })
            .collect();
        let [level, schema] = creates[..] else { panic!("{creates:?}") };
        assert_eq!(
            (level.object.kind.as_str(), schema.object.kind.as_str()),
            ("PriorityLevelConfiguration", "FlowSchema")
        );
        for create in [level, schema] {
            assert!(create.object.name.ends_with("r1"), "{}", create.object);
            assert!(
                create.manifest.value()["metadata"]["annotations"][UNTIL].is_string(),
                "{}",
                create.object
            );
        }
        let limited = &level.manifest.value()["spec"]["limited"];
        for share in ["nominalConcurrencyShares", "lendablePercent", "borrowingLimitPercent"] {
            assert_eq!(limited[share], 0, "{share}");
        }
        let rules = schema.manifest.value()["spec"]["rules"].as_array().expect("rules").clone();
        assert_eq!(rules.len(), 1);
        assert_eq!(
            rules[0]["subjects"],
            json!([{"kind": "ServiceAccount", "serviceAccount": {"name": WRITER, "namespace": "d"}}])
        );
        assert_eq!(rules[0]["resourceRules"][0]["namespaces"], json!(["d"]));
        assert!(rules[0].get("nonResourceRules").is_none());
    }

    #[test]
    fn who_waits_for_its_turn_is_not_everybody() {
        let ms = Duration::from_millis;
        assert!(is_swift(ms(12)) && !is_swift(ms(250)) && !is_swift(ms(3000)));
    }

    #[test]
    fn a_schema_whose_level_is_not_there_yet_catches_nobody() {
        let told = |status: &str| {
            let conditions = json!([{"type": "Dangling", "status": status}]);
            leads_to_its_level(&typed(
                json!({"metadata": {"name": "s"}, "status": {"conditions": conditions}}),
            ))
        };
        assert!(told("False") && !told("True"));
        assert!(!leads_to_its_level(&FlowSchema::default()));
    }

    #[test]
    fn nothing_that_needs_the_control_plane_runs_beside_it_and_it_is_nobody_else_s() {
        let footprint = OneSeat.footprint(&facts(&[("x", None)]));
        assert_eq!(footprint.0.get(&Resource::OwnApiCalls), Some(&Hold::Breaks));
        assert!(footprint.overlaps(&Footprint::default().uses(Resource::ControlPlane)));
        assert!(!footprint.0.contains_key(&Resource::ControlPlane));
    }
}
