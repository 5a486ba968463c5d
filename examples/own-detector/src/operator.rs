//! An operator that keeps one ConfigMap (`copy`) like another (`page`), and says in a third (`status`) what hinders it.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use std::{collections::BTreeMap, error::Error, path::Path, time::Duration};

/// What it copies.
pub const PAGE: &str = "page";
/// What it writes.
pub const COPY: &str = "copy";
/// Where it says how it is.
pub const STATUS: &str = "status";
/// The label of its status.
pub const LABEL: &str = "operator=mirror";
/// Its account.
pub const ACCOUNT: &str = "mirror";

/// The operator, or one that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Says what hinders it.
    Outspoken,
    /// Swallows its errors.
    Mute,
}

impl Operator {
    /// Works in a namespace until that is gone. A real one would be a Deployment; this one lives in the test.
    ///
    /// # Errors
    /// When there is no client for its account.
    pub async fn start(
        self,
        kubeconfig: &Path,
        namespace: String,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let file = Kubeconfig::read_from(kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        config.auth_info.impersonate = Some(format!("system:serviceaccount:{namespace}:{ACCOUNT}"));
        let objects: Api<ConfigMap> = Api::namespaced(Client::try_from(config)?, &namespace);
        tokio::spawn(async move {
            let mut turn = tokio::time::interval(Duration::from_millis(200));
            let mut began = false;
            loop {
                turn.tick().await;
                match objects.get_opt(PAGE).await {
                    Ok(Some(page)) => {
                        began = true;
                        self.reconcile(&objects, &page.data.unwrap_or_default()).await;
                    }
                    // Gone with its namespace.
                    Ok(None) if began => return,
                    Err(e) if began && is_forbidden(&e) => return,
                    Ok(None) | Err(_) => {}
                }
            }
        });
        Ok(())
    }

    async fn reconcile(self, objects: &Api<ConfigMap>, page: &BTreeMap<String, String>) {
        let hindered = write(objects, COPY, page).await.err();
        if self == Operator::Outspoken {
            let reason = hindered.map_or("None", |e| if is_forbidden(&e) { "Forbidden" } else { "Unknown" });
            let said = BTreeMap::from([("hindered".to_owned(), reason.to_owned())]);
            // What it cannot say now it says in the next turn.
            let _ = write(objects, STATUS, &said).await;
        }
    }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(answer) if answer.code == 403)
}

async fn write(objects: &Api<ConfigMap>, name: &str, data: &BTreeMap<String, String>) -> kube::Result<()> {
    let patch = Patch::Merge(json!({ "data": data }));
    objects.patch(name, &PatchParams::default(), &patch).await.map(drop)
}
