//! A level of the API server's priority and fairness has a single share of the seats, and catches the calls of the victim's account
//! alone: its clients wait for each other, in an API server that has seats enough. The victim is the one of a throttled etcd disk.
//!
//! One of the account's clients asks, a few times at once, for a list that is newer than anything; the API server waits three seconds for
//! that, without working, and refuses it then. Before the level is there, nobody feels it; behind it, everybody of the account does. That
//! client stops asking some minutes after its start, whoever has died.
//!
//! A share is about one in 250 of the seats: three, of 600 that an API server has unless it is told otherwise. Where it is so large that the
//! client does not fill the level, its own lists do not wait, and the fault is not in force. What shows the mechanism is asked through
//! the API: the same write by another account does not wait.

use super::{SLOW_MS, time_of_write};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    etcd_disk::{WRITER, look_at_writes, start_writer},
    look::seen,
    object::{Create, LASTS, ObjectChange, ends_at},
    victim::{Seen, Workload, api, create, newest, place::quiet_worker, pods_of, typed, until, wait_ready},
};
use async_trait::async_trait;
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Pod},
    flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration},
};
use kube::{Api, Client, Config, ResourceExt, api::LogParams, client::Body};
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Evidence};
use serde_json::json;
use std::{process::ExitCode, time::Duration};
use tokio::time::{Instant, sleep};

/// The clients that share the level with the victim.
const CLIENTS: &str = "api-clients";
/// The one of them that asks for too new a list.
const LISTER: &str = "api-lister";
/// How long they may take to start.
const START: Duration = Duration::from_secs(60);
/// How long the API server may take to know a level.
const LEARNS: Duration = Duration::from_secs(20);
/// Before the schemas that Kubernetes comes with for ServiceAccounts (9000 and 9900).
const PRECEDENCE: i32 = 800;
/// A version that no object has yet.
const NEVER: &str = "9000000000000000000";
/// In which header the API server names the flow schema of a request.
const LET_IN_BY: &str = "x-kubernetes-pf-flowschema-uid";
/// So many of these lists are asked for at once; a share is three seats of 600.
const AT_ONCE: usize = 6;
/// How long the API server waits for a version, and what a list takes that has waited for a seat, too.
const PATIENT: Duration = Duration::from_millis(3000);
const WAITED: Duration = Duration::from_millis(3500);

static SPEC: FaultSpec = FaultSpec {
    fault: super::FAULT,
    variant: "one-seat",
    title: "an account's calls get a single share of the API server's seats, and its clients wait with no more traffic than before",
    roots: &[&[Cause::PriorityLevelFull]],
    needs: &[Capability::WorkerNodes(1)],
    ..FaultSpec::CANONICAL
};

/// See the module.
pub(super) struct OneSeat;

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
            "start clients of one account: some write a ConfigMap twice a second, one asks for a list that is not there yet"
                .into(),
            "create a priority level with a single share of the seats, and a flow schema that sends that account's calls to it".into(),
            format!("after {} s that client asks no more, whatever happened, and nobody waits", LASTS.as_secs()),
            "undo: delete both".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        start_writer(ctx).await?;
        let until = ends_at().as_second().to_string();
        let clients = Workload::new(ctx, CLIENTS, &[WRITER]).account(WRITER).deployment(3);
        let lister = Workload::new(ctx, LISTER, &[LISTER, &until]).account(WRITER).deployment(1);
        create(ctx, &clients).await?;
        create(ctx, &lister).await?;
        wait_ready(ctx, CLIENTS, 3, START).await?;
        wait_ready(ctx, LISTER, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let level = Create::new(&level(ctx), &ctx.target.run)?;
        let schema = Create::new(&schema(ctx), &ctx.target.run)?;
        let all = [level, schema].map(|create| create.ends(ends_at()));
        Ok(all.into_iter().map(|create| Change::Object(ObjectChange::Create(create))).collect())
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        until(ctx, "a list that waits for a seat", LEARNS, || async {
            let schemas = Api::<FlowSchema>::all(ctx.target.client.clone());
            let found = schemas.get(&name(ctx)).await;
            let found = found.map_err(FaultError::api(format!("read FlowSchema {}", name(ctx))))?;
            if !leads(&found) {
                return Ok(Seen::NotYet("the API server has not told yet whether its level is there".into()));
            }
            Ok(match last_list(ctx).await? {
                Some(Listed { by, .. }) if by.is_none() || by != found.metadata.uid => {
                    Seen::NotYet("the last list was still let in by another flow schema".into())
                }
                Some(Listed { took, .. }) if took >= WAITED => Seen::Yes(vec![seen(
                    format!("a list of that account, which takes {} ms by itself", PATIENT.as_millis()),
                    format!("{} ms", took.as_millis()),
                )]),
                Some(Listed { took, .. }) => {
                    Seen::NotYet(format!("a list took {} ms, and waited for no seat", took.as_millis()))
                }
                None => Seen::NotYet("the client that lists has said nothing".into()),
            })
        })
        .await
    }

    /// Slow writes are the symptom of a slow etcd, of a webhook and of an overload, too: so one is tried as another account.
    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        let look = look_at_writes(ctx, SLOW_MS).await?;
        let Look::Broken(mut evidence) = look else { return Ok(look) };
        let other = time_of_write::<ConfigMap>(ctx).await?;
        let told = format!("{} ms", other.as_millis());
        if other >= Duration::from_millis(SLOW_MS) {
            return Ok(Look::Settling(format!("the same write takes {told} as another account")));
        }
        evidence.push(seen("the same write as another account", told));
        Ok(Look::Broken(evidence))
    }
}

/// What the client says of a list.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    took: Duration,
    /// The uid of the flow schema by which the API server let it in, as its answer says.
    by: Option<String>,
}

