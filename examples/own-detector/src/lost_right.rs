//! A drill: the operator's right to write its copy is taken away.

use crate::operator::{ACCOUNT, COPY, LABEL, Operator, PAGE, STATUS};
use async_trait::async_trait;
use k8s_openapi::api::{
    core::v1::{ConfigMap, ServiceAccount},
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use loopdrill_testing::{
    Change, ClusterFacts, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource, Seen,
    create,
    model::{Cause, Evidence, Source, Timestamp},
    object::{Delete, ObjectChange},
    until,
};
use serde_json::{Value, json};
use std::time::Duration;

/// The right that is taken away.
const WRITES: &str = "mirror-writes";
/// The right that it keeps.
const SPEAKS: &str = "mirror-speaks";
/// How far a copy may lag behind before it counts as broken.
const LAG: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug)]
pub struct LostRight {
    spec: &'static FaultSpec,
    operator: Operator,
}

impl LostRight {
    /// Of the operator as it is.
    pub const OF_AN_OPERATOR: LostRight =
        LostRight { spec: &spec("outspoken"), operator: Operator::Outspoken };
    /// Of one that is broken on purpose.
    pub const OF_A_MUTE_OPERATOR: LostRight = LostRight { spec: &spec("mute"), operator: Operator::Mute };
}

const fn spec(variant: &'static str) -> FaultSpec {
    FaultSpec {
        fault: "lost-right",
        variant,
        title: "an operator may no longer write what it keeps",
        roots: &[&[Cause::RbacDenied]],
        ..FaultSpec::CANONICAL
    }
}

#[async_trait]
impl Fault for LostRight {
    fn spec(&self) -> &'static FaultSpec {
        self.spec
    }

    fn footprint(&self, _: &ClusterFacts) -> Footprint {
        Footprint::default().uses(Resource::ControlPlane)
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec![
            "start an operator that keeps a copy of a ConfigMap".into(),
            "delete the RoleBinding that lets it write".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        create::<ServiceAccount>(ctx, &typed(json!({"metadata": {"name": ACCOUNT}}))?).await?;
        grant(ctx, SPEAKS, json!([rule(&[PAGE], &["get"]), rule(&[STATUS], &["get", "patch"])])).await?;
        grant(ctx, WRITES, json!([rule(&[COPY], &["get", "patch"])])).await?;
        let (label, value) = LABEL.split_once('=').unwrap_or_default();
        for (name, labels) in [(COPY, json!({})), (STATUS, json!({label: value})), (PAGE, json!({}))] {
            let object = json!({"metadata": {"name": name, "labels": labels}, "data": {}});
            create::<ConfigMap>(ctx, &typed(object)?).await?;
        }
        publish(ctx, "first edition").await?;
        let no_kubeconfig = || FaultError::Unfit("the operator needs a kubeconfig".into());
        let kubeconfig = ctx.target.kubeconfig.as_ref().ok_or_else(no_kubeconfig)?;
        let started = self.operator.start(kubeconfig, ctx.namespace.clone()).await;
        started.map_err(|e| FaultError::Unfit(format!("the operator did not start: {e}")))?;
        until(ctx, "the first copy", Duration::from_secs(30), || async {
            Ok(match self.look(ctx, false).await? {
                Look::Well => Seen::Yes(()),
                other => Seen::NotYet(format!("{other:?}")),
            })
        })
        .await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let delete = Delete::plan::<RoleBinding>(&ctx.target.client, Some(&ctx.namespace), WRITES).await?;
        Ok(vec![Change::Object(ObjectChange::Delete(delete))])
    }

    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        publish(ctx, "second edition").await
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        let (page, copy) = (data(ctx, PAGE).await?, data(ctx, COPY).await?);
        if page == copy && !page.is_null() {
            return Ok(Look::Well);
        }
        let now = Timestamp::now();
        let published = page["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let lag = published.map(|at| now.duration_since(at).unsigned_abs()).unwrap_or_default();
        let value = format!("{} s behind its page", lag.as_secs());
        Ok(match lag > LAG {
            true => Look::Broken(vec![Evidence {
                signal: "the copy".into(),
                value,
                at: now,
                source: Source::victim(),
            }]),
            false => Look::Settling(format!("the copy is {value}")),
        })
    }
}

fn rule(names: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [""], "resources": ["configmaps"], "resourceNames": names, "verbs": verbs})
}

async fn grant(ctx: &FaultContext, name: &str, rules: Value) -> Result<(), FaultError> {
    create::<Role>(ctx, &typed(json!({"metadata": {"name": name}, "rules": rules}))?).await?;
    let binding = json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": ctx.namespace}],
    });
    create::<RoleBinding>(ctx, &typed(binding)?).await.map(drop)
}

async fn publish(ctx: &FaultContext, text: &str) -> Result<(), FaultError> {
    let page = json!({"data": {"text": text, "at": Timestamp::now().to_string()}});
    let patched = configmaps(ctx).patch(PAGE, &PatchParams::default(), &Patch::Merge(page)).await;
    patched.map(drop).map_err(FaultError::api("publish a page"))
}

async fn data(ctx: &FaultContext, name: &str) -> Result<Value, FaultError> {
    let found = configmaps(ctx).get(name).await.map_err(FaultError::api(format!("read {name}")))?;
    Ok(json!(found.data))
}

fn configmaps(ctx: &FaultContext) -> Api<ConfigMap> {
    Api::namespaced(ctx.target.client.clone(), &ctx.namespace)
}

fn typed<K: serde::de::DeserializeOwned>(object: Value) -> Result<K, FaultError> {
    serde_json::from_value(object).map_err(|e| FaultError::Unfit(e.to_string()))
}
