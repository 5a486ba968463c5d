//! Accounts of victims, and what they may do.

use super::{create, metadata, typed};
use crate::{FaultContext, FaultError};
use k8s_openapi::api::{
    core::v1::ServiceAccount,
    rbac::v1::{Role, RoleBinding},
};
use serde_json::{Value, json};

/// Creates a ServiceAccount in the drill's namespace that may do what the rules of a Role say, and Role and RoleBinding
/// of the same name.
pub(crate) async fn account(ctx: &FaultContext, name: &str, rules: Value) -> Result<(), FaultError> {
    let metadata = metadata(ctx, name);
    create::<ServiceAccount>(ctx, &typed(json!({"metadata": metadata}))).await?;
    create::<Role>(ctx, &typed(json!({"metadata": metadata, "rules": rules}))).await?;
    let binding = json!({
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": ctx.namespace}],
    });
    create::<RoleBinding>(ctx, &typed(binding)).await.map(drop)
}