impl Listed {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let took = Duration::from_millis(words.next()?.parse().ok()?);
        Some(Self { took, by: words.next().map(str::to_owned) })
    }
}

/// The list that ended last.
async fn last_list(ctx: &FaultContext) -> Result<Option<Listed>, FaultError> {
    let pods = pods_of(ctx, LISTER).await?;
    let Some(pod) = newest(&pods).map(ResourceExt::name_any) else { return Ok(None) };
    let params = LogParams { tail_lines: Some(1), ..LogParams::default() };
    let log = api::<Pod>(ctx).logs(&pod, &params).await;
    let log = log.map_err(FaultError::api(format!("read the log of {pod}")))?;
    Ok(log.lines().next_back().and_then(Listed::read))
}

/// What level and schema are called.
fn name(ctx: &FaultContext) -> String {
    format!("app-{}-{}", SPEC.variant, ctx.target.run)
}

/// The least that a level can have, and nothing that it may borrow.
fn level(ctx: &FaultContext) -> PriorityLevelConfiguration {
    typed(json!({
        "metadata": {"name": name(ctx)},
        "spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": 1, "lendablePercent": 0, "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Queue", "queuing": {"queues": 1, "handSize": 1, "queueLengthLimit": 50}},
        }},
    }))
}

/// The calls of the victim's account about the drill's namespace.
fn schema(ctx: &FaultContext) -> FlowSchema {
    typed(json!({
        "metadata": {"name": name(ctx)},
        "spec": {
            "priorityLevelConfiguration": {"name": name(ctx)},
            "matchingPrecedence": PRECEDENCE,
            "rules": [{
                "subjects": [{
                    "kind": "ServiceAccount",
                    "serviceAccount": {"name": WRITER, "namespace": ctx.namespace},
                }],
                "resourceRules": [{
                    "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": false,
                    "namespaces": [ctx.namespace],
                }],
            }],
        },
    }))
}

/// Whether the API server has found the schema's level.
fn leads(schema: &FlowSchema) -> bool {
    let conditions = schema.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Dangling" && condition.status.as_deref() == Some("False"))
}

/// Asks for lists that are newer than anything, until that moment, and says of each how many milliseconds it took and which flow
/// schema let it in; then does nothing.
pub(crate) async fn list_until(end: Timestamp) -> ExitCode {
    let Ok(mut config) = Config::incluster() else { return ExitCode::from(2) };
    // The refusal is the answer.
    config.default_retry = false;
    let namespace = config.default_namespace.clone();
    let Ok(client) = Client::try_from(config) else { return ExitCode::from(2) };
    let path = format!(
        "/api/v1/namespaces/{namespace}/configmaps?resourceVersion={NEVER}&resourceVersionMatch=NotOlderThan"
    );
    let ask = async || {
        while Timestamp::now() < end {
            let request =
                http::Request::get(&path).body(Body::empty()).expect("a fixed path is a valid request");
            let began = Instant::now();
            // That it is refused is what is wanted; a refusal at once must not become a flood.
            let answer = client.send(request).await;
            let by = answer.ok().and_then(|a| Some(a.headers().get(LET_IN_BY)?.to_str().ok()?.to_owned()));
            println!("{} {}", began.elapsed().as_millis(), by.unwrap_or_default());
            sleep(Duration::from_millis(200)).await;
        }
    };
    join_all((0..AT_ONCE).map(|_| ask())).await;
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{object::testing::FakeApi, victim::testing::context};

    #[tokio::test]
    async fn only_the_victims_account_is_caught_and_only_in_its_namespace() {
        let facts = crate::victim::place::tests::facts(&[("x", Some("a"))]);
        let ctx = context(&FakeApi::default(), facts);
        let spec = schema(&ctx).spec;
        assert_eq!(spec.priority_level_configuration.name, name(&ctx));
        let rules = spec.rules.expect("rules");
        let [rule] = rules.as_slice() else { panic!("{rules:?}") };
        let [subject] = rule.subjects.as_slice() else { panic!("{rule:?}") };
        let account = subject.service_account.as_ref().expect("an account");
        assert_eq!((account.name.as_str(), account.namespace.as_str()), (WRITER, ctx.namespace.as_str()));
        assert!(rule.non_resource_rules.is_none());
        let resources = rule.resource_rules.as_ref().expect("resources");
        assert_eq!(resources[0].namespaces.as_deref(), Some(&[ctx.namespace.clone()][..]));
        assert_ne!(resources[0].cluster_scope, Some(true));
        let limited = level(&ctx).spec.limited.expect("a limit");
        assert_eq!((limited.nominal_concurrency_shares, limited.borrowing_limit_percent), (Some(1), Some(0)));
    }

    #[test]
    fn what_a_list_says_of_itself_is_read() {
        let listed =
            |ms, by: Option<&str>| Listed { took: Duration::from_millis(ms), by: by.map(str::to_owned) };
        assert_eq!(Listed::read("6012 3f-uid"), Some(listed(6012, Some("3f-uid"))));
        assert_eq!(Listed::read("3004 "), Some(listed(3004, None)));
        assert_eq!(Listed::read(""), None);
    }

    #[test]
    fn a_schema_leads_only_where_the_api_server_says_so() {
        let schema = |conditions: serde_json::Value| -> FlowSchema {
            typed(json!({"metadata": {"name": "x"}, "status": {"conditions": conditions}}))
        };
        assert!(leads(&schema(json!([{"type": "Dangling", "status": "False"}]))));
        assert!(!leads(&schema(json!([{"type": "Dangling", "status": "True"}]))));
        assert!(!leads(&schema(json!([]))));
    }
}
