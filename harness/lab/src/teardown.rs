//! The end of labs: on request, when their making failed, and of those that dead runs left behind.

use crate::{Engine, Lab, LabError, engine, inventory, kubeconfig, labels, lease, owner, state};
use bollard::models::ContainerSummary;
use futures::future::join_all;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    time::Duration,
};

/// Removes what dead runs left behind: labs of processes that are gone, unless the lab was to be kept and is
/// complete. Returns the names of what was removed.
///
/// # Errors
/// [`LabError::LeftBehind`] when something cannot be removed.
pub async fn sweep() -> Result<Vec<String>, LabError> {
    let engine = Engine::connect().await?;
    let mut labs = BTreeMap::<String, Vec<ContainerSummary>>::new();
    for container in engine.containers(labels::LAB).await? {
        let name = engine::label(&container, labels::LAB).unwrap_or_default().to_string();
        labs.entry(name).or_default().push(container);
    }
    let mut swept = Vec::new();
    for (name, containers) in labs {
        let owner =
            |c: &ContainerSummary| engine::label(c, labels::OWNER).is_some_and(|owner| !owner::alive(owner));
        let kept = containers.iter().any(|c| engine::label(c, labels::KEPT) == Some("true"));
        let orphaned = containers.iter().all(owner);
        if orphaned && !(kept && inventory::lab_file(&engine, &name).await.is_some()) {
            remove(&engine, &name).await?;
            swept.push(name);
        }
    }
    forget_gone(&engine).await?;
    Ok(swept)
}

/// Forgets clusters that were removed by other means, such as `kind delete cluster`.
async fn forget_gone(engine: &Engine) -> Result<(), LabError> {
    let there = engine.containers(labels::KIND_CLUSTER).await?;
    let there: BTreeSet<_> = there.iter().filter_map(|c| engine::label(c, labels::KIND_CLUSTER)).collect();
    let Ok(folders) = std::fs::read_dir(state::dir().join("labs")) else { return Ok(()) };
    for folder in folders.flatten().filter(|entry| entry.path().is_dir()) {
        let name = folder.file_name().to_string_lossy().into_owned();
        // Whoever has a lease may be making it just now.
        if let Some(_lease) = (!there.contains(name.as_str())).then(|| lease::exclusive(&name).ok()).flatten()
        {
            forget_files(&name)?;
        }
    }
    Ok(())
}

/// Removes a lab whole. Says whether there was one; refuses a cluster that the `kind` CLI made.
pub(crate) async fn remove(engine: &Engine, name: &str) -> Result<bool, LabError> {
    let found = inventory::ours(engine, name).await?;
    if found.is_empty() && !engine.containers(&format!("{}={name}", labels::KIND_CLUSTER)).await?.is_empty() {
        return Err(LabError::NotOurs { name: name.into() });
    }
    let names: Vec<_> = found.iter().map(engine::name).collect();
    let results = join_all(names.iter().map(|node| engine.remove(node))).await;
    for (node, result) in names.iter().zip(results) {
        if let Err(error) = result {
            let (what, why) = (format!("container {node}"), error.to_string());
            return Err(LabError::LeftBehind { name: name.into(), what, why });
        }
    }
    forget_files(name)?;
    // Whose nodes are about to start needs it, and it goes with their lab.
    if let Ok(_network) = lease::exclusive(labels::NETWORK_LEASE) {
        engine.release_network().await?;
    }
    Ok(!found.is_empty())
}

/// Forgets a cluster: the files that we keep about it, and its entries in the user's kubeconfig if we made them.
pub(crate) fn forget_files(name: &str) -> Result<(), LabError> {
    kubeconfig::unmerge(name)?;
    let folder = state::dir().join("labs").join(name);
    match std::fs::remove_dir_all(&folder) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(LabError::io(format!("remove {}", folder.display()), source))
        }
        _ => Ok(()),
    }
}

/// Takes a half-made lab down when the future that makes it is dropped, or panics.
pub(crate) struct Teardown {
    name: Option<String>,
}

impl Teardown {
    pub(crate) fn new(name: &str) -> Self {
        Teardown { name: Some(name.into()) }
    }

    /// The lab is whole, or somebody else takes it down.
    pub(crate) fn forget(&mut self) {
        self.name = None;
    }
}

impl Drop for Teardown {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        // Whatever runtime is being left cannot be waited on from here, so the work has its own.
        let work = std::thread::spawn(move || -> Result<(), LabError> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|source| LabError::io("start a runtime".into(), source))?;
            runtime.block_on(async {
                // The engine may still be finishing what nobody waits for any more.
                for _ in 0..4 {
                    Lab::down(&name).await?;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                Ok(())
            })
        });
        if let Ok(Err(error)) = work.join() {
            tracing::error!("{error}");
        }
    }
}
